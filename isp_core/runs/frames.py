"""The two tables of a run, metrics and records, read and checked: what a page or a tool may rely on of each."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from isp_core.runs import schema
from isp_core.runs.errors import RunError
from isp_core.runs.parquet import read_table
from isp_core.runs.schema import Split

_MAX_EPOCHS = 100_000  # rows of metrics
SPLITS: tuple[Split, ...] = (*schema.SPLITS, schema.VALIDATION)


def read_metrics(path: Path) -> pd.DataFrame:
    """The metrics of the run at `path`: numbers, one row per finished epoch, indexed by `epoch` in rising order."""
    file = path / schema.METRICS_FILE
    if not os.path.lexists(file):
        return pd.DataFrame(index=pd.Index([], name="epoch", dtype="int64"))
    table = read_table(file, root=path, rows=_MAX_EPOCHS)
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name]) and table[name].notna().any()]
    if "epoch" not in table or texts:
        what = f"column {texts[0]!r} holds no numbers" if texts else "it has no column 'epoch'"
        raise RunError(f"{file} is not a table of metrics: {what}")
    epochs = table["epoch"]
    whole = pd.api.types.is_integer_dtype(epochs) and not epochs.isna().any()
    if not whole or not epochs.between(0, schema.MAX_EPOCH).all() or not epochs.is_monotonic_increasing:
        raise RunError(f"{file}: its epochs are not rising whole numbers from 0 to {schema.MAX_EPOCH}")
    if epochs.duplicated().any():
        raise RunError(f"{file} has two rows of epoch {epochs[epochs.duplicated()].iloc[0]}")
    numbers = table.drop(columns="epoch").set_index(pd.Index(epochs.astype("int64"), name="epoch"))
    return numbers.astype({name: "float64" for name in numbers if numbers[name].dtype == object})


def read_records(path: Path) -> pd.DataFrame:
    """The images of the run at `path`: path, identity, camera, split, subset, and whatever else the data set had."""
    file = path / schema.RECORDS_FILE
    frame = read_table(file, root=path)
    missing = [column for column in schema.RECORD_COLUMNS if column not in frame]
    if missing:
        raise RunError(f"{file} has no column {', '.join(missing)}: copy it again from where the run was made")
    for column in ("identity", "camera"):
        if not pd.api.types.is_integer_dtype(frame[column]):
            raise RunError(f"{file}: column {column} holds {frame[column].dtype} values; whole numbers are needed")
    for column in ("path", "split", "subset"):
        if pd.api.types.is_numeric_dtype(frame[column]) or frame[column].isna().any():
            raise RunError(f"{file}: column {column} must hold a text in every row")
    strange = ~frame["split"].isin(SPLITS)
    if strange.any():
        raise RunError(f"{file}: {str(frame['split'][strange].iloc[0])[:40]!r} is no split ({', '.join(SPLITS)})")
    return frame
