"""The installer's file: read strictly, drawn in metres or pixels, and valid for the camera as it hung."""

from __future__ import annotations

import random
from cmath import phase
from datetime import datetime, timedelta, timezone
from math import cos, pi, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.behaviour.floor import ORDER, FloorPlan, FloorValidity, MapPlace, default_plan, parse_floor
from agent.behaviour.ground import assumed_ground
from agent.behaviour.shapes import area, border_m, contains, crossing_edges, side_of
from agent.errors import ConfigError
from tests.behaviour.floors import FRAME_PX, HIGH, NEAR_PLACES, marked, seen, toml_of

ASSUMED = assumed_ground(FRAME_PX, 70.0, 2.4, 25.0)
MARKS = toml_of(marked(HIGH, NEAR_PLACES))
SQUARE = "corners_m = [[0, 1], [1, 1], [1, 2], [0, 2]]\n"


def zone(more: str = "", name: str = "meter cupboard", kind: str = "restricted", corners: str = SQUARE) -> str:
    return f'[[zones]]\nname = "{name}"\nkind = "{kind}"\n{corners}{more}'


def parsed(text: str) -> FloorPlan:
    return parse_floor(text, "floor.toml", ASSUMED)


def refusal(text: str, assumed=ASSUMED) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_floor(text, "floor.toml", assumed)
    assert str(caught.value).startswith("floor.toml: ")
    return str(caught.value)


# -- shapes ----------------------------------------------------------------------------------------------------------------------


def star(count: int, seed: int) -> list[tuple[float, float]]:
    """A polygon without crossing edges about (0, 0)."""
    chance = random.Random(seed)
    turns = sorted(chance.uniform(0, 2 * pi) for _ in range(count))
    return [(chance.uniform(0.3, 2) * cos(turn), chance.uniform(0.3, 2) * sin(turn)) for turn in turns]


def winds_around(corners, at) -> bool:
    """Point in polygon by another way: the sum of the angles under which its edges are seen."""
    total = 0.0
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        a, b = complex(x0 - at[0], y0 - at[1]), complex(x1 - at[0], y1 - at[1])
        total += phase(b / a)
    return abs(total) > pi


@given(st.integers(3, 9), st.integers(0, 10_000), st.floats(-2.2, 2.2), st.floats(-2.2, 2.2))
def test_a_point_is_in_a_zone_whose_edges_go_once_around_it(count, seed, x, y):
    corners = star(count, seed)
    if border_m(corners, (x, y)) > 1e-6 and crossing_edges(corners) is None:
        assert contains(corners, (x, y)) == winds_around(corners, (x, y))


@given(st.integers(3, 9), st.integers(0, 10_000), st.integers(0, 8))
def test_it_does_not_matter_at_which_corner_or_which_way_round_a_zone_is_told(count, seed, turn):
    corners = star(count, seed)
    other = [*corners[turn % count :], *corners[: turn % count]][::-1]
    assert area(other) == pytest.approx(area(corners))
    assert border_m(other, (0.1, 0.2)) == pytest.approx(border_m(corners, (0.1, 0.2)))
    assert (crossing_edges(other) is None) == (crossing_edges(corners) is None)


def test_a_bow_tie_and_a_folded_edge_are_found():
    assert crossing_edges([(0, 0), (1, 1), (1, 0), (0, 1)]) == (0, 2)
    assert crossing_edges([(0, 0), (2, 0), (2, 2), (1, 0)]) is not None
    assert crossing_edges([(0, 0), (1, 0), (1, 1), (0, 1)]) is None


def test_left_is_left_of_whoever_walks_along():
    assert side_of((0, 0), (0, 2), (-1, 1)) == 1
    assert side_of((0, 0), (0, 2), (1, 5)) == -1


# -- what is read ----------------------------------------------------------------------------------------------------------------


def test_a_floor_that_was_marked_has_the_usual_zones_until_others_are_drawn():
    plan = parsed(MARKS)
    assert plan.ground.kind == "measured"
    assert [zone.name for zone in plan.zones] == ["threshold", "approach", "public"]
    assert plan.zone_at((0.0, 0.8)).name == "threshold"
    assert plan.zone_at((1.5, 2.5)).name == "approach"
    assert plan.zone_at((0.0, 7.0)).kind == "public"
    assert plan.lines[0].inside_m((0.0, 0.2)) > 0 > plan.lines[0].inside_m((0.0, 0.9))


def test_zones_may_be_drawn_on_a_floor_that_is_only_assumed():
    plan = parsed(zone())
    assert plan.ground is ASSUMED
    assert plan.marking == ""
    assert [each.name for each in plan.zones] == ["meter cupboard", "public"]


def test_where_zones_overlap_the_more_guarded_one_counts_whatever_their_order():
    kinds = ("public", "approach", "threshold", "restricted")
    text = "".join(zone(name=kind if kind != "public" else "yard", kind=kind) for kind in kinds)
    plan = parsed(text)
    assert plan.zone_at((0.5, 1.5)).kind == "restricted"
    assert [each.kind for each in plan.zones] == [*ORDER, "public"]


def test_a_zone_drawn_in_the_picture_lies_where_the_picture_shows_it():
    corners = [(-0.5, 2.0), (0.5, 2.0), (0.5, 3.0), (-0.5, 3.0)]
    pixels = ", ".join(str(list(seen(HIGH, corner))) for corner in corners)
    plan = parsed(MARKS + zone(corners=f"corners_px = [{pixels}]\n"))
    for told, true in zip(plan.zones[0].corners_m, corners, strict=True):
        assert told == pytest.approx(true, abs=0.02)


def test_a_line_counts_inwards_towards_the_side_that_is_said_to_be_in():
    for inner, sign in (("[0, 0]", 1), ("[0, 3]", -1)):
        text = f'[[lines]]\nname = "gate"\nends_m = [[-1, 1], [1, 1]]\ninside_m = {inner}\n'
        assert parsed(text).lines[0].inside_m((0.0, 0.5)) == pytest.approx(0.5 * sign)


@pytest.mark.parametrize(
    ("hours", "wall", "limited"),
    [
        ('["mon-fri 22:00-06:00"]', "2026-11-23T23:00", True),  # a Monday
        ('["mon-fri 22:00-06:00"]', "2026-11-23T05:00", False),  # the night of Sunday
        ('["mon-fri 22:00-06:00"]', "2026-11-28T05:59", True),  # Friday's night
        ('["mon-fri 22:00-06:00"]', "2026-11-28T06:00", False),
        ('["sat,sun 00:00-24:00"]', "2026-11-29T12:00", True),
        ('["sat,sun 00:00-24:00"]', "2026-11-27T12:00", False),
        ('["18:00-24:00"]', "2026-11-25T23:59", True),
        ('["18:00-24:00"]', "2026-11-25T17:59", False),
        ('["fri-mon 08:00-09:00"]', "2026-11-29T08:30", True),
        ('["22:00-00:00"]', "2026-11-29T00:00", False),
    ],
)
def test_nobody_may_linger_in_the_hours_that_are_told(hours, wall, limited):
    plan = parsed(zone(f"no_linger_s = 20\nno_linger_hours = {hours}\n"))
    local = datetime.fromisoformat(wall).replace(tzinfo=timezone(timedelta(hours=1)))
    assert plan.zones[0].lingers_after_s(local) == (20.0 if limited else None)


def test_without_hours_nobody_may_linger_at_any_time():
    assert parsed(zone("no_linger_s = 20\n")).zones[0].lingers_after_s(datetime(2026, 11, 23)) == 20.0
    assert parsed(zone()).zones[0].lingers_after_s(datetime(2026, 11, 23)) is None


@pytest.mark.parametrize(
    ("bearing", "there"), [(0.0, (10.0, 22.0)), (90.0, (12.0, 20.0)), (180.0, (10.0, 18.0)), (-90.0, (8.0, 20.0))]
)
def test_a_place_before_the_door_lies_on_the_facility_map(bearing, there):
    place = MapPlace(plan="ground floor", origin=(10.0, 20.0), bearing_deg=bearing, units_per_m=2.0)
    assert place.place((0.0, 1.0)) == pytest.approx(there)
    assert place.place((0.0, 0.0)) == pytest.approx((10.0, 20.0))


def test_who_leaves_the_door_has_the_pictures_right_on_their_right_on_the_map_too():
    to_the_east = MapPlace(plan="p", origin=(0.0, 0.0), bearing_deg=90.0)
    assert to_the_east.place((1.0, 0.0)) == pytest.approx((0.0, -1.0))


# -- what is refused ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where", "allowed"),
    [
        ("zoens = 1\n", "unknown field `zoens`", "camera, frame_px"),
        (zone('colour = "red"\n'), "`$.zones[", "corners_m"),
        (zone(kind="secret"), "`$.zones[0].kind`", "'restricted'"),
        (zone(name="../etc"), "`$.zones[0].name`", "letters, digits"),
        (zone(name=""), "`$.zones[0].name`", "letters, digits"),
        (zone(name="public"), "`$.zones[0].name`", "needs another"),
        (zone() + zone(), "`$.zones[1].name`", "a name of its own"),
        (zone(corners="corners_m = [[0, 0], [1, 1]]\n"), "`$.zones[0].corners_m`", "3 to 64"),
        (zone(corners="corners_m = [[0, 0], [1, 1], [1, 0], [0, 1]]\n"), "`$.zones[0].corners_m`", "walks around"),
        (zone(corners="corners_m = [[0, 0], [0.01, 0], [0.01, 0.01]]\n"), "`$.zones[0].corners_m`", "100 cm2"),
        (zone(corners="corners_m = [[0, 0], [99, 0], [1, 1]]\n"), "`$.zones[0].corners_m[1][0]`", "50"),
        (zone(corners="corners_m = [[0, 0], [nan, 0], [1, 1]]\n"), "corners_m[1][0]", "finite"),
        (zone(corners=""), "`$.zones[0]`", "one of the two"),
        (zone(corners=SQUARE + "corners_px = [[1, 2], [3, 4], [9, 9]]\n"), "`$.zones[0]`", "one of the two"),
        (zone(corners="corners_px = [[1, 2], [3, 4], [9, 9]]\n"), "`$.zones[0].corners_px[0]`", "lower in the picture"),
        (zone(corners="corners_px = [[1, 2000], [3, 4], [9, 9]]\n"), "`$.zones[0].corners_px[0]`", "640 x 480"),
        (zone("no_linger_s = 0\n"), "`$.zones[0].no_linger_s`", ">= 1"),
        (zone('no_linger_hours = ["08:00-09:00"]\n'), "`$.zones[0].no_linger_hours`", "only then"),
        (zone('no_linger_s = 9\nno_linger_hours = ["8-9"]\n'), "`$.zones[0].no_linger_hours[0]`", '"22:00-06:00"'),
        (zone('no_linger_s = 9\nno_linger_hours = ["moon 08:00-09:00"]\n'), "no_linger_hours[0]`", '"22:00-06:00"'),
        (zone('no_linger_s = 9\nno_linger_hours = ["08:00-25:00"]\n'), "no_linger_hours[0]`", '"22:00-06:00"'),
        ('[[lines]]\nname = "a"\nends_m = [[0, 0], [1, 1]]\n', "`$.lines[0]`", "inside_m"),
        ('[[lines]]\nname = "a"\nends_m = [[0, 0], [0, 0.01]]\ninside_m = [1, 0]\n', "`$.lines[0]`", "10 cm"),
        ('[[lines]]\nname = "a"\nends_m = [[0, 0], [2, 0]]\ninside_m = [1, 0]\n', "`$.lines[0]`", "5 cm beside"),
        ('[[lines]]\nname = "a"\nends_m = [[0, 0]]\ninside_m = [1, 0]\n', "`$.lines[0].ends_m`", "length 2"),
        ("[map]\nplan = 'g'\norigin = [0, 0]\n", "missing required field `bearing_deg`", "units_per_m"),
        ("[[points]]\npx = [1, 2]\nm = [1, 2]\n", "`$.frame_px`", "width and height"),
        ("frame_px = [640, 480]\n[[points]]\npx = [1, 2]\nm = [1, 2]\n", "`$.points`", "4 at least"),
        ("frame_px = [1280, 720]\n" + zone(), "`$.frame_px`", "another shape"),
        ("[[zones\n", "not valid TOML", "line 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_what_is_allowed(text, where, allowed):
    said = refusal(text)
    assert where in said
    assert allowed in said


def test_a_file_without_points_needs_a_lens_to_assume():
    assert "four points of the floor at least" in refusal(zone(), None)


WORDS = st.sampled_from(["[[zones]]", "[map]", "name", "=", "kind", '"a"', '"public"', "[[0, 0], [1, 0], [1, 1]]", "corners_m", "\n", "1e999",
                         "inf", "[[points]]", "px", "m", "[1, 2]", "frame_px", "-3"])  # fmt: skip


@given(st.lists(WORDS, max_size=30).map(" ".join) | st.text(max_size=60))
def test_any_text_is_a_plan_or_a_refusal(text):
    try:
        zones = parsed(text).zones
    except ConfigError as error:
        said, zones = str(error), ()
        told = said.startswith("floor.toml: ")
    else:
        told = True
    assert told
    assert not zones or zones[-1].name == "public"


# -- a camera that was moved -------------------------------------------------------------------------------------------------------


def test_a_floor_stays_invalid_when_the_sign_goes_and_over_a_restart_until_it_is_marked_anew():
    first = parsed(MARKS).marking
    validity = FloorValidity(first)
    assert validity.valid
    assert not validity.take(["covered"])
    assert validity.take(["moved"]), "something new to keep"
    assert not validity.take(["moved"])
    assert not validity.take([])
    assert not validity.valid
    assert not FloorValidity(first, validity.moved).valid
    again = parsed(toml_of(marked(HIGH, NEAR_PLACES, 1.0, seed=3))).marking
    assert FloorValidity(again, validity.moved).valid


def test_drawing_zones_anew_is_no_marking_anew():
    assert parsed(MARKS).marking == parsed(MARKS + zone()).marking
    assert parsed(MARKS).marking != parsed("marked_at = 2026-11-23T15:00:00Z\n" + MARKS).marking


def test_a_floor_that_was_only_assumed_is_invalid_as_long_as_the_sign_stands():
    validity = FloorValidity("")
    assert not validity.take(["moved"]), "there is nothing to keep"
    assert not validity.valid
    validity.take([])
    assert validity.valid


def test_the_default_plan_has_a_zone_for_every_place():
    plan = default_plan(ASSUMED)
    assert {plan.zone_at((x / 2, y / 2)).name for x in range(-9, 10) for y in range(-2, 20)} == {
        "threshold",
        "approach",
        "public",
    }
