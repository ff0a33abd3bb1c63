"""What k-means needs of its points: a visit to all of them, and a few rows. Two kinds of points give it.

`DensePoints` is a matrix. `UpsampledPoints` are the pixels of maps that were upsampled bilinearly, without upsampling
them: a product with a centre commutes with upsampling, so k numbers a pixel are upsampled instead of c, and sums over
pixels go the way back. Exact up to rounding.

On the CPU a visit is one compiled pass (kernels.py); elsewhere it is made of matrix products.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from isp_core.clustering import kernels
from isp_core.clustering.threads import THIN

_SUMMED = 8192  # points summed in float32 before float64 takes over


@dataclass(frozen=True)
class Visit:
    """Every point at its nearest centre."""

    labels: Tensor
    """(n,) int64: the nearest centre, the lowest index among equally near ones."""
    changed: int
    """How many of them are other than before."""
    scores: Tensor
    """(n,) float32: half of |x|^2 minus the squared distance to that centre."""
    sums: Tensor
    """(k, c) float64: the points of each cluster summed."""
    sizes: Tensor
    """(k,) int64: how many they are."""


class Points(ABC):
    """n points of c channels, float32."""

    channels: int
    norms2: Tensor
    """(n,) squared norms."""
    matrix: Tensor
    """(m, c) what products are made of."""

    @abstractmethod
    def rows(self, chosen: Tensor) -> Tensor:
        """(m,) indices -> (m, c) the points themselves."""

    @abstractmethod
    def projected(self, chosen: Tensor, basis: Tensor) -> Tensor:
        """(m,) indices, (c, d) -> (m, d) the points in another basis."""

    @abstractmethod
    def products(self, centres: Tensor) -> Tensor:
        """(k, c) -> (k, n) scalar products."""

    @abstractmethod
    def sums(self, members: Tensor) -> Tensor:
        """(k, n) weights -> (k, c) float64 weighted sums."""

    @abstractmethod
    def _compiled(self, centres: Tensor, labels: Tensor, scores: Tensor, sizes: Tensor) -> tuple[int, Tensor]:
        """A visit by kernels.py: labels, scores and sizes in place; how many changed, and the sums."""

    def visit(self, centres: Tensor, before: Tensor | None = None) -> Visit:
        """centres: (k, c); before: (n,) labels of the last visit, if there was one."""
        if self.matrix.device.type != "cpu":
            return self.visit_by_products(centres, before)
        labels = torch.full(self.norms2.shape, -1) if before is None else before.clone()
        scores, sizes = torch.empty_like(self.norms2), torch.zeros(len(centres), dtype=torch.int64)
        changed, sums = self._compiled(centres.contiguous(), labels, scores, sizes)
        return Visit(labels, changed, scores, sums, sizes)

    def visit_by_products(self, centres: Tensor, before: Tensor | None = None) -> Visit:
        """The same on any device, in more passes."""
        k = len(centres)
        products = self.products(centres).sub_((0.5 * centres.double().square().sum(1)).float()[:, None])
        labels = products.argmax(0)  # the first of several equal ones
        members = (labels == torch.arange(k, device=labels.device)[:, None]).float()
        changed = len(labels) if before is None else int((labels != before).sum())
        scores = products.gather(0, labels[None])[0]
        return Visit(labels, changed, scores, self.sums(members), torch.bincount(labels, minlength=k))


class DensePoints(Points):
    """Rows of a matrix (m, c) float32: all, or the `chosen` ones (n,), each divided by its norm where `norms` (n,) are
    given: so k numbers a point are scaled instead of c, and nothing is copied."""

    def __init__(self, matrix: Tensor, chosen: Tensor | None = None, norms: Tensor | None = None) -> None:
        self.matrix, self.channels = matrix.contiguous(), matrix.shape[1]
        self.chosen = torch.arange(len(matrix), device=matrix.device) if chosen is None else chosen
        if norms is None:
            self.scale = torch.ones(len(self.chosen), device=matrix.device)
            self.norms2 = torch.linalg.vector_norm(matrix, dim=1).square_()[self.chosen]
        else:
            self.scale = 1.0 / norms.masked_fill(norms == 0, 1.0)
            self.norms2 = (norms * self.scale).square_()

    def rows(self, chosen: Tensor) -> Tensor:
        return self.matrix.index_select(0, self.chosen[chosen]).mul_(self.scale[chosen, None])

    def projected(self, chosen: Tensor, basis: Tensor) -> Tensor:
        return self.rows(chosen) @ basis

    def products(self, centres: Tensor) -> Tensor:
        return (self.matrix @ centres.t()).t().index_select(1, self.chosen) * self.scale

    def sums(self, members: Tensor) -> Tensor:
        weights = torch.zeros(len(members), len(self.matrix), device=members.device)
        weights.index_copy_(1, self.chosen, members * self.scale)
        blocks = zip(torch.split(weights, _SUMMED, 1), torch.split(self.matrix, _SUMMED), strict=True)
        return torch.stack([(some @ rows).double() for some, rows in blocks]).sum(0)

    def _compiled(self, centres: Tensor, labels: Tensor, scores: Tensor, sizes: Tensor) -> tuple[int, Tensor]:
        stripes = torch.get_num_threads() if len(labels) * self.channels >= THIN else 1
        edges = [len(labels) * i // stripes for i in range(stripes + 1)]
        sums, counts = np.zeros((stripes, *centres.shape)), np.zeros((stripes, len(centres)), np.int64)
        matrix, to = self.matrix.numpy(), centres.numpy()
        rows, scale, own, best = (t.numpy() for t in (self.chosen, self.scale, labels, scores))

        def of_stripe(i: int) -> int:
            part = slice(edges[i], edges[i + 1])
            return kernels.rows_visit(matrix, rows[part], scale[part], to, own[part], best[part], sums[i], counts[i])

        if stripes == 1:
            changed = of_stripe(0)
        else:
            with ThreadPoolExecutor(stripes) as pool:  # the kernel lets go of the interpreter
                changed = sum(pool.map(of_stripe, range(stripes)))
        sizes += torch.from_numpy(counts.sum(0))
        return changed, torch.from_numpy(sums.sum(0))


class UpsampledPoints(Points):
    """Chosen pixels of maps (n, c, h0, w0) as if upsampled bilinearly to (h, w), each divided by a number of its own.

    maps: float32, best channels-last; mask: (n, h, w) bool, the m pixels in question; norms: (m,), theirs
    (`squared_norms`); divisors: (m,), the same for Eq. 4, ones for raw features; heights: (m,), one more channel.
    """

    def __init__(
        self, maps: Tensor, mask: Tensor, norms: Tensor, divisors: Tensor, heights: Tensor | None = None
    ) -> None:
        pictures, self.map_channels, *grid = maps.shape
        self.matrix = maps.permute(0, 2, 3, 1).reshape(-1, self.map_channels)  # (n * h0 * w0, c)
        self.coarse, self.mask = torch.Size((pictures, *grid)), mask
        self.chosen = mask.flatten().nonzero()[:, 0]  # (m,)
        self.scale = 1.0 / divisors
        self.heights = heights
        self.up_y = bilinear(self.coarse[1], mask.shape[1], maps.device)  # (h, h0)
        self.up_x = bilinear(self.coarse[2], mask.shape[2], maps.device)  # (w, w0)
        self.taps_y, self.taps_x = _taps(self.up_y), _taps(self.up_x)
        self.norms2 = (norms * self.scale).square()
        if heights is not None:
            self.norms2 = self.norms2 + heights.square()
        self.channels = self.map_channels + (heights is not None)

    def rows(self, chosen: Tensor) -> Tensor:
        rows = self._between(self.matrix, chosen)
        return rows if self.heights is None else torch.cat([rows, self.heights[chosen][:, None]], 1)

    def projected(self, chosen: Tensor, basis: Tensor) -> Tensor:
        rows = self._between(self.matrix @ basis[: self.map_channels], chosen)
        return rows if self.heights is None else rows.addr_(self.heights[chosen], basis[self.map_channels])

    def _between(self, matrix: Tensor, chosen: Tensor) -> Tensor:
        """Rows for the chosen pixels from a matrix (n * h0 * w0, d) on the coarse grid."""
        pixels = self.chosen[chosen]
        _, h, w = self.mask.shape
        picture, y, x = pixels // (h * w), pixels // w % h, pixels % w
        (rows, row_weights), (columns, column_weights) = self.taps_y, self.taps_x
        tops = picture[:, None] * self.coarse[1] + rows[y]  # (m, 2)
        sources = (tops[:, :, None] * self.coarse[2] + columns[x][:, None]).flatten(1)  # (m, 4) rows of the matrix
        weights = (row_weights[y][:, :, None] * column_weights[x][:, None]).flatten(1) * self.scale[chosen, None]
        return F.embedding_bag(sources, matrix, mode="sum", per_sample_weights=weights)  # (m, d)

    def products(self, centres: Tensor) -> Tensor:
        k = len(centres)
        coarse = (self.matrix @ centres[:, : self.map_channels].t()).t()  # (k, n * h0 * w0)
        coarse = coarse.reshape(-1, *self.coarse[1:])  # (k * n, h0, w0)
        fine = (self.up_y @ (coarse @ self.up_x.t())).view(k, -1)  # (k, n * h * w)
        products = fine.index_select(1, self.chosen) * self.scale  # (k, m)
        return products if self.heights is None else products + centres[:, self.map_channels :] * self.heights

    def sums(self, members: Tensor) -> Tensor:
        k = len(members)
        fine = torch.zeros(k, self.mask.numel(), device=members.device)
        fine.index_copy_(1, self.chosen, members * self.scale)
        coarse = self.up_y.t() @ (fine.view(-1, *self.mask.shape[1:]) @ self.up_x)  # (k * n, h0, w0)
        sums = (coarse.view(k, -1) @ self.matrix).double()  # (k, c)
        return sums if self.heights is None else torch.cat([sums, (members @ self.heights).double()[:, None]], 1)

    def _compiled(self, centres: Tensor, labels: Tensor, scores: Tensor, sizes: Tensor) -> tuple[int, Tensor]:
        k = len(centres)
        products = self.matrix @ centres[:, : self.map_channels].t()  # (n * h0 * w0, k)
        shares, of_heights = torch.zeros_like(products), np.zeros(k)
        (rows, row_weights), (columns, column_weights) = self.taps_y, self.taps_x
        changed = kernels.pixels_visit(
            products.view(*self.coarse, k).numpy(),
            self.mask.numpy(),
            self.scale.numpy(),
            (torch.empty(0) if self.heights is None else self.heights).numpy(),
            centres.numpy(),
            rows.numpy(),
            row_weights.numpy(),
            columns.numpy(),
            column_weights.numpy(),
            labels.numpy(),
            scores.numpy(),
            shares.view(*self.coarse, k).numpy(),
            of_heights,
            sizes.numpy(),
        )
        sums = (shares.t() @ self.matrix).double()  # (k, c)
        return changed, sums if self.heights is None else torch.cat([sums, torch.from_numpy(of_heights)[:, None]], 1)


def squared_norms(maps: Tensor, size: Sequence[int]) -> Tensor:
    """(n, c, h0, w0) -> (n, h, w): |M_g|^2 of maps upsampled bilinearly to size, without upsampling them.

    A pixel between four grid points is a weighted sum of four vectors; its square needs their scalar products, which
    are five maps on the coarse grid: each vector with itself, its neighbours to the right and below, both diagonals.
    """
    height, width = maps.shape[2:]
    y, x = bilinear(height, size[0], maps.device), bilinear(width, size[1], maps.device)
    own_y, own_x = y.square(), x.square()
    pair_y, pair_x = 2 * y[:, :-1] * y[:, 1:], x[:, :-1] * x[:, 1:]  # weights of neighbours

    maps = maps.permute(0, 2, 3, 1)
    on_cpu = maps.device.type == "cpu"
    products = torch.from_numpy(kernels.neighbours(maps.contiguous().numpy())) if on_cpu else _neighbours(maps)
    own, right, below, across = products
    norms2: Tensor = own_y @ (own @ own_x.t() + 2 * right[..., :-1] @ pair_x.t())
    norms2 += pair_y @ (below[:, :-1] @ own_x.t() + across[:, :-1, :-1] @ pair_x.t())
    return norms2.clamp_(min=0)


def _neighbours(maps: Tensor) -> Tensor:
    """(n, h, w, c) -> (4, n, h, w): `kernels.neighbours` on any device."""
    beside, below = maps.roll(-1, 2), maps.roll(-1, 1)
    pairs = (maps, maps), (maps, beside), (maps, below)
    across = (maps * below.roll(-1, 2)).sum(-1) + (beside * below).sum(-1)
    return torch.stack([*((a * b).sum(-1) for a, b in pairs), across])


def bilinear(length: int, target: int, device: torch.device) -> Tensor:
    """(target, length): the matrix of linear upsampling in one dimension, as torch's bilinear upsampling does it."""
    eye = torch.eye(length, device=device)
    return F.interpolate(eye[None], size=target, mode="linear", align_corners=False)[0].t().contiguous()


def _taps(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row of an upsampling matrix the two neighbours it lies between: (target, 2) indices and weights."""
    first = matrix.ne(0).int().argmax(1)  # (target,)
    neighbours = torch.stack([first, (first + 1).clamp(max=matrix.shape[1] - 1)], 1)
    weights = matrix.gather(1, neighbours)
    weights[:, 1].masked_fill_(neighbours[:, 1] == first, 0.0)
    return neighbours, weights
