"""A source of labels is one object: configuration, command line, studies, tables and runs know it by the registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import Field
from typer.testing import CliRunner

from isp_core.__main__ import app
from isp_core.config import ConfigError, load_config
from isp_core.labelling.clustering import ClusteringOptions
from isp_core.labelling.layouts import LAYOUTS
from isp_core.labelling.maps import MapOptions
from isp_core.labelling.rounds import LabelledPictures, Labeller, Labels, TrainingPictures, collect
from isp_core.labelling.source import LabelOptions, Role, RoundOptions, Source, Use
from isp_core.labelling.sources import SOURCES, options_of, parse_labels, role_of, source_of
from isp_core.models import ISPNet
from isp_core.runs import open_run
from isp_eval.studies.plans import Variant, plan
from isp_eval.studies.training import Bench, config_of, train_missing
from tests.isp_core.labelling.conftest import OWNERS
from tests.isp_core.training.test_training import quietly, tiny


class StripeOptions(RoundOptions):
    """Horizontal stripes of equal height."""

    source: Literal["stripes"] = Field("stripes", description="equal stripes")
    parts: Annotated[int, Field(ge=2, le=9)] = Field(4, description="K")
    margin: Annotated[int, Field(ge=0)] = Field(1, description="columns of background on both sides")

    @property
    def k(self) -> int:
        return self.parts


class StripeLabeller:
    def __init__(self, data: TrainingPictures, options: StripeOptions) -> None:
        self.data, self.options = data, options

    def round(self, network: ISPNet, epoch: int, first: Labels | None = None) -> Iterator[LabelledPictures]:
        h, w = self.data.map_size
        stripes = 1 + np.arange(h) * (self.options.parts - 1) // h
        labels = np.repeat(stripes[:, None], w, 1).astype(np.uint8)
        labels[:, : self.options.margin] = labels[:, w - self.options.margin :] = 0
        for rows in self.data.own_identities():
            yield LabelledPictures(rows, np.repeat(labels[None], len(rows), 0))


class Stripes(Source[StripeOptions]):
    """What somebody else's module would hold."""

    name = "stripes"
    role = Role.LEARNED
    uses = (Use.POSITION,)
    algorithm = 3
    description = "Equal stripes. They look at nothing."
    empty_parts = "choose a smaller K"

    @property
    def options(self) -> type[StripeOptions]:
        return StripeOptions

    def make(self, options: StripeOptions, data: TrainingPictures, seed: int) -> Labeller:
        return StripeLabeller(data, options)


@pytest.fixture
def stripes(monkeypatch: pytest.MonkeyPatch) -> Stripes:
    monkeypatch.setitem(SOURCES, "stripes", Stripes())
    return Stripes()


def test_a_source_from_outside_needs_no_more_than_its_registration(
    stripes: Stripes, people: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("labels: {source: stripes, margin: 2}\n")
    assert load_config("authors", recipe, {"labels.every": 3}).labels == StripeOptions(
        source="stripes", parts=7, margin=2, every=3, stop=100
    )
    assert parse_labels("stripes") == {"source": "stripes"}
    with pytest.raises(ConfigError, match=r"labels\.margin belongs to source stripes; this run's source is clustering"):
        load_config("paper", overrides={"labels.margin": 1})
    with pytest.raises(ConfigError, match=r"labels\.margin: .*got -1"):
        load_config("paper", recipe, {"labels.margin": -1})
    run = quietly(tiny(labels__source="stripes", run__epochs=1), people, tmp_path / "run")
    assert (run.info.labels, run.info.label_algorithm, run.info.parts) == ("stripes", 3, 4)
    assert set(np.unique(run.labels("train", 0)[:, :, 1:-1])) == {1, 2, 3}
    assert role_of(run.info.labels, run.info.parts) is Role.LEARNED
    base = load_config("cpu", recipe)
    assert [variant.run for variant in plan("K", base, ["4", "5"])] == ["stripes-k4", "stripes-k5"]
    result = CliRunner().invoke(app, ["options"])
    assert "| `labels.margin` | 1 | columns of background on both sides |" in result.output


def test_studies_reuse_a_run_only_where_its_labels_were_made_alike(
    stripes: Stripes, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny(labels__source="stripes", run__epochs=1, run__eval_every=0)
    (variant,) = plan("K", base, ["4"])
    bench = Bench(people, tmp_path / "study")
    quietly(config_of(base, variant), people, bench.folder(variant))

    def ensured(variant: Variant) -> Any:
        (found,) = train_missing(bench, base, [variant], lambda line: None)
        return found

    assert ensured(variant).run is not None
    monkeypatch.setattr(Stripes, "algorithm", 4)
    found = ensured(variant)
    assert found.run is None
    assert "labels by algorithm 3 of source stripes" in found.problem
    assert "today's is 4" in found.problem
    said: list[str] = []
    resumed = quietly
    run = open_run(bench.folder(variant))
    assert run.info.label_algorithm == 3
    from isp_core.data import load
    from isp_core.training import train

    train(config_of(base, variant), load(people), run.path, resume=True, report=said.append, progress=False)
    assert any("were made by algorithm 3 of source stripes; from here on algorithm 4" in line for line in said), resumed


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_says_what_it_is(name: str) -> None:
    source = SOURCES[name]
    assert source.name == name
    assert source.algorithm > 0
    assert source.description.endswith(".")
    assert source.options.model_fields["source"].annotation == Literal[name]  # type: ignore[valid-type]
    for k in source.parts_allowed():
        assert len(source.layout(k)) in (0, k - 1)


def test_parts_follow_the_source() -> None:
    assert list(SOURCES["position-words"].parts_allowed()) == list(LAYOUTS)
    assert list(SOURCES["maps"].parts_allowed()) == [5, 6]
    assert not SOURCES["none"].parts_allowed()
    assert SOURCES["clustering"].parts_allowed()[0] == 2
    assert [name for name, source in SOURCES.items() if not source.complete()] == ["maps"]


@pytest.mark.parametrize(
    ("options", "due"),
    [
        (ClusteringOptions(), [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (ClusteringOptions(every=3), [0, 3, 6]),
        (ClusteringOptions(every=2, start=3), [3, 5, 7]),
        (ClusteringOptions(stop=2), [0, 1, 2]),
        (ClusteringOptions(start=3, stop=1), [3]),  # some labels there must be
        (MapOptions(folder="m"), [0]),
        (MapOptions(folder="m", start=2), [2]),
        (options_of({"source": "none"}), []),
    ],
    ids=str,
)
def test_labels_are_due_from_start_to_stop(options: LabelOptions, due: list[int]) -> None:
    assert [epoch for epoch in range(9) if options.due(epoch)] == due


def test_a_folder_is_short_for_maps(tmp_path: Path) -> None:
    assert parse_labels(str(tmp_path), "atr") == {"source": "maps", "folder": str(tmp_path), "space": "atr"}
    with pytest.raises(ConfigError, match="position-words, prototypes, maps, none, or a folder of label maps"):
        parse_labels("magic")


def test_options_that_matter_change_labels(network: ISPNet, data: TrainingPictures) -> None:
    """The constants are options, not decoration."""

    def labels(**changes: Any) -> Labels:
        options = options_of({"source": "position-words", "parts": 4} | changes)
        labeller = source_of(options).make(options, data, 0)
        return collect(labeller.round(network, 0), len(OWNERS), (16, 8)).labels

    usual = labels()
    np.testing.assert_array_equal(usual, labels())
    for change in ({"masks": {"background": 0.0}}, {"votes": {"shoes": 0.8, "vocabularies": [8]}}):
        assert (labels(**change) != usual).any(), change


def test_identity_training_comes_first_where_asked(people: Path, tmp_path: Path) -> None:
    run = quietly(tiny(labels__start=2, labels__stop=2, run__epochs=3), people, tmp_path / "late")
    assert run.label_epochs("train") == [2]
    losses = run.metrics()["loss_parsing"]
    assert list(losses.iloc[1:] > 0) == [False, False, True]
