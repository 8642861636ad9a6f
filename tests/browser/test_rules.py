"""What a manager does with schedules, holidays, profiles, duty and accounts, in a real Chromium: with keys, and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect
from zxingcpp import read_barcodes

from tests.browser.conftest import Site
from tests.browser.house import PASSWORD, Api, sign_in

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture
def mary(site: Site) -> Iterator[Api]:
    """The manager, as a program asks for her."""
    api = Api(site.url, "mary")
    yield api
    api.close()


def rule(api: Api, kind: str, id: str) -> dict[str, Any]:
    (found,) = [each for each in api.ask("GET", f"/{kind}") if each["id"] == id]
    return dict(found)


def saved(page: Page) -> None:
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(re.compile("^Saved"))).to_be_visible()


def test_hours_are_drawn_with_keys_and_nothing_is_saved_until_said(site: Site, manager: Page, mary: Api) -> None:
    manager.goto(f"{site.url}/#/access/schedule/new")
    manager.get_by_role("textbox", name=re.compile("^Id")).fill("office")
    manager.get_by_role("gridcell", name="Monday 08:00").focus()
    manager.keyboard.press("Space")
    for _ in range(2):
        manager.keyboard.press("Shift+ArrowRight")
    manager.keyboard.press("Shift+ArrowDown")
    expect(manager.get_by_role("gridcell", name="Tuesday 10:00")).to_have_attribute("aria-selected", "true")
    manager.get_by_label("Time zone of the building").fill("Berlin")
    manager.get_by_role("button", name="Save").click()
    wrong = manager.get_by_label(re.compile("^Time zone of the building"))
    expect(manager.locator(".field", has=wrong).get_by_role("alert")).to_contain_text("no IANA time zone")

    manager.goto(f"{site.url}/#/access")
    expect(manager.get_by_role("region", name="Schedules")).not_to_contain_text("office")
    manager.goto(f"{site.url}/#/access/schedule/new")
    expect(manager.get_by_text("Not saved yet.")).to_be_visible()
    wrong.fill("Europe/Berlin")
    saved(manager)
    kept = rule(mary, "schedules", "office")
    assert kept["zone"] == "Europe/Berlin"
    assert kept["intervals"] == [
        {"days": [0], "from_min": 480, "until_min": 660},
        {"days": [1], "from_min": 600, "until_min": 660},
    ]


def test_a_thumb_opens_hours_and_fields_set_them_to_the_minute(site: Site, browser: Browser, mary: Api) -> None:
    mary.ask("PUT", "/schedules/shop", json={"zone": "UTC", "intervals": [{"days": [5], "from_min": 540, "until_min": 600}]})
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    sign_in(page, site.url, "mary")
    page.goto(f"{site.url}/#/access/schedule/shop")
    page.get_by_role("gridcell", name="Saturday 10:00").tap()
    expect(page.get_by_text("Sat 09:00–11:00")).to_be_visible()
    page.get_by_text("To the minute").tap()
    page.get_by_label("Saturday: until").fill("13:15")
    saved(page)
    assert rule(mary, "schedules", "shop")["intervals"] == [{"days": [5], "from_min": 540, "until_min": 795}]
    context.close()


def test_holidays_are_listed_and_a_profile_opens_doors_by_a_schedule(site: Site, manager: Page, mary: Api) -> None:
    manager.goto(f"{site.url}/#/access/calendar/new")
    manager.get_by_role("textbox", name=re.compile("^Id")).fill("works-holiday")
    manager.get_by_label("Day", exact=True).fill("2031-12-24")
    manager.get_by_label("until (for several)").fill("2031-12-26")
    manager.get_by_role("button", name="Add 3 days").click()
    manager.get_by_role("list", name="Days in 2031").get_by_role("button").nth(1).click()
    saved(manager)
    assert sorted(rule(mary, "calendars", "works-holiday")["days"]) == ["2031-12-24", "2031-12-26"]

    manager.goto(f"{site.url}/#/access/profile/new")
    manager.get_by_role("textbox", name=re.compile("^Id")).fill("keepers")
    manager.get_by_role("list", name="Doors").get_by_label("Laboratory").check()
    manager.get_by_role("combobox", name="Schedule").select_option("always")
    manager.get_by_label("What has to be shown").select_option("a fob and a PIN")
    saved(manager)
    assert rule(mary, "profiles", "keepers") == {
        "id": "keepers", "doors": ["hq/lab"], "schedule": "always", "factors": "credential_and_pin",
    }  # fmt: skip
    manager.goto(f"{site.url}/#/access/schedule/always")
    manager.get_by_role("button", name="Delete this schedule").click()
    manager.get_by_role("button", name="Really delete it?").click()
    expect(manager.get_by_role("alert").filter(has_text="always")).to_be_visible()


def test_a_guards_week_of_duty_is_planned(site: Site, manager: Page, mary: Api) -> None:
    manager.goto(f"{site.url}/#/duty")
    manager.get_by_role("list", name="Who is on duty").get_by_role("link", name="grace").click()
    manager.get_by_role("grid", name="Hours of duty in the week").get_by_role("gridcell", name="Sunday 22:00").click()
    saved(manager)
    (kept,) = [each["duty"] for each in mary.ask("GET", "/duty")["people"] if each["duty"]["account"] == "grace"]
    assert [(each["days"], each["begin"], each["end"]) for each in kept["hours"]] == [([6], "22:00", "23:00")]


def test_an_account_is_made_with_ones_own_password_and_locked_out_at_once(site: Site, manager: Page, mary: Api) -> None:
    manager.goto(f"{site.url}/#/accounts/new")
    manager.get_by_label("Account").fill("emmy")
    manager.get_by_label("Name").fill("Emmy Noether")
    manager.get_by_label("Their first password").fill(PASSWORD)
    own = manager.get_by_label(re.compile("^Your own password"))
    own.fill("somebody at an open page")
    manager.get_by_role("button", name="Make the account").click()
    expect(manager.locator(".field", has=own).get_by_role("alert")).to_contain_text("wrong")
    own.fill(PASSWORD)
    manager.get_by_role("button", name="Make the account").click()
    expect(manager.get_by_role("heading", name="Emmy Noether")).to_be_visible()
    manager.get_by_role("button", name="Lock out").click()
    expect(manager.get_by_text("Locked out: signed out everywhere.")).to_be_visible()
    (emmy,) = [each for each in mary.ask("GET", "/accounts") if each["account"] == "emmy"]
    assert (emmy["role"], emmy["disabled"]) == ("guard", True)


def test_an_auditor_sees_accounts_and_rules_and_changes_none(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    sign_in(page, site.url, "charles")
    page.goto(f"{site.url}/#/accounts/grace")
    expect(page.get_by_role("heading", name="Grace Hopper")).to_be_visible()
    assert page.get_by_role("main").get_by_role("button").count() == 0
    page.goto(f"{site.url}/#/access/profile/staff")
    expect(page.get_by_role("combobox", name="Schedule")).to_be_disabled()
    page.close()


def test_a_second_factor_is_set_up_from_a_picture_and_asked_for_at_once(site: Site, browser: Browser, mary: Api) -> None:
    told = {"account": "lise", "role": "guard", "password": PASSWORD, "own_password": PASSWORD}
    mary.ask("POST", "/accounts", json=told)
    page = browser.new_page()
    sign_in(page, site.url, "lise")
    page.goto(f"{site.url}/#/settings")
    page.get_by_text("Set it up").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    drawn = page.get_by_role("img", name="QR code of the key")
    expect(drawn.locator("path")).to_have_attribute("d", re.compile("^M"))
    (seen,) = read_barcodes(cv2.imdecode(np.frombuffer(drawn.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE))
    totp = pyotp.TOTP(parse_qs(urlsplit(seen.text).query)["secret"][0])
    page.get_by_label("The code that the app shows now").fill(totp.now())
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_text("The second factor is on.")).to_be_visible()
    page.get_by_label("Account").fill("lise")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code").fill(totp.now())
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Screens")).to_be_visible()
    page.close()
