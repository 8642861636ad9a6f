"""Draws what the demo's camera sees at any moment: the entrance, and people in it as an approaching person would be.

A frame is a pure function of time, walks and seed: sizes follow from metres by perspective, heads bob and turn, what moves is
blurred by its own speed, the picture has a sensor's noise and a lamp's flicker. The nearest person covers those behind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from demo.catalogue import Portrait
from demo.corridor import END_M, LAMPS_M, draw_corridor
from demo.cutout import FACE_BELOW_CROWN_M, Sprite, prepare
from demo.head import turn_head
from demo.held_print import prepare_print
from demo.round_head import turn_round
from demo.view import View
from demo.walks import Place, Walk
from hw.interfaces import Pixels

EXPOSURE_S = 1 / 60
NOISE_LEVELS = 2.6
"""Standard deviation of the sensor's noise, of 255."""
NOISE_MARGIN_PX = 64
FLICKER = 0.012
PRINT_IN_FRONT_M = 0.25
SMALLEST_DEPTH_M = 0.25

Affine = NDArray[np.float64]


class Seen(Struct, frozen=True):
    """What is true of one person in one frame: for tests and for judging the chain, which is told nothing of it."""

    walk: Walk
    face_box_px: tuple[float, float, float, float]
    """Of the face before the camera: the held print's, where one is held up."""
    distance_m: float
    yaw_deg: float


class Scene:
    """An entrance with people. `enter` adds somebody's walk, `clear` empties it, `frame` draws it at a time.

    One thread may draw while another lets people enter or clears the scene; two may not draw.
    """

    def __init__(self, width_px: int, height_px: int, seed: int, walks: Iterable[Walk] = ()) -> None:
        self.view = View(width_px=width_px, height_px=height_px)
        self._seed = seed
        self._empty = draw_corridor(self.view, seed)
        self._noise = _noise(width_px, height_px, seed)
        self._easel = _Easel(width_px, height_px)
        self._figures: dict[Portrait, list[Sprite]] = {}
        self._prints: dict[Portrait, list[Sprite]] = {}
        self._walks: tuple[Walk, ...] = ()
        for walk in walks:
            self.enter(walk)

    @property
    def walks(self) -> tuple[Walk, ...]:
        return self._walks

    def enter(self, walk: Walk) -> None:
        """Add a walk; the first one of each portrait takes about half a second to prepare."""
        self.prepare(walk.portrait)
        if walk.holds_up is not None and walk.holds_up not in self._prints:
            self._prints[walk.holds_up] = prepare_print(walk.holds_up, self.view)
        self._walks = (*self._walks, walk)

    def prepare(self, portrait: Portrait) -> None:
        """Cut a person out now, so that a later `enter` costs nothing."""
        if portrait not in self._figures:
            self._figures[portrait] = prepare(portrait, self.view)

    def clear(self) -> None:
        self._walks = ()

    def replace(self, walks: Iterable[Walk]) -> None:
        """Everybody at once: no frame is without them. Of people who were prepared."""
        self._walks = tuple(walks)

    def frame(self, t_s: float) -> Pixels:
        """The picture at `t_s`, height x width x 3, BGR; a new array."""
        picture = self._empty.copy()
        for walk, place in self._present(t_s):
            _draw_shadow(picture, place, self.view)
            self._draw_person(picture, walk, place)
        return self._sensed(picture, t_s)

    def truth(self, t_s: float) -> tuple[Seen, ...]:
        """Where the faces are at `t_s`, farthest first."""
        return tuple(self._seen(walk, place) for walk, place in self._present(t_s))

    def _present(self, t_s: float) -> list[tuple[Walk, Place]]:
        places = [(walk, walk.at(t_s)) for walk in self._walks]
        present = [(walk, place) for walk, place in places if place is not None and place.z_m > SMALLEST_DEPTH_M]
        return sorted(present, key=lambda found: -found[1].z_m)

    def _seen(self, walk: Walk, place: Place) -> Seen:
        if walk.holds_up is not None:
            sprite, onto, _ = _placed(self._prints[walk.holds_up], _print_place(place), walk.height_m, self.view)
        else:
            sprite, onto, _ = _placed(self._figures[walk.portrait], place, walk.height_m, self.view)
        x, y, width, height = sprite.face_box_px
        corners = np.array([[x, y, 1], [x + width, y, 1], [x, y + height, 1], [x + width, y + height, 1]]) @ onto.T
        left, top = corners.min(axis=0)
        right, bottom = corners.max(axis=0)
        box = (float(left), float(top), float(right - left), float(bottom - top))
        return Seen(walk, box, place.z_m, place.yaw_deg)

    def _draw_person(self, picture: Pixels, walk: Walk, place: Place) -> None:
        sprite, onto, scale_px = _placed(self._figures[walk.portrait], place, walk.height_m, self.view)
        turned = self._easel.turned(sprite, place.yaw_deg, walk.turns_round)
        self._easel.lay(picture, turned, onto, _smear(place, scale_px), _lamp_light(place.z_m))
        if walk.holds_up is not None:
            near = _print_place(place)
            sprite, onto, scale_px = _placed(self._prints[walk.holds_up], near, walk.height_m, self.view)
            self._easel.lay(picture, sprite.pixels, onto, _smear(near, scale_px), _lamp_light(near.z_m))

    def _sensed(self, picture: Pixels, t_s: float) -> Pixels:
        """The picture through a real sensor: exposure that breathes a little, and noise that is new in each frame."""
        chance = np.random.default_rng((self._seed, round(t_s * 1e6) & 0xFFFFFFFF))
        gain = 1 + FLICKER * (math.sin(2 * math.pi * 0.7 * t_s) + 0.5 * math.sin(2 * math.pi * 3.3 * t_s + 1))
        column, row = chance.integers(0, NOISE_MARGIN_PX, 2)
        lighter, darker = (noise[row : row + picture.shape[0], column : column + picture.shape[1]] for noise in self._noise)
        cv2.convertScaleAbs(picture, picture, gain)
        cv2.add(picture, lighter, picture)
        cv2.subtract(picture, darker, picture)
        return picture


def _noise(width_px: int, height_px: int, seed: int) -> tuple[Pixels, Pixels]:
    """What noise adds and what it takes away, on a field larger than the frame: each frame gets another piece of it."""
    chance = np.random.default_rng(seed)
    shape = (height_px + NOISE_MARGIN_PX, width_px + NOISE_MARGIN_PX)
    grain = chance.standard_normal((*shape, 1)) * 0.8 + chance.standard_normal((*shape, 3)) * 0.6
    noise = np.rint(grain * NOISE_LEVELS)
    return np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)


def _print_place(place: Place) -> Place:
    """A print held before the face: nearer, trembling a little with the hand, and never turning as a head does."""
    tremble = place.bob_m * 0.7
    return Place(x_m=place.x_m + 0.01, z_m=max(place.z_m - PRINT_IN_FRONT_M, SMALLEST_DEPTH_M), x_m_s=place.x_m_s, z_m_s=place.z_m_s,
                 bob_m=tremble, bob_m_s=place.bob_m_s * 0.7, yaw_deg=0.0, roll_deg=2.0 + 0.8 * place.roll_deg)  # fmt: skip


def _placed(sizes: list[Sprite], place: Place, height_m: float, view: View) -> tuple[Sprite, Affine, float]:
    """The prepared size to draw, the affine map of its pixels into the frame, and pixels for each metre there."""
    face_m = height_m - FACE_BELOW_CROWN_M + place.bob_m
    column, row = view.project(place.x_m, face_m, place.z_m)
    scale_px = view.focal_px / view.depth_m(face_m, place.z_m)
    sprite = next((size for size in reversed(sizes) if size.px_per_m >= scale_px), sizes[0])
    roll = math.radians(place.roll_deg)
    along, across = (scale_px / sprite.px_per_m) * math.cos(roll), (scale_px / sprite.px_per_m) * math.sin(roll)
    x, y = sprite.face_centre_px
    onto = np.array([[along, -across, column - along * x + across * y], [across, along, row - across * x - along * y]])
    return sprite, onto, scale_px


def _smear(place: Place, scale_px: float) -> tuple[int, int]:
    """How many pixels a point moves while the shutter is open, across and down; odd, 1 is none."""
    across = abs(place.x_m_s) * scale_px * EXPOSURE_S
    down = abs(place.bob_m_s) * scale_px * EXPOSURE_S
    return 2 * round(across / 2) + 1, 2 * round(down / 2) + 1


def _lamp_light(z_m: float) -> float:
    """People are brighter just behind a ceiling lamp than between two of them."""
    nearest = min(abs(z_m - lamp_m - 0.4) for lamp_m in LAMPS_M)
    return 1.03 - 0.13 * min(nearest, 1.2) / 1.2


def _window(sprite: Pixels, onto: Affine, picture: Pixels, margin_px: int) -> tuple[int, int, int, int] | None:
    """The part of the frame that the sprite touches: left, top, right, bottom; None outside the frame."""
    height, width = sprite.shape[:2]
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ onto.T
    left, top = np.floor(corners.min(axis=0)).astype(int) - margin_px
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + margin_px
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, picture.shape[1]), min(bottom, picture.shape[0])
    return (int(left), int(top), int(right), int(bottom)) if left < right and top < bottom else None


class _Easel:
    """Draws sprites over pictures with arrays that are made once: new ones for each person would cost more than the drawing."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._drawn = np.empty((height_px, width_px, 4), np.uint8)
        self._over, self._bare = (np.empty((height_px, width_px, 3), np.uint8) for _ in range(2))
        self._turned: dict[tuple[int, bool], Pixels] = {}

    def turned(self, sprite: Sprite, yaw_deg: float, as_round: bool) -> Pixels:
        """The sprite with its head turned; good until the next call. The sprite must live as long as the easel."""
        known = self._turned.get((id(sprite), as_round))
        if known is None:
            known = self._turned[id(sprite), as_round] = sprite.pixels.copy()
        (turn_round if as_round else turn_head)(sprite, yaw_deg, known)
        return known

    def lay(self, picture: Pixels, sprite: Pixels, onto: Affine, smear_px: tuple[int, int], light: float) -> None:
        """Draw a sprite over the picture, in place: what shows through of the picture, plus the sprite's colours."""
        window = _window(sprite, onto, picture, max(smear_px))
        if window is None:
            return
        left, top, right, bottom = window
        part = np.s_[: bottom - top, : right - left]
        drawn, over, bare = self._drawn[part], self._over[part], self._bare[part]
        shifted = onto - np.array([[0, 0, left], [0, 0, top]])
        cv2.warpAffine(sprite, shifted, (right - left, bottom - top), drawn, cv2.INTER_LINEAR, borderValue=(0, 0, 0, 255))
        if max(smear_px) > 1:
            cv2.blur(drawn, smear_px, drawn)
        cv2.mixChannels([drawn], [bare], [3, 0, 3, 1, 3, 2])
        cv2.cvtColor(drawn, cv2.COLOR_BGRA2BGR, over)
        under = picture[top:bottom, left:right]
        cv2.addWeighted(cv2.multiply(under, bare, bare, 1 / 255), 1.0, over, light, 0.0, under)


def _draw_shadow(picture: Pixels, place: Place, view: View) -> None:
    """A soft patch on the floor where the feet are, if the camera sees that far down."""
    if view.lowest_m(place.z_m) > 0.05 or place.z_m > END_M:
        return
    column, row = view.project(place.x_m, 0.0, place.z_m)
    scale_px = view.focal_px / place.z_m
    half = (round(0.42 * scale_px), max(2, round(0.07 * scale_px)))
    left, top = max(0, round(column) - half[0]), max(0, round(row) - half[1])
    patch = picture[top : round(row) + half[1] + 1, left : round(column) + half[0] + 1]
    if patch.size == 0:
        return
    down, across = np.ogrid[: patch.shape[0], : patch.shape[1]]
    far = ((across + left - column) / half[0]) ** 2 + ((down + top - row) / half[1]) ** 2
    patch[:] = (patch * (1 - 0.55 * np.clip(1 - far, 0, 1))[..., None]).astype(np.uint8)
