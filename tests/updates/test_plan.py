"""The state machine of a roll-out: whatever doors do, and in whatever order, it never changes more doors than it may."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from central.updates import plan
from central.updates.plan import Member, Pace, Place, Rollout, Said, step, waves_of

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
PACKAGE = 7
PACE = Pace(at_once=2, watch_min=30, silent_min=10, longest_min=60)


class House:
    """Doors that hear orders and answer as a test says, and the centre's book of them."""

    def __init__(self, count: int, shares: tuple[float, ...] = (0.4,), pace: Pace = PACE) -> None:
        self.now = NOW
        self.rollout = Rollout(package=PACKAGE, pace=pace)
        self.members = tuple(waves_of([("hq", f"door-{n}") for n in range(count)], shares))
        self.said = {member.place: Said(online=True, since=NOW) for member in self.members}
        self.serial = 0
        self.ordered: list[Place] = []

    def pass_by(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    def step(self) -> None:
        after = step(self.rollout, self.members, self.said, self.now)
        self.take(after)

    def take(self, after: plan.Step) -> None:
        serials = {}
        for place in after.order:
            self.serial += 1
            serials[place] = self.serial
            self.ordered.append(place)
        self.rollout = after.rollout
        self.members = tuple(replace(m, serial=serials.get(m.place, m.serial)) for m in after.members)

    def obeys(self, place: Place, **changes: object) -> None:
        member = self.of(place)
        number = member.before if member.state == "going_back" else PACKAGE
        self.said[place] = replace(self.said[place], **({"serial": member.serial, "number": number, "refused": ""} | changes))

    def of(self, place: Place) -> Member:
        return next(member for member in self.members if member.place == place)

    def states(self) -> list[str]:
        return [member.state for member in self.members]

    def through(self, *places: Place) -> None:
        self.step()
        for place in places:
            self.obeys(place)
        self.step()
        self.pass_by(30)
        self.step()


def places(count: int) -> list[Place]:
    return [("hq", f"door-{n}") for n in range(count)]


def test_one_door_is_first_then_a_share_then_the_rest():
    assert [member.wave for member in waves_of(places(10), (0.4,))] == [0, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    assert [member.wave for member in waves_of(places(1), (0.4,))] == [0]
    assert [member.wave for member in waves_of(places(3), (0.1, 0.5))] == [0, 1, 2]


def test_the_next_wave_waits_until_the_first_door_was_watched():
    house = House(5)
    house.step()
    assert house.states() == ["ordered", "waiting", "waiting", "waiting", "waiting"]
    house.obeys(("hq", "door-0"))
    house.step()
    house.pass_by(29)
    house.step()
    assert house.states() == ["watched", "waiting", "waiting", "waiting", "waiting"]
    house.pass_by(1)
    house.step()
    assert house.states() == ["through", "ordered", "waiting", "waiting", "waiting"]


def test_a_door_that_rolls_back_stops_everything_and_says_why():
    house = House(5)
    house.through(("hq", "door-0"))
    house.obeys(("hq", "door-1"), number=0, refused="2026.2 was rolled back: vision did not come up with it")
    house.step()
    assert house.rollout.state == "stopped"
    assert house.rollout.why == "hq/door-1: 2026.2 was rolled back: vision did not come up with it"


def test_a_door_that_falls_silent_stops_everything():
    house = House(5)
    house.step()
    house.said[("hq", "door-0")] = Said(online=False, since=house.now)
    house.pass_by(9)
    house.step()
    assert house.rollout.state == "running"
    house.pass_by(1)
    house.step()
    assert house.rollout.state == "stopped"
    assert "fell silent" in house.rollout.why


def test_a_fault_that_was_there_before_stops_nothing_and_a_new_one_does():
    house = House(2)
    house.said[("hq", "door-0")] = Said(online=True, since=NOW, faults=frozenset({"camera: dusty"}))
    house.step()
    house.obeys(("hq", "door-0"))
    house.step()
    assert house.states()[0] == "watched"
    house.said[("hq", "door-0")] = replace(house.said[("hq", "door-0")], faults=frozenset({"camera: dusty", "vision is missing"}))
    house.step()
    assert house.rollout.why == "hq/door-0: a fault that it did not have before: vision is missing"


def test_a_door_that_is_away_holds_nobody_up_and_is_ordered_when_it_is_back():
    house = House(3, (0.9,))
    house.said[("hq", "door-1")] = Said(online=False, since=NOW)
    house.through(("hq", "door-0"))
    assert house.states() == ["through", "waiting", "ordered"]
    house.obeys(("hq", "door-2"))
    house.step()
    house.pass_by(30)
    house.step()
    assert (house.states(), house.rollout.state) == (["through", "waiting", "through"], "running")
    house.said[("hq", "door-1")] = Said(online=True, since=house.now)
    house.through(("hq", "door-1"))
    house.step()
    assert (house.states(), house.rollout.state) == (["through"] * 3, "done")


def test_a_first_wave_whose_only_door_is_away_begins_nothing():
    house = House(3)
    house.said[("hq", "door-0")] = Said(online=False, since=NOW)
    for _ in range(3):
        house.pass_by(600)
        house.step()
    assert house.ordered == []


def test_who_goes_back_goes_back_to_what_was_there():
    house = House(2)
    house.said[("hq", "door-0")] = Said(online=True, since=NOW, number=4)
    house.through(("hq", "door-0"))
    house.take(plan.taken_back(house.rollout, house.members, house.now, "queues"))
    assert house.states() == ["going_back", "going_back"]
    assert house.of(("hq", "door-0")).before == 4
    house.obeys(("hq", "door-0"))
    house.step()
    assert house.states()[0] == "back"


ACTS = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from(["obey", "refuse", "fall", "rise", "fault", "heal", "wait", "try", "go_on", "stop", "back"]),
        st.floats(0, 70),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(count=st.integers(1, 8), at_once=st.integers(1, 3), shares=st.lists(st.floats(0.05, 1), max_size=3), acts=ACTS)
def test_never_more_doors_than_allowed_and_never_on_after_a_failure(
    count: int, at_once: int, shares: list[float], acts: list
) -> None:
    house = House(count, tuple(shares), replace(PACE, at_once=at_once))
    for number, act, minutes in acts:
        place = ("hq", f"door-{number % count}")
        _do(house, place, act, minutes)
        failed = "failed" in house.states()
        before = (len(house.ordered), house.rollout.state)
        house.step()
        assert sum(member.state in plan.UNDER_WAY for member in house.members) <= at_once or before[1] != "running"
        if before[1] != "running" or failed:
            assert len(house.ordered) == before[0], "ordered after a failure"
        reached = {member.wave for member in house.members if member.state != "waiting"}
        assert all(wave <= house.rollout.wave for wave in reached)
        for wave in range(min(house.rollout.wave, max(m.wave for m in house.members) + 1)):
            mine = [member for member in house.members if member.wave == wave]
            assert any(m.state != "waiting" for m in mine), "a wave was left before anybody in it had tried"
    once = step(house.rollout, house.members, house.said, house.now)
    assert not once.order or house.rollout.state == "running"


def _do(house: House, place: Place, act: str, minutes: float) -> None:
    said, member = house.said[place], house.of(place)
    if act == "obey" and member.serial and said.online:
        house.obeys(place)
    elif act == "refuse" and member.serial and said.online:
        house.obeys(place, number=said.number, refused="no")
    elif act in ("fall", "rise"):
        house.said[place] = replace(said, online=act == "rise", since=house.now)
    elif act in ("fault", "heal"):
        house.said[place] = replace(said, faults=frozenset({"camera"} if act == "fault" else ()))
    elif act == "wait":
        house.pass_by(minutes)
    elif act == "go_on" and house.rollout.state == "stopped":
        house.take(plan.gone_on(house.rollout, house.members, house.now))
    elif act == "stop" and house.rollout.state == "running":
        house.rollout = plan.stopped(house.rollout, "enough")
    elif act == "back" and minutes > 60:
        house.take(plan.taken_back(house.rollout, house.members, house.now, "back"))
