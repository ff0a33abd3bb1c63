"""What pages are built of: colours, exports, encoding, curves, jobs. Small exact cases."""

from __future__ import annotations

import doctest
import importlib
import io
import json
import pkgutil
import sys
import time
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.optimize import linear_sum_assignment

import isp_app
from isp_app.components.epoch_scrubber import missing_epochs
from isp_app.drawing import exports, figures, sparks
from isp_app.drawing.encode import grid_png, overlay, png, sprite
from isp_app.drawing.exports import Provenance
from isp_app.drawing.sparks import Spark
from isp_app.state import jobs
from isp_app.state.jobs import JobError, Wish
from isp_app.views import train
from isp_core.palette import _NO_COLOUR, SLOTS, UNKNOWN, _cheapest, assign, class_palette, union
from isp_core.progress import Stage
from isp_core.runs import open_run
from tests.app import synthetic

COLOUR = {slot.body_part: slot.rgb for slot in SLOTS}
ENTRY = ("isp_app.main", "isp_app.navigation")
"""What the server runs, not what others import."""
SOURCE = Provenance("k6", 12, 6, "train", "ab" * 32, "isp-run/1", "f" * 64)


@pytest.mark.parametrize(
    "name", [m.name for m in pkgutil.walk_packages(isp_app.__path__, "isp_app.") if m.name not in ENTRY]
)
def test_examples_in_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_a_curve_is_as_wide_and_high_as_its_values() -> None:
    html = sparks._figure(Spark("<i>", "1.5", (1.0, 3.0, 1.5), hint="'epoch' 2"))
    assert "<i>" not in html
    assert "'epoch'" not in html
    line = ElementTree.fromstring(unquote(html.split("svg+xml,")[1].split('"')[0]))[0]
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert points == [(0, 26), (35, 2), (70, 20)]
    assert "<img" not in sparks._figure(Spark("mAP", "–", (1.0,)))


class TestPalette:
    def test_colours_stay_with_the_body_part_across_k(self) -> None:
        four = assign([0.1, 0.35, 0.75])
        eight = assign([0.08, 0.25, 0.36, 0.48, 0.6, 0.72, 0.93])
        assert four.parts[0].rgb == eight.parts[0].rgb == COLOUR["head"]
        assert four.parts[2].rgb == eight.parts[5].rgb == COLOUR["legs"]
        assert eight.parts[6].rgb == COLOUR["shoes"]

    def test_classes_decide_whatever_the_index_and_height(self) -> None:
        palette = assign([0.9, 0.1, 0.5], {1: "head", 2: "shoes", 3: "belongings"})
        assert [part.rgb for part in palette.parts] == [COLOUR["head"], COLOUR["shoes"], COLOUR["belongings"]]

    def test_belongings_colour_is_kept_for_belongings(self) -> None:
        palette = assign([0.1, 0.3, 0.4, 0.5, 0.7, 0.9])
        assert COLOUR["belongings"] not in [part.rgb for part in palette.parts]

    def test_two_parts_of_one_class_are_told_apart(self) -> None:
        palette = assign([0.6, 0.8], {1: "legs", 2: "legs"})
        assert len({part.rgb for part in palette.parts}) == 2

    @given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=28))
    def test_every_part_has_a_colour_of_its_own(self, heights: list[float]) -> None:
        palette = assign(heights)
        assert len({part.code for part in palette.parts}) == len(heights)

    def test_one_legend_for_run_and_truth(self) -> None:
        run = assign([0.1, 0.7], {1: "head", 2: "legs"})
        legend = union([run, class_palette({1: "head", 3: "legs", 4: "shoes"})])
        assert [part.name for part in legend.parts] == ["head", "legs", "shoes"]
        assert run.coded(np.array([0, 1, 2, 255], np.uint8)).tolist()[1:3] == [p.code for p in legend.parts[:2]]


class TestEncoding:
    def test_labels_survive_the_png_to_the_bit(self) -> None:
        labels = np.random.default_rng(0).integers(0, 256, (64, 32), np.uint8)
        assert (np.asarray(Image.open(io.BytesIO(png(labels)))) == labels).all()

    @pytest.mark.parametrize("epochs", [1, 7, 121, 300])
    def test_strips_hold_every_epoch_where_the_browser_looks(self, epochs: int) -> None:
        maps = np.random.default_rng(0).integers(0, 7, (epochs, 64, 32), np.uint8)
        data, columns = grid_png(maps)
        sheet = np.asarray(Image.open(io.BytesIO(data)))
        assert max(sheet.shape) <= 8192
        for i in (0, epochs // 2, epochs - 1):
            x, y = i % columns * 32, i // columns * 64
            assert (sheet[y : y + 64, x : x + 32] == maps[i]).all()

    def test_a_market_strip_is_small(self) -> None:
        maps = np.zeros((121, 64, 32), np.uint8)
        maps[:, 10:50, 8:24] = 3
        assert len(grid_png(maps)[0]) < 30_000

    def test_overlays_repeat_labels_and_leave_background_clear(self) -> None:
        image = np.full((4, 4, 3), 100, np.uint8)
        colours = np.zeros((256, 3), np.uint8)
        colours[1] = 200
        drawn = overlay(image, np.array([[0, 1]], np.uint8), colours, 1.0, (4, 4))
        assert (drawn[:, :2] == 100).all()
        assert (drawn[:, 2:] == 200).all()

    def test_sprites_keep_the_order(self) -> None:
        tiles = [np.full((8, 4, 3), 10 * i, np.uint8) for i in range(25)]
        made = sprite(tiles, 4, 8)
        assert made.columns == 20
        assert made.url.startswith("data:image/webp;base64,")


class TestExports:
    def test_csv_rows_carry_where_they_come_from(self) -> None:
        text = exports.csv(pd.DataFrame({"iou": [1.5]}), SOURCE, "a rule").decode("utf-8-sig")
        table = pd.read_csv(io.StringIO(text))
        row = table.iloc[0]
        assert (row["run"], row["epoch"], row["K"], row["split"]) == ("k6", 12, 6, "train")
        assert row["checkpoint"] == "ab" * 32
        assert row["schema"] == "isp-run/1"
        assert row["rule"] == "a rule"

    def test_pngs_carry_it_too_and_their_grey_values_are_labels(self) -> None:
        labels = np.arange(6, dtype=np.uint8).reshape(2, 3)
        picture = Image.open(io.BytesIO(exports.picture(labels, SOURCE, "map")))
        assert (np.asarray(picture) == labels).all()
        assert picture.text["run"] == "k6"  # type: ignore[attr-defined]
        assert picture.text["epoch"] == "12"  # type: ignore[attr-defined]

    def test_json_writes_numbers_and_no_nan(self) -> None:
        data = json.loads(exports.document({"a": np.float32(0.5), "b": np.array([1, 2])}, SOURCE))
        assert data["a"] == 0.5
        assert data["b"] == [1, 2]
        assert data["source"]["epoch"] == 12


def test_missing_epochs_are_named() -> None:
    assert missing_epochs([0, 1, 2]) == ""
    assert "1-9, 11-19" in missing_epochs([0, 10, 20])


class TestJobs:
    """With a stand-in for `python -m isp_core`: a process that sleeps."""

    @pytest.fixture
    def wish(self, tmp_path: Path) -> Wish:
        return Wish("k6", tmp_path / "data", "cpu", 3, 6, "clustering")

    @pytest.fixture
    def sleeper(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stand_in = tmp_path / "python"
        stand_in.write_text(
            f'#!/bin/sh\nexec {sys.executable} -c "import time; print(1, flush=True); time.sleep(60)" "$@"\n'
        )
        stand_in.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(stand_in))

    def test_the_command_is_the_one_a_person_would_type(self, wish: Wish, tmp_path: Path) -> None:
        words = wish.command(tmp_path / "runs" / "k6")
        assert words[:1] == ["train"]
        assert words[words.index("--parts") + 1] == "6"
        assert "--parts" not in Wish("b", tmp_path, "cpu", 3, 6, "none").command(tmp_path)

    @pytest.mark.usefixtures("sleeper")
    def test_start_watch_stop_resume(self, wish: Wish, tmp_path: Path) -> None:
        root = tmp_path / "runs"
        job = jobs.start(root, wish)
        assert job.running
        assert jobs.read(root, "k6") == job  # what a second tab reads
        log = root / ".jobs" / "k6.log"
        while not log.read_bytes():  # the stand-in has begun
            time.sleep(0.02)
        started = dict(jobs._children)
        jobs._children.clear()  # what a restarted server knows
        assert job.running
        jobs._children.update(started)
        with pytest.raises(JobError, match="exists already"):
            jobs.start(root, wish)
        with pytest.raises(JobError, match="running already"):
            jobs.resume(root, "k6")
        jobs.stop(root, "k6")
        assert not job.running
        again = jobs.resume(root, "k6")
        assert again.command[-1] == "--resume"
        jobs.stop(root, "k6")

    @pytest.mark.usefixtures("sleeper")
    def test_the_name_of_a_run_that_never_began_is_free_again(self, wish: Wish, tmp_path: Path) -> None:
        jobs.start(tmp_path / "runs", wish)
        jobs.stop(tmp_path / "runs", "k6")
        assert jobs.start(tmp_path / "runs", wish).running  # nothing was written: no run is lost
        jobs.stop(tmp_path / "runs", "k6")
        (tmp_path / "runs" / "k6").mkdir()
        with pytest.raises(JobError, match="exists already"):
            jobs.start(tmp_path / "runs", wish)

    def test_a_number_that_went_to_another_process_is_not_the_job(self, tmp_path: Path) -> None:
        import os

        (tmp_path / ".jobs").mkdir()
        fields = {"name": "k6", "pid": os.getpid(), "command": ["train"], "started": time.time()}
        (tmp_path / ".jobs" / "k6.json").write_text(json.dumps(fields))
        job = jobs.read(tmp_path, "k6")
        assert job is not None
        assert not job.running
        jobs.stop(tmp_path, "k6")  # and must not be ended

    @pytest.mark.parametrize("name", ["../x", "", "a/b", ".."])
    def test_names_cannot_leave_the_folder(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(JobError):
            jobs.start(tmp_path, Wish(name, tmp_path, "cpu", 1, 6, "none"))
        assert jobs.read(tmp_path, name) is None
        assert jobs.log_tail(tmp_path, name) == ""


def test_parts_that_want_the_same_colour_share_shades_and_others_keep_theirs() -> None:
    alone = [assign([height]).parts[0].rgb for height in (0.1, 0.9)]
    assert [part.rgb for part in assign([0.1, 0.9]).parts] == alone
    contested = [part.rgb for part in assign([0.1, 0.1, 0.9]).parts]
    assert len(set(contested)) == 3
    assert contested[2] == alone[1]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_colours_are_chosen_as_scipy_would(seed: int, parts: int, colours: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    cost = rng.integers(0, 4, (parts, colours)).astype(float) if ties else 10 * rng.random((parts, colours))
    chosen = _cheapest(cost)
    assert len(set(chosen.tolist())) == parts
    whole = np.hstack([cost, np.full((parts, parts), _NO_COLOUR)])
    assert np.isclose(whole[np.arange(parts), chosen].sum(), whole[linear_sum_assignment(whole)].sum())


def test_more_parts_than_colours_leave_some_without() -> None:
    parts = assign([k / 31 for k in range(31)]).parts
    assert sum(part.rgb == UNKNOWN for part in parts) == 3  # seven colours in four shades
    assert len({part.code for part in parts}) == 28 + 1


def test_words_below_a_sheet_stay_on_it() -> None:
    tile = np.zeros((40, 20, 3), np.uint8)
    short, long = (figures.sheet([[tile]], [], [], footer=[text]) for text in ("words", "many words " * 40))
    assert long.shape[1] == short.shape[1]
    assert long.shape[0] > short.shape[0] + 3 * 16
    assert (long[:, -4:] == 255).all()


class TestTimeLeftOfATraining:
    STAGE = Stage("epoch 1", 5, 20, begun=0.0, noted=10.0)

    def test_before_the_first_epoch_ends_it_is_the_pace_of_its_steps(self) -> None:
        assert train.time_left(None, self.STAGE, 0, 3) == pytest.approx(2 * (20 * 3 - 5))
        assert train.time_left(None, Stage("images", 5, 20, 0.0, 10.0), None, 3) is None

    def test_later_it_counts_labels_and_evaluations_of_finished_epochs(self, tmp_path: Path) -> None:
        run = open_run(synthetic.write_run(tmp_path / "k6", epochs=2))
        table = run.metrics()
        spent = [name for name in table if str(name).startswith("seconds_")]
        per_epoch = table[spent].sum(axis=1).iloc[1:].mean()
        left = train.time_left(run, Stage("epoch 3", 10, 20, 0.0, 1.0), 2, 4)
        assert left == (pytest.approx(per_epoch * 1.5) if spent else None)

    def test_the_whole_is_counted_in_epochs(self) -> None:
        assert train.whole_share(self.STAGE, 0, 4) == pytest.approx(0.25 / 4)
        assert train.whole_share(Stage("labels 2", 19, 20, 0.0, 1.0), 2, 4) == pytest.approx(0.5)
        assert train.whole_share(Stage("images", 5, 20, 0.0, 1.0), None, 4) == pytest.approx(0.25)
