"""Contact sheets: many images and their label maps on one page, to look at before believing."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from isp_assets.walkers.generate.picture import HEIGHT, WIDTH


def contact_sheet(folder: Path, records: pd.DataFrame, columns: int, labels: bool) -> Image.Image:
    """Images of `records` in reading order, each with its label map to the right where `labels`."""
    cell = WIDTH * (2 if labels else 1) + 4
    rows = int(np.ceil(len(records) / columns))
    sheet = Image.new("RGB", (columns * cell, rows * (HEIGHT + 4)), (40, 40, 40))
    for i, (path, label) in enumerate(zip(records["path"], records["label"], strict=True)):
        at = i % columns * cell, i // columns * (HEIGHT + 4)
        with Image.open(folder / path) as picture:
            sheet.paste(picture, at)
        if labels:
            with Image.open(folder / label) as parts:
                sheet.paste(parts.convert("RGB"), (at[0] + WIDTH, at[1]))
    return sheet
