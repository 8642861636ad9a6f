"""What is concluded from a track's heads and eyes, and above all what is not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.messages import Attention, Gaze, HeadPose
from agent.vision.attention import UNSEEN, AttentionSettings, AttentionTrack
from agent.vision.iris import Eye, EyesMeasured
from tests.vision.heads import SIZE, frontal, head_at, mesh_of, networks

FRAME_S = 1 / 15
SETTINGS = AttentionSettings()
EYE = Eye(
    iris_px=(0, 0),
    iris_width_px=5,
    middle_px=(0, 0),
    width_px=20,
    openness=0.3,
    light=120,
    shade=0.9,
    glare=0,
    contrast=0.3,
    sharp=0.2,
)


def head(yaw: float = 0.0, confidence: float = 1.0, pitch: float = 0.0) -> HeadPose:
    return HeadPose(yaw_deg=yaw, pitch_deg=pitch, roll_deg=0, confidence=confidence)


def eyes(yaw: float = 0.0, openness: float = 0.3, fault: str = "", confidence: float = 1.0) -> EyesMeasured:
    """Eyes that look there; with a fault there is no gaze, and behind `UNSEEN` ones no lids either."""
    gaze = None if fault else Gaze(yaw_deg=yaw, pitch_deg=0, confidence=confidence)
    unseen = fault in UNSEEN
    return EyesMeasured(right=EYE, left=EYE, gaze=gaze, openness=openness, fault=fault,
                        lids_seen=0.0 if unseen else 1.0, iris_seen=0.0 if unseen or fault == "closed" else 1.0)  # fmt: skip


class Film:
    """Frames shown to one track, fifteen a second."""

    def __init__(self) -> None:
        self.track, self.now_s = AttentionTrack(), 100.0
        self.told: list[Attention] = []

    def show(self, pose: HeadPose, seen: EyesMeasured | None, frames: int = 1) -> Attention:
        for _ in range(frames):
            self.now_s += FRAME_S
            self.told.append(self.track.take(pose, seen, self.now_s))
        return self.told[-1]

    def blink(self, frames: int, openness: float = 0.04) -> Attention:
        self.show(head(), eyes(openness=openness, fault="closed"), frames)
        return self.show(head(), eyes(), 5)


@pytest.fixture
def film() -> Film:
    known = Film()
    known.show(head(), eyes(), 30)
    return known


def test_who_has_just_come_is_not_judged():
    film = Film()
    told = film.show(head(40), eyes(40), 5)
    assert told.away is None
    assert told.abstained == "learning"


def test_who_looks_at_the_door_is_not_away(film):
    assert film.told[-1].away is False
    assert film.told[-1].abstained == ""


def test_a_look_over_the_shoulder_is_away_and_the_way_back_ends_it(film):
    assert film.show(head(50, 0.6), eyes(fault="turned_away"), 5).away is False
    assert film.show(head(50, 0.6), eyes(fault="turned_away"), 4).away is True
    assert film.show(head(), eyes(), 3).away is True
    assert film.show(head(), eyes(), 4).away is False


def test_eyes_alone_can_look_away(film):
    assert film.show(head(), eyes(38), 8).away is True


def test_a_glance_at_the_reader_is_not_away(film):
    assert film.show(head(12), eyes(20), 30).away is False


def test_a_flicker_about_the_limit_changes_nothing(film):
    for _ in range(20):
        film.show(head(), eyes(SETTINGS.enter_deg + 3), 2)
        film.show(head(), eyes(SETTINGS.leave_deg + 3), 1)
    assert {told.away for told in film.told[30:]} == {False}


def test_a_camera_at_the_side_is_learned_not_complained_of():
    film = Film()
    film.show(head(22), eyes(25), 60)
    assert film.told[-1].away is False
    assert film.show(head(22 - 45), eyes(25 - 45), 10).away is True


def test_a_whole_turned_track_never_makes_a_wall_the_neutral():
    film = Film()
    film.show(head(48, 0.5), eyes(55), 60)
    assert film.show(head(75, 0.5), eyes(80), 10).away is True


@pytest.mark.parametrize("fault", UNSEEN)
def test_where_eyes_cannot_be_seen_nobody_looks_away(fault):
    film = Film()
    for yaw in (0, 10, 35, 50, -50, 0) * 10:
        told = film.show(head(yaw), eyes(fault=fault), 6)
        assert told.away is None
        assert told.gaze is None
        assert told.eyes_open is None
        assert told.abstained == fault
    assert told.blinks == 0


def test_who_puts_sunglasses_on_is_no_longer_judged(film):
    film.show(head(50, 0.6), eyes(fault="turned_away"), 12)
    assert film.told[-1].away is True
    assert film.show(head(50, 0.6), eyes(fault="glasses")).away is None
    assert film.show(head(50, 0.6), None, 3).away is None


def test_when_nothing_is_clear_the_last_word_holds_for_a_second(film):
    film.show(head(50, 0.6), eyes(fault="turned_away"), 12)
    assert film.show(head(70, 0.1), None, 10).away is True
    told = film.show(head(70, 0.1), None, 10)
    assert told.away is None
    assert told.head is None
    assert told.abstained == "turned_away"


def test_a_track_without_frames_says_nothing_but_its_blinks(film):
    film.blink(3)
    assert film.track.at(film.now_s + 0.1).away is False
    told = film.track.at(film.now_s + 1)
    assert (told.away, told.head, told.gaze, told.eyes_open, told.abstained) == (None, None, None, None, "not_seen")
    assert told.blinks == 1


def test_a_frame_from_the_past_changes_nothing(film):
    told = film.told[-1]
    assert film.track.take(head(50), eyes(50), film.now_s) == told
    assert film.track.take(head(50), eyes(50), film.now_s - 1) == told


@pytest.mark.parametrize("frames", [1, 2, 4, 6, 8])
def test_a_blink_is_counted_once(film, frames):
    assert film.blink(frames).blinks == 1
    assert film.blink(frames).blinks == 2


def test_eyes_that_stay_closed_are_no_blink(film):
    assert film.blink(10).blinks == 0


def test_a_squint_is_no_blink(film):
    assert film.blink(3, openness=0.2).blinks == 0


def test_narrow_eyes_blink_like_wide_ones():
    film = Film()
    film.show(head(), eyes(openness=0.16), 30)
    film.show(head(), eyes(openness=0.05), 3)
    told = film.show(head(), eyes(openness=0.16), 3)
    assert told.blinks == 1
    assert told.eyes_open == pytest.approx(1.0)


def test_what_happens_between_two_frames_far_apart_is_no_blink(film):
    film.show(head(), eyes(openness=0.04, fault="closed"))
    film.now_s += 0.3
    assert film.show(head(), eyes(), 3).blinks == 0


def test_lids_that_were_hidden_in_the_middle_are_no_blink(film):
    film.show(head(), eyes(openness=0.04, fault="closed"), 2)
    film.show(head(), eyes(fault="too_dark"), 1)
    assert film.show(head(), eyes(), 5).blinks == 0


def test_closed_eyes_are_told(film):
    assert film.told[-1].eyes_open == pytest.approx(1.0)
    assert film.show(head(), eyes(openness=0.03, fault="closed"), 2).eyes_open == pytest.approx(0.1)


def test_painted_lids_without_an_iris_never_blink():
    film = Film()
    for openness in (0.3, 0.3, 0.3, 0.04) * 30:
        told = film.show(head(), eyes(openness=openness, fault="closed"))
    assert told.blinks == 0
    assert told.eyes_open is None


def test_eyes_that_cannot_be_seen_are_looked_for_less_often():
    film = Film()
    film.show(head(), eyes())
    assert film.track.due(film.now_s + FRAME_S)
    film.show(head(), eyes(fault="glasses"), 12)
    assert not film.track.due(film.now_s + FRAME_S)
    assert film.track.due(film.now_s + 0.4)
    film.show(head(), eyes())
    assert film.track.due(film.now_s + FRAME_S)


def test_a_doubt_of_a_moment_costs_no_blink(film):
    film.show(head(), eyes(fault="glasses"), 3)
    assert film.track.due(film.now_s + FRAME_S)


def test_behind_closed_lids_a_turned_head_is_no_look_away(film):
    film.show(head(50), eyes(openness=0.04, fault="closed"), 30)
    assert True not in {told.away for told in film.told}
    assert film.told[-1].away is None


FRAMES = st.lists(st.tuples(
    st.floats(0.001, 0.6), st.floats(-90, 90), st.floats(0, 1), st.floats(-70, 70), st.floats(0, 1),
    st.sampled_from(["", "", "", "closed", "turned_away", "disagree", *UNSEEN, "not_measured"]), st.floats(0, 0.5),
), max_size=80)  # fmt: skip


def played(frames) -> list[tuple[HeadPose, EyesMeasured | None, Attention, float]]:
    track, now_s, told = AttentionTrack(), 0.0, []
    for step_s, yaw, head_confidence, gaze_yaw, gaze_confidence, fault, openness in frames:
        now_s += step_s
        pose = head(yaw, head_confidence)
        seen = None if fault == "not_measured" else eyes(gaze_yaw, openness, fault, gaze_confidence)
        told.append((pose, seen, track.take(pose, seen, now_s), now_s))
    return told


@given(FRAMES)
def test_nobody_is_away_before_eyes_and_head_were_clear(frames):
    clear = 0
    for pose, seen, told, _ in played(frames):
        gaze = seen.gaze if seen is not None else None
        clear += pose.confidence >= SETTINGS.least_head and gaze is not None and gaze.confidence >= SETTINGS.least_gaze
        assert not told.away or clear >= SETTINGS.learn_samples


@given(FRAMES)
def test_what_cannot_be_seen_is_never_guessed(frames):
    for pose, seen, told, _ in played(frames):
        if pose.confidence < SETTINGS.least_head:
            assert told.head is None
            assert told.gaze is None
        if seen is not None and seen.fault in UNSEEN:
            assert (told.away, told.gaze, told.eyes_open, told.abstained) == (None, None, None, seen.fault)
        if told.away is None:
            assert told.abstained
        assert told.eyes_open is None or 0 <= told.eyes_open <= 1


@given(FRAMES)
def test_abstention_never_counts_a_blink(frames):
    blinks = 0
    for pose, seen, told, _ in played(frames):
        if pose.confidence < SETTINGS.least_head or seen is None or seen.lids_seen < SETTINGS.least_lids:
            assert told.blinks == blinks
        assert told.blinks in (blinks, blinks + 1)
        blinks = told.blinks


@given(FRAMES)
def test_no_two_blinks_come_faster_than_lids_move(frames):
    counted_s = [
        now_s for (_, _, before, _), (_, _, after, now_s) in itertools.pairwise(played(frames)) if after.blinks > before.blinks
    ]
    assert all(later - earlier > 0.001 for earlier, later in itertools.pairwise(counted_s))


def test_a_person_who_turns_away_is_told_through_the_real_networks():
    track, now_s, told = AttentionTrack(), 0.0, []
    for pixels, frames in ((frontal("visitor"), 15), (head_at("visitor", 42), 10), (frontal("visitor"), 10)):
        mesh = mesh_of(pixels)
        seen = networks().gazer.measure(pixels, mesh)
        for _ in range(frames):
            now_s += FRAME_S
            told.append(track.update(mesh, seen if track.due(now_s) else None, SIZE, now_s))
    assert told[14].away is False
    assert told[24].away is True
    assert told[34].away is False
    assert told[34].gaze is not None
    assert told[34].eyes_open > 0.7
    assert told[34].blinks == 0
