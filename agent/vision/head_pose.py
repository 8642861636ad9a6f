"""How a head is turned, from the mesh's own three dimensions: the rotation that lays a mean face over it best (Kabsch, 1976).

Tried against each other on heads rendered at known angles, on films and on mirrored pictures (docs/PERCEPTION.md): the same rotation from the
picture's two dimensions only (scaled orthography, PnP with a stated field of view) was no more accurate, shook more from frame to
frame or needed to know the lens. Depth from the mesh needs no lens: angles are those between the face and the line from it to the camera,
so a person at the picture's edge who looks into the camera has yaw 0.

The mean face is this project's own: tools/canonical_face.py averages what the shipped network says of the demo's people.
"""

from __future__ import annotations

from functools import lru_cache
from math import asin, atan2, degrees, sqrt
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.core.messages import HeadPose
from agent.vision.faces import Floats
from agent.vision.landmarks import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS, Mesh
from agent.vision.quality import ramp

Doubles = NDArray[np.float64]

MEAN_FACE_FILE = Path(__file__).with_name("mean_face.npy")

YAW_RESPONSE, PITCH_RESPONSE = 0.81, 0.86
"""The mesh follows a turning head only so far: degrees of the mesh for each degree of heads rendered between -40 and 40."""

OUTER_CORNERS = (RIGHT_EYE_CORNERS[0], LEFT_EYE_CORNERS[1])


class HeadPoseSettings(Struct, frozen=True, kw_only=True):
    """(useless, harmless) for each measurement that confidence depends on."""

    size_px: tuple[float, float] = (14.0, 30.0)
    """Distance of the outer eye corners, as it would be seen from the front: a face 46 px wide has 28."""
    misfit: tuple[float, float] = (0.10, 0.05)
    """Root mean square distance of the mesh from the turned mean face, in distances of the outer eye corners. On 500 press photographs
    half had 0.035 or less and 99 of 100 less than 0.08."""
    mesh_score: tuple[float, float] = (0.5, 0.9)
    turn_deg: tuple[float, float] = (65.0, 40.0)
    """Angle between face and line of sight. Measured up to 40."""
    outside: tuple[float, float] = (0.3, 0.05)
    """Share of the mesh beyond the frame's edge: there it is guessed."""


class Fit(Struct, frozen=True):
    """The mean face laid over a mesh: mesh = scale * rotation @ mean + where."""

    rotation: Doubles
    """3 x 3: x to the right, y down, z away from the camera."""
    scale_px: float
    """Pixels for the distance of the outer eye corners, unforeshortened."""
    where_px: Doubles
    misfit: float
    """Root mean square distance that is left, in distances of the outer eye corners."""


@lru_cache(maxsize=1)
def mean_face() -> Doubles:
    """468 x 3: x to the picture's right, y down, z away from the camera; outer eye corners one unit apart, middle at zero."""
    points = np.load(MEAN_FACE_FILE).astype(np.float64)
    points.flags.writeable = False
    return np.asarray(points)


def fit(points: Floats | Doubles, face: Doubles) -> Fit:
    """The least-squares rotation, scale and place (Umeyama, 1991) of a face (n x 3) over points (n x 3, the unit of x and y)."""
    middle = points.mean(axis=0)
    there, here = np.asarray(points, np.float64) - middle, face - face.mean(axis=0)
    left, strength, right = np.linalg.svd(there.T @ here)
    sign = np.array([1.0, 1.0, float(np.sign(np.linalg.det(left @ right)))])
    rotation = (left * sign) @ right
    scale = float(strength @ sign) / float((here * here).sum())
    rest = there - scale * here @ rotation.T
    misfit = sqrt(float((rest * rest).sum()) / len(face)) / max(scale, 1e-9)
    return Fit(rotation, scale, middle - scale * rotation @ face.mean(axis=0), misfit)


def angles_deg(rotation: Doubles) -> tuple[float, float, float]:
    """Yaw, pitch, roll with the signs of HeadPose: where the nose points, then the lean about it."""
    yaw, pitch = direction_deg(rotation @ np.array([0.0, 0.0, -1.0]))
    upright = turned(yaw, pitch, 0.0).T @ rotation
    return yaw, pitch, degrees(atan2(upright[1, 0], upright[0, 0]))


def direction_deg(towards: Doubles) -> tuple[float, float]:
    """Yaw and pitch of a direction (x right, y down, z away; unit length): 0, 0 is straight towards the camera."""
    return degrees(atan2(towards[0], -towards[2])), degrees(asin(min(1.0, max(-1.0, -float(towards[1])))))


def turned(yaw_deg: float, pitch_deg: float, roll_deg: float) -> Doubles:
    """The rotation of which `angles_deg` are these."""
    (cy, cp, cr), (sy, sp, sr) = (trig(np.radians([yaw_deg, pitch_deg, roll_deg])) for trig in (np.cos, np.sin))
    about_neck = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    lean = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_neck @ nod @ lean)


def put_right(rotation: Doubles) -> tuple[float, float, float]:
    """Yaw, pitch, roll of the head itself, from a rotation that follows it only so far."""
    yaw, pitch, roll = angles_deg(rotation)
    return yaw / YAW_RESPONSE, pitch / PITCH_RESPONSE, roll


def head_pose(mesh: Mesh, frame_px: tuple[int, int], settings: HeadPoseSettings) -> HeadPose:
    """How the head of a mesh is turned, in a frame of this width and height."""
    points = mesh.points
    return pose_of(fit(points, mean_face()), mesh.score, share_outside(points, frame_px), settings)


def pose_of(found: Fit, mesh_score: float, outside: float, settings: HeadPoseSettings) -> HeadPose:
    """Angles of a fit, and how far they can be trusted."""
    yaw, pitch, roll = put_right(found.rotation)
    facing = max(abs(yaw), abs(pitch))
    confidence = (ramp(found.scale_px, *settings.size_px) * ramp(found.misfit, *settings.misfit) * ramp(facing, *settings.turn_deg)
                  * ramp(mesh_score, *settings.mesh_score) * ramp(outside, *settings.outside))  # fmt: skip
    return HeadPose(yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll, confidence=confidence)


def share_outside(points_px: Floats, frame_px: tuple[int, int]) -> float:
    """The share of points that lie beyond the frame."""
    xy = points_px[:, :2]
    inside = np.all((xy >= 0) & (xy < np.asarray(frame_px)), axis=1)
    return 1.0 - float(inside.mean())
