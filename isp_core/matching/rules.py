"""Matching rules and distance metrics, by name. A new one is an entry here, or a call of `register_matching` or
`register_metric` from outside; the command line, the app and re-ranking know it by the name alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from isp_core.errors import IspError
from isp_core.matching.embeddings import Array, Embeddings, as_tensor

Group = tuple[Tensor, Tensor | None]
"""A feature that is compared on its own: (features (N, C), shown (N,) or None where it is always visible)."""


class Features:
    """Embeddings as float32 tensors on one device; only what a rule asks for is converted."""

    def __init__(self, embeddings: Embeddings, device: torch.device | str = "cpu") -> None:
        self._embeddings, self._device = embeddings, device

    def _of(self, array: Array) -> Tensor:
        return as_tensor(array).to(self._device).float()

    @property
    def global_(self) -> Tensor:
        """(N, C)."""
        return self._of(self._embeddings.global_)

    @property
    def foreground(self) -> Tensor:
        """(N, C'); C' = 0 for a network without parts."""
        return self._of(self._embeddings.foreground)

    @property
    def parts(self) -> Tensor:
        """(N, K-1, C'')."""
        return self._of(self._embeddings.parts)

    @property
    def visibility(self) -> Tensor:
        """(N, K-1) in [0, 1]."""
        return self._of(self._embeddings.visibility)

    @property
    def n_parts(self) -> int:
        """K - 1."""
        return self._embeddings.n_parts


@dataclass(frozen=True)
class MatchingRule:
    """What is compared: the features that each make a term of the distance, and where each is visible.

    groups: of the images on one side; those of both sides must agree. The distance of a pair is the mean of the terms'
    distances, weighted by the product of both images' `shown`. description: one line for people. without_parts: whether
    the rule says anything of a network without parts.
    """

    description: str
    groups: Callable[[Features], list[Group]]
    without_parts: bool = False


@dataclass(frozen=True)
class NumberedRule:
    """A rule for each part: registered as NAME-K, asked for as NAME-1, NAME-2, ..."""

    description: str
    groups: Callable[[Features, int], list[Group]]


@dataclass(frozen=True)
class DistanceMetric:
    """How far apart two features are.

    between: features (N, C) and (M, C) -> (N, M). pairs: (..., C) and (..., C) -> (...), the same for pairs.
    """

    description: str
    between: Callable[[Tensor, Tensor], Tensor]
    pairs: Callable[[Tensor, Tensor], Tensor]


def _aligned(e: Features, hidden: bool = True) -> list[Group]:
    whole: list[Group] = [(e.global_, None)]
    if e.foreground.shape[1]:
        whole.append((e.foreground, None))
    return whole + _parts(e, hidden)


def _authors(e: Features) -> list[Group]:
    return [(torch.cat([e.foreground, e.global_], dim=1), None), *_parts(e, hidden=True)]


def _parts(e: Features, hidden: bool) -> list[Group]:
    parts, shown = e.parts, e.visibility
    return [(parts[:, k], shown[:, k] if hidden else None) for k in range(e.n_parts)]


def _concatenated(e: Features) -> list[Group]:
    return [(torch.cat([e.parts.flatten(1), e.foreground, e.global_], dim=1), None)]


def _foreground(e: Features) -> list[Group]:
    if not e.foreground.shape[1]:
        raise IspError("matching 'foreground': these embeddings have no foreground feature (a network without parts)")
    return [(e.foreground, None)]


def _one_part(e: Features, number: int) -> list[Group]:
    if not 1 <= number <= e.n_parts:
        has = f"parts 1 to {e.n_parts}" if e.n_parts else "no parts"
        raise IspError(f"matching 'part-{number}': these embeddings have {has}")
    return [(e.parts[:, number - 1], None)]


MATCHINGS: dict[str, MatchingRule | NumberedRule] = {
    "aligned": MatchingRule(
        "Eq. 10: global, foreground and the parts both images show, averaged", _aligned, without_parts=True
    ),
    "all-parts": MatchingRule(
        'Eq. 10 with every part treated as visible (the paper\'s "w/o arm")', partial(_aligned, hidden=False)
    ),
    "concatenated": MatchingRule(
        "one distance of all features in a row, as the authors' holistic evaluation does", _concatenated
    ),
    "authors": MatchingRule(
        "the authors' aligned path: global and foreground as one joint distance, overlap + 1 below", _authors
    ),
    "global": MatchingRule("the global feature alone", lambda e: [(e.global_, None)], without_parts=True),
    "foreground": MatchingRule("the foreground feature alone", _foreground),
    "part-K": NumberedRule("part K alone, visible or not", _one_part),
}
"""The rules that `distances` knows."""


def _unit(x: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length.where(length > 0, 1)


def _euclidean(x: Tensor, y: Tensor) -> Tensor:
    distance: Tensor = torch.cdist(x, y, compute_mode="use_mm_for_euclid_dist")
    return distance


METRICS: dict[str, DistanceMetric] = {
    "cosine": DistanceMetric(
        "1 - cos, in [0, 2]; 1 for a feature of length zero",
        lambda x, y: 1 - _unit(x) @ _unit(y).T,
        lambda x, y: 1 - (_unit(x) * _unit(y)).sum(-1),
    ),
    "euclidean": DistanceMetric(
        "the length of the difference, features as they are",
        _euclidean,
        lambda x, y: torch.linalg.vector_norm(x - y, dim=-1),
    ),
}
"""The metrics that `distances` knows."""

Entry = TypeVar("Entry")


def register_matching(name: str, rule: MatchingRule | NumberedRule) -> None:
    """Adds a matching rule; IspError where the name is taken, or would not do in a file's name."""
    _register(MATCHINGS, "matching rule", name, rule)


def register_metric(name: str, metric: DistanceMetric) -> None:
    """Adds a distance metric; IspError where the name is taken, or would not do in a file's name."""
    _register(METRICS, "metric", name, metric)


def _register(registry: dict[str, Entry], kind: str, name: str, entry: Entry) -> None:
    if name in registry:
        raise IspError(f"there is a {kind} called {name!r} already")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}", name):
        raise IspError(f"{name!r} is no name for a {kind}: letters, digits and dashes, at most 40")
    registry[name] = entry


def matching_rule(name: str) -> MatchingRule:
    """The rule of that name, also part-1, part-2, ...; IspError names all there are."""
    found = MATCHINGS.get(name)
    if isinstance(found, MatchingRule):
        return found
    numbered = re.fullmatch(r"(.+)-(\d{1,3})", name)
    family = MATCHINGS.get(f"{numbered[1]}-K") if numbered else None
    if numbered is None or not isinstance(family, NumberedRule):
        raise IspError(f"matching {name!r} is unknown; allowed: {', '.join(MATCHINGS)}")
    number = int(numbered[2])
    return MatchingRule(re.sub(r"\bK\b", str(number), family.description), lambda e: family.groups(e, number))


def matching_names(parts: int) -> list[str]:
    """Every rule that says something of a network with `parts` = K - 1 parts, numbered ones for each part.

    >>> matching_names(0)
    ['aligned', 'global']
    """
    names: list[str] = []
    for name, rule in MATCHINGS.items():
        if isinstance(rule, NumberedRule):
            names += [f"{name.removesuffix('K')}{k}" for k in range(1, parts + 1)]
        elif parts or rule.without_parts:
            names.append(name)
    return names


def distance_metric(name: str) -> DistanceMetric:
    """The metric of that name; IspError names all there are."""
    if name not in METRICS:
        raise IspError(f"metric {name!r} is unknown; allowed: {', '.join(METRICS)}")
    return METRICS[name]
