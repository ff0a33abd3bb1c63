"""Makes the figures of the site from the embedded study: `make figures` (python docs/figures.py docs/figures).

The people in them are rendered, so the figures may be part of the repository. Images are chosen by name, not by result.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from isp_core.data import load
from isp_core.data.records import DataSet
from isp_core.drawing import overlay, run_palette, strip
from isp_core.matching import Embeddings
from isp_core.pair_sheet import pair_sheet, terms_of
from isp_core.palette import Palette
from isp_core.parser import HumanParser
from isp_core.runs import Run, open_run

STUDY = Path(__file__).resolve().parents[1] / "assets"
RUN, DATA = STUDY / "runs" / "contrast-k6", STUDY / "walkers"
HEIGHT = 192
BACKPACK = "0019_c4s1_006030_01.jpg"
TRAINING = (BACKPACK, "0001_c2s1", "0030_c")
"""Beginnings of the names of three training images: one chosen for its backpack, two by their number."""
QUERY = "query_occluded/0049"
GAP, WHITE = 6, "white"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    run, data = open_run(RUN), load(DATA)
    palette = run_palette(run)
    figures = {
        "rounds": rounds(run, data, palette),
        "stages": stages(run, data, palette),
        "query": query(data, palette),
        "pair": pair(data, palette),
    }
    for name, figure in figures.items():
        figure.save(out / f"{name}.png", optimize=True)
        print(out / f"{name}.png", *figure.size)


def rounds(run: Run, data: DataSet, palette: Palette) -> Image.Image:
    """One row per training image: the image, then its pseudo-labels at every labelled epoch that the run keeps."""
    rows = []
    paths = training_paths(run)
    for row in (row_of(paths, name) for name in TRAINING):
        image = opened(data, paths[row])
        _, maps = run.label_history("train", row)
        rows.append(strip([image, *(overlay(image, each, palette, 0.75) for each in maps)], GAP))
    return stacked(rows)


def stages(run: Run, data: DataSet, palette: Palette) -> Image.Image:
    """Two training images side by side: image, activation (Eq. 3), pseudo-labels, at the last labelled epoch."""
    epoch = run.label_epochs("train")[-1]
    paths = training_paths(run)
    pieces: list[Image.Image] = []
    for row in (row_of(paths, name) for name in TRAINING[:2]):
        image = opened(data, paths[row])
        activation = run.activation(epoch, [row])
        assert activation is not None, "the embedded run stores its activation"
        grey = Image.fromarray(np.round(255 * activation[0]).astype(np.uint8)).resize(
            image.size, Image.Resampling.BILINEAR
        )
        labels = run.labels("train", epoch, [row])[0]
        pieces += [image, grey.convert("RGB"), overlay(image, labels, palette, 0.75)]
    return strip(pieces, GAP)


def query(data: DataSet, palette: Palette) -> Image.Image:
    """An occluded query and three gallery images of the same person, and below them the parts that are predicted."""
    images = [opened(data, path) for path in (occluded_query(data), *gallery_of(data, occluded_query(data))[:3])]
    seen = HumanParser.load(RUN).read(images)
    parts = [overlay(image, labels, palette, 0.75) for image, labels in zip(images, seen.labels, strict=True)]
    return stacked([strip(images, GAP), strip(parts, GAP)])


def pair(data: DataSet, palette: Palette) -> Image.Image:
    """The occluded query beside one gallery image, with the terms of Eq. 10: what `isp match` saves."""
    first = opened(data, occluded_query(data), None)
    second = opened(data, gallery_of(data, occluded_query(data))[0], None)
    parser = HumanParser.load(RUN)
    seen = parser.read([first, second])
    halves: tuple[Embeddings, Embeddings] = (seen.embeddings[:1], seen.embeddings[1:])
    explanation = parser.match(*halves)
    terms = terms_of(explanation, palette)
    return pair_sheet((first, second), (seen.labels[0], seen.labels[1]), terms, float(explanation.distance[0]), palette)


def training_paths(run: Run) -> list[str]:
    return run.records("train")["path"].tolist()


def row_of(paths: Sequence[str], beginning: str) -> int:
    """The first row whose file's name begins with these words."""
    return next(row for row, path in enumerate(paths) if Path(path).name.startswith(beginning))


def occluded_query(data: DataSet) -> str:
    return next(path for path in data.split("query")["path"] if path.startswith(QUERY))


def gallery_of(data: DataSet, path: str) -> list[str]:
    """Gallery images of the person of a query."""
    queries = data.split("query")
    person = queries.loc[queries["path"] == path, "identity"].iloc[0]
    gallery = data.split("gallery")
    return gallery.loc[gallery["identity"] == person, "path"].tolist()


def opened(data: DataSet, path: str, height: int | None = HEIGHT) -> Image.Image:
    image = Image.open(data.root / path).convert("RGB")
    return image if height is None else image.resize((image.width * height // image.height, height))


def stacked(rows: Sequence[Image.Image]) -> Image.Image:
    """Images below each other."""
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height + GAP for row in rows) - GAP), WHITE)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + GAP
    return sheet


if __name__ == "__main__":
    main()
