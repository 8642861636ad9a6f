"""The whole chain on two people who cross and on one who walks behind a pillar: same numbers afterwards, and nobody's face but their own."""

from __future__ import annotations

import pytest

from tests.vision.people import portrait
from tools.bench.tracking import Rig, plays, rig_of, watch

PEOPLE = ("owner", "stranger", "visitor")


@pytest.fixture(scope="module")
def rig() -> Rig:
    return rig_of([portrait(name) for name in PEOPLE])


@pytest.mark.system
@pytest.mark.parametrize(
    "name",
    ["two cross at 1.5 m/s each", "walks behind a pillar for 1 s", "stands, is hidden for 1 s", "two cross behind a pillar"],
)
def test_faces_and_bodies_keep_their_numbers_and_speak_for_nobody_else(rig, name):
    play = next(play for play in plays(*(portrait(who) for who in PEOPLE)) if play.name == name)
    result = watch(play, (640, 480), 20, rig)
    assert result.faces.switches == result.bodies.switches == 0
    assert result.strange == 0
    assert result.voices > 15
    assert result.faces.found > 0.85
    assert result.bodies.found > 0.85
