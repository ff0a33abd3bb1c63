"""Every page in every state: no runs, a full run, parts of one missing, a broken one, one that vanishes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from isp_app.views.k_compare import MOST_RUNS
from isp_core.config import load_config
from isp_core.runs import SCHEMA, RunWriter
from isp_core.runs.maps import read_maps, write_maps
from tests.app import synthetic
from tests.app.conftest import PAGES, Open, words

NEEDS_RUN = [page for page in PAGES if page not in ("overview", "train", "help")]


@pytest.mark.parametrize("page", PAGES)
def test_full_run_shows_without_exception(open_page: Open, page: str) -> None:
    test = open_page(page, run="k6")
    assert not test.exception
    assert not test.warning
    assert test.title


@pytest.mark.parametrize("page", PAGES)
def test_no_runs_names_the_command(open_page: Open, tmp_path: Path, page: str) -> None:
    test = open_page(page, runs=tmp_path / "nothing")
    assert not test.exception
    if page in NEEDS_RUN or page == "overview":
        assert "isp train --data" in words(test)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("split", ["train", "query", "gallery"])
def test_run_without_maps_and_embeddings_says_what_makes_them(
    open_page: Open, tmp_path: Path, page: str, split: str
) -> None:
    synthetic.write_run(tmp_path / "runs" / "bare", maps=False, vectors=False, epochs=1, noted=False)
    test = open_page(page, runs=tmp_path / "runs", split=split)
    assert not test.exception
    said = words(test)
    if page in ("ranking", "embeddings"):
        assert "isp extract --run" in said
    elif page in ("evolution", "identity", "iou", "k_compare"):
        assert ("isp label --run" if split == "train" else "isp extract --run") in said
    elif page == "upload":
        assert "No run here has weights" in said


@pytest.mark.parametrize("page", PAGES)
def test_baseline_without_parts_is_explained(open_page: Open, page: str) -> None:
    test = open_page(page, run="baseline", split="gallery")
    assert not test.exception
    if page in ("evolution", "identity", "iou"):
        assert "no parts" in words(test)


@pytest.mark.parametrize("page", PAGES)
def test_pictures_that_are_elsewhere_leave_maps_alone(open_page: Open, tmp_path: Path, page: str) -> None:
    test = open_page(page, data=tmp_path / "empty", run="k6")
    assert not test.exception
    if page in ("evolution", "identity", "ranking", "k_compare"):
        assert "maps are shown alone" in words(test)
    if page == "iou":
        assert "No ground truth was found" in words(test)


def linked(data: Path, folder: Path) -> Path:
    """A data folder whose files are links to those of `data`."""
    for file in sorted(data.rglob("*.*")):
        link = folder / file.relative_to(data)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    return folder


@pytest.mark.parametrize("page", ["evolution", "identity"])
def test_images_behind_links_are_read_where_the_server_knows_their_folder_too(
    open_page: Open, drawn: Path, tmp_path: Path, page: str
) -> None:
    links = linked(drawn / "data", tmp_path / "links")
    said = words(open_page(page, data=links, run="k6"))
    assert "links that lead out of the data folders" in said
    assert f"--data {links} --data {drawn / 'data'}" in said
    said = words(open_page(page, data=f"{links}{os.pathsep}{drawn / 'data'}", run="k6"))
    assert "maps are shown alone" not in said


@pytest.mark.parametrize("page", NEEDS_RUN)
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("{", "not a run description"),
        (json.dumps({"schema": "isp-run/0"}), "not a run description"),
    ],
)
def test_broken_description_is_named(own_runs: Path, open_page: Open, page: str, broken: str, said: str) -> None:
    (own_runs / "k6" / "run.json").write_text(broken)
    test = open_page(page, runs=own_runs, run="k6")
    assert not test.exception
    assert said in words(test)


def test_older_schema_is_explained(own_runs: Path, open_page: Open) -> None:
    file = own_runs / "k6" / "run.json"
    file.write_text(file.read_text().replace(SCHEMA, "isp-run/0"))
    test = open_page("evolution", runs=own_runs, run="k6")
    assert "schema 'isp-run/0'" in words(test)
    assert "schema 'isp-run/0'" in words(open_page("overview", runs=own_runs))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("file", ["metrics.parquet", "records.parquet"])
def test_truncated_table_is_a_sentence_not_a_traceback(own_runs: Path, open_page: Open, page: str, file: str) -> None:
    target = own_runs / "k6" / file
    target.write_bytes(target.read_bytes()[:40])
    test = open_page(page, runs=own_runs, run="k6")
    assert not test.exception


@pytest.mark.parametrize("page", ["evolution", "identity", "iou"])
def test_truncated_maps_are_a_sentence(own_runs: Path, open_page: Open, page: str) -> None:
    target = own_runs / "k6" / "labels" / "train" / "epoch_0003.h5"
    target.write_bytes(target.read_bytes()[:200])
    test = open_page(page, runs=own_runs, run="k6")
    assert not test.exception
    assert "broken" in words(test)


@pytest.mark.parametrize("page", PAGES)
def test_run_that_vanishes_while_open(own_runs: Path, open_page: Open, page: str) -> None:
    test = open_page(page, runs=own_runs, run="k6")
    shutil.rmtree(own_runs / "k6")
    test.run()
    assert not test.exception


def test_run_that_appears_while_open(own_runs: Path, open_page: Open) -> None:
    test = open_page("overview", runs=own_runs)
    assert "late" not in words(test)
    shutil.copytree(own_runs / "k6", own_runs / "late")
    test.run()
    assert "late" in words(test)


def test_page_follows_the_stored_map(own_runs: Path, open_page: Open) -> None:
    """What a page shows comes from the file: change the file, and the page changes."""
    test = open_page("identity", runs=own_runs, run="k6", pid="1")
    before = test.dataframe[0].value
    file = own_runs / "k6" / "labels" / "train" / "epoch_0003.h5"
    maps = read_maps(file)
    maps[:] = 0
    maps[:, 10:20] = 4
    write_maps(file, [(np.arange(len(maps)), maps)], len(maps))
    test.run()
    after = test.dataframe[0].value
    assert before["images"].tolist() != after["images"].tolist()
    assert after["images"].tolist() == [0, 0, 0, 5, 0]
    assert after["height"].tolist()[3] == pytest.approx(100 * 15 / 64)


def test_a_growing_run_shows_its_new_epoch(own_runs: Path, open_page: Open) -> None:
    from isp_core.runs import open_run

    test = open_page("iou", runs=own_runs, run="k6")
    assert test.selectbox(key="epoch").options[0] == "3"
    run = open_run(own_runs / "k6")
    synthetic.write_epoch(RunWriter(run.path), run.records(), 6, 4, 4, vectors=False)
    test.run()
    assert test.selectbox(key="epoch").options[0] == "4"


def test_what_is_wrong_with_a_training_is_said_beside_its_field_before_the_start(
    open_page: Open, drawn: Path, own_runs: Path
) -> None:
    test = open_page("train", runs=own_runs)
    next(box for box in test.selectbox if box.label == "Data set").set_value("data").run()
    assert next(button for button in test.button if button.label == "Start training").disabled
    said = words(test)
    assert "give the run a name" not in said  # one that is free is there already
    assert "a batch of this preset has 8 people" in said  # six are drawn
    next(box for box in test.text_input if box.label == "Name").set_value("").run()
    assert "give the run a name" in words(test)
    next(box for box in test.text_input if box.label == "Name").set_value("k6").run()
    assert "k6 exists already" in words(test)
    next(box for box in test.text_input if box.label == "Name").set_value("../up").run()
    assert "letters, digits, dot, dash" in words(test)
    next(box for box in test.number_input if box.label == "K (with background)").set_value(99).run()
    assert "allows K" in words(test).replace("\\", "")
    next(box for box in test.number_input if box.label == "Identities").set_value(7).run()
    assert "has 6" in words(test)
    next(box for box in test.number_input if box.label == "Epochs").set_value(0).run()
    assert "at least one epoch" in words(test)


def test_a_training_starts_from_its_preset(open_page: Open) -> None:
    test = open_page("train")
    data = next(box for box in test.selectbox if box.label == "Data set")
    data.set_value("data").run()
    preset = next(box for box in test.selectbox if box.label == "Preset")
    preset.set_value("walkers").run()
    recipe = load_config("walkers")
    numbers = {box.label: box.value for box in test.number_input}
    assert numbers["Epochs"] == recipe.run.epochs
    assert numbers["K (with background)"] == recipe.labels.k
    assert next(box.value for box in test.selectbox if box.label == "Labels") == recipe.labels.source
    assert "training images of 6 people" in words(test)


def test_a_run_before_its_first_epoch_is_told_from_a_broken_one(open_page: Open, tmp_path: Path) -> None:
    table = synthetic.records(2, 2, 2)
    RunWriter.create(tmp_path / "runs" / "young", synthetic.info(table, 6), table)
    for page in NEEDS_RUN:
        test = open_page(page, runs=tmp_path / "runs")
        assert not test.exception
        assert "not finished an epoch yet" in words(test) or page == "upload"
        assert "broken" not in words(test)
    assert "0 epochs" in words(open_page("overview", runs=tmp_path / "runs"))


def test_addresses_are_not_trusted(open_page: Open) -> None:
    for page in PAGES:
        test = open_page(
            page,
            run="../../etc",
            split="<b>",
            epoch="999999999999",
            img="../../x",
            pid="-1 OR 1",
            q="\x00",
            op="1e9",
            hide="1;2",
            part="=1+1",
            min="nan",
            arm="part-99",
            cards="-3",
            k="x",
            ckpt="/etc/passwd",
            job="../../x",
        )
        assert not test.exception, page


def test_more_runs_than_fit_are_said(own_runs: Path, open_page: Open) -> None:
    for i in range(MOST_RUNS):
        shutil.copytree(own_runs / "k6", own_runs / f"copy-{i}")
    said = words(open_page("k_compare", runs=own_runs))
    assert f"The first {MOST_RUNS} of" in said
    assert f"The first {MOST_RUNS} of" not in words(open_page("k_compare", runs=own_runs, ks="k6"))


def test_the_iou_table_has_agreement_an_interval_and_the_yardsticks_that_were_stored(
    own_runs: Path, open_page: Open
) -> None:
    from isp_core.runs import open_run

    ellipse = {"name": "ellipse + GrabCut", "iou": {"mean": 0.5, "low": 0.4, "high": 0.6}, "mean_iou": 0.7}
    run = open_run(own_runs / "k6")
    RunWriter(run.path).write_evaluation("parsing-epoch_0003-test-lip", {"yardsticks": [ellipse]})
    table = open_page("iou", runs=own_runs, run="k6", split="query").dataframe[0].value
    rows = table[table["images"] == "query (predictions)"].set_index("maps")
    assert 0 < rows.loc["k6", "NMI"] <= 100
    assert " to " in rows.loc["k6", "foreground, 95 % by identity"]
    assert rows.loc["constant mask", "ARI"] == rows.loc["constant mask", "ARI"]
    assert rows.loc["ellipse + GrabCut", "foreground"] == 50
    assert rows.loc["ellipse + GrabCut", "foreground, 95 % by identity"] == "40.0 to 60.0"
