"""Frames of an approaching person, real photographs through real networks, to observations."""

from __future__ import annotations

import numpy as np
import pytest

from agent.core.identity import cosine
from agent.core.messages import Observation
from agent.vision.build import build_enroller, build_stages
from agent.vision.chain import Chain, ChainSettings, Stages
from agent.vision.engine import open_engine
from agent.vision.track import TrackSettings
from demo.scene import Scene
from demo.walks import Walk, Waypoint
from hw.interfaces import Frame
from models_tflite.manifest import load_manifest
from tests.vision.people import canvas_with, portrait, whole_picture

pytestmark = pytest.mark.slow

FRAME_S = 1 / 15
SAME = 0.45


@pytest.fixture(scope="module")
def stages() -> Stages:
    return build_stages(open_engine("litert", 2), load_manifest())


@pytest.fixture(scope="module")
def owners() -> bytes:
    enroller = build_enroller(open_engine("litert", 2), load_manifest())
    return enroller.template_from_picture(whole_picture(portrait("owner", "enrolment"))).embedding


def chain_of(stages: Stages) -> Chain:
    return Chain(stages, "test", lambda: "cpu", ChainSettings(track=TrackSettings(same_person=SAME)))


def watch(chain: Chain, scene: Scene, from_s: float, to_s: float) -> list[Observation]:
    times = np.arange(from_s, to_s, FRAME_S)
    return [chain.process(Frame(scene.frame(float(t)), float(t)), float(t)) for t in times]


def approach(who: str) -> Walk:
    return Walk(portrait=portrait(who), path=(Waypoint(0, 0.2, 3.0), Waypoint(2.5, 0.0, 0.9), Waypoint(8.0, 0.0, 0.9)))


def scene_with(*walks: Walk) -> Scene:
    return Scene(640, 480, 7, walks)


def best(observation: Observation, template: bytes) -> float:
    return max((cosine(template, face.embedding) for face in observation.faces if face.embedding), default=-1.0)


def test_an_empty_entrance_shows_nobody(stages):
    assert all(seen.faces == () for seen in watch(chain_of(stages), scene_with(), 0, 2))


def test_the_owner_who_walks_up_is_one_track_that_matches_before_they_arrive(stages, owners):
    seen = watch(chain_of(stages), scene_with(approach("owner")), 0, 4)
    near = [each for each in seen if each.taken_s > 1.5]
    assert all(len(each.faces) == 1 for each in near)
    assert len({face.track for each in near for face in each.faces}) == 1
    assert all(best(each, owners) > SAME for each in near)


def test_the_stranger_never_matches_the_owner(stages, owners):
    seen = watch(chain_of(stages), scene_with(approach("stranger")), 0, 4)
    assert any(each.faces and each.faces[0].embedding for each in seen)
    assert all(best(each, owners) < SAME for each in seen)


def test_a_person_who_appears_two_metres_away_is_found_and_embedded_within_half_a_second(stages):
    walk = Walk(portrait=portrait("owner"), path=(Waypoint(1, 0.0, 1.3), Waypoint(5, 0.0, 1.3)))
    seen = watch(chain_of(stages), scene_with(walk), 0, 2)
    first = next(each.taken_s for each in seen if any(face.embedding for face in each.faces))
    assert first < 1.6


def test_times_and_ages_are_those_of_the_frames(stages):
    [*_, last] = watch(chain_of(stages), scene_with(approach("owner")), 2.5, 5)
    [face] = last.faces
    assert face.first_seen_s < 3.0
    assert 0 <= last.taken_s - face.embedded_s <= 0.35
    assert face.pictures >= 5
    assert last.frame_px == (640, 480)
    assert last.chain_ms > 0


def test_when_another_face_stands_in_the_owners_place_in_the_next_frame_the_owners_embedding_is_gone_in_a_third_of_a_second(
    stages, owners
):
    chain = chain_of(stages)
    owner, _ = canvas_with(portrait("owner"), 90, (320, 240))
    thief, _ = canvas_with(portrait("stranger"), 90, (320, 240))
    times = np.arange(0, 3, FRAME_S)
    seen = [chain.process(Frame(owner if t < 1.5 else thief, t), t) for t in times.tolist()]
    assert best(next(each for each in seen if each.taken_s > 1.4), owners) > SAME
    assert all(best(each, owners) < SAME for each in seen if each.taken_s > 1.5 + 0.34)
    assert seen[-1].faces[0].embedding  # and the thief has been looked at by then
    assert seen[-1].faces[0].track != seen[0].faces[0].track


def test_a_camera_that_changes_its_size_is_followed(stages):
    chain = chain_of(stages)
    for t, size in enumerate([(640, 480), (1280, 720), (320, 240)]):
        pixels, _ = canvas_with(portrait("owner"), 100, (160, 120), size)
        assert chain.process(Frame(pixels, float(t)), float(t)).frame_px == size


def test_a_frame_from_the_future_does_not_freeze_the_tracks(stages):
    chain = chain_of(stages)
    pixels, _ = canvas_with(portrait("owner"), 100, (320, 240))
    chain.process(Frame(pixels, 1e6), 1.0)
    later = [chain.process(Frame(pixels, 1.0 + n * FRAME_S), 1.0 + n * FRAME_S) for n in range(1, 5)]
    assert later[-1].faces[0].embedding


def test_each_stage_is_timed(stages):
    chain = chain_of(stages)
    watch(chain, scene_with(approach("owner")), 2.5, 3.5)
    assert set(chain.times.total_s) == {"motion", "detect", "track", "landmarks", "align", "quality", "embed"}
    assert chain.times.count["detect"] == 15
    assert chain.times.total_s["embed"] < sum(chain.times.total_s.values())
