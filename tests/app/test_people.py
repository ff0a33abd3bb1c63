"""People whose records have names are called by them on every page; others by their numbers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from isp_app.reading import people, pictures, runs_access
from isp_app.reading.ranking import Ranked
from isp_app.state import pick
from isp_app.views.ranked_lists import Side, table
from isp_core.data.records import IDENTITY_NAME
from isp_core.runs import RunWriter, open_run
from tests.app.conftest import Open, words

NAMES = ("anna", "ben", "chloé", "<b>dan</b>", "=eve", "anna")


@pytest.fixture
def named(own_runs: Path) -> Path:
    """The drawn runs, K = 6 with names of its people."""
    run = open_run(own_runs / "k6")
    own = run.records()
    called = own["identity"].map(lambda who: NAMES[who - 1] if who <= len(NAMES) else f"guest-{who}")
    RunWriter(run.path).add_columns(own, own.assign(**{IDENTITY_NAME: called}))
    return own_runs


def test_a_name_that_two_people_have_is_followed_by_their_numbers() -> None:
    records = pd.DataFrame({"identity": [1, 2, 3, 4, 0], IDENTITY_NAME: ["anna", "ben", "anna", "1", ""]})
    called = people.with_unique_names(records)[IDENTITY_NAME].tolist()
    assert called == ["anna (1)", "ben", "anna (3)", "1 (4)", "0"]
    assert people.words(people.with_unique_names(records))[-1] == "person 0"


def test_selectors_offer_names_and_the_url_takes_names_and_numbers(named: Path, open_page: Open) -> None:
    test = open_page("evolution", runs=named, run="k6")
    box = test.selectbox(key=pick.PERSON)
    assert box.options[:3] == ["anna (1)", "ben", "chloé"]
    assert test.selectbox(key=pick.PERSON).set_value("ben").run().selectbox(key=pick.PICTURE).value.startswith("0002")
    for person in ("ben", "2"):
        found = open_page("identity", runs=named, run="k6", pid=person)
        assert found.selectbox(key=pick.PERSON).value == "ben"
        assert not found.exception
    said = words(open_page("evolution", runs=named, run="k6", pid="nobody")).replace("\\", "")
    assert "Person 'nobody' from the URL was not found; showing anna (1) instead" in said


def test_the_finder_lists_people_by_name_and_keeps_their_numbers_in_the_url(named: Path, open_page: Open) -> None:
    test = open_page("evolution", runs=named, run="k6", find="1", where="identity~2")
    chosen = next(box for box in test.multiselect if box.key == "find-identity")
    assert chosen.value == ["2"]
    assert "ben" in chosen.options
    assert all(IDENTITY_NAME not in option for box in test.multiselect for option in box.options)


def test_alternative_texts_and_files_have_the_names(named: Path) -> None:
    run = open_run(named / "k6")
    gallery, query = runs_access.records(run, "gallery"), runs_access.records(run, "query")
    assert pictures.describe(query.iloc[0]).split(", ")[1] in people.words(query)
    assert "person" not in pictures.describe(query.iloc[0])
    ranked = Ranked(gallery=gallery.index.to_numpy()[:3], distances=gallery.index.to_numpy()[:3] / 10, removed=0)
    made = table({Side(run, 3, "aligned", "k6"): ranked}, query.iloc[0], 3)
    assert made[IDENTITY_NAME].tolist() == gallery[IDENTITY_NAME].tolist()[:3]
    other = open_run(named / "k4")
    assert people.column(runs_access.records(other, "gallery")) == {}
