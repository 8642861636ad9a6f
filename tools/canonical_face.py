"""Makes agent/vision/mean_face.npy: the mean of what the shipped mesh network says of the demo's people. `python -m tools.canonical_face`.

Each photograph is shown as it is and mirrored, so that nobody's lopsided smile stays in the mean. The meshes are laid over each other by
rotation, scale and place until their mean stands still (generalised Procrustes analysis; Gower, 1975). Its x axis is then laid through
pairs of points that mirror each other; 'level' is how the people hold their heads before these cameras, on average.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import cv2
import numpy as np

from agent.vision.build import build_stages
from agent.vision.chain import Stages
from agent.vision.engine import open_engine
from agent.vision.faces import Region
from agent.vision.head_pose import MEAN_FACE_FILE, OUTER_CORNERS, Doubles, fit
from agent.vision.landmarks import MOUTH_LEFT, MOUTH_RIGHT
from demo.people import fetch_people
from hw.interfaces import Pixels
from models_tflite.manifest import load_manifest

ROUNDS = 20
MIRRORED_PAIRS = (OUTER_CORNERS, (133, 362), (MOUTH_RIGHT, MOUTH_LEFT), (234, 454), (70, 300))
"""Right and left as the person has them: corners of the eyes, of the mouth, before the ears, ends of the brows."""


def meshes() -> Iterator[Doubles]:
    """468 x 3 for each photograph of the demo's people and its mirror image."""
    stages = build_stages(open_engine("litert", 1), load_manifest())
    for portrait in fetch_people(progress=lambda line: print(line, file=sys.stderr)):
        picture = np.asarray(cv2.imread(portrait.file), np.uint8)
        for pixels in (picture, np.ascontiguousarray(picture[:, ::-1])):
            yield _mesh(stages, pixels)


def _mesh(stages: Stages, pixels: Pixels) -> Doubles:
    height, width = pixels.shape[:2]
    side = max(height, width)
    faces = stages.detector.detect_in(pixels, Region((width - side) // 2, (height - side) // 2, side))
    face = max(faces, key=lambda found: found.box_px[2])
    return np.asarray(stages.landmarks(pixels, face.points_px, face.box_px).points, np.float64)


def mean_of(shapes: list[Doubles]) -> Doubles:
    """Their mean, level and symmetrically placed, outer eye corners one unit apart."""
    mean = shapes[0] - shapes[0].mean(axis=0)
    for _ in range(ROUNDS):
        mean = _unit(np.mean([_laid_over(shape, mean) for shape in shapes], axis=0))
    mean = mean @ _straight(mean).T
    return _unit(mean)


def _laid_over(shape: Doubles, mean: Doubles) -> Doubles:
    found = fit(shape, mean)
    return np.asarray((shape - found.where_px) @ found.rotation / found.scale_px)


def _unit(shape: Doubles) -> Doubles:
    shape = shape - shape.mean(axis=0)
    right, left = OUTER_CORNERS
    return np.asarray(shape / np.linalg.norm(shape[left] - shape[right]))


def _straight(mean: Doubles) -> Doubles:
    """The smallest rotation that takes the line through mirrored pairs to the x axis."""
    across = np.sum(
        [(mean[left] - mean[right]) / np.linalg.norm(mean[left] - mean[right]) for right, left in MIRRORED_PAIRS], axis=0
    )
    across = across / np.linalg.norm(across)
    axis = np.cross(across, [1.0, 0.0, 0.0])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + across[0]))


def main() -> int:
    mean = mean_of(list(meshes()))
    np.save(MEAN_FACE_FILE, mean.astype(np.float32))
    print(MEAN_FACE_FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
