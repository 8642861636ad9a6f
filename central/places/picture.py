"""A floor plan as it comes in: looked at before it is opened, opened, and written anew, so that nothing but pixels is kept.

PNG (ISO/IEC 15948: eight bytes of signature, then IHDR with width and height) and JPEG (ITU-T T.81: segments by marker, size in SOFn).
SVG is refused: it is a program as much as a picture.
"""

from __future__ import annotations

import struct
import threading
from typing import Any

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from central.gateway.asking import Unfit

MOST_BYTES = 10 * 1024 * 1024
MOST_PIXELS = 40_000_000
"""Up to 320 MB while it is open: enough for an A0 plan at 200 dots an inch in colour."""
OPENING = threading.Lock()
"""One picture at a time, whoever sends them: a file of some kilobytes may unpack to all of these pixels."""
STRIP_ROWS = 256
LEAST_SIDE_PX = 64
KEPT_SIDE_PX = 4096
"""The longer side of what is kept: phones refuse to draw larger ones."""
MOST_PNG_BYTES = 4 * 1024 * 1024
"""A scan with noise is kept as JPEG: lossless it would be larger than what came in."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_SOF = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})

Pixels = NDArray[np.uint8]


class Picture(Struct, frozen=True, kw_only=True):
    """What is kept of an upload. `content_type` is image/png or image/jpeg."""

    data: bytes
    content_type: str
    width_px: int
    height_px: int


def taken_in(body: bytes) -> Picture:
    """A PNG or JPEG, checked and written anew. Raises Unfit (413, 415 or 422) with what is allowed."""
    if len(body) > MOST_BYTES:
        raise Unfit(
            413, "too_large", f"the picture has {len(body) / 2**20:.1f} MiB; at most {MOST_BYTES / 2**20:.0f} MiB are allowed"
        )
    _check_size(*size_told(body))
    with OPENING:
        return _written_anew(body)


def _written_anew(body: bytes) -> Picture:
    pixels = _fitted(_opened(body))
    is_png = body.startswith(_PNG)
    data = _written(".png", pixels) if is_png else b""
    if not data or len(data) > MOST_PNG_BYTES:
        is_png, data = False, _written(".jpg", pixels)
    height_px, width_px = pixels.shape[:2]
    return Picture(data=data, content_type="image/png" if is_png else "image/jpeg", width_px=width_px, height_px=height_px)


def size_told(body: bytes) -> tuple[int, int]:
    """Width and height in pixels as the file's head says them, before anything is unpacked. Raises Unfit."""
    if body.startswith(_PNG) and body[12:16] == b"IHDR" and len(body) >= 24:
        width_px, height_px = struct.unpack(">II", body[16:24])
        return width_px, height_px
    found = _jpeg_size(body) if body.startswith(_JPEG) else None
    if found is None:
        raise Unfit(
            415, "no_picture", "this is no PNG and no JPEG; export the floor plan as one of these (SVG and PDF are not taken)"
        )
    return found


def _jpeg_size(body: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(body) and body[at] == 0xFF:
        marker, length = body[at + 1], int.from_bytes(body[at + 2 : at + 4], "big")
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _SOF:
            height_px, width_px = struct.unpack(">HH", body[at + 5 : at + 9])
            return width_px, height_px
        at += 2 + max(2, length)
    return None


def _check_size(width_px: int, height_px: int) -> None:
    if min(width_px, height_px) < LEAST_SIDE_PX:
        raise Unfit(
            422, "too_small", f"the picture is {width_px} x {height_px} px; at least {LEAST_SIDE_PX} px each way are needed"
        )
    if width_px * height_px > MOST_PIXELS:
        most = MOST_PIXELS // 1_000_000
        raise Unfit(
            422, "too_many_pixels", f"the picture is {width_px} x {height_px} px; at most {most} million pixels are allowed"
        )


def _opened(body: bytes) -> Pixels:
    """Three channels of 8 bits; what is transparent lies on white paper."""
    flags = cv2.IMREAD_UNCHANGED if body.startswith(_PNG) else cv2.IMREAD_COLOR
    try:
        found = cv2.imdecode(np.frombuffer(body, np.uint8), flags)
    except cv2.error:
        found = None
    if found is None:
        raise Unfit(422, "damaged", "the picture cannot be opened: it is damaged or cut off")
    if found.ndim == 3 and found.shape[2] == 3 and found.dtype == np.uint8:
        return np.asarray(found, np.uint8)
    paper = np.empty((*found.shape[:2], 3), np.uint8)
    for top in range(0, len(found), STRIP_ROWS):  # by strips: what lies between the two takes memory, too
        paper[top : top + STRIP_ROWS] = _on_paper(found[top : top + STRIP_ROWS])
    return paper


def _on_paper(found: NDArray[Any]) -> Pixels:
    pixels = np.asarray(found if found.dtype == np.uint8 else found // 257, np.uint8)
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[:, :, 3:].astype(np.uint16)
    return np.asarray((pixels[:, :, :3] * alpha + 255 * (255 - alpha)) // 255, np.uint8)


def _fitted(pixels: Pixels) -> Pixels:
    height_px, width_px = pixels.shape[:2]
    scale = KEPT_SIDE_PX / max(height_px, width_px)
    if scale >= 1.0:
        return pixels
    size = max(1, round(width_px * scale)), max(1, round(height_px * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _written(ending: str, pixels: Pixels) -> bytes:
    done, data = cv2.imencode(ending, pixels, [cv2.IMWRITE_JPEG_QUALITY, 88] if ending == ".jpg" else [])
    if not done:
        raise Unfit(422, "damaged", "the picture cannot be kept: it could not be written anew")
    return data.tobytes()
