"""One broker, one centre and one browser for all of the dashboard's tests: what is slow is started once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct
from playwright.sync_api import Browser, BrowserContext, Page, expect

from central.gateway.pages import DIST
from tests.browser.house import Doors, centre_at, chromium, furnish, sign_in
from tests.system.brokers import Broker, running

BUILD = Path(__file__).parents[2] / "tools" / "build_web.sh"
NAMES = {"front": "Front door", "lab": "Laboratory", "dock": "Loading dock", "stores": "Stores"}


class Site(Struct):
    url: str
    doors: Doors


@pytest.fixture(scope="session")
def dist() -> Path:
    """The dashboard as it is delivered."""
    subprocess.run([str(BUILD)], check=True, timeout=300)
    return DIST


@pytest.fixture(scope="session")
def site(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    broker = Broker("mosquitto", folder)
    with running(broker), centre_at(folder, broker.port, NAMES) as url:
        doors = Doors(broker.port)
        for name in NAMES:
            doors.appears(name)
        furnish(url)
        yield Site(url, doors)
        doors.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=15_000)
    with chromium() as opened:
        yield opened


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    yield made
    made.close()


@pytest.fixture
def guard(site: Site, context: BrowserContext) -> Page:
    page = context.new_page()
    sign_in(page, site.url, "grace")
    return page


@pytest.fixture
def manager(site: Site, context: BrowserContext) -> Page:
    page = context.new_page()
    sign_in(page, site.url, "mary")
    return page
