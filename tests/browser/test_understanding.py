"""Own runs next to the embedded study; from the table of runs to the images on which two of them differ."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, TimeoutError, expect

from tests.browser.conftest import Site
from tests.browser.server import Tab, serve

pytestmark = pytest.mark.slow
CONTRAST = Path(__file__).with_name("contrast.js").read_text("utf-8")
TICKED = "(new URL(location).searchParams.get('chart') ?? '').split(',').filter((name) => name)"


def test_own_runs_are_added_to_the_embedded_study(site: Site, chrome: Browser) -> None:
    environment = {"ISP_RUNS": str(site.root / "runs"), "ISP_DATA": str(site.root / "data"), "OMP_NUM_THREADS": "1"}
    with serve({**environment, "ISP_EMBEDDED": "1"}) as (address, _):
        tab = Tab(chrome, address)
        tab.open("?view=table+and+curves&runs=k6&runs=contrast-k6")
        expect(tab.page.get_by_test_id("stDataFrame").first).to_be_visible()
        assert tab.sideways() == []
        tab.page.get_by_test_id("stSidebar").get_by_text("Folders").click()
        sidebar = tab.page.get_by_test_id("stSidebar")
        expect(sidebar.get_by_text("embedded study: 12 runs")).to_be_visible()
        # other journeys train runs of their own in this folder
        expect(sidebar.get_by_text(re.compile(re.escape(f"{site.root / 'runs'}: ") + r"\d+ runs"))).to_be_visible()
        expect(sidebar.get_by_text("isp app --runs FOLDER --data FOLDER")).to_be_visible()
        tab.open("evolution?run=k6")
        expect(tab.page.locator(".isp canvas.main")).to_be_visible()
        assert "maps are shown alone" not in tab.said()
        assert tab.problems == []
        tab.page.context.close()


def test_from_the_table_to_curves_to_the_images_on_which_two_runs_differ(tab: Tab) -> None:
    tab.open("?runs=k4&runs=k6")
    tab.page.get_by_test_id("stMain").get_by_text("table and curves", exact=True).click()
    grid = tab.page.get_by_test_id("stDataFrame").first
    expect(grid).to_be_visible()
    tab.settle()
    box = grid.bounding_box()
    assert box is not None
    for row in (1, 2):  # the ticks of the first two rows
        tab.page.mouse.click(box["x"] + 16, box["y"] + 18 + 35 * row)
        tab.page.wait_for_function(f"{TICKED}.length === {row}")
        tab.settle()
    first, second = tab.page.evaluate(TICKED)
    expect(tab.page.get_by_test_id("stVegaLiteChart").first).to_be_visible()
    expect(tab.page.get_by_text("image by image")).to_be_visible()
    tab.page.get_by_test_id("stMain").get_by_role("link", name="IoU", exact=True).last.click()
    expect(tab.page.locator("h1")).to_have_text("IoU")
    tab.settle()
    assert f"run={first}" in tab.url()
    assert f"with={second}" in tab.url()
    expect(tab.page.get_by_text("difference").first).to_be_attached()


def test_ticks_come_back_with_their_url(tab: Tab) -> None:
    tab.open("?view=table+and+curves&chart=k4,k6&ref=baseline&order=mAP")
    expect(tab.page.get_by_text("image by image")).to_have_count(0)  # three runs: the reference too
    expect(tab.page.get_by_text("Δ: difference to baseline")).to_be_visible()
    assert "chart=k4" in tab.url()


def test_a_click_on_identity_opens_the_image_over_the_epochs(tab: Tab) -> None:
    tab.open("identity?run=k6&pid=3")
    box = tab.page.locator(".isp:has(canvas)").first
    expect(box).to_have_attribute("data-ready", "1", timeout=60_000)
    box.locator(".grid canvas").nth(2).click(position={"x": 30, "y": 40})
    expect(tab.page.locator("h1")).to_have_text("Evolution", timeout=60_000)
    tab.settle()
    expect(tab.page.locator(".isp:has(canvas.main)")).to_have_attribute("aria-label", re.compile("maps of 0003_"))


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_can_be_read_in_both_themes(site: Site, chrome: Browser, dark: bool) -> None:
    tab = Tab(chrome, site.address, dark=dark)
    for path in (
        "",
        "?view=table+and+curves&runs=k4&runs=k6",
        "evolution?run=k6",
        "identity?run=k6",
        "embeddings?run=k6",
        "train",
        "help",
    ):
        tab.open(path)
        # what fades in, or is pale because the page is run again, is measured when it has come to rest
        with suppress(TimeoutError):
            tab.page.wait_for_function(f"({CONTRAST})().length === 0", timeout=20_000, polling=500)
        assert tab.page.evaluate(CONTRAST) == [], path
    assert tab.problems == []
    tab.page.context.close()


def test_a_pixel_is_read_by_the_keyboard_alone(tab: Tab) -> None:
    tab.open("evolution?run=k6&epoch=3")
    box = tab.page.locator(".isp:has(canvas.main)").first
    expect(box).to_have_attribute("data-ready", "1", timeout=60_000)
    box.focus()
    tab.page.keyboard.press("Shift+ArrowDown")
    expect(box.locator(".readout")).to_contain_text("column 16, row 33 of the 32 × 64 map")
    expect(box).to_have_attribute("data-epoch", "3")
    tab.open("identity?run=k6&pid=3")
    box = tab.page.locator(".isp:has(.grid canvas)").first
    expect(box).to_have_attribute("data-ready", "1", timeout=60_000)
    box.focus()
    tab.page.keyboard.press("Shift+ArrowRight")
    expect(box.locator(".readout")).to_contain_text("column 17, row 32 of the 32 × 64 map")
