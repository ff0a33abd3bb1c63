"""What k-means needs of its points: products with centres, sums of clusters, a few rows. Two kinds give it.

`DensePoints` is a matrix. `UpsampledPoints` are the pixels of maps that were upsampled bilinearly, without upsampling
them: a product with a centre commutes with upsampling, so k numbers a pixel are upsampled instead of c, and sums over
pixels go the way back. Exact up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

_SUMMED = 8192  # points summed in float32 before float64 takes over


class Points(Protocol):
    """n points of c channels."""

    @property
    def channels(self) -> int:
        """c."""

    @property
    def norms2(self) -> Tensor:
        """(n,) squared norms."""

    @property
    def matrix(self) -> Tensor:
        """(m, c) what products are made of."""

    @property
    def few(self) -> int:
        """Up to so many points, working on their rows is faster than on all points."""

    def rows(self, chosen: Tensor) -> Tensor:
        """(m,) indices -> (m, c) the points themselves."""

    def projected(self, chosen: Tensor, basis: Tensor) -> Tensor:
        """(m,) indices, (c, d) -> (m, d) the points in another basis."""

    def products(self, centres: Tensor) -> Tensor:
        """(k, c) -> (k, n) scalar products, contiguous."""

    def sums(self, members: Tensor) -> Tensor:
        """(k, n) weights -> (k, c) float64 weighted sums."""


class DensePoints:
    """Points (n, c) float32: the rows of a matrix, or, given their norms (n,), of a matrix still to be normalised."""

    def __init__(self, matrix: Tensor, norms: Tensor | None = None) -> None:
        self.matrix = matrix
        self.inverse: Tensor | None = None
        if norms is None:
            self.norms2 = torch.linalg.vector_norm(matrix, dim=1).square_()
        else:  # k numbers a point are scaled instead of c
            self.inverse = 1.0 / norms.masked_fill(norms == 0, 1.0)
            self.norms2 = (norms * self.inverse).square_()
        self.channels = matrix.shape[1]
        self.few = len(matrix) // 2

    def rows(self, chosen: Tensor) -> Tensor:
        rows = self.matrix.index_select(0, chosen)
        return rows if self.inverse is None else rows.mul_(self.inverse[chosen, None])

    def projected(self, chosen: Tensor, basis: Tensor) -> Tensor:
        return self.rows(chosen) @ basis

    def products(self, centres: Tensor) -> Tensor:
        products = (self.matrix @ centres.t()).t().contiguous()  # this way round the thin product is fastest
        return products if self.inverse is None else products.mul_(self.inverse)

    def sums(self, members: Tensor) -> Tensor:
        if self.inverse is not None:
            members = members * self.inverse
        blocks = zip(torch.split(members, _SUMMED, 1), torch.split(self.matrix, _SUMMED), strict=True)
        return torch.stack([(weights @ rows).double() for weights, rows in blocks]).sum(0)


class UpsampledPoints:
    """Chosen pixels of maps (n, c, h0, w0) as if upsampled bilinearly to (h, w), each divided by a number of its own.

    maps: float32, best channels-last; mask: (n, h, w) bool, the m pixels in question; norms: (m,), theirs
    (`squared_norms`); divisors: (m,), the same for Eq. 4, ones for raw features; heights: (m,), one more channel.
    """

    def __init__(
        self, maps: Tensor, mask: Tensor, norms: Tensor, divisors: Tensor, heights: Tensor | None = None
    ) -> None:
        pictures, self.map_channels, *grid = maps.shape
        self.matrix = maps.permute(0, 2, 3, 1).reshape(-1, self.map_channels)  # (n * h0 * w0, c)
        self.coarse, self.fine = torch.Size((pictures, *grid)), mask.shape
        self.chosen = mask.flatten().nonzero()[:, 0]  # (m,)
        self.inverse = 1.0 / divisors
        self.heights = heights
        self.up_y = bilinear(self.coarse[1], self.fine[1], maps.device)  # (h, h0)
        self.up_x = bilinear(self.coarse[2], self.fine[2], maps.device)  # (w, w0)
        self.taps_y, self.taps_x = _taps(self.up_y), _taps(self.up_x)
        self.norms2 = (norms * self.inverse).square()
        if heights is not None:
            self.norms2 = self.norms2 + heights.square()
        self.channels = self.map_channels + (heights is not None)
        self.few = min(len(self.chosen) // 2, len(self.matrix))

    def rows(self, chosen: Tensor) -> Tensor:
        rows = self._between(self.matrix, chosen)
        return rows if self.heights is None else torch.cat([rows, self.heights[chosen][:, None]], 1)

    def projected(self, chosen: Tensor, basis: Tensor) -> Tensor:
        rows = self._between(self.matrix @ basis[: self.map_channels], chosen)
        return rows if self.heights is None else rows.addr_(self.heights[chosen], basis[self.map_channels])

    def _between(self, matrix: Tensor, chosen: Tensor) -> Tensor:
        """Rows for the chosen pixels from a matrix (n * h0 * w0, d) on the coarse grid."""
        pixels = self.chosen[chosen]
        _, h, w = self.fine
        picture, y, x = pixels // (h * w), pixels // w % h, pixels % w
        corners = [
            ((picture * self.coarse[1] + row[y]) * self.coarse[2] + column[x], weight_y[y] * weight_x[x])
            for row, weight_y in self.taps_y
            for column, weight_x in self.taps_x
        ]
        sources = torch.stack([source for source, _ in corners], 1)  # (m, 4) rows of the matrix
        weights = torch.stack([weight for _, weight in corners], 1) * self.inverse[chosen, None]  # (m, 4)
        return F.embedding_bag(sources, matrix, mode="sum", per_sample_weights=weights)  # (m, d)

    def products(self, centres: Tensor) -> Tensor:
        k = len(centres)
        coarse = (self.matrix @ centres[:, : self.map_channels].t()).t()  # (k, n * h0 * w0)
        coarse = coarse.reshape(-1, *self.coarse[1:])  # (k * n, h0, w0)
        fine = (self.up_y @ (coarse @ self.up_x.t())).view(k, -1)  # (k, n * h * w)
        products = fine.index_select(1, self.chosen) * self.inverse  # (k, m)
        return products if self.heights is None else products + centres[:, self.map_channels :] * self.heights

    def sums(self, members: Tensor) -> Tensor:
        k = len(members)
        fine = torch.zeros(k, self.fine.numel(), device=members.device)
        fine.index_copy_(1, self.chosen, members * self.inverse)
        coarse = self.up_y.t() @ (fine.view(-1, *self.fine[1:]) @ self.up_x)  # (k * n, h0, w0)
        sums = (coarse.view(k, -1) @ self.matrix).double()  # (k, c)
        return sums if self.heights is None else torch.cat([sums, (members @ self.heights).double()[:, None]], 1)


def squared_norms(maps: Tensor, size: Sequence[int]) -> Tensor:
    """(n, c, h0, w0) -> (n, h, w): |M_g|^2 of maps upsampled bilinearly to size, without upsampling them.

    A pixel between four grid points is a weighted sum of four vectors; its square needs their scalar products, which
    are five maps on the coarse grid: each vector with itself, its neighbours to the right and below, both diagonals.
    """
    height, width = maps.shape[2:]
    y, x = bilinear(height, size[0], maps.device), bilinear(width, size[1], maps.device)
    own_y, own_x = y.square(), x.square()
    pair_y, pair_x = 2 * y[:, :-1] * y[:, 1:], x[:, :-1] * x[:, 1:]  # weights of neighbours

    def inner(a: Tensor, b: Tensor) -> Tensor:
        # picture by picture, (h0, w0, c) each: products that stay in the cache
        pairs = zip(a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1), strict=True)
        return torch.stack([(x * y).sum(-1) for x, y in pairs])  # (n, h0, w0)

    up, low, left, right = maps[:, :, :-1], maps[:, :, 1:], maps[..., :-1], maps[..., 1:]
    norms2 = own_y @ (inner(maps, maps) @ own_x.t() + 2 * inner(left, right) @ pair_x.t())
    diagonals = inner(up[..., :-1], low[..., 1:]) + inner(up[..., 1:], low[..., :-1])
    return (norms2 + pair_y @ (inner(up, low) @ own_x.t() + diagonals @ pair_x.t())).clamp_(min=0)


def bilinear(length: int, target: int, device: torch.device) -> Tensor:
    """(target, length): the matrix of linear upsampling in one dimension, as torch's bilinear upsampling does it."""
    eye = torch.eye(length, device=device)
    return F.interpolate(eye[None], size=target, mode="linear", align_corners=False)[0].t().contiguous()


def _taps(matrix: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The two neighbours (index and weight) of each row of an upsampling matrix."""
    first = matrix.ne(0).int().argmax(1)  # (target,)
    second = (first + 1).clamp(max=matrix.shape[1] - 1)
    places = torch.arange(len(matrix), device=matrix.device)
    weight = matrix[places, first]
    return (first, weight), (second, torch.where(second > first, matrix[places, second], 0.0))
