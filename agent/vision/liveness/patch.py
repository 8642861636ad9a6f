"""A face cut out upright at one size, with points that stay on it: what movement is measured in.

The cut follows the mesh by shift, turn and scale only, which a print shares with a head; everything else that moves is left in it.
"""

from __future__ import annotations

import cv2
import numpy as np
from msgspec import Struct

from agent.vision.faces import Floats
from agent.vision.head_pose import mean_face
from hw.interfaces import Pixels

SIDE_PX = 128
EYES_PX = 56.0
"""Distance of the outer eye corners in the cut: the head with its ears is then 112 px wide."""
RIGHT_CORNER, LEFT_CORNER = 33, 263

RIGID = np.array([
    1, 2, 4, 5, 6, 19, 45, 48, 51, 64, 94, 97, 98, 115, 129, 168, 195, 197, 220, 248, 275, 278, 281, 294, 326, 327, 344, 358, 440, 456,
    33, 133, 263, 362, 50, 280, 101, 330, 118, 347, 117, 346, 123, 352, 205, 425, 36, 266, 9, 8, 10, 151, 67, 297, 109, 338, 69, 299, 108,
    337, 104, 333, 127, 356, 234, 454, 93, 323, 132, 361, 58, 288, 70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 143, 372, 116, 345,
])  # fmt: skip
"""Numbers of the mesh's points that lids and lips move little: nose, corners of the eyes, cheeks, forehead, brows, temples."""

DEPTH: Floats = -mean_face()[RIGID, 2].astype(np.float32)
"""Towards the camera, in distances of the outer eye corners, of a mean face: the parallax of these points when a head turns."""


class Patch(Struct, frozen=True):
    """One frame's cut. Points are in its pixels."""

    taken_s: float
    grey: Pixels
    """128 x 128."""
    points: Floats
    """The RIGID points where the mesh sees them, n x 2."""
    detail: Floats
    """How well each point can be followed: the smaller eigenvalue of its surroundings' structure, in squared grey levels a pixel."""
    yaw_deg: float
    pitch_deg: float
    eyes_px: float
    """Distance of the outer eye corners in the frame."""
    matrix: Floats
    """From the frame into the cut, 2 x 3."""


def upright(mesh_points: Floats) -> Floats:
    """The 2 x 3 matrix from the frame into the cut: eyes level, the middle of face in the middle."""
    right, left = mesh_points[RIGHT_CORNER, :2].astype(float), mesh_points[LEFT_CORNER, :2].astype(float)
    across = left - right
    # A turned head's eyes come together: its height keeps the scale.
    tall = float(np.hypot(*(mesh_points[152, :2] - mesh_points[10, :2]))) * 0.69
    scale = EYES_PX / max(float(np.hypot(*across)), tall, 4.0)
    angle = np.arctan2(across[1], across[0])
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    x, y = mesh_points[RIGID, :2].mean(axis=0)
    return np.array([[a, b, SIDE_PX / 2 - a * x - b * y], [-b, a, SIDE_PX * 0.47 + b * x - a * y]], np.float32)


def cut(grey: Pixels, mesh_points: Floats, pose_deg: tuple[float, float], taken_s: float) -> Patch:
    """The face of a grey frame, from its mesh (468 x 3, frame px)."""
    matrix = upright(mesh_points)
    face = np.asarray(
        cv2.warpAffine(grey, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
    points = (mesh_points[RIGID, :2] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    structure = cv2.cornerMinEigenVal(face, 9, ksize=3)
    at = np.clip(np.rint(points).astype(int), 0, SIDE_PX - 1)
    detail = np.asarray(structure[at[:, 1], at[:, 0]] * 255.0**2, np.float32)
    eyes_px = EYES_PX / float(np.hypot(matrix[0, 0], matrix[0, 1]))
    return Patch(taken_s, face, points, detail, pose_deg[0], pose_deg[1], eyes_px, matrix)
