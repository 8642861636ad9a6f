"""Commands: one that a network kept, repeated or delayed opens nothing."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.commands import NAMES, SENTENCES, Command, CommandLimits, Refusal, SeenCommands, admit

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
LIMITS = CommandLimits(max_valid_s=10.0, started=NOW - timedelta(hours=1))


def order(**changes: Any) -> bytes:
    whole = {"id": "4f9e1c2a", "issued": NOW.isoformat(), "expires": (NOW + timedelta(seconds=10)).isoformat(), "why": "parcel"}
    return json.dumps({key: value for key, value in {**whole, **changes}.items() if value is not None}).encode()


def levels(name: str = "unlock", user: str = "guard-1") -> tuple[str, ...]:
    return ("doorward", "hq", "front", "cmd", user, name)


def ask(payload: bytes, *, name: str = "unlock", user: str = "guard-1", retained: bool = False, now: datetime = NOW,
        seen: SeenCommands | None = None, limits: CommandLimits = LIMITS) -> Command | Refusal:  # fmt: skip
    return admit(levels(name, user), payload, retained, now, seen or SeenCommands(), limits)


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_command_is_admitted_with_who_and_why(name: str) -> None:
    command = ask(order(), name=name)
    assert isinstance(command, Command)
    assert (command.id, command.user, command.name, command.why) == ("4f9e1c2a", "guard-1", name, "parcel")


AFTER_START = CommandLimits(max_valid_s=10.0, started=NOW + timedelta(seconds=1))
ONLY_GUARD_2 = CommandLimits(max_valid_s=10.0, started=LIMITS.started, allowed={"guard-2": frozenset({"unlock"})})


@pytest.mark.parametrize(
    ("reason", "payload", "how"),
    [
        ("stale", order(), {"now": NOW + timedelta(seconds=10)}),
        ("not_yet_valid", order(), {"now": NOW - timedelta(seconds=3)}),
        ("too_long_lived", order(expires=(NOW + timedelta(seconds=11)).isoformat()), {}),
        ("retained", order(), {"retained": True}),
        ("unknown_command", order(), {"name": "explode"}),
        ("not_allowed", order(), {"limits": ONLY_GUARD_2}),
        ("issued_before_start", order(), {"limits": AFTER_START}),
        ("malformed", b"", {}),
        ("malformed", b"{}", {}),
        ("malformed", order(expires=None), {}),
        ("malformed", order(issued="2026-03-02T08:30:00"), {}),
        ("malformed", order(issued=1772440200), {}),
        ("malformed", order(extra=1), {}),
        ("malformed", order(args={"seconds": 60}), {}),
        ("malformed", order(id="../../x"), {}),
        ("malformed", order(id="short"), {}),
        ("malformed", order(id="command-1\n"), {}),
        ("malformed", order(), {"user": "guard-1\n"}),
        ("malformed", order(why="w" * 201), {}),
        ("malformed", order(expires=NOW.isoformat()), {}),
        ("malformed", order(), {"user": "Guard-1"}),
    ],
)
def test_a_command_is_refused_with_its_reason(reason: str, payload: bytes, how: dict[str, Any]) -> None:
    refusal = ask(payload, **how)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert refusal.detail
    assert reason in SENTENCES


def test_a_command_works_once() -> None:
    seen = SeenCommands()
    assert isinstance(ask(order(), seen=seen), Command)
    refusal = ask(order(), seen=seen)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.id, refusal.user) == ("repeated", "4f9e1c2a", "guard-1")


def test_a_clock_that_is_set_back_brings_no_old_command_to_life() -> None:
    seen = SeenCommands()
    assert isinstance(ask(order(), seen=seen), Command)
    for hour in range(1, 50):
        later = NOW + timedelta(hours=hour)
        fresh = order(id=f"later-{hour:03d}", issued=later.isoformat(), expires=(later + timedelta(seconds=5)).isoformat())
        assert isinstance(ask(fresh, now=later, seen=seen), Command)
    refusal = ask(order(), seen=seen)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "repeated"


def test_a_flood_of_valid_commands_is_refused_and_not_remembered_for_ever() -> None:
    seen = SeenCommands(room=3)
    for number in range(3):
        assert isinstance(ask(order(id=f"number-{number}"), seen=seen), Command)
    refusal = ask(order(id="number-4"), seen=seen)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "too_many"
    later = NOW + timedelta(minutes=1)
    fresh = order(id="number-5", issued=later.isoformat(), expires=(later + timedelta(seconds=5)).isoformat())
    assert isinstance(ask(fresh, now=later, seen=seen), Command)


def test_a_malformed_command_with_a_readable_id_can_be_answered() -> None:
    refusal = ask(order(extra=1))
    assert isinstance(refusal, Refusal)
    assert refusal.id == "4f9e1c2a"


@given(st.binary(max_size=300), st.lists(st.text(max_size=12), max_size=8), st.booleans())
def test_random_bytes_on_any_topic_are_refused_and_never_raise(payload: bytes, topic: list[str], retained: bool) -> None:
    assert isinstance(admit(tuple(topic), payload, retained, NOW, SeenCommands(), LIMITS), Refusal)
    assert isinstance(ask(payload, retained=retained), Refusal)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(st.sampled_from(["id", "issued", "expires", "args", "why"]), JSON))
def test_json_of_any_shape_is_refused_or_is_a_command_and_never_raises(fields: dict[str, Any]) -> None:
    answer = ask(json.dumps(fields).encode())
    assert isinstance(answer, Refusal)


@given(st.datetimes(timezones=st.just(timezone.utc)), st.datetimes(timezones=st.just(timezone.utc)))
def test_a_command_is_admitted_only_within_its_time(issued: datetime, expires: datetime) -> None:
    answer = ask(order(issued=issued.isoformat(), expires=expires.isoformat()))
    valid = issued <= NOW + timedelta(seconds=2) and NOW < expires <= issued + timedelta(seconds=10) and issued >= LIMITS.started
    assert isinstance(answer, Command) == valid


def test_deep_nesting_is_malformed() -> None:
    refusal = ask(b'{"args":' + b"[" * 100_000)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "malformed"
