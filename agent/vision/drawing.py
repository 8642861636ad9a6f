"""Words on pictures that people can read: letters on a ground of their own, laid out for 640 px of width whatever the camera's size."""

from __future__ import annotations

import cv2

from hw.interfaces import Pixels

Colour = tuple[int, int, int]

GREEN: Colour = (80, 175, 60)
RED: Colour = (50, 40, 205)
AMBER: Colour = (30, 150, 230)
BLUE: Colour = (200, 130, 40)
GREY: Colour = (150, 150, 150)
WHITE: Colour = (255, 255, 255)
INK: Colour = (30, 30, 30)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def scale_of(picture: Pixels) -> float:
    """Times by which everything laid out for a picture 640 px wide is drawn larger in this one."""
    return max(0.5, float(picture.shape[1]) / 640)


def write(picture: Pixels, text: str, at: tuple[int, int], size: float, colour: Colour, thick: int = 1) -> None:
    """Writes a line; `at` is the lower left corner of its letters."""
    cv2.putText(picture, _plain(text), at, FONT, size, colour, max(1, thick), cv2.LINE_AA)


def width_px(text: str, size: float, thick: int = 1) -> int:
    """How wide a line will be."""
    (width, _), _ = cv2.getTextSize(_plain(text), FONT, size, max(1, thick))
    return int(width)


def _plain(text: str) -> str:
    """OpenCV's fonts know ASCII only: anything else becomes '?'."""
    return text.encode("ascii", "replace").decode()


def label(picture: Pixels, text: str, at: tuple[int, int], size: float, ground: Colour) -> None:
    """A line in white on its own ground; `at` is the lower left corner of its letters."""
    (width, height), base = cv2.getTextSize(text, FONT, size, 1)
    x, y = at
    cv2.rectangle(picture, (x, y - height - 4), (x + width + 4, y + base), ground, cv2.FILLED)
    write(picture, text, (x + 2, y), size, WHITE)


def fitting(text: str, size: float, room_px: int) -> float:
    """The size at which a line fits, never below the legible."""
    return max(0.6 * size, size * min(1.0, room_px / max(width_px(text, size), 1)))
