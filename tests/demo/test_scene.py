"""The scene: metres become pixels by perspective, any moment can be drawn at any time, and people look like people."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.behaviour.floor import parse_floor
from demo.catalogue import OWNER_APPROACH, Portrait
from demo.cutout import prepare
from demo.head import turn_head
from demo.people import PeopleError, fetch_people, find
from demo.scene import Scene
from demo.stage import StageOptions, floor_toml
from demo.view import View
from demo.walks import Glance, Walk, Waypoint, pass_by, stand, walk_up

pytestmark = pytest.mark.slow

SKIN, COAT, WALL = (120, 150, 210), (120, 30, 160), (90, 200, 90)


@pytest.fixture(scope="module")
def figure(tmp_path_factory) -> Portrait:
    """A drawn portrait, so that where the face is and what colour the coat has is known exactly."""
    picture = np.full((600, 400, 3), WALL, np.uint8)
    cv2.rectangle(picture, (80, 260), (320, 600), COAT, -1)
    cv2.rectangle(picture, (170, 200), (230, 280), SKIN, -1)
    cv2.ellipse(picture, (200, 150), (50, 75), 0, 0, 360, SKIN, -1)
    cv2.circle(picture, (180, 140), 7, (30, 30, 30), -1)
    cv2.circle(picture, (220, 140), 7, (30, 30, 30), -1)
    picture = np.clip(picture + np.random.default_rng(1).normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    file = tmp_path_factory.mktemp("people") / "drawn.png"
    cv2.imwrite(str(file), picture)
    outline = (
        (80, 600),
        (80, 258),
        (168, 258),
        (168, 215),
        (148, 150),
        (165, 90),
        (200, 73),
        (235, 90),
        (252, 150),
        (232, 215),
        (232, 258),
        (320, 258),
        (320, 600),
    )
    return replace(
        OWNER_APPROACH,
        name="drawn",
        file=str(file),
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        face_box_px=(150, 90, 100, 130),
        outline_px=outline,
    )


@pytest.fixture(scope="module")
def scene(figure) -> Scene:
    scene = Scene(640, 480, seed=3)
    scene.prepare(figure)
    return scene


@pytest.fixture(autouse=True)
def _empty(scene):
    scene.clear()


def width_px(scene: Scene, t_s: float) -> float:
    [seen] = scene.truth(t_s)
    return seen.face_box_px[2]


# Metres and pixels.


@pytest.mark.parametrize(("distance_m", "px"), [(1, 132), (2, 66), (3, 44)])
def test_a_face_is_as_wide_as_perspective_says(distance_m, px):
    assert View().face_px(distance_m) == pytest.approx(px, abs=0.6)


def test_at_seventy_degrees_the_field_notes_figures_come_out():
    assert [round(View(across_deg=70).face_px(distance_m)) for distance_m in (1, 2, 3)] == [69, 34, 23]


@pytest.mark.parametrize("distance_m", [1.0, 1.7, 2.5, 4.0])
def test_a_face_in_the_picture_is_as_wide_as_the_view_says(scene, figure, distance_m):
    scene.enter(stand(figure, from_s=0, until_s=1, at_m=distance_m))
    assert width_px(scene, 0.5) == pytest.approx(scene.view.face_px(distance_m), rel=0.03)


def test_the_picture_shows_skin_where_the_truth_says_that_a_face_is(scene, figure):
    for distance_m in (1.0, 2.0, 3.3):
        scene.clear()
        scene.enter(stand(figure, from_s=0, until_s=1, at_m=distance_m, x_m=0.2))
        [seen] = scene.truth(0.5)
        x, y, width, height = (round(value) for value in seen.face_box_px)
        cheek = scene.frame(0.5)[y + round(0.65 * height) : y + round(0.75 * height), x + width // 3 : x + 2 * width // 3]
        assert np.abs(cheek.reshape(-1, 3).mean(axis=0) - SKIN).max() < 25


def test_nothing_of_the_old_background_comes_along(scene, figure):
    scene.enter(stand(figure, from_s=0, until_s=1, at_m=1.2))
    changed = cv2.absdiff(scene.frame(0.5), Scene(640, 480, seed=3).frame(0.5)).max(axis=2) > 40
    greenish = np.abs(scene.frame(0.5).astype(int) - WALL).max(axis=2) < 30
    assert changed.sum() > 20000
    assert (changed & greenish).sum() < 60


# Time.


def test_any_moment_can_be_drawn_in_any_order(scene, figure):
    scene.enter(walk_up(figure, starts_s=0))
    later, earlier = scene.frame(2.0), scene.frame(1.0)
    assert np.array_equal(scene.frame(1.0), earlier)
    assert np.array_equal(scene.frame(2.0), later)
    assert not np.array_equal(earlier, later)


def test_the_same_seed_draws_the_same_picture_and_another_one_does_not(figure):
    walk = walk_up(figure, starts_s=0)
    first, again, other = (Scene(320, 240, seed, [walk]).frame(1.5) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_frame_belongs_to_the_caller(scene):
    frame = scene.frame(0.0)
    frame[:] = 0
    assert scene.frame(0.0).mean() > 50


def test_noise_is_new_in_every_frame_and_small(scene):
    one, two = (scene.frame(t_s).astype(int) for t_s in (1.0, 1.0667))
    assert 1.0 < (one - two).std() < 8.0


def test_nobody_is_there_before_and_after(scene, figure):
    scene.enter(stand(figure, from_s=1, until_s=2))
    assert [len(scene.truth(t_s)) for t_s in (0.9, 1.5, 2.1)] == [0, 1, 0]


# Walking.


def test_who_walks_up_grows_until_he_stands(scene, figure):
    scene.enter(walk_up(figure, starts_s=0, from_m=4, to_m=1, speed_m_s=1.3))
    widths = [width_px(scene, t_s) for t_s in (0.0, 0.8, 1.6, 2.1, 2.6)]
    assert widths == sorted(widths)
    assert widths[0] < 40 < 125 < widths[-1]
    assert width_px(scene, 3.5) == pytest.approx(width_px(scene, 5.0), rel=0.02)


def test_he_comes_at_the_speed_that_was_asked(figure):
    walk = walk_up(figure, starts_s=0, from_m=4, to_m=1, speed_m_s=1.3)
    assert walk.at(0.5).z_m - walk.at(1.5).z_m == pytest.approx(1.3, abs=0.01)
    assert walk.at(1.0).z_m_s == pytest.approx(-1.3, abs=0.01)


@pytest.mark.parametrize("leaves", ["through", "aside"])
def test_who_leaves_is_gone_from_the_picture_at_the_end(scene, figure, leaves):
    walk = walk_up(figure, starts_s=0, waits_s=1, leaves=leaves)
    scene.enter(walk)
    seen = scene.truth(walk.ends_s - 0.01)
    assert all(box.face_box_px[0] + box.face_box_px[2] < 0 or box.face_box_px[0] > 640 for box in seen)
    assert scene.truth(walk.ends_s + 0.01) == ()


def test_who_passes_by_crosses_the_picture_and_is_blurred_sideways(scene, figure):
    scene.enter(pass_by(figure, starts_s=0, at_m=2.0, speed_m_s=1.3))
    middle_s = scene.walks[0].ends_s / 2
    sharp = Scene(640, 480, 3, [stand(figure, from_s=0, until_s=9, at_m=2.0)])

    def edges(which: Scene, t_s: float) -> float:
        [seen] = which.truth(t_s)
        x, y, width, height = (round(value) for value in seen.face_box_px)
        return float(np.percentile(np.abs(cv2.Sobel(which.frame(t_s)[y : y + height, x : x + width], cv2.CV_32F, 1, 0)), 99))

    lefts = [scene.truth(share * scene.walks[0].ends_s)[0].face_box_px[0] for share in (0.1, 0.5, 0.9)]
    assert lefts[0] < 0 < lefts[1] < 640 < lefts[2] + 640
    assert lefts == sorted(lefts)
    assert edges(scene, middle_s) < 0.6 * edges(sharp, 1.0)


def test_a_glance_turns_the_head_and_not_the_shoulders(scene, figure):
    aside, ahead = ([sprite.pixels.copy() for sprite in prepare(figure, scene.view)] for _ in range(2))
    sprite = prepare(figure, scene.view)[0]
    turn_head(sprite, 20.0, aside[0])
    turn_head(sprite, 0.0, ahead[0])
    moved = cv2.absdiff(aside[0], ahead[0]).max(axis=2) > 12
    x, y, width, height = (round(value) for value in sprite.face_box_px)
    assert moved[y : y + height, x : x + width].mean() > 0.03
    assert not moved[y + round(height + 0.5 * width) :].any()


@pytest.mark.parametrize("yaw_deg", [-20.0, 20.0])
def test_the_face_moves_to_the_side_it_turns_to(scene, figure, yaw_deg):
    sprite = prepare(figure, scene.view)[0]
    turned = sprite.pixels.copy()
    turn_head(sprite, yaw_deg, turned)

    def eyes_px(pixels: np.ndarray) -> float:
        x, y, width, height = (round(value) for value in sprite.face_box_px)
        dark = (pixels[y : y + height, x : x + width, :3].max(axis=2) < 70) & (pixels[y : y + height, x : x + width, 3] < 20)
        return float(np.nonzero(dark)[1].mean())

    assert np.sign(eyes_px(turned) - eyes_px(sprite.pixels)) == np.sign(yaw_deg)


def test_a_glance_is_in_the_truth_only_while_it_lasts(scene, figure):
    scene.enter(stand(figure, from_s=0, until_s=9, glances=(Glance(2.0, 1.0, 20.0),)))
    assert scene.truth(2.5)[0].yaw_deg == pytest.approx(20.0)
    assert abs(scene.truth(1.5)[0].yaw_deg) < 5
    assert abs(scene.truth(3.5)[0].yaw_deg) < 5


@given(t_s=st.floats(-5, 30), speed_m_s=st.floats(0.3, 3), from_m=st.floats(1.5, 8))
@settings(max_examples=50, deadline=None)
def test_nobody_jumps(figure, t_s, speed_m_s, from_m):
    walk = walk_up(figure, starts_s=0, from_m=from_m, speed_m_s=speed_m_s)
    here, next_frame = walk.at(t_s), walk.at(t_s + 1 / 30)
    if here is not None and next_frame is not None:
        assert abs(here.z_m - next_frame.z_m) <= speed_m_s / 30 + 1e-6
        assert abs(here.bob_m) <= 0.02
        assert abs(here.yaw_deg) <= 10


# Several people, and a photograph.


def test_the_nearer_one_covers_the_one_behind(scene, figure):
    near = stand(figure, from_s=0, until_s=1, at_m=1.0)
    for walks in (
        [near],
        [near, stand(figure, from_s=0, until_s=1, at_m=3.0)],
        [stand(figure, from_s=0, until_s=1, at_m=3.0), near],
    ):
        scene.clear()
        for walk in walks:
            scene.enter(walk)
        [*_, seen] = scene.truth(0.5)
        x, y, width, height = (round(value) for value in seen.face_box_px)
        face = scene.frame(0.5)[y + height // 4 : y + height, x + width // 4 : x + 3 * width // 4]
        if len(walks) == 1:
            alone = face.copy()
        assert np.array_equal(face, alone)
    assert [round(seen.distance_m) for seen in scene.truth(0.5)] == [3, 1]


def test_a_photograph_held_up_hides_the_holders_face(scene, figure):
    scene.enter(stand(figure, from_s=0, until_s=1, at_m=1.2, holds_up=figure))
    [seen] = scene.truth(0.5)
    x, y, width, height = (round(value) for value in seen.face_box_px)
    frame = scene.frame(0.5)
    corner = frame[y - height // 8 : y, x - width // 8 : x + width // 8].reshape(-1, 3).mean(axis=0)
    assert np.abs(corner - WALL).max() < 45, "the print shows the photograph's own background"


def test_people_far_outside_the_picture_change_nothing(scene, figure):
    empty = scene.frame(0.5)
    scene.enter(Walk(portrait=figure, path=(Waypoint(0, 30, 2), Waypoint(1, 30, 2))))
    assert np.array_equal(scene.frame(0.5), empty)


def test_who_has_come_past_the_camera_is_not_drawn(scene, figure):
    empty = scene.frame(0.5)
    scene.enter(Walk(portrait=figure, path=(Waypoint(0, 0, 0.1), Waypoint(1, 0, 0.1))))
    assert np.array_equal(scene.frame(0.5), empty)


# What is missing.


def test_a_picture_that_was_not_fetched_is_named_with_its_mend(scene):
    with pytest.raises(PeopleError, match=r"absent\.jpg.*python -m demo\.people"):
        scene.enter(stand(replace(OWNER_APPROACH, file="/absent.jpg"), from_s=0, until_s=1))


def test_a_portrait_without_an_outline_cannot_walk(scene, figure):
    with pytest.raises(PeopleError, match="has no outline"):
        scene.enter(stand(replace(figure, outline_px=()), from_s=0, until_s=1))


@pytest.mark.system
@pytest.mark.parametrize("role", ["owner", "stranger", "visitor", "colleague"])
def test_each_real_person_is_cut_out_whole(role):
    """The face is all there, the photograph's corners beside the head are all gone."""
    portrait = find(fetch_people(progress=lambda _: None), role)
    assert Path(portrait.file).is_file()
    sprite = prepare(portrait, View())[0]
    x, y, width, height = (round(value) for value in sprite.face_box_px)
    middle = sprite.pixels[y + height // 4 : y + 3 * height // 4, x + width // 4 : x + 3 * width // 4, 3]
    beside = sprite.pixels[max(0, y - height // 4) : y + height // 2, max(0, x - width) : x - round(0.6 * width), 3]
    assert middle.max() == 0
    assert beside.size == 0 or beside.mean() > 250


# The floor that the demo's installer marked.


@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
def test_the_demos_floor_is_marked_where_its_camera_truly_is(size):
    plan = parse_floor(floor_toml(StageOptions(no_linger_s=15.0, width_px=size[0], height_px=size[1])), "floor.toml")
    assert plan.ground.kind == "measured"
    view = View(width_px=size[0], height_px=size[1])
    for x_m, z_m in ((0.0, 1.0), (-0.5, 2.0), (0.6, 3.5)):
        assert plan.ground.to_px((x_m, z_m), 1.5) == pytest.approx(view.project(x_m, 1.5, z_m), abs=3)
    assert {zone.name: zone.no_linger_s for zone in plan.zones} == {"threshold": 15.0, "approach": 15.0, "public": None}
