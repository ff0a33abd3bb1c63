"""`isp search` as a user types it: a gallery picture finds itself, an index file is made and used again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from isp_core.__main__ import main

TINY = {
    "model": {"backbone": "test_efficientnet", "weights": "none", "grid": 8, "stages": [3, 4], "channels": 16},
    "data": {"size": [64, 32], "identities_per_batch": 3, "pictures_per_identity": 2},
    "labels": {"parts": 4},
    "run": {"epochs": 1, "eval_every": 1},
}


def isp(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_search(people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, run, index = tmp_path / "tiny.yaml", tmp_path / "run", tmp_path / "gallery.faiss"
    config.write_text(yaml.safe_dump(TINY))
    made = isp(capsys, "train", "--preset", "paper", "--config", config, "--data", people, "--out", run, "--json")
    assert made[0] == 0, made[2]
    asked = sorted((people / "bounding_box_test").glob("*.jpg"))[:2]
    options = ("--run", run, "--top", "3", "--index", index)
    status, out, err = isp(capsys, "search", *options, "--json", *asked)
    assert status == 0, err
    document = json.loads(out)  # nothing else on standard output
    assert [Path(each["image"]) for each in document["images"]] == asked
    for picture, each in zip(asked, document["images"], strict=True):
        first, *others = each["nearest"]
        assert Path(first["path"]).name == picture.name
        assert first["distance"] == pytest.approx(0, abs=1e-3)
        assert len(others) == 2
        assert all(other["distance"] >= first["distance"] for other in others)

    assert index.exists()
    assert json.loads(isp(capsys, "search", *options, "--json", *asked)[1]) == document
    status, out, _ = isp(capsys, "search", *options, asked[0])
    assert status == 0
    assert asked[0].name in out.splitlines()[1]

    index.write_bytes(b"nonsense")
    status, _, err = isp(capsys, "search", *options, asked[0])
    assert status == 1
    assert "remove it" in err
    status, _, err = isp(capsys, "search", "--run", run, tmp_path / "nobody.jpg")
    assert status == 1
    assert "no such image" in err
