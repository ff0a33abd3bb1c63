"""One server on drawn runs for all journeys, started by the card's own command; skipped where there is no Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.app import synthetic
from tests.browser.server import Tab, serve

HOSTILE = "<img src=x onerror=alert(1)>=1+1.jpg"


@dataclass
class Site:
    """The app, and the folder its runs and pictures lie in."""

    address: str
    root: Path


@pytest.fixture(scope="session")
def site(chrome: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("site")
    synthetic.write_pictures(root / "data", synthetic.records(8, 6, 5))  # a batch of preset walkers has 8 people
    for parts in (4, 6):
        synthetic.write_run(root / "runs" / f"k{parts}", parts=parts, epochs=8, weights=parts == 6, train=8)
    synthetic.write_run(root / "runs" / "baseline", parts=0, epochs=8, spread=2.5, train=8)
    hostile(root / "runs" / "hostile")
    environment = {
        "ISP_EMBEDDED": "0",
        "ISP_RUNS": str(root / "runs"),
        "ISP_DATA": str(root / "data"),
        "OMP_NUM_THREADS": "1",
    }
    with serve(environment) as (address, _):
        yield Site(address, root)


@pytest.fixture
def tab(site: Site, chrome: Browser) -> Iterator[Tab]:
    """A tab in a session of its own; at its end no console error and no request off the machine may have happened."""
    opened = Tab(chrome, site.address)
    opened.page.on("dialog", lambda dialog: (opened.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    yield opened
    opened.page.context.close()
    assert opened.problems == []


def hostile(path: Path) -> None:
    """A run whose records carry markup and formulas in file names, as an imported run might."""

    from isp_core.runs import RunWriter

    table = synthetic.records(2, 2, 3)
    table["path"] = [f"{Path(p).parent}/{i:06d}{HOSTILE}" for i, p in enumerate(table["path"])]
    information = synthetic.info(table, 6, name="<b>drawn</b>", imported=True)
    writer = RunWriter.create(path, information, table)
    plain = synthetic.records(2, 2, 3)
    for epoch in (0, 1):
        synthetic.write_epoch(writer, plain, 6, epoch, 1)
