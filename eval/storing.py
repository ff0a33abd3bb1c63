"""Evaluations are kept in the run they are of; one that saw less never replaces one that saw more.

A run that may not be written to (a read-only folder, published results) is evaluated all the same: its evaluations are
printed, and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from isp_core.runs import Run, RunError, RunWriter, schema
from isp_core.runs.errors import WriteError


def keep(run: Run, name: str, document: dict[str, Any]) -> str:
    """Writes an evaluation into its run, unless the run holds the same one of more images, or cannot be written to.

    Returns:
        A sentence that says where it is kept, or why it is not.
    """
    held: Mapping[str, Any] = {}
    if name in run.evaluation_names():
        with suppress(RunError):  # one that is broken is replaced
            held = run.read_evaluation(name)
    if less := _sees_less(document, held):
        return f"not kept: {less}; remove evaluation/{name}.json from {run.path} to replace it"
    try:
        return f"kept in {RunWriter(run.path).write_evaluation(name, document)}"
    except WriteError as error:
        return f"not kept: {error.target} could not be written ({error.reason}); --out FOLDER writes the tables"


def summary(run: Run, kept: Sequence[str]) -> str:
    """What `keep` said of several evaluations, in one sentence."""
    refused = [each for each in kept if each.startswith("not kept")]
    if refused:
        return refused[0] + (f" (and {len(refused) - 1} more not kept)" if refused[1:] else "")
    return kept[0] if len(kept) == 1 else f"kept in {run.path / schema.EVALUATION}: {len(kept)} evaluations"


def _sees_less(new: Mapping[str, Any], held: Mapping[str, Any]) -> str:
    """How a new evaluation saw less than the one that is held, "" where it did not."""
    here, there = _missing(new), _missing(held)
    if held and here > there:
        return f"{here} images have no ground truth here, and this evaluation is held with {there} missing"
    ours, theirs = _counts(new), _counts(held)
    for what in ours.keys() & theirs.keys():
        if ours[what] < theirs[what]:
            return f"it has {ours[what]} {what}, and this evaluation is held with {theirs[what]}"
    return ""


def _missing(document: Mapping[str, Any]) -> int:
    named = document.get("missing")
    return len(named) if isinstance(named, list) else 0


def _counts(document: Mapping[str, Any]) -> dict[str, int]:
    """What a ranking was made of, or two were compared on."""
    found: Any = document
    for name in ("tests", "mAP", "difference"):  # of a comparison
        found = found.get(name) if isinstance(found, Mapping) else None
    compared = found.get("n") if isinstance(found, Mapping) else None
    counts = {
        "queries": document.get("n_queries"),
        "gallery images": document.get("n_gallery"),
        "compared queries": compared,
    }
    return {what: count for what, count in counts.items() if isinstance(count, int)}
