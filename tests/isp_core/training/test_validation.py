"""Identities held out for choices: who they are, what is measured on them, and that test is looked at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isp_core.data import load
from isp_core.data.records import DataError, leave_one_out
from isp_core.runs import Run
from isp_core.runs.maintenance import prune, verify
from tests.isp_core.training.test_training import quietly, tiny


@pytest.fixture(scope="module")
def run(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = tiny(data__validation=2, run__keep="best")
    return quietly(config, people, tmp_path_factory.mktemp("runs") / "held", truth=(people, "lip"))


def test_every_run_holds_out_the_same_people_at_even_steps(people: Path) -> None:
    data = load(people)
    held = data.hold_out(2)
    assert sorted(held.split("validation").identity.unique()) == [2, 5]
    assert sorted(held.split("train").identity.unique()) == [1, 3, 4, 6]
    assert held.split("query").equals(data.split("query"))
    assert data.hold_out(0) is data
    assert "2 of 6 training identities are held out" in held.notes[-1]


@pytest.mark.parametrize("n", [6, 7])
def test_somebody_must_be_left_to_train_on(people: Path, n: int) -> None:
    with pytest.raises(DataError, match=f"data.validation = {n} identities cannot be held out of 6 .* choose 0 to 5"):
        load(people).hold_out(n)


def test_validation_is_evaluated_as_training_goes_and_test_at_the_end_alone(run: Run) -> None:
    metrics = run.metrics()
    assert metrics["validation_mAP"].notna().tolist() == [True] * 4
    assert metrics["mAP"].notna().tolist() == [False, False, False, True]
    assert metrics["validation_iou_foreground"].between(0, 1).all()
    assert metrics["test_iou_foreground"].notna().tolist() == [False, False, False, True]
    assert run.embedding_epochs() == [3]
    assert run.embedding_epochs("validation") == [0, 1, 2, 3]
    assert run.labels("validation", 3).shape == (12, 16, 8)
    assert run.labels("train", 3).shape == (24, 16, 8)
    assert run.info.data.splits["validation"].identities == 2
    assert verify(run) == []


def test_the_best_epoch_is_chosen_by_validation(run: Run) -> None:
    best = int(run.metrics()["validation_mAP"].argmax())
    assert run.best_epoch() == best
    assert run.weight_epochs() == sorted({best, 3})
    assert prune(run, "best") == 0


def test_nobody_held_out_is_seen_in_training(run: Run) -> None:
    trained, held = run.records("train"), run.records("validation")
    assert set(trained.identity).isdisjoint(held.identity)
    assert len(run.labels("train", 0)) == len(trained)


def test_leave_one_out_finds_every_image_among_all_others(people: Path) -> None:
    frame = load(people).hold_out(2).split("validation")
    assert leave_one_out(frame).equals(frame)  # known cameras stay
    unknown = leave_one_out(frame.assign(camera=-1))
    assert unknown.camera.nunique() == len(frame)
    assert (unknown.camera < -1).all()


def test_a_run_with_held_out_people_resumes_where_it_was(people: Path, tmp_path: Path) -> None:
    first = quietly(tiny(data__validation=2, run__epochs=1), people, tmp_path / "run")
    again = quietly(tiny(data__validation=2, run__epochs=2), people, tmp_path / "run", resume=True)
    assert again.epochs == [0, 1, 2]
    np.testing.assert_array_equal(first.records("validation").path, again.records("validation").path)
