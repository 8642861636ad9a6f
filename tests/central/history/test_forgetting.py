"""Somebody is erased: their events stay, and nobody can tell any more whose they were."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Engine

from agent.core.messages import Event
from agent.link.cloudevents import Told
from central.database.engine import writing
from central.history.events import EventStore
from central.history.forgetting import forget_person
from tools.bench.recording import DECISION

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
RISK = {"band": "high", "alert": True, "items": [{"kind": "dwell", "value": 41.0}]}


def tell(store: EventStore, *data: dict[str, Any]) -> list[Told]:
    told = [Told("hq", "front", Event(sequence=number, journal="aa", id=f"id-{number}", kind="access.granted", at=NOW, mono_s=1.0, data=each))
            for number, each in enumerate(data, 1)]  # fmt: skip
    store.commit(told, [], NOW)
    return told


def forget(store: EventStore, person: str) -> dict[str, int]:
    with writing(store.engine) as db:
        return dict(forget_person(db, person))


def test_who_it_was_and_what_could_tell_it_again_is_gone_and_the_event_stays(engine: Engine) -> None:
    store = EventStore(engine)
    tell(store, {**DECISION, "cardholder": "holder-1", "risk": RISK})
    assert forget(store, "holder-1") == {"events": 1, "conflicts": 0}
    kept = store.events()[0]
    assert (kept.person, kept.alert, kept.told.event.kind) == ("", True, "access.granted")
    assert kept.told.event.data == {
        "granted": True, "reasons": DECISION["reasons"], "sentences": DECISION["sentences"], "rules_version": 1,
        "risk": {"band": "high", "alert": True}, "forgotten": True,
    }  # fmt: skip


def test_where_others_events_name_the_person_only_the_name_goes(engine: Engine) -> None:
    store = EventStore(engine)
    tell(
        store,
        {"cardholder": "holder-2", "with": ["holder-1", "holder-10"]},
        {"note": "holder-1 was here"},
        {"cardholder": "holder-10"},
    )
    assert forget(store, "holder-1")["events"] == 1
    assert [kept.told.event.data for kept in store.events()] == [
        {"cardholder": "holder-2", "with": ["", "holder-10"]}, {"note": "holder-1 was here"}, {"cardholder": "holder-10"},
    ]  # fmt: skip
    assert [kept.person for kept in store.events()] == ["holder-2", "", "holder-10"]


def test_a_door_that_sends_the_event_again_does_not_bring_the_person_back(engine: Engine) -> None:
    store = EventStore(engine)
    told = tell(store, {"cardholder": "holder-1"})
    forget(store, "holder-1")
    assert store.commit(told, [], NOW).repeated == 1
    assert forget(store, "holder-1") == {"events": 0, "conflicts": 0}
    assert store.events(person="holder-1") == []


def test_nobody_is_no_person_to_forget(engine: Engine) -> None:
    store = EventStore(engine)
    tell(store, {"open_s": 2.0})
    assert forget(store, "") == {}
    assert store.events()[0].told.event.data == {"open_s": 2.0}
