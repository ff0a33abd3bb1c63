"""The first stage as a normalised cut (Shi and Malik, 2000) of an identity's pixels: beyond the paper, no constant.

Two pixels are as alike as their features point the same way: W = (1 + cos) / 2, in [0, 1]. That matrix has rank c + 1,
so that the cut of all pixels is found exactly and none of its m x m entries is ever computed: W = B B^T with
B = [1, F] / sqrt(2) and F the l2-normalised features.
"""

from __future__ import annotations

import math

import scipy.linalg
import torch
from torch import Tensor
from torch.nn import functional as F

from isp_core.clustering.errors import ClusteringError
from isp_core.clustering.maps import check_finite, check_maps, norms


@torch.no_grad()
def normalised_cut(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Foreground (n, h, w) bool of the maps (n, c, h0, w0) of one identity; size: (h, w), no smaller than the maps'.

    All n h0 w0 pixels are cut in two, and the two-way vector is upsampled bilinearly to `size`. The side of higher mean
    activation (Eq. 3) is the foreground, as in the paper. Where all features point the same way there is nothing to
    cut, and all is background. Raises ClusteringError for NaN or infinite features.
    """
    check_maps(maps)
    n, c, h, w = maps.shape
    if size[0] < h or size[1] < w:
        raise ClusteringError(f"maps of {h} x {w} cannot be cut at the smaller size {size[0]} x {size[1]}")
    lengths = norms(maps, (h, w))
    check_finite(lengths.flatten(1).amax(1))
    features = F.normalize(maps.permute(0, 2, 3, 1).reshape(-1, c).double(), dim=1)  # (m, c)
    vector = second_vector(features)
    if vector is None:
        return torch.zeros(n, *size, dtype=torch.bool, device=maps.device)
    threshold = best_split(vector, features)
    peaks = lengths.flatten(1).amax(1).clamp(min=torch.finfo(lengths.dtype).tiny)
    active = (lengths / peaks[:, None, None]).flatten()
    above = vector > threshold
    if active[above].mean() < active[~above].mean():
        vector, threshold = -vector, -threshold
    scores = vector.view(n, 1, h, w)
    large = F.interpolate(scores, size=tuple(size), mode="bilinear", align_corners=False)[:, 0]
    return large > threshold


def second_vector(features: Tensor) -> Tensor | None:
    """The second generalised eigenvector y of (D - W) y = lambda D y: unit features (m, c) float64 -> (m,).

    None where the features do not differ. Its sign means nothing.
    """
    base = torch.cat([torch.ones_like(features[:, :1]), features], dim=1) / 2**0.5  # (m, c + 1): W = base base^T
    degree = base @ base.sum(0)  # (m,), at least 1/2
    scaled = base / degree.sqrt()[:, None]
    gram = (scaled.T @ scaled).cpu().numpy()  # its eigenvalues are those of D^-1/2 W D^-1/2; the largest is 1
    last = len(gram) - 1
    values, vectors = scipy.linalg.eigh(gram, subset_by_index=[last - 1, last])
    if values[0] < 1e-9:
        return None
    vector: Tensor = scaled @ torch.from_numpy(vectors[:, 0]).to(scaled)
    return vector / (math.sqrt(values[0]) * degree.sqrt())


def best_split(vector: Tensor, features: Tensor) -> float:
    """The threshold on the vector (m,) at which the normalised cut of the unit features (m, c) is smallest.

    Ncut(A, B) = W(A, B) / W(A, all) + W(A, B) / W(B, all), for all m - 1 splits of the sorted vector at once.
    """
    order = vector.argsort()
    ordered = features[order]
    below = ordered.cumsum(0)[:-1]  # (m - 1, c): sum of the features of A
    whole = features.sum(0)
    counts = torch.arange(1, len(vector), device=vector.device, dtype=features.dtype)
    of_all = (len(vector) * counts + below @ whole) / 2  # W(A, all)
    within = (counts.square() + below.square().sum(1)) / 2  # W(A, A)
    total = (len(vector) ** 2 + whole @ whole) / 2
    across = of_all - within
    costs = across / of_all + across / (total - of_all)
    values = vector[order]
    costs[values[1:] == values[:-1]] = torch.inf  # equal values are not parted
    best = int(costs.argmin())
    return float((values[best] + values[best + 1]) / 2)
