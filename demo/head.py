"""Turns a flat head as an upright rounded body would turn: the middle moves most, the outline stays."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.cutout import Sprite
from hw.interfaces import Pixels

RADIUS_FACES = 0.62
"""Half the width of a head with ears, in widths of the face."""
MOST_DEG = 30.0
"""Beyond this columns would change places."""


def turn_head(sprite: Sprite, yaw_deg: float, into: Pixels) -> None:
    """Write the turned head over that of `into`, a copy of the sprite's pixels; positive turns to the picture's right.

    Good to about 25 degrees. A point on a cylinder at u (columns from the axis, in radii) moves by sin(yaw) * sqrt(1 - u^2) to first
    order; 1 - u^2 is taken instead, which is the same at the middle and leaves no tear at the outline.
    """
    left, top, right, bottom = _head_box(sprite)
    patch = sprite.pixels[top:bottom, left:right]
    columns, rows = np.arange(patch.shape[1], dtype=np.float32), np.arange(patch.shape[0], dtype=np.float32)
    shift = _shift_px(columns + left, sprite, yaw_deg)
    from_columns = columns[None] + _hold(rows + top, sprite)[:, None] * shift[None]
    from_rows = np.repeat(rows[:, None], len(columns), axis=1)
    cv2.remap(patch, from_columns, from_rows, cv2.INTER_LINEAR, into[top:bottom, left:right], cv2.BORDER_REPLICATE)


def _head_box(sprite: Sprite) -> tuple[int, int, int, int]:
    x, y, width, height = sprite.face_box_px
    rows, columns = sprite.pixels.shape[:2]
    reach = 1.05 * width * RADIUS_FACES
    middle = x + width / 2
    bottom = min(rows, round(y + height + 0.4 * width))
    return max(0, round(middle - reach)), 0, min(columns, round(middle + reach)), bottom


def _shift_px(columns: NDArray[np.float32], sprite: Sprite,
              yaw_deg: float) -> NDArray[np.float32]:  # fmt: skip
    """How far to the side each column's picture comes from."""
    x, _, width, _ = sprite.face_box_px
    radius = RADIUS_FACES * width
    u = np.clip((columns - (x + width / 2)) / radius, -1, 1)
    turn = np.radians(np.clip(yaw_deg, -MOST_DEG, MOST_DEG))
    return np.asarray(-0.85 * np.sin(turn) * (1 - u * u) * radius, np.float32)


def _hold(rows: NDArray[np.float32], sprite: Sprite) -> NDArray[np.float32]:
    """1 for the head, falling to 0 along the neck: shoulders do not turn with it."""
    _, y, width, height = sprite.face_box_px
    below = np.clip((rows - (y + 0.95 * height)) / (0.4 * width), 0, 1)
    return np.asarray(1 - below * below * (3 - 2 * below), np.float32)
