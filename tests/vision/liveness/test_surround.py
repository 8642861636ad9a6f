"""Borders about a face, and surroundings that hang on it."""

from __future__ import annotations

import cv2
import numpy as np

from agent.vision.liveness.surround import around, border, hangs

BOX = (270.0, 170.0, 100.0, 100.0)


def wall(shift_px: int = 0):
    """A wall full of specks."""
    specks = np.random.default_rng(5).integers(60, 200, (48, 64), np.uint8)
    return np.roll(cv2.resize(specks, (640, 480), interpolation=cv2.INTER_CUBIC), shift_px, axis=1)


def card(angle_deg: float = 0.0, bottom: bool = True):
    """A white-edged card about the face, with or without its lower edge."""
    picture = np.full((480, 640), 90, np.uint8)
    corners = np.array([[-85, -105], [85, -105], [85, 130 if bottom else 400], [-85, 130 if bottom else 400]], float)
    turn = np.radians(angle_deg)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    cv2.fillPoly(picture, [np.rint(corners @ matrix.T + [320, 220]).astype(np.int32)], 180)
    return picture


def test_a_card_about_a_face_is_a_border_even_a_little_askew():
    for angle in (0.0, 5.0, -8.0):
        assert border(around(card(angle), BOX, 0.0)) > 0.85


def test_a_door_frame_behind_somebody_has_no_lower_edge():
    assert border(around(card(bottom=False), BOX, 0.0)) < 0.4


def test_plaster_has_no_border():
    grain = np.random.default_rng(5).normal(0, 60, (480, 640)).astype(np.float32)
    plaster = np.clip(130 + 6 * cv2.GaussianBlur(grain, (0, 0), 6.0), 0, 255).astype(np.uint8)
    assert border(around(plaster, BOX, 0.0)) < 0.6


def test_a_wall_stands_still_and_a_picture_moves_as_one_piece():
    before = around(wall(), BOX, 0.0)
    still = hangs(before, around(wall(), BOX, 0.3, before.place))
    moved = hangs(before, around(wall(9), BOX, 0.3, before.place))
    assert still.moved < 0.01
    assert moved.moved > 0.07
    assert (moved.sides >= 2, moved.together > 0.8) == (True, True)


def test_a_blank_wall_says_nothing():
    blank = around(np.full((480, 640), 128, np.uint8), BOX, 0.0)
    assert hangs(blank, blank) is None
