"""What leaves the app: CSV, JSON and PNG that say what they were made from: run, epoch, K, split, weights, schema."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd
from PIL import Image, PngImagePlugin

from isp_app.drawing.encode import Pixels
from isp_core.json_text import json_text
from isp_core.runs import Run
from isp_core.runs.checksums import sha256
from isp_core.runs.schema import WEIGHTS_FILE
from isp_core.tables import to_csv


@dataclass(frozen=True)
class Provenance:
    """Where a figure comes from. checkpoint: SHA-256 of the epoch's weights, "" where they were not kept."""

    run: str
    epoch: int | str | None  # words where it is that of a difference
    K: int | str
    split: str
    checkpoint: str
    schema: str
    data_fingerprint: str

    @property
    def stem(self) -> str:
        """The start of a file name."""
        epoch = "" if self.epoch is None else f"_epoch{self.epoch}"
        return f"{self.run}{epoch}_{self.split}"


def provenance(run: Run, epoch: int | None, split: str) -> Provenance:
    """Where figures of this run, epoch and split come from."""
    folder = None if epoch is None else run.checkpoint(epoch)
    checkpoint = ""
    if folder is not None:
        checkpoint = sha256(folder / WEIGHTS_FILE)
    info = run.info
    return Provenance(run.name, epoch, info.parts, split, checkpoint, info.schema_version, info.data.fingerprint)


def difference(one: Provenance, other: Provenance) -> Provenance:
    """Where the difference of two figures comes from: what both share, else both, as "one - other"."""
    pairs = {field.name: (getattr(one, field.name), getattr(other, field.name)) for field in fields(Provenance)}
    return Provenance(**{name: a if a == b else f"{a} - {b}" for name, (a, b) in pairs.items()})


def csv(table: pd.DataFrame, source: Provenance | Sequence[Provenance], rule: str | Sequence[str] = "") -> bytes:
    """The table with its provenance in columns of every row, so that rows of several files can be put together.

    source, rule: one for all rows, or one per row where rows come from several runs, epochs or splits.
    """
    sources = [source] * len(table) if isinstance(source, Provenance) else list(source)
    if len(sources) != len(table):
        raise ValueError(f"{len(sources)} provenances for {len(table)} rows")
    columns = {field.name: [getattr(one, field.name) for one in sources] for field in fields(Provenance)}
    return to_csv(table.assign(**columns, **({"rule": rule if isinstance(rule, str) else list(rule)} if rule else {})))


def document(content: dict[str, object], source: Provenance, rule: str = "") -> bytes:
    """A JSON document with its provenance."""
    whole = {"source": asdict(source), **({"rule": rule} if rule else {}), **content}
    return json_text(whole, indent=1).encode("utf-8")


def picture(pixels: Pixels, source: Provenance, title: str) -> bytes:
    """An RGB PNG (h, w, 3) that carries its provenance as text chunks."""
    return _png(Image.fromarray(pixels), source, title)


def mask(labels: Pixels, colours: Pixels, source: Provenance, title: str) -> bytes:
    """A label map (h, w) as a PNG whose palette is `colours` (256, 3): its values are the labels, and any viewer shows
    them in the parts' colours."""
    image = Image.frombytes("P", (labels.shape[1], labels.shape[0]), np.ascontiguousarray(labels).tobytes())
    image.putpalette(colours.tobytes())
    return _png(image, source, title)


def _png(image: Image.Image, source: Provenance, title: str) -> bytes:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Title", title)
    for name, value in asdict(source).items():
        notes.add_text(name, "" if value is None else str(value))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=notes)
    return buffer.getvalue()
