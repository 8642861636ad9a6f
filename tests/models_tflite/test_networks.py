"""The shipped files on real faces: a face is found, points lie on it, a person is like themselves and unlike another."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.vision.align import Aligner
from agent.vision.engine import Network, dequantise, open_engine
from models_tflite.manifest import load_manifest

PICTURES = Path(__file__).parent.parent / "pictures"
MANIFEST = load_manifest()
ENGINE = open_engine("litert", threads=1)
NETWORKS = {entry.role: ENGINE.load(entry) for entry in MANIFEST.models}
# Eyes of the person's right and left, px of the 256 px pictures, read off by eye.
EYES_PX = {"astronaut.jpg": ((107, 101), (151, 104)), "president.jpg": ((104, 90), (152, 90))}


def picture(name: str) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(PICTURES / name)), np.uint8)


def real_outputs(network: Network, bgr: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    rgb = np.ascontiguousarray(bgr[None, :, :, ::-1])
    raw = network.run((rgb ^ np.uint8(0x80)).view(np.int8))
    return [dequantise(value, tensor) for value, tensor in zip(raw, network.outputs, strict=True)]


def best_box(bgr: NDArray[np.uint8]) -> tuple[float, NDArray[np.float32]]:
    """Probability and row (centre x and y, width, height, six points) in px of the 256 px picture."""
    scores8, boxes8, scores16, boxes16 = real_outputs(
        NETWORKS["face_detector"], cv2.resize(bgr, (128, 128), interpolation=cv2.INTER_AREA)
    )
    scores = np.concatenate([scores8, scores16], axis=1).ravel()
    best = int(scores.argmax())
    stride, repeats, cell = (8, 2, best) if best < 512 else (16, 6, best - 512)
    cells = 128 // stride
    centre = (np.array([cell // repeats % cells, cell // repeats // cells]) + 0.5) * stride
    row = np.concatenate([boxes8, boxes16], axis=1)[0, best] + np.concatenate([centre, [0, 0], np.tile(centre, 6)])
    return float(1 / (1 + np.exp(-scores[best]))), (row * 2).astype(np.float32)


def mesh(bgr: NDArray[np.uint8]) -> tuple[float, NDArray[np.float32]]:
    """Logit of a face, and 468 x 2 points in px of the 256 px picture."""
    _, row = best_box(bgr)
    side = 1.5 * float(row[2])
    matrix = np.array([[192 / side, 0, 96 - 192 / side * row[0]], [0, 192 / side, 96 - 192 / side * row[1]]])
    points, face = real_outputs(NETWORKS["face_landmarks"], cv2.warpAffine(bgr, matrix, (192, 192)))
    return float(face.ravel()[0]), (points.reshape(468, 3)[:, :2] - matrix[:, 2]) * side / 192


def embedding(bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    _, points = mesh(bgr)
    five = np.array([points[[33, 133]].mean(0), points[[362, 263]].mean(0), points[1], points[61], points[291]], np.float32)
    aligned = Aligner()(bgr, five)
    both = sum(real_outputs(NETWORKS["face_embedder"], side)[0].ravel() for side in (aligned, aligned[:, ::-1]))
    return np.asarray(both / np.linalg.norm(both), np.float32)


@pytest.mark.parametrize("name", EYES_PX)
def test_a_face_is_found_with_its_eyes_where_they_are(name: str) -> None:
    score, row = best_box(picture(name))
    accept = MANIFEST.model("face_detector").acceptance_score
    assert accept is not None
    assert score >= accept
    np.testing.assert_allclose(row[4:8].reshape(2, 2), EYES_PX[name], atol=9)


def test_a_wall_is_no_face() -> None:
    grain = np.random.default_rng(1).normal(0, 6, (256, 256, 3))
    score, _ = best_box(np.clip(grain + np.linspace(90, 160, 256)[:, None, None], 0, 255).astype(np.uint8))
    assert score < 0.5


@pytest.mark.parametrize("name", EYES_PX)
def test_the_points_of_the_mesh_lie_on_the_face(name: str) -> None:
    face, points = mesh(picture(name))
    _, row = best_box(picture(name))
    assert face > 0
    assert points.shape == (468, 2)
    assert np.all(np.abs(points - row[:2]) <= 0.9 * row[2:4])
    np.testing.assert_allclose([points[[33, 133]].mean(0), points[[362, 263]].mean(0)], EYES_PX[name], atol=5)


def test_a_person_is_like_their_mirror_image_and_a_darker_smaller_self() -> None:
    threshold = MANIFEST.threshold_at_fmr(1e-4)
    for name in EYES_PX:
        own = embedding(picture(name))
        worse = cv2.GaussianBlur(cv2.convertScaleAbs(picture(name), alpha=0.6, beta=10), (0, 0), 1.2)
        assert own @ embedding(np.ascontiguousarray(picture(name)[:, ::-1])) > threshold
        assert own @ embedding(np.asarray(worse, np.uint8)) > threshold


def test_two_people_are_unlike() -> None:
    assert embedding(picture("astronaut.jpg")) @ embedding(picture("president.jpg")) < MANIFEST.threshold_at_fmr(1e-3)


def cut(bgr: NDArray[np.uint8], centre: NDArray[np.float32], side: float, size_px: int) -> NDArray[np.uint8]:
    scale = size_px / side
    matrix = np.array([[scale, 0, size_px / 2 - scale * centre[0]], [0, scale, size_px / 2 - scale * centre[1]]])
    return np.asarray(cv2.warpAffine(bgr, matrix, (size_px, size_px), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


@pytest.mark.parametrize("name", EYES_PX)
@pytest.mark.parametrize(("corners", "mirrored"), [((33, 133), False), ((263, 362), True)], ids=["right", "left"])
def test_the_iris_lies_between_the_lids_of_either_eye(name: str, corners: tuple[int, int], mirrored: bool) -> None:
    _, points = mesh(picture(name))
    outer, inner = points[list(corners)]
    eye = cut(picture(name), (outer + inner) / 2, 2.3 * float(np.hypot(*(inner - outer))), 64)
    found, iris, _, _ = real_outputs(NETWORKS["face_iris"], np.ascontiguousarray(eye[:, ::-1]) if mirrored else eye)
    lids, rim = found.reshape(71, 2)[:16], iris.reshape(5, 2)
    wide = float(np.hypot(*(lids[8] - lids[0])))
    assert 18 < wide < 40, "the eye fills a 2.3rd of the picture"
    assert lids[0, 0] < rim[0, 0] < lids[8, 0]
    assert lids[:, 1].min() - 2 < rim[0, 1] < lids[:, 1].max() + 2
    # An iris is 11.7 mm wide, an eye about 30.
    assert 0.25 < np.hypot(*(rim[1] - rim[3])) / wide < 0.6


@pytest.mark.parametrize(
    ("role", "size_px", "happiness"),
    [("face_expression", 112, 1), ("face_expression_grey", 64, 3), ("face_expression_mini", 64, 3)],
)
def test_two_people_who_smile_for_their_portrait_smile(role: str, size_px: int, happiness: int) -> None:
    for name in EYES_PX:
        _, row = best_box(picture(name))
        (logits,) = real_outputs(NETWORKS[role], cut(picture(name), row[:2], float(row[2]), size_px))
        assert int(logits.argmax()) == happiness, name


def person_score(bgr: NDArray[np.uint8]) -> float:
    heatmaps, *_ = real_outputs(NETWORKS["person_pose"], cv2.resize(bgr, (257, 257)))
    return float(1 / (1 + np.exp(-heatmaps.max())))


def test_a_person_is_there_with_the_nose_on_the_face_and_a_wall_is_nobody() -> None:
    bgr = picture("astronaut.jpg")
    heatmaps, offsets, _, _ = real_outputs(NETWORKS["person_pose"], cv2.resize(bgr, (257, 257)))
    row, column = np.unravel_index(int(heatmaps[0, :, :, 0].argmax()), (17, 17))
    nose = 16 * np.array([column, row]) + offsets[0, row, column, [17, 0]]
    _, face = best_box(bgr)
    assert person_score(bgr) > 0.9
    assert np.all(np.abs(nose * 256 / 257 - face[:2]) < face[2:4] / 2)
    grain = np.random.default_rng(1).normal(0, 6, (256, 256, 3))
    assert person_score(np.clip(grain + 128, 0, 255).astype(np.uint8)) < 0.3
