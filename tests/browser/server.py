"""Starts the app by the card's own command and drives it in a real Chromium. Shared by journeys and measurements."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from playwright.sync_api import Browser, Page, Request, Response, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
_SETTLED = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  return app && app.dataset.testConnectionState === 'CONNECTED' && app.dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-stale=true],[data-testid=stSkeleton],[data-testid=stAppSkeleton]');
}"""
_SIDEWAYS = """() => [...document.querySelectorAll('[data-testid=stDataFrame] .dvn-scroller')]
  .filter((table) => table.scrollWidth > table.clientWidth)
  .map((table) => [...table.querySelectorAll('th')].map((head) => head.innerText).join(', '))"""
expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong
# asked below a page's own path at a deep link, before Streamlit finds its root; its own doing, and harmless
_PROBES = ("/_stcore/health", "/_stcore/host-config")


def chromium() -> str | None:
    """A Chromium or Chrome on this machine, or None."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


@contextlib.contextmanager
def serve(
    environment: Mapping[str, str], *options: str, script: str | Path = "app/main.py"
) -> Iterator[tuple[str, int]]:
    """The app (or another script) at (address, process id); extra options go to `streamlit run`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(script),
        f"--server.port={port}",
        "--server.headless=true",
    ]
    process = subprocess.Popen(
        [*command, *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                break
            time.sleep(0.1)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium that asks nothing of the network by itself, and whose camera shows a pattern."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=chromium(),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--use-fake-device-for-media-stream",
            ],
        )
        yield found
        found.close()


class Tab:
    """One tab that notes console errors, failed requests and requests that leave the machine."""

    def __init__(
        self, browser: Browser, address: str, width: int = 1280, height: int = 1800, dark: bool = False
    ) -> None:
        self.address = address
        self.page: Page = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", accept_downloads=True
        ).new_page()
        self.problems: list[str] = []
        self.page.on("console", lambda m: self._note(m.text) if m.type == "error" and "404" not in m.text else None)
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("request", self._watch)
        self.page.on("response", self._answer)

    def _note(self, text: str) -> None:
        self.problems.append(text[:300])

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self.address, self.address.replace("http", "ws"), "data:", "blob:")):
            self._note(f"request off the machine: {request.url[:200]}")

    def _answer(self, response: Response) -> None:
        if response.status >= 400 and not response.url.endswith(_PROBES):
            self._note(f"{response.status} {response.url[:200]}")

    def open(self, path: str) -> None:
        """Opens a page by its address and waits until it has settled."""
        self.page.goto(f"{self.address}/{path}", timeout=90_000)
        self.settle()

    def go(self, title: str) -> None:
        """Changes the page by the sidebar."""
        self.page.locator("[data-testid=stSidebarNavLink]", has_text=title).click()
        heading = {"Overview": "What identity labels teach about the human body"}.get(title, title)
        expect(self.page.locator("h1").first).to_have_text(heading, timeout=60_000)
        self.settle()

    def settle(self, seconds: float = 90) -> None:
        """Waits until the script has run and nothing is stale; then no exception may be on the page."""
        self.page.wait_for_function(_SETTLED, timeout=1000 * seconds)
        assert self.page.locator("[data-testid=stException]").count() == 0

    def said(self) -> str:
        """The text of the main part."""
        return self.page.inner_text("[data-testid=stMain]")

    def sideways(self) -> list[str]:
        """The tables in sight of which some columns are not, each by its columns."""
        return list(self.page.evaluate(_SIDEWAYS))

    def url(self) -> str:
        """The address that a person would copy."""
        return str(self.page.evaluate("location.href"))
