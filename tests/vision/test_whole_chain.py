"""All stages together on real photographs: identity is not held up by the rest, the rest is there behind it, and a broken stage is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.config import Config, Deployment, Vision
from agent.core.messages import Observation
from agent.errors import ModelError
from agent.vision.build import build_looks, open_networks
from agent.vision.chain import Chain, ChainSettings
from agent.vision.engine import open_engine
from agent.vision.guard import MOST_IN_ROW
from demo.scene import Scene
from demo.walks import walk_up
from hw.interfaces import Frame
from models_tflite.manifest import load_manifest
from tests.vision.people import portrait

pytestmark = pytest.mark.slow

FRAME_S = 1 / 15
EVERYTHING = Config(site="hq", door="front", deployment=Deployment(profile="standard", expression=True))
NOTHING = Config(site="hq", door="front", vision=Vision(stages=()))


@pytest.fixture(scope="module")
def networks() -> dict[str, Any]:
    engine, manifest = open_engine("litert", 2), load_manifest()
    return {"everything": open_networks(engine, manifest, EVERYTHING), "nothing": open_networks(engine, manifest, NOTHING)}


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """The visitor walks up to one metre in two seconds."""
    scene = Scene(640, 480, 7, [walk_up(portrait("visitor"), starts_s=0.0, from_m=3.0, to_m=1.0, speed_m_s=1.3, leaves="stays")])
    return [Frame(scene.frame(n * FRAME_S), n * FRAME_S) for n in range(45)]


def chain_of(opened: Any) -> Chain:
    return Chain(opened.stages, "test", lambda: "cpu", ChainSettings(), build_looks(opened))


def embedded_in(seen: list[Observation]) -> list[float]:
    return [each.taken_s for each in seen if any(face.embedded_s == each.taken_s for face in each.faces)]


def test_a_face_is_embedded_in_the_very_frame_in_which_it_would_be_without_the_other_stages(networks, frames):
    alone = [chain.process(frame, frame.taken_s) for chain in [chain_of(networks["nothing"])] for frame in frames]
    chain, first = chain_of(networks["everything"]), []
    for frame in frames:
        found = chain.identify(frame, frame.taken_s)
        first.append(found.observation)
        chain.look(found)
    assert embedded_in(first)[:6] == embedded_in(alone)[:6]
    assert embedded_in(first)[0] < 0.5


def test_what_is_told_first_is_told_before_any_other_stage_has_looked(networks, frames):
    chain = chain_of(networks["everything"])
    news = []
    for frame in frames[:15]:
        chain.times.clear()
        found = chain.identify(frame, frame.taken_s)
        assert not {"persons", "attention", "liveness", "expression"} & set(chain.times.count)
        news.append(found.news)
        chain.look(found)
    assert any(news)


def test_behind_identity_everything_is_told(networks, frames):
    chain = chain_of(networks["everything"])
    [*_, last] = [chain.process(frame, frame.taken_s) for frame in frames]
    [face], [person] = last.faces, last.persons
    assert person.face == face.track
    assert face.attention is not None
    assert face.attention.head is not None
    assert abs(face.attention.head.yaw_deg) < 25
    assert face.liveness is not None
    assert face.liveness.watched_s > 1.5
    assert face.expression is not None
    assert sum(face.expression.probabilities) == pytest.approx(1, abs=1e-3)
    assert chain.faults() == ()


def test_with_everything_left_out_nothing_is_told_but_who_it_is(networks, frames):
    chain = chain_of(networks["nothing"])
    [*_, last] = [chain.process(frame, frame.taken_s) for frame in frames[:30]]
    [face] = last.faces
    assert (face.attention, face.liveness, face.expression, last.persons) == (None, None, None, ())
    assert face.embedding


class Failing:
    """A network whose runtime has failed."""

    def __init__(self, network: Any) -> None:
        self.inputs, self.outputs, self.runs = network.inputs, network.outputs, 0

    def run(self, picture: Any) -> Any:
        self.runs += 1
        raise ModelError("face_iris: the runtime failed: out of memory")


def test_a_network_that_fails_costs_its_own_stage_and_no_identity(networks, frames):
    from agent.vision.iris import Gazer

    opened = networks["everything"]
    failing = Failing(opened.gazer._network)
    chain = chain_of(opened._replace(gazer=Gazer(failing)))
    seen = [chain.process(frame, frame.taken_s) for frame in frames]
    assert seen[-1].faces[0].embedding
    assert seen[-1].persons
    assert failing.runs == MOST_IN_ROW
    assert chain.faults() == (
        "attention: ModelError: face_iris: the runtime failed: out of memory; left out and tried again after 60 s",
    )


def test_two_chains_of_the_same_frames_see_the_same_to_the_last_bit(networks, frames):
    chains = [chain_of(networks["everything"]) for _ in range(2)]
    for frame in frames[:30]:
        one, other = (chain.process(frame, frame.taken_s) for chain in chains)
        assert [face.embedding for face in one.faces] == [face.embedding for face in other.faces]
        assert (one.faces, one.persons) == (other.faces, other.persons)


def test_a_frame_of_noise_and_one_of_nothing_break_no_stage(networks):
    chain = chain_of(networks["everything"])
    noise = np.random.default_rng(5).integers(0, 255, (480, 640, 3), np.uint8)
    for n, pixels in enumerate([noise, np.zeros_like(noise), noise[:100, :64], noise[:33, :600]]):
        chain.process(Frame(np.ascontiguousarray(pixels), n * FRAME_S), n * FRAME_S)
    assert chain.faults() == ()
