"""What is behind the faces that a benchmark pastes: the demo's corridor from several places, and photographs without people.

The photographs are taken, by hash, out of the package scikit-image, which the demo fetches anyway; they are looked at by detectors and
shown nowhere.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from msgspec import Struct

from agent.errors import DoorwardError
from demo.catalogue import SCIKIT_IMAGE
from demo.corridor import draw_corridor
from demo.people import CACHE, pip_download
from demo.view import View
from hw.interfaces import Pixels

FOLDER = CACHE.parent / "scenery"
PHOTOGRAPHS = {
    "motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    "coins.png": "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
    "brick.png": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    "grass.png": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    "gravel.png": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
}
"""A workshop, a table, a rocket's launch pad, and surfaces with much structure."""
IN_ROOMS = ("motorcycle_left.png", "coffee.png", "rocket.jpg")
"""Those before which somebody could stand; the rest only tempts detectors."""


class Background(Struct, frozen=True):
    """A frame without any face."""

    name: str
    pixels: Pixels
    for_people: bool


def backgrounds(width_px: int, height_px: int, say: Callable[[str], None]) -> list[Background]:
    """Frames of one size. Raises DoorwardError where the photographs cannot be had or are others."""
    views = [(40.0, 3.0), (70.0, 3.0), (55.0, 12.0)]
    drawn = [Background(f"corridor {across:g} degrees", draw_corridor(
        View(width_px=width_px, height_px=height_px, across_deg=across, tilt_deg=tilt), seed), True)
        for seed, (across, tilt) in enumerate(views)]  # fmt: skip
    return drawn + [
        Background(name, _filling(_photograph(name, say), width_px, height_px), name in IN_ROOMS) for name in PHOTOGRAPHS
    ]


def _photograph(name: str, say: Callable[[str], None]) -> Pixels:
    path = FOLDER / name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != PHOTOGRAPHS[name]:
        _fetch(say)
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise DoorwardError(f"{path}: no picture that can be read")
    return np.asarray(pixels, np.uint8)


def _fetch(say: Callable[[str], None]) -> None:
    say(f"  fetching {len(PHOTOGRAPHS)} photographs out of {SCIKIT_IMAGE.name} {SCIKIT_IMAGE.version} (PyPI)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="doorward-scenery-") as folder:
        _unpack(pip_download(SCIKIT_IMAGE, Path(folder)))


def _unpack(package: Path) -> None:
    with zipfile.ZipFile(package) as wheel:
        for name, sha256 in PHOTOGRAPHS.items():
            content = wheel.read(f"skimage/data/{name}")
            if (found := hashlib.sha256(content).hexdigest()) != sha256:
                raise DoorwardError(f"{SCIKIT_IMAGE.name}: {name} is another picture than expected (sha256 {found})")
            (FOLDER / name).write_bytes(content)


def _filling(pixels: Pixels, width_px: int, height_px: int) -> Pixels:
    """The middle of a picture, scaled until it fills a frame."""
    scale = max(width_px / pixels.shape[1], height_px / pixels.shape[0])
    large = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (large.shape[1] - width_px) // 2, (large.shape[0] - height_px) // 2
    return np.ascontiguousarray(large[top : top + height_px, left : left + width_px])
