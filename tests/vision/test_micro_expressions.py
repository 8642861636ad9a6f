"""Brief changes of a face: found where the frame rate allows it, abstained from else, and never made where the law forbids it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from agent.config import Config, Deployment, parse_config
from agent.core.messages import BriefChanges
from agent.errors import ConfigError
from agent.sections import Behaviour, Vision
from agent.vision.build import brief_changes, build_chain
from agent.vision.engine import open_engine
from agent.vision.head_pose import Doubles, mean_face, turned
from agent.vision.micro_expressions import BROW_IN, CORNER_LEFT, CORNER_RIGHT, BriefTrack, MicroSettings, Shape, shape_of
from hw.interfaces import Frame
from models_tflite.manifest import load_manifest
from tests.vision.people import canvas_with, portrait

SETTINGS = MicroSettings()
SHAKE = 0.002
UP = np.array([0.0, 0.0, -1.0])


def config(profile: str, wanted: bool) -> Config:
    return Config(site="hq", door="front", deployment=Deployment(profile=profile),  # type: ignore[arg-type]
                  behaviour=Behaviour(micro_expressions=wanted))  # fmt: skip


def mesh_points(
    *, yaw: float = 0.0, brows: float = 0.0, corners: float = 0.0, eyes_px: float = 80.0, shake: float = 0.0
) -> Doubles:
    """The mean face, turned, with brows or corners of the mouth raised by parts of the eyes' distance; pixels of a frame."""
    own = mean_face().copy()
    own[list(BROW_IN), 1] -= brows
    own[[CORNER_RIGHT, CORNER_LEFT], 1] -= corners
    if shake:
        own += np.random.default_rng(int(1000 * (yaw + brows + corners)) + 7).normal(0, shake, own.shape)
    return eyes_px * own @ turned(yaw, 0.0, 0.0).T + np.array([300.0, 200.0, 0.0])


class Film:
    """Shapes of one face with noise, so many a second."""

    def __init__(self, frames_per_s: float = 15.0, settings: MicroSettings = SETTINGS) -> None:
        self.track, self.step_s, self.now_s = BriefTrack(settings), 1 / frames_per_s, 50.0
        self._chance = np.random.default_rng(3)
        self._still = shape_of(np.asarray(mesh_points(), np.float32))

    def shows(self, seconds: float, measure: int = 0, size: float = 0.0, *, towards: Doubles = UP, eyes_px: float = 80.0,
              also: int | None = None) -> Film:  # fmt: skip
        for _ in range(max(round(seconds / self.step_s), 1)):
            self.now_s += self.step_s
            values = self._still.measures + self._chance.normal(0, SHAKE, len(self._still.measures))
            values[measure] += size
            if also is not None:
                values[also] -= size
            self.track.take(self.now_s, Shape(values, eyes_px, 0.02, towards))
        return self

    def told(self) -> BriefChanges:
        return self.track.changes(self.now_s)


LIDS = 9
MOUTH = 5


def test_a_turned_head_changes_no_measure():
    straight, aside = (shape_of(np.asarray(mesh_points(yaw=yaw), np.float32)) for yaw in (0, 20))
    assert np.abs(straight.measures - aside.measures).max() < 1e-3
    assert aside.towards[2] == pytest.approx(-np.cos(np.radians(20)), abs=1e-3)


@pytest.mark.parametrize(("raised", "measure"), [({"brows": 0.05}, 0), ({"corners": 0.05}, 5)])
def test_raised_brows_and_corners_are_measured_in_parts_of_the_eyes_distance(raised, measure):
    for eyes_px in (60.0, 120.0):
        before = shape_of(np.asarray(mesh_points(eyes_px=eyes_px), np.float32)).measures
        after = shape_of(np.asarray(mesh_points(eyes_px=eyes_px, **raised), np.float32)).measures
        assert after[measure] - before[measure] == pytest.approx(0.05, abs=0.003)


def test_a_face_that_keeps_still_shows_no_change():
    told = Film().shows(20).told()
    assert told.count == 0
    assert told.over_s == pytest.approx(18.5, abs=0.5)
    assert told.abstained == ""


@pytest.mark.parametrize(("measure", "region"), [(0, "brows"), (MOUTH, "mouth")])
def test_a_change_of_a_fifth_of_a_second_has_onset_apex_and_offset(measure, region):
    film = Film().shows(4)
    began_s = film.now_s
    told = film.shows(0.2, measure, 0.05).shows(1).told()
    assert told.count == 1
    [change] = told.newest
    assert change.region == region
    assert change.onset_s == pytest.approx(began_s, abs=0.07)
    assert began_s < change.apex_s <= began_s + 0.21
    assert change.offset_s == pytest.approx(began_s + 0.27, abs=0.08)
    assert change.size == pytest.approx(0.05, abs=0.01)
    assert told.low < 1 < told.high


def test_what_lasts_is_no_brief_change():
    assert Film().shows(4).shows(2, 0, 0.05).shows(2).told().count == 0


def test_one_frame_is_a_mistake_of_the_mesh():
    film = Film().shows(4)
    assert film.shows(film.step_s, 0, 0.08).shows(1).told().count == 0


def test_a_blink_that_pulls_the_brows_is_none():
    assert Film().shows(4).shows(0.2, 0, 0.05, also=LIDS).shows(1).told().count == 0


def test_who_speaks_shows_no_brief_changes_of_the_mouth():
    film = Film().shows(4)
    for _ in range(10):
        film.shows(0.13, MOUTH, 0.05).shows(0.13)
    assert film.shows(1).told().count == 0


def test_a_head_that_moves_hides_what_the_face_does():
    film, yaw = Film().shows(4), 0.0
    for _ in range(8):
        yaw += 5
        film.shows(film.step_s, 0, 0.05, towards=turned(yaw, 0, 0) @ UP)
    assert film.told().abstained in ("head_moves", "turned_away")
    assert film.shows(1).told().count == 0


def test_below_twelve_frames_a_second_nothing_is_told():
    told = Film(10).shows(4).shows(0.3, 0, 0.05).shows(1).told()
    assert (told.count, told.over_s, told.abstained) == (0, 0, "frame_rate")
    assert told.frames_per_s == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize(("frames_per_s", "shortest_s"), [(15, 0.2), (30, 0.1)])
def test_the_frame_rate_is_told_as_the_limit(frames_per_s, shortest_s):
    told = Film(frames_per_s).shows(5).told()
    assert told.frames_per_s == pytest.approx(frames_per_s, abs=0.1)
    assert told.shortest_s == pytest.approx(shortest_s, abs=0.01)


def test_a_small_face_is_not_judged():
    told = Film().shows(4, eyes_px=40).told()
    assert (told.count, told.over_s, told.abstained) == (0, 0, "too_small")


def test_a_change_leaves_the_window():
    assert Film().shows(4).shows(0.2, 0, 0.05).shows(SETTINGS.window_s + 1).told().count == 0


def test_frames_out_of_order_and_faces_that_are_gone_poison_nothing():
    film = Film().shows(4)
    film.track.take(film.now_s - 1, shape_of(np.asarray(mesh_points(), np.float32)))
    film.track.take(film.now_s + 0.05, None)
    film.now_s += 0.1
    assert film.shows(4).shows(0.2, 0, 0.05).shows(1).told().count == 1


@pytest.mark.parametrize(("profile", "wanted", "made"), [("workplace-eu", True, False), ("workplace-eu", False, False),
                                                         ("standard", False, False), ("standard", True, True)])  # fmt: skip
def test_the_stage_is_made_only_where_it_is_asked_for_and_the_law_allows_it(profile, wanted, made):
    assert (brief_changes(config(profile, wanted)) is not None) is made


def test_a_workplace_in_the_eu_refuses_it_by_name():
    tables = {"deployment": {"profile": "workplace-eu"}, "behaviour": {"micro_expressions": True}}
    with pytest.raises(ConfigError, match=r"behaviour\.micro_expressions"):
        parse_config({"site": "hq", "door": "front", **tables})


def test_where_it_is_not_wanted_not_even_its_module_is_loaded():
    code = ("import sys; from agent.config import Config; from agent.vision.build import brief_changes;"
            "brief_changes(Config(site='hq', door='front')); print('agent.vision.micro_expressions' in sys.modules)")  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_a_door_where_it_is_wanted_tells_it_of_each_face():
    """The whole chain over a standing person; nothing is claimed of a photograph."""
    wanted = Config(site="hq", door="front", vision=Vision(stages=()), deployment=Deployment(profile="standard"),
                    behaviour=Behaviour(micro_expressions=True))  # fmt: skip
    chain = build_chain(open_engine("litert", 1), load_manifest(), wanted)
    pixels, _ = canvas_with(portrait("stranger"), 130, (320, 240))
    seen = [chain.process(Frame(pixels, 10 + number / 15), 10 + number / 15) for number in range(36)]
    told = seen[-1].faces[0].brief_changes
    assert told is not None
    assert told.frames_per_s == pytest.approx(15, abs=0.1)
    assert (told.count, told.abstained) == (0, "")
    assert told.over_s > 0
