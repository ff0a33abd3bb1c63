"""What training noted of which part stands for which body part: evaluation/parts.json of a run, by epoch.

Read by what needs no more than that (colours, tables of metrics); isp_core.assignment decides, which takes SciPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isp_core.metrics.spaces import PARTS
from isp_core.runs import Run

DOCUMENT = "parts"
"""The name of the evaluation document."""

Noted = Mapping[str, tuple[int, ...]]
"""The parts of each class that was noted; () where no part stands for it."""


def read_document(run: Run) -> dict[str, Any]:
    """What training noted in the run; empty where it noted nothing."""
    return run.read_evaluation(DOCUMENT) if DOCUMENT in run.evaluation_names() else {}


def noted(document: Mapping[str, Any]) -> dict[int, Noted]:
    """The assignments of a parts.json by epoch. What is not as training writes it is left out.

    >>> noted({"8": {"rule": "one-to-one", "head": [1], "legs": []}, "last": {}})
    {8: {'head': (1,), 'legs': ()}}
    """
    return {
        int(epoch): {
            name: tuple(part for part in found[name] if isinstance(part, int) and not isinstance(part, bool))
            for name in PARTS
            if isinstance(found.get(name), list | tuple)
        }
        for epoch, found in document.items()
        if epoch.isascii() and epoch.isdigit() and len(epoch) < 10 and isinstance(found, Mapping)
    }


def noted_at(document: Mapping[str, Any], epoch: int) -> tuple[int, Noted] | None:
    """The last assignment noted up to an epoch, with the epoch it was noted at; None where there is none."""
    known = noted(document)
    before = [each for each in known if each <= epoch]
    return (max(before), known[max(before)]) if before else None


def part_classes(document: Mapping[str, Any], parts: int) -> dict[int, str]:
    """Part -> body part by the last assignment noted: what colours follow. parts: K."""
    known = noted(document)
    last = known[max(known)] if known else {}
    return {part: name for name, found in last.items() for part in found if 0 < part < parts}
