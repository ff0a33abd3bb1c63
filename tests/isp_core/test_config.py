"""A configuration is closed: what is unknown or out of range says what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isp_core.config import Config, ConfigError, load_config, parse_assignments, preset_names


def test_defaults_are_the_papers() -> None:
    config = Config()
    assert config.data.size == (256, 128)
    assert config.data.identities_per_batch * config.data.pictures_per_identity == 64
    assert (config.optim.lr, config.optim.warmup_lr, config.optim.warmup_epochs) == (3.5e-4, 3.5e-5, 10)
    assert config.optim.milestones == (40, 70)
    assert config.run.epochs == 120
    assert (config.loss.parsing, config.labels.every) == (0.1, 1)
    assert load_config("paper") == load_config("paper", overrides={})


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_valid(name: str) -> None:
    assert isinstance(load_config(name), Config)


@pytest.mark.parametrize(
    ("name", "backbone", "parts"),
    [  # Table 4's best K, and the authors' for Occluded-Duke, which the table lacks
        ("market", "hrnet_w32", 4),
        ("duke", "hrnet_w32", 7),
        ("cuhk03-labelled", "hrnet_w32", 7),
        ("cuhk03-detected", "hrnet_w32", 6),
        ("occluded-duke", "hrnet_w32", 6),
        ("duke+resnet50", "resnet50", 7),
        ("duke + se-resnet50", "seresnet50", 7),
    ],
)
def test_a_data_sets_preset_is_the_authors_recipe(name: str, backbone: str, parts: int) -> None:
    config = load_config(name)
    assert (config.model.backbone, config.labels.parts) == (backbone, parts)
    assert (config.model.channels, config.model.attention, config.model.global_from) == (256, True, "stages")
    assert (config.labels.every, config.labels.sharpen) == (2, name != "occluded-duke")
    assert config.loss.center == (5e-4 if name == "market" else 0)
    assert (config.optim, config.run) == (Config().optim, Config().run)  # section 4.2's


def test_the_reference_has_none_of_the_authors_extras() -> None:
    paper = load_config("paper")
    assert (paper.model.channels, paper.model.attention, paper.model.global_from) == (None, False, "map")
    assert (paper.labels.sharpen, paper.labels.every, paper.loss.center) == (False, 1, 0)


def test_a_file_may_name_its_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("base: market+resnet50\nrun: {epochs: 7}\n")
    config = load_config(file=file, default="cpu")
    assert (config.model.backbone, config.loss.center, config.run.epochs) == ("resnet50", 5e-4, 7)
    assert load_config("paper", file).loss.center == 0  # the command line's preset instead of the file's
    file.write_text("run: {epochs: 7}\n")
    assert load_config(file=file, default="cpu").model == load_config("cpu").model


def test_the_command_line_wins_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("run: {epochs: 7, seed: 3}\n")
    config = load_config("paper", file, {"run.epochs": 9})
    assert (config.run.epochs, config.run.seed) == (9, 3)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"run.epoch": 3}, "unknown key run.epoch: did you mean epochs"),
        ({"runs.epochs": 3}, "unknown key runs.*has data, model, labels, loss, optim, run"),
        ({"run.epochs": 0}, "run.epochs: Input should be greater than 0; got 0"),
        ({"labels.variant": "two-step"}, "allowed: cascade, one-step, unnormalised"),
        ({"data.size": [250, 100]}, "multiples of 32"),
        ({"labels.parts": 1}, "labels.parts.*greater than or equal to 2"),
        ({"data.flip": 1.5}, "data.flip"),
        ({"run": 3}, "run: .*got 3"),
    ],
    ids=str,
)
def test_wrong_values_say_what_is_allowed(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("paper", overrides=overrides)


def test_wrong_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "broken.yaml").write_text("run: {epochs: [\n")
    for name, message in [
        ("list.yaml", "must hold sections"),
        ("broken.yaml", "is not YAML"),
        ("no.yaml", "cannot be read"),
    ]:
        with pytest.raises(ConfigError, match=message):
            load_config(file=tmp_path / name)
    with pytest.raises(ConfigError, match=r"no preset is called 'gpu': did you mean cpu\? there are cpu, paper, "):
        load_config("gpu")


def test_the_documentation_lists_every_option_and_preset() -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text("utf-8")
    options = [f"{name}.{key}" for name, section in Config() for key in type(section).model_fields]
    assert [name for name in [*options, *preset_names()] if f"`{name}`" not in page] == []
    assert [name for name in re.findall(r"^\| `(\w+\.\w+)`", page, re.MULTILINE) if name not in options] == []


def test_assignments_are_yaml() -> None:
    assert parse_assignments(["run.epochs=3", "optim.milestones=[4, 5]", "model.channels=null"]) == {
        "run.epochs": 3,
        "optim.milestones": [4, 5],
        "model.channels": None,
    }
    with pytest.raises(ConfigError, match="key=value"):
        parse_assignments(["run.epochs"])
    with pytest.raises(ConfigError, match="not a YAML value"):
        parse_assignments(["data.size=[256, 128"])
