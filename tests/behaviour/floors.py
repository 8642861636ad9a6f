"""Cameras whose place is known, and floors marked for them: the demo's View is the world's truth."""

from __future__ import annotations

import random
from collections.abc import Sequence

from agent.behaviour.ground import Pair
from agent.behaviour.marking import Mark
from demo.view import View

FRAME_PX = (640, 480)
DOOR = View()
"""The demo's camera sees the floor from 4.8 m on."""
HIGH = View(across_deg=70.0, above_floor_m=2.4, tilt_deg=25.0)
FAR_PLACES = ((-1.0, 5.2), (1.0, 5.2), (1.5, 8.0), (-1.5, 8.0))
NEAR_PLACES = ((-0.9, 2.0), (0.9, 2.0), (1.2, 4.0), (-1.2, 4.0))


def seen(view: View, at_m: Pair, height_m: float = 0.0) -> Pair:
    return view.project(at_m[0], height_m, at_m[1])


def marked(view: View, places: Sequence[Pair], noise_px: float = 0.0, seed: int = 0) -> list[Mark]:
    """What an installer reads off the picture, and types."""
    chance = random.Random(seed)
    points = [(place, seen(view, place)) for place in places]
    return [((px[0] + chance.gauss(0, noise_px), px[1] + chance.gauss(0, noise_px)), place) for place, px in points]


def face_box(view: View, at_m: Pair, high_m: float = 1.6, noise_px: float = 0.0) -> tuple[float, float, float, float]:
    x, y = seen(view, at_m, high_m)
    width = view.focal_px * 0.15 / view.depth_m(high_m, at_m[1]) + noise_px
    return x - width / 2, y - width / 2, width, width


def toml_of(marks: Sequence[Mark], more: str = "") -> str:
    points = "".join(f"[[points]]\npx = [{px[0]!r}, {px[1]!r}]\nm = [{m[0]!r}, {m[1]!r}]\n" for px, m in marks)
    return f"frame_px = [{FRAME_PX[0]}, {FRAME_PX[1]}]\n{points}{more}"
