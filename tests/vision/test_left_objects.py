"""Something left on the floor before a door, or carried off, is told; light, shadows, noise and people who stand there are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.core.messages import Box
from agent.vision.left_objects import ObjectSettings, ObjectWatch, StrangeThing
from tests.vision.rooms import HEIGHT_PX, WIDTH_PX, Change, Picture, lit, noisy

pytestmark = pytest.mark.slow

REGION = [(80.0, 120.0), (560.0, 120.0), (630.0, 355.0), (10.0, 355.0)]
LEARNED_S = 20.0
STEP_S = 0.75


def tiled(seed: int = 4) -> Picture:
    """A floor of stone tiles."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 30, (HEIGHT_PX, WIDTH_PX)).astype(np.float32), (0, 0), 1.6)
    floor = 125 + 1.6 * grain
    floor[::60] *= 0.6
    floor[:, ::75] *= 0.6
    return np.repeat(np.clip(floor, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def plain() -> Picture:
    return np.full((HEIGHT_PX, WIDTH_PX, 3), (118, 122, 125), np.uint8)


FLOORS = {"tiles": tiled(), "plain": plain()}


def with_bag(picture: Picture, x: int = 300, y: int = 220, side: int = 44, seed: int = 1) -> Picture:
    """A bag with a pattern, a dark side, and a soft shadow."""
    seen = picture.astype(np.float32)
    shadow = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(shadow, (x + side // 2, y + side), (side // 2 + 8, 9), 0, 0, 360, 1.0, -1)
    seen *= (1 - 0.45 * cv2.GaussianBlur(shadow, (0, 0), 4))[..., None]
    cloth = np.random.default_rng(seed).integers(20, 150, (6, 6, 3)).astype(np.float32)
    seen[y : y + side, x : x + side] = cv2.resize(cloth, (side, side), interpolation=cv2.INTER_NEAREST)
    seen[y + side - 12 : y + side, x : x + side] *= 0.6
    return np.clip(seen, 0, 255).astype(np.uint8)


def with_light(picture: Picture, factor: float = 1.5, soft: float = 1.0) -> Picture:
    patch = np.zeros(picture.shape[:2], np.float32)
    cv2.fillPoly(patch, [np.array([(250, 180), (400, 180), (420, 290), (230, 290)])], 1.0)
    return np.clip(picture * (1 + (factor - 1) * cv2.GaussianBlur(patch, (0, 0), soft))[..., None], 0, 255).astype(np.uint8)


class Floor:
    """A camera over a floor that has been learned."""

    def __init__(self, picture: Picture, **settings: float) -> None:
        self.watch, self.now_s, self.frames = ObjectWatch(ObjectSettings(**settings)), 1000.0, 0
        self.look(picture, LEARNED_S)

    def look(
        self, picture: Picture, for_s: float, people: list[Box] | None = None, change: Change | None = None
    ) -> list[StrangeThing]:
        """Everything that was told meanwhile; a thing once for each sample."""
        told: list[StrangeThing] = []
        for _ in range(round(for_s / STEP_S)):
            self.now_s, self.frames = self.now_s + STEP_S, self.frames + 1
            seen = noisy(change(picture) if change else picture, self.frames)
            told += self.watch.take(seen, self.now_s, people or [], REGION, [17] * len(people or []))
        return told

    def somebody(self, before: Picture, x: float = 280.0) -> list[StrangeThing]:
        """Comes, stands over the place and goes."""
        return self.look(before, 3.0, [(x, 60.0, 90.0, 230.0)])


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_bag_that_somebody_left_is_told_within_twenty_seconds_with_who_it_was(floor: str, seed: int) -> None:
    empty = FLOORS[floor]
    camera, bag = Floor(empty), with_bag(empty, seed=seed)
    began_s = camera.now_s
    assert camera.somebody(empty) == []

    told = camera.look(bag, 25.0)

    assert {(thing.what, thing.person) for thing in told} == {("left", 17)}
    assert told[0].since_s == pytest.approx(began_s + 5.0, abs=3.0)
    x, y, width, height = told[-1].box_px
    assert abs(x - 300) < 20
    assert abs(y + height - 268) < 20
    assert told[-1].foot_px == pytest.approx((x + width / 2, y + height))


@pytest.mark.parametrize("floor", FLOORS)
def test_what_stood_there_and_was_carried_off_is_told_as_taken(floor: str) -> None:
    empty = FLOORS[floor]
    camera = Floor(with_bag(empty))
    camera.somebody(with_bag(empty))
    assert {thing.what for thing in camera.look(empty, 25.0)} == {"taken"}


def test_a_bag_that_is_taken_up_again_is_over() -> None:
    camera = Floor(FLOORS["tiles"])
    camera.somebody(FLOORS["tiles"])
    assert camera.look(with_bag(FLOORS["tiles"]), 25.0)
    camera.somebody(with_bag(FLOORS["tiles"]))
    camera.look(FLOORS["tiles"], 8.0)
    assert camera.look(FLOORS["tiles"], 20.0) == []


def test_nothing_is_told_of_what_somebody_stands_beside() -> None:
    camera = Floor(FLOORS["tiles"])
    camera.somebody(FLOORS["tiles"])
    assert camera.look(with_bag(FLOORS["tiles"]), 40.0, [(345.0, 40.0, 80.0, 230.0)]) == []


def test_what_comes_where_nobody_was_seen_is_not_told() -> None:
    camera = Floor(FLOORS["tiles"])
    assert camera.look(with_bag(FLOORS["tiles"]), 40.0) == []


def test_what_has_stood_there_for_hours_is_usual() -> None:
    camera = Floor(FLOORS["tiles"], usual_s=60.0)
    camera.somebody(FLOORS["tiles"])
    assert camera.look(with_bag(FLOORS["tiles"]), 50.0)
    camera.look(with_bag(FLOORS["tiles"]), 30.0)
    assert camera.look(with_bag(FLOORS["tiles"]), 20.0) == []


LIGHTS: dict[str, Change] = {
    "a lamp less": lit(0.6),
    "a lamp more": lit(1.4),
    "another curve": lit(1.0, 1.15),
    "sun on the floor": with_light,
    "sun with a soft edge": lambda picture: with_light(picture, 1.6, 6.0),
    "a shadow": lambda picture: with_light(picture, 0.65, 3.0),
    "warmer light": lambda picture: np.clip(picture * np.array([0.9, 1.0, 1.08]), 0, 255).astype(np.uint8),
    "a lamp on one side": lambda picture: np.clip(picture * np.linspace(0.55, 1.1, WIDTH_PX)[None, :, None], 0, 255).astype(
        np.uint8
    ),
}


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("light", LIGHTS)
def test_another_light_is_no_thing(floor: str, light: str) -> None:
    camera = Floor(FLOORS[floor])
    told = camera.somebody(FLOORS[floor])
    told += camera.look(FLOORS[floor], 40.0, change=LIGHTS[light])
    told += camera.somebody(FLOORS[floor])
    assert told + camera.look(FLOORS[floor], 40.0) == []


@pytest.mark.parametrize("light", ["a lamp less", "warmer light"])
def test_a_bag_is_found_in_another_light(light: str) -> None:
    camera = Floor(FLOORS["tiles"])
    camera.somebody(FLOORS["tiles"])
    assert {thing.what for thing in camera.look(with_bag(FLOORS["tiles"]), 25.0, change=LIGHTS[light])} == {"left"}


def test_lamps_that_flicker_and_a_noisy_night_tell_of_nothing() -> None:
    rng = np.random.default_rng(5)
    camera = Floor(FLOORS["tiles"])
    camera.somebody(FLOORS["tiles"])

    def flicker(picture: Picture) -> Picture:
        return lit(float(1 + 0.04 * rng.standard_normal()))(picture)

    assert camera.look(FLOORS["tiles"], 60.0, change=flicker) == []


def test_people_who_walk_and_stand_there_leave_nothing_behind() -> None:
    rng, told = np.random.default_rng(6), []
    camera = Floor(FLOORS["tiles"])
    coat: NDArray[np.uint8] = np.random.default_rng(3).integers(20, 200, (230, 70, 3)).astype(np.uint8)
    for _ in range(200):
        x = int(260 + 15 * rng.standard_normal())
        seen = FLOORS["tiles"].copy()
        seen[60:290, x : x + 70] = coat
        found: list[Box] = [(float(x), 60.0, 70.0, 230.0)] if rng.random() < 0.85 else []
        told += camera.look(seen, STEP_S, found)
    assert told + camera.look(FLOORS["tiles"], 40.0) == []


def test_a_region_outside_the_picture_or_without_corners_tells_of_nothing() -> None:
    watch = ObjectWatch()
    for i, region in enumerate(([(-50.0, -50.0), (-10.0, -50.0), (-10.0, -10.0)], [], [(5.0, 5.0), (6.0, 5.0), (6.0, 6.0)])):
        assert watch.take(FLOORS["plain"], 10.0 * i, [], region) == ()


def test_a_clock_that_goes_back_and_another_size_begin_anew() -> None:
    camera = Floor(FLOORS["tiles"])
    camera.somebody(FLOORS["tiles"])
    assert camera.look(with_bag(FLOORS["tiles"]), 25.0)
    camera.now_s = 5.0
    assert camera.look(with_bag(FLOORS["tiles"]), 25.0) == []
    small = np.ascontiguousarray(FLOORS["tiles"][::2, ::2])
    assert camera.watch.take(small, camera.now_s + 5.0, [], REGION) == ()
