"""Embeddings: what a lasso holds, the neighbours of a point, colours by any column, all in the URL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isp_app.components.plane import corners
from isp_app.reading import projection
from isp_app.views.embeddings import _colouring
from isp_core.runs import Run, open_run
from tests.app.conftest import Open, words


@pytest.fixture
def k6(drawn: Path) -> Run:
    return open_run(drawn / "runs" / "k6")


def test_a_lasso_in_the_url_shows_its_images(open_page: Open) -> None:
    said = words(open_page("embeddings", run="k6", split="gallery", lasso="-9,-9 9,-9 9,9 -9,9"))
    assert "In the lasso" in said
    assert "24 images" in said
    said = words(open_page("embeddings", run="k6", split="gallery", lasso="8,8 9,8 9,9"))
    assert "No image lies in the lasso" in said


@pytest.mark.parametrize("text", ["nonsense", "1,2", "1,2 3,4", "1,2 3,x 5,6", "nan,0 1,1 2,0", "1,2,3 4,5,6 7,8,9"])
def test_what_is_no_lasso_is_named(open_page: Open, text: str) -> None:
    test = open_page("embeddings", run="k6", lasso=text)
    assert any("Lasso" in warning.value for warning in test.warning)
    assert not test.exception


def test_an_image_in_the_url_shows_its_neighbours_and_another_is_named(open_page: Open) -> None:
    said = words(open_page("embeddings", run="k6", split="gallery", at="0007_c2s1_000001_00.jpg"))
    assert "Neighbours of 0007" in said.replace("\\", "")
    test = open_page("embeddings", run="k6", split="gallery", at="nope.jpg", colour="mood")
    said = " ".join(warning.value for warning in test.warning)
    assert "nope" in said
    assert "mood" in said


def test_neighbours_are_the_nearest_by_cosine_in_the_feature_itself(k6: Run) -> None:
    found = k6.embeddings("gallery", 3)
    rows = np.arange(len(found))
    near = projection.neighbours(k6, "gallery", 3, "part 2", 4, rows, 5)
    x = np.asarray(found.parts)[:, 1].astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    distance = 1 - x @ x[4]
    distance[4] = np.inf
    assert [row for row, _ in near] == np.argsort(distance)[:5].tolist()
    assert [value for _, value in near] == pytest.approx(np.sort(distance)[:5].tolist(), abs=1e-5)


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=30))
def test_inside_a_triangle_is_what_its_three_sides_say(points: list[tuple[float, float]]) -> None:
    corner = [(0.0, -1.0), (1.5, 1.0), (-1.0, 1.2)]
    array = np.array(points, np.float64)
    sides = [
        (b[0] - a[0]) * (array[:, 1] - a[1]) - (b[1] - a[1]) * (array[:, 0] - a[0])
        for a, b in zip(corner, [*corner[1:], corner[0]], strict=True)
    ]
    clear = np.abs(sides).min(0) > 1e-3  # on a side either answer will do
    expected = (np.array(sides) > 0).all(0)
    found = projection.inside(array.astype(np.float32), corner)
    assert (found == expected)[clear].all()


@pytest.mark.parametrize(
    "value",
    [None, "abc", [], [[0, 0], [1, 1]], [[0, 0]] * 65, [[0, 0], [1], [2, 2]], [[0, 0], [1, float("inf")], [2, 2]]],
)
def test_corners_from_a_browser_are_not_trusted(value: object) -> None:
    assert corners(value) == ()


def test_numbers_get_a_scale_and_values_colours_with_marks() -> None:
    scale = _colouring(pd.Series(np.linspace(0, 1, 20)), "AP, %")
    assert (scale.scale, scale.classes) == ("AP, %", ())
    classes = _colouring(pd.Series([*"aab", "c", *"defgh", *"dd"]), "bag")
    assert classes.classes[0].name == "bag d"
    assert classes.classes[-1].name == "others"
    marked = [one for one in classes.classes if one.shape]
    assert len({one.colour for one in marked}) == len({one.shape for one in marked}) == len(marked)
