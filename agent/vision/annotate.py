"""A picture that explains a decision: who was seen, how well they matched, why the door did what it did, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import cv2
import numpy as np

from agent.core.messages import EvidenceRequest, FaceSeen
from agent.vision.ring import Moment
from hw.interfaces import Pixels

Colour = tuple[int, int, int]

GREEN: Colour = (80, 175, 60)
RED: Colour = (50, 40, 205)
GREY: Colour = (150, 150, 150)
WHITE: Colour = (255, 255, 255)
INK: Colour = (30, 30, 30)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def annotate(moment: Moment, request: EvidenceRequest, taken_at: datetime) -> Pixels:
    """A new picture of the moment: banner with verdict and clock, boxes, match against threshold, reasons."""
    picture = np.ascontiguousarray(moment.frame.pixels).copy()
    # Letters must be legible whatever the camera's size: everything is laid out for 640 px of width.
    scale = max(0.5, picture.shape[1] / 640)
    colour = GREEN if request.granted else RED
    for face in moment.observation.faces:
        _draw_face(picture, face, request, colour, scale)
    _draw_banner(picture, request.headline, taken_at, colour, scale)
    _draw_detail(picture, _lines(moment, request), scale)
    if request.score is not None and request.threshold is not None:
        _draw_match(picture, request.score, request.threshold, scale)
    return picture


def _lines(moment: Moment, request: EvidenceRequest) -> list[str]:
    age_ms = (moment.frame.taken_s - request.taken_s) * 1000
    off = f" ({age_ms:+.0f} ms from the one decided on)" if abs(age_ms) >= 1 else ""
    engine = moment.observation.engine.partition(" (")[0]  # what runs the networks; why is in the health message
    frame = f"frame {moment.observation.frame}{off}   {engine}   event {request.event_id}"
    return [*request.detail, frame]


def _draw_face(picture: Pixels, face: FaceSeen, request: EvidenceRequest, colour: Colour, scale: float) -> None:
    chosen = request.track == face.track
    line = colour if chosen else GREY
    x, y, width, height = (round(value) for value in face.box_px)
    thick = round((3 if chosen else 1) * scale)
    cv2.rectangle(picture, (x, y), (x + width, y + height), line, max(1, thick), cv2.LINE_AA)
    label = f"track {face.track}  q {face.quality:.2f}  {width} px"
    _label(picture, label, (x, y + height + round(16 * scale)), 0.45 * scale, line)


def _draw_banner(picture: Pixels, headline: str, taken_at: datetime, colour: Colour, scale: float) -> None:
    height, width = round(34 * scale), picture.shape[1]
    cv2.rectangle(picture, (0, 0), (width, height), colour, cv2.FILLED)
    clock = taken_at.strftime("%Y-%m-%d %H:%M:%S.") + f"{taken_at.microsecond // 1000:03d} {taken_at.strftime('%Z')}".rstrip()
    clock_width = _write(picture, clock, None, 0.45 * scale, WHITE)
    _write(picture, clock, (width - clock_width - round(8 * scale), round(22 * scale)), 0.45 * scale, WHITE)
    room = width - clock_width - round(28 * scale)
    size = _fitting(headline, 0.7 * scale, room)
    _write(picture, headline, (round(8 * scale), round(23 * scale)), size, WHITE, round(2 * scale))


def _draw_detail(picture: Pixels, lines: Sequence[str], scale: float) -> None:
    step = round(19 * scale)
    top = picture.shape[0] - step * len(lines) - round(8 * scale)
    cv2.rectangle(picture, (0, top), (picture.shape[1], picture.shape[0]), INK, cv2.FILLED)
    for number, line in enumerate(lines, start=1):
        size = _fitting(line, 0.47 * scale, picture.shape[1] - round(16 * scale))
        _write(picture, line, (round(8 * scale), top + step * number), size, WHITE)


def _draw_match(picture: Pixels, score: float, threshold: float, scale: float) -> None:
    """A bar from cosine 0 to 1 at the right, a tick where the threshold is."""
    left, top, high = picture.shape[1] - round(46 * scale), round(56 * scale), round(200 * scale)
    right, bottom = left + round(16 * scale), top + high
    level = bottom - round(min(1.0, max(0.0, score)) * high)
    tick = bottom - round(min(1.0, max(0.0, threshold)) * high)
    colour = GREEN if score >= threshold else RED
    cv2.rectangle(picture, (left, top), (right, bottom), INK, cv2.FILLED)
    cv2.rectangle(picture, (left, level), (right, bottom), colour, cv2.FILLED)
    cv2.line(picture, (left - round(6 * scale), tick), (right + round(6 * scale), tick), WHITE, max(1, round(2 * scale)))
    text = f"match {score:.2f}", f"needs {threshold:.2f}"
    for number, line in enumerate(text):
        width = _write(picture, line, None, 0.45 * scale, WHITE)
        at = (picture.shape[1] - width - round(8 * scale), bottom + round((20 + 19 * number) * scale))
        _label(picture, line, at, 0.45 * scale, INK)


def _label(picture: Pixels, text: str, at: tuple[int, int], size: float, ground: Colour) -> None:
    (width, height), base = cv2.getTextSize(text, FONT, size, 1)
    x, y = at
    cv2.rectangle(picture, (x, y - height - 4), (x + width + 4, y + base), ground, cv2.FILLED)
    _write(picture, text, (x + 2, y), size, WHITE)


def _write(picture: Pixels, text: str, at: tuple[int, int] | None, size: float, colour: Colour, thick: int = 1) -> int:
    """Writes (unless `at` is None) and returns the width in pixels. OpenCV's fonts know ASCII only: anything else becomes '?'."""
    plain = text.encode("ascii", "replace").decode()
    if at is not None:
        cv2.putText(picture, plain, at, FONT, size, colour, max(1, thick), cv2.LINE_AA)
    (width, _), _ = cv2.getTextSize(plain, FONT, size, max(1, thick))
    return int(width)


def _fitting(text: str, size: float, room_px: int) -> float:
    """The size at which a line fits, never below the legible."""
    (width, _), _ = cv2.getTextSize(text, FONT, size, 1)
    return max(0.6 * size, size * min(1.0, room_px / max(width, 1)))
