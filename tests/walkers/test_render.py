"""From meshes to files: needs MakeHuman's CC0 meshes beside the checkout, and some seconds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

pytest.importorskip("numba")
from isp_assets.walkers.generate.dataset import Recipe, plan, render
from isp_assets.walkers.generate.library import Library
from isp_assets.walkers.generate.meshes import MeshError


def test_a_folder_without_meshes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match=r"base\.obj"):
        Library(tmp_path)


@pytest.mark.slow
def test_equal_seeds_give_equal_bytes_and_labels_that_fit(shared_data: Path, tmp_path: Path) -> None:
    if not (shared_data / "makehuman").is_dir():
        pytest.skip("no MakeHuman meshes in ../shared/data/makehuman")
    recipe = Recipe(train=2, test=2, extras=1)
    shots = [shot for shot in plan(recipe) if shot.camera == 1 and not shot.occlusion][:2]
    tables = []
    for name in ("first", "second"):
        tables.append(render(recipe, Library(shared_data / "makehuman"), tmp_path / name, shots))
    pd.testing.assert_frame_equal(tables[0], tables[1])
    for row in tables[0].to_dict("records"):
        for path in (row["path"], row["label"]):
            assert (tmp_path / "first" / path).read_bytes() == (tmp_path / "second" / path).read_bytes()
        label = np.asarray(Image.open(tmp_path / "first" / row["label"]))
        person = (label > 0).mean()
        assert 0.1 < person < 0.6
        rows, _ = np.nonzero(label)
        heads, shoes = np.nonzero(np.isin(label, (1, 2, 13)))[0], np.nonzero(np.isin(label, (18, 19)))[0]
        assert heads.mean() < rows.mean() < shoes.mean()  # heads up, shoes down
        assert row["visible"] >= 0.9
