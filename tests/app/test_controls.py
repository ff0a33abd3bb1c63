"""What controls say: why one has no effect, what a filter leaves, which run is better, what a training is called."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from isp_app.reading import pace
from isp_app.views import train_form
from isp_core.config import load_config
from isp_core.palette import SLOTS, assign, class_palette, union
from isp_core.runs import Run, open_run
from tests.app import synthetic
from tests.app.conftest import Open, words

WITHOUT_SPLIT = """
from isp_app.state.sidebar import choose
choose("This page shows all splits.")
"""


def _warnings(test: AppTest) -> str:
    return " ".join(warning.value.replace("\\", "") for warning in test.warning)


def _finder(test: AppTest) -> str:
    return next(str(one.label) for one in test.expander if str(one.label).startswith("Find an image"))


def test_the_split_is_disabled_with_the_reason_where_it_has_no_effect_and_kept(open_page: Open) -> None:
    test = open_page("iou", run="k6", split="gallery")
    assert not test.selectbox(key="split").disabled
    other = AppTest.from_string(WITHOUT_SPLIT, default_timeout=60)
    other.query_params["split"] = "gallery"
    other.run()
    assert other.selectbox(key="split").disabled
    assert other.selectbox(key="split").value == "gallery"
    assert other.selectbox(key="split").help == "This page shows all splits."
    assert "This page shows all splits." in words(other)


def _images(test: AppTest) -> pd.DataFrame:
    return next(frame.value for frame in test.dataframe if "image" in frame.value)


@pytest.mark.parametrize(("where", "named"), [("camera~99", "99"), ("nonsense", "nonsense"), ("colour~red", "colour")])
def test_a_filter_that_nothing_has_is_named_and_not_counted(open_page: Open, where: str, named: str) -> None:
    test = open_page("iou", run="k6", where=where)
    assert named in _warnings(test)
    assert _finder(test) == "Find an image"
    assert _finder(open_page("iou", run="k6", where="camera~2")) == "Find an image (1 filter)"


def test_the_finder_shows_no_image_that_the_pages_own_filters_leave_out(open_page: Open) -> None:
    everything = _images(open_page("iou", run="k6", split="gallery"))
    middle = int(everything["foreground"].median())
    test = open_page("iou", run="k6", split="gallery", find="1", min=str(middle))
    left = _images(test)
    assert 0 < len(left) < len(everything)
    out = len(everything) - len(left)
    assert f"{len(left)} of {len(everything)} images, {out} left out by the page's own filters" in words(test)


def test_the_queries_filter_names_the_run_that_is_better(open_page: Open) -> None:
    test = open_page("ranking", run="k6", vs="baseline", err="better with k6")
    assert {"better with k6", "better with baseline"} <= set(test.selectbox(key="err").options)
    assert test.selectbox(key="err").value == "better with k6"
    assert not test.warning
    alone = open_page("ranking", run="k6", vs="this run, all parts visible")
    assert {"better with aligned", "better with all-parts"} <= set(alone.selectbox(key="err").options)


def test_a_and_b_are_explained_where_they_first_appear(open_page: Open) -> None:
    said = words(open_page("iou", run="k6", **{"with": "k4"})).replace("\\", "")
    assert "A: k6, epoch 3, train. B: k4, epoch 3, train." in said
    assert "A: " not in words(open_page("iou", run="k6"))


def test_a_training_has_a_free_name_before_anything_is_typed(open_page: Open, own_runs: Path) -> None:
    test = open_page("train", runs=own_runs)
    name = next(box.value for box in test.text_input if box.label == "Name")
    assert name == "walkers-1"  # the embedded data set comes first
    assert not test.error
    assert ":red[" not in words(test)
    (own_runs / "data-1").mkdir()
    (own_runs / ".jobs").mkdir()
    job = {"name": "data-2", "pid": 1, "command": ["train"], "started": 0.0}
    (own_runs / ".jobs" / "data-2.json").write_text(json.dumps(job))
    assert train_form._free_name(own_runs, "data") == "data-3"
    assert train_form._free_name(own_runs, "._") == "run-1"


class TestPace:
    @pytest.fixture
    def runs(self, drawn: Path) -> list[tuple[str, Run]]:
        return [(name, open_run(drawn / "runs" / name)) for name in ("baseline", "k6")]

    def test_time_is_that_of_a_run_alike_in_proportion_to_images(self, runs: list[tuple[str, Run]]) -> None:
        info = runs[1][1].info
        recipe = load_config("cpu", overrides={"run.epochs": 10, "labels.source": info.labels})
        height, width = info.size
        recipe = recipe.model_copy(
            update={
                "model": recipe.model.model_copy(update={"backbone": info.backbone}),
                "data": recipe.data.model_copy(update={"size": (height, width)}),
            }
        )
        images = info.data.splits["train"].pictures
        table = runs[1][1].metrics()
        each = table[[name for name in table if str(name).startswith("seconds_")]].sum(axis=1)
        found = pace.expected(runs, recipe, images)
        if each.empty or not each.sum():
            assert found is None
            return
        assert found is not None
        assert found.of == "k6"  # of the same labels, before the baseline
        assert found.seconds == pytest.approx(each.iloc[0] + 10 * each.iloc[1:].mean())
        half = pace.expected(runs, recipe, images // 2)
        assert half is not None
        assert half.seconds == pytest.approx(found.seconds * (images // 2) / images)

    def test_no_run_of_the_same_network_says_nothing(self, runs: list[tuple[str, Run]]) -> None:
        recipe = load_config("paper") if "paper" in _presets() else load_config("cpu")
        recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"backbone": "none_like_it"})})
        assert pace.expected(runs, recipe, 100) is None


def _presets() -> list[str]:
    from isp_core.config import preset_names

    return list(preset_names())


def test_a_shared_legend_names_parts_from_top_to_bottom() -> None:
    classes = {1: "head", 2: "upper", 3: "belongings", 4: "legs", 5: "shoes"}
    run = assign([0.1, 0.3, 0.5, 0.7, 0.95], classes)
    truth = class_palette({1: "head", 2: "upper", 3: "legs", 4: "shoes", 5: "belongings"})
    own = [part.body_part for part in run.parts]
    assert [part.body_part for part in union([truth, run]).parts] == own
    assert [part.body_part for part in union([truth]).parts] == own  # by the colours' own heights
    assert len(SLOTS) >= len(own)


def test_one_epoch_has_no_curve_of_changes_and_nothing_is_awaited(open_page: Open, tmp_path: Path) -> None:
    synthetic.write_run(tmp_path / "runs" / "short", epochs=0, noted=False)
    test = open_page("evolution", runs=tmp_path / "runs", run="short")
    said = test.info[0].value
    assert said == "Only epoch 0 has maps of this image, so there is nothing to compare it with."
    kinds = [element.type for element in test.main]
    assert kinds.index("info") < kinds.index("expander")  # above the image, in place of the scrubber


def test_a_baseline_says_why_there_are_no_maps_and_what_it_has(open_page: Open) -> None:
    for page in ("evolution", "identity", "iou"):
        said = words(open_page(page, run="baseline", split="gallery"))
        assert "no label maps to show here" in said
        assert "Its rankings" in said
