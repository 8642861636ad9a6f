"""A face turned upright and scaled to 112 x 112, eyes, nose and mouth where the embedder expects them."""

from __future__ import annotations

import cv2
import numpy as np

from agent.vision.faces import LEFT_EYE, MOUTH, NOSE, RIGHT_EYE, Floats
from hw.interfaces import Pixels

SIDE_PX = 112

# Positions in a 112 x 112 picture that ArcFace (arXiv 1801.07698) and its kin are trained with: the eye at the left of the picture (the
# person's right), the other eye, tip of the nose, corners of the mouth.
ARCFACE: Floats = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
FOUR: Floats = np.vstack([ARCFACE[:3], ARCFACE[3:].mean(axis=0, keepdims=True)])
"""The same for a detector that knows the middle of the mouth only."""


def similarity(source: Floats, target: Floats) -> Floats:
    """The 2 x 3 matrix of the rotation, scale and shift that bring `source` (n x 2) nearest to `target` in least squares.

    With points as complex numbers the map is w = a z + b, and a is the usual regression coefficient: no reflection can come out of it.
    Raises ValueError when all source points fall together.
    """
    z, w = source[:, 0] + 1j * source[:, 1], target[:, 0] + 1j * target[:, 1]
    z_mean, w_mean = z.mean(), w.mean()
    spread = float(np.sum(np.abs(z - z_mean) ** 2))
    if not spread > 1e-6:
        raise ValueError("the points of the face fall together")
    a = np.sum(np.conj(z - z_mean) * (w - w_mean)) / spread
    b = w_mean - a * z_mean
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]], np.float32)


def detector_points(points_px: Floats) -> Floats:
    """The four of the detector's six points that FOUR places."""
    return points_px[[RIGHT_EYE, LEFT_EYE, NOSE, MOUTH]]


class Aligner:
    """Cuts faces out of frames into one buffer that the next call overwrites."""

    def __init__(self) -> None:
        self._out: Pixels = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)

    def __call__(self, pixels: Pixels, points_px: Floats) -> Pixels:
        """The aligned face, 112 x 112 BGR, from four (FOUR) or five (ARCFACE) points of the frame."""
        matrix = similarity(points_px, ARCFACE if len(points_px) == len(ARCFACE) else FOUR)
        cv2.warpAffine(pixels, matrix, (SIDE_PX, SIDE_PX), dst=self._out, flags=cv2.INTER_LINEAR)
        return self._out
