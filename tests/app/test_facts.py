"""Finding images: filters in the URL, columns of the data set, what is known of each image."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from isp_app.reading import facts
from isp_app.reading.facts import Clause
from tests.app import synthetic
from tests.app.conftest import Open, words


@pytest.mark.parametrize(
    ("clause", "kept"),
    [
        (Clause(("1", "3")), [True, False, True, False]),
        (Clause(("none",)), [False, False, False, True]),
        (Clause((), 2.0, None), [False, True, True, False]),
        (Clause((), None, 2.0), [True, True, False, False]),
        (Clause((), 2.0, 2.0), [False, True, False, False]),
    ],
)
def test_a_clause_keeps_what_it_names_and_no_missing_value_passes_a_range(clause: Clause, kept: list[bool]) -> None:
    assert clause.keeps(pd.Series([1.0, 2.0, 3.0, float("nan")])).tolist() == kept


@pytest.mark.parametrize("text", ["belonging~backpack|tote;AP~..30", "part 3~5..;camera~1"])
def test_filters_come_back_from_the_url_as_they_were(text: str) -> None:
    assert facts.write(facts.parse(text)) == text


@pytest.mark.parametrize("text", ["", ";;;", "~", "a~..", "a~x..y", "a~nan..inf"])
def test_a_url_without_a_filter_has_none(text: str) -> None:
    assert facts.parse(text) == {}


def test_columns_of_the_data_set_reach_a_run_that_was_written_without_them(open_page: Open, tmp_path: Path) -> None:
    table = synthetic.records(6, 6, 5)
    synthetic.write_pictures(tmp_path / "data", table)
    bags = ["backpack" if identity % 3 == 0 else "" for identity in table["identity"]]
    table.assign(belonging=bags).to_csv(tmp_path / "data" / "records.csv", index=False)
    test = open_page("evolution", data=tmp_path / "data", run="k6", find="1", where="belonging~backpack")
    assert not test.exception
    assert "10 of 30 images" in words(test)  # people 3 and 6, five images each
    assert test.multiselect(key="find-belonging").value == ["backpack"]


@pytest.mark.parametrize(
    ("where", "count"),
    [("camera~1", 12), ("identity~2", 5), ("part 5~0.5..", 24), ("part 5~..0", 6), ("IoU head~1..;camera~1", 12)],
)
def test_images_are_found_by_what_is_known_of_them(open_page: Open, where: str, count: int) -> None:
    """Of each person's five images the first and the last are camera 1's, and a wall hides the last one's shoes."""
    test = open_page("evolution", run="k6", find="1", where=where)
    assert not test.exception
    assert f"{count} of 30 images" in words(test)


def test_queries_are_found_by_their_ap_and_sorted(open_page: Open) -> None:
    test = open_page("evolution", run="k6", split="query", find="1", where="AP~0..100", by="AP")
    assert "6 of 6 images" in words(test)


def test_a_filter_that_nobody_knows_is_named(open_page: Open) -> None:
    test = open_page("evolution", run="k6", find="1", where="nope~1")
    assert any("'nope'" in warning.value for warning in test.warning)
    assert "30 of 30 images" in words(test)
