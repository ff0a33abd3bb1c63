"""What each study trains: one recipe, and what its rows change in it.

Out of scope: training (eval.studies.training) and tables (eval.studies.reports).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from isp_core.config import Config
from isp_core.errors import IspError
from isp_core.labelling.clustering import CLUSTERING, ClusteringOptions
from isp_core.labelling.maps import MAPS, ORACLE, PARSER
from isp_core.labelling.none import NONE
from isp_core.labelling.source import Role
from isp_core.labelling.sources import source_of

Study = Literal["K", "cascade", "semantics", "backbone", "matching"]
STUDIES: tuple[Study, ...] = get_args(Study)

QUESTIONS: Mapping[Study, str] = {
    "K": "how many parts? (Table 4, and Table 3 for each K)",
    "cascade": "what do the cascade and its l2 normalisation bring? (Figure 5)",
    "semantics": "learned parts against a parser's, and against none (Table 5)",
    "backbone": "which backbone? (Table 6)",
    "matching": "what does aligned matching bring? (last rows of Tables 1 and 2)",
}
_VALUES: Mapping[Study, tuple[str, ...]] = {
    "K": ("4", "5", "6", "7", "8"),
    "cascade": ("cascade", "one-step", "unnormalised"),
    "semantics": (Role.BASELINE, Role.GIVEN, Role.LEARNED),
    "backbone": ("mobilenetv2_100", "tf_efficientnet_lite0"),
    "matching": (Role.LEARNED,),
}
BELONGINGS = "+belongings"
_USUAL_K = ClusteringOptions().parts
_ON_REQUEST: Mapping[Study, tuple[str, ...]] = {"semantics": (BELONGINGS,)}
"""Rows that not every data set can have: maps with belongings, which no parser draws, but rendered ground truth
holds."""
CASCADE_LABELS = {
    "cascade": "cascade",
    "one-step": "Variant 1: one step",
    "unnormalised": "Variant 2: no l2 normalisation",
}


def usual_preset(study: Study) -> str:
    """The recipe of a study where none is asked for: the cascade in its fairest form, or the default of training."""
    return "cascade-cpu" if study == "cascade" else "cpu"


@dataclass(frozen=True)
class Variant:
    """A row of a study: what it is called, and the run that answers for it.

    Runs are named by what they are, so that studies in one folder share them.
    """

    label: str
    run: str
    overrides: Mapping[str, Any]
    seed: int = 0

    @property
    def row(self) -> str:
        """The run's name without its seed: what the trainings of one row share."""
        return self.run.removesuffix(f"-seed{self.seed}")


def with_seeds(variants: Sequence[Variant], first: int, count: int) -> list[Variant]:
    """Every row once for each of `count` seeds from `first` on; runs of other seeds than 0 say so in their name."""
    return [
        replace(
            each,
            run=f"{each.run}-seed{seed}" if seed else each.run,
            overrides={**each.overrides, "run.seed": seed},
            seed=seed,
        )
        for each in variants
        for seed in range(first, first + count)
    ]


def plan(
    study: Study, base: Config, values: Sequence[str] = (), maps: Path | None = None, space: str = "lip"
) -> list[Variant]:
    """The rows of a study in the table's order.

    values: rows to take instead of the usual ones; for backbones `name` or `name=weights` (a file, hub, none).
    maps: a parser's label maps of the training images and their space, for "+extra info".
    IspError for values the study does not know, or where the maps are missing.
    """
    return [_variant(study, value, base, maps, space) for value in values or _VALUES[study]]


def _variant(study: Study, value: str, base: Config, maps: Path | None, space: str) -> Variant:
    overrides: dict[str, Any]
    if study != "cascade" and source_of(base.labels).role is not Role.LEARNED:
        raise IspError(
            f"study {study} compares learned parts, and the source of labels {base.labels.source} learns none: "
            "give another as --set labels.source=NAME"
        )
    learned = f"{base.labels.source}-k{base.labels.k}"
    if study == "K":
        if not value.isdecimal() or int(value) < 2:
            raise IspError(f"K is a whole number from 2 on (background included), not {value!r}")
        return Variant(value, f"{base.labels.source}-k{value}", {"labels.parts": int(value)})
    if study == "cascade":
        _known(study, value)
        k = base.labels.k or _USUAL_K
        suffix = "" if value == _VALUES["cascade"][0] else f"-{value}"
        overrides = {"labels.source": CLUSTERING.name, "labels.variant": value, "labels.parts": k}
        return Variant(CASCADE_LABELS[value], f"{CLUSTERING.name}-k{k}{suffix}", overrides)
    if study == "semantics":
        _known(study, value)
        if value == Role.BASELINE:
            return Variant(value, "baseline", {"labels.source": NONE.name})
        if value == Role.LEARNED:
            return Variant(value, learned, {})
        if maps is None:
            where = "rendered data has them" if value == BELONGINGS else "`isp truth` makes them"
            raise IspError(
                f"the row {value!r} learns from label maps: give their folder as --maps ({where}), "
                "or leave the row out with --values baseline --values ISP"
            )
        overrides = {"labels.source": MAPS.name, "labels.folder": str(maps), "labels.space": space}
        if value == BELONGINGS:
            return Variant(value, "extra-belongings", overrides | {"labels.parts": ORACLE})
        return Variant(value, "extra-info", overrides | {"labels.parts": PARSER})
    if study == "backbone":
        name, _, weights = value.partition("=")
        overrides = {"model.backbone": name}
        if weights:
            overrides["model.weights"] = weights
        if name.startswith("hrnet"):  # keeps a stride of its own, and refuses any other
            overrides["model.output_stride"] = 32
        same = name == base.model.backbone and not weights
        return Variant(name, learned if same else f"{learned}-{name}", overrides)
    return Variant(Role.LEARNED, learned, {})


def _known(study: Study, value: str) -> None:
    known = (*_VALUES[study], *_ON_REQUEST.get(study, ()))
    if value not in known:
        raise IspError(f"study {study} has no row {value!r}; it has {', '.join(known)}")
