"""A whole centre over a real broker, with doors that speak MQTT, and a real Chromium that looks at it."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import httpx
import msgspec
import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright

from agent.clock import SystemClock
from agent.core.access import AccessProfile
from agent.core.messages import Event
from agent.core.schedules import Interval, Schedule
from agent.link.cloudevents import to_cloudevent
from agent.link.session import Address, Say, Session
from agent.records.keys import make_centre_keys
from central.accounts_cli import ANCHOR
from central.centre import Centre
from central.database.opening import open_to_write
from central.gateway.accounts import Accounts
from central.gateway.audit import AuditLog
from central.gateway.passwords import seal_in
from central.settings import Broker, CentralConfig, Database, Gateway, Keys
from central.site.registry import DoorEntry, DoorRegistry

PASSWORD = "four cats on a warm roof"
ACCOUNTS = {"grace": ("guard", "Grace Hopper"), "mary": ("manager", "Mary Somerville"), "charles": ("auditor", "Charles Babbage")}
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # fmt: skip
STILL = {"lock": "secured", "contact": "closed", "alarm": "none", "mode": "Locked", "health": {}}

ITEMS = [
    {"kind": "face_mismatch", "sentence": "the face is not the cardholder's", "hard": True, "weight": 1.0},
    {"kind": "glances", "sentence": "looked over the shoulder 9 times in 14 s", "value": 9, "unit": "count", "over_s": 14.0, "weight": 0.8,
     "usual": {"median": 1, "low": 0, "high": 3, "visits": 412}},
    {"kind": "dwell", "sentence": "stood before the door for 74 s", "value": 74, "unit": "s", "weight": 0.5,
     "usual": {"median": 6, "low": 2, "high": 21, "visits": 412}},
]  # fmt: skip
RISK = {"score": 0.93, "band": "critical", "alert": True, "tells": ["guards"], "zone": "reader", "items": ITEMS}
STOLEN: dict[str, Any] = {
    "cardholder": "p-0001", "reasons": ["face_mismatch"], "sentences": ["the face is not the cardholder's"], "risk": RISK,
    "waited_s": 0.4, "decided_ms": 0.3, "rules_version": 7,
}  # fmt: skip


class Doors:
    """What doors say and hear; `silent` ones hear a command and say nothing until `answer`."""

    def __init__(self, port: int) -> None:
        self.silent = False
        self.asked: list[dict[str, Any]] = []
        self._waiting: list[tuple[str, bytes, bool]] = []
        self._owed: list[tuple[str, str]] = []
        self._count = itertools.count(1)
        self._session = Session(Address(port=port), "doorward-test-doors", self)
        self._session.start()

    def appears(self, name: str, *, online: bool = True, **states: Any) -> None:
        self._say(name, "online", online)
        for state, value in {**STILL, **states}.items():
            self._say(name, f"state/{state}", {"value": value, "at": _now().isoformat()})

    def tells(self, name: str, **states: Any) -> None:
        for state, value in states.items():
            self._say(name, f"state/{state}", {"value": value, "at": _now().isoformat()})

    def happens(self, name: str, kind: str, ago_s: float = 0.0, **data: Any) -> None:
        number = next(self._count)
        event = Event(sequence=number, journal="5a5a5a5a", id=str(uuid.uuid4()), kind=kind, at=_now() - timedelta(seconds=ago_s),
                      mono_s=float(number), data=data)  # fmt: skip
        self._put(f"doorward/hq/{name}/evt", to_cloudevent(event, "hq", name), False)

    def answer(self, ok: bool = True, reason: str = "") -> None:
        """To every command that waits for one."""
        owed, self._owed = self._owed, []
        for door, identity in owed:
            told = {"id": identity, "ok": ok, "reason": reason, "user": "grace", "at": _now().isoformat()}
            self._put(f"doorward/hq/{door}/result/{identity}", json.dumps(told).encode(), False)

    def stop(self) -> None:
        self._session.stop()

    def _say(self, name: str, topic: str, value: Any) -> None:
        self._put(f"doorward/hq/{name}/{topic}", msgspec.json.encode(value), True)

    def _put(self, topic: str, payload: bytes, retain: bool) -> None:
        self._waiting.append((topic, payload, retain))
        self._session.wake()

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/hq/+/cmd/+/+")

    def turn(self, say: Say, now_s: float) -> float:
        while self._waiting:
            topic, payload, retain = self._waiting.pop(0)
            say.publish(topic, payload, retain=retain)
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        order = msgspec.json.decode(payload)
        self.asked.append({"topic": topic, **order})
        self._owed.append((topic.split("/")[2], order["id"]))
        if not self.silent:
            self.answer()

    def leaving(self, say: Say) -> None:
        """Nothing is owed."""


def _now() -> datetime:
    return datetime.now(timezone.utc)


@contextmanager
def centre_at(folder: Path, port: int, names: dict[str, str]) -> Iterator[str]:
    """The whole centre, with accounts and doors by these names; its address."""
    keys, state = folder / "keys", folder / "state"
    for part in (keys, state):
        part.mkdir(mode=0o700)
    make_centre_keys(keys)
    url = f"sqlite:///{folder / 'central.db'}"
    _make_accounts(url, keys)
    for door, name in names.items():
        DoorRegistry(folder).put(DoorEntry(site="hq", door=door, name=name, public_key=bytes(range(32))), _now())
    config = CentralConfig(site="hq", broker=Broker(port=port), database=Database(url=url), gateway=Gateway(port=0),
                           keys=Keys(folder=str(keys)))  # fmt: skip
    centre = Centre(config, state, SystemClock())
    centre.start()
    try:
        yield centre.url
    finally:
        centre.stop()


def _make_accounts(url: str, keys: Path) -> None:
    engine = open_to_write(url)
    audit = AuditLog(engine, SystemClock(), keys / ANCHOR)
    accounts = Accounts(engine, SystemClock(), audit, seal_in(keys))
    for account, (role, shown) in ACCOUNTS.items():
        accounts.add("test", account, role, PASSWORD, shown=shown)
    engine.dispose()


class Api:
    """The centre as a program asks it."""

    def __init__(self, url: str, account: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/api", timeout=30.0)
        told = self._http.post("/session", json={"account": account, "password": PASSWORD}, headers={"origin": url})
        told.raise_for_status()
        self._http.headers.update({"x-doorward-csrf": told.json()["csrf"], "origin": url})

    def ask(self, method: str, path: str, **more: Any) -> Any:
        answer = self._http.request(method, path, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def close(self) -> None:
        self._http.close()


def furnish(url: str) -> None:
    """A profile, some people and a floor plan."""
    api = Api(url, "mary")
    always = Schedule(id="always", zone="UTC", intervals=(Interval(days=tuple(range(7)), from_min=0, until_min=1440),))
    api.ask("PUT", "/schedules/always", json=msgspec.to_builtins(always))
    staff = AccessProfile(id="staff", doors=("*",), schedule="always")
    api.ask("PUT", "/profiles/staff", json=msgspec.to_builtins(staff))
    for number, name in enumerate(("Ada Lovelace", "Emmy Noether", "Sofia Kovalevskaya", "Hypatia of Alexandria"), 1):
        api.ask("POST", "/people", json={"id": f"p-{number:04}", "name": name, "profiles": ["staff"]})
        api.ask("POST", f"/people/p-{number:04}/credentials", json={"key": f"H10301:12:{5280 + number}"})
    api.ask("POST", "/maps", params={"name": "Ground floor"}, content=floor_plan(), headers={"content-type": "image/png"})
    api.close()


def floor_plan() -> bytes:
    """Walls and openings, as an architect's drawing shows them."""
    plan = np.full((700, 1100, 3), 255, np.uint8)
    ink = (60, 60, 60)
    cv2.rectangle(plan, (60, 60), (1040, 640), ink, 8)
    for x, y0, y1 in ((420, 60, 250), (420, 350, 640), (740, 60, 400), (740, 500, 640)):
        cv2.line(plan, (x, y0), (x, y1), ink, 6)
    cv2.line(plan, (420, 400), (640, 400), ink, 6)
    for text, at in (("Lobby", (170, 360)), ("Workshop", (510, 230)), ("Stores", (540, 540)), ("Laboratory", (810, 330))):
        cv2.putText(plan, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.9, (150, 150, 150), 2, cv2.LINE_AA)
    return bytes(cv2.imencode(".png", plan)[1])


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, url: str, account: str, password: str = PASSWORD) -> None:
    page.goto(url)
    page.get_by_label("Account").fill(account)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Screens")).to_be_visible()
