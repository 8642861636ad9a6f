"""What a guard and a manager do with the dashboard, in a real Chromium, with a real broker and database behind it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from tests.browser.conftest import Site
from tests.browser.house import PASSWORD, RISK, STOLEN, Api, sign_in
from tests.system.brokers import wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(240), pytest.mark.usefixtures("empty_queue")]

AXE = Path(__file__).parents[2] / "central" / "web" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = """(rules) => axe.run(document, { resultTypes: ["violations"], rules }).then((found) => found.violations
    .filter((each) => ["serious", "critical"].includes(each.impact))
    .map((each) => each.id + ": " + each.nodes.map((node) => node.html.slice(0, 160)).join(" | ")))"""


@pytest.fixture(autouse=True)
def _doors_answer(site: Site) -> Iterator[None]:
    yield
    site.doors.silent = False
    site.doors.answer()


def serious(page: Page, *, contrast: bool = True) -> list[str]:
    """What axe finds in the page's own world, which the page's policy has no say in."""
    rules = json.dumps({"color-contrast": {"enabled": contrast}})
    tools = page.context.new_cdp_session(page)
    tree = tools.send("Page.getFrameTree")
    world = tools.send("Page.createIsolatedWorld", {"frameId": tree["frameTree"]["frame"]["id"]})
    for script in (AXE.read_text(), f"({SERIOUS})({rules})"):
        told = tools.send("Runtime.evaluate", {"expression": script, "contextId": world["executionContextId"],
                                               "awaitPromise": True, "returnByValue": True})  # fmt: skip
        assert "exceptionDetails" not in told, told
    found: list[str] = told["result"]["value"]
    return found


def alert_of(page: Page, site: Site, door: str = "front") -> None:
    """Somebody holds out a fob that is not theirs, and the guard opens what rings."""
    site.doors.happens(door, "access.denied", **STOLEN)
    page.goto(f"{site.url}/#/alerts")
    page.get_by_role("region", name="Open alerts").get_by_role("link").first.click()
    expect(page.get_by_role("region", name="Decide")).to_be_visible()


def test_a_wrong_password_is_told_and_a_right_one_opens_the_doors(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(site.url)
    page.get_by_label("Account").fill("mary")
    page.get_by_label("Password").fill("no cat at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Doors")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Front door"))).to_contain_text("Secured")
    page.close()


def test_a_door_is_shown_as_it_is_without_loading_the_page_again(site: Site, manager: Page) -> None:
    stores = manager.get_by_role("link", name=re.compile("Stores"))
    expect(stores).to_contain_text("Secured")
    site.doors.tells("stores", lock="jammed")
    expect(stores).to_contain_text("Jammed")
    site.doors.tells("stores", lock="secured", contact="unknown")
    expect(stores).to_contain_text("Unknown")
    site.doors.appears("stores", online=False)
    expect(stores).to_contain_text("Offline")
    expect(stores).to_contain_text("last known")
    site.doors.appears("stores")
    expect(stores).to_contain_text("Secured")


def test_an_alert_appears_while_the_guard_looks_and_says_why_and_what_is_usual(site: Site, guard: Page) -> None:
    expect(guard.get_by_role("heading", name="Alerts")).to_be_visible()
    site.doors.happens("lab", "access.denied", **STOLEN)
    line = guard.get_by_role("region", name="Open alerts").get_by_role("link", name=re.compile("Laboratory")).first
    expect(line).to_be_visible()
    line.click()
    expect(guard.get_by_text("looked over the shoulder 9 times in 14 s")).to_be_visible()
    expect(guard.get_by_text("usual here: 1 (0 to 3), of 412 visits")).to_be_visible()
    expect(guard.get_by_role("link", name="Ada Lovelace")).to_be_visible()
    guard.get_by_role("button", name="Acknowledge").click()
    expect(guard.get_by_text(re.compile("acknowledged by grace|closed by grace"))).to_be_visible()


def test_an_alert_whose_cause_has_ended_says_so_until_somebody_has_looked(site: Site, guard: Page) -> None:
    about = {"about": "person", "episode": "5a5a5a5a-1", "sentences": ["stayed 26 s where nobody may linger"], "risk": RISK}
    site.doors.happens("stores", "risk.raised", **about)
    site.doors.happens("stores", "risk.raised", **about)
    line = guard.get_by_role("region", name="Open alerts").get_by_role("link", name=re.compile("Stores"))
    expect(line).to_contain_text("2 times, last")
    expect(line).not_to_contain_text("over since")
    site.doors.happens("stores", "risk.cleared", **about)
    expect(line).to_contain_text("over since")


def test_an_answer_that_comes_late_takes_the_place_of_no_news(site: Site, guard: Page) -> None:
    """What the page asks for as it opens was read before the alert came, and arrives after it."""
    late: list[tuple[Route, APIResponse]] = []
    guard.route(re.compile(r"/api/(alerts|doors)(\?|$)"), lambda route: late.append((route, route.fetch())))
    with guard.expect_response(lambda answer: "/api/stream" in answer.url):  # from here on the page hears what happens
        guard.reload()
    wait_until(lambda: guard.evaluate("() => true") and len(late) >= 2, 15, "the page asks for nothing")
    site.doors.tells("stores", lock="jammed")
    site.doors.happens("lab", "access.denied", **STOLEN)
    expect(guard.get_by_role("status").filter(has_text="Alert: ")).to_be_attached()
    while late:
        for route, answer in late:
            route.fulfill(response=answer)
        late.clear()
        guard.wait_for_timeout(500)
    expect(guard.get_by_role("region", name="Open alerts").get_by_role("link", name=re.compile("Laboratory"))).to_be_visible()
    guard.goto(f"{site.url}/#/doors")
    expect(guard.get_by_role("link", name=re.compile("Stores"))).to_contain_text("Jammed")
    site.doors.tells("stores", lock="secured")


def test_a_door_that_was_locked_down_is_one_tap_from_its_release(site: Site, guard: Page) -> None:
    alert_of(guard, site, "dock")
    expect(guard.get_by_role("link", name="The door and its commands")).to_be_visible()
    site.doors.tells("dock", mode="LockedDown")
    guard.get_by_role("link", name="Release and other commands").click()
    expect(guard.get_by_role("button", name="Release")).to_be_visible()
    site.doors.tells("dock", mode="Locked")


def test_let_in_is_shown_as_done_only_when_the_door_has_said_so(site: Site, guard: Page) -> None:
    alert_of(guard, site)
    site.doors.silent = True
    given = len(site.doors.asked)
    guard.get_by_role("button", name="Let in").click()
    orders = guard.get_by_role("list", name="Commands given here")
    expect(orders).to_contain_text("sent, waiting for the door")
    wait_until(lambda: len(site.doors.asked) > given, 15, "the command did not reach the door")
    assert site.doors.asked[-1]["topic"] == "doorward/hq/front/cmd/grace/unlock"
    assert site.doors.asked[-1]["why"].startswith("alert ")
    assert "done" not in orders.inner_text()
    site.doors.answer()
    expect(orders).to_contain_text("done, says the door")


def test_a_door_that_refuses_is_shown_to_have_refused(site: Site, guard: Page) -> None:
    alert_of(guard, site)
    site.doors.silent = True
    given = len(site.doors.asked)
    guard.get_by_role("button", name="Refuse").click()
    wait_until(lambda: len(site.doors.asked) > given, 15, "the command did not reach the door")
    site.doors.answer(ok=False, reason="nobody waits for a guard")
    expect(guard.get_by_role("list", name="Commands given here")).to_contain_text("refused")


def test_lock_down_is_asked_for_twice(site: Site, guard: Page) -> None:
    alert_of(guard, site)
    given = len(site.doors.asked)
    guard.get_by_role("button", name="Lock down").click()
    again = guard.get_by_role("button", name="Tap again: lock down")
    expect(again).to_be_visible()
    assert len(site.doors.asked) == given
    again.click()
    expect(guard.get_by_role("list", name="Commands given here")).to_contain_text("Lock down: done")
    assert site.doors.asked[-1]["topic"].endswith("/cmd/grace/lockdown")


def test_a_door_is_placed_on_the_map_and_found_there_again(site: Site, manager: Page) -> None:
    manager.goto(f"{site.url}/#/map")
    manager.get_by_role("button", name="Place doors and zones").click()
    manager.get_by_label("Put a door on the map").select_option("hq/dock")
    pin = manager.locator(".pin", has_text="Loading dock")
    before = pin.bounding_box()
    assert before is not None
    x, y = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    manager.mouse.move(x, y)
    manager.mouse.down()
    manager.mouse.move(x - 120, y + 40, steps=6)
    manager.mouse.up()
    manager.get_by_role("button", name="Save").click()
    expect(manager.get_by_role("button", name="Place doors and zones")).to_be_visible()
    manager.reload()
    pin = manager.locator(".pin", has_text="Loading dock")
    expect(pin).to_be_visible()
    pin.click()
    expect(manager.get_by_role("region", name="Loading dock")).to_contain_text("Secured")


def on_the_map(site: Site, door: str) -> None:
    api = Api(site.url, "mary")
    (found,) = api.ask("GET", "/maps")
    doors = [each for each in found["doors"] if each["door"] != door] + [{"site": "hq", "door": door, "x": 60, "y": 60}]
    api.ask("PUT", f"/maps/{found['id']}", json={key: found[key] for key in ("name", "edition", "zones")} | {"doors": doors})
    api.close()


def test_a_click_on_a_door_of_the_map_counts_though_the_door_says_something_meanwhile(site: Site, guard: Page) -> None:
    on_the_map(site, "front")
    guard.goto(f"{site.url}/#/map")
    pin = guard.locator(".pin", has_text="Front door")
    expect(pin).to_contain_text("Secured")
    pin.hover()
    guard.mouse.down()
    site.doors.tells("front", contact="open")
    expect(pin).not_to_contain_text("Secured")
    guard.mouse.up()
    expect(guard.get_by_role("region", name="Front door")).to_be_visible()
    site.doors.tells("front", contact="closed")
    expect(pin).to_contain_text("Secured")


def test_a_file_of_people_is_looked_at_before_it_changes_anything(site: Site, manager: Page) -> None:
    manager.goto(f"{site.url}/#/people/import")
    bad = b"id,name,profiles\np-0100,Maria Sibylla Merian,staff\np 0101,,nowhere\n"
    manager.get_by_label("File", exact=True).set_input_files({"name": "people.csv", "mimeType": "text/csv", "buffer": bad})
    manager.get_by_role("button", name="Look at it first").click()
    expect(manager.get_by_role("region", name="Rows that cannot be taken")).to_be_visible()
    expect(manager.get_by_role("button", name="Bring them in")).to_have_count(0)
    good = b"id,name,profiles\np-0100,Maria Sibylla Merian,staff\n"
    manager.get_by_label("File", exact=True).set_input_files({"name": "people.csv", "mimeType": "text/csv", "buffer": good})
    manager.get_by_role("button", name="Look at it first").click()
    manager.get_by_role("button", name="Bring them in").click()
    expect(manager.get_by_role("region", name="Done")).to_contain_text("1 new")


def test_a_lost_fob_is_marked_so(site: Site, manager: Page) -> None:
    manager.goto(f"{site.url}/#/people/p-0002")
    manager.get_by_role("button", name="Lost: H10301:12:5282").click()
    expect(manager.get_by_role("region", name="Fobs")).to_contain_text("lost")


def test_the_keyboard_alone_leads_from_the_queue_to_the_decision(site: Site, guard: Page) -> None:
    site.doors.happens("dock", "access.denied", **STOLEN)
    guard.keyboard.press("g")
    guard.keyboard.press("d")
    expect(guard.get_by_role("heading", name="Doors")).to_be_visible()
    guard.keyboard.press("g")
    guard.keyboard.press("a")
    expect(guard.get_by_role("region", name="Open alerts").get_by_role("link").first).to_contain_text("Loading dock")
    guard.keyboard.press("j")
    guard.keyboard.press("Enter")
    expect(guard.get_by_role("region", name="Decide")).to_be_visible()
    guard.keyboard.press("a")
    expect(guard.get_by_text(re.compile("acknowledged by grace|closed by grace"))).to_be_visible()
    guard.keyboard.press("?")
    expect(guard.get_by_role("dialog", name="Keys")).to_be_visible()


def test_a_page_that_is_cut_off_says_so_and_since_when(site: Site, guard: Page) -> None:
    expect(guard.get_by_role("heading", name="Alerts")).to_be_visible()
    guard.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    guard.reload()  # the service worker has the shell by now
    expect(guard.get_by_role("heading", name="Alerts")).to_be_visible()
    guard.context.set_offline(True)
    cut = guard.get_by_role("alert").filter(has_text="Not connected since")
    expect(cut).to_contain_text("What you see is old")
    guard.reload()
    expect(guard.get_by_role("alert").filter(has_text="Not connected since")).to_be_visible()
    guard.context.set_offline(False)
    expect(guard.get_by_role("heading", name="Alerts")).to_be_visible()


SCREENS = ("doors", "door/hq/front", "alerts", "events", "map", "people", "people/p-0001", "people/import", "people/p-0001/enrol",
           "reports", "settings", "access", "access/schedule/always", "access/schedule/new", "access/profile/staff", "access/calendar/new",
           "accounts", "accounts/grace", "accounts/new", "duty", "duty/grace")  # fmt: skip


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("dark", 390)])
def test_a_screen_reader_finds_its_way_on_every_screen(site: Site, browser: Browser, scheme: str, width: int) -> None:
    site.doors.happens("front", "access.denied", **STOLEN)
    site.doors.tells("lab", risk={"band": "high", "sentence": "somebody lingers", "zone": "reader"})
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda told: errors.append(told.text) if "Content Security Policy" in told.text else None)
    page.goto(site.url)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert serious(page) == []
    sign_in(page, site.url, "mary")
    for screen in SCREENS:
        page.goto(f"{site.url}/#/{screen}")
        expect(page.locator(".working")).to_have_count(0)
        assert (screen, serious(page, contrast=width > 500)) == (screen, [])  # colours are the same on a phone
    alert_of(page, site)
    assert ("alert", serious(page)) == ("alert", [])
    page.get_by_role("link", name="The whole explanation").click()
    expect(page.get_by_role("region", name="Why")).to_be_visible()
    assert ("event", serious(page)) == ("event", [])
    assert errors == []
    context.close()


def test_nobody_is_looked_at_before_they_have_signed(site: Site, manager: Page) -> None:
    manager.goto(f"{site.url}/#/people/p-0003/enrol")
    expect(manager.get_by_role("region", name="Text of the consent")).to_be_visible()
    assert manager.get_by_role("button", name="Use this device's camera").count() == 0
    assert manager.get_by_role("button", name="Sign", exact=True).is_disabled()
    manager.get_by_role("button", name="They have signed already").click()
    expect(manager.get_by_text("nothing is signed")).to_be_visible()
    manager.get_by_label("I have read this and agree").check()
    manager.get_by_role("textbox", name="Signed").fill("Sofia Kovalevskaya")
    pad = manager.get_by_role("img", name="to be signed here")
    box = pad.bounding_box()
    assert box is not None
    manager.mouse.move(box["x"] + 20, box["y"] + 40)
    manager.mouse.down()
    manager.mouse.move(box["x"] + 180, box["y"] + 70, steps=4)
    manager.mouse.up()
    expect(manager.get_by_role("img", name="A signature is drawn")).to_be_visible()
    with manager.expect_response("**/consent") as told:
        manager.get_by_role("button", name="Sign", exact=True).click()
    drawn = told.value.request.post_data_json["signature"]
    ink = cv2.imdecode(np.frombuffer(base64.b64decode(drawn), np.uint8), cv2.IMREAD_UNCHANGED)[:, :, 3]
    assert told.value.ok
    assert 200 < np.count_nonzero(ink) < 20_000
    manager.get_by_role("button", name="Use this device's camera").click()
    pictures = manager.get_by_role("region", name="2. Pictures")
    expect(pictures.locator("[aria-live]")).to_contain_text("face", timeout=30_000)
    expect(manager.get_by_role("button", name="Keep templates")).to_be_disabled()
    manager.get_by_role("button", name="Forget these pictures").click()
    expect(pictures).to_contain_text("Look straight at the camera.")
    manager.reload()
    manager.get_by_role("button", name="They have signed already").click()
    expect(pictures).to_be_visible()


def test_a_guard_who_watches_is_asked_whether_they_are_there_before_they_are_signed_out(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.clock.install()
    sign_in(page, site.url, "grace")
    page.mouse.move(200, 200)
    page.clock.run_for("00:01:30")
    asked = page.get_by_text("Are you still there?")
    expect(asked).to_have_count(0)
    # The page's own clock alone can be turned: what the centre would say after two hours less three minutes is put in its place
    page.route("**/api/session/awake", lambda route: route.fulfill(json={"lasts_s": 180.0}))
    with page.expect_request("**/api/session/awake") as told:
        page.clock.fast_forward("01:57:00")
    assert told.value.post_data_json["quiet_s"] >= 117 * 60
    expect(page.get_by_role("alert").filter(has=asked)).to_contain_text("signed out in 3 minutes")
    page.unroute("**/api/session/awake")
    page.keyboard.press("Shift")
    expect(asked).to_have_count(0)
    page.close()
