"""Measures the speed budget on a run of Market-1501's size: first load, page switch, rerun, toggles, server memory.

Beside the first load stands that of a Streamlit app with nothing in it, in the same Chromium: no app can be faster.

By hand: `python tests/app/synthetic.py --market OUT/market`, then `python -m tests.browser.measure_budget OUT`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.server import Tab, browser, serve

PAGES = ("Evolution", "Identity", "K compare", "IoU", "Ranking", "Embeddings", "Upload", "Train", "Help", "Overview")
BOX = "[...document.querySelectorAll('*')].map(e => e.shadowRoot?.querySelector('.isp')).find(Boolean)"
"""The first of our components on the page, for the browser."""


@dataclass
class Watch:
    """Times an action at the browser, and what the server computed meanwhile (on a busy machine the two differ)."""

    pid: int

    def report(self, name: str, what: Callable[[], object], limit: float) -> None:
        """One line: seconds until the page has settled, and the server's CPU seconds of them."""
        start, busy = time.perf_counter(), self._busy()
        what()
        wall = time.perf_counter() - start
        line(name, wall, limit, "s", f"server CPU {self._busy() - busy:.2f} s")

    def _busy(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def line(name: str, value: float, limit: float, unit: str, note: str = "") -> None:
    print(f"{name:42s} {value:8.2f} {unit:2s} limit {limit:<5g}{'' if value <= limit else 'OVER':5s}{note}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    runs = parser.parse_args().runs
    _floor()
    with serve({"ISP_RUNS": str(runs), "ISP_EMBEDDED": "0"}) as (address, pid), browser() as chromium:
        watch = Watch(pid)
        cold = Tab(chromium, address)
        watch.report("first load of the first session", lambda: cold.open(""), 3)
        time.sleep(20)  # the slow libraries load in the background
        watch.report("first load of a later session", lambda: Tab(chromium, address).open(""), 3)
        tab = Tab(chromium, address)
        tab.open("")
        for again in ("first", "second"):
            for page in PAGES:
                limit = 5 if page == "Embeddings" and again == "first" else 1
                watch.report(f"{again} switch to {page}", lambda page=page: tab.go(page), limit)
        tab.open("evolution")
        box = tab.page.locator(".isp").first
        expect(box).to_have_attribute("data-ready", "1")
        _point_at_next_option(tab)
        watch.report("evolution: another picture", lambda: _take_option(tab), 0.4)
        line("evolution: one step of scrubbing", _milliseconds(tab, 50, key="ArrowLeft"), 50, "ms")
        line("evolution: hiding a part", _milliseconds(tab, 10, key="1", code="Digit1"), 50, "ms")
        line("server memory, three sessions", memory(pid), 1500, "MB")


def _floor() -> None:
    """Loads of an empty app: the first of its server, and a later one."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "empty.py"
        script.write_text("import streamlit as st\n\nst.title('Empty')\n")
        with serve({}, script=script) as (address, pid), browser() as chromium:
            watch = Watch(pid)
            for name in ("first load of an empty app", "later load of an empty app"):
                watch.report(name, lambda: Tab(chromium, address).open(""), 3)


def _point_at_next_option(tab: Tab) -> None:
    picker = tab.page.get_by_label("Image (").first
    picker.click()
    picker.press("ArrowDown")


def _take_option(tab: Tab) -> None:
    """From the key that chooses until the page has settled."""
    shown = tab.page.locator(".isp").first.get_attribute("aria-label")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_function(f"shown => ({BOX})?.ariaLabel !== shown", arg=shown)
    tab.settle()


def _milliseconds(tab: Tab, times: int, **key: str) -> float:
    """What the component computes for one press of a key."""
    press = f"({BOX}).dispatchEvent(new KeyboardEvent('keydown', key))"
    loop = f"for (let i = 0; i < times; i++) {press};"
    return float(
        tab.page.evaluate(
            f"([times, key]) => {{ const t = performance.now(); {loop} return (performance.now() - t) / times; }}",
            [times, key],
        )
    )


if __name__ == "__main__":
    main()
