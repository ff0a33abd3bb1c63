"""Distances: Eq. 9-10 of the paper, and the simpler rules they are compared with.

Arrays in, arrays out. Out of scope: which parts are visible (visibility_rules.py), where embeddings come from
(isp_core.parser), and what rankings are worth (isp_core.metrics.ranking).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isp_core.errors import IspError
from isp_core.matching.embeddings import Array, Embeddings, as_tensor

Metric = Literal["cosine", "euclidean"]
METRICS: tuple[Metric, ...] = ("cosine", "euclidean")

MATCHINGS = {
    "aligned": "Eq. 10: global, foreground and the parts both images show, averaged",
    "all-parts": 'Eq. 10 with every part taken for visible (the paper\'s "w/o arm")',
    "concatenated": "one distance of all features in a row, as the authors' holistic evaluation does",
    "authors": "the authors' aligned path: global and foreground as one joint distance, overlap + 1 below",
    "global": "the global feature alone",
    "foreground": "the foreground feature alone",
    "part-K": "part K alone (part-1, part-2, ...), visible or not",
}
"""The rules that `distances` knows, with what they do."""

_PIECE = 1 << 21  # numbers of the gallery's features worked on at once: 8 MiB of float32 stay in a processor's cache
_BLOCK = 1 << 22  # entries of the distance matrix worked on at once, 16 MiB


def distances(
    query: Embeddings,
    gallery: Embeddings,
    matching: str = "aligned",
    metric: Metric = "cosine",
    device: torch.device | str = "cpu",
) -> npt.NDArray[np.float32]:
    """Distances (Q, G) between all queries and all gallery pictures under one of MATCHINGS.

    Cosine distance is 1 - cos, in [0, 2], and 1 for a feature of length zero; Euclidean distance takes the features as
    they are. For cosine, Eq. 10 is a single matrix product: with unit features, those of hidden parts set to zero,
    the products of all groups add up to S = sum of the shared groups' cosines, and d = 1 - S / (shared parts + 2).
    Visibility in [0, 1] instead of flags weighs a part by the product of both images' values.
    IspError for an unknown rule, or for embeddings of two networks (other sizes or numbers of parts).

    >>> one = Embeddings(np.eye(2), np.eye(2), np.ones((2, 1, 2)), np.array([[True], [False]]), np.ones((2, 1)))
    >>> distances(one, one).round(3)  # the diagonal is 0; off it d_g = d_f = 1 and no shared part
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    _check(query, gallery, metric)
    groups = _groups(query, matching, device)
    compare = _cosine(groups) if metric == "cosine" else _euclidean(groups)
    out = torch.empty(len(query), len(gallery))
    step = max(1, _PIECE // max(1, sum(x.shape[1] for x, _ in groups)))
    for start in range(0, len(gallery), step):
        columns = slice(start, start + step)
        compare(_groups(gallery[columns], matching, device), out[:, columns])
    return out.numpy()


@dataclass(frozen=True)
class Explanation:
    """The terms of Eq. 10 for N pairs. d_global, distance (N,); d_foreground (N,), NaN without parts; d_parts (N, K-1).

    d_parts holds the distance of every part; only those with `shared` True enter `distance`, each weighted by the
    product of both images' visibility (1 for flags).
    """

    d_global: npt.NDArray[np.float32]
    d_foreground: npt.NDArray[np.float32]
    d_parts: npt.NDArray[np.float32]
    shared: npt.NDArray[np.bool_]
    distance: npt.NDArray[np.float32]


def explain(query: Embeddings, gallery: Embeddings, metric: Metric = "cosine") -> Explanation:
    """d_g, d_f and each d_k of Eq. 9-10 for pairs of pictures.

    Pair i is query[i] with gallery[i]; either side may hold a single picture, which is then paired with all others.
    """
    _check(query, gallery, metric)
    if len(query) != len(gallery) and 1 not in (len(query), len(gallery)):
        raise IspError(f"{len(query)} queries cannot be paired with {len(gallery)} gallery images")

    def distance(a: Array, b: Array) -> Tensor:
        x, y = as_tensor(a).float(), as_tensor(b).float()
        d: Tensor = 1 - (_unit(x) * _unit(y)).sum(-1) if metric == "cosine" else torch.linalg.vector_norm(x - y, dim=-1)
        return d

    d_g, d_f = distance(query.global_, gallery.global_), distance(query.foreground, gallery.foreground)  # (N,)
    whole = [d_g]
    if query.foreground.shape[1]:
        whole.append(d_f)
    else:
        d_f = torch.full_like(d_g, float("nan"))
    d_k = distance(query.parts, gallery.parts)  # (N, K-1)
    weights = as_tensor(query.visibility).float() * as_tensor(gallery.visibility).float()
    total = ((weights * d_k).sum(-1) + sum(whole)) / (weights.sum(-1) + len(whole))
    return Explanation(*(t.numpy(force=True) for t in (d_g, d_f, d_k, weights > 0, total)))


# A group is a feature that is compared on its own: (features (N, C), shown (N,) or None where always visible).
_Group = tuple[Tensor, Tensor | None]


def _groups(e: Embeddings, matching: str, device: torch.device | str) -> list[_Group]:
    def of(array: Array) -> Tensor:
        return as_tensor(array).to(device).float()

    if matching in ("aligned", "all-parts", "authors"):
        parts, shown = of(e.parts), of(e.visibility)
        whole: list[_Group] = [(of(e.global_), None)]
        if matching == "authors":
            whole = [(torch.cat([of(e.foreground), of(e.global_)], dim=1), None)]
        elif e.foreground.shape[1]:
            whole.append((of(e.foreground), None))
        hidden = matching != "all-parts"
        return whole + [(parts[:, k], shown[:, k] if hidden else None) for k in range(e.n_parts)]
    if matching == "concatenated":
        return [(torch.cat([of(e.parts).flatten(1), of(e.foreground), of(e.global_)], dim=1), None)]
    if matching == "global":
        return [(of(e.global_), None)]
    if matching == "foreground":
        if not e.foreground.shape[1]:
            raise IspError(
                "matching 'foreground': these embeddings have no foreground feature (a network without parts)"
            )
        return [(of(e.foreground), None)]
    named = re.fullmatch(r"part-(\d+)", matching)
    if named and 1 <= int(named[1]) <= e.n_parts:
        return [(of(e.parts)[:, int(named[1]) - 1], None)]
    if named:
        raise IspError(
            f"matching {matching!r}: these embeddings have {f'parts 1 to {e.n_parts}' if e.n_parts else 'no parts'}"
        )
    raise IspError(f"matching {matching!r} is unknown; allowed: {', '.join(MATCHINGS)}")


def _cosine(query: list[_Group]) -> Callable[[list[_Group], Tensor], None]:
    """What writes the distances of all queries to a piece of the gallery into (Q, piece)."""
    units = _masked_units(query)  # (Q, D)
    one = torch.ones((), device=units.device)

    def compare(gallery: list[_Group], out: Tensor) -> None:
        others = _masked_units(gallery)  # (piece, D)
        terms_q, terms_g = _terms(query, gallery)
        for rows in _blocks(len(units), len(others)):
            similarity = torch.matmul(units[rows], others.T)
            terms = torch.matmul(terms_q[rows], terms_g.T)
            # rounding may leave a hair below zero
            out[rows] = torch.addcdiv(one, similarity, terms, value=-1, out=similarity).clamp_(min=0)

    return compare


def _euclidean(query: list[_Group]) -> Callable[[list[_Group], Tensor], None]:
    def compare(gallery: list[_Group], out: Tensor) -> None:
        terms_q, terms_g = _terms(query, gallery)
        for rows in _blocks(len(query[0][0]), len(gallery[0][0])):
            total = torch.zeros(())
            for (x, x_shown), (y, y_shown) in zip(query, gallery, strict=True):
                d: Tensor = torch.cdist(x[rows], y, compute_mode="use_mm_for_euclid_dist")
                if x_shown is not None and y_shown is not None:
                    d.mul_(x_shown[rows][:, None]).mul_(y_shown[None])
                total = d + total
            out[rows] = total / torch.matmul(terms_q[rows], terms_g.T)

    return compare


def _masked_units(groups: list[_Group]) -> Tensor:
    """Unit features of all groups side by side, zero where the part is hidden: (N, sum of C)."""
    first = groups[0][0]
    out = torch.empty(len(first), sum(x.shape[1] for x, _ in groups), device=first.device)
    for (x, shown), columns in zip(groups, torch.split(out, [x.shape[1] for x, _ in groups], dim=1), strict=True):
        length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        scale = 1 / length.where(length > 0, 1)
        torch.mul(x, scale if shown is None else scale * shown[:, None], out=columns)
    return out


def _terms(query: list[_Group], gallery: list[_Group]) -> tuple[Tensor, Tensor]:
    """(Q, P + 1), (G, P + 1), whose product says how many features each pair is compared by: P parts that may hide, 1
    where they are shown, and the number of those that never hide."""

    def flags(groups: list[_Group], last: float) -> Tensor:
        first = groups[0][0]
        hiding = [shown for _, shown in groups if shown is not None]
        return torch.stack([*hiding, torch.full((len(first),), last, device=first.device)], dim=1)

    return flags(query, sum(shown is None for _, shown in query)), flags(gallery, 1)


def _unit(x: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length.where(length > 0, 1)


def _blocks(queries: int, gallery: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, gallery))
    return (slice(start, start + step) for start in range(0, queries, step))


def _check(query: Embeddings, gallery: Embeddings, metric: str) -> None:
    if metric not in METRICS:
        raise IspError(f"metric {metric!r} is unknown; allowed: {', '.join(METRICS)}")
    for name in ("global_", "foreground", "parts"):
        q, g = tuple(getattr(query, name).shape[1:]), tuple(getattr(gallery, name).shape[1:])
        if q != g:
            raise IspError(
                f"{name.strip('_')} features of the queries have shape {q}, those of the gallery {g}: "
                "embeddings of two networks cannot be compared"
            )
