"""What is asked of the history: the newest first, page by page, by door, kind, person and words; never by walking past a million rows."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from agent.core.messages import Event
from agent.link.cloudevents import Told
from central.database.engine import reading
from central.database.opening import open_to_write
from central.history import events as events_module
from central.history.events import EventStore, Wanted
from central.history.kept import Kept, alert_of, person_of
from central.history.patterns import fits
from central.history.usual import hour_of_week, usual
from central.settings import History

MONDAY = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
KINDS = ("access.granted", "access.denied", "accessory", "door.opened", "door_x")
SITES = ("hq", "lab")
DOORS = ("front", "back")
HOLDERS = ("holder-1", "holder-2", "")


def told(number: int, site: str, door: str, kind: str, data: dict[str, Any]) -> Told:
    event = Event(sequence=number, journal=f"j{site}{door}", id=f"{site}-{door}-{number}", kind=kind, at=MONDAY + timedelta(minutes=number),
                  mono_s=1.0, data=data)  # fmt: skip
    return Told(site, door, event)


def some_events() -> list[Told]:
    """120 events of four doors, five kinds and two people, with an alert now and then."""
    return [
        told(n // 4 + 1, SITES[n % 2], DOORS[n // 2 % 2], KINDS[n % 5], {"cardholder": HOLDERS[n % 3], "note": f"entry {n} of Zoë",
             "risk": {"alert": n % 7 == 0}}) for n in range(120)
    ]  # fmt: skip


@pytest.fixture
def store(engine: Engine) -> EventStore:
    store = EventStore(engine)
    events = some_events()
    for start in range(0, 120, 50):
        store.commit(events[start : start + 50], [], MONDAY)
    return store


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    store = EventStore(open_to_write(tmp_path_factory.mktemp("filled") / "central.db"))
    store.commit(some_events(), [], MONDAY)
    return store


def as_python_would(everything: list[Kept], wanted: Wanted) -> list[int]:
    """The same question answered by looking at every event."""
    found = [kept for kept in everything if is_wanted(kept, wanted)]
    found.sort(key=lambda kept: -kept.n if wanted.newest_first else kept.n)
    return [kept.n for kept in found[: wanted.limit]]


def is_wanted(kept: Kept, wanted: Wanted) -> bool:
    told, data = kept.told, kept.told.event.data
    return (
        wanted.site in ("", told.site) and wanted.door in ("", told.door) and fits(told.event.kind, wanted.kind)
        and wanted.person in ("", data["cardholder"]) and (not wanted.alerts or data["risk"]["alert"])
        and kept.n > wanted.after and (not wanted.before or kept.n < wanted.before)
        and (not wanted.text or any(wanted.text.lower() in word.lower() for word in (data["note"], told.event.kind, told.door)))
    )  # fmt: skip


@given(
    st.builds(
        Wanted, site=st.sampled_from(["", *SITES, "nowhere"]), door=st.sampled_from(["", *DOORS]),
        kind=st.sampled_from(["", "*", "access.*", "access.denied", "door*", "door.*", "none.*", "door_x"]),
        person=st.sampled_from(HOLDERS), text=st.sampled_from(["", "", "ENTRY 1", "zoë", "100%", "opened"]), alerts=st.booleans(),
        after=st.integers(0, 130), before=st.integers(0, 130), newest_first=st.booleans(), limit=st.integers(1, 130),
    )
)  # fmt: skip
@settings(max_examples=150)
def test_every_question_finds_what_looking_at_all_events_finds(filled: EventStore, wanted: Wanted) -> None:
    assert [kept.n for kept in filled.page(wanted).events] == as_python_would(filled.events(), wanted)


@pytest.mark.parametrize(
    "wanted",
    [Wanted(), Wanted(site="hq"), Wanted(site="hq", door="back"), Wanted(kind="access.*"), Wanted(kind="access.*", site="lab"),
     Wanted(person="holder-2", kind="access.*"), Wanted(text="zoë", limit=7), Wanted(alerts=True, site="hq"), Wanted(text="100%"),
     Wanted(before=60, after=20), Wanted(kind="none.*"), Wanted(text="Entry 11")],
)  # fmt: skip
@pytest.mark.parametrize("newest_first", [False, True])
def test_both_databases_answer_alike(store: EventStore, wanted: Wanted, newest_first: bool) -> None:
    wanted = Wanted(**{name: getattr(wanted, name) for name in Wanted.__struct_fields__} | {"newest_first": newest_first})
    assert [kept.n for kept in store.page(wanted).events] == as_python_would(store.events(), wanted)


def test_pages_of_the_newest_first_meet_without_a_hole_or_a_repetition(store: EventStore) -> None:
    pages, before = [], 0
    while page := store.events(newest_first=True, before=before, limit=50):
        pages += [kept.n for kept in page]
        before = page[-1].n
    assert pages == sorted(pages, reverse=True)
    assert len(set(pages)) == 120


def test_events_of_one_batch_keep_the_order_in_which_they_came(store: EventStore) -> None:
    assert [kept.told for kept in store.events()] == some_events()


def test_a_stream_goes_through_all_pages(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "PAGE", 7)
    assert [kept.n for kept in store.stream(Wanted(kind="access.*", limit=31))] == as_python_would(
        store.events(), Wanted(kind="access.*", limit=31)
    )
    assert len(list(store.stream(Wanted()))) == 120


def test_a_search_for_words_says_how_far_it_came_and_goes_on_from_there(
    filled: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "SEARCHED", 50)
    first = filled.page(Wanted(text="entry 3 of", newest_first=True, limit=5))
    assert (first.events, first.stopped_at) == ([], 71)
    second = filled.page(Wanted(text="entry 3 of", newest_first=True, limit=5, before=first.stopped_at))
    third = filled.page(Wanted(text="entry 3 of", newest_first=True, limit=5, before=second.stopped_at))
    assert [kept.n for kept in third.events] == [4]
    assert third.stopped_at == 0
    assert [kept.n for kept in filled.stream(Wanted(text="entry 3 of"))] == [4]
    assert [kept.n for kept in filled.stream(Wanted(text="entry 111 of"))] == [112]


def test_an_event_is_found_by_its_number_and_by_how_its_id_begins(store: EventStore) -> None:
    found = store.by_number(5)
    assert found is not None
    assert found in store.by_id(found.told.event.id[:6])
    assert store.by_number(10_000) is None
    assert store.by_id("nobody") == []


@pytest.mark.parametrize(
    "wanted",
    [Wanted(), Wanted(site="hq"), Wanted(site="hq", door="front"), Wanted(kind="access.denied"), Wanted(kind="access.denied", site="hq"),
     Wanted(person="holder-1"), Wanted(alerts=True), Wanted(alerts=True, site="hq"), Wanted(before=100)],
)  # fmt: skip
def test_no_question_of_the_dashboard_sorts_or_walks_past_rows(filled: EventStore, wanted: Wanted) -> None:
    """A million rows would be sorted, or looked through, for a page of a hundred."""
    wanted = Wanted(**{name: getattr(wanted, name) for name in Wanted.__struct_fields__} | {"newest_first": True, "limit": 100})
    with reading(filled.engine) as db:
        for part in events_module._parts(db, wanted):
            sql = str(events_module._numbers(wanted, part).compile(filled.engine, compile_kwargs={"literal_binds": True}))
            plan = [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
            assert not any("TEMP B-TREE" in step for step in plan), plan
            assert wanted in (Wanted(newest_first=True, limit=100),) or all(
                "INDEX" in step or "PRIMARY KEY" in step for step in plan
            ), plan


def test_numbers_become_visible_in_their_order_while_several_write(engine: Engine) -> None:
    """Whoever reads on from the last number it knows would miss an event that got a lower number and came later."""
    stores = [EventStore(engine) for _ in range(4)]

    def write(which: int) -> None:
        for batch in range(15):
            stores[which].commit([told(batch * 5 + n + 1, "hq", f"door-{which}", "a.b", {}) for n in range(5)], [], MONDAY)

    writers = [threading.Thread(target=write, args=(which,)) for which in range(4)]
    for writer in writers:
        writer.start()
    seen: list[int] = []
    while any(writer.is_alive() for writer in writers) or len(seen) < stores[0].counts()["events"]:
        seen += [kept.n for kept in stores[0].events(after=seen[-1] if seen else 0)]
    assert len(set(seen)) == len(seen) == 300


# -- what is usual -----------------------------------------------------------------------------------------------------------------


def test_each_hour_of_the_week_is_counted_by_the_clock_on_the_wall(engine: Engine) -> None:
    store = EventStore(engine, History(time_zone="Europe/Berlin").zone)
    summer = MONDAY + timedelta(weeks=20)
    for number, at in enumerate([MONDAY, MONDAY, summer - timedelta(hours=1), summer], 1):
        event = Event(sequence=number, journal="aa", id=f"id-{number}", kind="access.granted", at=at, mono_s=1.0, data={})
        store.commit([Told("hq", "front", event)], [], at)
    found = usual(engine, "hq", "front", "access.*")
    assert {hour: count for hour, count in enumerate(found.counts) if count} == {9: 3, 10: 1}
    assert found.since == MONDAY
    assert usual(engine, "hq", "back").since is None


def test_a_repeated_event_is_counted_once(engine: Engine) -> None:
    store = EventStore(engine)
    for _ in range(3):
        store.commit([told(1, "hq", "front", "access.granted", {})], [], MONDAY)
    assert sum(usual(engine, "hq", "front").counts) == 1


@given(st.datetimes(timezones=st.timezones()), st.timezones())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_every_moment_has_an_hour_of_the_week(at: datetime, zone: Any) -> None:
    assert 0 <= hour_of_week(at, zone) < 168


# -- what stands in the columns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "person", "alert"),
    [({}, "", False), ({"cardholder": "holder-1"}, "holder-1", False), ({"cardholder": None}, "", False), ({"cardholder": ["x"]}, "", False),
     ({"cardholder": "x" * 101}, "", False), ({"cardholder": "a\0b"}, "", False), ({"risk": {"alert": True}}, "", True),
     ({"risk": {"alert": True}, "alert_held_back": True}, "", False), ({"risk": {"alert": 1}}, "", False), ({"risk": "alert"}, "", False)],
)  # fmt: skip
def test_who_it_is_about_and_whether_somebody_was_to_be_told_is_read_from_whatever_a_door_says(
    data: dict[str, Any], person: str, alert: bool, engine: Engine
) -> None:
    assert (person_of(data), alert_of(data)) == (person, alert)
    EventStore(engine).commit([told(1, "hq", "front", "a.b", data)], [], MONDAY)
    kept = EventStore(engine).events()[0]
    assert (kept.person, kept.alert, kept.told.event.data) == (person, alert, data)
