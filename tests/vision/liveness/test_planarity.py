"""A head, a flat print and a bent one, turned by known angles: what each moves like."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest

from agent.vision.head_pose import fit, mean_face, put_right
from agent.vision.liveness.patch import RIGID, cut
from agent.vision.liveness.planarity import compare
from demo.view import View
from tests.vision.heads import frontal, head_at, mesh_of
from tools.attacks.sheet import Hold, Sheet, lay

VIEW = View(width_px=320, height_px=320)


@functools.lru_cache(maxsize=4)
def paper(who: str) -> Sheet:
    return Sheet(np.dstack([frontal(who), np.full((320, 320), 255, np.uint8)]), 0.3)


def print_at(who: str, yaw_deg: float, curvature_per_m: float = 0.0):
    picture = np.full((320, 320, 3), 130, np.uint8)
    lay(picture, paper(who), Hold(z_m=0.42, yaw_deg=yaw_deg, curvature_per_m=curvature_per_m), VIEW)
    return picture


def patch(pixels, taken_s):
    points = mesh_of(pixels).points
    yaw, pitch, _ = put_right(fit(points[RIGID], mean_face()[RIGID]).rotation)
    return cut(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), points, (yaw, pitch), taken_s)


def seen(one, other):
    found = compare(patch(one, 0.0), patch(other, 0.5))
    assert found is not None
    return found


WHO = ["owner", "stranger"]


@pytest.mark.parametrize("who", WHO)
def test_a_head_that_turns_shows_its_depth(who):
    found = seen(head_at(who, -6.0), head_at(who, 6.0))
    assert found.flat[0] > 0.05
    assert abs(found.flat[0]) > 4 * found.flat_noise


@pytest.mark.parametrize("who", WHO)
def test_a_flat_print_that_turns_shows_none(who):
    found = seen(print_at(who, -15.0), print_at(who, 15.0))
    assert abs(found.flat[0]) < 0.02


@pytest.mark.parametrize("who", WHO)
def test_a_bent_print_shows_the_depth_of_a_bent_sheet_and_no_nose(who):
    found = seen(print_at(who, -10.0, 5.0), print_at(who, 10.0, 5.0))
    assert abs(found.relief[0]) < 0.04
    assert abs(found.relief[0]) < 0.6 * abs(found.flat[0])


def test_a_face_without_detail_is_not_compared():
    blank = np.full((320, 320, 3), 90, np.uint8)
    points = mesh_of(frontal("owner")).points
    flat = cut(blank[..., 0].copy(), points, (0.0, 0.0), 0.0)
    assert compare(flat, flat) is None
