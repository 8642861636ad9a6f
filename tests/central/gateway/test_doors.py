"""How doors stand, as the centre tells it: never better than it knows."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.link.session import Address
from central.gateway.asking import Ask, Caller, Unfit
from central.gateway.door_book import MOST_STATES, DoorBook, DoorNow
from central.gateway.door_rows import BROKER_LOST, NOT_STORED, Facts, Last, row_of, sentence_of
from central.gateway.watch import Watch
from central.history.events import EventStore
from central.history.kept import Kept
from tests.central.gateway.house import NOW, HandClock, House, database, told

FRONT = "doorward/hq/front"
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def book() -> DoorBook:
    return DoorBook(Address(), HandClock())


def front(book: DoorBook) -> DoorNow:
    found = book.now("hq", "front")
    assert found is not None
    return found


def test_a_retained_word_says_how_a_door_is_and_not_since_when(book: DoorBook) -> None:
    book.message(f"{FRONT}/online", b"true", True)
    assert (front(book).online, front(book).since) == (True, None)
    book.message(f"{FRONT}/online", b"false", False)
    assert (front(book).online, front(book).since) == (False, NOW)


def test_states_replace_each_other_and_can_be_taken_back(book: DoorBook) -> None:
    heard: list[DoorNow] = []
    book.on_change(heard.append)
    for value in (b'{"value": "secured"}', b'{"value": "secured"}', b'{"value": "jammed"}', b""):
        book.message(f"{FRONT}/state/lock", value, False)
    assert [each.states for each in heard] == [{"lock": "secured"}, {"lock": "jammed"}, {}], "the same again is no news"


def test_what_is_no_state_of_a_door_is_left(book: DoorBook) -> None:
    for topic, payload in (("doorward/HQ/front/online", b"true"), (f"{FRONT}/evt", b"{}"), (f"{FRONT}/state/norms", b'{"value": 1}'),
                           ("elsewhere", b""), (f"{FRONT}/state/lock/more", b"{}")):  # fmt: skip
        book.message(topic, payload, True)
    assert book.snapshot() == []


def test_a_door_cannot_fill_the_centres_memory(book: DoorBook) -> None:
    for number in range(MOST_STATES + 20):
        book.message(f"{FRONT}/state/state-{number}", b'{"value": 1}', True)
    book.message(f"{FRONT}/state/lock", b'{"value": "' + b"x" * 50_000 + b'"}', True)
    assert len(front(book).states) == MOST_STATES


@given(name=st.sampled_from(["lock", "mode", "risk", "health", "access", "people"]), value=ANY_JSON)
def test_whatever_a_door_says_of_itself_can_be_shown(name: str, value: Any) -> None:
    book = DoorBook(Address(), HandClock())
    book.message(f"{FRONT}/state/{name}", msgspec.json.encode({"value": value}), True)
    msgspec.json.encode(row_of(front(book), None, Facts(), broker=True))


@given(st.binary(max_size=60))
def test_bytes_that_are_no_state_change_nothing(payload: bytes) -> None:
    book = DoorBook(Address(), HandClock())
    book.message(f"{FRONT}/state/lock", payload, True)
    for now in book.snapshot():
        msgspec.json.encode(row_of(now, None, Facts(), broker=True))


def a_row(states: dict[str, Any], *, broker: bool = True) -> Any:
    now = DoorNow(site="hq", door="front", online=True, states=states, heard=NOW)
    facts = Facts(name=lambda site, door: "Front door", zone=lambda site, door: "Lobby", behind=lambda site, door: 2)
    return row_of(now, Last(7, "door.opened", NOW, "The door opened"), facts, broker=broker)


def test_a_row_tells_what_a_guard_looks_for() -> None:
    row = a_row({"lock": "jammed", "contact": "unknown", "alarm": "forced", "mode": "LockedDown", "access": {"version": 12},
                 "risk": {"band": "high", "sentence": "lingers", "zone": "approach"}, "health": {"vision": "fresh"}})  # fmt: skip
    assert (row.name, row.zone, row.lock, row.contact, row.alarm, row.mode) == (
        "Front door",
        "Lobby",
        "jammed",
        "unknown",
        "forced",
        "LockedDown",
    )
    assert (row.risk.band, row.risk.zone, row.access.version, row.access.behind, row.health.ok) == (
        "high",
        "approach",
        12,
        2,
        True,
    )


def test_a_certificate_that_ends_soon_is_a_fault_with_its_mend() -> None:
    def faults(until: str) -> tuple[str, ...]:
        return a_row({"health": {"vision": "fresh", "link": {"certificate_until": until}}}).health.faults

    assert faults(f"{NOW + timedelta(days=31):%Y-%m-%dT%H:%M:%SZ}") == ()
    (fault,) = faults(f"{NOW + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}")
    assert "in 3 days; renew it: doorward central renew FOLDER --door hq/front" in fault
    assert faults("soon") == faults("2026-03-05T08:00:00") == ()


def test_faults_are_sentences() -> None:
    row = a_row({"health": {"vision": "missing", "camera_tamper": ["covered"], "journal_faults": ["disk full"],
                            "readers": {"in": {"online": False, "tamper": True}}, "input_faults": {"rex": "cut"}}})  # fmt: skip
    assert row.health.faults == (
        "vision does not tell what it sees", "the camera seems covered", "records: disk full", "reader in does not answer",
        "reader in was opened", "the wire of input rex is cut",
    )  # fmt: skip


def test_without_its_broker_the_centre_knows_no_door_to_be_there() -> None:
    row = a_row({"lock": "secured"}, broker=False)
    assert (row.online, row.lock, row.health.ok, row.health.faults) == (False, "secured", False, (BROKER_LOST,))


def test_a_centre_that_cannot_store_what_doors_tell_does_not_look_calm() -> None:
    now = DoorNow(site="hq", door="front", online=True, heard=NOW)
    assert row_of(now, None, Facts(stores=lambda: False), broker=True).health.faults == (NOT_STORED,)
    assert row_of(now, None, Facts(), broker=True).health.ok


def test_a_sentence_is_one_line_of_bounded_length() -> None:
    sentence = sentence_of("bundle.refused", {"error": "first line\nsecond\tline " + "x" * 1000})
    assert sentence.startswith("New access rules were refused")
    assert "\n" not in sentence
    assert len(sentence) <= 300


def test_each_doors_last_event_is_known_from_the_start_and_moves_on(tmp_path: Path) -> None:
    engine = database(tmp_path)
    store = EventStore(engine)
    store.commit([told(1), told(2, "door.opened"), told(1, "door.forced", door="back")], [], NOW)
    watch = Watch(engine)
    seen: list[Kept] = []
    watch.on_events(seen.extend)
    watch.start()
    try:
        assert watch.told == 3
        assert {key: each.kind for key in watch.doors() if (each := watch.last(*key))} == {
            ("hq", "front"): "door.opened", ("hq", "back"): "door.forced"}  # fmt: skip
        store.commit([told(3, "door.closed")], [], NOW)
        watch.wake()
        _wait(lambda: bool(seen))
        last = watch.last("hq", "front")
        assert last is not None
        assert (last.kind, [kept.n for kept in seen]) == ("door.closed", [4])
    finally:
        watch.stop()


def _wait(is_so: Any) -> None:
    from tests.system.brokers import wait_until

    wait_until(is_so, 20, "nothing was told")


# -- commands, without a broker -----------------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Any:
    house = House(tmp_path)
    house.hear(f"{FRONT}/online", b"true")
    yield house
    house.gateway.stop()
    house.commander.close()


def give(house: House, body: bytes, role: Any = "guard", door: str = "front", now: datetime = NOW) -> Any:
    endpoint = next(each for each in house.gateway.endpoints if each.path.endswith("/commands"))
    return endpoint.work(Ask(caller=Caller("ada", role), now=now, path={"site": "hq", "door": door}, body=body))


@pytest.mark.parametrize(
    ("body", "door", "status"),
    [(b"{}", "front", 400), (b'{"command": "explode"}', "front", 400), (b'{"command": "hold_unlocked"}', "front", 403),
     (b'{"command": "unlock"}', "nowhere", 404), (b'{"command": "unlock", "why": "' + b"x" * 300 + b'"}', "front", 400),
     (b'{"command": "unlock", "user": "grace"}', "front", 400), (b'{"command": "unlock"}', "front", 503)],
)  # fmt: skip
def test_a_command_that_cannot_be_given_says_why(house: House, body: bytes, door: str, status: int) -> None:
    with pytest.raises(Unfit) as caught:
        give(house, body, door=door)
    assert caught.value.status == status
