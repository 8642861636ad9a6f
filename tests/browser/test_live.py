"""A guard watches a door with the dashboard, and talks: the door's media program, its broker, the centre and Chromium are the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from hw.sound import RATE_HZ
from tests.browser.house import Doors, centre_at, sign_in
from tests.media.media_house import MediaHouse, tone

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[MediaHouse]:
    (tmp_path / "at-the-door.raw").write_bytes(tone(440.0, RATE_HZ).tobytes())
    sound = f'microphone = "sim:{tmp_path}/at-the-door.raw"\nspeaker = "sim:{tmp_path}/speaker.raw"'
    made = MediaHouse(tmp_path, f"frames_per_s = 15.0\n{sound}")
    made.open()
    yield made
    made.close()


def test_the_live_picture_comes_the_guard_talks_and_ends_it(
    house: MediaHouse, dist: Path, browser: Browser, tmp_path: Path
) -> None:
    centre = tmp_path / "centre"
    centre.mkdir()
    with centre_at(centre, house.broker.port, {"front": "Front door"}) as url:
        doors = Doors(house.broker.port)
        doors.appears("front")
        page = browser.new_page()
        sign_in(page, url, "grace")
        page.goto(f"{url}/#/door/hq/front")
        expect(page.get_by_text("Faces of bystanders are hidden")).to_be_visible()
        page.get_by_role("button", name="Watch live").click()
        live = page.locator(".live")
        expect(live).to_have_attribute("data-live", "live", timeout=40_000)
        expect(live.locator("svg.boxes rect").first).to_be_attached(timeout=40_000)
        page.get_by_role("button", name="Talk", exact=True).click()
        expect(page.get_by_role("button", name="Stop talking")).to_be_visible()
        page.get_by_role("button", name="End", exact=True).click()
        expect(page.get_by_role("button", name="Watch live")).to_be_visible()
        page.close()
        doors.stop()
