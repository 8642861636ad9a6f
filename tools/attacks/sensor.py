"""What a camera adds to a picture: light, blur, noise, the bands of a lamp or a screen, JPEG."""

from __future__ import annotations

import math

import cv2
import numpy as np
from msgspec import Struct

from hw.interfaces import Pixels


class Sensor(Struct, frozen=True, kw_only=True):
    """A camera's weaknesses."""

    gain: float = 1.0
    noise: float = 2.5
    """Standard deviation of each pixel, of 255."""
    blur_px: float = 0.5
    jpeg: int = 85
    """Quality, 1..100."""
    breathing: float = 0.01
    """How far the exposure wanders."""


def sensed(picture: Pixels, sensor: Sensor, t_s: float, chance: np.random.Generator) -> Pixels:
    """A new array."""
    seen = cv2.GaussianBlur(picture, (0, 0), sensor.blur_px) if sensor.blur_px > 0.2 else picture
    gain = sensor.gain * (1 + sensor.breathing * math.sin(2 * math.pi * 0.7 * t_s))
    grain = chance.standard_normal(picture.shape, np.float32) * np.float32(sensor.noise)
    noisy = np.clip(seen * np.float32(gain) + grain, 0, 255).astype(np.uint8)
    packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, sensor.jpeg])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
