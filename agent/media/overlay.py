"""What the browser draws over the picture, as JSON a few times a second: boxes, and what is odd. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from agent.core.conduct import Conduct, Evidence
from agent.core.evidence import sentence
from agent.core.live import Sight
from agent.core.messages import Box
from agent.core.risk import deviation_of, is_sound, lawful
from agent.media.focus import Window
from agent.media.veil import Subject

MOST_PERSONS, MOST_ITEMS, MOST_TEXT = 16, 3, 200


def overlay(sight: Sight, window: Window, subject: Subject, emotional_allowed: bool) -> dict[str, Any]:
    """Boxes in shares of the picture that the viewer sees (x, y, width, height; they may reach past its edges). What the deployment's
    profile forbids to know is not told, whatever vision says."""
    x, y, wide, high = window.box_px(sight.frame_px)

    def shares(box: Box) -> list[float]:
        return [round((box[0] - x) / wide, 3), round((box[1] - y) / high, 3), round(box[2] / wide, 3), round(box[3] / high, 3)]

    conduct = lawful(sight.conduct, emotional_allowed)[0] if sight.conduct is not None else None
    return {
        "taken_s": round(sight.taken_s, 3), "looked_at": sight.faces is not None,
        "faces": [{"track": f.track, "box": shares(f.box_px), "subject": subject.is_face(f.track)}
                  for f in (sight.faces or ())[:MOST_PERSONS]],
        "persons": [{"track": b.track, "box": shares(b.box_px), "subject": subject.is_body(b.track, b.face),
                     "items": _about(conduct, b.track, b.face)} for b in sight.bodies[:MOST_PERSONS]],
        "scene": _told(conduct.scene) if conduct is not None else [],
    }  # fmt: skip


def _about(conduct: Conduct | None, body: int, face: int | None) -> list[str]:
    people = conduct.persons if conduct is not None else ()
    known = next((p for p in people if p.body == body or (face is not None and p.face == face)), None)
    return _told(known.evidence) if known is not None else []


def _told(evidence: tuple[Evidence, ...]) -> list[str]:
    """The oddest first; what is usual here would only stand before the picture."""
    odd = sorted((each for each in evidence if is_sound(each) and deviation_of(each) > 0), key=lambda each: -deviation_of(each))
    return [sentence(each)[:MOST_TEXT] for each in odd[:MOST_ITEMS]]


def encode(told: dict[str, Any]) -> str:
    return msgspec.json.encode(told).decode()
