"""A door that did not know what time it was: when did it happen? Kept as it was told, corrected as soon as the door knows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from agent.core.clock_watch import corrected, to_us
from agent.core.messages import Event
from agent.link.cloudevents import Told
from central.database.opening import open_to_write
from central.history.clocks import Offset
from central.history.events import EventStore, Wanted
from central.history.kept import Kept
from central.history.usual import hour_of_week, usual

BOOT, NEXT_BOOT = "0a" * 16, "0b" * 16
STARTED = datetime(2026, 3, 2, 8, 0, tzinfo=timezone.utc)
"""When the controller really started; its clock said 1970."""
OFFSET_S = STARTED.timestamp()
IN_1970 = datetime(1970, 1, 1, tzinfo=timezone.utc)


def after(mono_s: float) -> datetime:
    """The true time so long after the start."""
    return STARTED + timedelta(seconds=mono_s)


def unsure(sequence: int, mono_s: float, *, door: str = "front", boot: str = BOOT, kind: str = "access.granted") -> Told:
    at = IN_1970 + timedelta(seconds=min(1e6, mono_s))
    event = Event(sequence=sequence, journal="aa", id=f"{door}-{sequence}", kind=kind, at=at, mono_s=mono_s, data={},
                  boot=boot, clock="unsure")  # fmt: skip
    return Told("hq", door, event)


def synchronised(sequence: int, mono_s: float, offset_s: object = OFFSET_S, *, door: str = "front") -> Told:
    event = Event(sequence=sequence, journal="aa", id=f"{door}-{sequence}", kind="clock.synchronised", at=after(mono_s), mono_s=mono_s,
                  data={"offset_s": offset_s, "moved_s": 1.7e9}, boot=BOOT, clock="synchronised")  # fmt: skip
    return Told("hq", door, event)


@pytest.fixture
def store(engine: Engine) -> EventStore:
    """Over both databases."""
    return EventStore(engine)


def by_sequence(store: EventStore) -> dict[int, Kept]:
    return {kept.told.event.sequence: kept for kept in store.events()}


def test_events_of_1970_are_corrected_when_the_door_learns_the_time(store: EventStore) -> None:
    store.commit([unsure(1, 60.0), unsure(2, 90.5)], [], after(7200))
    store.commit([synchronised(3, 7300.0)], [], after(7300))
    kept = by_sequence(store)
    assert [kept[n].told.event.at for n in (1, 2)] == [after(60), after(90.5)]
    assert [kept[n].told.event.clock for n in (1, 2, 3)] == ["corrected", "corrected", "synchronised"]


def test_what_the_doors_clock_said_stays_on_record(store: EventStore) -> None:
    store.commit([unsure(1, 60.0)], [], after(61))
    store.commit([synchronised(2, 70.0)], [], after(70))
    kept = by_sequence(store)
    assert kept[1].told_at == IN_1970 + timedelta(seconds=60)
    assert kept[2].told_at is None


def test_an_event_that_comes_after_the_doors_word_is_corrected_as_it_comes(store: EventStore) -> None:
    store.commit([synchronised(2, 70.0)], [], after(70))
    store.commit([unsure(1, 60.0)], [], after(80))
    assert by_sequence(store)[1].told.event.at == after(60)


def test_both_in_one_batch_in_whatever_order(store: EventStore) -> None:
    store.commit([synchronised(2, 70.0), unsure(1, 60.0)], [], after(80))
    assert by_sequence(store)[1].told.event.at == after(60)


def test_until_then_an_event_happened_at_the_latest_when_it_was_received(store: EventStore) -> None:
    """So an alert of a door that starts in 1970 is no old one, and nothing is removed as fifty years old."""
    store.commit([unsure(1, 60.0)], [], after(60.2))
    kept = by_sequence(store)[1]
    assert (kept.told.event.at, kept.told.event.clock) == (after(60.2), "unsure")


def test_one_event_that_comes_at_once_tells_when_those_before_it_were(store: EventStore) -> None:
    """The door had no link for two hours: what it delivers late is held against what it delivers at once."""
    store.commit([unsure(1, 60.0)], [], after(7200))
    assert by_sequence(store)[1].told.event.at == after(7200)
    store.commit([unsure(2, 7201.0)], [], after(7201.3))
    kept = by_sequence(store)
    assert kept[1].told.event.at == after(60.3)
    assert kept[1].told_at == IN_1970 + timedelta(seconds=60)


def test_a_door_corrects_its_own_events_of_this_start_and_no_others(store: EventStore) -> None:
    store.commit([unsure(1, 60.0, door="back"), unsure(1, 60.0, boot=NEXT_BOOT)], [], after(100))
    store.commit([synchronised(2, 70.0)], [], after(100))
    assert {kept.told.event.clock for kept in store.events(kind="access.*")} == {"unsure"}


@pytest.mark.parametrize("nonsense", ["soon", None, True, float("1e300"), -5.0, 1e12, {}])
def test_a_word_that_is_no_time_corrects_nothing(store: EventStore, nonsense: object) -> None:
    store.commit([unsure(1, 60.0), synchronised(2, 70.0, nonsense)], [], after(100))
    assert by_sequence(store)[1].told.event.clock == "unsure"


def test_monotonic_seconds_that_no_machine_counts_break_no_batch(store: EventStore) -> None:
    store.commit([unsure(1, 1e300), unsure(2, -4.0), synchronised(3, 70.0)], [], after(100))
    assert len(store.events()) == 3


def test_an_event_that_came_with_a_right_clock_is_left_as_it_was_told(store: EventStore) -> None:
    store.commit([synchronised(1, 70.0, OFFSET_S + 500)], [], after(100))
    assert by_sequence(store)[1].told.event.at == after(70.0)


def test_hours_of_the_week_are_counted_when_the_hour_is_known(store: EventStore) -> None:
    store.commit([unsure(1, 60.0)], [], after(7200))
    assert sum(usual(store.engine, "hq", "front", "access.granted").counts) == 0
    store.commit([synchronised(2, 7300.0), unsure(3, 7200.0)], [], after(7300))
    counts = usual(store.engine, "hq", "front", "access.granted").counts
    assert counts[hour_of_week(after(60), timezone.utc)] == 1
    assert counts[hour_of_week(after(7200), timezone.utc)] == 1
    assert sum(counts) == 2


def test_an_alerts_event_is_found_by_its_corrected_time(store: EventStore) -> None:
    store.commit([unsure(1, 60.0), synchronised(2, 70.0)], [], after(100))
    found = store.page(Wanted(begin=after(59), end=after(61)))
    assert [kept.told.event.sequence for kept in found.events] == [1]


# -- the arithmetic ------------------------------------------------------------------------------------------------------------

MONO_S = st.floats(0, 1e8)
OFFSETS_US = st.integers(0, to_us(datetime(2199, 1, 1, tzinfo=timezone.utc)))


@given(mono_s=MONO_S, offset_us=OFFSETS_US)
def test_correcting_takes_away_exactly_what_was_added(mono_s: float, offset_us: int) -> None:
    assert to_us(corrected(mono_s, offset_us)) - offset_us == round(mono_s * 1e6)


@given(first_s=MONO_S, second_s=MONO_S, offset_us=OFFSETS_US)
def test_correcting_keeps_the_order_and_the_distance_of_events(first_s: float, second_s: float, offset_us: int) -> None:
    apart_us = to_us(corrected(second_s, offset_us)) - to_us(corrected(first_s, offset_us))
    assert apart_us == round(second_s * 1e6) - round(first_s * 1e6)


KNOWN = st.builds(Offset, us=OFFSETS_US, told=st.booleans())


@given(st.lists(KNOWN, min_size=1, max_size=6), st.randoms())
def test_bounds_give_the_same_in_every_order_and_the_doors_word_stands_above_them(heard: list[Offset], shuffled: object) -> None:
    best: Offset | None = None
    for each in heard:
        best = each.better(best)
    words, bounds = [each for each in heard if each.told], [each for each in heard if not each.told]
    assert best == (words[0] if words else min(bounds, key=lambda each: each.us))


@given(happened=st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 900)), min_size=1, max_size=12), data=st.data())
@settings(max_examples=25, deadline=None)
def test_whatever_comes_when_every_event_ends_with_its_true_time(
    happened: list[tuple[float, float]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Events in any order and any portions, the door's word anywhere among them."""
    told = [(unsure(number, round(mono_s, 6)), mono_s + late_s) for number, (mono_s, late_s) in enumerate(happened, 1)]
    everything = data.draw(st.permutations([*told, (synchronised(99, 5000.0), 5000.0)]))
    store = EventStore(open_to_write(tmp_path_factory.mktemp("clocks") / "central.db"))
    cut = data.draw(st.integers(0, len(everything)))
    for batch in (everything[:cut], everything[cut:]):
        store.take([(each, after(came_s)) for each, came_s in batch], [], after(6000))
    for kept in store.events(kind="access.granted"):
        assert kept.told.event.at == after(round(happened[kept.told.event.sequence - 1][0], 6))
