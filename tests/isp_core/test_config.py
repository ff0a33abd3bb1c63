"""A configuration is closed: what is unknown or out of range says what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isp_core.commands.configuration import options_table
from isp_core.config import Config, ConfigError, check_config, load_config, parse_assignments, preset_names
from isp_core.labelling.clustering import ClusteringOptions


def test_defaults_are_the_papers() -> None:
    config = Config()
    assert config.data.size == (256, 128)
    assert config.data.identities_per_batch * config.data.pictures_per_identity == 64
    assert (config.optim.lr, config.optim.warmup_lr, config.optim.warmup_epochs) == (3.5e-4, 3.5e-5, 10)
    assert config.optim.milestones == (40, 70)
    assert config.run.epochs == 120
    assert config.loss.parsing == 0.1
    assert config.labels == ClusteringOptions(source="clustering", parts=6, every=1, start=0, stop=None)
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
    assert (config.model.backbone, config.labels.k) == (backbone, parts)
    assert (config.model.channels, config.model.attention) == (256, "spatial")
    assert (config.model.global_from == "stages") == name.startswith("cuhk03")
    assert (config.model.align_corners, config.model.bias) == (True, True)
    assert isinstance(config.labels, ClusteringOptions)
    assert (config.labels.every, config.labels.stop, config.labels.sharpen) == (2, 100, name != "occluded-duke")
    assert config.loss.center == (5e-4 if name == "market" else 0)
    assert config.optim == Config().optim.model_copy(update={"warmup_lr": 3.5e-6, "warmup_by": "epoch"})
    assert config.run == Config().run  # section 4.2's
    assert (config.data.erase_ratio, config.data.erase_fill) == ("uniform", "image-mean")


def test_the_reference_has_none_of_the_authors_extras() -> None:
    paper = load_config("paper")
    assert (paper.model.channels, paper.model.attention, paper.model.global_from) == (None, "none", "map")
    assert (paper.model.bias, paper.model.align_corners, paper.data.erase_ratio) == (False, False, "log-uniform")
    assert paper.labels == ClusteringOptions()
    assert paper.loss.center == 0
    assert (paper.loss.triplet, paper.optim.average, paper.data.occlude, paper.data.carry) == ("groups", 0, 0, 0)


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
        ({"labels.source": "contrasts"}, "no source of labels is called 'contrasts'.* there are clustering"),
        ({"labels.source": 3}, "no source of labels is called 3"),
        ({"labels": 3}, "labels: .*got 3"),
        ({"labels.source": "maps"}, r"labels.folder is missing \(folder of the maps"),
        (
            {"labels.source": "maps", "labels.folder": "m", "labels.variant": "one-step"},
            "labels.variant belongs to source clustering; this run's source is maps, which has source, folder",
        ),
        (
            {"labels.source": "none", "labels.parts": 6},
            "labels.parts belongs to sources clustering, position-words, prototypes, maps; this run's",
        ),
        ({"labels.source": "position-words", "labels.parts": 3}, "labels.parts: .*allowed: 4, 5, 6, 7, 8"),
        (
            {"labels.source": "position-words", "labels.belongings.treshold": 1},
            "unknown key labels.belongings.treshold: did you mean threshold",
        ),
        ({"labels.source": "position-words", "labels.words.middle": 2}, "labels.words.middle: .*got 2"),
        ({"data.flip": 1.5}, "data.flip"),
        ({"optim.average": 1}, "optim.average: .*less than 1; got 1"),
        ({"labels.source": "none", "loss.triplet": "parts"}, "^loss.triplet=parts looks at parts.*leave it at groups$"),
        ({"labels.source": "none", "loss.triplet": "both"}, "^loss.triplet=both looks at parts"),
        ({"data.carry": 0.3}, "^data.carry=0.3 pastes belongings.*labels.source=clustering.*set it to 0"),
        ({"labels.source": "position-words", "labels.parts": 5, "data.carry": 0.3}, "^data.carry=0.3 .*labels.parts=5"),
        ({"loss.parsing_rise": [5, 3]}, "loss: parsing_rise begins after it ends"),
        (
            {"labels.variant": "one-step", "labels.first_stage": "normalised-cut"},
            "one-step has no first",
        ),
        ({"model.attention": True}, "model.attention: .*allowed: none, spatial, pixel"),
        ({"run": 3}, "run: .*got 3"),
    ],
    ids=str,
)
def test_wrong_values_say_what_is_allowed(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("paper", overrides=overrides)


@pytest.mark.parametrize(("parts", "label"), [(4, None), (5, None), (6, 3), (7, 3), (8, 4)])
def test_belongings_are_the_part_that_the_source_names_so(parts: int, label: int | None) -> None:
    assert load_config("cpu", overrides={"labels.parts": parts}).belongings == label
    assert load_config("cpu", overrides={"labels.source": "none"}).belongings is None
    assert load_config("cpu", overrides={"labels.source": "clustering", "labels.parts": parts}).belongings is None


def test_a_presets_form_of_training_does_not_stand_in_the_way_of_other_labels(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("base: cpu\nloss: {triplet: parts}\ndata: {carry: 0.3}\n")
    forms = {
        (labels, parts): (config.loss.triplet, config.data.carry)
        for labels, parts in (("position-words", 6), ("position-words", 5), ("clustering", 6), ("none", None))
        for config in [
            load_config(file=file, overrides={"labels.source": labels} | ({"labels.parts": parts} if parts else {}))
        ]
    }
    assert forms == {
        ("position-words", 6): ("parts", 0.3),
        ("position-words", 5): ("parts", 0.0),
        ("clustering", 6): ("parts", 0.0),
        ("none", None): ("groups", 0.0),
    }
    with pytest.raises(ConfigError, match=r"labels.parts: .*allowed: 4, 5, 6, 7, 8"):
        load_config(file=file, overrides={"labels.parts": 3})
    with pytest.raises(ConfigError, match=r"loss.triplet=both looks at parts"):  # who asks for both is told so
        load_config(file=file, overrides={"labels.source": "none", "loss.triplet": "both"})


def test_the_fair_cascade_clusters_maps_as_they_are() -> None:
    for preset in ("cascade-cpu", "walkers+cascade-cpu", "cpu+cascade-cpu"):
        config = load_config(preset)
        assert config.labels == ClusteringOptions(source="clustering", start=16, every=1)
        model = config.model
        assert (model.layers, model.channels) == (("blocks.5",), None)
        assert (model.level_stages, model.classifier) == (False, "linear")
        assert [config.loss.alpha(epoch) for epoch in (1, 32, 38, 48)] == [0.1, 0.1, 3.0, 3.0]


@pytest.mark.parametrize("preset", ["authors", "market", "cpu", "paper"])
@pytest.mark.parametrize("source", ["none", "position-words", "clustering"])
def test_another_source_takes_only_the_options_that_it_has_from_a_preset(preset: str, source: str) -> None:
    config = load_config(preset, overrides={"labels.source": source})
    assert config.labels.source == source
    kept = config.labels.model_dump()
    below = load_config(preset).labels.model_dump()
    shared = set(kept) & set(below) - {"source"}
    assert {key: kept[key] for key in shared} == {key: below[key] for key in shared}


def test_a_k_that_another_source_does_not_allow_is_left_to_that_source() -> None:
    maps = {"labels.source": "maps", "labels.folder": "m"}
    assert load_config("market", overrides=maps).parts == 5  # not Market's 4
    assert load_config("cuhk03-detected", overrides=maps).parts == 6
    with pytest.raises(ConfigError, match=r"labels\.parts: .*got 7; allowed: 5, 6"):
        load_config("market", overrides=maps | {"labels.parts": 7})


def test_a_configuration_survives_being_written_down() -> None:
    for preset in preset_names():
        config = load_config(preset)
        assert check_config(config.model_dump(mode="json")) == config


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
    assert [name for name in preset_names() if f"`{name}`" not in page] == []
    assert options_table() in page  # `isp options` prints it


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


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run.seed", True),
        ("run.epochs", True),
        ("optim.lr", True),
        ("data.size", [True, 64]),
        ("data.workers", False),
        ("labels.every", True),
        ("model.stages", [True]),
        ("model.channels", False),
    ],
)
def test_a_boolean_is_no_number(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^{re.escape(key)}: true and false are not allowed here; got "):
        load_config("paper", overrides={key: value})


def test_a_boolean_is_one_where_it_is_asked_for() -> None:
    assert load_config("paper", overrides={"run.activation": False, "model.bias": True}).model.bias


@pytest.mark.parametrize("key", ["model.weights", "run.truth", "labels.folder"])
def test_a_path_that_no_run_can_record_is_refused_with_the_reason(key: str) -> None:
    value = b"maps-\xd5".decode("utf-8", "surrogateescape")
    source = {"labels.source": "maps", "labels.folder": "maps"} if key == "labels.folder" else {}
    with pytest.raises(ConfigError, match=rf"^{re.escape(key)}: maps-\\xd5 is not UTF-8"):
        load_config("paper", overrides=source | {key: value})
    with pytest.raises(ConfigError, match=rf"^--set {re.escape(key)}: maps-\\xd5 is not UTF-8"):
        parse_assignments([f"{key}={value}"])


def test_a_long_value_is_quoted_in_part() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("paper", overrides={"data.size": list(range(5000))})
    assert len(str(caught.value)) < 500


def test_a_wrong_value_of_a_file_names_the_file_and_one_of_the_command_line_does_not(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("run: {epochs: none}\n")
    with pytest.raises(ConfigError, match=r"mine.yaml: run.epochs: "):
        load_config("paper", file, {"run.seed": 1})
    file.write_text("run: {epochs: 3}\n")
    with pytest.raises(ConfigError, match=r"^run.seed: "):
        load_config("paper", file, {"run.seed": "none"})
