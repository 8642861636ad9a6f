"""Pictures of every screen, light, dark and as wide as a phone, to be looked at: python -m tests.browser.pictures FOLDER [WORD ...]

With words, only pictures whose name holds one of them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NAMES
from tests.browser.house import PASSWORD, STOLEN, Api, Doors, centre_at, chromium, furnish, sign_in
from tests.system.brokers import Broker, running, wait_until

SHAPES = {
    "light": (1280, 860, "light"),
    "dark": (1280, 860, "dark"),
    "phone": (390, 844, "dark"),
    "phone-light": (390, 844, "light"),
}
ROOMS = ("Archive", "Canteen", "Cold store", "Garage", "Library", "Post room", "Roof", "Server room", "Training", "Workshop")
MANAGERS = {"doors": "doors", "door": "door/hq/front", "map": "map", "events": "events", "people": "people", "person": "people/p-0001",
            "import": "people/import", "enrol": "people/p-0001/enrol", "settings": "settings", "access": "access",
            "schedule": "access/schedule/office", "profile": "access/profile/staff", "calendar": "access/calendar/public-holidays",
            "accounts": "accounts", "account": "accounts/grace", "new-account": "accounts/new",
            "duty": "duty", "plan": "duty/grace"}  # fmt: skip


def main() -> int:
    """Returns the exit code."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    out, words = Path(sys.argv[1]), sys.argv[2:]
    out.mkdir(parents=True, exist_ok=True)
    names = {**NAMES, **{room.lower().replace(" ", "-"): room for room in ROOMS}}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        broker = Broker("mosquitto", folder)
        with running(broker), centre_at(folder, broker.port, names) as url, chromium() as browser:
            doors = Doors(broker.port)
            furnish(url)
            lay_out(url)
            rule(url)
            a_busy_night(doors, names, url)
            for shape in SHAPES:
                _pictures(browser, url, out, shape, words)
            doors.stop()
    return 0


def lay_out(url: str) -> None:
    """Doors where the plan has its openings, and zones about them."""
    api = Api(url, "mary")
    (plan,) = api.ask("GET", "/maps")
    places = {"front": (60, 350), "lab": (740, 450), "dock": (1040, 560), "stores": (640, 640)}
    zones = [
        {"id": "lobby", "name": "Lobby", "points": [[66, 66], [415, 66], [415, 635], [66, 635]], "doors": ["hq/front"]},
        {
            "id": "laboratory",
            "name": "Laboratory",
            "points": [[745, 66], [1035, 66], [1035, 635], [745, 635]],
            "doors": ["hq/lab", "hq/dock"],
        },
    ]
    placed = [{"site": "hq", "door": door, "x": x, "y": y} for door, (x, y) in places.items()]
    api.ask(
        "PUT", f"/maps/{plan['id']}", json={"name": plan["name"], "edition": plan["edition"], "doors": placed, "zones": zones}
    )
    api.close()


def rule(url: str) -> None:
    """Hours of an office, with holidays, and a guard's nights."""
    api = Api(url, "mary")
    api.ask(
        "PUT", "/calendars/public-holidays", json={"days": ["2027-01-01", "2027-04-02", "2027-05-01", "2027-12-25", "2027-12-26"]}
    )
    hours = [{"days": [0, 1, 2, 3, 4], "from_min": 450, "until_min": 1095}, {"days": [5], "from_min": 540, "until_min": 780}]
    special = [{"calendar": "public-holidays", "hours": []}]
    api.ask("PUT", "/schedules/office", json={"zone": "Europe/Berlin", "intervals": hours, "special_days": special})
    api.ask(
        "PUT", "/profiles/cleaners", json={"doors": ["hq/front", "hq/lab"], "schedule": "office", "factors": "credential_and_pin"}
    )
    nights = [{"days": [4, 5, 6], "begin": "22:00", "end": "06:00"}]
    api.ask("PUT", "/duty", json={"account": "grace", "hours": nights, "timezone": "Europe/Berlin"})
    api.close()


def a_busy_night(doors: Doors, names: dict[str, str], url: str) -> None:
    """Each state that a door may have, and what led to it."""
    for name in names:
        doors.appears(name)
    doors.tells(
        "front",
        risk={"band": "critical", "sentence": "the face is not the cardholder's; glances far above usual", "zone": "reader"},
    )
    doors.tells("dock", contact="open", alarm="held")
    doors.tells("stores", lock="jammed")
    doors.tells("garage", contact="unknown")
    doors.tells("archive", mode="LockedDown")
    doors.tells("canteen", mode="Unlocked", lock="released")
    doors.tells("library", health={"vision": "stale", "camera_tamper": ["covered"]})
    doors.tells("training", risk={"band": "raised", "sentence": "somebody lingers", "zone": "approach"})
    doors.appears("roof", online=False)
    for number in range(24):
        door, ago_s = list(names)[number % len(names)], 3600.0 - 100 * number
        doors.happens(door, "access.granted", ago_s, cardholder=f"p-000{number % 4 + 1}", reasons=["face_match"],
                      sentences=["the face is the cardholder's"])  # fmt: skip
    doors.happens("dock", "door.held", 300.0, after_s=60)
    doors.happens("lab", "access.denied", 200.0, cardholder="p-0003", reasons=["outside_schedule"],
                  sentences=["the cardholder may pass here, but not at this hour"])  # fmt: skip
    doors.happens("front", "access.denied", **STOLEN)
    api = Api(url, "grace")
    wait_until(lambda: len(api.ask("GET", "/alerts")) > 0, 20, "no alert rang")
    wait_until(lambda: len(api.ask("GET", "/events")["events"]) >= 27, 20, "events are missing")
    api.close()


def _pictures(browser: Browser, url: str, out: Path, shape: str, words: list[str]) -> None:
    width, height, scheme = SHAPES[shape]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light",
                                  reduced_motion="reduce")  # fmt: skip

    def take(page: Page, name: str) -> None:
        if not words or any(word in f"{name}-{shape}" for word in words):
            expect(page.locator(".working")).to_have_count(0)
            page.wait_for_load_state("networkidle") if name == "signin" else page.evaluate(
                "() => document.fonts.ready.then(() => true)"
            )
            page.screenshot(path=out / f"{name}-{shape}.png")

    page = context.new_page()
    page.goto(url)
    take(page, "signin")
    sign_in(page, url, "mary")
    for name, screen in MANAGERS.items():
        page.goto(f"{url}/#/{screen}")
        expect(page.locator(".working")).to_have_count(0)
        take(page, name)
    page.goto(f"{url}/#/access/schedule/office")
    page.get_by_text("To the minute").click()
    page.get_by_label("Time zone of the building").fill("Europe/Berlim")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("alert").scroll_into_view_if_needed()
    take(page, "schedule-wrong")
    page.get_by_role("button", name="Discard").click()
    page.goto(f"{url}/#/settings")
    page.get_by_text("Set it up").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("The code that the app shows now").scroll_into_view_if_needed()
    take(page, "totp")
    page.goto(f"{url}/#/map")
    page.get_by_role("button", name="Place doors and zones").click()
    take(page, "draw")
    page.goto(f"{url}/#/reports")
    page.get_by_role("button", name="Refused").click()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("region", name="Report")).to_be_visible()
    take(page, "reports")
    page.goto(f"{url}/#/events?kind=access.denied")
    page.get_by_role("list", name="Events, newest first").locator("a.sentence").first.click()
    expect(page.get_by_role("region", name="Why")).to_be_visible()
    take(page, "event")
    _as_guard(context.browser, url, shape, take)
    _as_auditor(context.browser, url, shape, take)
    context.close()


def _as_guard(browser: Browser | None, url: str, shape: str, take: object) -> None:
    assert browser is not None
    assert callable(take)
    width, height, scheme = SHAPES[shape]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light",
                                  reduced_motion="reduce")  # fmt: skip
    page = context.new_page()
    sign_in(page, url, "grace")
    expect(page.get_by_role("region", name="Open alerts").get_by_role("link").first).to_be_visible()
    take(page, "alerts")
    page.get_by_role("region", name="Open alerts").get_by_role("link", name="Front door").first.click()
    expect(page.get_by_text("usual here").first).to_be_visible()
    expect(page.locator(".plan.small .pin").first).to_be_visible()
    take(page, "alert")
    page.get_by_role("button", name="Let in").click()
    expect(page.get_by_role("list", name="Commands given here")).to_contain_text("done")
    page.get_by_role("button", name="Lock down").click()
    take(page, "alert-armed")
    page.mouse.wheel(0, 700)
    take(page, "alert-below")
    context.set_offline(True)
    expect(page.get_by_text("Not connected since")).to_be_visible(timeout=20_000)
    take(page, "cut")
    context.close()


def _as_auditor(browser: Browser | None, url: str, shape: str, take: object) -> None:
    assert browser is not None
    assert callable(take)
    width, height, scheme = SHAPES[shape]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    sign_in(page, url, "charles")
    page.goto(f"{url}/#/audit")
    expect(page.get_by_role("region", name="Audit log")).to_be_visible()
    take(page, "audit")
    context.close()


if __name__ == "__main__":
    sys.exit(main())
