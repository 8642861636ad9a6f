"""docs/ANALYZE.md names everything that the JSON lines hold: whoever scripts them reads it, not our code."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from agent.analysis.conducted import Behaved, Behaviour, Crossed, Looks, RiskTold, Told
from agent.analysis.films import told
from agent.analysis.output import CODECS
from agent.analysis.summary import FaceTrack, PersonTrack, StageMs, Summary
from agent.core.conduct import Conduct, Evidence, PersonConduct, Usual
from agent.core.messages import EXPRESSIONS, Attention, Expression, Gaze, HeadPose, Liveness
from tests.analysis.seen import face, observation, person

TEXT = (Path(__file__).parent.parent / "docs" / "ANALYZE.md").read_text("utf-8")
WORDS = set(re.findall(r"`([a-z_0-9]+)`", TEXT))


def keys_of(value) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys_of(inner)}
    return {key for inner in value for key in keys_of(inner)} if isinstance(value, (list, tuple)) else set()


def test_every_key_of_an_observation_is_explained():
    head = HeadPose(yaw_deg=0, pitch_deg=0, roll_deg=0, confidence=1)
    full = face(
        attention=Attention(head=head, gaze=Gaze(yaw_deg=0, pitch_deg=0, confidence=1)),
        liveness=Liveness(verdict="live", score=1, reason="blinked", watched_s=1),
        expression=Expression(probabilities=(1, 0, 0, 0, 0, 0, 0), confidence=1),
    )
    line = told(observation(full, persons=(person(),)), "film.mp4", embeddings=True)
    assert keys_of(line) - {"type"} <= WORDS
    assert all(name in TEXT for name in EXPRESSIONS)


def test_every_key_of_a_conduct_is_explained():
    usual = Usual(median=0, low=0, high=1, visits=50, of="door")
    evidence = Evidence(kind="glances", value=5, over_s=8, usual=usual, p=0.01)
    person_conduct = PersonConduct(body=1, face=2, since_s=0, zone="approach", at_m=(0, 1), speed_m_s=1, evidence=(evidence,))
    line = told(
        observation(), "film.mp4", embeddings=False, conduct=Conduct(at_s=0, persons=(person_conduct,), scene=(evidence,))
    )
    assert line["conduct"]["persons"][0]["evidence"][0]["sentence"] == "looked away 5 times in 8 s, usual here 0 to 1"
    assert keys_of(line) - {"type"} <= WORDS


@pytest.mark.parametrize("struct", [Summary, FaceTrack, PersonTrack, StageMs, Behaviour, Behaved, Looks, Crossed, RiskTold, Told])
def test_every_field_of_a_summary_is_explained(struct):
    assert {field.name for field in msgspec.structs.fields(struct)} <= WORDS


def test_every_kind_of_film_that_can_be_written_is_named():
    assert all(ending in TEXT for ending in CODECS)
