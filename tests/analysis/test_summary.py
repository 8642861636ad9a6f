"""A film's summary: who was there and for how long, when they looked away, and what it cost."""

from __future__ import annotations

import pytest

from agent.analysis.summary import Span, Tally
from agent.analysis.words import in_words
from agent.core.messages import Attention, Expression, HeadPose, Liveness, Observation
from tests.analysis.seen import face, observation, person

HEAD = HeadPose(yaw_deg=0, pitch_deg=0, roll_deg=0, confidence=1)
UNSURE = Liveness(verdict="unsure", score=0.5, reason="not_enough_motion", watched_s=0.5)
ALIVE = Liveness(verdict="live", score=0.9, reason="blinked", watched_s=3.0)


def summed(*seen: Observation, stage_s: dict[str, float] | None = None):
    tally = Tally()
    for each in seen:
        tally.take(each, stage_s or {})
    return tally.summary("film.mp4", complete=True, worked_s=0.5, profile="standard")


def test_a_film_of_ten_frames_a_second_apart_is_ten_seconds_long():
    summary = summed(*(observation(at_s=float(n)) for n in range(10)))
    assert (summary.frames, summary.seconds, summary.real_time_factor) == (10, 10.0, 20.0)
    assert (summary.faces, summary.persons) == ((), ())


def test_a_film_of_one_frame_has_a_summary():
    assert summed(observation(face())).frames == 1


def test_nothing_is_summed_up_of_no_frames():
    with pytest.raises(ValueError, match="no frame"):
        Tally().summary("film.mp4", complete=True, worked_s=1, profile="standard")


def test_a_face_is_told_from_when_it_came_to_when_it_went_with_its_best():
    seen = (
        face(quality=0.2, width=40),
        face(quality=0.9, width=80, embedding=b"1234"),
        face(quality=0.5, width=90, embedding=b"1234"),
    )
    [track] = summed(*(observation(each, at_s=1 + n / 10) for n, each in enumerate(seen)), observation(at_s=2)).faces
    assert (track.first_s, track.last_s, track.frames, track.embedded_s) == (1.0, 1.2, 3, 1.1)
    assert (track.best_quality, track.widest_px) == (0.9, 90.0)


def test_times_of_looking_away_are_told_apart():
    aways = [False, True, True, True, False, None, True, False]
    seen = [
        observation(face(attention=Attention(head=HEAD, away=away, blinks=n // 3)), at_s=float(n)) for n, away in enumerate(aways)
    ]
    [track] = summed(*seen).faces
    assert track.away == (Span(1.0, 3.0), Span(6.0, 6.0))
    assert track.blinks == 2
    assert track.measured_share == 1.0


def test_the_last_verdict_on_life_counts_and_expressions_are_averaged():
    smile, cry = ((0.2, 0.8, 0, 0, 0, 0, 0), (0.2, 0, 0.8, 0, 0, 0, 0))
    seen = [face(liveness=UNSURE, expression=Expression(probabilities=smile, confidence=0.8)),
            face(liveness=ALIVE, expression=Expression(probabilities=cry, confidence=0.8)), face()]  # fmt: skip
    [track] = summed(*map(observation, seen)).faces
    assert track.liveness == ALIVE
    assert track.expressions is not None
    assert (track.expressions["neutral"], track.expressions["happiness"], track.expressions["anger"]) == (0.2, 0.4, 0.0)


def test_a_person_is_told_with_the_faces_that_were_theirs():
    seen = [observation(at_s=float(n), persons=(person(7, whose),)) for n, whose in enumerate((None, 3, 3, 5))]
    [body] = summed(*seen).persons
    assert (body.track, body.first_s, body.last_s, body.frames, body.faces) == (7, 0.0, 3.0, 4, (3, 5))


def test_each_stage_has_its_cost_in_the_frames_in_which_it_ran():
    tally = Tally()
    for n in range(100):
        tally.take(observation(at_s=n / 15), {"detect": 0.002, **({"embed": 0.010} if n < 20 else {})})
    stages = tally.summary("film.mp4", complete=True, worked_s=1, profile="standard").stages_ms
    assert (stages["detect"].p50, stages["detect"].frames) == (2.0, 100)
    assert (stages["embed"].p95, stages["embed"].frames) == (10.0, 20)


def test_faults_are_counted_by_their_words():
    tally = Tally()
    tally.take(observation(), {})
    for what in ("gaze: broken", "gaze: broken", "persons: broken"):
        tally.fault(what)
    summary = tally.summary("film.mp4", complete=True, worked_s=1, profile="standard")
    assert summary.faults == {"gaze: broken": 2, "persons: broken": 1}
    assert "fault in 2 frames: gaze: broken" in in_words(summary)


def test_the_words_name_every_track_and_fit_a_terminal():
    seen = observation(face(1, liveness=ALIVE), face(22, embedding=b"1234"), persons=(person(4, 22),), at_s=0.5)
    words = in_words(summed(seen, stage_s={"detect": 0.002}))
    [_, heads, first, second, *_] = words.splitlines()
    assert heads.split()[:3] == ["face", "from", "s"]
    assert "live 0.90 (blinked)" in first
    assert second.split()[0] == "22"
    assert "person" in words
    assert "detect 2.0/2.0" in words
    assert max(map(len, words.splitlines())) <= 140
