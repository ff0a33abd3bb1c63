"""Label maps on disk find their pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isp_core.data import DataError, find_label_maps, load
from isp_core.images import read_label_map, resize_nearest
from tests.isp_core.data.examples import save_picture

RECORDS = pd.DataFrame({"path": ["bounding_box_train/0001_c1_1.jpg", "query/0002_c1_1.jpg"]})


@pytest.mark.parametrize(
    "places",
    [
        ["bounding_box_train_parsing_pgt/0001_c1_1.png", "query_parsing_pgt/0002_c1_1.png"],
        ["bounding_box_train/0001_c1_1.png", "query/0002_c1_1.png"],
        ["0001_c1_1.png", "0002_c1_1.png"],
        ["0001_c1_1.npy", "query/0002_c1_1.png"],
    ],
    ids=["SCHP", "same folders", "flat", "mixed"],
)
def test_every_customary_place_is_found(places: list[str], tmp_path: Path) -> None:
    for place in places:
        save_picture((tmp_path / place).with_suffix(".png"), mode="L").rename(tmp_path / place)
    assert find_label_maps(tmp_path, RECORDS) == [tmp_path / place for place in places]


def test_the_table_of_walkers_says_where(tmp_path: Path) -> None:
    pd.DataFrame({"path": RECORDS["path"], "label": ["labels/a.png", "labels/gone.png"]}).to_parquet(
        tmp_path / "records.parquet"
    )
    save_picture(tmp_path / "labels/a.png", mode="L")
    assert find_label_maps(tmp_path, RECORDS) == [tmp_path / "labels/a.png", None]


def test_pictures_that_are_png_themselves_are_not_taken_for_their_labels(tmp_path: Path) -> None:
    records = pd.DataFrame({"path": ["query/0002_c1_1.png"]})
    save_picture(tmp_path / "query/0002_c1_1.png")
    label = save_picture(tmp_path / "query_parsing_pgt/0002_c1_1.png", mode="L")
    assert find_label_maps(tmp_path, records) == [label]


def test_a_folder_without_any_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"bounding_box_train_parsing_pgt/0001_c1_1\.png or .* or 0001_c1_1\.png"):
        find_label_maps(tmp_path, RECORDS)
    with pytest.raises(DataError, match=r"would be a\.png$"):  # pictures in no folder: each place once
        find_label_maps(tmp_path, pd.DataFrame({"path": ["a.jpg"]}))
    with pytest.raises(DataError, match="no such folder of label maps"):
        find_label_maps(tmp_path / "none", RECORDS)


def test_maps_are_reduced_to_the_label_at_each_cells_centre(tmp_path: Path) -> None:
    full = np.zeros((8, 6), np.uint8)
    full[2, 1], full[2, 4], full[6, 1], full[6, 4] = 1, 2, 3, 4
    Image.fromarray(full).save(tmp_path / "a.png")
    assert resize_nearest(read_label_map(tmp_path / "a.png"), (2, 2)).tolist() == [[1, 2], [3, 4]]


def test_the_real_parser_labels_fit_their_pictures(shared_data: Path) -> None:
    data = load(shared_data / "cuhk03-np" / "labeled")
    query = data.split("query")
    paths = find_label_maps(data.root, query)
    assert all(path is not None for path in paths)
    maps = np.stack([resize_nearest(read_label_map(path), (64, 32)) for path in paths[:20] if path is not None])
    assert maps.shape == (20, 64, 32)
    assert 0.2 < (maps > 0).mean() < 0.8
