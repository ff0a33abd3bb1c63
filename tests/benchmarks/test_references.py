"""The slow references are right: a case by hand, and agreement with ours where the answer is clear."""

import json

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.maps import identity_maps
from benchmarks.references import authors_labels
from benchmarks.rows import Machine, Row, as_json, as_table
from isp_core.clustering import CascadeConfig, label_identity

MACHINE = Machine(threads=1, read=2e10, copy=1e10, flops=1e11)


def test_authors_labels_by_hand() -> None:
    """Head, trunk and feet each along a channel of their own, the background weak: labels from top to bottom."""
    truth = torch.tensor([[0, 1, 1, 0], [0, 2, 2, 0], [0, 2, 2, 0], [0, 3, 3, 0]])
    directions = torch.cat([0.1 * torch.eye(5)[:1], torch.eye(5)[[4, 2, 3]]])
    maps = directions[truth].permute(2, 0, 1).expand(3, -1, -1, -1)
    found = [authors_labels(maps.numpy(), 4, seed=seed) for seed in range(10)]
    assert any((labels == truth.numpy()).all() for labels in found)  # one random start may end in a poorer optimum
    assert all(((labels > 0) == (truth.numpy() > 0)).all() for labels in found)


def test_authors_foreground_is_ours() -> None:
    maps = identity_maps(6, 32, (32, 16))
    theirs = authors_labels(maps.contiguous().numpy(), 7)
    ours = label_identity(maps, CascadeConfig(sharpen=True)).labels.numpy()
    assert ((theirs > 0) == (ours > 0)).mean() > 0.99


def test_least_time_is_the_slower_of_reading_and_reckoning() -> None:
    assert MACHINE.seconds(read=2e10, operations=1e10) == pytest.approx(1.0)
    assert MACHINE.seconds(read=2e10, operations=3e11) == pytest.approx(3.0)
    assert MACHINE.seconds(copied=1e10) == pytest.approx(1.0)


def test_rows_as_json_and_table() -> None:
    rows = [Row("identity", "24 x 64", 0.02, "authors'", 0.4, 0.01), Row("bare", "1", 0.5)]
    document = json.loads(as_json(MACHINE, rows))
    assert {"name", "size", "seconds", "reference", "reference_seconds", "ratio", "limit_seconds"} <= set(
        document["rows"][0]
    )
    assert document["rows"][0]["ratio"] == pytest.approx(20.0)
    assert document["rows"][1]["ratio"] is None
    table = as_table(MACHINE, rows).splitlines()
    assert "20.00 x" in table[-2]
    assert "500.0" in table[-1]


def test_an_unknown_name_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["nonsense"])
    assert stopped.value.code == 2
    assert "identity" in capsys.readouterr().err
