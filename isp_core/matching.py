"""Visibility and distances: Eq. 8-10 of the paper, and the simpler rules they are compared with.

Arrays in, arrays out. Not here: where embeddings come from (isp_core.parser), and what rankings are worth
(isp_core.metrics.ranking).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isp_core.errors import IspError

Array = npt.NDArray[np.generic] | Tensor
Metric = Literal["cosine", "euclidean"]
METRICS: tuple[Metric, ...] = ("cosine", "euclidean")

MATCHINGS = {
    "aligned": "Eq. 10: global, foreground and the parts both pictures show, averaged",
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


@dataclass(frozen=True)
class Embeddings:
    """Features of N pictures, in NumPy arrays or tensors of any float type.

    A network without parts has foreground (N, 0) and parts (N, 0, 0); the terms of what is absent drop out of Eq. 10.

    global_ (N, C); foreground (N, C'); parts (N, K-1, C''); visibility (N, K-1) bool, Eq. 8;
    part_share (N, K-1): share of the picture's pixels whose most likely part is k, in [0, 1].
    part_peak (N, K-1): the highest probability of part k at any pixel, in [0, 1]; None where it was not kept.
    """

    global_: Array
    foreground: Array
    parts: Array
    visibility: Array
    part_share: Array
    part_peak: Array | None = None

    def __post_init__(self) -> None:
        n = len(self.global_)
        if self.parts.ndim != 3 or self.global_.ndim != 2 or self.foreground.ndim != 2:
            raise IspError(
                "embeddings need global (N, C), foreground (N, C) and parts (N, K-1, C); "
                f"got {tuple(self.global_.shape)}, {tuple(self.foreground.shape)}, {tuple(self.parts.shape)}"
            )
        flags = (n, self.parts.shape[1])
        if len(self.foreground) != n or len(self.parts) != n:
            raise IspError(
                f"embeddings of {n} global, {len(self.foreground)} foreground and {len(self.parts)} part rows"
            )
        for name in ("visibility", "part_share", "part_peak"):
            array = getattr(self, name)
            if array is not None and tuple(array.shape) != flags:
                raise IspError(f"{name} has shape {tuple(array.shape)}; the parts ask for {flags}")

    def __len__(self) -> int:
        return len(self.global_)

    def __getitem__(self, rows: slice | npt.NDArray[np.generic] | list[int]) -> Embeddings:
        """The embeddings of some pictures; a slice or an array of positions."""
        taken: dict[str, Any] = {}
        for each in fields(self):
            array = getattr(self, each.name)
            taken[each.name] = None if array is None else array[rows]
        return Embeddings(**taken)

    @classmethod
    def join(cls, several: Sequence[Embeddings]) -> Embeddings:
        """Pictures of one network, held in several pieces of NumPy arrays, one after the other."""
        joined: dict[str, Any] = {}
        for each in fields(cls):
            arrays = [getattr(piece, each.name) for piece in several]
            joined[each.name] = None if any(array is None for array in arrays) else np.concatenate(arrays)
        return cls(**joined)

    @property
    def n_parts(self) -> int:
        """K - 1: parts, background left out."""
        return int(self.parts.shape[1])

    def seen_from(self, minimum_share: float) -> Embeddings:
        """The same features, a part counting as visible only from a share of the picture's pixels on.

        Eq. 8 is `minimum_share` = 0: one pixel is enough.
        """
        share = _tensor(self.part_share)
        visible = share >= minimum_share if minimum_share > 0 else share > 0
        return replace(self, visibility=visible.numpy(force=True))

    def seen_with(self, probability: float) -> Embeddings:
        """The same features, a part counting as visible where some pixel gives it at least this probability (Eq. 5),
        whether or not another part is likelier there. IspError where probabilities were not kept.
        """
        if self.part_peak is None:
            raise IspError("these embeddings do not hold the parts' probabilities: make them again from the weights")
        return replace(self, visibility=(_tensor(self.part_peak) >= probability).numpy(force=True))


def visibility(labels: Array, parts: int) -> npt.NDArray[np.bool_]:
    """l_k of Eq. 8: is there a pixel whose most likely part is k?

    labels (N, H, W): argmax over the K channels, integers. parts: K, background included. Returns (N, K-1).

    >>> visibility(np.array([[[0, 1], [1, 3]]]), parts=4)
    array([[ True, False,  True]])
    """
    return np.asarray(part_share(labels, parts) > 0)


def part_share(labels: Array, parts: int) -> npt.NDArray[np.float32]:
    """Share of each picture's pixels that belong to part k = 1 .. K-1. labels (N, H, W) -> (N, K-1).

    >>> part_share(np.array([[[0, 1], [1, 3]]]), parts=4)
    array([[0.5 , 0.  , 0.25]], dtype=float32)
    """
    flat = np.asarray(labels).reshape(len(labels), -1)
    return np.stack([(flat == k).mean(axis=1, dtype=np.float32) for k in range(1, parts)], axis=1)


def part_peak(probability: Array) -> npt.NDArray[np.float32]:
    """The highest probability of each part at any pixel. probability (N, K, H, W): Eq. 5, background first -> (N, K-1).

    >>> part_peak(np.array([[[[0.6, 0.5]], [[0.4, 0.5]]]])).round(1)
    array([[0.5]], dtype=float32)
    """
    peak: npt.NDArray[np.float32] = _tensor(probability)[:, 1:].amax(dim=(2, 3)).float().numpy(force=True)
    return peak


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

    d_parts holds the distance of every part; only those with `shared` True enter `distance`.
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
        raise IspError(f"{len(query)} queries cannot be paired with {len(gallery)} gallery pictures")

    def distance(a: Array, b: Array) -> Tensor:
        x, y = _tensor(a).float(), _tensor(b).float()
        d: Tensor = 1 - (_unit(x) * _unit(y)).sum(-1) if metric == "cosine" else torch.linalg.vector_norm(x - y, dim=-1)
        return d

    d_g, d_f = distance(query.global_, gallery.global_), distance(query.foreground, gallery.foreground)  # (N,)
    whole = [d_g]
    if query.foreground.shape[1]:
        whole.append(d_f)
    else:
        d_f = torch.full_like(d_g, float("nan"))
    d_k = distance(query.parts, gallery.parts)  # (N, K-1)
    shared = _tensor(query.visibility).bool() & _tensor(gallery.visibility).bool()
    total = ((shared * d_k).sum(-1) + sum(whole)) / (shared.sum(-1) + len(whole))
    return Explanation(*(t.numpy(force=True) for t in (d_g, d_f, d_k, shared, total)))


# A group is a feature that is compared on its own: (features (N, C), shown (N,) or None where always visible).
_Group = tuple[Tensor, Tensor | None]


def _groups(e: Embeddings, matching: str, device: torch.device | str) -> list[_Group]:
    def of(array: Array) -> Tensor:
        return _tensor(array).to(device).float()

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


def _tensor(array: Array) -> Tensor:
    return array.detach() if isinstance(array, Tensor) else torch.from_numpy(np.ascontiguousarray(array))


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
