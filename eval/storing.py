"""Evaluations are kept in the run they are of; one that saw less never replaces one that saw more."""

from __future__ import annotations

from typing import Any

from isp_core.runs import Run, RunWriter


def keep(run: Run, name: str, document: dict[str, Any]) -> str:
    """Writes an evaluation into its run, unless the run holds the same one with fewer images missing.

    Returns:
        A sentence that says where it is kept, or why it is not.
    """
    if name in run.evaluation_names():
        held, missing = _missing(run.read_evaluation(name)), _missing(document)
        if missing > held:
            return (
                f"not kept: {missing} images have no ground truth here, and {run.path} holds this evaluation with "
                f"{held} missing"
            )
    return f"kept in {RunWriter(run.path).write_evaluation(name, document)}"


def _missing(document: dict[str, Any]) -> int:
    named = document.get("missing")
    return len(named) if isinstance(named, list) else 0
