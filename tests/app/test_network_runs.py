"""Runs of another network's feature maps (`isp label --network`): pages show them, and none calls them trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isp_core.data.records import DataSet
from isp_core.foreign.labels import label_by_network
from isp_core.foreign.network import ForeignNetwork
from isp_core.labelling.sources import options_of
from isp_core.runs import Run, open_run
from isp_eval.studies.rows import TABLES, belongs
from tests.app.conftest import PAGES, Open, words
from tests.isp_core.foreign.made import describe, save_onnx


@pytest.fixture(scope="module")
def run(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The drawn people by a tiny network, with ground truth where the drawn runs have it."""
    folder = tmp_path_factory.mktemp("network")
    save_onnx(folder / "n.onnx")
    records = open_run(drawn / "runs" / "k6").records()
    data = DataSet("drawn", drawn / "data", records)
    network = ForeignNetwork(describe(folder, "n.onnx", name="theirs"))
    options = options_of({"source": "clustering", "parts": 4})
    return label_by_network(network, data, folder / "runs" / "by-theirs", options, show=False)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("help", "train")])
def test_every_page_shows_it(run: Run, page: str, open_page: Open) -> None:
    test = open_page(page, runs=run.path.parent, run="by-theirs")
    assert not test.exception
    said = words(test).replace("\\", "")
    assert "cannot be shown" not in said
    if page == "overview":
        assert "Other networks' feature maps, nothing trained" in said
        assert "not trained" in said
    if page == "evolution":
        assert "Nothing was trained: labels (clustering) were made of the feature maps of theirs" in (
            "".join(caption.help or "" for caption in test.sidebar.caption).replace("\\", "")
        )


def test_it_has_no_row_in_the_papers_tables(run: Run) -> None:
    assert not any(belongs(which, run.info) for which in TABLES)
    assert np.isfinite(run.metrics()["mAP"].iloc[-1])
