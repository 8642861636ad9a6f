"""The centre knows the history of all doors and tells each what doors like it show."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from agent.behaviour.norms import Moment, Norms
from agent.behaviour.sketch import Sketch, Sparse, scale_of
from agent.core.norms_word import MOST_BYTES, CentreWord, DoorNorms
from agent.errors import WireError
from agent.records.norms_post import checked_word
from central.database.engine import StoreError
from central.norms import TELL_EVERY_S, NormsDesk, by_month, kinds_in, merged, prior_for, told_in
from central.norms_store import KEPT_DAYS, DoorKey, NormsStore

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
KEY = SigningKey(b"c" * 32)
FRONT, SIDE, BACK, DOCK = (DoorKey("hq", name) for name in ("front", "side", "back", "dock"))
OFFICE = [FRONT, SIDE, BACK]


def sketch(seconds: float, visits: float = 300.0) -> Sketch:
    made = Sketch.of_unit("s")
    made.add(seconds, visits)
    return made


def told(seconds: float, visits: float = 300.0, made: datetime = NOW) -> DoorNorms:
    """A door where everybody takes so long."""
    kinds = msgspec.Raw(msgspec.json.encode({"dwell": sketch(seconds, visits).encode()}))
    return DoorNorms(made=made, place="view", visits=int(visits), kinds=kinds)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NormsStore]:
    opened = NormsStore(tmp_path / "norms.db")
    yield opened
    opened.close()


def seconds_in(kinds: dict[str, Sparse]) -> list[float | None]:
    return [Sketch.decode(kinds["dwell"]).quantile(share) for share in (0.2, 0.5, 0.8)]


# -- what is kept --------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_of_a_day_the_newest_is_kept_and_of_two_years_all(store: NormsStore) -> None:
    for day in range(KEPT_DAYS + 10):
        now = NOW + timedelta(days=day)
        store.take(FRONT, told(3.0, 100.0 + day), now - timedelta(hours=1))
        store.take(FRONT, told(3.0, 300.0 + day), now)
    history = store.history(FRONT, NOW)
    assert len(history) == KEPT_DAYS + 1
    assert (history[0].visits, history[-1].visits) == (309, 300 + KEPT_DAYS + 9)


def test_days_are_those_of_the_centre_whatever_a_doors_clock_shows(store: NormsStore) -> None:
    for made in (datetime(1, 1, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, tzinfo=timezone.utc)):
        store.take(FRONT, told(3.0, made=made), NOW)
    assert [each.made for each in store.history(FRONT, NOW)] == [NOW]


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    store = NormsStore(tmp_path / "norms.db")
    store._db.execute("PRAGMA user_version=9")
    store.close()
    with pytest.raises(StoreError, match="version 9 is not 1"):
        NormsStore(tmp_path / "norms.db")


def test_a_door_that_is_forgotten_is_gone(store: NormsStore) -> None:
    for door in OFFICE:
        store.take(door, told(3.0), NOW)
    store.forget(SIDE)
    assert store.doors() == [BACK, FRONT]


# -- what is made of it --------------------------------------------------------------------------------------------------------


def test_a_new_door_is_told_what_doors_of_its_kind_show(store: NormsStore) -> None:
    store.take(SIDE, told(3.0), NOW)
    store.take(BACK, told(12.0), NOW)
    store.take(DOCK, told(600.0), NOW)
    prior = prior_for(FRONT, OFFICE, store, NOW)
    assert prior.doors == 2
    low, _, high = seconds_in(prior.kinds)
    assert low == pytest.approx(3.0, rel=0.05)
    assert high == pytest.approx(12.0, rel=0.05)


def test_one_other_door_alone_is_nobodys_prior(store: NormsStore) -> None:
    store.take(SIDE, told(3.0), NOW)
    assert prior_for(FRONT, OFFICE, store, NOW).kinds == {}


def test_a_door_whose_disk_was_replaced_gets_its_own_history_back(store: NormsStore) -> None:
    store.take(FRONT, told(7.0), NOW - timedelta(days=100))
    assert seconds_in(prior_for(FRONT, OFFICE, store, NOW).kinds)[1] == pytest.approx(7.0, rel=0.05)


def test_what_was_told_more_than_a_year_ago_no_longer_counts(store: NormsStore) -> None:
    store.take(FRONT, told(7.0), NOW - timedelta(days=366))
    assert prior_for(FRONT, OFFICE, store, NOW).kinds == {}


def test_a_busy_door_does_not_drown_the_others() -> None:
    prior = merged([[{"dwell": sketch(3.0, 1e6)}], [{"dwell": sketch(12.0, 1000.0)}]])
    whole = Sketch.decode(prior.kinds["dwell"])
    assert whole.total == pytest.approx(2000.0)
    assert sum(whole.weights[whole.scale.bin_of(10.0) :]) == pytest.approx(1000.0)


def test_months_of_a_door_weigh_alike() -> None:
    prior = merged([[{"dwell": sketch(3.0, 900.0)}, {"dwell": sketch(12.0, 300.0)}]])
    whole = Sketch.decode(prior.kinds["dwell"])
    assert whole.total == pytest.approx(900.0)
    assert sum(whole.weights[whole.scale.bin_of(10.0) :]) == pytest.approx(450.0)


def test_of_a_year_of_days_one_in_four_weeks_counts() -> None:
    history = [told(3.0, made=NOW + timedelta(days=day)) for day in range(365)]
    assert [each.made for each in by_month(history)] == [NOW + timedelta(days=364 - 28 * month) for month in range(14)]


def test_kinds_that_are_unknown_emotional_or_counted_otherwise_are_left_out() -> None:
    kinds = {"dwell": Sparse(scale_of("m/s"), 0, (1.0,)), "unheard_of": sketch(1.0).encode(),
             "stress_signs": Sparse(scale_of("index"), 3, (1.0,)), "running": sketch(1.0).encode()}  # fmt: skip
    door = DoorNorms(made=NOW, place="", visits=1, kinds=msgspec.Raw(msgspec.json.encode(kinds)))
    assert set(kinds_in(door)) == {"running"}


# -- on the wire ---------------------------------------------------------------------------------------------------------------


class FixedClock:
    def mono_s(self) -> float:
        return 0.0

    def wall(self) -> datetime:
        return NOW


class Wire:
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes, bool]] = []

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        self.said.append((topic, payload, retain))

    def subscribe(self, *topics: str) -> None:
        pass


def state(norms: DoorNorms) -> bytes:
    return msgspec.json.encode({"value": norms, "at": NOW})


def test_a_door_that_tells_is_told_once_a_day_and_takes_it(store: NormsStore) -> None:
    desk, wire = NormsDesk(store, KEY, FixedClock(), dict.fromkeys(OFFICE, "office")), Wire()
    desk.turn(wire, 0.0)  # type: ignore[arg-type]
    for door, seconds in ((SIDE, 3.0), (BACK, 12.0)):
        desk.message(f"doorward/hq/{door.door}/state/norms", state(told(seconds)), True)
    assert wire.said == []
    for now_s in (60.0, 120.0, TELL_EVERY_S):
        desk.turn(wire, now_s)  # type: ignore[arg-type]
    assert [(topic, retain) for topic, _, retain in wire.said] == [
        (f"doorward/hq/{name}/norms/prior", True) for name in ("back", "front", "side")
    ]
    word: CentreWord = checked_word(wire.said[1][1], KEY.verify_key, "hq", "front")
    assert word.doors == 2
    norms = Norms()
    norms.prior(msgspec.json.decode(word.kinds, type=dict[str, Sparse]))
    usual, _ = norms.judge("dwell", 3.0, Moment(NOW))
    assert usual is not None
    assert usual.of == "similar_doors"


def test_who_withdraws_is_told_of_to_every_door_at_once_whatever_its_kind(store: NormsStore) -> None:
    store.take(DOCK, told(3.0), NOW)
    gone: list[str] = []
    desk, wire = NormsDesk(store, KEY, FixedClock(), {FRONT: "office"}, lambda: gone), Wire()
    desk.turn(wire, 0.0)  # type: ignore[arg-type]
    gone.append("cardholder-17")
    desk.turn(wire, 1.0)  # type: ignore[arg-type]
    desk.turn(wire, 2.0)  # type: ignore[arg-type]
    words = [checked_word(payload, KEY.verify_key, "hq", topic.split("/")[2]) for topic, payload, _ in wire.said]
    assert [(word.door, word.withdrawn) for word in words] == [("dock", ("cardholder-17",)), ("front", ("cardholder-17",))]


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", state(told(3.0))[:-1], b" " * (MOST_BYTES + 1), state(DoorNorms(
    made=NOW, place="", visits=1, kinds=msgspec.Raw(b'{"dwell": [[0.2, 3600, false], 0, [-1]]}'))),
    state(DoorNorms(made=NOW, place="", visits=1, kinds=msgspec.Raw(b'{"dwell": 3}')))])  # fmt: skip
def test_what_is_no_norms_is_counted_and_left(store: NormsStore, payload: bytes) -> None:
    desk = NormsDesk(store, KEY, FixedClock(), {})
    desk.message("doorward/hq/front/state/norms", payload, False)
    assert (desk.unreadable, store.doors()) == (1, [])


def test_norms_that_are_too_long_are_refused() -> None:
    with pytest.raises(WireError, match="at most"):
        told_in(b" " * (MOST_BYTES + 1))
