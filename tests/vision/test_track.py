"""Who may speak for a track: nobody must open the door with the face that stood there before."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.vision.faces import Face
from agent.vision.track import Picture, Tracker, TrackSettings, unit

SETTINGS = TrackSettings(same_person=0.4)
FRAME_S = 1 / 15


@functools.lru_cache(maxsize=4096)
def person(seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=192).astype(np.float32))


def view_of(embedding: np.ndarray, seed: int, noise: float = 0.3) -> np.ndarray:
    """Another picture of the same person: unit length, cosine about 1 / sqrt(1 + noise^2) with the first."""
    return unit(embedding + noise * person(10_000 + seed))


def face(x: float, y: float = 100.0, width: float = 80.0) -> Face:
    return Face((x, y, width, width), 0.9, np.zeros((6, 2), np.float32))


OWNER, THIEF = person(1), person(2)


def look(tracker: Tracker, faces: list[Face], now_s: float) -> None:
    tracker.update(faces, now_s)


def show(tracker: Tracker, who: np.ndarray, now_s: float, quality: float = 0.9, x: float = 100.0, seed: int = 0):
    """One frame with one face whose picture is judged."""
    tracker.update([face(x)], now_s)
    return tracker.judge(tracker.seen(now_s)[0], Picture(now_s, view_of(who, seed), quality))


def stand(tracker: Tracker, who: np.ndarray, frames: int, from_s: float = 0.0):
    for n in range(frames):
        track = show(tracker, who, from_s + n * FRAME_S, seed=n)
    return track


def test_a_face_keeps_its_track_while_it_walks():
    tracker = Tracker(SETTINGS)
    ids = set()
    for n in range(30):
        look(tracker, [face(100 + 30 * n)], n * FRAME_S)
        ids |= {track.id for track in tracker.seen(n * FRAME_S)}
    assert ids == {1}


def test_a_face_that_was_missed_for_half_a_second_is_the_same_track():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 6)
    track = show(tracker, OWNER, 6 * FRAME_S + 0.5)
    assert track.id == 1
    assert track.voice() is not None


def test_a_face_that_was_away_for_two_seconds_is_a_new_track():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 6)
    look(tracker, [face(100)], 5 * FRAME_S + 2.0)
    assert [track.id for track in tracker.live()] == [2]


def test_a_face_missed_in_one_frame_is_still_reported_and_one_that_left_is_not():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 3)
    look(tracker, [], 3 * FRAME_S)
    assert len(tracker.seen(3 * FRAME_S)) == 1
    look(tracker, [], 0.5)
    assert tracker.seen(0.5) == []


def test_the_owners_mean_does_not_speak_for_the_thief_who_steps_into_their_place():
    tracker = Tracker(SETTINGS)
    owners = stand(tracker, OWNER, 10)
    silenced = show(tracker, THIEF, 10 * FRAME_S)
    assert silenced.id == owners.id
    assert silenced.voice() is None
    thiefs = show(tracker, THIEF, 11 * FRAME_S)
    assert thiefs.id != owners.id
    assert float(thiefs.voice() @ OWNER) < 0.4
    assert thiefs.first_seen_s == pytest.approx(11 * FRAME_S)


def test_one_odd_picture_of_the_owner_only_silences_the_track_until_the_next_good_one():
    tracker = Tracker(SETTINGS)
    owners = stand(tracker, OWNER, 5)
    show(tracker, person(99), 5 * FRAME_S)
    again = show(tracker, OWNER, 6 * FRAME_S)
    assert again.id == owners.id
    assert float(again.voice() @ OWNER) > 0.9


def test_a_blurred_picture_neither_joins_the_mean_nor_accuses_it():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 5)
    for n in range(5, 9):
        track = show(tracker, THIEF, n * FRAME_S, quality=0.1)
    assert track.id == 1
    assert float(track.voice() @ OWNER) > 0.9


def test_what_was_seen_of_a_face_that_no_picture_knew_is_not_lent_to_the_next():
    """A thief whose pictures are too poor to be anybody's may have blinked and turned; the picture of the owner held up then did not."""
    tracker = Tracker(SETTINGS)
    for n in range(30):
        show(tracker, person(1), n * FRAME_S, quality=0.2, seed=n)
    assert tracker.seen(29 * FRAME_S)[0].unbroken_s == 0.0
    assert show(tracker, person(2), 30 * FRAME_S).unbroken_s == 30 * FRAME_S


def test_a_track_that_is_known_every_third_of_a_second_keeps_what_was_seen_of_it():
    tracker = Tracker(SETTINGS)
    for n in range(30):
        track = show(tracker, person(1), n * FRAME_S, quality=0.2 if n % 5 else 0.9, seed=n)
    assert track.unbroken_s == 0.0


def test_the_mean_forgets_what_is_older_than_two_seconds():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 5)
    for n in range(40):
        look(tracker, [face(100)], 0.3 + n * FRAME_S)
    assert tracker.live()[0].voice() is None


def test_who_stands_there_after_a_gap_is_confirmed_by_a_picture_before_the_track_speaks_again():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 6)
    back_s = 5 * FRAME_S + 0.6
    look(tracker, [face(100)], back_s)
    assert tracker.seen(back_s)[0].voice() is None
    assert show(tracker, OWNER, back_s + FRAME_S).voice() is not None


def test_a_clear_picture_weighs_more_than_a_poor_one():
    tracker = Tracker(SETTINGS)
    tracker.update([face(100)], 0.0)
    [track] = tracker.seen(0.0)
    clear, poor = view_of(OWNER, 1, 0.8), view_of(OWNER, 2, 0.8)
    tracker.judge(track, Picture(0.0, clear, 1.0))
    tracker.judge(track, Picture(0.0, poor, 0.35))
    assert float(track.voice() @ clear) > float(track.voice() @ poor)


def test_a_box_without_a_face_is_dropped_and_a_person_with_a_hand_before_their_face_is_not():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 3)
    tracker.update([face(100), face(400)], 0.2)
    for track in tracker.live():
        tracker.doubt(track)
    assert [track.id for track in tracker.live()] == [1]


def cross(tracker: Tracker, embed: bool) -> list:
    """Owner and thief walk through each other; every frame both are found, in an order that means nothing."""
    heard = []
    for n in range(60):
        left, right = 50 + 8 * n, 530 - 8 * n
        now_s = n * FRAME_S
        pair = [(face(left), OWNER), (face(right), THIEF)]
        tracker.update([f for f, _ in pair[:: 1 if n % 2 else -1]], now_s)
        for track in tracker.seen(now_s):
            who = next(w for f, w in pair if f is track.face)
            if embed:
                tracker.judge(track, Picture(now_s, view_of(who, n), 0.9))
        for track in tracker.seen(now_s):
            voice = track.voice()
            if voice is not None:
                who = next(w for f, w in pair if f is track.face)
                heard.append((n, float(voice @ OWNER), who is OWNER))
    return heard


def test_when_two_people_cross_no_track_ever_speaks_with_the_others_face():
    heard = cross(Tracker(SETTINGS), embed=True)
    assert all((cosine > 0.4) == is_owner for _, cosine, is_owner in heard)
    frames = {n for n, _, _ in heard}
    assert 30 not in frames  # where they meet nobody speaks
    assert 55 in frames  # and afterwards they do again


def test_faces_side_by_side_are_not_ambiguous():
    tracker = Tracker(SETTINGS)
    for n in range(5):
        tracker.update([face(100), face(200)], n * FRAME_S)
    assert not any(track.ambiguous for track in tracker.live())


def film(tracker: Tracker, frames: list[dict[int, float]], step_s: float = FRAME_S) -> dict[int, list[int]]:
    """Frames of {person: x}; every face is embedded wherever the tracker would have it. The ids that each person was reported under."""
    ids: dict[int, list[int]] = {}
    for n, frame in enumerate(frames):
        now_s, faces = n * step_s, {who: face(x) for who, x in frame.items()}
        tracker.update(list(faces.values()), now_s)
        for track in tracker.seen(now_s):
            who = next((w for w, f in faces.items() if f is track.face), None)
            if who is not None:
                tracker.judge(track, Picture(now_s, view_of(person(who), n), 0.9))
        for track in tracker.seen(now_s):
            who = next((w for w, f in faces.items() if f is track.face), None)
            if who is not None and track.voice() is not None:
                assert float(track.voice() @ person(who)) > 0.4
                ids.setdefault(who, []).append(track.id)
    return ids


@pytest.mark.parametrize("hidden_s", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("px_per_s", [0, 120, 480, 800])
def test_who_walks_behind_a_pillar_comes_out_under_the_same_id(hidden_s, px_per_s):
    hidden = range(20, 20 + round(hidden_s / FRAME_S))
    frames = [{} if n in hidden else {1: 100 + px_per_s * n * FRAME_S} for n in range(60)]
    assert set(film(Tracker(SETTINGS), frames)[1]) == {1}


def test_who_comes_out_from_behind_a_pillar_goes_by_no_other_number_until_a_picture_has_said_who_it_is():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 10)
    back_s = 9 * FRAME_S + 0.8
    tracker.update([face(600)], back_s)
    assert tracker.seen(back_s) == []
    [_, new] = tracker.live()
    tracker.judge(new, Picture(back_s, OWNER, 0.9))
    assert [track.id for track in tracker.seen(back_s)] == [1]


def test_a_new_face_that_no_picture_can_be_had_of_is_reported_after_a_fifth_of_a_second_all_the_same():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 10)
    back_s = 9 * FRAME_S + 0.8
    for n in range(5):
        tracker.update([face(600)], back_s + n * FRAME_S)
    assert [track.id for track in tracker.seen(back_s + 4 * FRAME_S)] == [2]


def test_who_turns_round_behind_a_pillar_comes_out_under_the_same_id():
    out, back = [{1: 40.0 * n} for n in range(15)], [{1: 560 - 40.0 * n} for n in range(14)]
    assert set(film(Tracker(SETTINGS), out + [{}] * 13 + back)[1]) == {1}


@pytest.mark.parametrize("step_px", [4, 8, 16, 33])
@pytest.mark.parametrize("hidden", [0, 3, 8])
def test_two_who_cross_keep_their_ids_at_any_speed_and_if_one_hides_the_other(step_px, hidden):
    frames = []
    for n in range(-1000 // step_px, 1000 // step_px):
        frames.append({1: 500.0 + step_px * n, 2: 505.0 - step_px * n} if abs(n) > hidden else {1: 500.0 + step_px * n})
    ids = film(Tracker(SETTINGS), frames)
    assert len(set(ids[1])) == len(set(ids[2])) == 1
    assert ids[1][-1] != ids[2][-1]


def test_two_whose_places_are_exchanged_between_two_frames_keep_their_ids():
    tracker = Tracker(SETTINGS)
    ids = film(tracker, [{1: 100, 2: 400}] * 10 + [{1: 400, 2: 100}] * 10)
    assert set(ids[1]) == {1}
    assert set(ids[2]) == {2}
    assert tracker.changed_places == 1


def test_who_was_pushed_out_of_their_place_by_another_is_known_again_where_they_turn_up():
    frames = [{1: 100}] * 10 + [{2: 100}] * 6 + [{2: 100, 1: 500}] * 6
    ids = film(Tracker(SETTINGS), frames)
    assert set(ids[1]) == {1}
    assert 1 not in ids[2]


def test_a_print_of_the_owner_beside_the_owner_does_not_take_their_track():
    tracker = Tracker(SETTINGS)
    for n in range(20):
        now_s = n * FRAME_S
        tracker.update([face(100)] if n < 10 else [face(100), face(400)], now_s)
        for track in tracker.seen(now_s):
            tracker.judge(track, Picture(now_s, view_of(OWNER, n), 0.9))
    assert {track.face.box_px[0]: track.id for track in tracker.live()} == {100: 1, 400: 2}
    assert tracker.changed_places == 0


def test_a_print_that_was_seen_beside_the_owner_does_not_take_their_track_when_they_hide_either():
    frames = [{1: 100}] * 10 + [{1: 100, 2: 400}] * 5 + [{2: 400}] * 10
    tracker = Tracker(SETTINGS)
    for n, frame in enumerate(frames):
        tracker.update([face(x) for x in frame.values()], n * FRAME_S)
        for track in tracker.seen(n * FRAME_S):
            if track.seen_s == n * FRAME_S:
                tracker.judge(track, Picture(n * FRAME_S, view_of(OWNER, n), 0.9))
    assert {track.face.box_px[0]: track.id for track in tracker.live()} == {100: 1, 400: 2}


def test_who_comes_back_with_the_head_turned_away_is_known_by_their_later_pictures():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 10)
    start_s = 9 * FRAME_S + 0.5
    turned = unit(0.3 * OWNER + person(500))
    for n, seen in enumerate([turned, unit(OWNER + turned), OWNER, OWNER, OWNER]):
        now_s = start_s + n * FRAME_S
        tracker.update([face(600)], now_s)
        track = next(each for each in tracker.live() if each.seen_s == now_s)
        track = tracker.judge(track, Picture(now_s, seen, 0.9))
    assert track.id == 1
    assert len(track.pictures) == 5


def test_who_is_sent_to_anothers_place_is_silent_until_a_picture_shows_them_there():
    tracker, now_s = Tracker(SETTINGS), 0.0
    tracker.update([face(100), face(400)], now_s)
    owners, thiefs = tracker.live()
    tracker.judge(thiefs, Picture(now_s, THIEF, 0.9))
    for n in range(1, 40):  # the thief looks away for so long that nothing is left to speak with
        now_s = n * FRAME_S
        tracker.update([face(100), face(400)], now_s)
        tracker.judge(owners, Picture(now_s, OWNER, 0.9))
    tracker.judge(owners, Picture(now_s, THIEF, 0.9))
    by_place = {track.face.box_px[0]: track for track in tracker.live()}
    assert (by_place[100].id, by_place[400].id) == (2, 1)
    assert by_place[100].voice() @ THIEF > 0.9
    assert by_place[400].voice() is None


def test_after_a_gap_a_track_speaks_only_with_what_was_seen_since():
    tracker = Tracker(SETTINGS)
    stand(tracker, OWNER, 10)
    back_s = 9 * FRAME_S + 0.5
    track = show(tracker, OWNER, back_s, seed=77)
    assert len(track.pictures) == 1
    assert track.voice() @ view_of(OWNER, 77) == pytest.approx(1.0, abs=1e-5)


def test_a_doubt_is_dated_for_those_who_watch_for_life():
    tracker = Tracker(SETTINGS)
    assert stand(tracker, OWNER, 10).unbroken_s == 0.0
    assert show(tracker, OWNER, 9 * FRAME_S + 0.5).unbroken_s == pytest.approx(9 * FRAME_S + 0.5)


moves = st.lists(
    st.lists(
        st.tuples(st.floats(-50, 700), st.floats(-50, 500), st.floats(2, 300), st.integers(0, 3), st.floats(0, 1)), max_size=4
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(moves, st.floats(0.01, 1.5))
def test_whatever_is_seen_ids_are_never_used_twice_and_every_voice_is_of_unit_length(frames, step_s):
    tracker, begun = Tracker(SETTINGS), {}
    for n, frame in enumerate(frames):
        now_s = n * step_s
        tracker.update([face(x, y, width) for x, y, width, _, _ in frame], now_s)
        for track, (_, _, _, who, quality) in zip(tracker.seen(now_s), frame, strict=False):
            tracker.judge(track, Picture(now_s, person(who), quality))
        for track in tracker.live():
            assert begun.setdefault(track.id, track.first_seen_s) == track.first_seen_s
            assert track.seen_s <= now_s
            voice = track.voice()
            assert voice is None or abs(float(np.linalg.norm(voice)) - 1) < 1e-5
            assert len(track.pictures) <= SETTINGS.most_pictures
        assert len(tracker.live()) <= sum(len(f) for f in frames[: n + 1])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=40))
def test_in_one_place_a_voice_never_belongs_to_somebody_who_was_contradicted_by_the_last_good_picture(pictures):
    tracker = Tracker(SETTINGS)
    for n, (is_owner, quality) in enumerate(pictures):
        track = show(tracker, OWNER if is_owner else THIEF, n * FRAME_S, quality=quality, seed=n)
        voice = track.voice()
        if quality >= SETTINGS.good_quality and voice is not None:
            assert (float(voice @ OWNER) > 0.4) == is_owner


people_in_view = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 6), st.sampled_from([70, 80, 110]), st.sampled_from([0.1, 0.5, 0.9]), st.booleans()
    ),
    max_size=4,
)
waits = st.sampled_from([FRAME_S, FRAME_S, FRAME_S, 0.3, 0.7, 1.2, 2.5])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(waits, people_in_view), max_size=40))
def test_no_sequence_of_sightings_lets_one_persons_face_speak_for_anothers_track(frames):
    """People jump anywhere, twins of a print included; some are embedded, some are blurred. An id speaks for one person, ever, and
    never against a good picture of the same frame."""
    tracker, now_s, owner_of = Tracker(SETTINGS), 0.0, {}
    for wait_s, crowd in frames:
        now_s += wait_s
        faces = [(face(60.0 * x, width=width), who, quality, looked) for who, x, width, quality, looked in crowd]
        tracker.update([each[0] for each in faces], now_s)
        shown = {}
        for track in tracker.live():
            who, quality = next(((w, q) for f, w, q, looked in faces if f is track.face and looked), (None, 0.0))
            if who is not None and track.seen_s == now_s:
                told = tracker.judge(track, Picture(now_s, view_of(person(who), len(owner_of)), quality))
                if quality >= SETTINGS.good_quality and not told.ambiguous:
                    shown[told.id] = who
        for track in tracker.live():
            voice = track.voice()
            if voice is not None:
                likeness = [float(voice @ person(who)) for who in range(4)]
                speaks_for = int(np.argmax(likeness))
                assert likeness[speaks_for] > 0.8  # one person's pictures, not a mixture
                assert owner_of.setdefault(track.id, speaks_for) == speaks_for
                assert shown.get(track.id, speaks_for) == speaks_for
