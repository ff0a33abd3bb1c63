"""A data set of one set's training people and another's test people: training at any size, always the same test."""

import shutil
from pathlib import Path

import pandas as pd

from isp_assets.walkers.generate.records import read_table, save_table
from isp_core.errors import IspError


class JoinError(IspError):
    """Two data sets cannot be joined."""


def join_sets(train: Path, test: Path, out: Path) -> pd.DataFrame:
    """Copies the training split of `train` and the query and gallery of `test` into `out`; returns its table.

    Training people are renumbered behind the test people, in files and records. JoinError where `out` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise JoinError(f"{out} is not an empty folder; choose a new one")
    learned, tested = read_table(train), read_table(test)
    learned, tested = learned[learned["split"] == "train"], tested[tested["split"] != "train"]
    for folder, rows, what in ((train, learned, "training"), (test, tested, "test")):
        if rows.empty:
            raise JoinError(f"{folder} holds no {what} images")
    moved = _renumbered(learned, int(tested["identity"].max()))
    for folder, rows, targets in ((train, learned, moved), (test, tested, tested)):
        for column in ("path", "label"):
            for source, target in zip(rows[column], targets[column], strict=True):
                (out / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / source, out / target)
    table = pd.concat([moved, tested]).sort_values(["split", "path"], ignore_index=True)
    save_table(table, out)  # last: a copy that was interrupted has no table
    return table


def _renumbered(rows: pd.DataFrame, first: int) -> pd.DataFrame:
    """The rows of other people: `first` is added to every identity, in names too."""

    def moved(path: str) -> str:
        folder, _, name = path.rpartition("/")
        number, _, rest = name.partition("_")
        return f"{folder}/{int(number) + first:04d}_{rest}"

    alike = rows["look_alike"]
    return rows.assign(
        path=rows["path"].map(moved),
        label=rows["label"].map(moved),
        identity=rows["identity"] + first,
        look_alike=alike.where(alike == 0, alike + first),
    )
