"""The simulator of attacks: sheets as a camera sees them, and what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from demo.view import View
from tools.attacks.__main__ import main
from tools.attacks.kinds import PRINT_MOTIONS, temper
from tools.attacks.sheet import Hold, Sheet, lay

VIEW = View(width_px=320, height_px=240)


def white(width_m: float = 0.1, curvature_per_m: float = 0.0, yaw_deg: float = 0.0) -> np.ndarray:
    """How many columns of white paper, 1 m away, each row of a black frame shows."""
    picture = np.zeros((240, 320, 3), np.uint8)
    paper = Sheet(np.full((400, 400, 4), 255, np.uint8), width_m)
    lay(picture, paper, Hold(z_m=1.0, yaw_deg=yaw_deg, curvature_per_m=curvature_per_m), VIEW)
    return np.count_nonzero(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) > 127, axis=1)


def test_paper_is_as_wide_as_perspective_says():
    assert white().max() == pytest.approx(0.1 * VIEW.focal_px, abs=2)


def test_turned_paper_is_narrower_by_the_cosine():
    assert white(yaw_deg=40.0)[120] == pytest.approx(0.1 * VIEW.focal_px * np.cos(np.radians(40)), abs=2)


def test_bent_paper_keeps_its_length_and_so_looks_narrower():
    # A parabola of 8 per metre over 10 cm of paper spans 9.75 cm; its edges are 9.5 mm farther away.
    assert white(curvature_per_m=8.0)[120] == pytest.approx(0.0975 / 1.0095 * VIEW.focal_px, abs=2)


def test_the_same_seed_moves_a_print_alike():
    one, other = (temper(np.random.default_rng(4), 1.0) for _ in range(2))
    assert all(motion(one, 0.7) == motion(other, 0.7) for motion in PRINT_MOTIONS.values())


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").write_text("mine")
    assert main(["--out", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
