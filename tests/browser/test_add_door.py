"""A manager adds a door: a code on the screen, a controller that types it, and the door that is here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from agent.clock import SystemClock
from agent.commission.pairing import pair
from agent.pairing.code import ALPHABET
from agent.pairing.messages import PairingError
from central.site.folder import Site as Folder
from central.site.init import init
from central.site.pairing import Issuer
from central.site.pairing_wire import IssuerServer
from tests.browser.conftest import Site
from tests.browser.test_dashboard import serious
from tests.central.site.sites import DATABASE, now, settings

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture
def issuer(site: Site) -> Iterator[IssuerServer]:
    """Beside the centre that runs: its folder becomes a whole site's, with an authority."""
    init(site.folder, settings(site.folder), now(), DATABASE)
    server = IssuerServer(Issuer(Folder.open(site.folder), SystemClock()), site.folder)
    server.start()
    yield server
    server.stop()


def code_on(page: Page) -> str:
    """As the person reads it who holds the telephone."""
    return "".join(page.locator(".pairsign b").all_inner_texts())


def asks_for(page: Page, site: Site, door: str, name: str) -> None:
    page.goto(f"{site.url}/#/doors")
    page.get_by_role("link", name="Add a door").click()
    page.get_by_label("Site").fill("hq")
    page.get_by_label("Door", exact=True).fill(door)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Get a code").click()
    expect(page.get_by_text("Read this to whoever stands at the door")).to_be_visible()


def test_a_code_is_read_aloud_typed_at_the_door_and_the_door_is_here(
    site: Site, issuer: IssuerServer, manager: Page, tmp_path: Path
) -> None:
    asks_for(manager, site, "garage", "Garage")
    code = code_on(manager)
    assert re.fullmatch(f"[{ALPHABET}]{{8}}", code)
    expect(manager.get_by_role("timer")).to_have_text(re.compile(r"1[45]:\d\d"))
    expect(manager.get_by_text(site.url)).to_be_visible()
    assert serious(manager) == []
    with pytest.raises(PairingError):
        pair(site.url, code[:-1] + ALPHABET[(ALPHABET.index(code[-1]) + 1) % 24], tmp_path)
    expect(manager.get_by_text("One wrong try of three")).to_be_visible()
    got = pair(site.url, f"{code[:4]} {code[4:]}".lower(), tmp_path)
    expect(manager.get_by_text("Waiting for it at the broker")).to_be_visible()
    site.doors.appears("garage", health={"link": {"certificate_until": got.valid_until.isoformat()}})
    expect(manager.get_by_text("hq/garage is here")).to_be_visible()
    assert serious(manager) == []


def test_a_code_is_shown_once_and_can_be_withdrawn(site: Site, issuer: IssuerServer, manager: Page) -> None:
    asks_for(manager, site, "attic", "Attic")
    code = code_on(manager)
    manager.reload()
    expect(manager.get_by_text("It was shown once, to mary")).to_be_visible()
    assert code not in manager.content()
    manager.get_by_role("button", name="Withdraw it").click()
    expect(manager.get_by_text("This code does not count any more: withdrawn")).to_be_visible()
    manager.get_by_role("button", name="Another code for hq/attic").click()
    expect(manager.get_by_text("Read this to whoever stands at the door")).to_be_visible()
    assert code_on(manager) != code


def test_whoever_adds_a_door_that_is_there_is_told_what_it_means(site: Site, issuer: IssuerServer, manager: Page) -> None:
    manager.goto(f"{site.url}/#/adddoor")
    manager.get_by_label("Site").fill("hq")
    manager.get_by_label("Door", exact=True).fill("front")
    expect(manager.get_by_text("There is such a door.")).to_contain_text("takes its place")


def test_a_guard_adds_no_doors(site: Site, guard: Page) -> None:
    guard.goto(f"{site.url}/#/doors")
    expect(guard.get_by_role("heading", name="Doors")).to_be_visible()
    expect(guard.get_by_role("link", name="Add a door")).to_have_count(0)
