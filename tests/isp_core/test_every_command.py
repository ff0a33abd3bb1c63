"""Every command of `isp` runs end to end with its own defaults, on a data set of ten people.

The commands are found by walking the command line: a new one without a case here fails. Given are only what a command
requires, and, where a default would train for minutes, a smaller size or a shorter run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
import typer
import yaml

from isp_core.__main__ import app
from isp_core.runs import open_run
from isp_eval.studies.plans import STUDIES, Study, Variant
from isp_eval.studies.training import Bench
from tests.isp_core.test_commands import TINY, isp

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--epochs", "1", "--size", "64x32", "--set", "model.weights=none", "--set", "data.identities_per_batch=3")


@dataclass(frozen=True)
class Place:
    """What the cases work on: a data set with ground truth, a run of two epochs of it, and an empty folder."""

    people: Path
    run: Path
    out: Path

    def query(self, number: int) -> Path:
        return sorted((self.people / "query").glob("*.jpg"))[number]

    def features(self) -> Path:
        """Another tool's result: embeddings of query and gallery, in one file."""
        run = open_run(self.run)
        found = {split: np.asarray(run.embeddings(split, 2).global_, np.float32) for split in ("query", "gallery")}
        np.savez(self.out / "features.npz", **found)
        return self.out / "features.npz"

    def store(self) -> Path:
        """The run's gallery in a store."""
        isp("gallery", "build", self.run, "--store", self.out / "people.db")
        return self.out / "people.db"


@pytest.fixture(scope="module")
def trained(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    truth = ("--truth", people, "--space", "lip")
    isp(
        "train",
        "--preset",
        "paper",
        "--config",
        folder / "tiny.yaml",
        "--data",
        people,
        "--out",
        folder / "run",
        *truth,
    )
    return folder / "run"


@pytest.fixture
def place(people: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of the run, since some commands write into it; commands that write beside themselves do so in `out`."""
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    shutil.copytree(trained, tmp_path / "runs" / "mine")
    return Place(people, tmp_path / "runs" / "mine", out)


def exists(*names: str) -> Callable[[Place, str], bool]:
    return lambda place, said: all((place.out / name).exists() for name in names)


def says(text: str) -> Callable[[Place, str], bool]:
    return lambda place, said: text in said


Arguments = Callable[[Place], tuple[str | Path, ...]]
Check = Callable[[Place, str], bool]
CASES: dict[str, tuple[Arguments, Check]] = {
    "data": (lambda p: (p.people,), says("identities")),
    "train": (lambda p: ("--data", p.people, "--out", p.out / "run", *SMALL), exists("run/metrics.parquet")),
    "options": (lambda p: (), says("| `labels.advanced.steep` | 4 |")),
    "label": (
        lambda p: ("--run", p.run, "--data", p.people, "--out", p.out / "maps"),
        lambda p, said: len(list((p.out / "maps").rglob("*.png"))) == 36,
    ),
    "parse": (
        lambda p: ("--run", p.run, "--out", p.out / "parsed", p.people / "query"),
        lambda p, said: len(pd.read_csv(p.out / "parsed" / "parts.csv")) == 8,
    ),
    "look": (lambda p: ("--run", p.run, p.people / "query", "--no-app"), exists("runs/look-query/run.json")),
    "extract": (lambda p: ("--run", p.run, "--data", p.people), says("embeddings of epoch 2")),
    "calibrate": (
        lambda p: ("--run", p.run, "--data", p.people),
        lambda p, said: open_run(p.run).calibration(2) is not None,
    ),
    "match": (
        lambda p: ("--run", p.run, p.query(0), p.query(1)),
        lambda p, said: any(p.out.glob("*.png")) and "distance" in said,
    ),
    "export": (lambda p: ("--run", p.run, "--out", p.out / "net.onnx"), exists("net.onnx")),
    "search": (lambda p: ("--run", p.run, p.query(0)), says(".jpg")),
    "gallery build": (lambda p: (p.run, "--store", p.out / "people.db"), says("16 entries added")),
    "gallery add": (
        lambda p: (p.people / "query", "--run", p.run, "--store", p.out / "people.db"),
        says("8 entries added, 0 were there already"),
    ),
    "gallery search": (lambda p: (p.query(0), "--run", p.run, "--store", p.store()), says("bounding_box_test")),
    "gallery remove": (lambda p: ("--store", p.store(), "--camera", "1"), says("removed 8, left 8 entries")),
    "gallery info": (lambda p: ("--store", p.store()), says("16 entries")),
    "runs list": (lambda p: (p.run.parent,), says("mine")),
    "runs show": (lambda p: (p.run,), says("mAP")),
    "runs verify": (lambda p: (p.run,), says("no problems")),
    "runs prune": (lambda p: (p.run,), says("MB freed")),
    "runs import": (
        lambda p: ("--out", p.out / "theirs", "--embeddings", p.features(), "--data", p.people),
        exists("theirs/run.json"),
    ),
    "eval retrieval": (lambda p: ("--run", p.run), says("mAP")),
    "eval parsing": (
        lambda p: ("--run", p.run, "--truth", p.people, "--space", "lip", "--data", p.people),
        says("ellipse + GrabCut"),
    ),
}
SLOW = {"export", "eval parsing", "train"}
ELSEWHERE = {
    # commands whose defaults another test runs: they serve, need a parser's files, or take their time
    "app": ("tests/app/test_server.py", "test_started_from_an_unrelated_folder_it_listens_on_this_machine_alone"),
    "doctor": ("tests/isp_core/test_match_and_doctor.py", "test_the_doctor_reports_every_section_and_its_tests_pass"),
    "truth": ("tests/eval/test_parser_truth.py", "test_the_command_makes_maps_a_sheet_and_a_table_of_a_plain_folder"),
    "eval truth": (
        "tests/eval/test_parser_truth.py",
        "test_the_command_makes_maps_a_sheet_and_a_table_of_a_plain_folder",
    ),
    "eval study": ("tests/isp_core/test_every_command.py", "test_every_study_runs_with_its_own_rows"),
    "walkers": ("tests/walkers/test_render.py", "test_label_maps_fit_the_people_and_the_card_counts_them"),
}


def commands(command: click.Command, name: str = "") -> Iterator[str]:
    """The names of all commands below one, groups left out."""
    context = click.Context(command)
    below = getattr(command, "list_commands", None)
    if below is None:
        if hasattr(command, "subcommand"):  # a stand-in: what it stands for may be a group
            real: Any = command.make_context(name, [], resilient_parsing=True).command  # type: ignore[attr-defined]
            yield from commands(real, name) if hasattr(real, "list_commands") else [name]
        else:
            yield name
        return
    for each in below(context):
        yield from commands(command.get_command(context, each), f"{name} {each}".strip())  # type: ignore[attr-defined]


def test_every_command_has_a_case() -> None:
    assert sorted(commands(typer.main.get_command(app))) == sorted([*CASES, *ELSEWHERE])


def test_cases_of_other_files_are_there() -> None:
    for file, test in ELSEWHERE.values():
        assert f"def {test}" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.slow) if each in SLOW else each for each in CASES]
)
def test_a_command_runs_with_its_defaults(name: str, place: Place) -> None:
    if name.startswith("gallery "):
        pytest.importorskip("milvus_lite", reason="the extra `gallery` is not installed")
    if name == "export":
        pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    arguments, check = CASES[name]
    result = isp(*name.split(), *arguments(place))
    assert check(place, result.stdout), result.stdout


def train_here(bench: Bench, variant: Variant, options: list[str], say: Callable[[str], None]) -> None:
    """Stands for a study's training in a process of its own: to start Python and torch takes longer than to train."""
    isp("train", "--data", bench.data, "--out", bench.folder(variant), *options)


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_every_study_runs_with_its_own_rows(study: Study, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isp_eval.studies.training._train", train_here)
    small = ["--set", "labels.words.rows=256"]  # of the default source: smaller images to find words in
    cascade = ["--set", "labels.start=0", "--set", "loss.parsing_rise=[0, 1]"]
    options = cascade if study == "cascade" else small
    options += ["--maps", str(place.people)] if study == "semantics" else []
    options += ["--values", "4", "--values", "8"] if study == "K" else []  # five trainings that differ in one number
    result = isp("eval", "study", study, "--data", place.people, "--out", place.out, *SMALL, *options, "--json")
    document = json.loads(result.stdout)
    assert document["missing"] == []
    assert all(Path(file).is_file() for file in document["files"])
    assert all(rows for rows in document["tables"].values())
