"""Somebody does something to the camera."""

from __future__ import annotations

from agent.behaviour.camera import CameraSigns
from agent.behaviour.ground import FloorPoint
from agent.behaviour.walkers import Subject


def somebody(away_m: float, at_s: float) -> Subject:
    return Subject(id=1, body=1, face=None, point=FloorPoint(0.0, away_m, 0.1), zone="", since_s=0.0, seen_s=at_s)


def test_a_camera_in_order_tells_nothing() -> None:
    assert CameraSigns().take((), [somebody(0.5, 1.0)], 1.0) == ()


def test_a_covered_camera_tells_since_when_and_who_stood_there() -> None:
    camera = CameraSigns()
    camera.take((), [somebody(0.8, 1.0)], 1.0)
    camera.take(("covered",), [], 8.0)
    (told,) = camera.take(("covered",), [], 11.0)
    assert (told.kind, told.value) == ("camera_tamper", 3.0)
    assert told.detail == "covered; somebody stood 0.8 m away before that"


def test_somebody_far_away_or_long_ago_is_not_named_beside_it() -> None:
    far, long_ago = CameraSigns(), CameraSigns()
    far.take((), [somebody(4.0, 1.0)], 1.0)
    long_ago.take((), [somebody(0.8, 1.0)], 1.0)
    assert far.take(("black",), [], 5.0)[0].detail == "black"
    assert long_ago.take(("black",), [], 60.0)[0].detail == "black"


def test_a_camera_that_is_uncovered_and_covered_again_counts_anew() -> None:
    camera = CameraSigns()
    camera.take(("covered",), [], 1.0)
    camera.take((), [], 50.0)
    assert camera.take(("covered",), [], 60.0)[0].value == 0.0
