"""Where bodies are: read from any numbers without harm, and from real pictures as a person would say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.vision.engine import open_engine
from agent.vision.faces import Region
from agent.vision.persons import (
    BONES,
    HEAD,
    LEFT_HIP,
    LEFT_SHOULDER,
    NOSE,
    POINTS,
    RIGHT_SHOULDER,
    STRIDE_PX,
    WALKS,
    Person,
    PersonPolicy,
    Persons,
    PersonsDue,
    PersonsSettings,
    PoseDecoder,
    joined,
    person_of,
    same_body,
    squares,
)
from demo.scene import Scene
from demo.walks import Walk, Waypoint
from models_tflite.manifest import load_manifest
from tests.vision.people import canvas_with, portrait

pytestmark = pytest.mark.slow

MANIFEST = load_manifest()
OUTPUTS = MANIFEST.model("person_pose").outputs
STANDING = np.array(
    [(0, -60), (3, -63), (-3, -63), (7.5, -62), (-7.5, -62), (18, -45), (-18, -45), (24, -20), (-24, -20), (26, 5), (-26, 5),
     (11, 5), (-11, 5), (12, 40), (-12, 40), (12, 70), (-12, 70)], np.float32)  # fmt: skip
"""A body that faces the camera, in pixels about its middle."""


@pytest.fixture(scope="module")
def persons() -> Persons:
    return Persons(open_engine("litert", 1).load(MANIFEST.model("person_pose")))


def standing(x: float, y: float) -> np.ndarray:
    return STANDING + np.array([x, y], np.float32)


def outputs_of(*bodies: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the network says when it sees these bodies (17 x 2 in its pixels) and nothing else: a disc of cells about each point."""
    heat, offsets, forward, backward = (np.full(tensor.shape, tensor.zero_point, np.int8) for tensor in OUTPUTS)
    heat[:] = -128
    for body in bodies:
        for point, place in enumerate(body):
            for row, column in cells_about(place):
                far = np.hypot(place[0] - column * STRIDE_PX, place[1] - row * STRIDE_PX)
                heat[0, row, column, point] = max(60 - int(2 * far), heat[0, row, column, point])
                write(offsets, 1, (row, column, point), POINTS, *(place - np.array([column, row]) * STRIDE_PX))
        for bone, (parent, child) in enumerate(BONES):
            for way, number, start, end in ((forward, 2, parent, child), (backward, 3, child, parent)):
                for row, column in cells_about(body[start]):
                    write(way, number, (row, column, bone), len(BONES), *(body[end] - body[start]))
    return heat, offsets, forward, backward


def cells_about(place: np.ndarray) -> list[tuple[int, int]]:
    row, column = round(float(place[1]) / STRIDE_PX), round(float(place[0]) / STRIDE_PX)
    return [(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]


def write(array: np.ndarray, number: int, at: tuple[int, int, int], half: int, x: float, y: float) -> None:
    row, column, channel = at
    for value, place in ((y, channel), (x, channel + half)):
        array[0, row, column, place] = np.clip(round(value / OUTPUTS[number].scale) + OUTPUTS[number].zero_point, -128, 127)


def test_a_body_is_read_to_within_a_step_of_the_networks_numbers():
    body = standing(120, 120)
    [pose] = PoseDecoder(OUTPUTS, PersonsSettings())(outputs_of(body))
    assert np.abs(pose.points - body).max() <= 1.2
    assert pose.scores.min() > 0.9


def test_two_bodies_side_by_side_are_two_and_each_has_its_own_limbs():
    left, right = standing(70, 120), standing(180, 125)
    poses = PoseDecoder(OUTPUTS, PersonsSettings())(outputs_of(left, right))
    assert len(poses) == 2
    poses.sort(key=lambda pose: float(pose.points[NOSE, 0]))
    assert np.abs(poses[0].points - left).max() <= 1.2
    assert np.abs(poses[1].points - right).max() <= 1.2


def test_one_body_is_found_once_whatever_point_it_is_begun_from():
    outputs = outputs_of(standing(120, 120))
    for point in range(POINTS):
        heat = outputs[0].copy()
        heat[0, ..., point] = np.where(heat[0, ..., point] > 0, 100, heat[0, ..., point])
        [pose] = PoseDecoder(OUTPUTS, PersonsSettings())((heat, *outputs[1:]))
        assert np.abs(pose.points - standing(120, 120)).max() <= 1.2


def test_from_every_point_the_tree_leads_to_every_other_once():
    for root, walk in enumerate(WALKS):
        assert sorted([root, *(target for _, _, target, _ in walk)]) == list(range(POINTS))


def test_a_lone_hand_is_no_body():
    heat, *others = outputs_of(standing(120, 120))
    heat[..., [*range(9), *range(10, POINTS)]] = -128
    assert PoseDecoder(OUTPUTS, PersonsSettings())((heat, *others)) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.001, 0.02, 0.5, 1.0]))
def test_no_numbers_whatever_make_the_decoder_fail_or_find_more_than_it_may(seed, share):
    """From a few sure cells to noise everywhere: the most that a broken accelerator could hand over."""
    chance = np.random.default_rng(seed)
    outputs = tuple(chance.integers(-128, 128, tensor.shape).astype(np.int8) for tensor in OUTPUTS)
    outputs[0][chance.random(OUTPUTS[0].shape) > share] = -128
    poses = PoseDecoder(OUTPUTS, PersonsSettings())(outputs)
    assert len(poses) <= PersonsSettings().most
    for pose in poses:
        assert np.isfinite(pose.points).all()
        assert ((pose.scores >= 0) & (pose.scores <= 1)).all()
        assert pose.score >= PersonsSettings().least_score


@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
def test_a_real_face_in_a_frame_has_its_eyes_and_nose_where_they_are(persons, size):
    pixels, (x, y, width, height) = canvas_with(portrait("owner"), 110, (300, 200), size)
    [person] = persons(pixels)
    head = person.points_px[list(HEAD[:3])]
    assert (person.scores[list(HEAD[:3])] > 0.8).all()
    assert ((head[:, 0] > x) & (head[:, 0] < x + width) & (head[:, 1] > y) & (head[:, 1] < y + height)).all()
    assert person.points_px[LEFT_SHOULDER, 0] > person.points_px[RIGHT_SHOULDER, 0]  # left is the person's own


def test_two_people_in_the_entrance_are_two_bodies_and_an_empty_entrance_has_none(persons):
    there = [
        Walk(portrait=portrait(who), path=(Waypoint(0, x, 2.2), Waypoint(1, x, 2.2)))
        for who, x in (("owner", -0.4), ("stranger", 0.4))
    ]
    scene = Scene(320, 240, 3, there)
    found = persons(scene.frame(0.5))
    assert len(found) == 2
    for seen in scene.truth(0.5):
        x, y, width, height = seen.face_box_px
        middle = np.array([x + width / 2, y + height / 2])
        assert min(float(np.hypot(*(person.points_px[NOSE] - middle))) for person in found) < width / 2
    assert persons(Scene(320, 240, 3).frame(0.5)) == []


def test_a_frame_of_any_shape_is_covered_by_its_squares():
    assert squares((640, 480), 2.0) == [Region(0, -80, 640)]
    assert squares((1280, 720), 2.0) == [Region(0, -280, 1280)]
    assert squares((1280, 480), 2.0) == [Region(0, -80, 640), Region(640, -80, 640)] or len(squares((1280, 480), 2.0)) == 1
    left, right = squares((1500, 500), 2.0)
    assert (left.x, left.side, right.x + right.side) == (0, 750, 1500)
    top, bottom = squares((500, 1500), 2.0)
    assert (top.y, bottom.y + bottom.side) == (0, 1500)


def body_at(x: float, y: float, sure: float = 0.9, only: range = range(POINTS)) -> Person:
    scores = np.zeros(POINTS, np.float32)
    scores[list(only)] = sure
    return person_of(STANDING + np.array([x, y], np.float32), scores, 0.3)


def test_a_body_that_two_squares_cut_is_joined_and_its_neighbour_is_not():
    upper, lower, other = body_at(100, 100, only=range(11)), body_at(101, 100, 0.8, range(5, POINTS)), body_at(170, 100)
    both = joined([upper, lower, other], 0.3)
    assert len(both) == 2
    assert all((person.scores >= 0.3).all() for person in both)
    assert not same_body(upper, other, 0.3)


def test_the_box_holds_the_sure_points_and_the_crown_of_the_head():
    person = body_at(100, 100, only=range(13))
    x, y, width, height = person.box_px
    assert x < 100 - 26
    assert x + width > 100 + 26
    assert y < 100 - 64
    assert 105 < y + height < 130
    assert person.points_px[LEFT_HIP, 1] < y + height


def test_the_unit_is_the_shoulders_and_hardly_changes_when_the_body_turns_aside():
    facing = body_at(100, 100)
    turned = person_of((STANDING * (0.3, 1.0) + (100, 100)).astype(np.float32), np.full(POINTS, 0.9, np.float32), 0.3)
    assert facing.scale_px == pytest.approx(36, rel=0.15)
    assert turned.scale_px == pytest.approx(facing.scale_px, rel=0.2)


def test_bodies_are_looked_for_in_every_third_frame_while_somebody_is_about_and_once_a_second_otherwise():
    for busy, looks in ((True, 10), (False, 3)):
        due = PersonsDue(PersonPolicy())
        assert sum(due(busy, n / 15) for n in range(30)) == looks


def test_a_clock_that_was_set_back_does_not_blind_the_search():
    due = PersonsDue(PersonPolicy())
    assert due(True, 1000.0)
    assert due(True, 1.0)
    assert not due(True, 1.05)
