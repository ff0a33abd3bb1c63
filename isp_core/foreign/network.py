"""What labels ask of a network, answered by one that we did not make: its feature map, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from isp_core.errors import IspError
from isp_core.foreign.description import load_network_description
from isp_core.foreign.files import open_network_file, wanted_outputs
from isp_core.models import map_size
from isp_core.network_input import Layout
from isp_core.text_files import shown

BATCH = 16
"""Images that are read at once, where the file allows it."""


class ForeignNetwork:
    """A network with a description: images in, its feature map out.

    size: height and width of its input. channels, grid: of its map. embedding_width: numbers of its own feature of a
    whole image, None where it has none. batch: images that it reads at once.

    It is tried when it is opened, on two made-up images, so that what is wrong with it is said before a data set is
    read.

    >>> network = ForeignNetwork(Path("osnet.yaml"))                      # doctest: +SKIP
    >>> network.channels, network.grid                                    # doctest: +SKIP
    (512, (16, 8))
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Opens a description and its file.

        Args:
            path: the YAML file.
            threads: of onnxruntime; 0 for all cores.

        Raises:
            IspError: an entry of the description, or what the file gives, is wrong; it is named, with the way out.
        """
        self.path = path
        self.description, self.file = load_network_description(path)
        self._opened = open_network_file(self.file, self.description, threads)
        self.size = self.description.input.size
        self.batch = self._opened.batch or 1
        rng = np.random.default_rng(0)
        tried = torch.from_numpy(rng.random((2, 3, *self.size), np.float32))
        maps, own = self.read(tried)
        if self._opened.batch is None and self._reads_batches(tried, maps):
            self.batch = BATCH
        self.channels, self.grid = maps.shape[1], (maps.shape[2], maps.shape[3])
        self.embedding_width = None if own is None else own.shape[1]

    @property
    def name(self) -> str:
        """As the description calls it."""
        return self.description.name

    def summary(self) -> str:
        """Its map and its feature, in words: "feature map of 512 channels, 16 x 8 cells of 16 x 16 pixels; ..."."""
        (rows, columns), (height, width) = self.grid, self.size
        cell = f"{height / rows:.3g} x {width / columns:.3g}"
        feature = "the mean of the map" if self.embedding_width is None else f"its own, {self.embedding_width} numbers"
        alone = "; reads one image at a time" if self.batch == 1 else ""
        return (
            f"feature map of {self.channels} channels, {rows} x {columns} cells of {cell} pixels; "
            f"global feature: {feature}{alone}"
        )

    def eval(self) -> ForeignNetwork:
        """Itself: a file does not learn."""
        return self

    def clustered_maps(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, 3, H, W) in [0, 1] -> the feature map (n, C, h, w) on its own grid, but not finer than label maps.

        Images of another size are resized to the network's.
        """
        maps, _ = self.read(images)
        return maps

    def backbone(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The feature map as the only stage of a backbone."""
        return [self.clustered_maps(images)]

    def read(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Images (n, 3, H, W) in [0, 1] -> maps (n, C, h, w) and the network's own feature (n, D), if it has one.

        Raises:
            IspError: an output is not what the description says, or holds values that are not finite.
        """
        if tuple(images.shape[2:]) != self.size:
            images = F.interpolate(images, self.size, mode="bilinear", align_corners=False, antialias=True)
        pixels = (images.float() * 255).permute(0, 2, 3, 1).cpu().numpy()
        maps, own = [], []
        for start in range(0, len(pixels), self.batch):
            found, feature = self._run(pixels[start : start + self.batch])
            maps.append(found)
            own += [] if feature is None else [feature]
        whole = torch.from_numpy(np.concatenate(maps))
        finest = map_size(self.size)
        if whole.shape[2] > finest[0] or whole.shape[3] > finest[1]:
            whole = F.adaptive_avg_pool2d(whole, finest)
        return whole, torch.from_numpy(np.concatenate(own)) if own else None

    def _run(self, pixels: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        count = len(pixels)
        if count < self.batch and self._opened.batch is not None:  # the file takes no fewer
            pixels = np.concatenate([pixels, np.repeat(pixels[-1:], self.batch - count, axis=0)])
        found = self._opened.run(self.description.input.enter(pixels))
        maps = self._checked_map(found[0], len(pixels))[:count]
        feature = self._checked_feature(found[1], len(pixels))[:count] if len(found) > 1 else None
        return maps, feature

    def _checked_map(self, array: npt.NDArray[Any], count: int) -> npt.NDArray[np.float32]:
        name, layout = self._said("map"), self.description.output.layout
        if array.ndim != 4 or array.shape[0] != count:
            raise IspError(
                f"{name} has the shape {array.shape} for {count} images; a feature map has four axes, "
                "(images, channels, height, width) or the channels last: name another output, one before the pooling"
            )
        maps = array if layout == "NCHW" else array.transpose(0, 3, 1, 2)
        if not _covers(maps.shape[2:], self.size):
            other: Layout = "NHWC" if layout == "NCHW" else "NCHW"
            swapped = array.shape[1:3] if other == "NHWC" else array.shape[2:]
            hint = f": output.layout is {other}" if _covers(swapped, self.size) else ": name another output"
            raise IspError(
                f"{name} has the shape {array.shape}, as {layout} {maps.shape[2]} x {maps.shape[3]} cells, "
                f"which is no map of images of {self.size[0]} x {self.size[1]}{hint}"
            )
        return self._finite(maps, name)

    def _checked_feature(self, array: npt.NDArray[Any], count: int) -> npt.NDArray[np.float32]:
        name = self._said("embedding")
        flat = array.reshape(count, -1) if array.ndim and array.shape[0] == count else array
        if flat.ndim != 2 or flat.shape[1] != max(array.shape[1:], default=0):
            raise IspError(
                f"{name} has the shape {array.shape}; one row of numbers per image is needed: name another "
                "output, or leave output.embedding out (the mean of the map is taken then)"
            )
        return self._finite(flat, name)

    def _finite(self, array: npt.NDArray[Any], name: str) -> npt.NDArray[np.float32]:
        if not np.isfinite(array).all():
            raise IspError(
                f"{name} holds values that are not finite (NaN or infinite): compare input.scale and shift, or mean "
                "and std, with what the network was trained with, or export it in float32"
            )
        return np.ascontiguousarray(array, np.float32)

    def _said(self, what: str) -> str:
        wanted = dict(zip(("map", "embedding"), wanted_outputs(self.description), strict=False))[what]
        return f"{shown(self.file)}: output {wanted!r} (output.{what} of {shown(self.path)})"

    def _reads_batches(self, images: torch.Tensor, alone: torch.Tensor) -> bool:
        """Whether two images at once give what they give one by one; exports are often made for one image."""
        self.batch = len(images)
        try:
            together, _ = self.read(images)
            return bool(torch.allclose(together, alone, rtol=1e-2, atol=1e-3 * float(alone.abs().max())))
        except IspError:
            return False
        finally:
            self.batch = 1


def _covers(grid: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether a grid of cells can be that of an image: some cells each way, of about the same stride each way."""
    rows, columns = grid
    if min(grid) < 1 or rows * columns < 2 or rows > size[0] or columns > size[1]:
        return False
    stride = size[0] / rows, size[1] / columns
    return abs(size[1] / stride[0] - columns) <= 1 or abs(size[0] / stride[1] - rows) <= 1
