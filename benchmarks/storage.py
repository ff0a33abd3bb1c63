"""Images from the disk, and the run directory: what a reader waits for. Files come from the system's cache."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torchvision.transforms import v2

from benchmarks.ranking import random_embeddings
from benchmarks.rows import Machine, Row, best_of
from isp_core.data.batches import EpochBatches
from isp_core.data.pictures import PictureCache
from isp_core.data.transforms import TrainTransform
from isp_core.models import ISPNet, NetworkSpec, map_size, normalisation
from isp_core.runs.embeddings import read_embeddings, write_embeddings
from isp_core.runs.maps import read_history, read_maps, write_maps
from isp_core.runs.writer import RunWriter

SIZE, FILE_SIZE = (256, 128), (128, 64)
PARTS, TRAINING, EPOCHS, TEST = 7, 12936, 120, 19281  # Market-1501: images to train on, query and gallery


def pictures(_machine: Machine, quick: bool) -> Iterator[Row]:
    """Image loading: decoding, the cache of decoded images, and whole augmented batches."""
    count = 64 if quick else 512
    rng = np.random.default_rng(0)
    by = normalisation("mobilenetv2_100")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.jpg" for i in range(count)]
        for path in paths:
            smooth = rng.integers(0, 256, (16, 8, 3), np.uint8)
            Image.fromarray(smooth).resize(FILE_SIZE[::-1], Image.Resampling.BICUBIC).save(path, quality=95)
        plain = v2.Compose([v2.ToImage(), v2.Resize(SIZE), v2.ToDtype(torch.float32, scale=True)])

        def theirs() -> None:
            for path in paths:
                with Image.open(path) as image:
                    plain(image.convert("RGB"))

        def touch(cache: PictureCache) -> None:
            for row in range(count):
                cache[row]

        cold, warm = PictureCache(paths, SIZE, 0), PictureCache(paths, SIZE)
        labels = rng.integers(0, PARTS, (count, *map_size(SIZE))).astype(np.uint8)
        transform = TrainTransform(SIZE, map_size(SIZE), by.mean, by.std)
        plan = [list(range(start, start + 64)) for start in range(0, count, 64)]
        epoch = EpochBatches(warm, np.zeros(count, np.int64), labels, plan, transform, 0, 1)

        def batches() -> None:
            for index in range(len(epoch)):
                epoch[index]

        each = best_of(2 if quick else 3, partial(touch, cold), partial(touch, warm), batches, theirs)
        size = f"{count} JPEGs of {FILE_SIZE[0]} x {FILE_SIZE[1]} to {SIZE[0]} x {SIZE[1]}"
        for name, seconds in zip(("decode", "from the cache", "augmented batches"), each, strict=False):
            yield Row(name, size, seconds, "torchvision, no cache", each[-1], note=f"{count / seconds:.0f} a second")


def run_directory(_machine: Machine, quick: bool) -> Iterator[Row]:
    """Label maps of an epoch, one image's over all epochs, embeddings, a checkpoint; against NumPy's raw files."""
    count, epochs, test = (1000, 20, 2000) if quick else (TRAINING, EPOCHS, TEST)
    maps, vectors = label_maps(count), random_embeddings(test, 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / f"epoch_{epoch:04d}.h5" for epoch in range(epochs)]
        raw = folder / "raw.npy"

        def write() -> None:
            write_maps(files[0], [(np.arange(count), maps)], count)

        ours, theirs = best_of(1 if quick else 2, write, partial(np.save, raw, maps))
        size = f"{count} maps of {maps.shape[1]} x {maps.shape[2]}"
        yield Row("write label maps", size, ours, "raw", theirs, note=f"{files[0].stat().st_size / 1e6:.1f} MB")
        ours, theirs = best_of(2, partial(read_maps, files[0]), partial(np.load, raw))
        yield Row("read label maps", size, ours, "raw", theirs)
        for file in files[1:]:
            os.link(files[0], file)
        (ours,) = best_of(3, partial(read_history, files, count // 2))
        yield Row("one picture, all epochs", f"{epochs} epochs, {size}", ours, note="target: under 50 ms")

        stored = folder / "gallery.safetensors"
        ours, theirs = best_of(
            1 if quick else 2, partial(write_embeddings, stored, vectors), partial(np.save, raw, vectors.parts)
        )
        size = f"{test} pictures, K = {PARTS}"
        note = f"{stored.stat().st_size / test:.0f} bytes a picture"
        yield Row("write embeddings", size, ours, "raw parts in float32", theirs, note=note)
        (ours,) = best_of(2, partial(read_embeddings, stored, test))
        yield Row("read embeddings", size, ours)

        spec = NetworkSpec("mobilenetv2_100", 16, (5,), 16, None, False, "none", "linear", "map", PARTS, 751)
        network = ISPNet(spec, weights="none")
        state = {"optimizer": torch.optim.Adam(network.parameters()).state_dict()}
        writer, weights = RunWriter(folder / "run"), network.state_dict()
        (ours,) = best_of(2, partial(writer.write_checkpoint, 1, weights, state))
        nbytes = sum(tensor.nbytes for tensor in weights.values())
        yield Row("write a checkpoint", f"mobilenetv2_100, {nbytes / 1e6:.0f} MB", ours)


def label_maps(count: int) -> npt.NDArray[np.uint8]:
    """(count, 64, 32): seven smooth regions, which compress about as pseudo-labels do."""
    rng = np.random.default_rng(0)
    height = np.linspace(0, 5.999, map_size(SIZE)[0])[None, :, None] + rng.normal(0, 0.2, (count, *map_size(SIZE)))
    across = np.abs(np.linspace(-1, 1, map_size(SIZE)[1]))[None, None, :]
    edge = 0.5 + 0.15 * rng.standard_normal((count, map_size(SIZE)[0], 1)).cumsum(1) / 8
    inside = 1 + height.clip(0, 5.99).astype(np.uint8)
    return np.where(across < edge, inside, 0).astype(np.uint8)
