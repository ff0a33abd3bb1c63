"""What people do, in a real Chromium. Every journey also asserts: no console error, nothing leaves the machine."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Download, Locator, expect

from isp_core.runs import RunWriter, open_run
from tests.app import synthetic
from tests.browser.conftest import Site
from tests.browser.server import Tab

pytestmark = pytest.mark.slow

TRAINS = 480_000  # milliseconds: a small training on a busy machine
PAGES = ("Evolution", "Identity", "K compare", "IoU", "Ranking", "Embeddings", "Upload", "Train", "Help", "Overview")


def component(tab: Tab, nth: int = 0) -> Locator:
    """A viewer of ours once its pictures stand."""
    found = tab.page.locator(".isp:not(.crop):has(canvas)").nth(nth)
    expect(found).to_have_attribute("data-ready", "1", timeout=60_000)
    return found


def download(tab: Tab, name: str) -> tuple[str, bytes]:
    with tab.page.expect_download() as waiting:
        tab.page.get_by_role("button", name=name).click()
    found: Download = waiting.value
    return found.suggested_filename, Path(str(found.path())).read_bytes()


def test_every_page_from_the_sidebar(tab: Tab) -> None:
    tab.open("")
    expect(tab.page.locator("h1")).to_contain_text("What identity labels teach")
    for title in PAGES:
        tab.go(title)
    assert "sidebar" not in tab.url()


def test_a_card_leads_to_its_run(tab: Tab) -> None:
    tab.open("")
    tab.page.locator("a[href*='run=k4']", has_text="Evolution").click()
    expect(tab.page.locator("h1")).to_have_text("Evolution")
    tab.settle()
    assert "run=k4" in tab.url()
    expect(tab.page.get_by_text("K = 4")).to_be_visible()


def test_scrubbing_with_the_keyboard_reaches_the_address(tab: Tab) -> None:
    tab.open("evolution?run=k6&img=0003_c2s1_000001_00.jpg&epoch=5&op=80&hide=5")
    box = component(tab)
    expect(box).to_have_attribute("data-epoch", "5")
    expect(box.locator(".legend button[aria-pressed=false]")).to_have_count(1)
    box.focus()
    tab.page.keyboard.press("ArrowLeft")
    tab.page.keyboard.press("ArrowLeft")
    expect(box).to_have_attribute("data-epoch", "3")
    tab.page.wait_for_function("location.href.includes('epoch=3')")
    tab.settle()
    expect(tab.page.get_by_role("button", name="Part map of epoch 3")).to_be_visible()
    tab.page.keyboard.press("Home")
    tab.page.keyboard.press("Space")
    expect(box).to_have_attribute("data-epoch", "8", timeout=30_000)
    tab.page.wait_for_function("location.href.includes('epoch=8')")
    again = Tab(tab.page.context.browser, tab.address)  # type: ignore[arg-type]
    again.open(tab.url().split("/", 3)[3])
    expect(component(again)).to_have_attribute("data-epoch", "8")
    assert "0003_c2s1_000001_00.jpg" in (component(again).get_attribute("aria-label") or "")


def test_figure_6_and_a_map_are_saved_with_their_origin(tab: Tab, site: Site) -> None:
    tab.open("evolution?run=k6&epoch=4")
    component(tab)
    name, data = download(tab, "Figure 6")
    figure = Image.open(io.BytesIO(data))
    assert name == "k6_epoch4_train_figure6.png"
    assert figure.width > 600
    assert figure.text["run"] == "k6"  # type: ignore[attr-defined]
    _, data = download(tab, "Part map of epoch 4")
    stored = open_run(site.root / "runs" / "k6").labels("train", 4, [0])[0]
    assert (pd.DataFrame(stored) == pd.DataFrame(_pixels(data))).all(axis=None)
    _, data = download(tab, "Numbers (JSON)")
    assert json.loads(data)["source"]["epoch"] == 4


def test_masks_are_looked_at_closely(tab: Tab) -> None:
    tab.open("k_compare?run=k6&split=query&ks=k4&ks=k6")
    box = component(tab)
    canvases = box.locator(".grid canvas")
    assert canvases.count() >= 4
    canvases.nth(1).hover(position={"x": 70, "y": 40})
    expect(box.locator(".readout")).to_contain_text("of the 32 × 64 map")
    expect(box.locator(".note").nth(1)).to_contain_text("head")
    box.focus()
    tab.page.keyboard.press("+")
    expect(box.locator(".zoom")).to_have_text("1.5×")
    tab.page.keyboard.press("1")
    expect(box.locator(".legend button[aria-pressed=false]")).to_have_count(1)
    tab.page.keyboard.press("Shift+Digit2")
    expect(box.locator(".legend button[aria-pressed=true]")).to_have_count(1)
    tab.page.keyboard.press("o")
    tab.page.wait_for_function("location.href.includes('line=1')")
    name, data = download(tab, "Figure 4")
    assert name.endswith("_figure4.png")
    assert Image.open(io.BytesIO(data)).width > 400


def test_a_ranking_explains_itself(tab: Tab) -> None:
    tab.open("ranking?run=k6")
    lists = tab.page.locator(".tiles[data-ready]")
    expect(lists).to_have_count(3)  # queries, this run, the baseline beside it
    first = lists.nth(1).locator("button").first
    first.focus()
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowRight")
    third = lists.nth(1).locator("button").nth(2)
    expect(third).to_be_focused()
    distance = (third.locator("span").first.text_content() or "").split("·")[1].strip()
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_function("location.href.includes('g=')")
    tab.settle()
    expect(tab.page.get_by_text("Why this distance?")).to_be_visible()
    assert distance in tab.page.locator("[data-testid=stMarkdown]", has_text="Eq. 10: d =").first.inner_text()
    name, data = download(tab, "Lists (CSV)")
    table = pd.read_csv(io.BytesIO(data), encoding="utf-8-sig")
    assert set(table["list"].str.split(",").str[0]) == {"k6", "baseline"}
    assert (table["run"] == table["list"].str.split(",").str[0]).all()  # each row its own run
    assert {"run", "epoch", "K", "split", "checkpoint", "schema", "rule"} <= set(table.columns)
    assert Image.open(io.BytesIO(download(tab, "Figure 7")[1])).height > 200
    assert name.endswith("ranking.csv")


def test_part_maps_in_a_ranking_are_looked_at_closely(tab: Tab) -> None:
    tab.open("ranking?run=k6&vs=none")
    grid = tab.page.locator(".isp:has(.tiles)").nth(1)
    grid.get_by_role("button", name="Part maps").click()
    grid.locator("canvas").nth(1).hover(position={"x": 30, "y": 50})
    expect(grid.locator(".readout")).to_contain_text("of the 32 × 64 map: 2 · upper")
    grid.locator("button.tile").first.focus()
    tab.page.keyboard.press("Shift+Digit2")  # upper alone, in every viewer of the page
    expect(grid.locator(".legend button[aria-pressed=true]")).to_have_text("2 · upper")
    expect(component(tab, 1).locator(".legend button[aria-pressed=true]")).to_have_text("2 · upper")
    tab.page.wait_for_function("location.href.includes('hide=')")


def test_tables_3_to_6_leave_in_two_clicks(tab: Tab) -> None:
    columns = {"Table 3": "foreground, constant", "Table 4": "K", "Table 5": "model", "Table 6": "backbone"}
    tab.open("")
    for name, column in columns.items():
        tab.page.get_by_test_id("stMain").get_by_text(name, exact=True).click()
        file, data = download(tab, f"{name} (CSV)")
        assert tab.sideways() == []  # at 1280 pixels
        assert file == f"{name.lower().replace(' ', '')}.csv"
        assert {column, "run", "epoch", "checkpoint", "schema"} <= set(
            pd.read_csv(io.BytesIO(data), encoding="utf-8-sig")
        )


def test_a_row_of_the_iou_table_leads_to_its_picture(tab: Tab) -> None:
    tab.open("iou?run=k6&split=gallery&sort=by+name")
    grid = tab.page.get_by_test_id("stDataFrame").locator("visible=true").nth(1)
    expect(grid).to_be_visible()
    grid.click(position={"x": 20, "y": 35 + 35 + 17})  # the box before the second row
    tab.page.wait_for_function("location.href.includes('row=')")
    tab.settle()
    name = tab.url().split("row=")[1].split("&")[0]
    expect(tab.page.locator("strong", has_text=name)).to_be_visible()  # the table holds the name too, but draws it
    tab.page.get_by_text("All its epochs").click()
    expect(tab.page.locator("h1")).to_have_text("Evolution")
    tab.settle()
    assert name in (component(tab).get_attribute("aria-label") or "")


def test_a_training_is_started_stopped_and_resumed_in_two_tabs(tab: Tab, site: Site) -> None:
    """The real trainer, in a process of its own; the second tab never touches it."""
    tab.open("train")
    for name, choice in (("Data set", "data"), ("Preset", "cpu"), ("Labels", "clustering")):
        box = tab.page.get_by_test_id("stMain").get_by_role("combobox", name=name)
        box.click()
        tab.page.get_by_role("option", name=choice, exact=True).click()
        tab.settle()
        expect(box).to_have_value(choice)
    expect(tab.page.get_by_text("40 training images of 8 people")).to_be_visible()
    expect(tab.page.get_by_text("cpu: mobilenetv2")).to_be_visible()
    tab.settle()  # the form of the preset before lies below this one until the script has ended
    tab.page.get_by_label("Name").fill("mine")
    epochs = tab.page.get_by_label("Epochs", exact=True)
    epochs.fill("2")
    epochs.press("Tab")
    tab.page.get_by_role("button", name="Start training").click()
    expect(tab.page.get_by_role("button", name="Stop")).to_be_visible()
    other = Tab(tab.page.context.browser, site.address)  # type: ignore[arg-type]
    other.open("train?job=mine")
    expect(other.page.get_by_role("button", name="Stop")).to_be_visible()
    expect(other.page.get_by_text("Pseudo-labels of epoch 0")).to_be_visible(timeout=TRAINS)
    tab.page.get_by_role("button", name="Stop").click()
    for one in (tab, other):
        expect(one.page.get_by_role("button", name="Resume")).to_be_visible(timeout=30_000)
    tab.page.get_by_role("button", name="Resume").click()
    tab.open("")  # leaving the page changes nothing
    expect(other.page.get_by_text("epoch 2 of 2", exact=True)).to_be_visible(timeout=TRAINS)
    expect(other.page.get_by_text("finished: epoch 2 of 2")).to_be_visible(timeout=TRAINS)
    assert open_run(site.root / "runs" / "mine").epochs == [0, 1, 2]
    assert other.problems == []


def test_fifty_uploads_at_once(tab: Tab, tmp_path: Path) -> None:
    tab.open("upload?run=k6&sample=false")
    for i in range(50):
        Image.new("RGB", (64, 128), (i, 90, 60)).save(tmp_path / f"{i:02d}.png")
    tab.page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(sorted(tmp_path.glob("*.png")))
    expect(tab.page.get_by_text("50 images were uploaded; the first 16 are parsed.")).to_be_visible(timeout=60_000)
    tab.settle()
    expect(component(tab).locator(".grid canvas")).to_have_count(16)


def test_aligned_matching_switched_off_changes_the_list(tab: Tab) -> None:
    tab.open("ranking?run=k6&vs=none")
    before = tab.page.locator(".tiles").nth(1).inner_text()
    tab.open("ranking?run=k6&vs=none&arm=global")
    after = tab.page.locator(".tiles").nth(1).inner_text()
    assert before != after


def test_iou_table_leaves_as_a_spreadsheet(tab: Tab) -> None:
    tab.open("iou?run=k6&split=gallery&part=head&sort=best+first")
    expect(tab.page.get_by_text("foreground = all parts")).to_be_visible()
    _, data = download(tab, "Per image (CSV)")
    table = pd.read_csv(io.BytesIO(data), encoding="utf-8-sig")
    assert table["head"].is_monotonic_decreasing
    assert table["split"].unique().tolist() == ["gallery"]
    assert table["belongings"].isna().any()  # people without a bag have no score, not 0
    _, data = download(tab, "Table 3 (CSV)")
    whole = pd.read_csv(io.BytesIO(data), encoding="utf-8-sig")
    assert set(whole["maps"]) == {"k6", "constant mask"}
    assert (whole["split"] == whole["images"].str.split(" ").str[0]).all()  # each row its own split
    assert (whole["images"].str.contains("pseudo-labels") == whole["images"].str.startswith("train")).all()


def test_missing_runs_come_with_the_commands_that_make_them(tab: Tab) -> None:
    tab.open("k_compare?run=k6")
    tab.page.get_by_text("Not here yet: K = 5").click()
    expect(tab.page.get_by_text("runs/k5")).to_be_visible(timeout=60_000)
    expect(tab.page.get_by_text("labels.variant=one-step")).to_be_visible()


def test_a_lasso_shows_its_images_and_stays_in_the_url(tab: Tab) -> None:
    tab.open("embeddings?run=k6&split=gallery")
    plot = component(tab).locator(".plane")
    box = plot.bounding_box()
    assert box is not None
    corners = [(5, 5), (box["width"] - 5, 5), (box["width"] - 5, box["height"] - 5), (5, box["height"] - 5), (5, 6)]
    mouse = tab.page.mouse
    mouse.move(box["x"] + 5, box["y"] + 5)
    mouse.down()
    for x, y in corners:
        mouse.move(box["x"] + x, box["y"] + y, steps=6)
    mouse.up()
    expect(tab.page.get_by_text("24 images", exact=True)).to_be_visible(timeout=60_000)
    expect(tab.page.locator(".tiles button")).to_have_count(24)
    again = Tab(tab.page.context.browser, tab.address)  # type: ignore[arg-type]
    again.open(tab.url().split("/", 3)[3])
    expect(again.page.locator(".tiles button")).to_have_count(24)
    again.page.context.close()


def test_a_point_of_the_plane_shows_its_image_and_by_the_keyboard_its_neighbours(tab: Tab) -> None:
    tab.open("embeddings?run=k6&split=gallery&colour=camera")
    box = component(tab)
    box.focus()
    tab.page.keyboard.press("ArrowRight")
    expect(box).to_have_attribute("data-thumbs", "1", timeout=60_000)
    expect(box.locator(".tip")).to_contain_text("person")
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_text("Neighbours of")).to_be_visible(timeout=60_000)
    tab.page.wait_for_function("location.href.includes('at=')")
    expect(tab.page.locator(".tiles button")).to_have_count(13)  # itself and twelve


def test_uploads_good_and_bad(tab: Tab, tmp_path: Path) -> None:
    tab.open("upload?run=k6&sample=false")
    Image.new("RGB", (3000, 4000), (120, 90, 60)).save(tmp_path / "phone.jpg")
    (tmp_path / "vector.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    (tmp_path / "bomb.png").write_bytes(_bomb(30_000))
    files = [tmp_path / name for name in ("phone.jpg", "vector.png", "bomb.png")]
    tab.page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(files)
    expect(tab.page.get_by_text("vector.png is not a PNG")).to_be_visible(timeout=60_000)
    expect(tab.page.get_by_text("bomb.png")).not_to_have_count(0)
    component(tab)
    tab.settle()
    expect(tab.page.get_by_text("Nearest people in the gallery")).to_be_visible()
    assert "phone" not in tab.url()
    _, data = download(tab, "Mask (PNG)")
    assert Image.open(io.BytesIO(data)).size == (16, 32)
    tab.page.get_by_role("button", name="Clear everything").click()
    expect(tab.page.locator(".isp:has(canvas)")).to_have_count(0)


def test_a_shot_of_the_camera(tab: Tab) -> None:
    tab.page.context.grant_permissions(["camera"])
    tab.open("upload?run=k6&sample=false")
    tab.page.get_by_text("Camera", exact=True).click()
    tab.page.wait_for_function("document.querySelector('video')?.readyState >= 3")
    tab.page.get_by_role("button", name="Take Photo").click()
    expect(tab.page.get_by_text("is wide: draw a box")).to_be_visible()
    component(tab)
    expect(tab.page.get_by_text("Nearest people in the gallery")).to_be_visible()


def test_names_with_markup_and_formulas_stay_text(tab: Tab) -> None:
    for path in ("", "evolution?run=hostile", "ranking?run=hostile&vs=none", "identity?run=hostile", "iou?run=hostile"):
        tab.open(path)
    tab.open("ranking?run=hostile&vs=none")
    assert tab.page.locator("img[src=x]").count() == 0
    _, data = download(tab, "Lists (CSV)")
    assert b",=" not in data


def test_two_tabs_and_a_run_that_grows(tab: Tab, site: Site) -> None:
    path = site.root / "runs" / "growing"
    synthetic.write_run(path, epochs=2)
    tab.open("evolution?run=growing")
    expect(component(tab)).to_have_attribute("data-epoch", "2")
    run = open_run(path)
    synthetic.write_epoch(RunWriter(path), run.records(), 6, 3, 3, vectors=False)
    other = Tab(tab.page.context.browser, site.address)  # type: ignore[arg-type]
    other.open("evolution?run=growing")
    expect(component(other)).to_have_attribute("data-epoch", "3")
    assert other.problems == []


@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1920, True)])
def test_phones_and_large_screens_in_both_themes(site: Site, chrome: object, width: int, dark: bool) -> None:
    tab = Tab(chrome, site.address, width=width, height=1200, dark=dark)  # type: ignore[arg-type]
    for page in ("", "evolution?run=k6", "ranking?run=k6", "iou?run=k6", "k_compare?run=k6"):
        tab.open(page)
        wide = tab.page.evaluate(
            "document.querySelector('[data-testid=stMain]').scrollWidth"
            " - document.querySelector('[data-testid=stMain]').clientWidth"
        )
        assert wide <= 1, f"{page or 'overview'} scrolls sideways by {wide} pixels at {width}"
    assert tab.problems == []
    tab.page.context.close()


def _pixels(data: bytes) -> list[list[int]]:
    picture = Image.open(io.BytesIO(data))
    flat = list(picture.tobytes())
    return [flat[row * picture.width : (row + 1) * picture.width] for row in range(picture.height)]


def _bomb(side: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(b"\0" * (side * (1 + side // 8)), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
