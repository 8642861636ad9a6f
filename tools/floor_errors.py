"""`python -m tools.floor_errors`: how far from the truth people are placed, by the demo's true camera and a usual one (docs/FLOOR.md)."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from functools import cache
from math import hypot

from agent.behaviour.ground import FACE_M, SHOULDERS_M, FloorPoint, Ground, Locator, Pair
from agent.behaviour.marking import solve
from agent.core.messages import FaceSeen, PersonSeen
from demo.view import View

CAMERAS: dict[str, tuple[View, tuple[Pair, ...]]] = {
    "demo, 40 degrees, 1.6 m": (View(), ((-1.0, 5.3), (1.0, 5.3), (1.5, 8.0), (-1.5, 8.0))),
    "70 degrees, 2.4 m": (
        View(across_deg=70.0, above_floor_m=2.4, tilt_deg=25.0),
        ((-0.9, 2.0), (0.9, 2.0), (1.2, 4.0), (-1.2, 4.0)),
    ),
}
AWAY_M = (1.0, 2.0, 3.0, 5.0)
TRIALS = 400
MARK_PX, TAPE_M = 1.0, 0.007
FACE_SPREAD, SHOULDERS_SPREAD = 0.07, 0.12
SHOULDERS_HIGH_M, FACE_HIGH_M = 1.4, 1.6
Place = Callable[[Ground, View, Pair, float, random.Random], FloorPoint | None]


def by_feet(ground: Ground, view: View, at_m: Pair, noise_px: float, chance: random.Random) -> FloorPoint | None:
    """None where they are below the picture."""
    px = _feet(view, at_m, noise_px, chance)
    return None if px is None else ground.foot(px)


def by_face(ground: Ground, view: View, at_m: Pair, noise_px: float, chance: random.Random) -> FloorPoint | None:
    return ground.face(_face(view, at_m, chance.gauss(1, FACE_SPREAD), noise_px, chance))


def by_shoulders(ground: Ground, view: View, at_m: Pair, noise_px: float, chance: random.Random) -> FloorPoint | None:
    x, y = view.project(at_m[0], SHOULDERS_HIGH_M, at_m[1])
    width = view.focal_px * SHOULDERS_M / view.depth_m(SHOULDERS_HIGH_M, at_m[1]) * chance.gauss(1, SHOULDERS_SPREAD)
    return ground.shoulders((x + chance.gauss(0, noise_px), y + chance.gauss(0, noise_px)), width + chance.gauss(0, noise_px))


def by_known_face(ground: Ground, view: View, at_m: Pair, noise_px: float, chance: random.Random) -> FloorPoint | None:
    """Somebody whose feet were seen for a second, a metre or more farther away."""
    places, times = Locator(ground), chance.gauss(1, FACE_SPREAD)
    from_m = max(at_m[1], 5.0 if view.tilt_deg < 10 else 2.0) + 2.3
    for n in range(15):
        there = (at_m[0], from_m - 0.09 * n)
        feet = _feet(view, there, noise_px, chance) if n % 3 == 0 else None
        body = PersonSeen(track=1, box_px=(0, 0, 1, 1), score=1, first_seen_s=0, feet_px=feet)
        places(body, _seen(_face(view, there, times, noise_px, chance)))
    return places(None, _seen(_face(view, at_m, times, noise_px, chance)))


def _seen(box: tuple[float, float, float, float]) -> FaceSeen:
    return FaceSeen(track=1, box_px=box, score=1, quality=1, first_seen_s=0)


def _feet(view: View, at_m: Pair, noise_px: float, chance: random.Random) -> Pair | None:
    x, y = view.project(at_m[0], 0.0, at_m[1])
    return (x + chance.gauss(0, noise_px), y + chance.gauss(0, noise_px)) if y < view.height_px else None


def _face(view: View, at_m: Pair, times: float, noise_px: float, chance: random.Random) -> tuple[float, float, float, float]:
    x, y = view.project(at_m[0], FACE_HIGH_M, at_m[1])
    width = view.focal_px * FACE_M / view.depth_m(FACE_HIGH_M, at_m[1]) * times + chance.gauss(0, noise_px)
    return x - width / 2 + chance.gauss(0, noise_px), y - width / 2 + chance.gauss(0, noise_px), width, width


PLACES: dict[str, Place] = {"feet": by_feet, "face": by_face, "face, feet seen before": by_known_face, "shoulders": by_shoulders}


def measure(camera: str, place: Place, away_m: float, noise_px: float) -> list[tuple[float, float]]:
    """Error and told standard deviation in metres, of each trial in which a place was told."""
    view, _ = CAMERAS[camera]
    points = [place(marked(camera, seed), view, (0.2, away_m), noise_px, random.Random(seed)) for seed in range(TRIALS)]  # noqa: S311 - no secrets
    return [(hypot(point.x_m - 0.2, point.y_m - away_m), point.sigma_m) for point in points if point is not None]


@cache
def marked(camera: str, seed: int) -> Ground:
    """The floor as one of many installers would mark it."""
    chance = random.Random(seed + TRIALS)  # noqa: S311 - errors of reading, no secrets
    view, places = CAMERAS[camera]
    marks = [((u + chance.gauss(0, MARK_PX), v + chance.gauss(0, MARK_PX)), (x + chance.gauss(0, TAPE_M), y + chance.gauss(0, TAPE_M)))
             for x, y in places for u, v in [view.project(x, 0.0, y)]]  # fmt: skip
    return solve(marks, (view.width_px, view.height_px)).ground


def cell(found: list[tuple[float, float]]) -> str:
    """Median error, and what 95 of 100 are within, in cm; how many were told where it is not nearly all."""
    if len(found) < TRIALS / 4:
        return "not told"
    errors = sorted(error for error, _ in found)
    told = f", {100 * len(found) // TRIALS} % told" if len(found) < 0.98 * TRIALS else ""
    return f"{100 * errors[len(errors) // 2]:.0f} ({100 * errors[int(0.95 * len(errors))]:.0f}{told})"


def main() -> int:
    for noise_px in (1.0, 2.0):
        for camera in CAMERAS:
            for name, place in PLACES.items():
                cells = [cell(measure(camera, place, away_m, noise_px)) for away_m in AWAY_M]
                print(f"| {camera}; {noise_px:.0f} px | {name} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
