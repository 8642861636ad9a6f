"""Two seconds of a face, from frames to a verdict."""

from __future__ import annotations

from math import pi, sin

import numpy as np
import pytest

from agent.vision.liveness import LivenessTrack
from tests.vision.heads import find, frontal, head_at, mesh_of
from tests.vision.liveness.test_planarity import print_at

pytestmark = pytest.mark.slow


def watched(pictures, gain: float = 1.0, noise: float = 1.5):
    """The last verdict on pictures that come 15 a second."""
    track, chance = LivenessTrack(), np.random.default_rng(2)
    said = None
    for number, pixels in enumerate(pictures):
        seen = np.clip(pixels * gain + chance.normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)
        clear = pixels
        said = track.update(seen, mesh_of(clear).points, find(clear).box_px, None, number / 15)
    return said


def swing(most_deg: float) -> list[float]:
    return [round(most_deg * sin(2 * pi * number / 24)) for number in range(31)]


def test_a_head_that_turns_is_never_taken_for_a_print():
    said = watched([head_at("stranger", yaw) for yaw in swing(12)])
    assert said.verdict == "live"
    assert said.reason == "moves_as_a_head"
    assert said.watched_s == pytest.approx(2.0)


@pytest.mark.parametrize("who", ["stranger", "owner"])
def test_a_print_that_turns_is_never_taken_for_a_head(who):
    said = watched([print_at(who, yaw) for yaw in swing(22)])
    assert said.verdict == "attack"


def test_a_bent_print_that_turns_is_never_taken_for_a_head():
    assert watched([print_at("stranger", yaw, 5.0) for yaw in swing(16)]).verdict != "live"


def test_a_photograph_that_does_nothing_is_not_alive():
    assert watched([frontal("stranger")] * 20).verdict != "live"


def test_in_the_dark_nothing_is_said():
    said = watched([head_at("stranger", yaw) for yaw in swing(12)], gain=0.1)
    assert (said.verdict, said.reason) == ("unsure", "too_dark")


def test_half_a_second_is_too_short():
    said = watched([head_at("stranger", yaw) for yaw in swing(12)[:8]])
    assert (said.verdict, said.reason) == ("unsure", "too_short")


def test_who_was_not_seen_for_long_begins_anew():
    track, pixels = LivenessTrack(), frontal("stranger")
    points, box = mesh_of(pixels).points, find(pixels).box_px
    track.update(pixels, points, box, None, 0.0)
    assert track.update(pixels, points, box, None, 1.0).watched_s == pytest.approx(1.0)
    assert track.update(pixels, points, box, None, 9.0).watched_s == 0.0


def test_a_frame_that_comes_twice_changes_nothing():
    track, pixels = LivenessTrack(), frontal("stranger")
    points, box = mesh_of(pixels).points, find(pixels).box_px
    first = track.update(pixels, points, box, None, 1.0)
    assert track.update(pixels, points, box, None, 1.0) is first
