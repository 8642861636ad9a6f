"""Ways: the speeds and pauses that were asked for, no jumps, and heads that turn round."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.catalogue import OWNER_APPROACH
from demo.cutout import Sprite
from demo.round_head import turn_round
from demo.ways import Go, Wait, times, way

SPEEDS = st.floats(0.3, 3.5)


@given(speed=SPEEDS, m_s2=st.floats(0.5, 9.0), z_m=st.floats(0.4, 6.0))
def test_a_way_ends_where_and_when_it_says(speed, m_s2, z_m):
    parts = [Go((0.2, z_m), speed, m_s2), Wait(1.5)]
    walk = way(OWNER_APPROACH, (-0.3, 7.0), parts, starts_s=2.0)
    assert walk.ends_s == pytest.approx(times(parts, (-0.3, 7.0), 2.0)[-1])
    assert (walk.path[-1].x_m, walk.path[-1].z_m) == pytest.approx((0.2, z_m), abs=0.03)


@given(speed=SPEEDS, m_s2=st.floats(0.5, 9.0))
def test_nobody_is_faster_than_asked(speed, m_s2):
    walk = way(OWNER_APPROACH, (0.0, 6.0), [Go((0.0, 1.0), speed, m_s2)])
    steps = list(zip(walk.path, walk.path[1:], strict=False))
    assert max(math.hypot(b.x_m - a.x_m, b.z_m - a.z_m) / (b.at_s - a.at_s) for a, b in steps) <= speed * 1.001
    assert all(b.z_m <= a.z_m + 1e-9 for a, b in steps)


def test_a_long_way_is_walked_at_the_speed_that_was_asked():
    walk = way(OWNER_APPROACH, (0.0, 7.0), [Go((0.0, 1.0), 1.4)])
    middle = walk.at(walk.ends_s / 2)
    assert middle is not None
    assert -middle.z_m_s == pytest.approx(1.4, abs=0.01)


@pytest.mark.parametrize("yaw_deg", [-45.0, 45.0])
def test_a_head_that_turns_round_shows_its_nose_on_that_side_and_keeps_its_shoulders(yaw_deg):
    pixels = np.zeros((300, 240, 4), np.uint8)
    pixels[40:200, 60:180] = (90, 120, 200, 0)
    pixels[200:, 20:220] = (30, 30, 160, 0)
    pixels[..., 3] = np.where(pixels[..., 2] > 0, 0, 255)
    pixels[110:150, 114:126, :3] = (10, 10, 20)
    sprite = Sprite(pixels, (80.0, 60.0, 80.0, 110.0))
    turned = pixels.copy()
    turn_round(sprite, yaw_deg, turned)
    dark = (turned[60:190, :, :3].max(axis=2) < 40) & (turned[60:190, :, 3] < 20)
    assert np.sign(np.nonzero(dark)[1].mean() - 119.5) == np.sign(yaw_deg)
    assert np.array_equal(turned[260:], pixels[260:])
