"""How long a training will take before its own first steps can say so: at the pace of a run like it. No drawing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from isp_app.reading import runs_access
from isp_core.config import Config
from isp_core.runs import Run, RunError


@dataclass(frozen=True)
class Pace:
    """Seconds that a whole training takes, and the run that they were measured on."""

    seconds: float
    of: str


def expected(runs: Iterable[tuple[str, Run]], recipe: Config, images: int) -> Pace | None:
    """The time of recipe.run.epochs epochs on so many training images, preparation included: that of the first run of
    the same backbone and image size, of the same source of labels where there is one, in proportion to its images.

    runs: (name, run). None where no run is alike, or none noted its seconds.
    """
    alike = [
        (name, run)
        for name, run in runs
        if run.info.parent is None
        and not run.info.imported
        and run.info.backbone == recipe.model.backbone
        and tuple(run.info.size) == tuple(recipe.data.size)
    ]
    for name, run in sorted(alike, key=lambda pair: pair[1].info.labels != recipe.labels.source):
        seconds = _seconds(run, recipe.run.epochs)
        there = run.info.data.splits.get("train")
        if seconds is not None and there is not None and there.pictures:
            return Pace(seconds * images / there.pictures, name)
    return None


def _seconds(run: Run, epochs: int) -> float | None:
    """What so many epochs take at this run's pace; epoch 0 is the preparation, which is paid once."""
    try:
        table = runs_access.metrics(run)
    except RunError:
        return None
    spent = [name for name in table.columns if str(name).startswith("seconds_")]
    if not spent or len(table) < 2:
        return None
    each = table[spent].sum(axis=1)
    return float(each.iloc[0] + epochs * each.iloc[1:].mean())
