"""The historian acknowledges what is committed, and nothing else."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from agent.core.messages import Event
from agent.link.acks import Ack, parse_ack
from agent.link.cloudevents import to_cloudevent
from agent.link.session import Address
from central.database.opening import open_to_write
from central.history.events import EventStore
from central.history.historian import Historian
from central.history.waiting import MAX_BYTES, MAX_WAITING, Waiting
from tests.central.postgres import Cluster

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)


class FixedClock:
    def mono_s(self) -> float:
        return 0.0

    def wall(self) -> datetime:
        return NOW


class Wire:
    def __init__(self) -> None:
        self.said: list[tuple[str, Ack]] = []

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        self.said.append((topic, parse_ack(payload)))

    def subscribe(self, *topics: str) -> None:
        pass


@pytest.fixture
def historian(tmp_path: Path) -> Iterator[Historian]:
    """Its committer runs; its session does not: messages are handed over by the tests."""
    historian = Historian(Address(), open_to_write(tmp_path / "central.db"), FixedClock())
    historian._committer.start()
    yield historian
    historian.stop()


def be_impatient(engine: Engine) -> None:
    """Its one connection waits for no other writer."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=10")


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def event(sequence: int, door: str = "front") -> bytes:
    return to_cloudevent(
        Event(sequence=sequence, journal="aa", id=f"id-{sequence}", kind="a.b", at=NOW, mono_s=1.0, data={}), "hq", door
    )


def said(historian: Historian) -> list[tuple[str, Ack]]:
    wire: Any = Wire()
    historian.turn(wire, 0.0)
    return list(wire.said)


def test_events_are_acknowledged_as_ranges_to_the_door_they_came_from(historian: Historian) -> None:
    for number in (1, 2, 4):
        historian.message("doorward/hq/front/evt", event(number), False)
    historian.message("doorward/hq/back/evt", event(9, "back"), False)
    until(lambda: historian.totals.committed == 4)
    covered: dict[str, set[int]] = {}
    for topic, ack in said(historian):
        covered.setdefault(topic, set()).update(number for number in range(20) if ack.covers(number))
    assert covered == {"doorward/hq/front/ack": {1, 2, 4}, "doorward/hq/back/ack": {9}}


def test_a_repeated_event_is_acknowledged_again(historian: Historian) -> None:
    historian.message("doorward/hq/front/evt", event(1), False)
    until(lambda: historian.totals.committed == 1)
    said(historian)
    historian.message("doorward/hq/front/evt", event(1), False)
    until(lambda: historian.totals.repeated == 1)
    assert [ack.ranges for _, ack in said(historian)] == [[(1, 1)]]


def test_what_is_not_committed_is_not_acknowledged(historian: Historian, tmp_path: Path) -> None:
    thief = sqlite3.connect(tmp_path / "central.db", isolation_level=None)
    thief.execute("BEGIN EXCLUSIVE")
    be_impatient(historian._store.engine)
    historian.message("doorward/hq/front/evt", event(1), False)
    until(lambda: historian.totals.faults == 1)
    assert said(historian) == []
    assert not historian.stores
    thief.execute("ROLLBACK")
    thief.close()
    historian.message("doorward/hq/front/evt", event(1), False)
    until(lambda: historian.totals.committed == 1)
    assert historian.stores
    assert len(said(historian)) == 1


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"{}", b"[]", b'{"specversion":"1.0"}', b"[" * 100_000])
def test_what_is_no_event_is_kept_and_never_acknowledged(historian: Historian, payload: bytes) -> None:
    historian.message("doorward/hq/front/evt", payload, False)
    until(lambda: historian.totals.unreadable == 1)
    assert said(historian) == []


@pytest.mark.parametrize("lie", [{"mono": "nan"}, {"time": "0001-01-01T00:00:00+14:00"}])
def test_a_door_that_sends_nonsense_does_not_silence_the_others(historian: Historian, lie: dict[str, str]) -> None:
    nonsense = json.dumps({**json.loads(event(1)), **lie}).encode()
    historian._incoming.put("doorward/hq/front/evt", nonsense)
    historian._incoming.put("doorward/hq/back/evt", event(1, "back"))
    historian._bell.set()
    until(lambda: historian.totals.committed == 1)
    assert [topic for topic, _ in said(historian)] == ["doorward/hq/back/ack"]


def test_an_event_that_nobody_foresaw_is_not_acknowledged_and_holds_up_no_other(historian: Historian, monkeypatch: Any) -> None:
    commit = historian._store.commit

    def surprised(events: Any, unreadable: Any, received: Any) -> Any:
        if any(told.event.sequence == 2 for told in events):
            raise RuntimeError("a bug")
        return commit(events, unreadable, received)

    monkeypatch.setattr(historian._store, "commit", surprised)
    for number in (1, 2, 3):
        historian._incoming.put("doorward/hq/front/evt", event(number))
    historian._bell.set()
    until(lambda: historian.totals.committed == 2)
    assert {number for _, ack in said(historian) for number in range(9) if ack.covers(number)} == {1, 3}
    assert historian.totals.faults == 1


def test_a_door_cannot_speak_for_another(historian: Historian) -> None:
    historian.message("doorward/hq/back/evt", event(1, "front"), False)
    until(lambda: historian.totals.unreadable == 1)
    assert historian.totals.committed == 0


def test_doors_that_were_there_before_are_asked_to_send_again(historian: Historian) -> None:
    historian.message("doorward/hq/front/online", b"true", True)
    historian.message("doorward/hq/back/online", b"false", True)
    historian.message("doorward/hq/side/online", b"true", False)
    assert said(historian) == [("doorward/hq/front/ack", Ack("", [], resend=True))]


def test_more_than_can_be_held_is_turned_away_for_the_doors_to_repeat(tmp_path: Path) -> None:
    historian = Historian(Address(), open_to_write(tmp_path / "central.db"), FixedClock())
    for number in range(MAX_WAITING + 5):
        historian.message(f"doorward/hq/door-{number % 20}/evt", b"%d" % number, False)
    assert historian.totals.turned_away == 5


def test_whoever_has_one_doors_key_fills_neither_the_centres_memory_nor_the_others_room(tmp_path: Path) -> None:
    historian = Historian(Address(), open_to_write(tmp_path / "central.db"), FixedClock())
    megabyte = b"x" * (1 << 20)
    for payload in (megabyte, b"x"):
        for _ in range(MAX_WAITING + 5):
            historian.message("doorward/hq/stolen/evt", payload, False)
        historian.message("doorward/hq/front/evt", event(1), False)
        waiting = historian._incoming.take(MAX_WAITING)
        assert [topic for topic, _ in waiting].count("doorward/hq/front/evt") == 1
        assert sum(len(payload) for _, payload in waiting) <= MAX_BYTES


def test_what_was_taken_makes_room() -> None:
    waiting = Waiting()
    for _ in range(3):
        while waiting.put("doorward/hq/front/evt", b"x" * 40_000):
            pass
        assert waiting.take(MAX_WAITING)
    assert (len(waiting), waiting._bytes, dict(waiting._doors)) == (0, 0, {})


def test_what_has_just_happened_does_not_wait_behind_a_door_that_was_away_for_a_week() -> None:
    waiting = Waiting()
    for number in range(1000):
        waiting.put("doorward/hq/back/evt", b"%d" % number)
    waiting.put("doorward/hq/front/evt", b"just now")
    taken = waiting.take(10)
    assert ("doorward/hq/front/evt", b"just now") in taken
    assert [payload for topic, payload in taken if "back" in topic] == [b"%d" % number for number in range(9)]


def test_more_doors_than_one_batch_holds_take_turns() -> None:
    waiting = Waiting()
    for number in (1, 2):
        for door in range(6):
            waiting.put(f"doorward/hq/door-{door}/evt", b"%d" % number)
    taken = [waiting.take(4) for _ in range(3)]
    assert [[(topic.split("/")[2][-1], payload) for topic, payload in batch] for batch in taken] == [
        [("0", b"1"), ("1", b"1"), ("2", b"1"), ("3", b"1")],
        [("4", b"1"), ("5", b"1"), ("0", b"2"), ("1", b"2")],
        [("2", b"2"), ("3", b"2"), ("4", b"2"), ("5", b"2")],
    ]


def test_an_acknowledgement_is_json_that_a_person_can_read(historian: Historian) -> None:
    historian.message("doorward/hq/front/evt", event(7), False)
    until(lambda: historian.totals.committed == 1)
    assert json.loads(historian._acks[0][1]) == {"journal": "aa", "ranges": [[7, 7]], "resend": False}


def test_a_door_cannot_make_postgresql_refuse_what_others_say(tmp_path: Path, historian: Historian) -> None:
    nul = json.dumps({**json.loads(event(1)), "id": "a\0b"}).encode()
    historian.message("doorward/hq/front/evt", nul, False)
    historian.message("doorward/hq/back/evt", event(1, "back"), False)
    until(lambda: historian.totals.unreadable == historian.totals.committed == 1)


@pytest.mark.system
def test_a_postgresql_that_crashes_loses_nothing_that_was_acknowledged(postgres: Cluster) -> None:
    engine = open_to_write(postgres.new_database())
    historian = Historian(Address(), engine, FixedClock())
    historian._committer.start()
    historian.message("doorward/hq/front/evt", event(1), False)
    until(lambda: historian.totals.committed == 1)
    postgres.crash()
    historian.message("doorward/hq/front/evt", event(2), False)
    until(lambda: historian.totals.faults == 1)
    assert [ack.ranges for _, ack in said(historian)] == [[(1, 1)]]
    postgres.start()
    for number in (1, 2):  # doors repeat what was not acknowledged, and now and then what was
        historian.message("doorward/hq/front/evt", event(number), False)
    until(lambda: historian.totals.committed == 2)
    assert [kept.told.event.sequence for kept in EventStore(engine).events()] == [1, 2]
    historian.stop()
    engine.dispose()
