"""Heads at known angles and eyes with a known look, made of photographs: what measuring is tested against.

The photograph is laid on the mean face as on a relief, which is then turned in three dimensions and looked at from far away. Behind the
face's edge the relief falls away like a skull. Eyeballs are spheres of 12 mm with an iris of 11.7 mm, painted into the lids' opening.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import cv2
import numpy as np

from agent.vision.build import build_stages
from agent.vision.chain import Stages
from agent.vision.engine import open_engine
from agent.vision.faces import Face, Region
from agent.vision.head_pose import Doubles, fit, mean_face, put_right, turned
from agent.vision.iris import EYEBALL_MM, IRIS_MM, SPAN_MM, Gazer
from agent.vision.landmarks import Mesh
from hw.interfaces import Pixels
from models_tflite.manifest import load_manifest
from tests.vision.people import canvas_with, portrait

SIZE = (320, 320)
RIGHT_LIDS = [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246]
LEFT_LIDS = [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466]
"""The mesh's numbers along the lower lid from the outer to the inner corner, and back along the upper one."""


class Stage(NamedTuple):
    stages: Stages
    gazer: Gazer


@functools.lru_cache(maxsize=1)
def networks() -> Stage:
    engine, manifest = open_engine("litert", 1), load_manifest()
    return Stage(build_stages(engine, manifest), Gazer(engine.load(manifest.model("face_iris"))))


def find(pixels: Pixels, near: Region | None = None) -> Face:
    [face, *_] = networks().stages.detector.detect_in(pixels, near or Region(0, 0, max(pixels.shape)))
    return face


def mesh_of(pixels: Pixels, near: Region | None = None) -> Mesh:
    """The mesh of the face that is found in a square of the picture."""
    face = find(pixels, near)
    return networks().stages.landmarks(pixels, face.points_px, face.box_px)


@functools.lru_cache(maxsize=8)
def frontal(who: str, use: str = "approach", width_px: int = 110) -> Pixels:
    """The person's face so wide in the middle of a square picture."""
    pixels, _ = canvas_with(portrait(who, use), width_px, (160, 160), SIZE)
    return pixels


@functools.lru_cache(maxsize=8)
def relief(who: str, use: str = "approach") -> tuple[Pixels, Doubles]:
    """The photograph, and x, y, z of each of its pixels, from the face's own attitude turned back to none."""
    pixels = frontal(who, use)
    mesh = mesh_of(pixels)
    found = fit(mesh.points, mean_face())
    depth = _depth(mesh.points[:, :2], found.scale_px * (mean_face() @ found.rotation.T)[:, 2], found.scale_px)
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]].astype(float)
    return pixels, np.dstack([x - found.where_px[0], y - found.where_px[1], depth])


@functools.lru_cache(maxsize=64)
def head_at(who: str, yaw_deg: float, pitch_deg: float = 0.0, roll_deg: float = 0.0, use: str = "approach") -> Pixels:
    """The person with their head turned by so much from how they hold it in the photograph."""
    pixels, where = relief(who, use)
    fine = [cv2.resize(layer, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR) for layer in (pixels, where)]
    near = np.hypot(fine[1][..., 0], fine[1][..., 1] * 0.8) < 95
    points, colours = fine[1][near] @ turned(yaw_deg, pitch_deg, roll_deg).T, fine[0][near]
    order = np.argsort(-points[:, 2], kind="stable")
    x, y = (np.clip(points[order, i] + 160, 0, 319).astype(int) for i in (0, 1))
    out, hit = np.full((*SIZE, 3), 130, np.uint8), np.zeros(SIZE, np.uint8)
    out[y, x], hit[y, x] = colours[order], 1
    holes = (cv2.morphologyEx(hit, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0) & (hit == 0)
    out[holes] = cv2.medianBlur(out, 5)[holes]
    return out


def _depth(xy: Doubles, z: Doubles, span: float) -> Doubles:
    """The face's depth between its points, by a Delaunay mesh; outside of them a skull's."""
    plane = cv2.Subdiv2D((-1000, -1000, 3000, 3000))
    known = {(float(np.float32(x)), float(np.float32(y))): depth for (x, y), depth in zip(xy, z, strict=True)}
    plane.insert(list(known))
    depth = np.full(SIZE, np.nan)
    for triangle in plane.getTriangleList().reshape(-1, 3, 2):
        corners = [known.get((float(x), float(y))) for x, y in triangle]
        if None not in corners:
            _fill(depth, triangle, np.array(corners, float))
    inside = ~np.isnan(depth)
    apart, nearest = cv2.distanceTransformWithLabels((~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    at_label = np.zeros(nearest.max() + 1)
    at_label[nearest[inside]] = depth[inside]
    away = apart / span
    return cv2.GaussianBlur(
        np.where(inside, depth, at_label[nearest] + span * (0.55 * away + 1.4 * away**2)), (0, 0), 0.02 * span
    )


def _fill(depth: Doubles, triangle: Doubles, corners: Doubles) -> None:
    try:
        a, b, c = np.linalg.solve(np.c_[triangle, np.ones(3)], corners)
    except np.linalg.LinAlgError:
        return
    mask = np.zeros(depth.shape, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(triangle).astype(np.int32), 1)
    y, x = np.nonzero(mask)
    depth[y, x] = np.clip(a * x + b * y + c, corners.min(), corners.max())


def looking(pixels: Pixels, yaw_deg: float, pitch_deg: float = 0.0) -> Pixels:
    """The photograph with other eyes: they look there, seen from the camera."""
    points = mesh_of(pixels).points
    found = fit(points, mean_face())
    scale = found.scale_px / SPAN_MM
    towards = turned(yaw_deg, pitch_deg, 0.0) @ [0, 0, -1]
    skin = float(np.median(pixels[points[[50, 280], 1].astype(int), points[[50, 280], 0].astype(int)]))
    out = pixels.copy()
    for lids, outwards in ((RIGHT_LIDS, -1.0), (LEFT_LIDS, 1.0)):
        socket = turned(*put_right(found.rotation)) @ [0.9 * outwards, -1.0, 3.5]
        middle = (points[lids[0], :2] + points[lids[8], :2]) / 2 + scale * socket[:2]
        _paint(out, points[lids, :2], middle, scale * EYEBALL_MM, towards, skin)
    return out


def _paint(out: Pixels, lids: Doubles, middle: Doubles, radius: float, towards: Doubles, skin: float) -> None:
    fine = 4
    x0, y0 = np.floor(lids.min(axis=0)).astype(int) - 3
    x1, y1 = np.ceil(lids.max(axis=0)).astype(int) + 3
    y, x = np.mgrid[y0 : y1 : 1 / fine, x0 : x1 : 1 / fine] + (0.5 / fine - 0.5)
    dx, dy = (x - middle[0]) / radius, (y - middle[1]) / radius
    dz = -np.sqrt(np.maximum(0, 1 - dx * dx - dy * dy))
    angle = np.degrees(np.arccos(np.clip(dx * towards[0] + dy * towards[1] + dz * towards[2], -1, 1)))[..., None]
    rim = np.degrees(np.arcsin(IRIS_MM / 2 / EYEBALL_MM))
    colour = np.where(angle < rim, np.array([40.0, 60.0, 75.0]) * skin / 150, skin * 1.05)
    colour = np.where(angle < 0.4 * rim, 12.0, colour) * (0.62 - 0.38 * dz)[..., None]
    mask = np.zeros(x.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint((lids - [x0, y0]) * fine * 16).astype(np.int32)], 255, shift=4)
    small = [cv2.resize(layer, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
             for layer in (colour.astype(np.float32), cv2.GaussianBlur(mask, (0, 0), 1.6).astype(np.float32) / 255)]  # fmt: skip
    share = small[1][..., None]
    out[y0:y1, x0:x1] = np.clip(out[y0:y1, x0:x1] * (1 - share) + small[0] * share, 0, 255)


def dark_glasses(pixels: Pixels, opacity: float, grey: int = 16) -> Pixels:
    """The person with glasses of so much darkness before their eyes."""
    points = mesh_of(pixels).points[:, :2]
    lenses = pixels.copy()
    for outer, inner in ((33, 133), (263, 362)):
        wide = float(np.hypot(*(points[outer] - points[inner])))
        x, y = (points[outer] + points[inner]) / 2
        cv2.ellipse(lenses, ((float(x), float(y + 0.1 * wide)), (2.1 * wide, 1.6 * wide), 0.0), (grey, grey, grey), -1)
    return cv2.addWeighted(lenses, opacity, pixels, 1 - opacity, 0)


def at_night(pixels: Pixels, light: float) -> Pixels:
    """The same with so little light, and the noise of a camera that turns its gain up."""
    noise = np.random.default_rng(1).normal(0, 4, pixels.shape)
    return np.clip(pixels * light + noise, 0, 255).astype(np.uint8)
