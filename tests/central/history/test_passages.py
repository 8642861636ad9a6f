"""Who came and who left, read quickly out of many events, alike from both databases."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Engine

from agent.core.messages import Event
from agent.link.cloudevents import Told
from central.database.types import to_us
from central.history.events import EventStore
from central.history.passages import Passage, passages

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)
DAY = (NOW - timedelta(days=1), NOW)


def told(
    n: int, data: dict[str, Any], *, site: str = "hq", door: str = "front", kind: str = "access.granted", ago: timedelta
) -> Told:
    event = Event(sequence=n, journal="5a5a5a5a", id=f"id-{n}", kind=kind, at=NOW - ago, mono_s=float(n), data=data)
    return Told(site, door, event)


def test_only_who_was_let_through_a_door_within_the_time_is_read(engine: Engine) -> None:
    hour = timedelta(hours=1)
    events = [
        told(1, {"cardholder": "holder-1"}, ago=25 * hour), told(2, {"cardholder": "holder-1"}, ago=3 * hour),
        told(3, {"cardholder": "holder-1", "leaving": True}, ago=2 * hour), told(4, {"cardholder": ""}, ago=hour),
        told(5, {"cardholder": "holder-2"}, kind="access.denied", ago=hour), told(6, {"cardholder": "holder-2"}, site="lab", ago=hour),
        told(7, {"cardholder": "holder-2"}, door="back", ago=timedelta(0)),
    ]  # fmt: skip
    EventStore(engine).commit(events, [], NOW)
    found = passages(engine, (), "", *DAY, 10)
    assert [(each.person, each.leaving) for each in found] == [("holder-1", False), ("holder-1", True), ("holder-2", False)]
    assert found[0] == Passage("hq", "front", "holder-1", to_us(NOW - 3 * hour), False)
    assert [each.site for each in passages(engine, ("lab",), "", *DAY, 10)] == ["lab"]
    assert passages(engine, ("lab", "hq"), "back", *DAY, 10) == []
    assert len(passages(engine, (), "", *DAY, 2)) == 2


def test_a_door_that_says_leaving_elsewhere_or_otherwise_lets_nobody_leave(engine: Engine) -> None:
    odd: list[Any] = [{"risk": {"leaving": True}}, {"note": '"leaving":true'}, {"leaving": "true"}, {"leaving": 1}]
    events = [told(n, {"cardholder": "holder-1", **data}, ago=timedelta(hours=1)) for n, data in enumerate(odd, 1)]
    EventStore(engine).commit(events, [], NOW)
    assert [each.leaving for each in passages(engine, (), "", *DAY, 10)] == [False] * 4
