"""Faces of known size and place: cut out of portraits with soft edges, scaled, and laid over backgrounds.

A face's box is the square from the brows to the chin: Doorward's detector and dlib's agree on its width within 1 % in the median (measured
on 60 portraits); OpenCV's cascade draws it 14 % wider.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from msgspec import Struct

from agent.core.messages import Box
from agent.errors import DoorwardError
from agent.vision.faces import centre, overlap
from hw.interfaces import Pixels

PICTURES = (".jpg", ".jpeg", ".png")
ACROSS, DOWN = 1.05, 1.25
"""Half axes of the ellipse that is cut out, in widths of the face: hair and chin, and as little as possible of what was behind."""
SOFT = 0.15
UP = 0.1
PLACES_TRIED = 60
NOISE_LEVELS = 3.0
Finder = Callable[[Pixels], tuple[float, Sequence[Box]]]
"""Milliseconds, and the boxes that were found."""


class Sample(Struct, frozen=True):
    """A portrait and where its face is."""

    pixels: Pixels
    face: Box


class Spot(NamedTuple):
    """A face of a frame."""

    sample: Sample
    box: Box


def portraits_in(folder: Path, count: int, seed: int) -> list[Path]:
    """Some pictures of a folder and those below it, always the same ones; DoorwardError for a folder without any."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES) if folder.is_dir() else []
    if not found:
        raise DoorwardError(
            f"{folder}: no pictures there ({', '.join(PICTURES)}); name a folder of portraits, one face in the middle of each"
        )
    return [found[at] for at in np.random.default_rng(seed).permutation(len(found))[:count]]


def sample(path: Path, finders: Sequence[Finder]) -> Sample | None:
    """The portrait with its face where the first finder that sees it sees it; None where nobody finds one near the middle.

    All contestants are asked, so that a picture is not left out for being hard for one of them.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise DoorwardError(f"{path}: no picture that can be read")
    picture = np.asarray(pixels, np.uint8)
    faces = (face for find in finders for face in find(picture)[1] if _is_subject(face, picture))
    face = next(faces, None)
    return Sample(picture, face) if face else None


def _is_subject(face: Box, picture: Pixels) -> bool:
    (x, y), (height, width) = centre(face), picture.shape[:2]
    return bool(abs(x - width / 2) < width / 4 and abs(y - height / 2) < height / 3 and face[2] > min(width, height) / 8)


def is_found(face: Box, found: Sequence[Box]) -> bool:
    """Whether one of the found boxes is this face: about its middle, and of up to twice or down to half its width.

    Looser than an overlap of half, because the contestants' boxes hold different parts of the head.
    """
    x, y = centre(face)
    return any(abs(centre(box)[0] - x) < face[2] / 2 and abs(centre(box)[1] - y) < face[2] / 2 and 0.5 < box[2] / face[2] < 2
               for box in found)  # fmt: skip


def box_at(width_px: float, x: float, y: float) -> Box:
    return (x - width_px / 2, y - width_px / 2, width_px, width_px)


def paste(picture: Pixels, spot: Spot) -> None:
    """Lays the face of a spot over a picture, in place."""
    pixels, alpha, (left, top) = _cut(spot)
    height, width = picture.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + pixels.shape[1], width), min(top + pixels.shape[0], height)
    if x1 <= x0 or y1 <= y0:
        return
    there = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    share = alpha[there]
    picture[y0:y1, x0:x1] = (picture[y0:y1, x0:x1] * (1 - share) + pixels[there] * share + 0.5).astype(np.uint8)


def _cut(spot: Spot) -> tuple[Pixels, np.ndarray[tuple[int, ...], np.dtype[np.float32]], tuple[int, int]]:
    """The portrait at its size in the frame, how much of each pixel shows, and where its corner is in the frame."""
    face, box = spot.sample.face, spot.box
    scale = box[2] / face[2]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(spot.sample.pixels, None, fx=scale, fy=scale, interpolation=method), np.uint8)
    (x, y), (at_x, at_y) = centre(face), centre(box)
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    out = np.hypot((columns - x * scale) / (ACROSS * box[2]), (rows - y * scale + UP * box[2]) / (DOWN * box[2]))
    alpha = np.clip((1 + SOFT / 3 - out) / SOFT, 0, 1)[..., None].astype(np.float32)
    return pixels, alpha, (round(at_x - x * scale), round(at_y - y * scale))


def somewhere(width_px: float, frame_px: tuple[int, int], chance: np.random.Generator) -> Box:
    """A box that lies whole in a frame."""
    half = width_px / 2
    return box_at(width_px, float(chance.uniform(half, frame_px[0] - half)), float(chance.uniform(half, frame_px[1] - half)))


def packed(jobs: Sequence[tuple[Sample, float]], frame_px: tuple[int, int], chance: np.random.Generator) -> list[list[Spot]]:
    """Samples with their widths, put into as few frames as come easily, none over another's face: the slowest contestants look at
    every frame."""
    frames: list[list[Spot]] = []
    for one, width_px in sorted(jobs, key=lambda job: -job[1]):
        if not any(_put(one, width_px, spots, frame_px, chance) for spots in frames[-8:]):
            frames.append([Spot(one, somewhere(width_px, frame_px, chance))])
    return frames


def _put(one: Sample, width_px: float, spots: list[Spot], frame_px: tuple[int, int], chance: np.random.Generator) -> bool:
    for _ in range(PLACES_TRIED):
        box = somewhere(width_px, frame_px, chance)
        if not any(overlap(_cover(box), _head(other.box)) or overlap(_head(box), _cover(other.box)) for other in spots):
            spots.append(Spot(one, box))
            return True
    return False


def _head(box: Box) -> Box:
    x, y = centre(box)
    return (x - 0.75 * box[2], y - 0.9 * box[2], 1.5 * box[2], 1.8 * box[2])


def _cover(box: Box) -> Box:
    x, y = centre(box)
    return (x - 1.1 * box[2], y - 1.4 * box[2], 2.2 * box[2], 2.7 * box[2])


class Sensor:
    """Adds a camera's noise, another piece of one field to each frame."""

    def __init__(self, frame_px: tuple[int, int], seed: int) -> None:
        chance = np.random.default_rng(seed)
        noise = np.rint(chance.normal(0, NOISE_LEVELS, (frame_px[1] + 64, frame_px[0] + 64, 1)) * np.ones(3))
        self._lighter, self._darker = np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)
        self._chance = chance

    def __call__(self, picture: Pixels) -> Pixels:
        row, column = self._chance.integers(64, size=2)
        there = np.s_[row : row + picture.shape[0], column : column + picture.shape[1]]
        return np.asarray(cv2.subtract(cv2.add(picture, self._lighter[there]), self._darker[there]), np.uint8)
