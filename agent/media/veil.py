"""Which parts of a frame are hidden from a viewer: the heads of everybody but the person concerned. Pure; errs towards hiding.

A face is found in most frames, not in all: so each is hidden for a while after it was last seen, in a region that grows, and a body
whose face was not found has its head region hidden. A frame that nobody has looked at is hidden as a whole.
"""

from __future__ import annotations

import math

from msgspec import Struct

from agent.core.live import Sight
from agent.core.messages import Box

FACE_MARGIN = 0.45
"""Of a face's width, on each side: a detector's box ends at brows and chin, and hair and ears name people too."""
HEAD_SHARE = 0.3
"""Of a body's height, from its top: head and neck, of people who stand."""
HELD_S = 0.8
"""So long a region stays hidden after what was in it was last seen,"""
GROWTH = 1.0
"""growing by this share of its width in each second: people walk on while they are not found."""


class Subject(Struct, frozen=True):
    """The person concerned, by tracks. Nobody: both None."""

    face: int | None = None
    body: int | None = None

    def is_face(self, track: int | None) -> bool:
        return track is not None and track == self.face

    def is_body(self, track: int, face: int | None) -> bool:
        return track == self.body or self.is_face(face)


NOBODY = Subject()


class Hidden(Struct, frozen=True):
    """What is hidden in a frame."""

    everything: bool
    boxes: tuple[Box, ...] = ()


class _Held(Struct, frozen=True):
    box_px: Box
    seen_s: float


class Veil:
    """Remembers where somebody was a moment ago. Call `over` with each frame, in order."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], _Held] = {}

    def over(self, sight: Sight, subject: Subject) -> Hidden:
        """What to hide in this frame."""
        if sight.faces is None:
            return Hidden(everything=True)
        heads = _heads(sight, subject)
        if any(not all(map(math.isfinite, box)) for box in heads.values()):
            return Hidden(everything=True)
        self._held = {key: held for key, held in self._held.items()
                      if key not in heads and 0 <= sight.taken_s - held.seen_s < HELD_S and not _is_shown(key, sight, subject)}  # fmt: skip
        boxes = (*heads.values(), *(_grown(held.box_px, (sight.taken_s - held.seen_s) * GROWTH) for held in self._held.values()))
        self._held |= {key: _Held(box, sight.taken_s) for key, box in heads.items()}
        return Hidden(everything=False, boxes=boxes)


def _heads(sight: Sight, subject: Subject) -> dict[tuple[str, int], Box]:
    faces = {face.track: face for face in sight.faces or ()}
    shown = {body.face for body in sight.bodies if subject.is_body(body.track, body.face)} | {subject.face}
    found = {("face", track): _grown(face.box_px, FACE_MARGIN) for track, face in faces.items() if track not in shown}
    for body in sight.bodies:
        if not subject.is_body(body.track, body.face) and body.face not in faces:
            x, y, wide, high = body.box_px
            found["body", body.track] = _grown((x, y, wide, HEAD_SHARE * high), 0.1)
    return found


def _is_shown(key: tuple[str, int], sight: Sight, subject: Subject) -> bool:
    """Whether what is held has turned out to be the person concerned."""
    kind, track = key
    if kind == "face":
        return subject.is_face(track) or any(b.face == track and subject.is_body(b.track, b.face) for b in sight.bodies)
    return any(b.track == track and subject.is_body(b.track, b.face) for b in sight.bodies)


def _grown(box: Box, by: float) -> Box:
    """Larger on each side by a share of its width."""
    x, y, wide, high = box
    more = by * wide
    return x - more, y - more, wide + 2 * more, high + 2 * more
