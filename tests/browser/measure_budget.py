"""Measures the speed budget on a run of Market-1501's size: first load, page switch, rerun, toggles, server memory.

By hand: `python tests/app/synthetic.py --market OUT/market`, then `python -m tests.browser.measure_budget OUT`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.server import Tab, browser, serve

PAGES = ("Evolution", "Identity", "K compare", "IoU", "Ranking", "Embeddings", "Upload", "Train", "Help", "Overview")


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
    with serve({"ISP_RUNS": str(runs)}) as (address, pid), browser() as chromium:
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
        watch.report("evolution: another picture", lambda: _next_option(tab), 0.4)
        scrub = tab.page.evaluate(
            """() => { const box = [...document.querySelectorAll('*')].map(e => e.shadowRoot?.querySelector('.isp'))
                 .find(Boolean); const t = performance.now();
                 for (let i = 0; i < 50; i++) box.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}));
                 return (performance.now() - t) / 50; }"""
        )
        line("evolution: one step of scrubbing", scrub, 50, "ms")
        toggle = tab.page.evaluate(
            """() => { const box = [...document.querySelectorAll('*')].map(e => e.shadowRoot?.querySelector('.isp'))
                 .find(Boolean); const t = performance.now();
                 for (let i = 0; i < 10; i++)
                   box.dispatchEvent(new KeyboardEvent('keydown', {key: '1', code: 'Digit1'}));
                 return (performance.now() - t) / 10; }"""
        )
        line("evolution: hiding a part", toggle, 50, "ms")
        line("server memory, three sessions", memory(pid), 1500, "MB")


def _next_option(tab: Tab) -> None:
    picker = tab.page.get_by_label("Picture (").first
    picker.click()
    picker.press("ArrowDown")
    picker.press("Enter")
    tab.page.wait_for_timeout(50)
    tab.settle()


if __name__ == "__main__":
    main()
