"""Pictures that set the int8 ranges: a few faces from registry packages, varied by a seeded generator.

The five points of each face were measured once with the float networks and are kept here as data, so that the
representative set depends on no other model. Everything is drawn from one seed: a rebuild sees the same pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError

Picture = NDArray[np.uint8]

SEED = 20250101
# Template of five points in a 112 x 112 face (eyes, nose tip, corners of the mouth), as published with ArcFace.
FIVE_POINTS_112_PX = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


@dataclass(frozen=True)
class Face:
    """A picture in a package, and the five points (px: eyes, nose tip, mouth corners; left is left in the picture)."""

    file: str
    points_px: tuple[tuple[int, int], ...]


FIVE_FACES = (
    Face("tests/test_images/biden.jpg", ((534, 326), (650, 351), (592, 413), (518, 459), (627, 478))),
    Face("tests/test_images/obama.jpg", ((444, 217), (549, 216), (498, 279), (433, 320), (559, 319))),
    Face("tests/test_images/obama2.jpg", ((254, 373), (371, 386), (284, 455), (246, 522), (356, 530))),
    Face("tests/test_images/obama3.jpg", ((737, 390), (856, 400), (809, 448), (735, 512), (849, 520))),
    Face("skimage/data/astronaut.png", ((204, 103), (247, 105), (223, 131), (201, 139), (246, 142))),
)

# The five, and more people: faces that laugh, pout, look down or aside, in party light.
MANY_FACES = (
    *FIVE_FACES,
    Face("demo/sample1.jpg", ((440, 457), (520, 460), (459, 516), (449, 538), (523, 540))),
    Face("demo/sample1.jpg", ((871, 554), (945, 513), (915, 590), (917, 616), (982, 580))),
    Face("demo/sample1.jpg", ((1556, 282), (1615, 338), (1545, 339), (1499, 347), (1553, 398))),
    Face("demo/sample2.jpg", ((947, 341), (1057, 351), (1002, 413), (943, 417), (1046, 429))),
    Face("demo/sample2.jpg", ((1487, 280), (1567, 252), (1533, 333), (1531, 352), (1590, 333))),
    Face("demo/sample3.jpg", ((629, 434), (724, 434), (657, 493), (644, 533), (713, 535))),
    Face("demo/sample3.jpg", ((1114, 321), (1214, 340), (1140, 395), (1101, 422), (1197, 442))),
    Face("demo/sample3.jpg", ((1555, 413), (1652, 405), (1619, 477), (1551, 500), (1658, 492))),
)


@dataclass(frozen=True)
class Framing:
    """How the network sees a face: where the five points lie in its input, and how far that varies.

    `scale_range` multiplies the size of the face, `turn_deg` and `shift` (of the input's width) are standard deviations.
    A network that sees one side of the face only (`one_sided`) gets the other side as its mirror image, as at the door.
    """

    size_px: int
    scale_range: tuple[float, float]
    turn_deg: float
    shift: float
    points_px: tuple[float, float, float]  # x and y of the middle between the eyes, distance of the eyes
    faces: tuple[Face, ...] = FIVE_FACES
    one_sided: bool = False


@dataclass(frozen=True)
class Scenes:
    """Squares of whole pictures with people in them; `side_range` is their side as a share of the picture's longer one."""

    size_px: int
    side_range: tuple[float, float]
    files: tuple[str, ...]


def representative_pictures(folder: Path, framing: Framing | Scenes, count: int) -> Iterator[Picture]:
    """`count` RGB pictures [size, size, 3] uint8; the same ones at every call."""
    random = np.random.default_rng(SEED)
    views = _scenes(folder, framing, random) if isinstance(framing, Scenes) else _faces(folder, framing, random)
    for view in islice(views, count):
        yield _weather(view, random)


def _faces(folder: Path, framing: Framing, random: np.random.Generator) -> Iterator[Picture]:
    sources = {face.file: _read(folder / face.file) for face in framing.faces}
    for face in cycle(framing.faces):
        if framing.one_sided:
            yield _one_side(sources[face.file], face, framing, random)
            continue
        view = _view(sources[face.file], np.array(face.points_px, float), framing, random)
        yield view[:, ::-1] if random.random() < 0.5 else view


def _one_side(picture: Picture, face: Face, framing: Framing, random: np.random.Generator) -> Picture:
    """The side that lies at the left of the picture as it is, or the other one mirrored."""
    if random.random() < 0.5:
        return _view(picture, np.array(face.points_px, float), framing, random)
    mirrored = np.array(face.points_px, float)[[1, 0, 2, 4, 3]]
    mirrored[:, 0] = picture.shape[1] - 1 - mirrored[:, 0]
    return _view(np.ascontiguousarray(picture[:, ::-1]), mirrored, framing, random)


def _scenes(folder: Path, scenes: Scenes, random: np.random.Generator) -> Iterator[Picture]:
    sources = [_read(folder / file) for file in scenes.files]
    for picture in cycle(sources):
        longer = max(picture.shape[:2])
        side = longer * random.uniform(*scenes.side_range)
        # The square's middle lies in the picture; what sticks out is mirrored, like everywhere here.
        x, y = random.uniform(0.3, 0.7, 2) * (picture.shape[1], picture.shape[0])
        scale = scenes.size_px / side
        half = scenes.size_px / 2
        view = _warp(picture, np.array([[scale, 0, half - scale * x], [0, scale, half - scale * y]]), scale, scenes.size_px)
        yield view[:, ::-1] if random.random() < 0.5 else view


def _read(path: Path) -> Picture:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ModelError(f"{path}: no picture there; the packages it comes from have changed")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _view(picture: Picture, points: NDArray[Any], framing: Framing, random: np.random.Generator) -> Picture:
    """The face turned upright, scaled and placed as the framing says, with the generator's variation."""
    eyes = points[1] - points[0]
    x, y, distance = framing.points_px
    scale = distance / np.hypot(*eyes) * np.exp(random.uniform(*np.log(framing.scale_range)))
    turn = np.arctan2(eyes[1], eyes[0]) + np.radians(random.normal(0, framing.turn_deg))
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    matrix = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0]])
    place = np.array([x, y]) + random.normal(0, framing.shift * framing.size_px, 2)
    matrix[:, 2] = place - matrix[:, :2] @ points[:2].mean(axis=0)
    return _warp(picture, matrix, scale, framing.size_px)


def _warp(picture: Picture, matrix: NDArray[Any], scale: float, size_px: int) -> Picture:
    shrunk, matrix = _shrink(picture, matrix, scale)
    # Mirrored at the edges: on flat black the detector's late layers give values a hundred times their usual size, and one such
    # picture would take all resolution from the faces.
    view = cv2.warpAffine(shrunk, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(view, np.uint8)


def _shrink(picture: Picture, matrix: NDArray[Any], scale: float) -> tuple[Picture, NDArray[Any]]:
    """Halves the picture while the warp would skip pixels, so that small faces do not alias."""
    while scale < 0.6:
        picture = np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        matrix, scale = matrix * [2, 2, 1], scale * 2
    return picture, matrix


def _weather(picture: Picture, random: np.random.Generator) -> Picture:
    """Exposure, contrast, colour cast, blur and sensor noise."""
    value: NDArray[Any] = picture.astype(np.float32) / 255
    value = value ** random.uniform(0.6, 1.6) * random.uniform(0.6, 1.25) * random.uniform(0.92, 1.08, 3)
    if random.random() < 0.5:
        value = np.asarray(cv2.GaussianBlur(value, (0, 0), random.uniform(0.3, 1.5)))
    value = value + random.normal(0, random.uniform(0, 0.03), value.shape)
    return np.asarray(np.clip(np.rint(value * 255), 0, 255), np.uint8)
