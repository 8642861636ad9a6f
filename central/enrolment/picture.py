"""A picture that somebody sent, to pixels: looked at by its head before anything of it is unpacked."""

from __future__ import annotations

import cv2
import numpy as np

from central.gateway.asking import Unfit
from central.places.picture import OPENING, size_told
from hw.interfaces import Pixels

MOST_BYTES = 12 << 20
LEAST_SIDE_PX = 160
MOST_PIXELS = 40_000_000


def pixels_of(body: bytes) -> Pixels:
    """Height x width x 3, BGR, upright as its camera said. Raises Unfit with what is allowed."""
    if len(body) > MOST_BYTES:
        raise Unfit(413, "too_large", f"the picture has {len(body) / 2**20:.1f} MiB; at most {MOST_BYTES >> 20} are allowed")
    try:
        width_px, height_px = size_told(body)
    except Unfit as error:
        raise Unfit(415, "no_picture", "this is no JPEG and no PNG; send a photograph as one of these") from error
    if min(width_px, height_px) < LEAST_SIDE_PX or width_px * height_px > MOST_PIXELS:
        most = MOST_PIXELS // 1_000_000
        raise Unfit(422, "unfit_size", f"the picture is {width_px} x {height_px} px; allowed: at least {LEAST_SIDE_PX} px each way, "
                                       f"at most {most} million pixels")  # fmt: skip
    try:
        with OPENING:
            pixels = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise Unfit(422, "broken_picture", "the picture is broken: send it again") from error
    if pixels is None:
        raise Unfit(422, "broken_picture", "the picture is broken: send it again")
    return np.asarray(pixels, np.uint8)
