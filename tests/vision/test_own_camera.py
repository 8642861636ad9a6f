"""What a door's own camera makes of people who do not know each other: a count of scores, and the threshold that follows."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.messages import FaceSeen, Liveness, Observation
from agent.errors import ConfigError
from agent.vision.build import build_stages
from agent.vision.chain import Chain, ChainSettings
from agent.vision.engine import open_engine
from agent.vision.own_camera import (
    BINS,
    Estimate,
    NotEnough,
    OwnCamera,
    OwnCameraSettings,
    Shape,
    Tally,
    counts_of,
    estimate,
    shape_of,
)
from agent.vision.tally_file import SAVE_EVERY_S, Learner, load_tally
from demo.scene import Scene
from demo.walks import Walk, Waypoint
from hw.interfaces import Frame
from models_tflite.manifest import load_manifest
from tests.vision.people import portrait

pytestmark = pytest.mark.slow

FLOOR = 0.46
REFERENCE = Shape(0.018, 0.1165)
SETTINGS = OwnCameraSettings()
EMPTY = Tally(embedder_id="e", camera="0")
FRAME_S = 1 / 15


def vector(like: float) -> bytes:
    """A unit vector whose cosine with vector(1) is `like`."""
    return np.array([like, sqrt(1 - like**2), 0, 0], "<f4").tobytes()


def face(track: int, like: float, x: float = 0.0, **changes) -> FaceSeen:
    settings = {
        "track": track, "box_px": (x, 100.0, 60.0, 80.0), "score": 0.9, "quality": 0.9, "first_seen_s": 0.0,
        "embedding": vector(like), "embedded_s": 0.0, "pictures": 3,
    }  # fmt: skip
    return FaceSeen(**(settings | changes))


def seen(at_s: float, *faces: FaceSeen) -> Observation:
    return Observation(frame=1, taken_s=at_s, frame_px=(640, 480), faces=faces, embedder_id="e", engine="cpu", chain_ms=1.0)


def watch(camera: OwnCamera, from_s: float, to_s: float, *faces: FaceSeen) -> None:
    for at_s in np.arange(from_s, to_s, FRAME_S):
        camera.see(seen(float(at_s), *faces))


def scores(camera: OwnCamera) -> list[float]:
    return [round((place + 0.5) * 2 / BINS - 1, 3) for place, count in enumerate(camera.tally.counts) for _ in range(count)]


def drawn(mean: float, deviation: float, pairs: int, seed: int = 1) -> Tally:
    found = np.tanh(np.random.default_rng(seed).normal(mean, deviation, pairs))
    return Tally(embedder_id="e", camera="0", counts=counts_of(found.tolist()))


# -- who is compared with whom ------------------------------------------------------------------------------------------------------


def test_two_people_who_stand_together_for_a_minute_are_one_comparison():
    camera = OwnCamera(EMPTY)
    watch(camera, 0, 60, face(1, 1.0), face(2, 0.2, x=300))
    assert scores(camera) == [0.205]


def test_one_person_alone_is_compared_with_nobody():
    camera = OwnCamera(EMPTY)
    watch(camera, 0, 10, face(1, 1.0))
    watch(camera, 20, 30, face(2, 1.0))
    assert camera.tally.pairs == 0


def test_the_highest_of_a_pairs_looks_counts():
    camera = OwnCamera(EMPTY)
    for number, like in enumerate((0.1, 0.4, 0.2, 0.1, 0.1)):
        camera.see(seen(number * 0.4, face(1, 1.0), face(2, like, x=300)))
    assert scores(camera) == [0.405]


def test_a_pair_that_parts_early_still_counts():
    camera = OwnCamera(EMPTY)
    watch(camera, 0, 0.5, face(1, 1.0), face(2, 0.3, x=300))
    assert camera.tally.pairs == 0
    watch(camera, 0.5, 4, face(1, 1.0))
    assert camera.tally.pairs == 1


def test_three_people_are_three_pairs():
    camera = OwnCamera(EMPTY)
    watch(camera, 0, 5, face(1, 1.0), face(2, 0.2, x=200), face(3, 0.5, x=400))
    assert camera.tally.pairs == 3


@pytest.mark.parametrize(
    "unusable",
    [
        face(2, 0.9, x=300, embedding=b""), face(2, 0.9, x=300, quality=0.1), face(2, 0.9, x=300, box_px=(300.0, 0.0, 20.0, 26.0)),
        face(2, 0.9, x=300, liveness=Liveness(verdict="attack", score=0.0, reason="moves_as_a_plane", watched_s=2.0)),
        face(2, 0.9, x=40),
    ],
    ids=["not embedded", "unclear", "far away", "a picture of a face", "a second box of the same face"],
)  # fmt: skip
def test_what_is_no_second_person_is_not_compared(unusable):
    camera = OwnCamera(EMPTY)
    watch(camera, 0, 5, face(1, 1.0), unusable)
    assert camera.tally.pairs == 0


def test_a_poster_beside_the_door_is_not_what_the_camera_is_judged_by():
    camera = OwnCamera(EMPTY)
    for visitor in range(10):
        watch(camera, visitor * 10, visitor * 10 + 5, face(1, 1.0), face(2 + visitor, 0.6, x=300))
    assert camera.tally.pairs == SETTINGS.partners


def test_an_hour_has_a_say_in_so_many_pairs_only():
    camera = OwnCamera(EMPTY)
    for pair in range(50):
        watch(camera, pair * 10, pair * 10 + 3, face(2 * pair, 1.0), face(2 * pair + 1, 0.2, x=300))
    assert camera.tally.pairs == SETTINGS.pairs_an_hour
    watch(camera, 4200, 4203, face(200, 1.0), face(201, 0.2, x=300))
    assert camera.tally.pairs == SETTINGS.pairs_an_hour + 1


def test_nothing_of_a_face_is_kept():
    camera = OwnCamera(EMPTY)
    watch(camera, 0, 1, face(1, 1.0), face(2, 0.2, x=300))
    assert [
        value for meeting in camera._meetings.values() for value in vars(meeting).values() if not isinstance(value, (int, float))
    ] == []
    assert camera._meetings != {}
    watch(camera, 1, 90, face(1, 1.0))
    watch(camera, 90, 95)
    assert (camera._meetings, camera._done, camera._partners) == ({}, {}, {})


def test_two_real_people_who_walk_up_together_are_one_low_score():
    """The whole chain on a drawn scene with two photographed people."""
    manifest = load_manifest()
    chain = Chain(build_stages(open_engine("litert", 2), manifest), manifest.embedder_id, lambda: "cpu", ChainSettings())
    walks = [
        Walk(portrait=portrait(who), path=(Waypoint(0, x, 1.5), Waypoint(9, x, 1.5)))
        for who, x in (("owner", -0.4), ("stranger", 0.4))
    ]
    scene, camera = Scene(640, 480, 7, tuple(walks)), OwnCamera(EMPTY)
    for at_s in np.arange(0, 4, FRAME_S):
        camera.see(chain.process(Frame(scene.frame(float(at_s)), float(at_s)), float(at_s)))
    (score,) = scores(camera)
    assert score < 0.4


# -- what follows from the count ------------------------------------------------------------------------------------------------------


def test_before_there_are_enough_pairs_nothing_is_said():
    assert estimate(drawn(0.1, 0.12, 299), REFERENCE, FLOOR, SETTINGS) == NotEnough(pairs=299, needed=300)
    assert isinstance(estimate(EMPTY, REFERENCE, FLOOR, SETTINGS), NotEnough)


def test_a_camera_like_that_of_the_list_keeps_the_lists_threshold():
    found = [estimate(drawn(0.018, 0.1165 / 0.789, 2000, seed), REFERENCE, FLOOR, SETTINGS) for seed in range(20)]
    assert np.mean([each.estimated for each in found]) == pytest.approx(FLOOR, abs=0.01)
    assert all(FLOOR <= each.threshold < FLOOR + 0.04 for each in found)
    assert sum(each.interval_90[0] <= FLOOR <= each.interval_90[1] for each in found) >= 14


@pytest.mark.parametrize(("mean", "deviation"), [(0.1, 0.15), (0.15, 0.16), (0.0, 0.19)])
def test_on_a_camera_to_which_all_people_look_more_alike_the_rate_comes_back_to_what_was_stated(mean, deviation):
    """Scores drawn as normal: the reference's threshold is then so many deviations out, on any camera."""
    stated = Shape(0.018, 0.789 * 0.1465)
    found = estimate(drawn(mean, deviation, 3000), stated, FLOOR, SETTINGS)
    others = np.tanh(np.random.default_rng(9).normal(mean, deviation, 400_000))
    expected = np.mean(np.tanh(np.random.default_rng(8).normal(0.018, 0.1465, 400_000)) >= FLOOR)
    assert np.mean(others >= FLOOR) > 2.5 * expected
    assert np.mean(others >= found.threshold) == pytest.approx(expected, rel=0.5)


def test_people_who_look_less_alike_never_lower_the_threshold():
    found = estimate(drawn(-0.05, 0.1, 1000), REFERENCE, FLOOR, SETTINGS)
    assert found.threshold == FLOOR > found.estimated


@given(st.integers(0, 2000), st.floats(-1, 1), st.integers(0, 5))
def test_whatever_is_shown_to_the_camera_the_threshold_stays_between_its_bounds(forged, like, seed):
    honest = drawn(0.05, 0.15, 400, seed)
    poisoned = Tally(
        embedder_id="e", camera="0", counts=tuple(map(sum, zip(honest.counts, counts_of([like] * forged), strict=True)))
    )
    found = estimate(poisoned, REFERENCE, FLOOR, SETTINGS)
    assert isinstance(found, Estimate)
    assert FLOOR <= found.threshold <= FLOOR + SETTINGS.most_rise


def test_one_forged_pair_in_fifty_hardly_moves_the_threshold_and_is_told():
    honest = drawn(0.05, 0.15, 490)
    forged = Tally(embedder_id="e", camera="0", counts=tuple(map(sum, zip(honest.counts, counts_of([0.9] * 10), strict=True))))
    before, after = (estimate(tally, REFERENCE, FLOOR, SETTINGS) for tally in (honest, forged))
    assert after.threshold - before.threshold < 0.03
    assert (before.alike, after.alike) == (0, 10)


def test_a_camera_that_cannot_tell_people_apart_is_said_to_be_one():
    found = estimate(drawn(0.5, 0.2, 500), REFERENCE, FLOOR, SETTINGS)
    assert found.capped
    assert found.threshold == pytest.approx(FLOOR + SETTINGS.most_rise)


@given(st.lists(st.floats(-1, 1), min_size=20, max_size=200))
def test_every_count_has_a_shape(found):
    shape = shape_of(counts_of(found))
    assert shape is not None
    assert shape.deviation >= 0
    assert np.isfinite([shape.mean, shape.deviation]).all()


# -- the file -----------------------------------------------------------------------------------------------------------------------


def learn(learner: Learner, from_s: float) -> None:
    for at_s in np.arange(from_s, from_s + 4, FRAME_S):
        learner.see(seen(float(at_s), face(int(from_s), 1.0), face(int(from_s) + 1, 0.2, x=300)))


def test_the_count_outlives_the_program(tmp_path):
    path = tmp_path / "camera" / "tally.json"
    learner = Learner(path, "e", "0")
    learn(learner, 0)
    assert load_tally(path).pairs == 1
    learn(learner, 10)
    assert load_tally(path).pairs == 1  # not at every pair: a card wears
    learn(learner, SAVE_EVERY_S + 20)
    assert load_tally(path).pairs == 2
    learner.save()
    assert Learner(path, "e", "0").tally.pairs == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_camera_or_embedder_begins_anew(tmp_path):
    path = tmp_path / "tally.json"
    learner = Learner(path, "e", "0")
    learn(learner, 0)
    assert Learner(path, "e", "1").tally.pairs == Learner(path, "f", "0").tally.pairs == 0


def test_a_disk_that_refuses_is_told_and_nothing_stops(tmp_path):
    learner = Learner(tmp_path / "camera" / "tally.json", "e", "0")
    (tmp_path / "camera").write_text("a file where a folder is needed")
    learn(learner, 0)
    assert "cannot be written" in learner.fault
    assert learner.tally.pairs == 1


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'{"embedder_id":"e","camera":"0","counts":[1,2]}', b'{"embedder_id":"e","camera":"0","counts":["a"]}']
)
def test_a_damaged_count_begins_anew_is_told_and_keeps_nobody_from_being_seen(tmp_path, raw):
    (tmp_path / "tally.json").write_bytes(raw)
    learner = Learner(tmp_path / "tally.json", "e", "0")
    assert learner.tally.pairs == 0
    assert "counting begins anew" in learner.fault
    with pytest.raises(ConfigError, match=r"tally\.json: .*delete it"):
        load_tally(tmp_path / "tally.json")
