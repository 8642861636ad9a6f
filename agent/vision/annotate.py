"""A picture that explains a decision: who was seen, how well they matched, why the door did what it did, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import cv2
import numpy as np

from agent.core.messages import EvidenceRequest, FaceSeen
from agent.vision.drawing import GREEN, GREY, INK, RED, WHITE, Colour, fitting, label, scale_of, width_px, write
from agent.vision.ring import Moment
from hw.interfaces import Pixels


def annotate(moment: Moment, request: EvidenceRequest, taken_at: datetime) -> Pixels:
    """A new picture of the moment: banner with verdict and clock, boxes, match against threshold, reasons."""
    picture = np.ascontiguousarray(moment.frame.pixels).copy()
    scale = scale_of(picture)
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
    alive = f"  {face.liveness.verdict}" if face.liveness is not None else ""
    words = f"track {face.track}  q {face.quality:.2f}  {width} px{alive}"
    label(picture, words, (x, y + height + round(16 * scale)), 0.45 * scale, line)


def _draw_banner(picture: Pixels, headline: str, taken_at: datetime, colour: Colour, scale: float) -> None:
    height, width = round(34 * scale), picture.shape[1]
    cv2.rectangle(picture, (0, 0), (width, height), colour, cv2.FILLED)
    clock = taken_at.strftime("%Y-%m-%d %H:%M:%S.") + f"{taken_at.microsecond // 1000:03d} {taken_at.strftime('%Z')}".rstrip()
    clock_width = width_px(clock, 0.45 * scale)
    write(picture, clock, (width - clock_width - round(8 * scale), round(22 * scale)), 0.45 * scale, WHITE)
    room = width - clock_width - round(28 * scale)
    size = fitting(headline, 0.7 * scale, room)
    write(picture, headline, (round(8 * scale), round(23 * scale)), size, WHITE, round(2 * scale))


def _draw_detail(picture: Pixels, lines: Sequence[str], scale: float) -> None:
    step = round(19 * scale)
    top = picture.shape[0] - step * len(lines) - round(8 * scale)
    cv2.rectangle(picture, (0, top), (picture.shape[1], picture.shape[0]), INK, cv2.FILLED)
    for number, line in enumerate(lines, start=1):
        size = fitting(line, 0.47 * scale, picture.shape[1] - round(16 * scale))
        write(picture, line, (round(8 * scale), top + step * number), size, WHITE)


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
        width = width_px(line, 0.45 * scale)
        at = (picture.shape[1] - width - round(8 * scale), bottom + round((20 + 19 * number) * scale))
        label(picture, line, at, 0.45 * scale, INK)
