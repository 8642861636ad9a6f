"""A room before a camera, painted: walls with frames, shelves and tiles, a sensor's noise, and somebody who walks through."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH_PX, HEIGHT_PX = 640, 360
Picture = NDArray[np.uint8]
Change = Callable[[Picture], Picture]
"""What somebody does to a camera, as it changes the picture."""


def room(seed: int = 3) -> Picture:
    """The same seed gives the same room."""
    rng = np.random.default_rng(seed)
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), 120, np.uint8)
    for _ in range(60):
        x, y = rng.integers(0, WIDTH_PX), rng.integers(0, HEIGHT_PX)
        wide, high = rng.integers(15, 160), rng.integers(10, 110)
        colour = [int(level) for level in rng.integers(30, 225, 3)]
        cv2.rectangle(picture, (int(x), int(y)), (int(x + wide), int(y + high)), colour, -1)
    return cv2.GaussianBlur(picture, (0, 0), 0.6)


@lru_cache(maxsize=64)
def _noise(number: int, levels: float) -> NDArray[np.int16]:
    return np.round(np.random.default_rng(number).normal(0, levels, (HEIGHT_PX, WIDTH_PX, 3))).astype(np.int16)


def noisy(picture: Picture, number: int, levels: float = 1.5) -> Picture:
    """With a sensor's noise: eleven different ones, that of `number`."""
    noise = _noise(number % 11, levels)[: picture.shape[0], : picture.shape[1]]
    return np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)


def somebody(picture: Picture, x_px: float, share: float = 0.2) -> Picture:
    """In clothes with a pattern, as wide as this share of the picture, from their head to below its edge."""
    seen = picture.copy()
    wide = int(share * WIDTH_PX)
    cloth = cv2.resize(
        np.random.default_rng(9).integers(20, 200, (40, 16, 3), np.uint8), (wide, HEIGHT_PX), interpolation=cv2.INTER_CUBIC
    )
    left, right = max(0, int(x_px)), min(WIDTH_PX, int(x_px) + wide)
    if left < right:
        seen[30:, left:right] = cloth[: HEIGHT_PX - 30, left - int(x_px) : right - int(x_px)]
    return seen


def turned(across: float = 0.0, down: float = 0.0, roll_deg: float = 0.0, zoom: float = 1.0) -> Change:
    """`across` and `down` in shares of the picture. What comes into view there is the room mirrored at its edge."""

    def change(picture: Picture) -> Picture:
        matrix = cv2.getRotationMatrix2D((WIDTH_PX / 2, HEIGHT_PX / 2), roll_deg, zoom)
        matrix[:, 2] += (across * WIDTH_PX, down * HEIGHT_PX)
        return cv2.warpAffine(picture, matrix, (WIDTH_PX, HEIGHT_PX), borderMode=cv2.BORDER_REFLECT)

    return change


def blurred(px: float) -> Change:
    return lambda picture: cv2.GaussianBlur(picture, (0, 0), px)


def lit(factor: float, gamma: float = 1.0) -> Change:
    return lambda picture: np.clip(255 * (picture / 255) ** gamma * factor, 0, 255).astype(np.uint8)


def flat(level: int) -> Change:
    return lambda picture: np.full_like(picture, level)


def torch(picture: Picture) -> Picture:
    """Shone into the lens: a glaring disc, its veil, and a camera that closes its iris."""
    across, down = np.meshgrid(np.arange(WIDTH_PX) / WIDTH_PX - 0.5, (np.arange(HEIGHT_PX) / HEIGHT_PX - 0.5) * 0.56)
    away = np.hypot(across, down)
    glare = 255 * (1.6 * np.exp(-((away / 0.2) ** 2)) + 0.3 * np.exp(-away / 0.3))
    return np.clip(picture * 0.25 + glare[..., None], 0, 255).astype(np.uint8)


def laser(picture: Picture) -> Picture:
    """Green: the other colours stay dark."""
    return np.clip(picture * 0.4 + np.array([10, 240, 10]), 0, 255).astype(np.uint8)
