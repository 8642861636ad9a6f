"""How a head should be turned for a picture, and a sentence that says what to do. Pure; angles are agent.core.messages.HeadPose."""

from __future__ import annotations

from collections.abc import Iterable

from agent.core.messages import HeadPose, Pose

POSES: tuple[Pose, ...] = ("front", "left", "right")
"""As the person has them: `left` is turned to their own left. People come to a door from both sides of its camera."""

FRONT_DEG, MOST_TURN_DEG, MOST_NOD_DEG = 10.0, 35.0, 25.0

ASK: dict[Pose, str] = {
    "front": "look straight into the camera",
    "left": "turn the head a little to your left, and keep looking ahead of you",
    "right": "turn the head a little to your right, and keep looking ahead of you",
}


def pose_of(head: HeadPose) -> Pose | None:
    """None where it is turned too far for any. The picture is not mirrored: who turns to their left shows their nose on its right."""
    if abs(head.yaw_deg) > MOST_TURN_DEG or abs(head.pitch_deg) > MOST_NOD_DEG:
        return None
    if abs(head.yaw_deg) <= FRONT_DEG:
        return "front"
    return "left" if head.yaw_deg > 0 else "right"


def correction(head: HeadPose) -> str:
    """What to do where the head fits no pose."""
    if abs(head.pitch_deg) > MOST_NOD_DEG:
        return "hold the head level: " + ("a little lower" if head.pitch_deg > 0 else "a little higher")
    return "that is too far: turn back a little"


def next_wanted(done: Iterable[Pose]) -> tuple[Pose, ...]:
    had = set(done)
    return tuple(pose for pose in POSES if pose not in had)


def ask_next(done: Iterable[Pose]) -> str:
    """What to do when a picture was good."""
    wanted = next_wanted(done)
    return f"good; now {ASK[wanted[0]]}" if wanted else "good; all pictures are there"
