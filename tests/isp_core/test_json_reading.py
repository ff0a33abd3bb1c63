"""JSON of any origin: read, or refused with the reason; never an exception that a caller does not expect."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isp_app.state import jobs
from isp_core.gallery.errors import GalleryError
from isp_core.gallery.network import Network
from isp_core.json_reading import parse_json, read_note
from isp_core.noted_parts import noted
from isp_core.progress import read_stage
from isp_core.runs import RunError, open_run
from tests.isp_core.runs.made import make_run

HOSTILE = {
    "nested": "[" * 100_000 + "]" * 100_000,
    "infinite": '{"a": 1e999}',
    "constant": '{"a": -Infinity}',
    "digits": '{"a": ' + "9" * 5_000 + "}",
    "beyond 64 bits": '{"a": 18446744073709551616}',
    "cut off": '{"a": [1,',
    "empty": "",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_no_program_can_use_is_a_value_error_or_no_note(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)
    (tmp_path / "note.json").write_text(text)
    assert read_note(tmp_path / "note.json") is None


def test_numbers_within_64_bits_and_nan_are_read() -> None:
    assert parse_json("[18446744073709551615, -9223372036854775808, 1e308]") == [2**64 - 1, -(2**63), 1e308]
    assert parse_json("NaN") != parse_json("NaN")


def test_a_pipe_is_no_note_and_nobody_waits_for_it(tmp_path: Path) -> None:
    folder = tmp_path / jobs.FOLDER
    folder.mkdir()
    os.mkfifo(folder / "a.json")
    os.mkfifo(folder / "a.stage")
    assert jobs.everything(tmp_path) == []
    assert jobs.stage(tmp_path, "a") is None


@pytest.mark.parametrize("text", [*HOSTILE.values(), "[]", '"text"', "3", '{"name": 1}', '{"pid": "x"}'])
def test_broken_notes_of_jobs_stages_and_stores_are_no_notes(text: str, tmp_path: Path) -> None:
    folder = tmp_path / jobs.FOLDER
    folder.mkdir()
    (folder / "a.json").write_text(text)
    (folder / "a.stage").write_text(text)
    assert jobs.everything(tmp_path) == []
    assert read_stage(folder / "a.stage") is None
    with pytest.raises(GalleryError, match=r"^the store.*build it again"):
        Network.read(text, "the store")


def test_thresholds_and_descriptions_of_a_run_that_are_no_numbers_name_their_file(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / "visibility").mkdir()
    (run / "visibility/epoch_0002.json").write_text('{"epoch": 1e999, "thresholds": [0.1]}')
    with pytest.raises(RunError, match=r"epoch_0002\.json"):
        open_run(run).calibration(2)
    (run / "run.json").write_text((run / "run.json").read_text().replace('"seed": 0', '"seed": 1e999'))
    with pytest.raises(RunError, match=r"run\.json"):
        open_run(run)


def test_an_epoch_of_five_thousand_digits_is_left_out() -> None:
    assert noted({"9" * 5_000: {"head": [1]}, "²": {"head": [1]}, "3": {"head": [1]}}) == {3: {"head": (1,)}}
