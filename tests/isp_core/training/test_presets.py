"""Every preset trains, and its weights are found or the command that brings them is named in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import timm

from isp_core.config import load_config, preset_names
from isp_core.data import load
from isp_core.models import Backbone, WeightsError
from isp_core.training import train

SMALL: dict[str, Any] = {
    "model.weights": "none",
    "data.size": [64, 32],
    "data.identities": 2,
    "data.identities_per_batch": 2,
    "data.pictures_per_identity": 3,
    "data.validation": 0,
    "labels.start": 0,
    "run.epochs": 1,
    "run.eval_every": 0,
    "run.keep": "last",
}
ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [
    ROOT / "README.md",
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "assets").rglob("README.md"),
    *(ROOT / "isp_core" / "presets").glob("*.yaml"),
]
JOINED = sorted(
    {
        name
        for file in DOCUMENTS
        for name in re.findall(r"[a-z0-9-]+(?:\+[a-z0-9-]+)+", file.read_text(encoding="utf-8"))
        if set(name.split("+")) <= set(preset_names())
    }
)
"""Presets joined by +, as documents name them."""
SMALLER = {"model.backbone": "test_resnet"}
"""For the recipes on other data sets: the network of `authors`, which is tried itself, takes long."""
OTHER_DATA = [name for name in preset_names() if name != "authors" and load_config(name).model.attention != "none"]
PACKAGED = [name for name in preset_names() if load_config(name).model.weights == "package"]


@pytest.mark.parametrize(
    "preset",
    [name if name in PACKAGED else pytest.param(name, marks=pytest.mark.slow) for name in preset_names()],
)
def test_a_preset_trains_two_steps(preset: str, people: Path, tmp_path: Path) -> None:
    config = load_config(preset, overrides=SMALL | (SMALLER if preset in OTHER_DATA else {}))
    run = train(config, load(people), tmp_path / "run", report=lambda _: None, progress=False)
    row = run.metrics().iloc[-1]
    assert row["steps"] == 2
    assert row["loss_total"] > 0
    assert run.label_epochs("train")[0] == 0
    assert run.labels("train", 0).max() < config.parts


def test_documents_name_the_study_of_the_cascade_on_walkers() -> None:
    assert "walkers+cascade-cpu" in JOINED


@pytest.mark.parametrize(
    "preset",
    [
        name if load_config(name).model.weights == "package" else pytest.param(name, marks=pytest.mark.slow)
        for name in JOINED
    ],
)
def test_presets_that_documents_join_train_two_steps(preset: str, people: Path, tmp_path: Path) -> None:
    test_a_preset_trains_two_steps(preset, people, tmp_path)


@pytest.mark.parametrize("preset", PACKAGED)
def test_weights_from_a_package_are_found(preset: str) -> None:
    model = load_config(preset).model
    assert Backbone(model.backbone, model.output_stride, model.weights, layers=model.layers).channels


@pytest.mark.parametrize("preset", [name for name in preset_names() if name not in PACKAGED])
def test_without_internet_one_line_says_which_command_brings_the_weights(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, create = load_config(preset).model, timm.create_model

    def offline(name: str, pretrained: bool = False, **options: Any) -> Any:
        if pretrained:
            raise ConnectionError("the host cannot be reached\nand a long story of attempts")
        return create(name, pretrained=pretrained, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(WeightsError) as found:
        Backbone(model.backbone, model.output_stride, model.weights, dilated=model.dilated)
    message = str(found.value)
    assert "\n" not in message
    assert f"hf download timm/{model.backbone}" in message
    assert f"--set model.weights=weights/{model.backbone}/model.safetensors" in message
