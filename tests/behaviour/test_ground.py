"""From pixels to metres: by feet, by faces, by shoulders, and never surer than it can be."""

from __future__ import annotations

import random
from itertools import pairwise
from math import hypot

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.behaviour.ground import (
    FACE_M,
    MOST_SIGMA_M,
    NO_GROUND,
    SHOULDERS_M,
    Ground,
    Locator,
    assumed_ground,
    camera_at,
    locate,
)
from agent.behaviour.marking import solve
from agent.core.messages import FaceSeen, PersonSeen
from demo.view import View
from tests.behaviour.floors import DOOR, FAR_PLACES, FRAME_PX, HIGH, NEAR_PLACES, face_box, marked, seen

GROUNDS = {"door": (DOOR, FAR_PLACES), "high": (HIGH, NEAR_PLACES)}


def ground_of(name: str) -> tuple[View, Ground]:
    view, places = GROUNDS[name]
    return view, solve(marked(view, places), FRAME_PX).ground


def a_face(view: View, at_m: tuple[float, float], track: int = 1, times: float = 1.0) -> FaceSeen:
    x, y, width, height = face_box(view, at_m)
    grown = (times - 1) * width / 2
    box = (x - grown, y - grown, width * times, height * times)
    return FaceSeen(track=track, box_px=box, score=0.9, quality=0.9, first_seen_s=0.0)


def a_person(feet: tuple[float, float] | None = None, shoulders: float | None = None,
             at: tuple[float, float] | None = None) -> PersonSeen:  # fmt: skip
    return PersonSeen(track=1, box_px=(0.0, 0.0, 10.0, 10.0), score=0.9, first_seen_s=0.0, face=1, feet_px=feet, shoulders_px=shoulders,
                      shoulders_at_px=at)  # fmt: skip


cameras = st.builds(
    camera_at, st.just(FRAME_PX), st.floats(30, 110), st.tuples(st.floats(-2, 2), st.floats(-1, 1), st.floats(1.0, 5.0)),
    st.floats(-5, 60), st.floats(-60, 60),
)  # fmt: skip


@given(cameras, st.floats(-5, 5), st.floats(-1, 12))
def test_a_place_that_is_seen_in_a_pixel_is_found_again_from_that_pixel(camera, x, y):
    px = camera.to_px((x, y, 0.0))
    assume(px is not None)
    assume(max(abs(px[0]), abs(px[1])) < 20_000)
    again = camera.on_floor(px)
    assert again == pytest.approx((x, y), abs=1e-4)


@given(cameras, st.floats(0, 640), st.floats(0, 480), st.floats(0.3, 12))
def test_a_point_at_a_depth_is_seen_in_the_pixel_that_it_was_taken_from(camera, across, down, depth):
    assert camera.to_px(camera.at_depth((across, down), depth)) == pytest.approx((across, down), abs=1e-6)


def test_the_horizon_and_what_is_above_it_is_no_floor():
    level = camera_at(FRAME_PX, 60.0, (0.0, 0.0, 1.6), 0.0)
    assert level.on_floor((320.0, 240.0)) is None
    assert level.on_floor((320.0, 100.0)) is None
    assert level.on_floor((320.0, 300.0)) is not None


@pytest.mark.parametrize("name", GROUNDS)
@pytest.mark.parametrize("at_m", [(0.0, 1.0), (0.2, 2.0), (-0.4, 3.0), (0.3, 5.0)])
def test_a_face_says_where_its_feet_are_though_nobody_sees_them(name, at_m):
    view, ground = ground_of(name)
    found = ground.face(face_box(view, at_m))
    assert (found.x_m, found.y_m) == pytest.approx(at_m, abs=0.02)
    assert 0.07 * at_m[1] <= found.sigma_m <= MOST_SIGMA_M


@pytest.mark.parametrize("name", GROUNDS)
def test_shoulders_say_it_too_and_less_surely(name):
    view, ground = ground_of(name)
    width = view.focal_px * SHOULDERS_M / view.depth_m(1.4, 2.0)
    found = ground.shoulders(seen(view, (0.3, 2.0), 1.4), width)
    assert (found.x_m, found.y_m) == pytest.approx((0.3, 2.0), abs=0.02)
    assert found.sigma_m > ground.face(face_box(view, (0.3, 2.0))).sigma_m


def test_feet_are_placed_to_a_hand_where_they_are_seen():
    view, ground = ground_of("high")
    for away in (1.8, 3.0, 5.0):
        found = ground.foot(seen(view, (0.3, away)))
        assert (found.x_m, found.y_m) == pytest.approx((0.3, away), abs=0.01)
        assert found.sigma_m < 0.2


@pytest.mark.parametrize("name", GROUNDS)
def test_most_places_lie_within_two_of_their_own_standard_deviations(name):
    """With marks read to 1 px, faces as different as people's, and boxes that jitter."""
    view, places = GROUNDS[name]
    chance, inside, told = random.Random(5), 0, 0
    for seed in range(40):
        ground = solve(marked(view, places, 1.0, seed), FRAME_PX).ground
        for away in (1.0, 2.0, 3.0):
            x, y, width, _ = face_box(view, (0.2, away))
            real = width * chance.gauss(1.0, 0.07) + chance.gauss(0, 1.0)
            found = ground.face((x + (width - real) / 2, y + (width - real) / 2, real, real))
            if found is not None:
                told += 1
                inside += hypot(found.x_m - 0.2, found.y_m - away) <= 2 * found.sigma_m
    assert told >= 110
    assert 0.9 * told <= inside


def test_what_is_not_known_well_enough_is_not_told():
    rough = assumed_ground(FRAME_PX, 70.0, 2.0, 15.0)
    view = View(across_deg=70.0, above_floor_m=2.0, tilt_deg=15.0)
    near, far = (rough.face(face_box(view, (0.0, away))) for away in (1.0, 9.0))
    assert near is not None
    assert near.sigma_m < 0.25
    assert far is None


def test_a_lens_that_was_assumed_is_told_as_such_and_trusted_less_than_one_that_was_marked():
    view, measured = ground_of("high")
    assumed = assumed_ground(FRAME_PX, view.across_deg, view.above_floor_m, view.tilt_deg)
    assert (measured.kind, assumed.kind) == ("measured", "assumed")
    box = face_box(view, (0.0, 2.0))
    assert assumed.face(box).sigma_m > measured.face(box).sigma_m


def test_a_face_on_a_poster_over_the_heads_of_people_stands_nowhere():
    view, ground = ground_of("high")
    assert ground.face(face_box(view, (0.0, 3.0), high_m=1.6)) is not None
    width = view.focal_px * FACE_M / view.depth_m(1.6, 3.0)
    assert ground.face((300.0, -400.0, width, width)) is None


@pytest.mark.parametrize("ground", [NO_GROUND, ground_of("high")[1].moved()])
def test_without_a_ground_nothing_is_told_in_metres(ground):
    assert ground.foot((320.0, 400.0)) is None
    assert ground.face((300.0, 200.0, 40.0, 40.0)) is None
    assert ground.shoulders((300.0, 200.0), 100.0) is None
    assert ground.to_px((0.0, 2.0)) is None


@given(st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0]), st.floats(-1, 1), st.floats(1.8, 5))
def test_pictures_of_another_size_show_the_same_places(times, x, y):
    view, ground = ground_of("high")
    other = ground.scaled((round(640 * times), round(480 * times)))
    px = seen(view, (x, y))
    one, two = ground.foot(px), other.foot((px[0] * times, px[1] * times))
    assert two == pytest.approx(one, abs=1e-3)


def test_pictures_of_another_shape_are_not_guessed_at():
    assert ground_of("high")[1].scaled((1280, 720)) is None


# -- several signs of one person -----------------------------------------------------------------------------------------------------


def test_a_person_is_placed_by_whatever_is_seen_of_them():
    view, ground = ground_of("high")
    at_m = (0.3, 3.0)
    shoulders = view.focal_px * SHOULDERS_M / view.depth_m(1.4, at_m[1])
    whole = a_person(seen(view, at_m), shoulders, seen(view, at_m, 1.4))
    for person, face in ((whole, a_face(view, at_m)), (whole, None), (None, a_face(view, at_m)),
                         (a_person(shoulders=shoulders, at=seen(view, at_m, 1.4)), None)):  # fmt: skip
        found = locate(ground, person, face)
        assert (found.x_m, found.y_m) == pytest.approx(at_m, abs=0.03)
    assert locate(ground, a_person(), None) is None
    assert locate(ground, None, None) is None


@pytest.mark.parametrize("times", [0.88, 1.12])
def test_whose_face_is_wider_or_narrower_is_placed_right_once_their_feet_were_seen(times):
    """And nobody leaps when the feet go out of the picture."""
    view, ground = ground_of("high")
    places = Locator(ground)
    wrong = ground.face(a_face(view, (0.0, 3.0), times=times).box_px)
    assert abs(wrong.y_m - 3.0) > 0.2
    way = []
    for n in range(60):
        at_m = (0.0, 5.0 - 0.065 * n)
        feet = seen(view, at_m) if n % 3 == 0 and at_m[1] > 1.9 else None
        found = places(a_person(feet), a_face(view, at_m, times=times))
        way.append(found.y_m - at_m[1])
    assert max(abs(off) for off in way[20:]) < 0.25
    assert max(abs(off) for off in way[40:]) < 0.12
    steps = [abs(b - a) for a, b in pairwise(way[20:])]
    assert max(steps) < 0.04


def test_feet_that_contradict_the_face_teach_nothing():
    """Another one's ankles, or a point on a bag."""
    view, ground = ground_of("high")
    places = Locator(ground)
    for _ in range(30):
        found = places(a_person(seen(view, (0.0, 4.8))), a_face(view, (0.0, 2.0)))
    assert found.y_m == pytest.approx(2.0, abs=0.05)
