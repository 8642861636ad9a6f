"""Which part of the frame is shown: all of it, or a window that follows the person concerned. Pure and smooth: no jump, no jitter.

A window has the frame's own shape, so that the picture's size never changes; `step` moves it a little towards where it should be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct

from agent.core.live import BodyBox, FaceBox, Sight
from agent.core.messages import Box

LEAST_SHARE = 0.35
"""Of the frame's width: closer would show blocks, not a person."""
MARGIN = 1.35
"""The window's height over the person's."""
SETTLE_S = 0.6
"""Time constant: after it 63 % of the way is done."""
QUIET_SHARE = 0.04
"""A target that has moved by less than this share of the frame leaves the window where it is: a box trembles by some pixels."""
HEAD_TO_BODY = 4.0
"""Where only a face is known: the person's height in heads, as far as a door's camera shows it."""


class Window(Struct, frozen=True):
    """Middle and width as shares of the frame, each 0..1; its height is the same share of the frame's height."""

    x: float = 0.5
    y: float = 0.5
    share: float = 1.0

    def box_px(self, frame_px: tuple[int, int]) -> tuple[int, int, int, int]:
        """x, y, width, height in whole pixels, within the frame."""
        width, height = frame_px
        wide, high = max(2, round(self.share * width)), max(2, round(self.share * height))
        left, top = round(self.x * width - wide / 2), round(self.y * height - high / 2)
        return min(max(0, left), width - wide), min(max(0, top), height - high), wide, high


WHOLE = Window()


def step(window: Window, target: Box | None, frame_px: tuple[int, int], elapsed_s: float) -> Window:
    """The window a moment later. `target`: the box of the person concerned in pixels; None: the whole frame is shown again."""
    wanted = WHOLE if target is None else _around(target, frame_px)
    if target is not None and _is_near(window, wanted):
        return window
    done = 1.0 - math.exp(-max(0.0, elapsed_s) / SETTLE_S)
    share = window.share + done * (wanted.share - window.share)
    return _within(window.x + done * (wanted.x - window.x), window.y + done * (wanted.y - window.y), share)


def _around(box: Box, frame_px: tuple[int, int]) -> Window:
    """What shows this box with a margin; numbers that are none show everything."""
    if not all(map(math.isfinite, box)):
        return WHOLE
    (x, y, wide, high), (width, height) = box, frame_px
    share = min(1.0, max(LEAST_SHARE, MARGIN * wide / width, MARGIN * high / height))
    return _within((x + wide / 2) / width, (y + high / 2) / height, share)


def _within(x: float, y: float, share: float) -> Window:
    """The nearest window that reaches over no edge."""
    share = min(1.0, max(LEAST_SHARE, share))
    half = share / 2
    return Window(min(1.0 - half, max(half, x)), min(1.0 - half, max(half, y)), share)


def _is_near(window: Window, wanted: Window) -> bool:
    return max(abs(window.x - wanted.x), abs(window.y - wanted.y), abs(window.share - wanted.share)) < QUIET_SHARE


def person_box(sight: Sight, face: int | None, body: int | None) -> Box | None:
    """Where the person concerned is in a frame; a face alone is taken for a head and what hangs below it. None where they are not seen."""
    found = _body(sight.bodies, face, body)
    if found is not None:
        return found.box_px
    seen = next((each for each in sight.faces or () if each.track == face), None)
    return _below(seen) if seen is not None else None


def _body(bodies: Iterable[BodyBox], face: int | None, body: int | None) -> BodyBox | None:
    return next((b for b in bodies if (body is not None and b.track == body) or (face is not None and b.face == face)), None)


def _below(face: FaceBox) -> Box:
    x, y, wide, high = face.box_px
    return x - wide, y - high / 2, 3 * wide, HEAD_TO_BODY * high
