"""A user's own runs next to the embedded study: what the app opens on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from isp_app import settings
from tests.app.conftest import Open, words


def _created(run: Path, when: str) -> None:
    file = run / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"created": when}))


def test_the_app_opens_on_the_newest_own_run_and_the_study_is_one_click_away(
    drawn: Path, own_runs: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drawn runs stand for the embedded study; of the user's, a baseline is the newest."""
    monkeypatch.setattr(settings, "EMBEDDED_DATA", drawn)
    _created(own_runs / "baseline", "2026-03-01T00:00:00Z")
    both = os.pathsep.join([str(drawn / "runs"), str(own_runs)])
    test = open_page("overview", runs=both)
    options = test.selectbox(key="run").options
    assert test.selectbox(key="run").value == options[0]
    assert [name.rpartition("~")[2] for name in options[:3]] == ["baseline", "k6", "k4"]
    assert len({name.rpartition("~")[0] for name in options[:3]}) == 1
    said = words(test)
    assert said.index("Your runs: ") < said.index("Embedded study: ")

    test.button(key="other_side").click().run()
    assert test.selectbox(key="run").value == options[3]
    assert test.button(key="other_side").label == "Your newest run"
    test.button(key="other_side").click().run()
    assert test.selectbox(key="run").value == options[0]
    assert open_page("overview", runs=both, run=options[4]).selectbox(key="run").value == options[4]


def test_without_own_runs_there_is_no_other_side(open_page: Open) -> None:
    assert all(button.key != "other_side" for button in open_page("overview").button)


def test_own_runs_of_one_moment_open_on_the_one_that_shows_most(own_runs: Path, open_page: Open) -> None:
    assert open_page("overview", runs=own_runs).selectbox(key="run").value == "k6"
    _created(own_runs / "k4", "0001-01-01T00:00:00")  # a date without a zone, as far back as they go
    assert open_page("overview", runs=own_runs).selectbox(key="run").options[-1] == "k4"
