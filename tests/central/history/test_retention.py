"""Movements are forgotten after some weeks, alerts and commands later, and how much was forgotten is on record."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from agent.core.messages import Event
from agent.errors import ConfigError
from agent.link.cloudevents import Told
from central.database.opening import open_to_write
from central.history.events import EventStore
from central.history.kept import Unreadable
from central.history.retention import Keeper, Removal, Rules, removals, remove_due
from central.history.usual import usual
from central.settings import History, load_settings
from tests.system.brokers import wait_until

NOW = datetime(2026, 9, 1, 12, tzinfo=timezone.utc)
SETTINGS = History(keep_days={"*": 90, "command.*": 365, "door.*": 30, "door.forced": 200}, keep_alerts_days=300)
ALERT = {"risk": {"alert": True}}


@pytest.fixture
def store(engine: Engine) -> EventStore:
    """Over both databases."""
    return EventStore(engine)


def tell(
    store: EventStore, kind: str, days_ago: float, data: dict[str, Any] | None = None, heard_days_ago: float | None = None
) -> None:
    sequence = store.counts()["events"] + 1
    at = NOW - timedelta(days=days_ago)
    event = Event(sequence=sequence, journal="aa", id=f"id-{sequence}", kind=kind, at=at, mono_s=1.0, data=data or {})
    store.commit([Told("hq", "front", event)], [], NOW - timedelta(days=days_ago if heard_days_ago is None else heard_days_ago))


def left(store: EventStore) -> list[str]:
    return [kept.told.event.kind for kept in store.events()]


@pytest.mark.parametrize(
    ("kind", "alert", "days"),
    [("access.granted", False, 90), ("command.done", False, 365), ("door.opened", False, 30), ("door.forced", False, 200),
     ("door.opened", True, 300), ("command.done", True, 365)],
)  # fmt: skip
def test_the_rule_with_the_longest_name_counts_and_alerts_stay_longer(kind: str, alert: bool, days: int) -> None:
    assert Rules(SETTINGS).days(kind, alert) == days


def test_what_is_over_is_removed_and_everything_else_stays(store: EventStore) -> None:
    tell(store, "access.granted", 91)
    tell(store, "access.granted", 89)
    tell(store, "command.done", 200)
    tell(store, "risk.raised", 200, ALERT)
    tell(store, "risk.raised", 200, {**ALERT, "alert_held_back": True})
    tell(store, "door.opened", 31)
    tell(store, "door.forced", 31)
    assert remove_due(store.engine, SETTINGS, NOW) == 3
    assert left(store) == ["access.granted", "command.done", "risk.raised", "door.forced"]
    assert remove_due(store.engine, SETTINGS, NOW) == 0


def test_what_was_removed_is_on_record_by_kind(store: EventStore) -> None:
    for days_ago in (100, 95, 400):
        tell(store, "access.granted", days_ago)
    tell(store, "risk.raised", 301, ALERT)
    remove_due(store.engine, SETTINGS, NOW)
    ago = [NOW - timedelta(days=days) for days in (400, 95, 301)]
    assert removals(store.engine) == [
        Removal(NOW, "alerts", "risk.raised", 1, ago[2], ago[2], 300),
        Removal(NOW, "events", "access.granted", 3, ago[0], ago[1], 90),
    ]


def test_a_door_whose_clock_stands_in_1970_loses_nothing_and_one_that_was_long_away_neither(store: EventStore) -> None:
    tell(store, "access.granted", 20_000, heard_days_ago=1)
    tell(store, "access.granted", 1, heard_days_ago=20_000)
    assert remove_due(store.engine, SETTINGS, NOW) == 0


def test_what_was_removed_is_no_gap_and_a_repetition_of_it_is_not_kept_again(store: EventStore) -> None:
    tell(store, "access.granted", 100)
    told = store.events()[0].told
    tell(store, "access.granted", 1)
    remove_due(store.engine, SETTINGS, NOW)
    outcome = store.commit([told], [], NOW)
    assert (outcome.new, outcome.repeated, store.gaps()) == (0, 1, [])


def test_numbers_are_not_given_again_after_everything_was_removed(store: EventStore) -> None:
    tell(store, "access.granted", 100)
    remove_due(store.engine, SETTINGS, NOW)
    event = Event(sequence=2, journal="aa", id="id-2", kind="a.b", at=NOW, mono_s=1.0, data={})
    store.commit([Told("hq", "front", event)], [], NOW)
    assert store.last_number() == 2


def test_counts_of_the_hours_of_the_week_outlive_the_events(store: EventStore) -> None:
    tell(store, "access.granted", 100)
    remove_due(store.engine, SETTINGS, NOW)
    assert sum(usual(store.engine, "hq", "front").counts) == 1


def test_unreadable_messages_and_conflicts_are_not_kept_longer_than_events(store: EventStore) -> None:
    tell(store, "access.granted", 100)
    event = msgspec.structs.replace(store.events()[0].told.event, id="another")
    store.commit([Told("hq", "front", event)], [Unreadable("doorward/hq/front/evt", "no event", b"x")], NOW - timedelta(days=100))
    remove_due(store.engine, SETTINGS, NOW)
    assert set(store.counts().values()) == {0}
    assert [removal.what for removal in removals(store.engine)] == ["conflicts", "events", "unreadable"]


def test_many_batches_leave_one_line_on_record(store: EventStore) -> None:
    at = NOW - timedelta(days=100)
    told = [Told("hq", "front", Event(sequence=number, journal="aa", id=f"id-{number}", kind="door.opened", at=at, mono_s=1.0, data={}))
            for number in range(1, 2_502)]  # fmt: skip
    store.commit(told, [], at)
    pauses: list[int] = []
    assert remove_due(store.engine, SETTINGS, NOW, lambda: bool(pauses.append(1))) == 2_501
    assert [removal.rows for removal in removals(store.engine)] == [2_501]
    assert len(pauses) == 3


class Clock:
    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def wall(self) -> datetime:
        return self.now

    def mono_s(self) -> float:
        return 0.0


def test_the_keeper_removes_when_it_starts(tmp_path: Path) -> None:
    store = EventStore(open_to_write(tmp_path / "central.db"))
    tell(store, "access.granted", 100)
    tell(store, "access.denied", 1)
    keeper = Keeper(store.engine, SETTINGS, Clock())
    keeper.start()
    wait_until(lambda: left(store) == ["access.denied"], 10, "nothing is removed")
    keeper.stop()


def test_a_centre_whose_clock_jumps_by_years_keeps_what_it_has(tmp_path: Path) -> None:
    store = EventStore(open_to_write(tmp_path / "central.db"))
    for days_ago in (100, 2, 1, 1):
        tell(store, "access.granted", days_ago)
    tell(store, "access.granted", -25_000)  # one door's clock may be as wrong as it likes
    clock = Clock(NOW + timedelta(days=20_000))
    keeper = Keeper(store.engine, SETTINGS, clock)
    keeper._look(clock.wall())
    assert len(left(store)) == 5
    keeper._look(NOW)
    assert len(left(store)) == 4


@pytest.mark.parametrize(
    ("lines", "words"),
    [("keep_days = {'access.*' = 30}", r"no '\*'"), ("keep_days = {'*' = 0}", "keep_days"), ("time_zone = 'Mars/Olympus'", "Mars/Olympus"),
     ("keep_days = {'Access' = 3}", "keep_days")],
)  # fmt: skip
def test_rules_that_make_no_sense_stop_the_start_and_say_where(tmp_path: Path, lines: str, words: str) -> None:
    (tmp_path / "central.toml").write_text(f"[history]\n{lines}\n")
    with pytest.raises(ConfigError, match=words):
        load_settings(tmp_path / "central.toml")
