"""Distances: Eq. 9-10 of the paper, and the simpler rules they are compared with.

Arrays in, arrays out. Out of scope: what is compared (rules.py), which parts are visible (visibility_rules.py), where
embeddings come from (isp_core.parser), and what rankings are worth (isp_core.metrics.ranking).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isp_core.array_repr import array_repr
from isp_core.errors import IspError
from isp_core.matching.embeddings import Array, Embeddings, as_tensor
from isp_core.matching.rules import DistanceMetric, Features, Group, distance_metric, matching_rule

_PIECE = 1 << 21  # numbers of the gallery's features worked on at once: 8 MiB of float32 stay in a processor's cache
_BLOCK = 1 << 22  # entries of the distance matrix worked on at once, 16 MiB


def distances(
    query: Embeddings,
    gallery: Embeddings,
    matching: str = "aligned",
    metric: str = "cosine",
    device: torch.device | str = "cpu",
) -> npt.NDArray[np.float32]:
    """Distances (Q, G) between all queries and all gallery images under one of MATCHINGS, by one of METRICS.

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
    _check(query, gallery)
    rule, chosen = matching_rule(matching), distance_metric(metric)
    groups = rule.groups(Features(query, device))
    compare = _by_cosine(groups) if metric == "cosine" else _by_metric(groups, chosen)
    out = torch.empty(len(query), len(gallery))
    step = max(1, _PIECE // max(1, sum(x.shape[1] for x, _ in groups)))
    for start in range(0, len(gallery), step):
        columns = slice(start, start + step)
        compare(rule.groups(Features(gallery[columns], device)), out[:, columns])
    return out.numpy()


@dataclass(frozen=True, repr=False)
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
    __repr__ = array_repr


def explain(query: Embeddings, gallery: Embeddings, metric: str = "cosine") -> Explanation:
    """d_g, d_f and each d_k of Eq. 9-10 for pairs of images.

    Pair i is query[i] with gallery[i]; either side may hold a single image, which is then paired with all others.
    """
    _check(query, gallery)
    chosen = distance_metric(metric)
    if len(query) != len(gallery) and 1 not in (len(query), len(gallery)):
        raise IspError(f"{len(query)} queries cannot be paired with {len(gallery)} gallery images")

    def distance(a: Array, b: Array) -> Tensor:
        return chosen.pairs(as_tensor(a).float(), as_tensor(b).float())

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


def _by_cosine(query: list[Group]) -> Callable[[list[Group], Tensor], None]:
    """What writes the distances of all queries to a piece of the gallery into (Q, piece), as one matrix product."""
    units = _masked_units(query)  # (Q, D)
    one = torch.ones((), device=units.device)

    def compare(gallery: list[Group], out: Tensor) -> None:
        others = _masked_units(gallery)  # (piece, D)
        terms_q, terms_g = _terms(query, gallery)
        for rows in _blocks(len(units), len(others)):
            similarity = torch.matmul(units[rows], others.T)
            terms = torch.matmul(terms_q[rows], terms_g.T)
            # rounding may leave a hair below zero
            out[rows] = torch.addcdiv(one, similarity, terms, value=-1, out=similarity).clamp_(min=0)

    return compare


def _by_metric(query: list[Group], metric: DistanceMetric) -> Callable[[list[Group], Tensor], None]:
    """The same for any metric, term by term."""

    def compare(gallery: list[Group], out: Tensor) -> None:
        terms_q, terms_g = _terms(query, gallery)
        for rows in _blocks(len(query[0][0]), len(gallery[0][0])):
            total = torch.zeros(())
            for (x, x_shown), (y, y_shown) in zip(query, gallery, strict=True):
                d = metric.between(x[rows], y)
                if x_shown is not None and y_shown is not None:
                    d = d * x_shown[rows][:, None] * y_shown[None]
                total = d + total
            out[rows] = total / torch.matmul(terms_q[rows], terms_g.T)

    return compare


def _masked_units(groups: list[Group]) -> Tensor:
    """Unit features of all groups side by side, zero where the part is hidden: (N, sum of C)."""
    first = groups[0][0]
    out = torch.empty(len(first), sum(x.shape[1] for x, _ in groups), device=first.device)
    for (x, shown), columns in zip(groups, torch.split(out, [x.shape[1] for x, _ in groups], dim=1), strict=True):
        length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        scale = 1 / length.where(length > 0, 1)
        torch.mul(x, scale if shown is None else scale * shown[:, None], out=columns)
    return out


def _terms(query: list[Group], gallery: list[Group]) -> tuple[Tensor, Tensor]:
    """(Q, P + 1), (G, P + 1), whose product says how many features each pair is compared by: P parts that may hide, 1
    where they are shown, and the number of those that never hide."""

    def flags(groups: list[Group], last: float) -> Tensor:
        first = groups[0][0]
        hiding = [shown for _, shown in groups if shown is not None]
        return torch.stack([*hiding, torch.full((len(first),), last, device=first.device)], dim=1)

    return flags(query, sum(shown is None for _, shown in query)), flags(gallery, 1)


def _blocks(queries: int, gallery: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, gallery))
    return (slice(start, start + step) for start in range(0, queries, step))


def _check(query: Embeddings, gallery: Embeddings) -> None:
    for name in ("global_", "foreground", "parts"):
        q, g = tuple(getattr(query, name).shape[1:]), tuple(getattr(gallery, name).shape[1:])
        if q != g:
            raise IspError(
                f"{name.strip('_')} features of the queries have shape {q}, those of the gallery {g}: "
                "embeddings of two networks cannot be compared"
            )
