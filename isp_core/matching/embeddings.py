"""What a network says of images, row by row: features, and what visibility is decided from. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isp_core.array_repr import array_repr
from isp_core.errors import IspError

Array = npt.NDArray[np.generic] | Tensor


@dataclass(frozen=True, repr=False)
class Embeddings:
    """Features of N images, in NumPy arrays or tensors of any float type.

    A network without parts has foreground (N, 0) and parts (N, 0, 0); the terms of what is absent drop out of Eq. 10.

    global_ (N, C); foreground (N, C'); parts (N, K-1, C''); visibility (N, K-1): flags l_k (bool, Eq. 8), or weights in
    [0, 1] of a soft rule (isp_core.matching.visibility_rules);
    part_share (N, K-1): share of the image's pixels whose most likely part is k, in [0, 1].
    part_peak (N, K-1): the highest probability of part k at any pixel, in [0, 1]; None where it was not kept.
    """

    global_: Array
    foreground: Array
    parts: Array
    visibility: Array
    part_share: Array
    part_peak: Array | None = None
    __repr__ = array_repr

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
        """The embeddings of some images; a slice or an array of positions."""
        taken: dict[str, Any] = {}
        for each in fields(self):
            array = getattr(self, each.name)
            taken[each.name] = None if array is None else array[rows]
        return Embeddings(**taken)

    @classmethod
    def join(cls, several: Sequence[Embeddings]) -> Embeddings:
        """Images of one network, held in several pieces of NumPy arrays, one after the other."""
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
        """The same features, a part counting as visible only from a share of the image's pixels on.

        Eq. 8 is `minimum_share` = 0: one pixel is enough.
        """
        share = as_tensor(self.part_share)
        visible = share >= minimum_share if minimum_share > 0 else share > 0
        return replace(self, visibility=visible.numpy(force=True))

    def seen_with(self, probability: float) -> Embeddings:
        """The same features, a part counting as visible where some pixel gives it at least this probability (Eq. 5),
        whether or not another part is likelier there. IspError where probabilities were not kept.
        """
        if self.part_peak is None:
            raise IspError("these embeddings do not hold the parts' probabilities: make them again from the weights")
        return replace(self, visibility=(as_tensor(self.part_peak) >= probability).numpy(force=True))


def as_tensor(array: Array) -> Tensor:
    """The array as a tensor without gradient; memory is shared where possible."""
    return array.detach() if isinstance(array, Tensor) else torch.from_numpy(np.ascontiguousarray(array))
