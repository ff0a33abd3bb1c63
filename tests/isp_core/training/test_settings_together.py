"""Settings that are each allowed but not together are refused before a run folder is made, or leave none behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isp_core.config import ConfigError, load_config, preset_names
from isp_core.data import load
from isp_core.errors import IspError
from isp_core.labelling.clustering.labeller import ClusteringLabeller
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
WORDS, PROTOTYPES = {"labels.source": "position-words"}, {"labels.source": "prototypes"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels.start": 3, "run.epochs": 3}, "labels.start = 3 and run.epochs = 3: the run would end before"),
        (WORDS | {"labels.start": 9, "run.epochs": 3}, "labels.start = 9"),
        ({"labels.source": "maps", "labels.folder": "x", "labels.start": 3, "run.epochs": 3}, "labels.start = 3"),
        (
            {"labels.border": 4, "data.size": [64, 32]},
            "labels.border = 4 cells on each side leave nothing of .* 16 x 8",
        ),
        ({"labels.variant": "one-step", "labels.first_stage": "normalised-cut"}, "has no first stage"),
        ({"data.identities_per_batch": 1, "data.pictures_per_identity": 1}, "cannot be batch-normalised"),
        ({"loss.parsing_rise": [5, 2]}, "parsing_rise begins after it ends"),
        (WORDS | {"labels.masks.foreground": -1}, "background = -0.35 must be below foreground = -1.0"),
        (WORDS | {"labels.masks.knees_from": 0.9}, "knees_from = 0.9 must be below knees_to = 0.69"),
        (WORDS | {"labels.masks.plausible_to": 0.01}, "plausible_from = 0.05 must be below plausible_to"),
        (WORDS | {"labels.words.middle": 0}, "greater than 0"),
        (WORDS | {"labels.votes.vocabularies": []}, "at least 1 item"),
        (WORDS | {"labels.votes.height_weights": []}, "at least 1 item"),
        (PROTOTYPES | {"labels.stages": []}, "at least 1 item"),
        (PROTOTYPES | {"labels.centre": [0, 0.3]}, "greater than 0"),
    ],
)
def test_settings_that_cannot_go_together_are_no_configuration(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("paper", None, settings)


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_a_configuration(preset: str) -> None:
    assert load_config(preset).run.epochs > 0


def _refused(*_: object, **__: object) -> Iterator[None]:
    raise IspError("these settings do not suit these images")


def test_settings_that_the_first_labels_refuse_leave_no_folder_behind(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClusteringLabeller, "round", _refused)
    config, data = load_config("paper", None, TINY), load(people)
    with pytest.raises(IspError, match="do not suit"):
        train(config, data, tmp_path / "run", report=lambda _: None, progress=False)
    assert not (tmp_path / "run").exists()
    monkeypatch.undo()
    assert train(config, data, tmp_path / "run", report=lambda _: None, progress=False).last_epoch == 1


def test_a_refusal_in_a_later_epoch_or_of_a_resumed_run_keeps_what_was_finished(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, data = load_config("paper", None, TINY), load(people)
    first = train(config, data, tmp_path / "run", report=lambda _: None, progress=False)
    monkeypatch.setattr(ClusteringLabeller, "round", _refused)
    longer = load_config("paper", None, TINY | {"run.epochs": 2})
    with pytest.raises(IspError, match="do not suit"):
        train(longer, data, tmp_path / "run", resume=True, report=lambda _: None, progress=False)
    assert first.last_epoch == 1
