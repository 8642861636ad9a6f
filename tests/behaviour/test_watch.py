"""The watcher: what people do, held against what is usual here."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.behaviour.floor import default_plan
from agent.behaviour.ground import assumed_ground
from agent.behaviour.norms import Norms
from agent.behaviour.watch import Watcher, WatchSettings
from agent.core.conduct import Conduct, DoorNews, Evidence
from agent.core.evidence import KINDS
from agent.core.messages import Attention, Expression, FaceSeen, Gaze, HeadPose, Observation
from demo.view import View

VIEW = View()
MONDAY = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
LOOKS_AT_DOOR, LOOKS_BACK = (
    Attention(
        head=HeadPose(yaw_deg=yaw_deg, pitch_deg=0, roll_deg=0, confidence=0.9),
        gaze=Gaze(yaw_deg=yaw_deg, pitch_deg=0, confidence=0.8), away=yaw_deg > 0, eyes_open=1.0,
    )
    for yaw_deg in (0.0, 55.0)
)  # fmt: skip
GRIM = Expression(probabilities=(0.02, 0.0, 0.03, 0.9, 0.03, 0.01, 0.01), confidence=0.9)


def a_watcher(**more: Any) -> Watcher:
    plan = default_plan(assumed_ground((640, 480), VIEW.across_deg, VIEW.above_floor_m, VIEW.tilt_deg))
    return Watcher(plan, Norms(emotional=more.get("emotional", False)), WatchSettings(**more))


def a_face(
    away_m: float, *, away: bool = False, track: int = 1, x_m: float = 0.0, expression: Expression | None = None
) -> FaceSeen:
    x, y = VIEW.project(x_m, 1.6, away_m)
    wide = VIEW.face_px(away_m)
    return FaceSeen(track=track, box_px=(x - wide / 2, y - wide / 2, wide, wide), score=0.9, quality=0.9, first_seen_s=0.0,
                    attention=LOOKS_BACK if away else LOOKS_AT_DOOR, expression=expression)  # fmt: skip


def frame(at_s: float, *faces: FaceSeen) -> Observation:
    return Observation(frame=0, taken_s=at_s, frame_px=(640, 480), faces=faces, embedder_id="", engine="", chain_ms=0.0)


def visit(
    from_s: float, stays_s: float = 3.0, glances_s: tuple[float, ...] = (), speed_m_s: float = 1.3, **more: Any
) -> Iterator[Observation]:
    """Somebody walks up to a metre from the door and stays; looks over the shoulder for a second at each of these times."""
    for i in range(int(15 * (3.0 / speed_m_s + stays_s))):
        at_s = i / 15
        away = any(glance_s <= at_s < glance_s + 1.0 for glance_s in glances_s)
        yield frame(from_s + at_s, a_face(max(1.0, 4.0 - speed_m_s * at_s), away=away, **more))


def last(watcher: Watcher, observations: Iterator[Observation], wall: datetime = MONDAY) -> Conduct:
    """What was told of the last of these frames that anything was told of."""
    told = [watcher.see(observation, wall) for observation in observations]
    return next(conduct for conduct in reversed(told) if conduct is not None)


def of(conduct: Conduct, kind: str) -> Evidence:
    return next(each for person in conduct.persons for each in person.evidence if each.kind == kind)


def test_conduct_is_told_five_times_a_second_and_not_with_every_frame() -> None:
    watcher = a_watcher()
    told = [watcher.see(observation, MONDAY) for observation in visit(0.0)]
    assert 0.25 < sum(conduct is not None for conduct in told) / len(told) < 0.4


def test_news_of_the_door_is_answered_with_the_next_frame() -> None:
    watcher = a_watcher()
    observations = list(visit(0.0))
    quiet = next(
        number for number, observation in enumerate(observations) if number > 9 and watcher.see(observation, MONDAY) is None
    )
    watcher.news(DoorNews(at_s=observations[quiet].taken_s, what="opened"))
    assert watcher.see(observations[quiet + 1], MONDAY) is not None


def test_whoever_looks_over_the_shoulder_five_times_is_told_with_the_times_and_the_side() -> None:
    glances = of(last(a_watcher(), visit(0.0, 16.0, (3.0, 6.0, 9.0, 12.0, 15.0))), "glances")
    assert glances.value == 5
    assert glances.detail == "5 right"
    assert glances.p is not None
    assert glances.p < 0.05


def test_whoever_walks_up_and_waits_a_moment_does_nothing_odd() -> None:
    conduct = last(a_watcher(), visit(0.0))
    odd = [each for each in conduct.persons[0].evidence if each.p is None or each.p < 0.05]
    assert odd == []


def test_what_everybody_does_here_becomes_usual_here() -> None:
    watcher = a_watcher()
    before = of(last(watcher, visit(0.0, 12.0, (3.0, 6.0, 9.0))), "glances").p
    rng = random.Random(4)
    for day in range(25):
        from_s = 1000.0 * (day + 1)
        glances = tuple(3.0 + 3.0 * number for number in range(rng.choice((2, 3, 4))))
        last(watcher, visit(from_s, 14.0, glances), MONDAY + timedelta(days=day))
        watcher.see(frame(from_s + 30.0), MONDAY + timedelta(days=day))
    after = of(last(watcher, visit(90_000.0, 12.0, (3.0, 6.0, 9.0)), MONDAY + timedelta(days=26)), "glances")
    assert after.usual is not None
    assert after.usual.high >= 3
    assert before is not None
    assert after.p is not None
    assert after.p > 2 * before


def test_whoever_was_refused_teaches_the_door_nothing() -> None:
    watcher = a_watcher()
    for number in range(20):
        from_s = 100.0 * number
        watched = visit(from_s, 12.0, (3.0, 6.0, 9.0))
        watcher.see(next(watched), MONDAY)
        watcher.news(DoorNews(at_s=from_s, what="denied", credential="x", face=1))
        last(watcher, watched)
        watcher.see(frame(from_s + 60.0), MONDAY)
    assert watcher.norms.visits == 0


def test_nothing_emotional_is_measured_unless_it_may_be() -> None:
    kinds = {each.kind for each in last(a_watcher(), visit(0.0, 12.0, expression=GRIM)).persons[0].evidence}
    assert not {kind for kind in kinds if KINDS[kind].emotional}
    allowed = last(a_watcher(emotional=True), visit(0.0, 12.0, expression=GRIM))
    assert of(allowed, "stress_signs").value > 0.0


def test_after_the_camera_was_moved_nothing_is_told_in_metres() -> None:
    watcher = a_watcher()
    watcher.floor = "moved"
    conduct = last(watcher, visit(0.0))
    person = conduct.persons[0]
    assert (conduct.floor, person.at_m, person.speed_m_s, person.zone) == ("moved", None, None, "")
    assert not {each.kind for each in person.evidence} & {"speed", "dwell", "abruptness", "pacing", "running"}


def test_people_are_counted_by_zone_and_the_way_over_the_line_at_the_door() -> None:
    watcher = a_watcher()
    near, far = a_face(1.0, track=1), a_face(2.5, track=2, x_m=0.5)
    for number in range(15):
        watcher.see(frame(number / 15, near, far), MONDAY)
    both = last(watcher, iter([frame(1.2 + number / 15, near, far) for number in range(4)]))
    assert both.in_zones == {"threshold": 1, "approach": 1}
    walks_in = [frame(2.0 + number / 15, a_face(max(0.2, 1.0 - 0.08 * number), track=1)) for number in range(24)]
    gone = last(watcher, iter([*walks_in, *(frame(6.0 + number / 15) for number in range(40))]))
    assert gone.in_zones == {}
    assert gone.crossed == {"door": (1, 0)}


def test_a_fact_about_several_people_is_told_once() -> None:
    watcher = a_watcher()
    conduct = None
    for number in range(15 * 40):
        at_s = number / 15
        conduct = watcher.see(frame(at_s, a_face(1.0, track=1), a_face(1.2, track=2, x_m=0.4)), MONDAY) or conduct
    assert conduct is not None
    told = [each.kind for each in conduct.scene] + [each.kind for person in conduct.persons for each in person.evidence]
    assert told.count("crowding") <= 1


odd_number = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(st.tuples(odd_number, odd_number, odd_number, odd_number), max_size=12), st.lists(odd_number, max_size=6))
@settings(max_examples=60, deadline=None)
def test_no_numbers_of_an_observation_make_it_raise(boxes: list[tuple[float, float, float, float]], times: list[float]) -> None:
    watcher = a_watcher()
    for at_s in [*times, 1.0, 1.1, 1.2]:
        faces = tuple(
            FaceSeen(track=number, box_px=box, score=0.5, quality=0.5, first_seen_s=at_s) for number, box in enumerate(boxes)
        )
        watcher.see(frame(at_s, *faces), MONDAY)
