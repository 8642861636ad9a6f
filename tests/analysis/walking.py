"""Observations of people who walk over an assumed floor, as the demo's camera would see their faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent.behaviour.ground import Ground, assumed_ground
from agent.core.messages import Attention, FaceSeen, Gaze, HeadPose, Observation
from tests.analysis.seen import FRAME_PX, observation

GROUND: Ground = assumed_ground(FRAME_PX, 70.0, 2.0, 15.0)
FACE_M, HIGH_M = 0.15, 1.6
Way = Callable[[float], tuple[float, float] | None]


def straight(start: tuple[float, float], end: tuple[float, float], from_s: float, until_s: float) -> Way:
    """From a place to a place at an even pace; nobody before and after."""

    def at(now_s: float) -> tuple[float, float] | None:
        share = (now_s - from_s) / (until_s - from_s)
        return (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])) if 0 <= share <= 1 else None

    return at


def looks(yaw_deg: float) -> Attention:
    """A face that could be measured, looking so far to the picture's right."""
    head = HeadPose(yaw_deg=yaw_deg, pitch_deg=0.0, roll_deg=0.0, confidence=1.0)
    return Attention(head=head, gaze=Gaze(yaw_deg=yaw_deg, pitch_deg=0.0, confidence=1.0), away=abs(yaw_deg) > 28)


def face_at(track: int, place: tuple[float, float], attention: Attention | None) -> FaceSeen | None:
    """None where the camera does not see it."""
    camera, at_px = GROUND.camera, GROUND.to_px(place, HIGH_M)
    if camera is None or at_px is None or not (0 <= at_px[0] < FRAME_PX[0] and 0 <= at_px[1] < FRAME_PX[1]):
        return None
    width = camera.focal_px * FACE_M / _depth_m(place)
    box = (at_px[0] - width / 2, at_px[1] - width / 2, width, width)
    return FaceSeen(track=track, box_px=box, score=0.9, quality=0.8, first_seen_s=0.0, attention=attention)


def _depth_m(place: tuple[float, float]) -> float:
    camera = GROUND.camera
    assert camera is not None
    apart = (place[0] - camera.at_m[0], place[1] - camera.at_m[1], HIGH_M - camera.at_m[2])
    return sum(a * b for a, b in zip(apart, camera.forward, strict=True))


def walked(ways: Sequence[Way], seconds: float, yaw_deg: Callable[[float], float | None] = lambda now_s: 0.0,
           rate: float = 15.0) -> Iterator[Observation]:  # fmt: skip
    """What is seen of people with faces 1, 2, 3 …; `yaw_deg` is everybody's head over time, None where it cannot be measured."""
    for n in range(round(seconds * rate)):
        now_s = n / rate
        yaw = yaw_deg(now_s)
        attention = Attention(abstained="too_dark") if yaw is None else looks(yaw)
        places = [(track, way(now_s)) for track, way in enumerate(ways, start=1)]
        faces = [face_at(track, place, attention) for track, place in places if place is not None]
        yield observation(*(face for face in faces if face is not None), at_s=now_s, frame=n + 1)
