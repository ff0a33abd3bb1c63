"""What a run and its network see, as PIL images and Plotly figures: three lines in a notebook.

>>> from isp_core.parser import HumanParser
>>> parser = HumanParser.load("runs/mine")                                      # doctest: +SKIP
>>> overlay("a.jpg", parser.parse("a.jpg").labels[0], run_palette("runs/mine"))  # doctest: +SKIP
>>> terms(parser.match("a.jpg", "b.jpg"))                                       # doctest: +SKIP

Images may be whatever `HumanParser` takes: paths, PIL images, arrays, tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from isp_core.data.pictures import Picture, as_image
from isp_core.errors import IspError
from isp_core.noted_parts import part_classes, read_document
from isp_core.palette import Palette, assign, mean_heights
from isp_core.paths import written
from isp_core.runs import Run, open_run
from isp_core.runs.maps import CHUNK
from isp_core.runs.schema import MapKind, Split

if TYPE_CHECKING:  # plotly and torch take a second each, and images need neither
    from plotly.graph_objects import Figure

    from isp_core.matching import Explanation

Labels = npt.NDArray[np.uint8]
_KINDS: dict[MapKind, tuple[Split, ...]] = {"train": ("train",), "test": ("query", "gallery")}
_HEIGHT_CHUNKS = 64  # of label maps, enough for a mean height


def palette_of(labels: Labels) -> Palette:
    """Colours for the parts of label maps (n, h, w) or (h, w) by their mean height: no ground truth is asked."""
    maps = labels if labels.ndim == 3 else labels[None]
    parts = int(maps[maps != 255].max(initial=0)) + 1
    return assign(mean_heights(maps, parts))


def run_palette(run: Run | str | Path) -> Palette:
    """One palette for all images and epochs of a run: by the body parts that were assigned to its parts where training
    was given ground truth, by the parts' mean height in its last label maps otherwise.

    Heights are those of the last epoch's maps, of training images where there are any, so that colours do not change
    from epoch to epoch; of large data sets a sample is read.
    """
    return assign(*part_facts(run if isinstance(run, Run) else open_run(run)))


def part_facts(run: Run) -> tuple[list[float], dict[int, str]]:
    """What names and colours of a run's parts follow from: the mean height of each part (0 top, 1 bottom; NaN where it
    is unknown), and the body parts that were assigned to parts."""
    heights = [float("nan")] * max(0, run.info.parts - 1)
    for kind, splits in _KINDS.items():
        if epochs := run.label_epochs(kind):
            count = sum(run.count(split) for split in splits)
            chunks = np.random.default_rng(0).permutation(-(-count // CHUNK))[:_HEIGHT_CHUNKS]
            rows = np.sort((chunks[:, None] * CHUNK + np.arange(CHUNK)).ravel())
            heights = mean_heights(run.labels(kind, epochs[-1], rows[rows < count]), run.info.parts)
            break
    return heights, part_classes(read_document(run), run.info.parts)


def label_image(labels: Labels, palette: Palette | None = None, size: tuple[int, int] | None = None) -> Image.Image:
    """A label map (h, w) as a palette image whose values are the labels, at `size` (width, height) where given."""
    if labels.ndim != 2:
        raise IspError(f"a label map has the shape (h, w); got {labels.shape}")
    image = Image.fromarray(labels)
    image.putpalette((palette or palette_of(labels)).table().flatten().tolist())
    return image if size is None else image.resize(size, Image.Resampling.NEAREST)


def save_label_map(
    labels: Labels, file: Path, palette: Palette | None = None, size: tuple[int, int] | None = None
) -> None:
    """Writes `label_image` as PNG, making the folder where needed. PathError where it cannot be written."""
    image = label_image(labels, palette, size)
    with written(file):
        image.save(file, "PNG", optimize=True)


def overlay(picture: Picture, labels: Labels, palette: Palette | None = None, opacity: float = 0.55) -> Image.Image:
    """The image with its parts tinted; background and ignored pixels stay as they are. opacity in [0, 1]."""
    if not 0 <= opacity <= 1:
        raise IspError(f"opacity lies in [0, 1]; got {opacity}")
    image = as_image(picture)
    shown = label_image(labels, palette, image.size)
    mask = np.asarray(shown)
    weight = np.where((mask == 0) | (mask == 255), 0, round(255 * opacity)).astype(np.uint8)
    return Image.composite(shown.convert("RGB"), image, Image.fromarray(weight))


def strip(pictures: Sequence[Picture], gap: int = 4) -> Image.Image:
    """Images side by side at the height of the first: a film strip of epochs, or a row of a figure."""
    if not len(pictures):
        raise IspError("a strip needs at least one image")
    images = [as_image(picture) for picture in pictures]
    height = images[0].height
    scaled = [image.resize((max(1, round(image.width * height / image.height)), height)) for image in images]
    sheet = Image.new("RGB", (sum(each.width + gap for each in scaled) - gap, height), "white")
    left = 0
    for each in scaled:
        sheet.paste(each, (left, 0))
        left += each.width + gap
    return sheet


def film(run: Run | str | Path, row: int, kind: MapKind = "train", height: int = 128) -> Image.Image:
    """The label maps of one image (its row in the run's records of that kind) over all epochs, side by side, each
    `height` pixels tall."""
    run = run if isinstance(run, Run) else open_run(run)
    _, maps = run.label_history(kind, row)
    size = (max(1, round(height * maps.shape[2] / maps.shape[1])), height)
    palette = run_palette(run)
    return strip([label_image(labels, palette, size).convert("RGB") for labels in maps])


def curves(run: Run | str | Path, names: Sequence[str] = ("loss_total", "mAP", "churn")) -> Figure:
    """Columns of a run's metrics over its epochs, a Plotly figure; epochs without a value are left out."""
    import plotly.graph_objects as go

    run = run if isinstance(run, Run) else open_run(run)
    metrics = run.metrics()
    unknown = [name for name in names if name not in metrics]
    if unknown:
        raise IspError(f"{run.path} has no metric {unknown[0]!r}; it has {', '.join(metrics.columns)}")
    figure = go.Figure(layout={"xaxis_title": "epoch", "title": run.name})
    for name in names:
        values = metrics[name].dropna()
        figure.add_scatter(x=values.index.tolist(), y=values.tolist(), name=name, mode="lines+markers")
    return figure


def terms(explanation: Explanation, pair: int = 0) -> Figure:
    """The terms of Eq. 10 of one pair, a Plotly figure: parts that both images do not show do not count and are
    pale."""
    import plotly.graph_objects as go

    shared = explanation.shared[pair]
    parts = [f"part {k}" for k in range(1, len(shared) + 1)]
    values = [explanation.d_global[pair], explanation.d_foreground[pair], *explanation.d_parts[pair]]
    bar = {
        "x": ["global", "foreground", *parts],
        "y": [float(value) for value in values],
        "marker_opacity": [1.0, 1.0, *np.where(shared, 1.0, 0.25).tolist()],
    }
    title = f"distance {explanation.distance[pair]:.3f} (Eq. 10)"
    return go.Figure(go.Bar(**bar), layout={"title": title, "yaxis_title": "distance"})
