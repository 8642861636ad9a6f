"""One broker, one centre and one browser for all of the dashboard's tests: what is slow is started once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct
from playwright.sync_api import Browser, Page, expect

from central.gateway.pages import DIST
from tests.browser.house import Api, Doors, centre_at, chromium, furnish, sign_in
from tests.system.brokers import Broker, running

BUILD = Path(__file__).parents[2] / "tools" / "build_web.sh"
NAMES = {"front": "Front door", "lab": "Laboratory", "dock": "Loading dock", "stores": "Stores"}


class Site(Struct):
    url: str
    doors: Doors
    folder: Path


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
        yield Site(url, doors, folder)
        doors.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=15_000)
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def signed_in(site: Site, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The cookies of a guard and a manager: passwords are slow on purpose, so each signs in once."""
    kept: dict[str, Path] = {}
    for account in ("grace", "mary"):
        made = browser.new_context()
        sign_in(made.new_page(), site.url, account)
        kept[account] = tmp_path_factory.mktemp("cookies") / f"{account}.json"
        made.storage_state(path=kept[account])
        made.close()
    return kept


def _opened(browser: Browser, site: Site, cookies: Path) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce", storage_state=cookies)
    page = context.new_page()
    page.goto(site.url)
    expect(page.get_by_role("navigation", name="Screens")).to_be_visible()
    yield page
    context.close()


@pytest.fixture(scope="session")
def desk(site: Site) -> Iterator[Api]:
    """What the guard has done before."""
    api = Api(site.url, "grace")
    yield api
    api.close()


@pytest.fixture
def empty_queue(desk: Api) -> None:
    """A shift begins: what rang in the test before is closed, whichever that was."""
    for alert in desk.ask("GET", "/alerts", params={"state": "all"}):
        if alert["state"] != "closed":
            desk.ask("POST", f"/alerts/{alert['id']}/close", json={"note": "seen to"})


@pytest.fixture
def guard(site: Site, browser: Browser, signed_in: dict[str, Path]) -> Iterator[Page]:
    yield from _opened(browser, site, signed_in["grace"])


@pytest.fixture
def manager(site: Site, browser: Browser, signed_in: dict[str, Path]) -> Iterator[Page]:
    yield from _opened(browser, site, signed_in["mary"])
