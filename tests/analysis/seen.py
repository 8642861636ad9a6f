"""Observations for the tests of what is made of them."""

from __future__ import annotations

from typing import Any

from agent.core.messages import FaceSeen, Observation, PersonSeen

FRAME_PX = (640, 480)


def face(track: int = 1, x: float = 100, width: float = 90, **more: Any) -> FaceSeen:
    settings: dict[str, Any] = {"score": 0.9, "quality": 0.8, "first_seen_s": 0.0, **more}
    return FaceSeen(track=track, box_px=(x, 120.0, width, width), **settings)


def person(track: int = 1, face_track: int | None = None) -> PersonSeen:
    return PersonSeen(track=track, box_px=(60.0, 90.0, 220.0, 380.0), score=0.9, first_seen_s=0.0, face=face_track)


def observation(*faces: FaceSeen, at_s: float = 0.0, frame: int = 1, persons: tuple[PersonSeen, ...] = ()) -> Observation:
    return Observation(frame=frame, taken_s=at_s, frame_px=FRAME_PX, faces=faces, embedder_id="test", engine="cpu (why)",
                       chain_ms=10.0, persons=persons)  # fmt: skip
