"""Two rankings of one query as a sheet (Figure 7) and as a table: what the Ranking page saves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from isp_app.drawing import figures
from isp_app.drawing.encode import Pixels
from isp_app.drawing.exports import Provenance, provenance
from isp_app.reading import people, pictures, runs_access
from isp_app.reading.ranking import Ranked
from isp_app.settings import Settings
from isp_core.runs import Run


@dataclass(frozen=True)
class Side:
    """One of the two rankings: a run, its epoch and its rule. name: all three in words. listed: the run's name."""

    run: Run
    epoch: int
    rule: str
    name: str
    listed: str = ""


def sheet(settings: Settings, lists: dict[Side, Ranked], query: pd.Series, count: int) -> Pixels:
    """Query on the left, the nearest on the right, a row a run: right ones in blue, wrong ones in orange dashes."""
    rows: list[list[Pixels | None]] = []
    in_order = sorted(lists, key=lambda side: side.run.info.parts > 0)  # the baseline first, as in the paper
    for side in in_order:
        ranked = lists[side]
        size = (round(64 * pictures.aspect(side.run)), 64)
        root = pictures.picture_root(side.run, settings)
        gallery, known = runs_access.records(side.run, "gallery"), runs_access.knows_people(side.run)
        first = pictures.read(root, str(query["path"]), size[1], size[0])
        tiles: list[Pixels | None] = [None if first is None else figures.framed(first, None)]
        for row in ranked.gallery[: min(count, 10)]:
            image = pictures.read(root, str(gallery["path"].iloc[row]), size[1], size[0])
            right = bool(gallery["identity"].iloc[row] == query["identity"])
            blank = np.full((*size, 3), 43, np.uint8)
            tiles.append(figures.framed(blank if image is None else image, right if known else None))
        rows.append(tiles)
    footer = ["Solid blue: the same person. Dashed orange: another person."]
    captions = [side.name.replace(", ", "\n") for side in in_order]
    return figures.sheet(rows, captions, ["query", *map(str, range(1, 11))], footer=footer)


def table(lists: dict[Side, Ranked], query: pd.Series, count: int) -> pd.DataFrame:
    """One row per image of each list, nearest first."""
    frames = []
    for side, ranked in lists.items():
        gallery = runs_access.records(side.run, "gallery").iloc[ranked.gallery[:count]]
        frames.append(
            pd.DataFrame(
                {
                    "list": side.name,
                    "query": str(query["path"]),
                    "rank": np.arange(1, len(gallery) + 1),
                    "image": gallery["path"].to_numpy(),
                    "identity": gallery["identity"].to_numpy(),
                    **people.column(gallery),
                    "camera": gallery["camera"].to_numpy(),
                    "distance": ranked.distances[:count],
                    "true_match": gallery["identity"].to_numpy() == query["identity"],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def sources(lists: dict[Side, Ranked], count: int) -> list[Provenance]:
    """Where each row of `table` comes from: rows of another list come from another run."""
    return [
        one
        for side, ranked in lists.items()
        for one in [provenance(side.run, side.epoch, "query")] * len(ranked.gallery[:count])
    ]
