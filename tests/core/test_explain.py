"""What a guard reads who asks why: every event has its words, and whatever a door sent is explained without an error."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agent.core.event_words import SENTENCES, plain_sentence
from agent.core.explain import explain, lines_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("risk", "items", "sentences", "reasons", "match", "liveness", "verdict", "seen", "usual", "p", "points", "conduct", "floor",
          "band", "cardholder", "about", "schedule", "profile", "tells", "abstained", "fmr", "score")  # fmt: skip
NEAR = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6), max_leaves=30
)


@given(st.sampled_from([*SENTENCES, "door.sang", ""]), st.dictionaries(st.sampled_from(FIELDS), NEAR, max_size=10))
def test_whatever_a_door_sent_is_explained(kind, data):
    told = explain("an-id", kind, "now", "hq/front", data)
    assert all(isinstance(line, str) for line in lines_of(told))
    assert msgspec.json.decode(msgspec.json.encode(told))["id"] == "an-id"


def item(points: float, **more: object) -> dict[str, object]:
    return {"sentence": f"did {points}", "points": points, "confidence": 1.0, "weight": points, "deviation": 1.0, **more}


DENIED = {
    "reasons": ["face_mismatch"], "sentences": ["the face is not the cardholder's"], "cardholder": "anna", "profile": "staff",
    "schedule": "always", "match": {"score": 0.05, "threshold": 0.44, "fmr": 0.001, "pictures": 4}, "waited_s": 0.84,
    "seen": {"status": "fresh", "faces": 2, "at_door": 1}, "rules_version": 7, "embedder": "face-1", "engine": "cpu",
    "risk": {"score": 0.61, "band": "high", "alert": True, "tells": ["guards"], "raised_from": 0.3, "high_from": 0.55,
             "critical_from": 0.8, "behaviour_at_most": 0.79, "policy": "abc", "norms": "week-9", "conduct": "fresh", "left_out": 0,
             "items": [item(0.4), item(0.35, p=0.0004, usual={"of": "door", "visits": 320.0})], "abstained": ["glances: too_small"]},
}  # fmt: skip


def test_a_denial_tells_the_rule_the_evidence_the_norm_and_the_versions():
    words = "\n".join(lines_of(explain("an-id", "access.denied", "now", "hq/front", DENIED)))
    assert "whoever held the fob of anna was not let in" in words
    assert "Why: the face is not the cardholder's" in words
    assert "scores 0.05 over 4 pictures, and from 0.44 on" in words
    assert "one stranger in 1000" in words
    assert "0.61 of 1, high (raised from 0.30, high from 0.55, critical from 0.80): 1 - (1 - 0.40) x (1 - 0.35)" in words
    assert "fewer than 0.1 % of visits here are as odd, learned from 320, deviation 1.00" in words
    assert "an alert to guards" in words
    assert "Not known: glances: too small" in words
    assert "access rules 7, face network face-1, engine cpu, norms week-9, risk policy abc" in words


def test_the_sum_is_one_that_a_guard_can_do_again():
    told = explain("an-id", "access.denied", "now", "hq/front", DENIED)
    assert round(1 - (1 - 0.40) * (1 - 0.35), 2) == 0.61
    assert [ground.points for ground in told.evidence] == [0.4, 0.35]


def test_a_sum_that_was_cut_says_so_instead():
    risk = {**DENIED["risk"], "items": [item(0.4, capped=True), item(0.3)]}
    told = explain("an-id", "risk.raised", "now", "hq/front", {"risk": risk})
    assert "1 - (1" not in told.risk
    assert "counts for at most 0.79 together, and was cut" in told.risk


def test_an_event_without_evidence_is_one_plain_sentence():
    told = explain("an-id", "door.forced", "now", "hq/front", {"mode": "Locked"})
    assert list(lines_of(told)) == ["now  hq/front  door.forced  an-id", "the door opened although nothing had let it go"]


def test_a_kind_of_a_newer_door_is_told_by_its_fields():
    assert plain_sentence("door.sang", {"song": "la", "notes": [1, 2]}) == "door.sang; song la"
