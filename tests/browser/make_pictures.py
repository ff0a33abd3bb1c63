"""Makes the README's pictures of the app: the embedded study in a real Chromium, so that they stay true.

By hand, from the project's folder: `python -m tests.browser.make_pictures docs/app`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.server import Tab, browser, serve


@dataclass(frozen=True)
class Picture:
    """A page in one theme. below: the words of the heading that what is shown begins with, if not the top."""

    name: str
    path: str
    height: int
    dark: bool = False
    below: str = ""
    masks: bool = False


PICTURES = (
    Picture("overview", "", 760),
    Picture("evolution", "evolution?op=70&img=0019_c4s1_006030_01.jpg", 900, dark=True),  # chosen for its backpack
    Picture("k-compare", "k_compare?split=query&op=70", 700),
    Picture("ranking", "ranking?split=query", 1000, below="Query ", masks=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("assets/runs"), help="where the study lies")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    # the embedded study alone: no run or data set of this machine gets into a picture
    environment = {"ISP_RUNS": str(arguments.runs.resolve()), "ISP_DATA": "", "ISP_EMBEDDED": "0"}
    with serve(environment) as (address, _), browser() as chromium:
        for picture in PICTURES:
            tab = Tab(chromium, address, height=4000, dark=picture.dark)
            tab.open(picture.path)
            for viewer in tab.page.locator(".isp:has(.legend):has(canvas)").all():
                expect(viewer).to_have_attribute("data-ready", "1", timeout=60_000)
            if picture.masks:
                for toggle in tab.page.locator(".masks-toggle:visible").all():
                    if toggle.get_attribute("aria-pressed") == "false":
                        toggle.click()
                tab.page.wait_for_timeout(1000)
            tab.settle()
            top = 0.0
            if picture.below:
                box = tab.page.locator("h3", has_text=picture.below).first.bounding_box()
                top = box["y"] - 20 if box else 0.0
            file = out / f"{picture.name}.png"
            tab.page.screenshot(path=file, clip={"x": 0, "y": top, "width": 1280, "height": picture.height})
            assert tab.problems == [], tab.problems
            print(file)
            tab.page.context.close()


if __name__ == "__main__":
    main()
