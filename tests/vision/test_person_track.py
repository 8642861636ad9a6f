"""Who is which body: through pillars, past each other, with and without faces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.vision.faces import Face
from agent.vision.looks import Seen
from agent.vision.person_track import BodySettings, BodyStage, PersonTracker, Sighting, Stance, link, stance_of, torso_colours
from agent.vision.persons import POINTS, Person, person_of
from agent.vision.track import Picture, Track
from tests.vision.test_persons import STANDING

SEARCH_S = 0.2
RED, BLUE, GREEN = (np.eye(24, dtype=np.float32)[i] for i in range(3))


def body(x: float, y: float = 200.0, size: float = 2.0, only: range = range(POINTS)) -> Person:
    scores = np.zeros(POINTS, np.float32)
    scores[list(only)] = 0.9
    return person_of((STANDING * size + (x, y)).astype(np.float32), scores, 0.3)


def wearing(colours: np.ndarray | None, *where: float, **how: float) -> Sighting:
    return Sighting(body(*where, **how), colours)


def face_of(id_: int, x: float, now_s: float, y: float = 200.0, size: float = 2.0, known: bool = True) -> Track:
    """The face track of a body at a place."""
    box = (x - 10 * size, y - 72 * size, 20 * size, 20 * size)
    track = Track(id_, Face(box, 0.9, np.zeros((6, 2), np.float32)), 0.0, now_s, confirmed=known)
    if known:
        track.take(Picture(now_s, RED, 0.9), 1)
    return track


def ids(seen) -> list[int]:
    return [person.track for person in seen]


def walk(tracker: PersonTracker, xs: list[float | None], from_s: float = 0.0) -> list[int]:
    """One person; None where nobody is found. The ids reported."""
    told = []
    for n, x in enumerate(xs):
        told += ids(tracker.update([] if x is None else [wearing(RED, x)], [], from_s + n * SEARCH_S))
    return told


def test_a_body_is_reported_from_its_second_sighting_on_and_keeps_its_number_while_it_walks():
    assert walk(PersonTracker(), [100 + 40 * n for n in range(12)]) == [1] * 11


@pytest.mark.parametrize("speed_px", [0, 20, 60])
@pytest.mark.parametrize("hidden", [2, 3, 5])
def test_who_is_hidden_for_up_to_a_second_keeps_their_number(speed_px, hidden):
    xs = [100.0 + speed_px * n if n < 8 or n >= 8 + hidden else None for n in range(22)]
    assert set(walk(PersonTracker(), xs)) == {1}


def test_who_was_away_for_two_seconds_has_a_new_number_and_the_old_one_is_never_given_again():
    tracker = PersonTracker()
    walk(tracker, [100.0] * 4)
    assert set(walk(tracker, [100.0] * 4, from_s=3.0)) == {2}


def test_who_is_hidden_is_not_reported_for_longer_than_half_a_second():
    tracker = PersonTracker()
    walk(tracker, [100.0] * 4)
    assert ids(tracker.seen(0.6 + 0.4)) == [1]
    assert ids(tracker.seen(0.6 + 0.5)) == []


def cross(tracker: PersonTracker, step_px: float, hidden: int, clothes=(RED, BLUE)) -> tuple[list[int], list[int]]:
    """Two walk through each other, the second hidden by the first while they are near; what each was last reported as, before and after."""
    first, second = [], []
    count = round(600 / step_px)
    for n in range(-count // 2, count // 2 + 1):
        left, right = 400 + step_px * n, 410 - step_px * n
        found = [wearing(clothes[0], left)] + ([wearing(clothes[1], right)] if abs(n) > hidden else [])
        for person in tracker.update(found[:: 1 if n % 2 else -1], [], (n + count) * SEARCH_S):
            middle = person.box_px[0] + person.box_px[2] / 2
            if abs(n) > hidden + 1:
                (first if abs(middle - left) < abs(middle - right) else second).append(person.track)
    return first, second


@pytest.mark.parametrize("step_px", [12, 30, 60])
@pytest.mark.parametrize("hidden", [0, 1, 2])
def test_two_who_pass_each_other_keep_their_numbers_without_any_face(step_px, hidden):
    first, second = cross(PersonTracker(), step_px, hidden)
    assert len(set(first)) == len(set(second)) == 1
    assert set(first) != set(second)


def test_two_who_meet_and_turn_back_are_told_apart_by_what_they_wear():
    tracker, told = PersonTracker(), {}
    for n in range(24):
        gap = abs(n - 12) * 25
        found = [wearing(RED, 400 - gap)] + ([wearing(BLUE, 405 + gap)] if gap > 30 else [])
        for person in tracker.update(found, [], n * SEARCH_S):
            if gap > 60:
                told.setdefault(person.box_px[0] < 400 - 50, set()).add(person.track)
    assert all(len(numbers) == 1 for numbers in told.values())
    assert told[True] != told[False]


def test_a_body_whose_face_is_known_is_that_body_wherever_it_turns_up():
    tracker = PersonTracker()
    for n in range(5):
        now_s = n * SEARCH_S
        seen = tracker.update([wearing(RED, 100), wearing(RED, 500)], [face_of(7, 100, now_s), face_of(8, 500, now_s)], now_s)
    assert {person.face: person.track for person in seen} == {7: 1, 8: 2}
    now_s += SEARCH_S
    seen = tracker.update([wearing(RED, 100), wearing(RED, 500)], [face_of(8, 100, now_s), face_of(7, 500, now_s)], now_s)
    assert {person.face: person.track for person in seen} == {7: 1, 8: 2}
    assert [round(person.box_px[0] + person.box_px[2] / 2, -1) for person in seen] == [500, 100]


def test_a_face_that_no_picture_confirms_changes_no_bodys_face():
    tracker = PersonTracker()
    for n in range(4):
        now_s = n * SEARCH_S
        tracker.update([wearing(RED, 100), wearing(BLUE, 400)], [face_of(7, 100, now_s), face_of(8, 400, now_s)], now_s)
    now_s += SEARCH_S
    seen = tracker.update([wearing(RED, 110)], [face_of(8, 110, now_s, known=False)], now_s)
    assert {person.track: person.face for person in seen} == {1: 7, 2: 8}


def test_between_searches_a_body_moves_with_its_face():
    tracker = PersonTracker()
    for n in range(3):
        tracker.update([wearing(RED, 100)], [face_of(7, 100, n * SEARCH_S)], n * SEARCH_S)
    [before] = tracker.seen(0.4)
    [after] = tracker.follow([face_of(7, 130, 0.46)], 0.46)
    assert after.box_px[0] - before.box_px[0] == pytest.approx(30, abs=0.01)
    assert after.seen_s == 0.46


def test_a_body_without_a_face_in_view_hints_where_to_look_for_one():
    tracker = PersonTracker()
    for n in range(3):
        now_s = n * SEARCH_S
        tracker.update([wearing(RED, 100), wearing(BLUE, 400)], [face_of(7, 100, now_s)], now_s)
    tracker.follow([face_of(7, 110, 0.46)], 0.46)
    [box] = tracker.faceless(0.46)
    assert box[0] < 400 < box[0] + box[2]
    tracker.follow([], 0.52)
    assert len(tracker.faceless(0.52)) == 2


def test_a_body_that_the_search_misses_is_reported_as_long_as_its_face_is_in_view():
    tracker = PersonTracker()
    for n in range(3):
        tracker.update([wearing(RED, 100)], [face_of(7, 100, n * SEARCH_S)], n * SEARCH_S)
    for n in range(3, 9):
        assert ids(tracker.update([], [face_of(7, 100, n * SEARCH_S)], n * SEARCH_S)) == [1]


def test_a_face_goes_to_the_body_whose_head_is_in_it_and_to_one_only():
    sightings = [wearing(None, 100), wearing(None, 125), wearing(None, 400, only=range(5, POINTS))]
    faces = [face_of(1, 125, 0.0), face_of(2, 400, 0.0)]
    assert [face.id if face else None for face in link(sightings, faces, 0.3)] == [None, 1, None]


def test_a_close_call_makes_a_number_less_sure_and_a_known_face_makes_it_certain_again():
    tracker = PersonTracker()
    for n in range(4):
        tracker.update([wearing(RED, 300), wearing(RED, 600)], [face_of(7, 300, n * SEARCH_S)], n * SEARCH_S)
    assert all(person.identity == 1 for person in tracker.seen(3 * SEARCH_S))
    for n in range(4, 8):
        seen = tracker.update([wearing(RED, 430), wearing(RED, 450)], [], n * SEARCH_S)
    assert all(person.identity < 0.9 for person in seen)
    seen = tracker.update([wearing(RED, 430), wearing(RED, 470)], [face_of(7, 430, 1.6)], 1.6)
    assert {person.face: person.identity == 1 for person in seen} == {7: True, None: False}


def test_a_second_sighting_of_the_same_body_begins_no_track():
    tracker = PersonTracker()
    for n in range(4):
        tracker.update([wearing(RED, 100), wearing(RED, 104, only=range(5, POINTS))], [], n * SEARCH_S)
    assert len(tracker.live()) == 1


def test_red_clothes_are_unlike_blue_ones_in_any_light_and_like_themselves():
    def dressed(colour: tuple[int, int, int]) -> np.ndarray:
        frame = np.full((480, 640, 3), 120, np.uint8)
        frame[60:260, 60:140] = colour
        return torso_colours(frame, body(100), 0.3)

    red, dim, blue = dressed((40, 40, 200)), dressed((36, 36, 180)), dressed((200, 60, 40))
    likeness = [float(np.sqrt(red * other).sum()) for other in (red, dim, blue)]
    assert likeness[0] == pytest.approx(1)
    assert likeness[1] > 0.6 > likeness[2]


def test_a_torso_out_of_the_frame_has_no_colours():
    frame = np.zeros((480, 640, 3), np.uint8)
    assert torso_colours(frame, body(-400), 0.3) is None
    assert torso_colours(frame, body(100, only=range(5)), 0.3) is None


class Watcher:
    """Finds one body in every frame and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, pixels: np.ndarray) -> list[Person]:
        self.asked += 1
        return [body(100)] if pixels.any() else []


def test_the_stage_looks_five_times_a_second_while_somebody_is_there_and_once_otherwise():
    for bright, most in ((0, 3), (255, 10)):
        watcher = Watcher()
        stage = BodyStage(watcher)
        for n in range(30):
            stage.take(Seen(np.full((480, 640, 3), bright, np.uint8), n / 15), [])
        assert most - 1 <= watcher.asked <= most
        assert len(stage.persons(29 / 15)) == (bright > 0)


sightings = st.lists(
    st.tuples(st.floats(-100, 900), st.floats(0, 500), st.floats(0.3, 5), st.integers(0, 3), st.booleans()), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1 / 15, 0.2, 0.7, 3.0]), sightings, st.lists(st.floats(-100, 900), max_size=3)),
        max_size=15,
    )
)
def test_whatever_is_seen_no_number_is_given_twice_and_no_face_to_two_bodies(frames):
    tracker, now_s, began = PersonTracker(), 0.0, {}
    for wait_s, found, at in frames:
        now_s += wait_s
        faces = [face_of(n, x, now_s) for n, x in enumerate(at)]
        colours = (RED, BLUE, GREEN, None)
        seen = tracker.update([wearing(colours[c], x, y=y, size=size) for x, y, size, c, _ in found], faces, now_s)
        carried = [person.face for person in seen if person.face is not None]
        assert len(carried) == len(set(carried))
        for person in seen:
            assert began.setdefault(person.track, person.first_seen_s) == person.first_seen_s
            assert person.first_seen_s <= person.seen_s <= now_s
            assert 0 <= person.identity <= 1
            assert now_s - person.seen_s <= BodySettings().shown_s
            assert all(np.isfinite(person.box_px))


# -- where a body stands -------------------------------------------------------------------------------------------------------------

FRAME_PX = (640, 480)


def sure_of(person: Person, *points: int) -> Person:
    """The same body, of which these points are sure."""
    scores = np.full(POINTS, 0.1, np.float32)
    scores[list(points)] = 0.9
    return person._replace(scores=scores)


def test_a_body_stands_below_the_middle_of_its_ankles():
    stance = stance_of(body(300, 200), FRAME_PX)
    assert stance.feet_px == pytest.approx((300.0, 340.0 + 0.17 * body(300, 200).scale_px))
    assert stance.shoulders_px == pytest.approx(72.0)
    assert stance.shoulders_at_px == pytest.approx((300.0, 110.0))


def test_one_ankle_is_enough_and_unsure_ones_are_none():
    person = body(300, 200)
    assert stance_of(sure_of(person, 5, 6, 15), FRAME_PX).feet_px[0] == pytest.approx(324.0)
    assert stance_of(sure_of(person, 5, 6), FRAME_PX).feet_px is None


@pytest.mark.parametrize(("x", "y"), [(300, 360), (300, 345), (-60, 200), (720, 200)])
def test_ankles_out_of_the_picture_say_nothing(x, y):
    """A network sets them somewhere all the same."""
    assert stance_of(body(x, y), FRAME_PX).feet_px is None


def test_ankles_as_high_as_knees_are_none():
    person = body(300, 200)
    points = person.points_px.copy()
    points[[15, 16], 1] = points[5, 1] + person.scale_px
    assert stance_of(person._replace(points_px=points), FRAME_PX).feet_px is None


def test_shoulders_of_who_is_turned_aside_do_not_say_how_far_they_are():
    person = body(300, 200)
    points = person.points_px.copy()
    points[[5, 6], 0] = (312.0, 288.0)
    stance = stance_of(person._replace(points_px=points), FRAME_PX)
    assert stance.shoulders_px is None
    assert stance.shoulders_at_px == pytest.approx((300.0, 110.0))


@given(st.integers(0, 10_000), st.floats(-300, 900), st.floats(-300, 700))
def test_whatever_a_network_says_feet_and_shoulders_are_numbers_or_nothing(seed, x, y):
    chance = np.random.default_rng(seed)
    points = chance.normal((x, y), 80, (POINTS, 2)).astype(np.float32)
    stance = stance_of(person_of(points, chance.random(POINTS).astype(np.float32), 0.3), FRAME_PX)
    numbers = [
        value for value in (stance.shoulders_px, *(stance.feet_px or ()), *(stance.shoulders_at_px or ())) if value is not None
    ]
    assert np.isfinite(numbers).all()
    assert stance.shoulders_px is None or stance.shoulders_at_px is not None


def test_where_a_body_stands_is_told_in_frames_in_which_it_was_found_and_in_no_others():
    """Feet do not move in the picture as the face does."""
    tracker, stance = PersonTracker(), Stance((300.0, 350.0), 72.0, (300.0, 110.0))
    for n in range(2):
        (seen,) = tracker.update([Sighting(body(300), RED, stance)], [face_of(1, 300, n * SEARCH_S)], n * SEARCH_S)
    assert (seen.feet_px, seen.shoulders_px, seen.shoulders_at_px) == stance
    (between,) = tracker.follow([face_of(1, 310, SEARCH_S + 0.07)], SEARCH_S + 0.07)
    assert (between.feet_px, between.shoulders_px, between.shoulders_at_px) == Stance()
    assert between.box_px != seen.box_px
