"""Pictures made into things that can be held before a camera: paper with a white border, a telephone, a tablet, a monitor."""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
from msgspec import Struct

from agent.core.messages import Box
from hw.interfaces import Pixels
from tools.attacks.sheet import Sheet

TEXELS_PER_M = 2600.0
"""Three of them in a camera's pixel at 0.8 m: enough, and a sheet of A4 stays a small picture."""


class Paper(Struct, frozen=True, kw_only=True):
    """A photograph on paper."""

    width_m: float = 0.21
    height_m: float = 0.297
    face_m: float = 0.14
    """Width of the printed face."""
    border_m: float = 0.006
    cut_out: bool = False
    """Cut along the head, without background."""
    eyes_cut: bool = False


class Screen(Struct, frozen=True, kw_only=True):
    """A display. Sizes are those of the lit part."""

    name: str
    width_m: float
    height_m: float
    bezel_m: float
    face_m: float
    glare: float = 0.06
    """Share of white that the glass reflects."""
    bands_hz: float = 0.0
    """Of the backlight; seen as bands by a camera with a rolling shutter."""


PHONE = Screen(name="phone", width_m=0.068, height_m=0.147, bezel_m=0.004, face_m=0.055, bands_hz=240.0)
TABLET = Screen(name="tablet", width_m=0.16, height_m=0.22, bezel_m=0.01, face_m=0.13)
MONITOR = Screen(name="monitor", width_m=0.52, height_m=0.29, bezel_m=0.015, face_m=0.14)

Hand = Literal["none", "below"]


def onto_paper(picture: Pixels, face: Box, paper: Paper) -> Sheet:
    """The picture on a sheet, the face at 42 % of its height; blacks greyer and whites duller than in life. Only inside the picture."""
    printed, _ = _framed(picture, face, (paper.width_m, paper.height_m), paper.face_m, 0.42)
    pale = np.asarray(cv2.convertScaleAbs(printed, alpha=0.86, beta=18), np.uint8)
    shine = np.linspace(0.95, 1.05, pale.shape[1], dtype=np.float32)[None, :, None]
    pale = np.clip(pale * shine, 0, 255).astype(np.uint8)
    alpha = np.full(pale.shape[:2], 255, np.uint8)
    edge = max(1, round(paper.border_m * TEXELS_PER_M))
    middle = (pale.shape[1] / 2, 0.42 * pale.shape[0])
    face_px = paper.face_m * TEXELS_PER_M
    if paper.cut_out:
        axes = (round(0.66 * face_px), round(0.98 * face_px))
        alpha[:] = 0
        cv2.ellipse(alpha, (round(middle[0]), round(middle[1] - 0.12 * face_px)), axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
    else:
        cv2.rectangle(pale, (0, 0), (pale.shape[1] - 1, pale.shape[0] - 1), (232, 234, 236), 2 * edge)
    if paper.eyes_cut:
        for side in (-1, 1):
            at = (round(middle[0] + side * 0.235 * face_px), round(middle[1] - 0.17 * face_px))
            cv2.ellipse(alpha, at, (round(0.115 * face_px), round(0.06 * face_px)), 0, 0, 360, 0, -1, cv2.LINE_AA)
    return Sheet(np.dstack([pale, alpha]), paper.width_m)


def onto_screen(picture: Pixels, face: Box, screen: Screen, t_s: float) -> Sheet:
    """The picture on a display with its bezel, its glare and the bands of its backlight.

    Its grid of pixels is not drawn: a camera's pixel covers several of them at a door's distance and averages them away.
    """
    lit, _ = _framed(picture, face, (screen.width_m, screen.height_m), screen.face_m, 0.45)
    shown = lit.astype(np.float32) * 1.04 + 255 * screen.glare * _reflection(lit.shape)
    if screen.bands_hz:
        shown *= _bands(shown.shape[0], screen.bands_hz, t_s)
    pixels = np.clip(shown, 0, 255).astype(np.uint8)
    edge = round(screen.bezel_m * pixels.shape[1] / screen.width_m)
    framed = cv2.copyMakeBorder(pixels, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(14, 13, 13))
    sheet = np.dstack([framed, np.full(framed.shape[:2], 255, np.uint8)])
    return Sheet(sheet, screen.width_m + 2 * screen.bezel_m)


def with_hand(sheet: Sheet) -> Sheet:
    """The sheet with room below and a hand that holds its lower edge: a thumb before it, fingers and sleeve under it."""
    rows, columns = sheet.texture.shape[:2]
    px = columns / sheet.width_m
    tall = np.vstack([sheet.texture, np.zeros((round(0.12 * px), columns, 4), np.uint8)])

    def blob(x_m: float, y_m: float, half_m: tuple[float, float], angle: float, colour: tuple[int, int, int]) -> None:
        centre = (round(0.6 * columns + x_m * px), rows + round(y_m * px))
        axes = (max(1, round(half_m[0] * px)), max(1, round(half_m[1] * px)))
        cv2.ellipse(tall, centre, axes, angle, 0, 360, (*colour, 255), -1, cv2.LINE_AA)

    blob(0.01, 0.10, (0.04, 0.045), 0, (40, 36, 36))
    blob(0.0, 0.035, (0.034, 0.05), -10, (104, 132, 178))
    blob(-0.02, -0.004, (0.028, 0.011), 60, (116, 148, 196))
    # Room above as much as below, so that the middle of the texture stays the middle of the paper.
    above = np.zeros((tall.shape[0] - rows, columns, 4), np.uint8)
    return Sheet(np.vstack([above, tall]), sheet.width_m)


def _framed(picture: Pixels, face: Box, size_m: tuple[float, float], face_m: float, down: float) -> tuple[Pixels, float]:
    """The picture cut and scaled so that its face is `face_m` wide at `down` of the height; edges are continued."""
    columns, rows = (round(side * TEXELS_PER_M) for side in size_m)
    factor = face_m * TEXELS_PER_M / face[2]
    x, y = face[0] + face[2] / 2, face[1] + face[3] / 2
    onto = np.array([[factor, 0, columns / 2 - factor * x], [0, factor, down * rows - factor * y]])
    method = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return np.asarray(
        cv2.warpAffine(picture, onto, (columns, rows), flags=method, borderMode=cv2.BORDER_REFLECT), np.uint8
    ), factor


def _reflection(shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A soft window in the glass."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    at = np.exp(-(((x / shape[1] - 0.7) / 0.35) ** 2) - ((y / shape[0] - 0.25) / 0.3) ** 2)
    return np.asarray(at[..., None], np.float32)


def _bands(rows: int, hz: float, t_s: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Brighter and darker rows: a shutter that rolls down in 16 ms over a light that pulses."""
    down = np.arange(rows, dtype=np.float32) / rows
    return np.asarray(1 + 0.05 * np.sin(2 * math.pi * (hz * (t_s + 0.006 * down)))[:, None, None], np.float32)
