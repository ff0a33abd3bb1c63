"""Which part stands for which class is decided once: by training images, else by what was noted, else where asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isp_core.assignment import AS_IMPORTED, Measured, decide, note
from isp_core.drawing import run_palette
from isp_core.errors import IspError
from isp_core.metrics.part_scores import Assignment
from isp_core.noted_parts import noted, noted_at, part_classes, read_document
from isp_core.runs import RunWriter, open_run

HEAD_IS_2 = np.zeros((7, 4), np.int64)
HEAD_IS_2[1, 2] = HEAD_IS_2[0, 0] = 10
HEAD_IS_3 = np.zeros((7, 4), np.int64)
HEAD_IS_3[1, 3] = HEAD_IS_3[0, 0] = 10
NOTED = {"0": note(Assignment("one-to-one", legs=(1,))), "4": note(Assignment("one-to-one", head=(1,), legs=(2,)))}


def test_training_images_decide_before_notes_and_notes_before_the_evaluated_images(tiny_run: Path) -> None:
    run = open_run(tiny_run)
    found = decide(run, 5, lambda: Measured(4, HEAD_IS_2), NOTED, lambda: HEAD_IS_3)
    assert (found.assignment.head, found.words) == ((2,), "one-to-one, chosen on training images of epoch 4")
    found = decide(run, 5, lambda: None, NOTED, lambda: HEAD_IS_3)
    assert (found.assignment.head, found.words) == ((1,), "one-to-one, noted in training, epoch 4")
    assert decide(run, 3, lambda: None, NOTED).assignment.legs == (1,)
    found = decide(run, 5, lambda: None, {}, lambda: HEAD_IS_3)
    assert (found.assignment.head, found.on_evaluated) == ((3,), True)
    with pytest.raises(IspError, match="tiny: no training images with label maps and ground truth up to epoch 5"):
        decide(run, 5, lambda: None, {})


def test_imported_maps_name_their_own_classes(tiny_run: Path) -> None:
    run = open_run(tiny_run)
    imported = type(run)(run.path, run.info.model_copy(update={"imported": True}))
    assert decide(imported, 0, lambda: Measured(0, HEAD_IS_2), NOTED).assignment == AS_IMPORTED


@pytest.mark.parametrize(
    "document", [{}, {"last": {}}, {"3": []}, {"3": {"head": "x", "legs": ["y", True, 2.5]}}, {"-1": {"head": [1]}}]
)
def test_what_is_not_as_training_writes_it_is_left_out(document: dict[str, object]) -> None:
    assert all(not any(parts.values()) for parts in noted(document).values())
    assert part_classes(document, 6) == {}
    assert noted_at(document, 2) is None


def test_colours_follow_the_last_assignment_noted(tiny_run: Path) -> None:
    RunWriter(tiny_run).write_evaluation("parts", NOTED)
    run = open_run(tiny_run)
    assert part_classes(read_document(run), run.info.parts) == {1: "head", 2: "legs"}
    assert [part.body_part for part in run_palette(run).parts] == ["head", "legs", None]
