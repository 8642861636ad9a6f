"""What vision measures and what the door makes of it: where each by itself was right and both together were not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from agent.behaviour.floor import DEFAULT_ZONES, Zone, default_plan
from agent.behaviour.ground import assumed_ground
from agent.behaviour.norms import Moment, Norms
from agent.behaviour.openings import OpeningSettings, let_in, openings
from agent.behaviour.watch import Watcher
from agent.core.conduct import Conduct, DoorNews, Evidence, PersonConduct
from agent.core.messages import Observation, ReaderStatus, VisionHealth
from agent.core.risk import whose
from agent.local_socket import decode_from_vision, encode
from demo.view import View
from tests.behaviour.test_watch import MONDAY, a_face, a_watcher, frame, visit
from tests.door_under_test import OWNER_FOB, DoorUnderTest
from tests.house import FOB_ALONE, fob, house_rules, last
from tests.test_risk_at_a_door import HOLDING, LINGERS, behaves, make, owner_comes, somebody_in_view  # noqa: F401

Make = Callable[..., DoorUnderTest]
VIEW = View()


def conduct_of(watcher: Watcher, *frames: Observation, signs: tuple[str, ...] = ()) -> Conduct:
    """The last that is told of these frames, as the door reads it from the socket."""
    told = [watcher.see(each, MONDAY, camera_signs=signs) for each in frames]
    message = decode_from_vision(encode(next(conduct for conduct in reversed(told) if conduct is not None)))
    assert isinstance(message, Conduct)
    return message


# -- the camera's signs ----------------------------------------------------------------------------------------------------------


def test_the_sun_in_the_lens_calls_no_guard_and_a_coat_over_it_does(make: Make) -> None:  # noqa: F811
    for sign, band in (("dazzled", "raised"), ("covered", "high")):
        door = make()
        health = VisionHealth(at_s=door.clock.now_s, ok=False, camera="", engine="", frames_per_s=15.0, tamper=(sign,))
        door.see(health)
        watcher = a_watcher()
        door.see(conduct_of(watcher, *(frame(door.clock.now_s - 1 + i / 15) for i in range(15)), signs=(sign,)))
        door.after(0.3)
        raised = last(door, "risk.raised")
        assert (raised["about"], raised["risk"]["band"], raised["risk"]["alert"]) == ("camera_tamper", band, band == "high")


def test_a_sign_of_a_camera_whose_program_has_died_holds_nobody(make: Make) -> None:  # noqa: F811
    door = make(risk=HOLDING)
    door.see(VisionHealth(at_s=door.clock.now_s, ok=False, camera="", engine="", frames_per_s=15.0, tamper=("covered",)))
    owner_comes(door)
    assert door.kinds("access.") == ["access.held"]
    door.after(21.0)
    somebody_in_view(door)
    door.read(OWNER_FOB)
    assert door.kinds("access.")[-1] == "access.granted"


# -- zones -----------------------------------------------------------------------------------------------------------------------


def test_a_zone_is_known_by_its_kind_and_may_have_any_name() -> None:
    """Somebody stands in an approach that reaches farther than the default, and is called otherwise."""
    ramp = Zone(name="ramp", kind="approach", corners_m=((-3.0, -0.5), (3.0, -0.5), (3.0, 6.0), (-3.0, 6.0)))
    plan = default_plan(assumed_ground((640, 480), VIEW.across_deg, VIEW.above_floor_m, VIEW.tilt_deg))
    watcher = Watcher(replace(plan, zones=(ramp, DEFAULT_ZONES[-1])), Norms())
    people = [a_face(4.0, track=i + 1, x_m=0.7 * (i - 1)) for i in range(3)]
    told = conduct_of(watcher, *(frame(i / 15, *people) for i in range(75)))
    assert [person.zone for person in told.persons] == ["ramp"] * 3
    assert [each.kind for each in told.scene] == ["crowding"]


# -- who is told of --------------------------------------------------------------------------------------------------------------


def test_in_a_crowd_the_nearest_are_told_of_whoever_came_first() -> None:
    """The one at the reader came last: what the six who wait behind do is not theirs."""
    watcher = a_watcher()
    waiting = [a_face(4.0, track=i + 1, x_m=0.45 * (i - 3)) for i in range(7)]
    at_reader = a_face(1.0, track=20)
    conduct_of(watcher, *(frame(i / 15, *waiting) for i in range(30)))
    told = conduct_of(watcher, *(frame(2 + i / 15, *waiting, at_reader) for i in range(30)))
    person = whose(told, 20)
    assert person is not None
    assert person.face == 20


def test_a_read_is_not_that_of_whoever_has_just_gone_in() -> None:
    """The next one holds out a fob where no face is compared, a moment after somebody nervous went through."""
    watcher, told = a_watcher(), None
    for i in range(int(15 * 7.3)):
        t_s = i / 15
        nervous = [a_face(max(0.7, 4.0 - 1.3 * t_s), track=1, away=t_s % 1.5 < 0.9)] if t_s < 6.0 else []
        told = watcher.see(frame(t_s, *nervous, a_face(max(1.5, 6.0 - t_s), track=2, x_m=0.3)), MONDAY) or told
    assert told is not None
    person = whose(told, None)
    assert person is not None
    assert person.face == 2


# -- what teaches ----------------------------------------------------------------------------------------------------------------


def test_whoever_lingers_where_nobody_may_teaches_the_door_nothing() -> None:
    store = Zone(name="store", kind="restricted", corners_m=((-1.0, 0.5), (1.0, 0.5), (1.0, 1.5), (-1.0, 1.5)), no_linger_s=5.0)
    plan = default_plan(assumed_ground((640, 480), VIEW.across_deg, VIEW.above_floor_m, VIEW.tilt_deg))
    watcher = Watcher(replace(plan, zones=(store, *DEFAULT_ZONES)), Norms())
    told = conduct_of(watcher, *visit(0.0, stays_s=10.0))
    assert "no_linger" in [each.kind for each in told.persons[0].evidence]
    watcher.see(frame(60.0), MONDAY)
    assert watcher.norms.visits == 0


# -- strings and numbers of a vision program that lies ---------------------------------------------------------------------------


def test_words_of_any_length_reach_neither_an_event_nor_the_state(make: Make) -> None:  # noqa: F811
    door = make()
    long = "x" * 5000
    odd = [replace(each, detail=long) for each in LINGERS]
    person = PersonConduct(body=1, face=1, since_s=0.0, zone=long, at_m=(0.0, 0.8), evidence=tuple(odd), abstained=(long,) * 3)
    somebody_in_view(door)
    door.see(Conduct(at_s=door.clock.now_s, persons=(person,), norms=long))
    door.after(0.3)
    door.read(OWNER_FOB)
    door.after(2.0)  # what was said is old by now, and its edition is told all the same
    somebody_in_view(door)
    door.read(OWNER_FOB)
    assert door.kinds("access.") == ["access.granted"] * 2
    assert door.kinds("risk.raised") != []
    assert max(len(msgspec.json.encode(data)) for _, data in door.events) < 8000
    assert max(len(msgspec.json.encode(value)) for name, value in door.told.said if name == "risk") < 1000


def test_a_flood_of_evidence_or_of_people_is_refused_whole_and_counted(make: Make) -> None:  # noqa: F811
    door = make()
    behaves(door, LINGERS[0])
    flood = (Evidence(kind="dwell", value=1.0, p=0.5),) * 520
    door.see(Conduct(at_s=door.clock.now_s, persons=(PersonConduct(body=1, face=1, since_s=0.0, evidence=flood),)))
    door.see(Conduct(at_s=door.clock.now_s, persons=tuple(PersonConduct(body=i, face=i, since_s=0.0) for i in range(400))))
    assert door.loop._eyes.garbage == 2
    somebody_in_view(door)
    door.read(OWNER_FOB)
    assert [item["kind"] for item in last(door, "access.granted")["risk"]["items"]] == ["dwell"]


# -- more people than are told one by one ----------------------------------------------------------------------------------------


def test_whoever_becomes_dangerous_in_a_crowd_is_an_alert_however_many_were_folded(make: Make) -> None:  # noqa: F811
    door = make()
    for number in range(12):
        behaves(door, LINGERS[0], LINGERS[1], body=number, face=None)
        door.after(0.3)
    assert len(door.kinds("risk.raised")) == 10
    behaves(door, LINGERS[0], LINGERS[1], Evidence(kind="no_linger", value=90.0), body=11, face=None)
    door.after(0.3)
    told = last(door, "risk.raised")
    assert (told["body"], told["risk"]["alert"]) == (11, True)


# -- a door that is held open for longer -----------------------------------------------------------------------------------------


def test_whoever_needs_the_door_for_longer_slips_in_behind_nobody() -> None:
    """Let in for twenty seconds, somebody in a wheelchair opens after fourteen."""
    settings = OpeningSettings()
    news = [DoorNews(at_s=100.0, what="granted", credential="a", pulse_s=20.0), DoorNews(at_s=114.0, what="opened"),
            DoorNews(at_s=120.0, what="closed")]  # fmt: skip
    (opening,) = openings(news, settings)
    (entry,) = let_in(news, (opening,), settings)
    assert (opening.why, entry.until_s >= 120.0) == ("let_in", True)
    no_contact = [DoorNews(at_s=100.0, what="granted", credential="a", pulse_s=20.0)]
    assert openings(no_contact, settings)[0].ended_s >= 120.0


def test_the_door_tells_for_how_long_it_lets_go(make: Make) -> None:  # noqa: F811
    door = make()
    owner_comes(door)
    door.turn()
    assert [(news.what, news.pulse_s) for news in door.news if news.what == "granted"] == [("granted", 20.0)]


# -- what is usual of several people, and of reads -------------------------------------------------------------------------------


def a_door_that_knows_itself(visits: int = 400) -> Watcher:
    watcher = a_watcher()
    for number in range(visits):
        at_s, wall = 100.0 * number, MONDAY + timedelta(hours=number // 10)
        for i in range(20):
            watcher.see(frame(at_s + i / 5, a_face(3.5 - 0.5 * i / 5, track=number)), wall)
        watcher.see(frame(at_s + 30.0), wall)
    assert watcher.norms.visits == visits
    return watcher


def test_crowds_followers_and_refusals_are_judged_by_what_this_door_has_seen_of_them() -> None:
    norms, moment = a_door_that_knows_itself().norms, Moment(MONDAY + timedelta(days=2))
    for kind, value in (("crowding", 5.0), ("following", 0.4), ("denied_reads", 4.0)):
        usual, p = norms.judge(kind, value, moment)
        assert usual is not None
        assert p is not None
        assert (usual.of in ("hour", "door"), p < 0.005) == (True, True), kind


def test_who_takes_the_wrong_fob_first_and_is_let_in_then_is_an_ordinary_visit() -> None:
    watcher = a_watcher()
    for number, answers in enumerate((("denied", "granted"), ("denied", "denied"), ("granted", "denied"))):
        from_s = 100.0 * number
        frames = list(visit(from_s, 3.0))
        watcher.see(frames[0], MONDAY)
        for i, what in enumerate(answers):
            watcher.news(DoorNews(at_s=from_s + i, what=what, credential=str(i), face=1))  # type: ignore[arg-type]
        for each in frames[1:]:
            watcher.see(each, MONDAY)
        watcher.see(frame(from_s + 60.0), MONDAY)
    assert watcher.norms.visits == 1


# -- more who wait for a guard than there is room for ----------------------------------------------------------------------------


def test_people_who_wait_for_a_guard_take_nobodys_place_at_the_reader(make: Make) -> None:  # noqa: F811
    door = make(risk=HOLDING, policy=FOB_ALONE, access=house_rules(), leads={"front": "in", "side": "in"})
    door.send(ReaderStatus(reader="front", online=True, tamper=True, secure=True, detail="", at_s=door.clock.now_s))
    for reader in ("front", "side"):
        for who in ("ann", "bob", "keeper", "medic", "guest"):
            door.read(fob(who), reader)
            door.after(1.2)
    assert door.kinds("reader.fault") == []
    assert door.kinds("access.") == ["access.held"] * 10
    door.after(21.0)
    assert door.kinds("access.") == ["access.held"] * 10 + ["access.denied"] * 10
