"""The entrance that the demo's camera looks into, drawn once: a ray for each pixel meets floor, walls, ceiling or the glass doors.

Everything is measured in metres in the axes of demo.view, so people who are placed by metres stand on this floor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.view import View
from hw.interfaces import Pixels

HALF_WIDTH_M = 1.5
CEILING_M = 2.65
END_M = 8.0
LAMPS_M = (2.2, 4.6, 7.0)
"""Where along the corridor the ceiling lamps hang."""
LAMP_HALF_M = (0.55, 0.16)
FINER = 2
"""Rays for each pixel's side: edges come out smooth."""
STRIP_ROWS = 32 * FINER

Reals = NDArray[np.floating[Any]]
_FLOOR, _CEILING, _LEFT, _RIGHT, _END = range(5)


def draw_corridor(view: View, seed: int) -> Pixels:
    """The empty scene, BGR; the same seed gives the same specks in floor and plaster."""
    fine = View(width_px=view.width_px * FINER, height_px=view.height_px * FINER, across_deg=view.across_deg,
                above_floor_m=view.above_floor_m, tilt_deg=view.tilt_deg)  # fmt: skip
    strips = [_strip(fine, row, seed) for row in range(0, fine.height_px, STRIP_ROWS)]
    # A camera's curve: highlights roll off instead of clipping, then gamma 2.2 as in sRGB.
    light = np.maximum(np.concatenate(strips), 0)  # some seeds make specks darker than black
    display = (1 - np.exp(-1.35 * light)) ** (1 / 2.2)
    return np.asarray(np.clip(display * 255, 0, 255), np.uint8)


def _strip(fine: View, first_row: int, seed: int) -> Reals:
    """A few rows of the picture in linear light, each pixel the mean of its rays; in strips it needs little memory."""
    rows = min(STRIP_ROWS, fine.height_px - first_row)
    eye = np.array([0.0, fine.above_floor_m, 0.0], np.float32)
    colour = _seen(np.broadcast_to(eye, (rows * fine.width_px, 3)), _rays(fine, first_row, rows), seed, mirror=True)
    return np.asarray(colour.reshape(rows // FINER, FINER, fine.width_px // FINER, FINER, 3).mean(axis=(1, 3)))


def _rays(view: View, first_row: int, count: int) -> Reals:
    """Unit directions, one for each pixel of these rows, row by row."""
    columns = np.arange(view.width_px, dtype=np.float32) + 0.5 - view.width_px / 2
    rows = np.arange(first_row, first_row + count, dtype=np.float32) + 0.5 - view.height_px / 2
    x, down = np.meshgrid(columns / view.focal_px, rows / view.focal_px)
    tilt = np.radians(view.tilt_deg)
    y = -down * np.cos(tilt) - np.sin(tilt)
    z = np.cos(tilt) - down * np.sin(tilt)
    rays = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True), np.float32)


def _seen(origins: Reals, rays: Reals, seed: int, *, mirror: bool) -> Reals:
    """Linear BGR light that comes back along each ray; a polished floor shows the room once more, faintly."""
    points, surface = _meet(origins, rays)
    colour = np.zeros_like(points)
    for number, paint in ((_FLOOR, _floor), (_CEILING, _ceiling), (_LEFT, _left), (_RIGHT, _right), (_END, _end)):
        here = surface == number
        if here.any():
            colour[here] = paint(points[here], seed)
    if mirror:
        floor = surface == _FLOOR
        up = rays[floor] * np.array([1, -1, 1], np.float32)
        grazing = (1 - np.abs(up[:, 1:2])) ** 5  # Schlick's approximation of Fresnel's law
        colour[floor] += (0.03 + 0.28 * grazing) * _seen(points[floor], up, seed, mirror=False)
    return colour


def _meet(origins: Reals, rays: Reals) -> tuple[Reals, NDArray[np.intp]]:
    """Where each ray meets the room's box first, and which side that is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = np.stack([-origins[:, 1] / rays[:, 1], (CEILING_M - origins[:, 1]) / rays[:, 1],
                              (-HALF_WIDTH_M - origins[:, 0]) / rays[:, 0], (HALF_WIDTH_M - origins[:, 0]) / rays[:, 0],
                              (END_M - origins[:, 2]) / rays[:, 2]])  # fmt: skip
    distances[~(distances > 1e-4)] = np.inf
    surface = np.argmin(distances, axis=0)
    nearest = np.take_along_axis(distances, surface[None], axis=0)[0]
    return origins + rays * nearest[:, None], surface


def _light(points: Reals, normal: tuple[float, float, float]) -> Reals:
    """Light on points of a plane: three lamps, daylight from the glass doors, and a share from everywhere."""
    light = np.full(len(points), 0.20, np.float32)
    facing = np.array(normal, np.float32)
    for z_m in LAMPS_M:
        for x_m in (-0.35, 0.35):
            to_lamp = np.array([x_m, CEILING_M, z_m], np.float32) - points
            square = (to_lamp**2).sum(axis=1) + 0.05
            cosine = np.clip(to_lamp @ facing, 0, None) * np.clip(to_lamp[:, 1], 0, None) / square
            light += 0.62 * cosine / square
    to_door = np.array([0, 1.3, END_M], np.float32) - points
    square = (to_door**2).sum(axis=1) + 0.3
    light += 1.1 * np.clip(to_door @ facing + 0.15, 0, None) * np.clip(to_door[:, 2], 0, None) / square**1.5
    return light[:, None]


def _corners(a_m: Reals, b_m: Reals) -> Reals:
    """Less light reaches the corners: a_m and b_m are distances from the two nearest edges."""
    return np.asarray(1 - 0.30 * np.exp(-a_m / 0.18) - 0.22 * np.exp(-b_m / 0.25))[:, None]


def _specks(a: Reals, b: Reals, seed: int, size_m: float) -> Reals:
    """A repeatable random number, -0.5..0.5, for each small square of a surface."""
    i = np.floor(a / size_m).astype(np.int64) + 4096
    j = np.floor(b / size_m).astype(np.int64) + 4096
    table = np.random.default_rng(seed).random(65536, np.float32)
    return np.asarray(table[(i * 7919 + j * 104729) % 65536] - 0.5)[:, None]


def _bgr(red: float, green: float, blue: float) -> Reals:
    """A linear colour from sRGB values of 0..255."""
    return np.asarray((np.array([blue, green, red], np.float32) / 255) ** 2.2)


def _floor(points: Reals, seed: int) -> Reals:
    x, z = points[:, 0], points[:, 2]
    tile = _specks(x, z, seed, 0.6)
    grain = _specks(x, z, seed + 1, 0.018)
    colour = _bgr(150, 146, 140) * (1 + 0.14 * tile + 0.28 * grain)
    joint = (np.abs((x / 0.6) % 1 - 0.5) > 0.492) | (np.abs((z / 0.6) % 1 - 0.5) > 0.487)
    colour[joint] *= 0.55
    mat = (np.abs(x) < 0.95) & (z > END_M - 1.3) & (z < END_M - 0.25)
    colour[mat] = _bgr(70, 70, 74) * (1 + 0.5 * grain[mat])
    return colour * _light(points, (0, 1, 0)) * _corners(HALF_WIDTH_M - np.abs(x), END_M - z)


def _ceiling(points: Reals, seed: int) -> Reals:
    x, z = points[:, 0], points[:, 2]
    colour = _bgr(232, 230, 224) * (1 + 0.10 * _specks(x, z, seed + 2, 0.03))
    joint = (np.abs((x / 0.6) % 1 - 0.5) > 0.485) | (np.abs((z / 0.6) % 1 - 0.5) > 0.485)
    colour[joint] *= 0.75
    # A ceiling gets its light from the floor and walls, hardly any from lamps set into it.
    colour = colour * (0.34 + 0.05 * np.cos(z)[:, None]) * _corners(HALF_WIDTH_M - np.abs(x), END_M - z)
    for z_m in LAMPS_M:
        across, along = np.abs(x), np.abs(z - z_m)
        colour[(across < LAMP_HALF_M[0] + 0.03) & (along < LAMP_HALF_M[1] + 0.03)] = _bgr(190, 190, 188)
        colour[(across < LAMP_HALF_M[0]) & (along < LAMP_HALF_M[1])] = np.array([2.6, 2.75, 2.8], np.float32)
    return colour


def _wall(along: Reals, y: Reals, seed: int) -> Reals:
    """Painted plaster above, a washable coat below, a rail between and a skirting board."""
    colour = _bgr(222, 216, 202) * (1 + 0.05 * _specks(along, y, seed, 0.02))
    low = y < 1.0
    colour[low] = _bgr(126, 146, 156) * (1 + 0.05 * _specks(along[low], y[low], seed, 0.02))
    colour[(y > 0.96) & (y < 1.06)] = _bgr(120, 92, 66)
    colour[y < 0.11] = _bgr(72, 72, 76)
    return colour


def _inside(a: Reals, b: Reals, a_from: float, a_to: float, b_from: float, b_to: float) -> NDArray[np.bool_]:
    return np.asarray((a > a_from) & (a < a_to) & (b > b_from) & (b < b_to))


def _left(points: Reals, seed: int) -> Reals:
    y, z = points[:, 1], points[:, 2]
    colour = _wall(z, y, seed + 3)
    colour[_inside(z, y, 5.35, 6.45, 0, 2.15)] = _bgr(96, 74, 54)
    leaf = _inside(z, y, 5.42, 6.38, 0, 2.08)
    colour[leaf] = _bgr(158, 116, 74) * (1 + 0.16 * _specks(z[leaf], y[leaf] / 40, seed + 4, 0.012))
    colour[_inside(z, y, 5.50, 5.56, 0.98, 1.12)] = _bgr(205, 205, 205)
    colour[_inside(z, y, 5.75, 6.05, 1.55, 1.67)] = _bgr(232, 232, 228)
    return colour * _light(points, (1, 0, 0)) * _corners(np.minimum(y, CEILING_M - y), END_M - z)


def _right(points: Reals, seed: int) -> Reals:
    y, z = points[:, 1], points[:, 2]
    colour = _wall(z, y, seed + 5)
    colour[_inside(z, y, 4.75, 5.75, 1.25, 2.0)] = _bgr(66, 62, 58)
    colour[_inside(z, y, 4.79, 5.71, 1.29, 1.96)] = _bgr(176, 138, 96)
    for start, top, tint in ((4.86, 1.90, (240, 240, 235)), (5.10, 1.86, (250, 226, 150)), (5.36, 1.91, (235, 240, 245)),
                             (4.90, 1.56, (176, 212, 236)), (5.18, 1.52, (240, 240, 236)), (5.44, 1.58, (240, 196, 186))):  # fmt: skip
        colour[_inside(z, y, start, start + 0.20, top - 0.26, top)] = _bgr(*tint)
    colour[_inside(z, y, 6.55, 6.75, 0.55, 1.05)] = _bgr(196, 40, 34)
    colour[_inside(z, y, 6.50, 6.80, 1.45, 1.75)] = _bgr(190, 44, 38)
    colour[_inside(z, y, 6.58, 6.72, 1.52, 1.68)] = _bgr(240, 236, 232)
    return colour * _light(points, (-1, 0, 0)) * _corners(np.minimum(y, CEILING_M - y), END_M - z)


def _end(points: Reals, seed: int) -> Reals:
    """The outer entrance: two glazed leaves with daylight behind them and a green sign above."""
    x, y = points[:, 0], points[:, 1]
    colour = _wall(x, y, seed + 6) * _light(points, (0, 0, -1)) * _corners(HALF_WIDTH_M - np.abs(x), np.minimum(y, CEILING_M - y))
    colour[_inside(x, y, -1.06, 1.06, 0, 2.26)] = _bgr(58, 62, 68) * 0.6
    for left in (-0.97, 0.04):
        for low, high in ((0.18, 0.98), (1.06, 2.12)):
            glass = _inside(x, y, left, left + 0.93, low, high)
            colour[glass] = _daylight(x[glass], y[glass], seed)
    colour[_inside(np.abs(x), y, 0.09, 0.12, 0.85, 1.35)] = _bgr(210, 210, 212) * 0.8
    colour[_inside(x, y, -0.24, 0.24, 2.32, 2.50)] = _bgr(20, 150, 84) * 1.3
    colour[_inside(x, y, -0.15, 0.06, 2.39, 2.43) | _inside(x, y, 0.06, 0.12, 2.36, 2.46)] = _bgr(235, 250, 240) * 1.3
    return colour


def _daylight(x: Reals, y: Reals, seed: int) -> Reals:
    """What is outside, out of focus: pavement, a hedge, the sky."""
    hedge = 0.98 + 0.05 * np.sin(5.3 * x + seed) + 0.04 * np.sin(11.7 * x + 1.3)
    sky = np.array([1.75, 1.62, 1.50], np.float32) * (0.9 + 0.12 * y)[:, None]
    green = _bgr(112, 138, 92) * (0.9 + 0.5 * (y - 0.5))[:, None] * 1.9
    ground = _bgr(196, 192, 186) * (0.95 + 0.25 * y)[:, None]
    share = 1 / (1 + np.exp(-(y - hedge) / 0.035))[:, None]
    ground_share = 1 / (1 + np.exp((y - 0.52) / 0.03))[:, None]
    below = green * (1 - ground_share) + ground * ground_share
    return np.asarray(sky * share + below * (1 - share), np.float32)
