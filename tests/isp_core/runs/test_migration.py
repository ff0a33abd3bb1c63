"""Runs of older versions stay readable: those embedded in the project, and every way labels were named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from isp_core.config import check_config
from isp_core.runs import SCHEMA, list_runs, open_run
from isp_core.runs.migration import migrate

EMBEDDED = Path(__file__).parents[3] / "assets" / "runs"
NAMES = [summary.name for summary in list_runs(EMBEDDED)]


def first(source: str, **labels: Any) -> dict[str, Any]:
    everything = {"every": 8, "parts": 6, "variant": "cascade", "sharpen": False, "restarts": 1, "iterations": 20}
    everything |= {"height_weight": 0.0, "space": "walkers", "source": source} | labels
    return {
        "schema": "isp-run/1",
        "labels": Path(source).name,
        "config": {"labels": everything, "run": {"matching": "before-bn", "epochs": 3}},
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("clustering", {"source": "clustering", "every": 8, "parts": 6, "variant": "one-step", "restarts": 1}),
        ("contrast", {"source": "position-words", "every": 8, "parts": 6}),
        ("none", {"source": "none"}),
        ("assets/walkers", {"source": "maps", "folder": "assets/walkers", "space": "walkers", "parts": 6}),
    ],
)
def test_labels_of_the_first_schema(source: str, expected: dict[str, Any]) -> None:
    found = migrate(first(source, variant="one-step"))
    assert found["schema"] == SCHEMA
    assert (found["labels"], found["label_algorithm"]) == (expected["source"], 0)
    config = check_config(found["config"])
    assert expected.items() <= config.labels.model_dump(exclude_unset=True).items()
    assert config.run.features == "before-bn"


def test_a_document_of_today_is_left_alone() -> None:
    document = migrate(first("contrast"))
    assert migrate(document) == document
    assert migrate({"schema": "isp-run/99"}) == {"schema": "isp-run/99"}


def test_migration_does_not_touch_the_document_it_was_given() -> None:
    document = first("clustering")
    before = json.dumps(document)
    migrate(document)
    assert json.dumps(document) == before


@pytest.mark.parametrize("name", NAMES)
def test_every_embedded_run_is_read(name: str) -> None:
    run = open_run(EMBEDDED / name)
    config = check_config(run.info.config)
    assert config.parts == run.info.parts
    assert config.labels.source == run.info.labels
    assert (run.info.label_algorithm, run.info.schema_version) == (0, SCHEMA)
    assert run.last_epoch == config.run.epochs == 32


def test_the_embedded_networks_fit_their_configurations() -> None:
    from isp_core.parser import HumanParser

    with_weights = [run for run in map(open_run, (EMBEDDED / name for name in NAMES)) if run.weight_epochs()]
    assert with_weights
    for run in with_weights:
        assert HumanParser.load(run).parts == run.info.parts
