"""Journeys of a person who looks for an image, compares two runs, and tries networks on a photo of their own."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.app import synthetic
from tests.browser.conftest import Site
from tests.browser.server import Tab
from tests.browser.test_journeys import component, download

pytestmark = pytest.mark.slow


def _tiles(tab: Tab, title: str) -> Locator:
    return tab.page.locator(f".tiles[data-ready][aria-label^='{title}'] button")


def _photo(path: Path, width: int = 200) -> Path:
    """A drawn person in the right half of a wide image."""
    image = np.full((128, width, 3), 120, np.uint8)
    image[:, width - 64 :] = synthetic.photo(3, 1)
    Image.fromarray(image).save(path)
    return path


def test_an_image_found_on_iou_stays_chosen_and_its_filters_come_along(tab: Tab) -> None:
    tab.open("iou?run=k6&split=gallery&find=1&where=camera~3")
    tiles = _tiles(tab, "Images found")
    expect(tiles).to_have_count(6)
    name = (tiles.nth(4).get_attribute("aria-label") or "").split(",")[0]
    tiles.nth(4).click()
    expect(tab.page.locator("strong", has_text=name)).to_be_visible()
    tab.page.wait_for_url(lambda url: f"row={name}" in url)
    tab.settle()
    tab.go("Identity")
    expect(tab.page.get_by_text("Find an image (1 filter)")).to_be_visible()
    tab.page.wait_for_url(lambda url: "where=camera" in url)
    expect(tab.page.get_by_role("combobox", name="Image (")).to_have_value(name)
    tab.page.go_back()  # one press: what the page carried over is no step of its own
    expect(tab.page.locator("h1")).to_have_text("IoU")
    tab.settle()


def test_two_runs_are_compared_and_the_largest_difference_is_opened(tab: Tab) -> None:
    tab.open("iou?run=k6&split=gallery&with=k4&sort=largest+gain+first")
    expect(tab.page.get_by_text("A - B")).not_to_have_count(0)
    viewer = component(tab)
    expect(viewer.locator("figure")).to_have_count(4)  # input, ground truth, A, B
    assert tab.sideways() == []
    shown = tab.page.locator("[data-testid=stMain] strong").first.inner_text()
    tab.page.get_by_text("All its epochs").last.click()
    expect(tab.page.locator("h1")).to_have_text("Evolution")
    assert shown in (component(tab).get_attribute("aria-label") or "")


def test_a_query_that_parts_improve_says_why(tab: Tab) -> None:
    tab.open("ranking?run=k6&vs=baseline&err=better+with+k6")
    expect(_tiles(tab, "Queries")).not_to_have_count(0)
    expect(tab.page.get_by_role("combobox", name="Queries", exact=True)).to_have_value("better with k6")
    _tiles(tab, "Queries").first.click()
    tab.page.wait_for_url(lambda url: "q=" in url)
    tab.settle()
    expect(tab.page.get_by_text("first true match", exact=False).first).to_be_visible()
    expect(tab.page.get_by_text("Why this distance?")).to_be_visible()
    expect(tab.page.get_by_text("Eq. 10: d =").first).to_be_visible()


def test_a_crop_is_drawn_with_the_mouse_and_moved_with_keys(tab: Tab, tmp_path: Path) -> None:
    tab.open("upload?run=k6&sample=false")
    photo = _photo(tmp_path / "street.png")
    tab.page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(photo)
    box = tab.page.locator("[data-box]")
    expect(box).to_have_attribute("data-box", "0.000 0.000 1.000 1.000", timeout=60_000)
    expect(box.locator("canvas")).to_be_visible()
    area = box.locator("canvas").bounding_box()
    assert area is not None
    tab.page.mouse.move(area["x"] + 0.7 * area["width"], area["y"] + 1)
    tab.page.mouse.down()
    tab.page.mouse.move(area["x"] + 0.99 * area["width"], area["y"] + 0.9 * area["height"], steps=5)
    tab.page.mouse.up()
    left, top, right, bottom = (float(v) for v in (box.get_attribute("data-box") or "").split())
    assert left > 0.6
    assert abs((bottom - top) * 128 - 2 * (right - left) * 200) < 3  # one wide, two high
    tab.page.keyboard.press("ArrowLeft")
    moved = float((box.get_attribute("data-box") or "").split()[0])
    assert abs(moved - (left - 0.01)) < 0.002
    tab.page.wait_for_timeout(600)  # the browser tells the server when the hand has come to rest
    tab.settle()
    _, data = download(tab, "Results (JSON)")
    document = json.loads(data)
    assert document["image"] == "street.png"
    assert abs(document["crop"]["left"] - 200 * moved) <= 1
    tab.go("Help")
    tab.go("Upload")  # images and crops survive a change of page
    expect(tab.page.locator("[data-box]")).to_have_attribute("data-box", re.compile(rf"^{moved:.3f} {top:.3f} "))


@pytest.fixture
def second(site: Site) -> Iterator[str]:
    """Another run with weights, as long as a test needs it."""
    path = site.root / "runs" / "second"
    synthetic.write_run(path, parts=6, epochs=8, weights=True, train=8, maps=False, noted=False)
    yield path.name
    shutil.rmtree(path)


def test_two_networks_are_compared_on_a_pasted_photo_and_leave_as_one_archive(
    tab: Tab, tmp_path: Path, second: str
) -> None:
    content = list(_photo(tmp_path / "p.png", 64).read_bytes())
    tab.open("upload?run=k6&sample=false")
    expect(tab.page.locator("[data-ready]", has_text="Or paste an image")).to_be_visible()
    tab.page.evaluate(
        """content => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(content)], "me.png", { type: "image/png" }));
          window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }""",
        content,
    )
    expect(component(tab).locator("figure")).to_have_count(1)
    tab.open(f"upload?run=k6&ckpt=k6+epoch+8&ckpt={second}+epoch+8")
    example = _tiles(tab, "Examples").nth(2)
    name = (example.get_attribute("aria-label") or "").removeprefix("Example ").split(":")[0]
    example.click()
    expect(tab.page.get_by_role("button", name="Everything (ZIP): 1 × 2")).to_be_visible()  # the example alone
    tab.settle()
    viewer = component(tab)
    expect(viewer.locator("figure")).to_have_count(3)  # the input, and each network's parts
    _, data = download(tab, "Everything (ZIP)")
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    stem = name.rpartition(".")[0]
    assert sorted(names) == sorted(
        f"{stem}_{run}_epoch8{end}" for run in ("k6", second) for end in (".json", "_mask.png", "_overlay.png")
    )
