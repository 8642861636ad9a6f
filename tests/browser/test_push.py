"""An alert from the event at the door to the notification in a real Chromium, and back when somebody taps on it.

A browser subscribes only at its maker's push service, so the last yard is the DevTools call that hands a push to the service worker, with
the bytes that a push service on loopback was sent and decrypted.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, Worker, sync_playwright

from central.alerts.endpoints import endpoints
from central.gateway.app import app
from central.gateway.pages import DIST
from central.gateway.server import WebServer
from central.settings import Gateway
from tests.central.alerts.house import Centre, event, risk
from tests.central.gateway.house import PASSWORD, accounts_of
from tests.system.brokers import wait_until
from tools.push_service import PushService

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

BUILD = Path(__file__).parents[2] / "tools" / "build_web.sh"
SHOWN = """() => self.registration.getNotifications().then((found) => found.map((each) => ({
    title: each.title, body: each.body, tag: each.tag, silent: each.silent, data: each.data,
    actions: (each.actions ?? []).map((action) => [action.action, action.title]) })))"""
TAP = """(action) => self.registration.getNotifications().then(([shown]) =>
    self.dispatchEvent(new NotificationEvent("notificationclick", { notification: shown, action })))"""

SIGN_IN = """(told) => fetch("/api/session", {
    method: "POST", body: JSON.stringify(told), headers: { "Content-Type": "application/json" } })"""


@pytest.fixture(scope="module")
def dist() -> Path:
    """The dashboard as it is delivered."""
    subprocess.run([str(BUILD)], check=True, timeout=200)
    return DIST


class Phone:
    """A browser in which a guard has signed in, and the push service that its pushes come by."""

    def __init__(self, centre: Centre, page: Page, context: BrowserContext, service: PushService) -> None:
        self.centre, self.page, self._service, self._given = centre, page, service, 0
        self.worker: Worker = context.service_workers[0] if context.service_workers else context.wait_for_event("serviceworker")
        self._tools: CDPSession = context.new_cdp_session(page)
        self._registrations: list[str] = []
        self._tools.on("ServiceWorker.workerRegistrationUpdated",
                       lambda told: self._registrations.extend(each["registrationId"] for each in told["registrations"]))  # fmt: skip
        self._tools.send("ServiceWorker.enable")
        page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
        wait_until(
            lambda: self.worker.evaluate("() => self.registration.active?.state === 'activated'"), 20, "the worker is not active"
        )

    def shown_after_pushes(self) -> list[dict[str, Any]]:
        """Hands over what has come at the push service since, and returns the notifications that the browser shows."""
        wait_until(lambda: len(self._service.got) > self._given, 40, f"no push: {self._service.unfit}")
        for got in self._service.got[self._given :]:
            self._given += 1
            told = {
                "origin": self.page.url.rstrip("/").split("/#")[0],
                "registrationId": self._registrations[-1],
                "data": json.dumps(got.told),
            }
            self._hand_over(told, got.told["body"])
        return self.shown()

    def _hand_over(self, told: dict[str, str], body: str) -> None:
        """As push services do, again where nobody took it: Chromium drops what its tools deliver while the worker is being started."""
        for _ in range(4):
            self._tools.send("ServiceWorker.deliverPushMessage", told)
            until_s = time.monotonic() + 10.0
            while time.monotonic() < until_s:
                if any(each["body"] == body for each in self.shown()):
                    return
                time.sleep(0.05)
        pytest.fail(f"not shown: {body}")

    def shown(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.worker.evaluate(SHOWN)
        return found

    def tap(self, action: str) -> None:
        self.worker.evaluate(TAP, action)


@pytest.fixture
def phone(dist: Path, tmp_path: Path) -> Iterator[Phone]:
    centre = Centre(tmp_path, people={})
    accounts = accounts_of(centre.engine, centre.clock, centre.audit)  # type: ignore[arg-type]
    accounts.add("test", "guard-1", "guard", PASSWORD)
    server = WebServer(Gateway(port=0))
    server.start(
        app(endpoints(centre.desk), accounts=accounts, audit=centre.audit, clock=centre.clock, origins=server.origins, dist=dist)
    )
    centre.desk.sender.start()
    with PushService().running() as service, sync_playwright() as playwright:
        centre.device("guard-1", "phone", service)
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = chromium.new_context(permissions=["notifications"])
        page = context.new_page()
        page.goto(server.url)
        page.evaluate(SIGN_IN, {"account": "guard-1", "password": PASSWORD})
        yield Phone(centre, page, context, service)
        chromium.close()
    centre.desk.sender.stop()
    server.stop()


def test_a_notification_says_what_where_and_why_and_a_tap_on_it_takes_the_alert(phone: Phone) -> None:
    held = event("access.denied", reasons=["face_mismatch"], zone="lobby", cardholder="holder-1",
                 sentences=["the face is not the cardholder's"], risk=risk("critical"))  # fmt: skip
    phone.centre.happens(held)
    (shown,) = phone.shown_after_pushes()
    assert shown["title"] == "Another face than the fob's: hq/front"
    assert shown["body"].splitlines()[:2] == ["Zone: lobby", "The face is not the cardholder's"]
    assert "holder-1" not in json.dumps(shown)
    assert shown["actions"] == [["acknowledge", "I take it"], ["open", "Look"]]
    assert shown["data"] == {"id": 1, "url": "#/alerts/1"}

    phone.tap("acknowledge")
    wait_until(lambda: phone.centre.alerts[0].state == "acknowledged", 15, "the tap acknowledged nothing")
    assert phone.centre.alerts[0].by == "guard-1"
    wait_until(lambda: phone.shown() == [], 10, "a notification that was tapped on stays")


def test_an_alert_that_is_over_takes_the_place_of_its_notification_without_a_sound(phone: Phone) -> None:
    phone.centre.happens(event("door.held", after_s=30.0))
    (loud,) = phone.shown_after_pushes()
    wait_until(lambda: phone.centre.outbox()[0].state == "sent", 10, "not written down as sent")
    phone.centre.happens(event("door.closed"))
    (quiet,) = phone.shown_after_pushes()
    assert (loud["tag"], loud["silent"]) == (quiet["tag"], False)
    assert (quiet["body"], quiet["silent"]) == ("It is over.", True)
