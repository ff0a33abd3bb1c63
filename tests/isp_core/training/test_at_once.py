"""Two trainings that begin at once in one new folder: one of them trains, the other says so, and the run is whole."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from isp_core.config import load_config
from isp_core.data import load
from isp_core.errors import IspError
from isp_core.runs import Run, RunError, RunWriter
from isp_core.runs.maintenance import verify
from isp_core.training import train

TINY: dict[str, Any] = {
    "model.backbone": "test_efficientnet",
    "model.weights": "none",
    "model.stages": (4, 5),
    "data.size": (32, 32),
    "data.identities_per_batch": 3,
    "data.pictures_per_identity": 2,
    "labels.parts": 3,
    "run.epochs": 1,
}


@pytest.mark.parametrize("attempt", range(3))
def test_of_two_trainings_begun_at_once_one_trains_and_the_other_says_so(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attempt: int
) -> None:
    data, together, create = load(people), threading.Barrier(2), RunWriter.create

    def at_once(cls: type[RunWriter], *given: Any) -> RunWriter:
        together.wait(60)
        return create(*given)

    monkeypatch.setattr(RunWriter, "create", classmethod(at_once))

    def begin(seed: int) -> Run | IspError:
        config = load_config("paper", None, TINY | {"run.seed": seed})
        try:
            return train(config, data, tmp_path / "run", report=lambda _: None, progress=False)
        except IspError as error:
            return error

    seeds = (2 * attempt, 2 * attempt + 1)
    with ThreadPoolExecutor(2) as pool:
        ended = dict(zip(seeds, pool.map(begin, seeds), strict=True))
    (winner, run), *others = [(seed, end) for seed, end in ended.items() if isinstance(end, Run)]
    (refused,) = [end for end in ended.values() if isinstance(end, RunError)]
    assert not others
    assert run.info.seed == winner
    assert run.last_epoch == 1
    assert verify(run) == []
    assert "is being trained by another process" in str(refused) or "holds a run already" in str(refused)
