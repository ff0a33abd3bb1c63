"""The new references say the same as what they are compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.galleries import NEAREST, exact_nearest, made_up
from benchmarks.plot import draw
from benchmarks.rows import Row
from benchmarks.steps import PARTS, straightforward
from benchmarks.storage import label_maps
from isp_core.losses import Objective
from isp_core.matching import distances
from isp_core.models import ISPNet, NetworkSpec, map_size


def test_the_straightforward_step_has_our_losses_and_gradients() -> None:
    """Eq. 2 and 5 written out over K copies of the large map, against the same without the large map."""
    torch.manual_seed(0)
    spec = NetworkSpec("mobilenetv2_100", 16, (5,), 16, None, False, "none", "linear", "map", PARTS, 2)
    network = ISPNet(spec, weights="none").train()
    pictures = torch.randn(4, 3, 64, 32)
    labels = torch.randint(0, PARTS, (4, *map_size((64, 32))))
    totals, gradients = [], []
    for forward in (network, lambda given: straightforward(network, given)):
        network.zero_grad()
        loss = Objective(0.1, "mean", 0.1, 0.3)(forward(pictures), torch.tensor([0, 0, 1, 1]), labels).total
        loss.backward()
        totals.append(float(loss.detach()))
        gradients.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
    assert totals[0] == pytest.approx(totals[1], abs=1e-4)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-3)


def test_exact_ranking_in_parts_is_the_exact_ranking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.galleries._CHUNK", 64)
    gallery = made_up(200, tmp_path)
    expected = np.argsort(distances(gallery[:5], gallery), axis=1, kind="stable")[:, :NEAREST]
    np.testing.assert_array_equal(exact_nearest(gallery[:5], gallery), expected)
    assert (expected[:, 0] == np.arange(5)).all()


def test_made_up_entries_of_one_identity_are_near_each_other(tmp_path: Path) -> None:
    gallery = made_up(100, tmp_path)
    table = distances(gallery, gallery)
    same = np.arange(100)[:, None] // 20 == np.arange(100) // 20
    assert table[same].mean() < table[~same].mean() - 0.2


def test_made_up_label_maps_have_all_parts() -> None:
    maps = label_maps(5)
    assert maps.shape == (5, 64, 32)
    assert set(np.unique(maps)) == set(range(7))


def test_plot_shows_rows_with_a_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row("training set", f"{n}", 0.1 * n, count=n, peak_bytes=1e6) for n in (1, 2)]
    draw(rows, tmp_path / "plot.html")
    assert "training set" in (tmp_path / "plot.html").read_text()
    draw([Row("other", "", 1.0)], tmp_path / "none.html")
    assert "nothing to plot" in capsys.readouterr().err
    assert not (tmp_path / "none.html").exists()
