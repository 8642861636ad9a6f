"""Four points of the floor say where the camera hangs, or why they do not."""

from __future__ import annotations

from math import hypot

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agent.behaviour.ground import camera_at
from agent.behaviour.marking import solve
from agent.errors import ConfigError
from demo.view import View
from tests.behaviour.floors import DOOR, FAR_PLACES, FRAME_PX, HIGH, NEAR_PLACES, marked, seen

SIX = (*NEAR_PLACES, (0.0, 3.0), (0.3, 5.0))


def refusal(marks: list, across_deg: float | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        solve(marks, FRAME_PX, across_deg)
    return str(caught.value)


@pytest.mark.parametrize(("view", "places"), [(DOOR, FAR_PLACES), (HIGH, NEAR_PLACES)])
@pytest.mark.parametrize("across_deg", [None, "known"])
def test_four_points_tell_height_tilt_and_lens(view, places, across_deg):
    found = solve(marked(view, places), FRAME_PX, view.across_deg if across_deg else None)
    assert found.height_m == pytest.approx(view.above_floor_m, abs=0.02)
    assert found.tilt_deg == pytest.approx(view.tilt_deg, abs=0.2)
    assert found.across_deg == pytest.approx(view.across_deg, abs=0.5)
    assert found.residual_cm < 1.0
    assert found.ground.kind == "measured"


@pytest.mark.parametrize(("view", "places"), [(DOOR, FAR_PLACES), (HIGH, NEAR_PLACES)])
def test_points_read_to_two_pixels_give_places_to_a_few_centimetres(view, places):
    off = []
    for seed in range(25):
        marks = [((min(max(px[0], 0), 640), min(max(px[1], 0), 480)), m) for px, m in marked(view, places, 2.0, seed)]
        ground = solve(marks, FRAME_PX).ground
        for at_m in ((0.0, (places[0][1] + places[2][1]) / 2), (0.4, places[0][1] + 0.3)):
            found = ground.foot(seen(view, at_m))
            off.append(hypot(found.x_m - at_m[0], found.y_m - at_m[1]))
    assert sorted(off)[len(off) // 2] < 0.08
    assert max(off) < 0.35


@given(st.floats(45, 95), st.floats(1.8, 3.5), st.floats(18, 50), st.floats(-25, 25), st.integers(0, 1000))
def test_any_camera_that_sees_its_marks_is_found_within_its_own_noise(across, height, tilt, pan, seed):
    camera = camera_at(FRAME_PX, across, (0.2, 0.1, height), tilt, pan)
    corners = [camera.on_floor(px) for px in ((150.0, 200.0), (500.0, 210.0), (520.0, 430.0), (110.0, 440.0), (320.0, 320.0))]
    assume(all(at is not None and hypot(*at) < 9 for at in corners))
    noise = [0.7 * ((seed * (n + 3) * 7919) % 13 / 6 - 1) for n in range(10)]
    pixels = [camera.to_px((*at, 0.0)) for at in corners]
    marks = [
        ((px[0] + noise[2 * n], px[1] + noise[2 * n + 1]), at) for n, (px, at) in enumerate(zip(pixels, corners, strict=True))
    ]
    ground = solve(marks, FRAME_PX).ground
    middle = camera.on_floor((320.0, 300.0))
    found = ground.foot((320.0, 300.0))
    assert hypot(found.x_m - middle[0], found.y_m - middle[1]) <= max(3 * found.sigma_m, 0.02)
    again = ground.to_px(middle)
    assert again == pytest.approx((320.0, 300.0), abs=6.0)


def test_more_points_make_it_surer():
    four, six = (solve(marked(HIGH, places), FRAME_PX).ground for places in (NEAR_PLACES, SIX))
    box = (300.0, 100.0, 40.0, 40.0)
    assert six.face(box).sigma_m < four.face(box).sigma_m


def test_points_on_one_line_are_refused_and_named():
    line = [(-1.0, 2.0), (0.0, 2.02), (1.0, 2.0), (0.5, 4.0)]
    assert "points 1, 2 and 3 lie nearly on one line (within 2 cm" in refusal(marked(HIGH, line))
    all_in_one = [(-1.0, 2.0), (-0.3, 2.05), (0.3, 2.02), (0.7, 2.04), (1.0, 2.0)]
    assert "the points lie nearly on one line" in refusal(marked(HIGH, all_in_one))


@given(st.floats(-1.2, 1.2), st.floats(2, 5), st.floats(-1, 1), st.floats(-1, 1), st.integers(3, 7))
def test_no_line_of_points_is_ever_taken_for_an_area(x, y, dx, dy, count):
    assume(hypot(dx, dy) > 0.2)
    places = [(x + dx * n / count, y + dy * n / count) for n in range(count + 1)]
    pixels = [seen(HIGH, place) for place in places]
    assume(all(0 <= px[0] <= 640 and 0 <= px[1] <= 480 for px in pixels))
    refusal(list(zip(pixels, places, strict=True)))


def test_too_few_points_points_outside_and_points_told_twice_are_refused():
    marks = marked(HIGH, NEAR_PLACES)
    assert "3 points: 4 at least are needed" in refusal(marks[:3])
    assert "0 points" in refusal([])
    assert "point 2: px [700, 100] is outside the picture, which is 640 x 480" in refusal(
        [marks[0], ((700, 100), (1, 2)), *marks[2:]]
    )
    assert "points 1 and 4 have the same px" in refusal([*marks[:3], (marks[0][0], (0.0, 3.0))])
    assert "points 1 and 4 have the same m" in refusal([*marks[:3], ((320.0, 300.0), marks[0][1])])
    assert "finite" in refusal([*marks[:3], ((320.0, float("nan")), (0.0, 3.0))])


def test_sides_that_were_confused_are_said_to_be():
    assert "mirrored" in refusal([(px, (-m[0], m[1])) for px, m in marked(HIGH, NEAR_PLACES)])


@pytest.mark.parametrize("pair", [(0, 1), (1, 2)])
def test_two_points_that_were_confused_are_named(pair):
    marks = marked(HIGH, SIX)
    a, b = pair
    marks[a], marks[b] = (marks[a][0], marks[b][1]), (marks[b][0], marks[a][1])
    assert f"were points {a + 1} and {b + 1} confused?" in refusal(marks)


def test_a_point_that_was_measured_wrong_is_named():
    marks = marked(HIGH, SIX)
    marks[3] = (marks[3][0], (marks[3][1][0] - 1.0, marks[3][1][1]))
    assert "point 4 is alone in being wrong" in refusal(marks)


def test_what_the_residual_says_grows_with_what_is_wrong():
    exact, off = marked(HIGH, SIX), marked(HIGH, SIX)
    off[4] = (off[4][0], (off[4][1][0] + 0.12, off[4][1][1]))
    right, wrong = solve(exact, FRAME_PX), solve(off, FRAME_PX)
    assert right.residual_cm < 0.5 < 2.0 < wrong.residual_cm
    assert wrong.worst == 5
    assert wrong.ground.foot((320.0, 300.0)).sigma_m > right.ground.foot((320.0, 300.0)).sigma_m


def test_a_camera_that_looks_straight_down_is_no_harm():
    view = View(across_deg=80.0, above_floor_m=3.0, tilt_deg=80.0)
    places = ((-0.8, -0.2), (0.8, -0.2), (0.8, 1.0), (-0.8, 1.0))
    ground = solve(marked(view, places), FRAME_PX).ground
    found = ground.foot(seen(view, (0.3, 0.4)))
    assert (found.x_m, found.y_m) == pytest.approx((0.3, 0.4), abs=0.03)


MARK = st.tuples(st.tuples(st.integers(0, 640), st.integers(0, 480)), st.tuples(st.integers(-4, 4), st.integers(-1, 8)))


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(MARK, min_size=4, max_size=7), st.sampled_from([None, 60.0, 10.0, 150.0]))
def test_any_points_are_a_camera_above_the_floor_or_a_refusal(marks, across_deg):
    try:
        found = solve(marks, FRAME_PX, across_deg)
    except ConfigError as error:
        found, said = None, str(error)
    assert said if found is None else found.height_m >= 0.2 and found.worst_cm <= 30


def test_twenty_wrong_points_are_refused_as_soon_as_four():
    marks = marked(HIGH, [(-1 + 0.5 * (n % 5), 2 + 0.6 * (n // 5)) for n in range(20)])
    marks[7] = (marks[7][0], (marks[7][1][0] + 2.0, marks[7][1][1]))
    assert "point 8" in refusal(marks)
