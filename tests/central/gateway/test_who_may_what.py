"""Who may ask what of the whole centre: every endpoint of every room, every role, and what an account of another site learns.

An endpoint that is new fails here until somebody has written down who may use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import msgspec
import numpy as np
import pytest
from sqlalchemy import Engine, insert

from agent.clock import SystemClock
from agent.core.access import AccessProfile
from central.alerts import store
from central.alerts.alert import begun
from central.alerts.rules import offline
from central.database.engine import writing
from central.database.tables_live import CLIPS, LIVE_SESSIONS
from central.gateway.accounts import Accounts
from central.gateway.asking import ROLES, Endpoint
from central.gateway.audit import AuditLog
from central.gateway.passwords import seal_in
from central.history.events import EventStore
from central.people.people import People
from central.people.records import Held, Person
from central.people.vault import open_vault
from central.places.maps import Layout, PlacedDoor, Places
from central.places.picture import taken_in
from central.updates.packages import Packages
from central.updates.plan import Member, Pace
from central.updates.store import Rollouts
from tests.central.gateway.house import PASSWORD, database, told
from tests.central.gateway.test_fuzz import everybody
from tests.central.people.a_centre import ALWAYS, FOB

pytestmark = pytest.mark.system

CLOCK = SystemClock()
WHO = {role[0]: role for role in ROLES}
MAY = """
a m p  GET /accounts
m      POST /accounts
m      PATCH /accounts/{account}
g m    GET /alerts
g m    POST /alerts/{id}/acknowledge
g m    POST /alerts/{id}/close
g m    POST /alerts/{id}/escalate
g m    POST /alerts/{id}/note
a p    GET /audit
a g i m p  GET /calendars
m      DELETE /calendars/{id}
m      PUT /calendars/{id}
g m p  POST /clips
g m p  GET /clips/{event_n}
m p    GET /consent
m      DELETE /credentials/{key}
m      PATCH /credentials/{key}
a g i m p  GET /doors
a g i m p  GET /doors/{site}/{door}
g m    POST /doors/{site}/{door}/commands
a g i m p  GET /doors/{site}/{door}/rules
m      PUT /doors/{site}/{door}/rules
g m    GET /duty
g m    PUT /duty
m      DELETE /enrolment/{session}
m      DELETE /enrolment/{session}/door
m      GET /enrolment/{session}/door
m      POST /enrolment/{session}/door
m      POST /enrolment/{session}/finish
m      POST /enrolment/{session}/pictures
a m p  GET /erasures
a g i m p  GET /events
a g i m p  GET /events/{n}
g m p  POST /live
g m p  DELETE /live/{session}
a g m p  GET /live/{site}/{door}/state
a g i m p  GET /maps
i m    POST /maps
i m    DELETE /maps/{id}
i m    PUT /maps/{id}
a g i m p  GET /maps/{id}/picture
a g i m p  GET /norms/{site}/{door}
i m    GET /pair/codes
i m    DELETE /pair/codes/{id}
i m    POST /pair/codes/{site}/{door}
g m p  GET /people
m      POST /people
m p    GET /people/export
m      POST /people/import
m p    DELETE /people/{id}
g m p  GET /people/{id}
m      PATCH /people/{id}
m      POST /people/{id}/consent
m p    DELETE /people/{id}/consent/norms
m      POST /people/{id}/credentials
m      POST /people/{id}/enrolment
m p    POST /people/{id}/erase
p      GET /people/{id}/everything
m p    DELETE /people/{id}/template
a g i m p  GET /profiles
m      DELETE /profiles/{id}
m      PUT /profiles/{id}
g m    GET /push/key
g m    DELETE /push/subscriptions
g m    POST /push/subscriptions
g m    POST /push/test
a g m p  GET /reports/denials
a g i m p  GET /reports/held
g m p  GET /reports/presence
m p    GET /retention
a g i m p  GET /schedules
m      DELETE /schedules/{id}
m      PUT /schedules/{id}
a g i m p  POST /session/password
a g i m p  DELETE /session/totp
a g i m p  GET /session/totp
a g i m p  POST /session/totp
a g i m p  PUT /session/totp
a i m  GET /updates
m      POST /updates/doors/{site}/{door}/{kind}/roll-back
m      POST /updates/rollouts
m      POST /updates/rollouts/{id}/end
m      POST /updates/rollouts/{id}/go-on
m      POST /updates/rollouts/{id}/roll-back
m      POST /updates/rollouts/{id}/stop
"""
OWN = ("/session/", "/push/", "/duty")
"""What people change for themselves, whatever sites they see."""
BARS = "PATCH /credentials/{key}"
"""Whoever finds a fob lost may bar it, of whatever site they are."""
BODIES: dict[str, Any] = {
    "POST /clips": {"site": "hq", "door": "front", "event_n": 1},
    "POST /live": {"site": "hq", "door": "front", "why": "curious", "sdp": "v=0 and so on"},
    "POST /doors/{site}/{door}/commands": {"command": "unlock"},
    "POST /alerts/{id}/note": {"text": "seen"},
    "PATCH /credentials/{key}": {"state": "active"},
    "POST /accounts": {"account": "eve", "role": "manager", "password": PASSWORD, "own_password": PASSWORD},
    "PATCH /accounts/{account}": {"disabled": True},
    "PUT /maps/{id}": {"name": "mine", "doors": [], "zones": [], "edition": 2},
    "POST /people": {"name": "Eve"},
    "PATCH /people/{id}": {"suspended": True},
    "POST /people/{id}/credentials": {"key": "H10301:1:5290"},
    "POST /updates/rollouts": {"package": 1, "sites": ["hq"]},
    "PUT /profiles/{id}": {"doors": ["*"], "schedule": "always"},
}


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def filled(endpoint: Endpoint) -> str:
    """Its path, with what there is of the site hq."""
    number = endpoint.path.startswith(("/alerts", "/maps", "/updates"))
    words = {"site": "hq", "door": "front", "n": "1", "event_n": "1", "session": "session-1", "account": "some-guard", "key": FOB,
             "kind": "rules",
             "id": "1" if number else "holder-1" if "people" in endpoint.path else "staff"}  # fmt: skip
    query = "?site=hq&name=mine" if name_of(endpoint) == "POST /maps" else ""
    return "/api" + re.sub(r"\{(\w+)\}", lambda found: words[found[1]], endpoint.path) + query


def ask(browser: httpx.Client, endpoint: Endpoint, **headers: str) -> httpx.Response:
    body = plan() if name_of(endpoint) == "POST /maps" else msgspec.json.encode(BODIES.get(name_of(endpoint), {}))
    return browser.request(endpoint.method, filled(endpoint), content=b"" if endpoint.method == "GET" else body, headers=headers)


def plan() -> bytes:
    return bytes(cv2.imencode(".png", np.zeros((100, 100, 3), np.uint8))[1])


def test_each_endpoint_is_for_the_roles_that_are_written_down_and_for_nobody_else(tmp_path: Path) -> None:
    expected = {
        line.partition("  ")[2].strip(): {WHO[each] for each in line.partition("  ")[0].split()}
        for line in MAY.split("\n")
        if line
    }
    with everybody(tmp_path) as (endpoints, browsers):
        assert {name_of(each): set(each.allowed) for each in endpoints} == expected
        with httpx.Client(base_url=browsers["guard"].base_url, timeout=30.0) as stranger:
            for endpoint in endpoints:
                assert ask(stranger, endpoint).status_code == 401, name_of(endpoint)
        for endpoint in endpoints:
            for role, browser in browsers.items():
                if role not in endpoint.allowed:
                    answer = ask(browser, endpoint)
                    assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed"), f"{role} {name_of(endpoint)}"
                elif endpoint.method != "GET":
                    answer = ask(browser, endpoint, **{"x-doorward-csrf": "guessed"})
                    assert (answer.status_code, answer.json()["error"]) == (403, "no_csrf"), f"{role} {name_of(endpoint)}"


def test_an_account_of_another_site_learns_and_changes_nothing_here(tmp_path: Path) -> None:
    with everybody(tmp_path) as (endpoints, browsers):
        engine = database(tmp_path)
        fill(engine, tmp_path / "keys")
        seen = [ask(browsers["manager"], each) for each in endpoints if each.method == "GET" and "manager" in each.allowed]
        assert sum(answer.status_code == 200 and names_hq(answer) for answer in seen) >= 8, "there is something to see"
        with of_another_site(engine, tmp_path / "keys", browsers["guard"].base_url) as others:
            for endpoint in endpoints:
                for role in sorted(endpoint.allowed):
                    answer = ask(others[role], endpoint)
                    learned = answer.status_code < 400 and names_hq(answer)
                    assert not learned, f"{role} {name_of(endpoint)}: {answer.text}"
                    if endpoint.method != "GET" and not endpoint.path.startswith(OWN):
                        assert answer.status_code >= 400, f"{role} {name_of(endpoint)}: {answer.text}"
        engine.dispose()


def names_hq(answer: httpx.Response) -> bool:
    """As a word: a random key may have these two letters anywhere."""
    return re.search(rb"\bhq\b", answer.content) is not None


def fill(engine: Engine, keys: Path) -> None:
    """Something of everything, all of it at hq."""
    now, audit = CLOCK.wall(), AuditLog(engine, CLOCK)
    EventStore(engine).commit([told(1, cardholder="holder-1", at=now), told(2, "door.held", at=now, after_s=30)], [], now)
    people = People(engine, CLOCK, audit, open_vault(keys))
    people.put_schedule("test", ALWAYS)
    people.put_profile("test", AccessProfile(id="staff", doors=("hq/front", "hq/*"), schedule="always"))
    people.add("test", Person(id="holder-1", name="Ada Lovelace", profiles=("staff",)))
    people.issue("test", "holder-1", Held(key=FOB, state="lost"))
    places = Places(engine, CLOCK)
    place = places.add("hq", "Ground floor of hq", taken_in(plan()), "test")
    layout = Layout(
        name="Ground floor of hq", doors=[PlacedDoor(site="hq", door="front", x=1, y=1)], zones=[], edition=place.edition
    )
    places.lay_out(place.id, layout, "test")
    packages = Packages(engine, CLOCK, audit, keys.parent)
    (keys.parent / "rules.toml").write_text("[policy]\nface_wait_s = 2.0\n")
    package = packages.add("test", "rules", keys.parent / "rules.toml", "1")
    Rollouts(engine, CLOCK, audit, packages).begin("test", package.number, [Member(place=("hq", "front"), wave=0)], Pace())
    with writing(engine) as db:
        store.save(db, begun(offline("hq", "front", now, 0.0), None, "hq", "front", now))
        db.execute(insert(LIVE_SESSIONS).values(session="session-1", site="hq", door="front", who="some-guard", why="hq", unmasked=False,
                                                asked=now, answered=now, outcome=""))  # fmt: skip
        db.execute(
            insert(CLIPS).values(
                event_n=1, site="hq", door="front", event="id-hq-front-1", who="some-guard", fetched=now, sealed=b""
            )
        )


@contextmanager
def of_another_site(engine: Engine, keys: Path, url: Any) -> Iterator[dict[str, httpx.Client]]:
    """Somebody of each role who sees the site lab alone."""
    accounts = Accounts(engine, CLOCK, AuditLog(engine, CLOCK), seal_in(keys))
    with ExitStack() as stack:
        browsers = {role: stack.enter_context(httpx.Client(base_url=url, timeout=30.0)) for role in ROLES}
        for role, browser in browsers.items():
            accounts.add("test", f"lab-{role}", role, PASSWORD, sites=("lab",))
            begun_ = browser.post("/api/session", json={"account": f"lab-{role}", "password": PASSWORD})
            browser.headers["x-doorward-csrf"] = begun_.json()["csrf"]
        yield browsers
