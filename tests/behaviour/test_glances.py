"""Looking away from the door: what is counted, on which side, and above all what is not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.behaviour.glances import Glances, GlanceSettings, GlanceTrack, Spared
from agent.core.messages import Attention, Gaze, HeadPose

FRAME_S = 1 / 15
SETTINGS = GlanceSettings()


def seen(yaw: float = 0.0, pitch: float = 0.0, *, confidence: float = 1.0, eyes: bool = True, away: bool | None = False,
         abstained: str = "") -> Attention:  # fmt: skip
    head = HeadPose(yaw_deg=yaw, pitch_deg=pitch, roll_deg=0.0, confidence=confidence)
    gaze = Gaze(yaw_deg=yaw, pitch_deg=pitch, confidence=1.0) if eyes and not abstained else None
    return Attention(head=head, gaze=gaze, away=away, abstained=abstained)


LOST = Attention(abstained="turned_away")


class Visit:
    """Frames of one person, fifteen a second."""

    def __init__(self, settings: GlanceSettings | None = None, at_s: float = 100.0) -> None:
        self.track, self.now_s = GlanceTrack(settings), at_s

    def shows(self, attention: Attention | None, seconds: float) -> Visit:
        for _ in range(round(seconds / FRAME_S)):
            self.now_s += FRAME_S
            self.track.take(self.now_s, attention)
        return self

    def glances(self) -> Glances:
        return self.track.glances(self.now_s)


@pytest.fixture
def visit() -> Visit:
    return Visit().shows(seen(), 3.0)


def test_who_looks_at_the_door_has_not_glanced(visit):
    told = visit.shows(seen(), 10).glances()
    assert told.count == 0
    assert told.away_share == 0
    assert told.measured_s == pytest.approx(12.5, abs=0.5)
    assert told.abstained == ""


@pytest.mark.parametrize("yaw", [-60, -40, -30, 30, 40, 60])
def test_a_turned_head_is_a_glance_to_its_side_of_the_picture(visit, yaw):
    told = visit.shows(seen(yaw), 0.6).shows(seen(), 1.0).glances()
    assert told.count == 1
    assert (told.left, told.right) == ((1, 0) if yaw < 0 else (0, 1))
    assert told.times_s[0] == pytest.approx(103.07, abs=0.1)
    assert told.longest_s == pytest.approx(0.53, abs=0.1)


def test_five_looks_over_both_shoulders_in_eight_seconds(visit):
    for yaw in (45, -45, 45, -45, 45):
        visit.shows(seen(yaw), 0.5).shows(seen(), 1.1)
    told = visit.glances()
    assert (told.count, told.left, told.right) == (5, 2, 3)
    assert told.rate_per_10_s == pytest.approx(4.6, abs=0.5)
    assert told.count_visit == 5


def test_who_is_learned_with_the_head_aside_looks_straight_there():
    """A camera above the door's left edge sees everybody from the side."""
    visit = Visit().shows(seen(25), 3.0)
    assert visit.shows(seen(25), 5.0).glances().count == 0
    assert visit.shows(seen(-8), 0.6).shows(seen(25), 1.0).glances().left == 1


def test_who_comes_in_looking_aside_and_then_looks_at_the_door_has_not_glanced():
    assert Visit().shows(seen(45), 0.8).shows(seen(), 8.0).glances().count == 0


def test_who_looks_into_the_camera_first_and_then_at_a_door_beside_it_has_not_glanced():
    assert Visit().shows(seen(), 0.8).shows(seen(35), 8.0).glances().count == 0


def test_a_look_at_the_reader_is_no_glance(visit):
    for yaw, pitch in ((15, -10), (-20, -8), (18, 0)):
        visit.shows(seen(yaw, pitch), 0.8).shows(seen(), 0.8)
    assert visit.glances().count == 0


def test_a_reader_that_is_far_aside_is_spared_where_the_installer_says_so():
    visit = Visit(GlanceSettings(spared=(Spared(yaw_deg=40, pitch_deg=-15),))).shows(seen(), 3.0)
    assert visit.shows(seen(38, -12), 1.0).shows(seen(), 1.0).glances().count == 0
    assert visit.shows(seen(-38, -12), 1.0).shows(seen(), 1.0).glances().count == 1


def test_a_look_down_at_the_fob_is_counted_apart(visit):
    told = visit.shows(seen(5, -35), 1.0).shows(seen(), 1.0).glances()
    assert (told.count, told.down) == (0, 1)
    assert told.away_s == 0


def test_a_look_at_a_reader_beside_the_door_is_one_down_and_no_glance(visit):
    told = visit.shows(seen(30, -28), 1.0).shows(seen(), 1.0).glances()
    assert (told.count, told.down) == (0, 1)
    assert visit.shows(seen(60, -20), 0.5).shows(seen(), 1.0).glances().count == 1


def test_one_frame_in_which_the_mesh_slips_is_no_glance(visit):
    assert visit.shows(seen(45), FRAME_S).shows(seen(), 1.0).glances().count == 0


def test_eyes_that_wander_count_when_attention_says_that_they_are_away(visit):
    aside = replace(seen(), gaze=Gaze(yaw_deg=35, pitch_deg=0, confidence=1.0))
    assert visit.shows(aside, 0.3).shows(seen(), 1.0).glances().count == 0
    told = visit.shows(replace(aside, away=True), 0.6).shows(seen(), 1.0).glances()
    assert (told.count, told.right) == (1, 1)


def test_who_looks_elsewhere_for_long_does_not_glance(visit):
    told = visit.shows(seen(45, eyes=False), SETTINGS.most_s + 2).shows(seen(), 1.0).glances()
    assert told.count == 0
    assert told.away_s > SETTINGS.most_s


@pytest.mark.parametrize("reason", ["too_dark", "glasses", "one_eye"])
def test_whose_eyes_cannot_be_seen_is_not_judged(reason):
    visit = Visit().shows(seen(abstained=reason, away=None), 3.0)
    told = visit.shows(seen(45, abstained=reason, away=None), 0.6).shows(seen(abstained=reason, away=None), 2.0).glances()
    assert (told.count, told.measured_s, told.rate_per_10_s, told.away_share) == (0, 0, None, None)
    assert told.abstained == reason
    assert told.confidence == 0


def test_who_is_too_far_for_their_eyes_is_judged_by_the_head_alone():
    far = seen(abstained="too_small", away=None)
    visit = Visit().shows(far, 3.0)
    told = visit.shows(seen(40, abstained="too_small", away=None), 0.6).shows(far, 3.0).glances()
    assert (told.count, told.right) == (1, 1)
    assert told.head_only_s == told.measured_s
    near = Visit().shows(seen(), 3.0).shows(seen(40), 0.6).shows(seen(), 3.0).glances()
    assert told.confidence < near.confidence


def test_who_is_so_far_that_the_head_is_unclear_is_not_judged():
    told = Visit().shows(seen(abstained="too_small", away=None, confidence=0.35), 5.0).glances()
    assert told.abstained == "too_small"
    assert told.measured_s == 0


def test_an_eye_that_a_turning_head_hides_is_no_dark_glass(visit):
    hidden = seen(38, abstained="glasses", away=None)
    assert visit.shows(hidden, 0.5).shows(seen(), 1.0).glances().right == 1


def test_a_face_that_turns_away_until_it_is_lost_and_comes_back_was_a_glance_over_the_shoulder(visit):
    told = visit.shows(seen(-25), FRAME_S).shows(LOST, 0.8).shows(seen(), 1.0).glances()
    assert (told.count, told.left, told.back) == (1, 1, 1)
    told = visit.shows(seen(40), 0.2).shows(None, 1.0).shows(seen(), 1.0).glances()
    assert (told.count, told.right, told.back) == (2, 1, 2)


def test_nothing_is_measured_while_a_face_is_lost(visit):
    before_s = visit.glances().measured_s
    told = visit.shows(seen(-25), FRAME_S).shows(LOST, 1.5).glances()
    assert told.measured_s == pytest.approx(before_s + FRAME_S, abs=0.01)
    assert told.abstained == "turned_away"


def test_who_is_hidden_while_looking_straight_ahead_has_not_glanced(visit):
    assert visit.shows(None, 0.8).shows(seen(), 1.0).glances().count == 0


def test_who_turns_away_and_is_not_seen_again_in_time_has_not_glanced(visit):
    visit.shows(seen(40), 0.3).shows(LOST, SETTINGS.lost_s + 0.5)
    assert visit.glances().count == 0
    assert visit.shows(seen(), 2.0).glances().count == 0


def test_a_glance_leaves_the_window_and_stays_with_the_visit(visit):
    visit.shows(seen(40), 0.6).shows(seen(), SETTINGS.window_s + 2)
    told = visit.glances()
    assert (told.count, told.times_s, told.away_s) == (0, (), 0)
    assert told.count_visit == 1


def test_whom_nobody_has_seen_has_no_glances():
    told = GlanceTrack().glances(10.0)
    assert (told.count, told.measured_s, told.over_s, told.abstained) == (0, 0, 0, "not_seen")


def test_a_clock_that_leaps_poisons_nothing(visit):
    visit.track.take(math.nan, seen(50))
    visit.track.take(1e12, seen(50))
    told = visit.shows(seen(), 3.0).shows(seen(40), 0.5).shows(seen(), 1.0).glances()
    assert told.count == 1


ATTENTIONS = st.one_of(
    st.none(),
    st.builds(seen, st.floats(-80, 80), st.floats(-50, 50), confidence=st.floats(0.3, 1), eyes=st.booleans(),
              away=st.sampled_from([None, True, False]),
              abstained=st.sampled_from(["", "", "", "too_small", "glasses", "turned_away", "learning"])),
    st.just(LOST),
    st.just(seen(math.nan)),
)  # fmt: skip
FRAMES = st.lists(st.tuples(st.one_of(st.just(FRAME_S), st.floats(-0.5, 3)), ATTENTIONS), max_size=150)


def _told(frames: list[tuple[float, Attention | None]], at_s: float) -> Glances:
    track, now_s = GlanceTrack(), at_s
    for step_s, attention in frames:
        now_s += step_s
        track.take(now_s, attention)
    return track.glances(now_s)


@settings(max_examples=200, deadline=None)
@given(FRAMES)
def test_whatever_comes_counts_stay_in_bounds(frames):
    told = _told(frames, 50.0)
    assert told.count == told.left + told.right + told.up == len(told.times_s)
    assert told.back <= told.count <= told.count_visit
    assert 0 <= told.away_s <= told.measured_s + 1e-9 <= SETTINGS.window_s + 2
    assert 0 <= told.head_only_s <= told.measured_s + 1e-9
    assert 0 <= told.confidence <= 1
    assert list(told.times_s) == sorted(told.times_s)


@settings(max_examples=100, deadline=None)
@given(FRAMES, st.integers(-40, 4000))
def test_the_hour_does_not_matter(frames, shift_s):
    here, there = _told(frames, 64.0), _told(frames, 64.0 + shift_s)
    assert (there.count, there.left, there.right, there.down) == (here.count, here.left, here.right, here.down)
    assert there.measured_s == pytest.approx(here.measured_s, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.just(FRAME_S), st.one_of(st.none(), st.builds(
    seen, st.floats(-80, 80), abstained=st.sampled_from(["too_dark", "glasses", "one_eye"]), away=st.none()))), max_size=100))  # fmt: skip
def test_abstention_never_counts(frames):
    told = _told(frames, 0.0)
    assert told.count == told.down == told.measured_s == told.confidence == 0
    assert told.abstained


def test_a_visit_of_a_day_needs_no_more_memory_than_half_a_minute(visit):
    for _ in range(100):
        visit.shows(seen(40), 0.3).shows(seen(), 0.7)
    assert len(visit.track._glances) <= SETTINGS.most_times
    assert len(visit.track._seconds) <= SETTINGS.window_s + 2
    assert visit.glances().count_visit == 100
