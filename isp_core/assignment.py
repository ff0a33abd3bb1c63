"""Which part of a run stands for which body part: the one rule of evaluation, tables, colours and pages.

Parts are matched to classes one to one, such that the sum of IoUs is largest
(isp_core.metrics.part_scores.assign_parts), on training images. In falling priority:

1. the run's pseudo-labels of the same epoch, or the last before it, against ground truth of the training images;
2. what training noted of that epoch, or the last before it, where it was given ground truth (evaluation/parts.json);
3. the evaluated images themselves, which favours the run.

Imported label maps name their classes themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from isp_core.errors import IspError
from isp_core.metrics.part_scores import Assignment, Counts, assign_parts
from isp_core.metrics.spaces import PARTS
from isp_core.noted_parts import noted_at
from isp_core.runs import Run

ONE_TO_ONE = "one-to-one"
AS_IMPORTED = Assignment("as imported", **{name: (code,) for code, name in enumerate(PARTS, start=1)})


@dataclass(frozen=True)
class Measured:
    """Pixels of training images by true code and part (7, K), of the pseudo-labels of an epoch."""

    epoch: int
    counts: Counts


@dataclass(frozen=True)
class Decision:
    """An assignment, and which images decided it, in words ("" for imported maps)."""

    assignment: Assignment
    origin: str = ""
    on_evaluated: bool = False

    @property
    def words(self) -> str:
        """ "one-to-one, chosen on training images of epoch 24"."""
        return f"{self.assignment.rule}, {self.origin}" if self.origin else self.assignment.rule


def decide(
    run: Run,
    epoch: int,
    training: Callable[[], Measured | None],
    document: Mapping[str, Any] | None = None,
    evaluated: Callable[[], Counts] | None = None,
) -> Decision:
    """The assignment of a run at an epoch, by the rule above.

    training: pixels of the training images up to this epoch; None where there are no pseudo-labels or no ground truth.
    document: evaluation/parts.json, None where the run has none. evaluated: pixels (7, K) of the evaluated images, as
    the last resort; without it IspError says what is missing.
    """
    if run.info.imported:
        return Decision(AS_IMPORTED)
    measured = training()
    if measured is not None:
        return Decision(assign_parts(measured.counts), f"chosen on training images of epoch {measured.epoch}")
    known = noted_at(document or {}, epoch)
    if known is not None:
        return Decision(Assignment(f"{ONE_TO_ONE}, noted in training", **known[1]), f"epoch {known[0]}")
    if evaluated is None:
        raise IspError(
            f"{run.name}: no training images with label maps and ground truth up to epoch {epoch}, so parts cannot be "
            "assigned to classes"
        )
    return Decision(assign_parts(evaluated()), "chosen on the evaluated images", on_evaluated=True)


def note(assignment: Assignment) -> dict[str, Any]:
    """An assignment as evaluation/parts.json keeps it for each epoch."""
    fields = asdict(assignment)
    return {"rule": fields.pop("rule")} | {name: list(parts) for name, parts in fields.items() if name in PARTS}
