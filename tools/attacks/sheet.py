"""A sheet with a picture on it, flat or bent, as a pinhole camera sees it: a ray for each pixel meets the sheet.

Bent paper can only curve one way at a time, so a parabolic trough stands for it: depth = curvature * s^2 / 2, s along the bend. The
picture is laid on by arc length, as paper keeps its lengths.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from demo.view import View
from hw.interfaces import Pixels

Reals = NDArray[np.floating[Any]]
FINEST_TEXEL_SHARE = 0.75
"""Texture is first reduced until one of its pixels is about this share of the camera's: no grain that the camera averages away."""


class Hold(Struct, frozen=True, kw_only=True):
    """Where a sheet is and how it is turned. Camera axes in metres: x right, y down, z away."""

    x_m: float = 0.0
    y_m: float = 0.0
    z_m: float = 0.8
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    curvature_per_m: float = 0.0
    """1 / radius of the bend; 0 is flat; positive bulges towards the camera in the middle."""
    bend_deg: float = 0.0
    """Which way it is bent: 0 about the upright axis, 90 about the level one."""

    def rotation(self) -> Reals:
        """Columns are the sheet's axes in the camera's."""
        yaw, pitch, roll = (math.radians(angle) for angle in (self.yaw_deg, self.pitch_deg, self.roll_deg))
        about_y = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
        about_z = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
        return np.asarray(about_y @ about_x @ about_z)


class Sheet(Struct, frozen=True):
    """A texture with transparency (BGRA) and its size in metres."""

    texture: Pixels
    width_m: float

    @property
    def height_m(self) -> float:
        return float(self.width_m * self.texture.shape[0] / self.texture.shape[1])


def lay(picture: Pixels, sheet: Sheet, hold: Hold, view: View) -> None:
    """Draw the sheet over the picture, in place."""
    window = _window(sheet, hold, view, picture.shape)
    if window is None:
        return
    left, top, right, bottom = window
    a_m, b_m = _meets(hold, _rays(view, window))
    texture, scale = _reduced(sheet, hold, view)
    px_per_m = scale * sheet.texture.shape[1] / sheet.width_m
    columns = ((a_m + sheet.width_m / 2) * px_per_m - 0.5).astype(np.float32)
    rows = ((b_m + sheet.height_m / 2) * px_per_m - 0.5).astype(np.float32)
    seen = cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))
    through = cv2.merge([255 - seen[..., 3]] * 3)
    under = picture[top:bottom, left:right]
    under[:] = cv2.add(cv2.multiply(np.ascontiguousarray(under), through, scale=1 / 255), np.ascontiguousarray(seen[..., :3]))


def _reduced(sheet: Sheet, hold: Hold, view: View) -> tuple[Pixels, float]:
    """The texture, premultiplied, no finer than the camera sees it, and how much smaller it became."""
    texels = sheet.texture.shape[1] / sheet.width_m
    scale = min(1.0, view.focal_px / hold.z_m / texels / FINEST_TEXEL_SHARE)
    pixels = sheet.texture
    if scale < 1:
        pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    alpha = cv2.merge([pixels[..., 3]] * 3)
    colour = cv2.multiply(np.ascontiguousarray(pixels[..., :3]), alpha, scale=1 / 255)
    return np.dstack([colour, pixels[..., 3]]), pixels.shape[1] / sheet.texture.shape[1]


def _window(sheet: Sheet, hold: Hold, view: View, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """The part of the frame that the sheet can touch: a box of its size about it, projected."""
    deep = abs(hold.curvature_per_m) * max(sheet.width_m, sheet.height_m) ** 2 / 8
    corners = np.array(
        [[x * sheet.width_m / 2, y * sheet.height_m / 2, z * deep] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    )
    seen = corners @ hold.rotation().T + [hold.x_m, hold.y_m, hold.z_m]
    columns = view.width_px / 2 + view.focal_px * seen[:, 0] / seen[:, 2]
    rows = view.height_px / 2 + view.focal_px * seen[:, 1] / seen[:, 2]
    left, right = max(0, math.floor(columns.min()) - 2), min(shape[1], math.ceil(columns.max()) + 2)
    top, bottom = max(0, math.floor(rows.min()) - 2), min(shape[0], math.ceil(rows.max()) + 2)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _rays(view: View, window: tuple[int, int, int, int]) -> Reals:
    """Directions (z = 1) of the window's pixels, rows x columns x 3."""
    left, top, right, bottom = window
    columns = left + (np.arange(right - left) + 0.5) - view.width_px / 2
    rows = top + (np.arange(bottom - top) + 0.5) - view.height_px / 2
    x, y = np.meshgrid(columns / view.focal_px, rows / view.focal_px)
    return np.stack([x, y, np.ones_like(x)], axis=-1)


def _meets(hold: Hold, rays: Reals) -> tuple[Reals, Reals]:
    """Where each ray meets the sheet: its place on the flat paper in metres from the middle."""
    turn = hold.rotation()
    origin = turn.T @ -np.array([hold.x_m, hold.y_m, hold.z_m])
    ray = rays @ turn
    along = np.array([math.cos(math.radians(hold.bend_deg)), math.sin(math.radians(hold.bend_deg)), 0.0])
    k = hold.curvature_per_m
    s0, s1 = float(origin @ along), ray @ along
    # origin.z + t ray.z = k / 2 (s0 + t s1)^2 : the root that goes over into the plane's where k goes to 0.
    half_k = k / 2
    qa, qb, qc = half_k * s1**2, 2 * half_k * s0 * s1 - ray[..., 2], half_k * s0**2 - origin[2]
    root = np.sqrt(np.maximum(qb**2 - 4 * qa * qc, 0))
    t = 2 * qc / np.where(np.abs(qb) < 1e-9, 1e-9, -qb + np.where(qb > 0, -1, 1) * root)
    a, b = origin[0] + t * ray[..., 0], origin[1] + t * ray[..., 1]
    s = a * along[0] + b * along[1]
    flat = _arc(s, k) - s
    return a + flat * along[0], b + flat * along[1]


def _arc(s: Reals, k: float) -> Reals:
    """Length along the parabola k s^2 / 2 from its vertex."""
    if abs(k) < 1e-6:
        return s
    ks = k * s
    return np.asarray((ks * np.sqrt(1 + ks**2) + np.arcsinh(ks)) / (2 * k))
