"""Whatever is sent to whatever address: a clear refusal, never a fault of ours."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from agent.clock import SystemClock
from agent.records.keys import make_centre_keys
from central.centre import Centre
from central.database.engine import open_database, sqlite_url
from central.gateway.accounts import Accounts
from central.gateway.asking import ROLES, Endpoint
from central.gateway.audit import AuditLog, verify
from central.gateway.passwords import seal_in
from central.settings import Broker, CentralConfig, Database, Gateway, Keys
from tests.central.gateway.house import PASSWORD, House, database, told
from tests.system.brokers import free_port

ROUNDS = 25
WORDS = ("", "0", "-1", "front", "hq", "x" * 1500, "9" * 40, "%00", "é", "门",
         "'; DROP TABLE events; --", "../..", "null", "true", "NaN", "1e400", "٣",
         "%F0%9F%9A%AA", "2026-03-02T08:30:00Z", "9999-12-31T23:59:59-23:59", "access.*", "*",
         "%25", "_", "ada", "{}", "[]", "csv")  # fmt: skip
KEYS = ("site", "door", "kind", "person", "text", "before", "after", "limit", "from", "to", "format", "alerts", "other")
FIELDS = ("command", "why", "account", "role", "password", "name", "sites", "disabled", "totp", "old", "new", "code")
BODIES = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"',
    b"\xff\xfe",
    b"{" * 5000,
    b'{"a":' * 2000,
    b'{"command": "\\u0000"}',
    b'{"account": "\\ud800"}',
    b"0" * 100,
    b"1e999",
)


def value(chance: random.Random) -> Any:
    kinds = [
        None,
        True,
        0,
        -(2**70),
        1.5,
        "",
        "x" * 600,
        "ada",
        "unlock",
        "guard",
        "\u0001",
        "\U0001f6aa",
        [],
        {},
        ["hq"],
        ["HQ", 1],
        {"a": {"b": []}},
        PASSWORD,
    ]
    return chance.choice(kinds)


ALMOST_RIGHT: dict[str, dict[str, Any]] = {
    "/doors/{site}/{door}/commands": {"command": "unlock", "why": "parcel"},
    "/accounts": {
        "account": "grace",
        "role": "guard",
        "password": PASSWORD,
        "name": "Grace",
        "sites": ["hq"],
        "own_password": PASSWORD,
    },
    "/accounts/{account}": {"role": "manager", "name": "Grace", "totp": True, "disabled": False, "own_password": PASSWORD},
    "/session/totp": {"password": PASSWORD, "code": "123456"},
    "/session/password": {"old": "x", "new": PASSWORD},
    "/session": {"account": "ada", "password": PASSWORD, "code": ""},
}


def almost_right(chance: random.Random, path: str) -> bytes:
    told = dict(ALMOST_RIGHT.get(path, {"": 0}))
    if chance.random() < 0.7:
        told[chance.choice(sorted(told))] = chance.choice([None, "", "x" * 150, "Ö", ["hq"] * 300, 5, False])
    return msgspec.json.encode(told)


def body(chance: random.Random, path: str) -> bytes:
    if chance.random() < 0.5:
        return almost_right(chance, path)
    if chance.random() < 0.3:
        return chance.choice(BODIES)
    if chance.random() < 0.2:
        return chance.randbytes(chance.randrange(200))
    raw = {chance.choice(FIELDS): value(chance) for _ in range(chance.randrange(6))}
    return msgspec.json.encode(raw, enc_hook=str) if -(2**70) not in raw.values() else b'{"limit": -1180591620717411303424}'


def request(chance: random.Random, endpoint: Endpoint) -> tuple[str, bytes]:
    path = re.sub(r"\{\w+\}", lambda _: chance.choice(WORDS).replace("/", "%2F") or "x", endpoint.path)
    query = "&".join(f"{chance.choice(KEYS)}={chance.choice(WORDS)}" for _ in range(chance.randrange(5)))
    return f"/api{path}" + (f"?{query}" if query else ""), body(chance, endpoint.path)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_request_whatever_makes_the_gateway_stumble(tmp_path: Path, seed: int) -> None:
    fuzz(House(tmp_path), random.Random(seed))


@pytest.mark.system
def test_nor_does_it_over_postgresql_which_takes_less(tmp_path: Path, postgres_url: str) -> None:
    house = House(tmp_path, url=postgres_url)
    fuzz(house, random.Random(3))
    assert verify(open_database(postgres_url), [house.audit.head()]).broken is None


TYPES = ("application/json", "application/json", "text/csv", "image/png", "image/jpeg", "")


@contextmanager
def everybody(folder: Path) -> Iterator[tuple[tuple[Endpoint, ...], dict[str, httpx.Client]]]:
    """A whole centre without a broker: its endpoints, and somebody of each role at a browser."""
    keys = folder / "keys"
    make_centre_keys(keys)
    config = CentralConfig(broker=Broker(port=free_port()), database=Database(url=sqlite_url(folder / "central.db")),
                           gateway=Gateway(port=0), keys=Keys(folder=str(keys)))  # fmt: skip
    centre = Centre(config, folder, SystemClock())
    engine = database(folder)
    accounts = Accounts(engine, SystemClock(), AuditLog(engine, SystemClock()), seal_in(keys))
    centre.start()
    try:
        with ExitStack() as stack:
            browsers = {role: stack.enter_context(httpx.Client(base_url=centre.url, timeout=30.0)) for role in ROLES}
            for role, browser in browsers.items():
                accounts.add("test", f"some-{role}", role, PASSWORD)
                begun = browser.post("/api/session", json={"account": f"some-{role}", "password": PASSWORD})
                browser.headers["x-doorward-csrf"] = begun.json()["csrf"]
            yield centre._gateway.endpoints, browsers
    finally:
        centre.stop()
        engine.dispose()


@pytest.mark.system
def test_no_room_of_the_centre_stumbles_either(tmp_path: Path) -> None:
    chance, seen = random.Random(4), set()
    with everybody(tmp_path) as (endpoints, browsers):
        for endpoint in endpoints:
            for _ in range(5):
                path, raw = request(chance, endpoint)
                browser = browsers[chance.choice(sorted(endpoint.allowed))]
                answer = browser.request(endpoint.method, path, content=raw, headers={"content-type": chance.choice(TYPES)})
                assert answer.status_code < 500 or answer.status_code == 503, f"{endpoint.method} {path} {raw!r}: {answer.text}"
                assert answer.status_code < 400 or {"error", "sentence"} <= answer.json().keys(), answer.text
                seen.add(answer.status_code)
    assert seen >= {200, 400, 404}


def fuzz(house: House, chance: random.Random) -> None:
    house.hear("doorward/hq/front/online", b"true")
    house.happen(*(told(number, "access.denied", cardholder="holder-1", risk=[number]) for number in range(1, 20)))
    with house.open(), house.signed_in(role="manager") as browser, house.signed_in("eva", "auditor") as auditor:
        for endpoint in [*house.gateway.endpoints, *SESSION]:
            for _ in range(ROUNDS):
                path, raw = request(chance, endpoint)
                who = auditor if "auditor" in endpoint.allowed and chance.random() < 0.5 else browser
                answer = who.request(endpoint.method, path, content=raw, headers={"content-type": "application/json"})
                assert answer.status_code < 500 or is_told(answer), (
                    f"{endpoint.method} {path} {raw!r}: {answer.status_code} {answer.text}"
                )
                assert answer.status_code < 400 or {"error", "sentence"} == answer.json().keys() - {"field"}, answer.text
        assert browser.get("/api/session").status_code in (200, 401)


SESSION = [Endpoint(method="POST", path="/session", allowed=frozenset(), work=lambda ask: None),
           Endpoint(method="GET", path="/session", allowed=frozenset(), work=lambda ask: None)]  # fmt: skip


def is_told(answer: httpx.Response) -> bool:
    """Without a broker a good command has only this answer."""
    return answer.status_code == 503 and answer.json()["error"] == "no_broker"


@pytest.mark.parametrize(
    "raw", [b"\x16\x03\x01\x02\x00", b"GET /" + b"x" * 100_000, b"GET / HTTP/9.9\r\n\r\n",
            b"POST /api/session HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", b"\0" * 1000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000 + b"\r\n"]
)  # fmt: skip
def test_bytes_that_are_no_request_end_their_own_connection_alone(tmp_path: Path, raw: bytes) -> None:
    with House(tmp_path).open() as house:
        with socket.create_connection(("127.0.0.1", house.gateway.port), 10) as wire:
            wire.settimeout(10)
            try:
                wire.sendall(raw)
                wire.shutdown(socket.SHUT_WR)
                answer = wire.recv(65536)
            except OSError:
                answer = b""
        assert answer[:9] != b"HTTP/1.1 " or answer[9:10] == b"4"
        with house.browser() as browser:
            assert browser.get("/api/doors").status_code == 401
