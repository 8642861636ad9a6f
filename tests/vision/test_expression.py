"""What a face shows: real networks on real faces, silence where little is known, and no file opened where the law forbids it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from agent.config import Deployment, expression_allowed
from agent.core.messages import EXPRESSIONS
from agent.errors import ModelError
from agent.vision import expression
from agent.vision.engine import open_engine
from agent.vision.expression import Expressions, ExpressionTrack, ExpressionTrackSettings, Reading, Square, cut, whole
from models_tflite.manifest import load_manifest

PICTURES = Path(__file__).parent.parent / "pictures"
HAPPINESS, ANGER, SURPRISE = (EXPRESSIONS.index(name) for name in ("happiness", "anger", "surprise"))


@pytest.fixture(scope="module")
def stage() -> Expressions:
    return Expressions.load(open_engine("litert", 1), load_manifest())


@pytest.fixture(scope="module")
def smile():
    """A smiling astronaut and the square about her face."""
    return cv2.imread(str(PICTURES / "astronaut.jpg")), _face_of("astronaut.jpg")


def _face_of(name: str) -> Square:
    from agent.vision.build import build_stages
    from agent.vision.still import StillFaces

    stages = build_stages(open_engine("litert", 1), load_manifest())
    pixels, faces = cv2.imread(str(PICTURES / name)), StillFaces(stages)
    portrait = faces.portrait(pixels, faces.faces(pixels)[0])
    assert portrait is not None
    loaded = Expressions.load(open_engine("litert", 1), load_manifest())
    return loaded.square(portrait.mesh.points / np.float32(portrait.share))


def reading(strongest: int, probability: float = 0.9) -> Reading:
    rest = (1 - probability) / (len(EXPRESSIONS) - 1)
    return Reading(np.array([probability if i == strongest else rest for i in range(len(EXPRESSIONS))], np.float32), 0.9)


def test_a_smile_is_seen_whatever_the_size_and_on_which_side_the_light_falls(stage, smile):
    pixels, square = smile
    for share in (1.0, 0.5, 0.35):
        small = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        found = stage(small, Square(square.x * share, square.y * share, square.side * share))
        assert np.argmax(found.probabilities) == HAPPINESS
        assert found.probabilities[HAPPINESS] > 0.8
        assert found.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_a_mirror_image_shows_the_same(stage, smile):
    pixels, square = smile
    mirrored = stage(np.ascontiguousarray(pixels[:, ::-1]), square._replace(x=pixels.shape[1] - 1 - square.x))
    np.testing.assert_allclose(mirrored.probabilities, stage(pixels, square).probabilities, atol=0.02)


def test_the_networks_name_their_answers_in_different_orders_and_are_understood(stage, smile):
    pixels, square = smile
    lookers = [stage._colour, *stage._greys]
    orders = [expression.order_of(looker._network) for looker in lookers]
    assert orders[0] == list(range(7))
    assert orders[1] != orders[0]
    assert len(lookers) == 3
    for looker in lookers:
        assert np.argmax(looker(pixels, square, (1.0,))) == HAPPINESS


def test_a_network_with_other_answers_is_refused():
    class Other:
        inputs = load_manifest().model("face_expression").inputs
        outputs = (replace(load_manifest().model("face_expression").outputs[0], meaning="calm, cross"),)

    with pytest.raises(ModelError, match=r"answers \['calm', 'cross'\]; needed are neutral, happiness"):
        expression.order_of(Other())


def test_a_small_grey_picture_is_left_to_the_network_that_learned_from_such(stage, smile):
    pixels, square = smile
    grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    settings = stage.settings
    tiny = cut(grey, square, np.zeros((48, 48, 3), np.uint8))
    assert stage(pixels, square).share == settings.share_of_colour
    assert stage(grey, square).share == settings.share_of_colour, "a sharp grey photograph is a photograph"
    assert stage(tiny, whole(tiny)).share == settings.share_in_coarse_grey
    for how in (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4):
        enlarged = cv2.resize(tiny, (224, 224), interpolation=how)
        assert stage(enlarged, whole(enlarged)).share == pytest.approx(settings.share_in_coarse_grey, abs=0.05)
    small_but_coloured = cut(pixels, square, np.zeros((48, 48, 3), np.uint8))
    assert stage(small_but_coloured, whole(small_but_coloured)).share == settings.share_of_colour


def test_what_is_too_small_or_not_in_the_frame_is_not_guessed(stage, smile):
    pixels, square = smile
    assert stage(pixels, square._replace(side=23.0)) is None
    for x, y in ((-400.0, 50.0), (50.0, -400.0), (5000.0, 50.0), (50.0, 5000.0)):
        assert stage(pixels, Square(x, y, 100.0)) is None


def test_a_face_that_is_cut_by_the_frame_has_no_black_corners():
    pixels = np.full((60, 60, 3), 200, np.uint8)
    out = cut(pixels, Square(0.0, 0.0, 80.0), np.zeros((32, 32, 3), np.uint8))
    assert (out == 200).all()


def test_a_large_face_is_averaged_and_not_sampled():
    chessboard = np.indices((640, 640)).sum(axis=0) % 2 * np.uint8(255)
    pixels = np.repeat(chessboard[..., None].astype(np.uint8), 3, axis=2)
    out = cut(pixels, Square(319.5, 319.5, 512.0), np.zeros((64, 64, 3), np.uint8))
    assert abs(out.astype(int) - 127).max() <= 3


def test_the_square_of_a_mesh_lies_about_it_and_a_little_above(stage):
    mesh = np.array([[100, 100, 0], [180, 200, 0]], np.float32)
    assert stage.square(mesh) == pytest.approx((140, 145, 103))


def test_one_picture_is_not_enough_and_two_that_agree_are():
    track = ExpressionTrack()
    track.add(reading(HAPPINESS), 10.0)
    assert track.at(10.0) is None
    track.add(reading(HAPPINESS), 10.2)
    said = track.at(10.3)
    assert said is not None
    assert said.confidence == pytest.approx(0.9)
    assert said.probabilities[HAPPINESS] == said.confidence
    assert sum(said.probabilities) == pytest.approx(1)


def test_a_face_of_which_the_pictures_disagree_is_given_no_expression():
    track = ExpressionTrack()
    for number in range(6):
        track.add(reading((HAPPINESS, ANGER, SURPRISE)[number % 3]), 10 + 0.01 * number)
    assert track.at(10.1) is None


def test_an_expression_that_passes_is_forgotten():
    track = ExpressionTrack()
    for number in range(10):
        track.add(reading(HAPPINESS), 10 + 0.2 * number)
    for number in range(8):
        track.add(reading(SURPRISE), 12 + 0.2 * number)
    said = track.at(13.5)
    assert said is not None
    assert said.probabilities[SURPRISE] == said.confidence


def test_nothing_is_said_of_a_face_that_was_last_read_a_while_ago():
    track, settings = ExpressionTrack(), ExpressionTrackSettings()
    for at_s in (10.0, 10.2):
        track.add(reading(HAPPINESS), at_s)
    assert track.at(10.2 + settings.max_age_s) is not None
    assert track.at(10.21 + settings.max_age_s) is None
    track.add(None, 11.5)
    assert track.at(11.5) is None, "a picture in which nothing could be read renews nothing"


def test_a_poor_picture_counts_less_and_a_worthless_one_not_at_all():
    track = ExpressionTrack()
    track.add(reading(HAPPINESS), 10.0, weight=0.0)
    track.add(reading(HAPPINESS), 10.1, weight=0.0)
    assert track.at(10.1) is None
    track.add(reading(SURPRISE), 10.2, weight=1.0)
    track.add(reading(HAPPINESS), 10.2, weight=0.1)
    said = track.at(10.2)
    assert said is not None
    assert said.probabilities[SURPRISE] == said.confidence


@pytest.mark.parametrize(
    ("profile", "wanted", "allowed"),
    [("workplace-eu", True, False), ("workplace-eu", False, False), ("standard", False, False), ("standard", True, True)],
)
def test_expression_is_for_those_who_ask_for_it_where_the_law_allows_it(profile, wanted, allowed):
    assert expression_allowed(Deployment(profile=profile, expression=wanted)) is allowed


WATCHED = """
import json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from agent.config import Deployment
from agent.vision.build import build_stages
from agent.vision.engine import open_engine
from agent.vision.expression import load_expressions
from models_tflite.manifest import load_manifest
engine, manifest = open_engine("litert", 1), load_manifest()
held = [build_stages(engine, manifest), load_expressions(engine, manifest, Deployment(profile=sys.argv[1], expression=True))]
mapped = open("/proc/self/maps").read()
roles = [entry for entry in manifest.models]
print(json.dumps({"none": held[1] is None,
                  "opened": [entry.role for entry in roles if any(name.endswith("/" + entry.file) for name in opened)],
                  "mapped": [entry.role for entry in roles if entry.file in mapped]}))
"""


def watched(profile: str) -> dict[str, object]:
    """Which model files a new process opened from Python, and which lie in its memory when all is loaded."""
    done = subprocess.run([sys.executable, "-c", WATCHED, profile], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_in_a_european_workplace_no_expression_network_is_opened_or_lies_in_memory():
    here, elsewhere = watched("workplace-eu"), watched("standard")
    assert here["none"] is True
    assert here["opened"] == here["mapped"] == ["face_detector", "face_landmarks", "face_embedder"]
    # The same watch sees them where they may be opened: it is no watch that cannot see.
    three = ["face_expression", "face_expression_grey", "face_expression_mini"]
    assert elsewhere["opened"] == elsewhere["mapped"] == ["face_detector", "face_landmarks", "face_embedder", *three]
    assert elsewhere["none"] is False


def test_doors_reach_the_expression_networks_through_the_gate_alone():
    agent = Path(expression.__file__).parent.parent
    loaders = {
        path.relative_to(agent).as_posix() for path in agent.rglob("*.py") if "Expressions.load(" in path.read_text("utf-8")
    }
    assert loaders == {"vision/expression.py", "evaluation/cli.py"}
