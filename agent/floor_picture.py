"""What `doorward floor show` draws: the floor over the camera's picture, and beside it the plan from above."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil, floor, hypot

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.behaviour.floor import FloorPlan, Line, Zone
from agent.behaviour.ground import FACE_M, Camera, Ground, Pair
from agent.behaviour.marking import Mark
from agent.vision.drawing import AMBER, BLUE, GREEN, GREY, INK, RED, WHITE, Colour, width_px, write
from hw.interfaces import Pixels

HEIGHT_PX = 720
FOOT_PX = 62
PAPER: Colour = (247, 249, 250)
UNSEEN: Colour = (226, 228, 230)
GRID: Colour = (208, 208, 208)
CYAN: Colour = (200, 150, 0)
KINDS: dict[str, Colour] = {"restricted": RED, "threshold": GREEN, "approach": BLUE, "public": GREY}
FACE_HIGH_M = 1.6
FILL = 0.24
PIECE_M = 0.1
"""Edges are drawn in pieces so long: of a piece behind the camera nothing is drawn."""
ARROW_M = 0.35
Reals = NDArray[np.float64]
_Place = Callable[[Pair], Pair]
"""A place on the floor to its place in the picture."""


class Told(Struct, frozen=True, kw_only=True):
    """What is written below, and the marks."""

    line: str
    more: str
    marks: tuple[Mark, ...] = ()


def both(pixels: Pixels, plan: FloorPlan, told: Told) -> Pixels:
    """A new picture: the camera's (height x width x 3, BGR) with the floor in it, the plan at its right, words below."""
    width = round(pixels.shape[1] * HEIGHT_PX / pixels.shape[0])
    way = cv2.INTER_CUBIC if width > pixels.shape[1] else cv2.INTER_AREA
    picture = np.ascontiguousarray(cv2.resize(pixels, (width, HEIGHT_PX), interpolation=way), np.uint8)
    times = HEIGHT_PX / pixels.shape[0]
    _draw_over(picture, plan, told, times)
    right = from_above(plan, told, HEIGHT_PX)
    whole = np.zeros((HEIGHT_PX + FOOT_PX, width + right.shape[1], 3), np.uint8)
    whole[:HEIGHT_PX, :width], whole[:HEIGHT_PX, width:], whole[HEIGHT_PX:] = picture, right, INK
    write(whole, told.line, (16, HEIGHT_PX + 26), 0.58, WHITE)
    write(whole, told.more, (16, HEIGHT_PX + 50), 0.5, GRID)
    return whole


# -- over the camera's picture -------------------------------------------------------------------------------------------------------


def _draw_over(picture: Pixels, plan: FloorPlan, told: Told, times: float) -> None:
    camera = plan.ground.camera
    if camera is not None:
        for zone in reversed(plan.zones):
            _fill(picture, camera, zone, times)
        _draw_grid(picture, plan, camera, times)
        for zone in plan.zones:
            _draw_edge(picture, camera, [*zone.corners_m, *zone.corners_m[:1]], KINDS[zone.kind], 2, times)
        for line in plan.lines:
            _draw_edge(picture, camera, [line.from_m, line.to_m], CYAN, 4, times)
            _draw_arrow(picture, line, lambda at_m: _scaled(camera.to_px((*at_m, 0.0)), times))
        for zone in plan.zones:
            _name_zone(picture, zone, _scaled(_middle_px(camera, zone, picture, times), times))
        _draw_marks(picture, camera, told.marks, times)
    _draw_ruler(picture, times)


def _fill(picture: Pixels, camera: Camera, zone: Zone, times: float) -> None:
    """Every pixel whose floor lies in the zone: no edge has to be cut off where it runs behind the camera."""
    if not zone.corners_m:
        return
    below = _zone_mask(camera, zone, picture.shape[1], picture.shape[0], times)
    colour = np.array(KINDS[zone.kind], np.float32)
    picture[below] = (picture[below] * (1 - FILL) + colour * FILL).astype(np.uint8)


def _zone_mask(camera: Camera, zone: Zone, width: int, height: int, times: float) -> NDArray[np.bool_]:
    x, y = _floor_of_pixels(camera, width, height, times)
    mask = np.zeros((height, width), bool)
    corners = zone.corners_m
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        if y0 != y1:
            mask ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return mask


def _floor_of_pixels(camera: Camera, width: int, height: int, times: float) -> tuple[Reals, Reals]:
    """Metres of each pixel; far away above the horizon."""
    across, down = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    across, down = (
        (across / times - camera.middle_px[0]) / camera.focal_px,
        (down / times - camera.middle_px[1]) / camera.focal_px,
    )
    right, below, forward = camera.right, camera.down, camera.forward
    x, y, z = (right[i] * across + below[i] * down + forward[i] for i in range(3))
    depth = np.where(z < -1e-4, -camera.at_m[2] / np.minimum(z, -1e-4), 1e6)
    return camera.at_m[0] + depth * x, camera.at_m[1] + depth * y


def _draw_grid(picture: Pixels, plan: FloorPlan, camera: Camera, times: float) -> None:
    left, right, near, far = extent(plan)
    over = picture.copy()
    for x in range(ceil(left), floor(right) + 1):
        _draw_edge(over, camera, [(x, max(near, 0.0)), (x, far)], WHITE, 2 if x == 0 else 1, times)
    for y in range(max(ceil(near), 0), floor(far) + 1):
        _draw_edge(over, camera, [(left, y), (right, y)], WHITE, 1, times)
    cv2.addWeighted(over, 0.55, picture, 0.45, 0, picture)
    for y in range(1, floor(far) + 1):
        at = _scaled(camera.to_px((0.0, float(y), 0.0)), times)
        if at is not None and _inside(picture, at):
            _tag(picture, f"{y} m", (round(at[0]) + 4, round(at[1]) - 4), INK)


def _draw_edge(picture: Pixels, camera: Camera, corners: Sequence[Pair], colour: Colour, thick: int, times: float) -> None:
    points = [_scaled(camera.to_px((*at_m, 0.0)), times) for at_m in _fine(corners)]
    for a, b in pairwise(points):
        if a is not None and b is not None and _near(picture, a) and _near(picture, b):
            cv2.line(picture, _whole(a), _whole(b), colour, thick, cv2.LINE_AA)


def _draw_marks(picture: Pixels, camera: Camera, marks: Sequence[Mark], times: float) -> None:
    for number, (px, m) in enumerate(marks, start=1):
        at, fitted = _scaled(px, times), _scaled(camera.to_px((*m, 0.0)), times)
        if at is None or fitted is None:
            continue
        large = 7 if len(marks) <= 8 else 3
        cv2.circle(picture, _whole(at), large, WHITE, 3, cv2.LINE_AA)
        cv2.circle(picture, _whole(at), large, INK, 1, cv2.LINE_AA)
        cv2.line(picture, _whole(at), _whole(fitted), AMBER, 2, cv2.LINE_AA)
        if len(marks) <= 8:
            _tag(picture, str(number), (round(at[0]) + 10, round(at[1]) + 5), INK)


def _draw_ruler(picture: Pixels, times: float) -> None:
    """Pixels of the camera's own picture along its edges, so that points can be read off."""
    height, width = picture.shape[:2]
    for px in range(0, round(width / times) + 1, 20):
        long = 12 if px % 100 == 0 else 5
        x = round(px * times)
        cv2.line(picture, (x, 0), (x, long), WHITE, 1)
        if px % 100 == 0 and px > 0:
            _tag(picture, str(px), (x + 3, 14), INK, 0.38)
    for px in range(0, round(height / times) + 1, 20):
        long = 12 if px % 100 == 0 else 5
        y = round(px * times)
        cv2.line(picture, (0, y), (long, y), WHITE, 1)
        if px % 100 == 0 and px > 0:
            _tag(picture, str(px), (15, y + 4), INK, 0.38)


def _middle_px(camera: Camera, zone: Zone, picture: Pixels, times: float) -> Pair | None:
    """The middle of what the picture shows of a zone, in the camera's pixels."""
    if not zone.corners_m:
        return None
    rows, columns = np.nonzero(_zone_mask(camera, zone, picture.shape[1] // 4, picture.shape[0] // 4, times / 4))
    return (float(np.median(columns)) * 4 / times, float(np.median(rows)) * 4 / times) if len(rows) else None


def _name_zone(picture: Pixels, zone: Zone, at: Pair | None) -> None:
    if at is not None and zone.corners_m:
        _tag(picture, zone.name, (round(at[0]) - width_px(zone.name, 0.5) // 2, round(at[1])), KINDS[zone.kind], 0.5)


# -- from above ----------------------------------------------------------------------------------------------------------------------


def extent(plan: FloorPlan) -> tuple[float, float, float, float]:
    """Left, right, near and far edge of what is worth drawing, in metres."""
    places = [corner for zone in plan.zones for corner in zone.corners_m] + [
        end for line in plan.lines for end in (line.from_m, line.to_m)
    ]
    xs, ys = [x for x, _ in places] or [0.0], [y for _, y in places] or [0.0]
    wide = min(max(2.6, *(abs(x) + 0.3 for x in xs)), 6.0)
    return -wide, wide, -0.7, min(max(5.3, max(ys) + 0.5), 12.0)


def from_above(plan: FloorPlan, told: Told, height: int) -> Pixels:
    """The plan as a picture so high, the door at its lower edge."""
    left, right, near, far = extent(plan)
    times = height / (far - near)
    picture = np.full((height, round((right - left) * times), 3), PAPER, np.uint8)

    def onto(at_m: Pair) -> Pair:
        return (at_m[0] - left) * times, (far - at_m[1]) * times

    _shade_unseen(picture, plan.ground, (left, far, times))
    for zone in reversed(plan.zones):
        if zone.corners_m:
            _plan_zone(picture, zone, [onto(corner) for corner in zone.corners_m])
    _plan_grid(picture, (left, right, near, far), onto)
    _plan_door(picture, onto, times)
    _plan_faces(picture, plan.ground, far, onto, times)
    for line in plan.lines:
        cv2.line(picture, _whole(onto(line.from_m)), _whole(onto(line.to_m)), CYAN, 3, cv2.LINE_AA)
        _draw_arrow(picture, line, onto)
    for _, m in told.marks:
        cv2.circle(picture, _whole(onto(m)), 4, INK, cv2.FILLED, cv2.LINE_AA)
    for zone in plan.zones:
        if zone.corners_m:
            xs, ys = zip(*zone.corners_m, strict=True)
            x, y = onto((min(xs), min(max(ys), far)))
            words = zone.name if zone.no_linger_s is None else f"{zone.name}: {zone.no_linger_s:.0f} s"
            left_px = min(max(6, round(x) + 6), picture.shape[1] - width_px(words, 0.48) - 6)
            write(picture, words, (left_px, max(round(y), 0) + 18), 0.48, KINDS[zone.kind])
    return picture


def _shade_unseen(picture: Pixels, ground: Ground, onto: tuple[float, float, float]) -> None:
    """What of the floor the camera does not see."""
    camera, (left, far, times) = ground.camera, onto
    if camera is None:
        return
    height, width = picture.shape[:2]
    across, down = np.meshgrid(left + (np.arange(width) + 0.5) / times, far - (np.arange(height) + 0.5) / times)
    apart = (across - camera.at_m[0], down - camera.at_m[1], -camera.at_m[2])
    u, v, depth = (sum(way[i] * apart[i] for i in range(3)) for way in (camera.right, camera.down, camera.forward))
    deep, (half_wide, half_high) = np.maximum(depth, 1e-6) / camera.focal_px, camera.middle_px
    seen = (depth > 0.05) & (np.abs(u) <= half_wide * deep) & (np.abs(v) <= half_high * deep)
    picture[~seen] = UNSEEN


def _plan_zone(picture: Pixels, zone: Zone, corners: Sequence[Pair]) -> None:
    points = np.round(corners).astype(np.int32)
    over = picture.copy()
    cv2.fillPoly(over, [points], KINDS[zone.kind], cv2.LINE_AA)
    cv2.addWeighted(over, 0.16, picture, 0.84, 0, picture)
    cv2.polylines(picture, [points], True, KINDS[zone.kind], 2, cv2.LINE_AA)


def _plan_grid(picture: Pixels, edges: tuple[float, float, float, float], onto: _Place) -> None:
    left, right, near, far = edges
    for x in range(ceil(left), floor(right) + 1):
        cv2.line(picture, _whole(onto((x, near))), _whole(onto((x, far))), GRID, 1)
    for y in range(ceil(near), floor(far) + 1):
        cv2.line(picture, _whole(onto((left, y))), _whole(onto((right, y))), GRID, 1)
        if y > 0:
            at = onto((left, y))
            write(picture, f"{y} m", (4, round(at[1]) - 4), 0.4, (120, 120, 120))


def _plan_door(picture: Pixels, onto: _Place, times: float) -> None:
    """The wall, and the door leaf in it."""
    thick = max(3, round(0.1 * times))
    y = round(onto((0.0, -0.06))[1])
    cv2.line(picture, (0, y), (picture.shape[1], y), (150, 150, 150), thick)
    cv2.line(picture, (round(onto((-0.5, 0.0))[0]), y), (round(onto((0.5, 0.0))[0]), y), INK, thick)
    write(picture, "door", (round(onto((0.0, 0.0))[0]) - 17, y + 5), 0.42, WHITE)


def _plan_faces(picture: Pixels, ground: Ground, far: float, onto: _Place, times: float) -> None:
    """How surely a face is placed: a circle of one standard deviation at each metre."""
    camera = ground.camera
    if camera is None:
        return
    for y in range(1, floor(far) + 1):
        at = camera.to_px((0.0, float(y), FACE_HIGH_M))
        width = camera.focal_px * FACE_M / max(camera.depth_m((0.0, float(y)), FACE_HIGH_M), 0.1)
        found = None if at is None else ground.face((at[0] - width / 2, at[1] - width / 2, width, width))
        if found is not None:
            middle = onto((0.0, float(y)))
            cv2.circle(picture, _whole(middle), max(2, round(found.sigma_m * times)), (140, 120, 100), 1, cv2.LINE_AA)
            write(picture, f"{100 * found.sigma_m:.0f} cm", (round(middle[0]) + 5, round(middle[1]) - 5), 0.38, (120, 100, 80))


# -- strokes -------------------------------------------------------------------------------------------------------------------------


def _draw_arrow(picture: Pixels, line: Line, onto: Callable[[Pair], Pair | None]) -> None:
    """Which way is in."""
    (x0, y0), (x1, y1) = line.from_m, line.to_m
    middle, length = ((x0 + x1) / 2, (y0 + y1) / 2), max(hypot(x1 - x0, y1 - y0), 1e-9)
    sign = ARROW_M / length if line.inside == "left" else -ARROW_M / length
    start, tip = onto(middle), onto((middle[0] - sign * (y1 - y0), middle[1] + sign * (x1 - x0)))
    if start is not None and tip is not None and _near(picture, start) and _near(picture, tip):
        cv2.arrowedLine(picture, _whole(start), _whole(tip), CYAN, 3, cv2.LINE_AA, tipLength=0.4)


def _fine(corners: Sequence[Pair]) -> list[Pair]:
    places: list[Pair] = []
    for (x0, y0), (x1, y1) in pairwise(corners):
        count = max(1, ceil(hypot(x1 - x0, y1 - y0) / PIECE_M))
        places += [(x0 + (x1 - x0) * n / count, y0 + (y1 - y0) * n / count) for n in range(count + 1)]
    return places


def _tag(picture: Pixels, words: str, at: tuple[int, int], ground: Colour, size: float = 0.42) -> None:
    """Words on a ground of their own, dark enough to be read on anything."""
    wide, high = width_px(words, size), round(24 * size)
    x, y = max(2, min(at[0], picture.shape[1] - wide - 4)), max(high + 2, min(at[1], picture.shape[0] - 6))
    cut = picture[y - high - 1 : y + 5, x - 2 : x + wide + 3]
    cut[:] = (cut * 0.35 + np.array(ground) * 0.65).astype(np.uint8)
    write(picture, words, (x, y), size, WHITE)


def _scaled(px: Pair | None, times: float) -> Pair | None:
    return None if px is None else (px[0] * times, px[1] * times)


def _inside(picture: Pixels, at: Pair) -> bool:
    return bool(0 <= at[0] < picture.shape[1] and 0 <= at[1] < picture.shape[0])


def _near(picture: Pixels, at: Pair) -> bool:
    """Far outside, pixels are too many for OpenCV."""
    return bool(-4000 < at[0] < picture.shape[1] + 4000 and -4000 < at[1] < picture.shape[0] + 4000)


def _whole(at: Pair) -> tuple[int, int]:
    return round(at[0]), round(at[1])
