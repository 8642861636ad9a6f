"""What a manager sees and does while an update goes from the first door to the last, in a real Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agent.clock import SystemClock
from central.database.opening import open_to_write
from central.gateway.audit import AuditLog
from central.updates.packages import Packages
from central.updates.store import Ordered, Rollouts
from tests.browser.conftest import NAMES, Site
from tests.system.brokers import wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


class Room:
    """The centre's room of updates, from its console; and doors that say what they run."""

    def __init__(self, site: Site) -> None:
        engine, clock = open_to_write(site.folder / "central.db"), SystemClock()
        audit = AuditLog(engine, clock)
        self.packages = Packages(engine, clock, audit, site.folder / "state")
        self.rollouts, self._doors = Rollouts(engine, clock, audit, self.packages), site.doors

    def order(self, door: str) -> Ordered | None:
        return next((each for each in self.rollouts.orders() if each.place == ("hq", door)), None)

    def ordered(self) -> str:
        """Which door was ordered first."""
        wait_until(lambda: any(self.order(name) for name in NAMES), 30, "no door was ordered")
        return next(name for name in NAMES if self.order(name))

    def says(self, door: str, **changes: Any) -> None:
        order = self.order(door)
        assert order is not None
        told = {"number": order.package or 0, "serial": order.serial, "trial": False, "refused": "", **changes}
        self._doors.tells(door, update={"rules": told})


def test_a_roll_out_begins_with_one_door_stops_where_it_fails_and_goes_back(site: Site, manager: Page, tmp_path: Path) -> None:
    room, rules = Room(site), tmp_path / "rules.toml"
    rules.write_text("[policy]\nface_wait_s = 3.0\n")
    room.packages.add("console", "rules", rules, "2026.2", "longer waits for the winter's scarves")
    manager.goto(f"{site.url}/#/updates")
    packages = manager.get_by_role("region", name="Packages")
    expect(packages).to_contain_text("longer waits for the winter's scarves")
    packages.get_by_role("button", name="Roll out …").click()
    packages.get_by_role("spinbutton", name="Minutes that each door is watched").fill("0")
    packages.get_by_role("button", name="Begin").click()
    packages.get_by_role("button", name="Yes, begin with one door").click()
    panel = manager.get_by_role("region", name="Rules 2026.2")
    expect(panel).to_contain_text("Running")
    first = room.ordered()
    expect(panel).to_contain_text("1 ordered", timeout=20_000)
    room.says(first)
    wait_until(lambda: sum(room.order(name) is not None for name in NAMES) > 1, 30, "no second wave")
    second = next(name for name in NAMES if room.order(name) and name != first)
    room.says(second, number=0, refused="`$.timing.propped_s` is 40.0: at least timing.held_open_s (50.0)")
    expect(panel).to_contain_text("Stopped", timeout=20_000)
    expect(panel).to_contain_text("at least timing.held_open_s (50.0)")
    panel.get_by_role("button", name="Roll back").click()
    panel.get_by_role("button", name="Yes, every door goes back").click()
    expect(panel).to_contain_text("Rolled back")
    expect(panel).to_contain_text("going back")
    manager.screenshot(path=tmp_path / "updates.png", full_page=True)
    room.says(first)
    expect(panel).to_contain_text("1 is back", timeout=20_000)
