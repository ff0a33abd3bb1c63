"""Choosing people, images and rows, in a real Chromium: what was chosen stays chosen, Back goes back, nothing is mixed
up."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.app import synthetic
from tests.browser.conftest import Site
from tests.browser.server import Tab
from tests.browser.test_journeys import component

pytestmark = pytest.mark.slow


def _main_box(tab: Tab, name: str) -> object:
    return tab.page.get_by_test_id("stMain").get_by_role("combobox", name=name, exact=True)


def _take(tab: Tab, box: str, option: str) -> None:
    _main_box(tab, box).click()  # type: ignore[attr-defined]
    before = tab.page.url
    tab.page.get_by_role("option", name=option, exact=True).click()
    tab.page.wait_for_url(lambda url: url != before)  # every choice is in the URL once the server has heard of it
    tab.settle()


def test_a_person_chosen_on_one_page_stays_chosen_on_the_next(tab: Tab) -> None:
    tab.open("evolution?run=k6")
    component(tab)
    _take(tab, "Person", "5")
    tab.go("Identity")
    expect(_main_box(tab, "Person")).to_have_value("5")  # type: ignore[arg-type]
    tab.go("Overview")
    tab.go("K compare")
    expect(_main_box(tab, "Person")).to_have_value("5")  # type: ignore[arg-type]


def test_back_leads_from_evolution_to_the_class_that_was_chosen(tab: Tab) -> None:
    tab.open("iou?run=k6&split=gallery")
    _take(tab, "Class", "head")
    tab.page.get_by_text("All its epochs").click()
    expect(tab.page.locator("h1")).to_have_text("Evolution")
    component(tab)
    assert "epoch=" not in tab.url()
    tab.page.go_back()
    expect(tab.page.locator("h1")).to_have_text("IoU")
    tab.settle()
    expect(_main_box(tab, "Class")).to_have_value("head")  # type: ignore[arg-type]


def test_the_ticked_row_is_the_image_that_is_shown(tab: Tab) -> None:
    tab.open("iou?run=k6&split=gallery&sort=by+name")
    grid = tab.page.get_by_test_id("stDataFrame").locator("visible=true").nth(1)
    expect(grid).to_be_visible()
    grid.click(position={"x": 140, "y": 35 + 35 * 3 + 17})  # anywhere in the fourth row
    tab.page.wait_for_function("location.href.includes('row=')")
    tab.settle()
    name = tab.url().split("row=")[1].split("&")[0]
    expect(tab.page.locator("strong", has_text=name)).to_be_visible()
    _take(tab, "Order", "best first")
    expect(tab.page.locator("strong", has_text=name)).to_be_visible()
    ticked = tab.page.get_by_test_id("stDataFrame").locator("tr[aria-selected=true]")
    expect(ticked).to_have_count(1)  # it is among the first ten in this order: rows out of sight are not there
    expect(ticked).to_contain_text(name)


def test_two_uploads_of_one_name_are_both_reached(tab: Tab, tmp_path: Path) -> None:
    tab.open("upload?run=k6&sample=false")
    files = []
    for folder, colour in (("a", (200, 40, 40)), ("b", (40, 40, 200))):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (64, 128), colour).save(tmp_path / folder / "image.jpg")
        files.append(tmp_path / folder / "image.jpg")
    tab.page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(files)
    expect(_main_box(tab, "Image")).to_have_value("image.jpg", timeout=60_000)  # type: ignore[arg-type]
    _main_box(tab, "Image").click()  # type: ignore[attr-defined]
    tab.page.get_by_role("option", name="image.jpg (2)", exact=True).click()
    expect(tab.page.get_by_role("button", name="Remove image.jpg (2)")).to_be_visible()


def test_a_single_epoch_is_drawn_as_a_dot(tab: Tab, site: Site) -> None:
    path = site.root / "runs" / "short"
    if not path.exists():
        synthetic.write_run(path, epochs=0, noted=False)
    tab.open("evolution?run=short")
    component(tab)
    lines = tab.page.locator(".isp svg .line")
    assert lines.count() > 0
    for i in range(lines.count()):
        assert "h0" in (lines.nth(i).get_attribute("d") or "")
    expect(tab.page.get_by_text("Only epoch 0 has maps")).to_be_visible()
    expect(tab.page.get_by_role("button", name="Play")).to_have_count(0)


def test_an_image_is_found_by_its_camera_and_stays_chosen(tab: Tab) -> None:
    tab.open("evolution?run=k6&find=1&where=camera~2&by=part+1&down=1")
    tiles = tab.page.locator(".tiles[data-ready] button")
    expect(tiles).to_have_count(8)  # one of each person's five images is camera 2's
    name = (tiles.nth(3).get_attribute("aria-label") or "").split(",")[0]
    tiles.nth(3).click()
    tab.page.wait_for_function("name => location.href.includes(name)", arg=name)
    tab.settle()
    assert name in (component(tab).get_attribute("aria-label") or "")
    following = (tiles.nth(4).get_attribute("aria-label") or "").split(",")[0]
    tab.page.keyboard.press("n")
    tab.page.wait_for_function("name => location.href.includes(name)", arg=following)
    tab.settle()
    tab.go("K compare")
    expect(_main_box(tab, "Person")).to_have_value(str(int(following[:4])))  # type: ignore[arg-type]


def test_the_first_page_is_found_by_its_own_name_with_what_the_url_says(tab: Tab) -> None:
    tab.open("overview?view=table+and+curves&ref=baseline")
    expect(tab.page.locator("h1")).to_contain_text("What identity labels teach")
    expect(tab.page.get_by_test_id("stDataFrame").first).to_be_visible()
    tab.page.wait_for_url(lambda url: "ref=baseline" in url and "/overview" not in url)
