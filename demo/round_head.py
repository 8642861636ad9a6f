"""Turns a head far, as an upright rounded body with a nose turns: for glances over the shoulder, which demo.head cannot show.

Each row of the head is a circle as wide as the head is there. What comes into view was not photographed: the last of the cheek or hair
that was is drawn out over it. To about 50 degrees this looks like a head; further, much of the face is made up.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.cutout import Sprite
from demo.head import RADIUS_FACES
from hw.interfaces import Pixels

MOST_DEG = 60.0
SEEN_DEG = 78.0
"""Further round than this a photograph from the front shows nothing."""
NOSE_FACES, NOSE_WIDE_FACES, NOSE_HIGH_FACES = 0.16, 0.09, 0.16
"""How far a nose stands out of the circle, and half how wide and high it is, in widths of the face."""
NOSE_AT = 0.58
"""Of the face's height, from its top."""
OPAQUE = 128

Reals = NDArray[np.float32]


def turn_round(sprite: Sprite, yaw_deg: float, into: Pixels) -> None:
    """Write the turned head over that of `into`, a copy of the sprite's pixels; positive turns to the picture's right."""
    left, top, right, bottom = _head_box(sprite)
    patch = sprite.pixels[top:bottom, left:right]
    middles, radii = _circles(patch, sprite, left)
    turns = np.radians(np.clip(yaw_deg, -MOST_DEG, MOST_DEG)) * _hold(np.arange(top, bottom, dtype=np.float32), sprite)
    columns = np.broadcast_to(np.arange(patch.shape[1], dtype=np.float32), patch.shape[:2])
    source = columns
    for _ in range(3):  # the nose is where it comes from, not where it goes
        out = _nose(source + left, sprite, top) * np.sin(turns)[:, None]
        source = _from(columns - out, middles, radii, turns)
    rows = np.repeat(np.arange(patch.shape[0], dtype=np.float32)[:, None], patch.shape[1], axis=1)
    cv2.remap(patch, source, rows, cv2.INTER_LINEAR, into[top:bottom, left:right], cv2.BORDER_REPLICATE)


def _head_box(sprite: Sprite) -> tuple[int, int, int, int]:
    x, y, width, height = sprite.face_box_px
    rows, columns = sprite.pixels.shape[:2]
    middle, reach = x + width / 2, 1.2 * width
    return max(0, round(middle - reach)), 0, min(columns, round(middle + reach)), min(rows, round(y + height + 0.4 * width))


def _circles(patch: Pixels, sprite: Sprite, left: int) -> tuple[Reals, Reals]:
    """Middle and radius of the head in each row of the patch, px; a radius of 0 where there is no head."""
    x, _, width, _ = sprite.face_box_px
    axis, most = x + width / 2 - left, RADIUS_FACES * width
    columns = np.arange(patch.shape[1], dtype=np.float32)
    opaque = (patch[..., 3] < 255 - OPAQUE) & (np.abs(columns - axis) <= most)[None]
    some = opaque.any(axis=1)
    low = np.where(some, opaque.argmax(axis=1), axis).astype(np.float32)
    high = np.where(some, patch.shape[1] - 1 - opaque[:, ::-1].argmax(axis=1), axis).astype(np.float32)
    smooth = (1, 2 * round(0.08 * width) + 1)
    middles, radii = (cv2.blur(values[:, None], smooth[::1])[:, 0] for values in ((low + high) / 2, (high - low) / 2 + 1))
    return np.asarray(middles, np.float32), np.asarray(np.where(some, radii, 0), np.float32)


def _from(columns: Reals, middles: Reals, radii: Reals, turns: Reals) -> Reals:
    """The column that each column shows; itself beyond the head."""
    radius = np.maximum(radii, 1e-3)[:, None]
    u = (columns - middles[:, None]) / radius
    around = np.arcsin(np.clip(u, -1, 1)) - turns[:, None]
    most = np.radians(SEEN_DEG)
    turned = middles[:, None] + radius * np.sin(np.clip(around, -most, most))
    return np.asarray(np.where(np.abs(u) < 1, turned, columns), np.float32)


def _nose(columns: Reals, sprite: Sprite, top: int) -> Reals:
    x, y, width, height = sprite.face_box_px
    rows = np.arange(columns.shape[0], dtype=np.float32)[:, None] + top
    across = (columns - (x + width / 2)) / (NOSE_WIDE_FACES * width)
    down = (rows - (y + NOSE_AT * height)) / (NOSE_HIGH_FACES * width)
    return np.asarray(NOSE_FACES * width * np.exp(-(across**2 + down**2) / 2), np.float32)


def _hold(rows: Reals, sprite: Sprite) -> Reals:
    """1 for the head, falling to 0 along the neck: shoulders do not turn with it."""
    _, y, width, height = sprite.face_box_px
    below = np.clip((rows - (y + 1.0 * height)) / (0.3 * width), 0, 1)
    return np.asarray(1 - below * below * (3 - 2 * below), np.float32)
