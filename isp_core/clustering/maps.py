"""What the cascade makes of feature maps M_g before it clusters: activation (Eq. 3) and pixels' features (Eq. 4)."""

from __future__ import annotations

import torch
from torch import Tensor

from isp_core.clustering.config import CascadeConfig, Variant
from isp_core.clustering.errors import ClusteringError
from isp_core.clustering.points import DensePoints, Points, UpsampledPoints, squared_norms


@torch.no_grad()
def activation(maps: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Eq. 3: a(x, y), the l2-norm over channels divided by each image's largest.

    maps: (n, c, h, w) -> (n, h, w) float32 in [0, 1]. An image of zeros has activation 0 everywhere. With size, that
    of the maps upsampled bilinearly.
    """
    check_maps(maps)
    return by_peak(norms(maps, tuple(size or maps.shape[2:])))


def norms(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """(n, c, h0, w0) -> (n, *size): l2-norms over channels, of the upsampled maps where size is another one."""
    n, c, h, w = maps.shape
    if size != (h, w):
        if size[0] < h or size[1] < w:
            raise ClusteringError(f"maps of {h} x {w} cannot be clustered at the smaller size {size[0]} x {size[1]}")
        return squared_norms(_channels_last(maps), size).sqrt_()
    lengths = torch.empty(n, h * w, device=maps.device)
    squares = torch.empty(c, h * w, device=maps.device)  # one buffer for all images stays in the cache
    for picture, row in zip(maps, lengths, strict=True):
        flat = picture.float().flatten(1)  # (c, h * w), a view where it can be
        if flat.stride(0) == 1:  # channels-last
            torch.linalg.vector_norm(flat.t(), dim=1, out=row)
        else:
            torch.sum(torch.mul(flat, flat, out=squares), 0, out=row).sqrt_()
    return lengths.view(n, h, w)


def by_peak(lengths: Tensor) -> Tensor:
    """Eq. 3 from `norms`: (n, h, w) -> shares of each image's largest."""
    peaks = lengths.flatten(1).amax(1)  # (n,)
    check_finite(peaks)
    return lengths / peaks.masked_fill(peaks == 0, 1.0)[:, None, None]


def sharpen(activations: Tensor) -> Tensor:
    """The authors' sigmoid(5 (2a - 1) + 3), which moves the split towards a = 0.2."""
    return torch.sigmoid(5 * (2 * activations - 1) + 3)


def pixels(maps: Tensor, mask: Tensor, config: CascadeConfig, lengths: Tensor | None = None) -> Points:
    """What the second stage clusters, in whichever form is faster: see `pixel_features`.

    maps: (n, c, h0, w0); mask: (n, h, w) bool, as large as the maps or larger; lengths: (n, h, w) `norms`, if known.
    """
    check_maps(maps)
    n, _, *grid = maps.shape
    if (
        mask.dtype != torch.bool
        or mask.ndim != 3
        or len(mask) != n
        or mask.shape[1] < grid[0]
        or mask.shape[2] < grid[1]
    ):
        raise ClusteringError(
            f"the mask must be bool (n, h, w) and no smaller than the maps {tuple(maps.shape)}, "
            f"got {mask.dtype} {tuple(mask.shape)}"
        )
    if list(mask.shape[1:]) == grid:
        if lengths is None or config.height_weight or config.variant is not Variant.CASCADE:
            return DensePoints(pixel_features(maps, mask, config))
        rows = _channels_last(maps).permute(0, 2, 3, 1).flatten(0, 2)  # (n * h * w, c)
        return DensePoints(rows, mask.flatten().nonzero()[:, 0], lengths[mask])
    maps = _channels_last(maps)
    lengths = norms(maps, tuple(mask.shape[1:])) if lengths is None else lengths
    check_finite(lengths.flatten(1).amax(1))
    lengths = lengths[mask]  # (m,)
    divisors = lengths.masked_fill(lengths == 0, 1.0) if config.variant is Variant.CASCADE else torch.ones_like(lengths)
    heights = torch.cat([_heights(picture, config) for picture in mask]) if config.height_weight else None
    return UpsampledPoints(maps, mask, lengths, divisors, heights)


@torch.no_grad()
def pixel_features(maps: Tensor, mask: Tensor, config: CascadeConfig) -> Tensor:
    """Features (m, c) float32 of the m pixels in mask (n, h, w), image by image, row by row.

    Eq. 4 for the cascade: D(x, y) = M_g / |M_g|; a pixel of norm 0 stays 0. The variants take M_g as it is. With a
    height weight, one more channel: weight x height within the image's foreground, 0 at its top row and 1 at its
    bottom row.
    """
    n, c = maps.shape[:2]
    height = config.height_weight > 0
    counts = mask.flatten(1).sum(1).tolist()
    features = torch.empty(sum(counts), c + height, device=maps.device)
    totals = torch.zeros(n, device=maps.device)
    for i, rows in enumerate(torch.split(features, counts)):  # rows: (m_i, c), finished while they are in the cache
        if not len(rows):
            continue
        chosen = mask[i].flatten().nonzero()[:, 0]
        values = rows[:, :c]
        if height:
            values.copy_(_rows(maps[i]).index_select(0, chosen))
            rows[:, c] = _heights(mask[i], config)
        else:
            torch.index_select(_rows(maps[i]), 0, chosen, out=rows)
        lengths = torch.linalg.vector_norm(values, dim=1, keepdim=True)  # (m_i, 1)
        totals[i] = lengths.sum()
        if config.variant is Variant.CASCADE:
            values.div_(lengths.masked_fill_(lengths == 0, 1.0))
    check_finite(totals)
    return features


# ------------------------------------------------------------------------------------------------------------ details


def _heights(mask: Tensor, config: CascadeConfig) -> Tensor:
    """(h, w) bool -> (m_i,): the weighted height of each pixel in the mask."""
    y = mask.nonzero()[:, 0]
    return config.height_weight * (y - y[:1]) / (y[-1:] - y[:1]).clamp(min=1)


def _channels_last(maps: Tensor) -> Tensor:
    """Channels-last float32: as they are where they can be, else image by image, which stay in the cache."""
    if maps.dtype == torch.float32 and maps.is_contiguous(memory_format=torch.channels_last):
        return maps
    ready = torch.empty_like(maps, dtype=torch.float32, memory_format=torch.channels_last)
    for picture, rows in zip(maps, ready.permute(0, 2, 3, 1).flatten(1, 2), strict=True):
        rows.copy_(picture.flatten(1).t())
    return ready


def _rows(picture: Tensor) -> Tensor:
    """(c, h, w) -> (h * w, c) float32, contiguous; a view of channels-last float32."""
    return picture.float().flatten(1).t().contiguous()


def check_maps(maps: Tensor) -> None:
    if maps.ndim != 4 or maps.numel() == 0 or not maps.is_floating_point():
        raise ClusteringError(
            f"maps must be floats of shape (n, c, h, w), none of them 0, got {maps.dtype} {tuple(maps.shape)}"
        )


def check_finite(of_pictures: Tensor) -> None:
    """One number per image that is finite only if all of the image is."""
    bad = (~of_pictures.isfinite()).nonzero()[:, 0].tolist()
    if bad:
        raise ClusteringError(
            f"image {bad[0]} of the identity has NaN or infinite features"
            + (f", and so have {len(bad) - 1} more" if len(bad) > 1 else "")
            + ": look at the loss (did it diverge?) or lower the learning rate"
        )
