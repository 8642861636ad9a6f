"""Faces found in frames by tracks, motion and search together: real photographs, the shipped detector."""

from __future__ import annotations

import numpy as np
import pytest

from agent.vision.build import build_detector
from agent.vision.detect import Detector
from agent.vision.engine import open_engine
from agent.vision.faces import Face, Region, iou
from agent.vision.find import FaceFinder, FinderSettings, confirmed
from agent.vision.schedule import Schedule
from demo.corridor import draw_corridor
from demo.view import View
from models_tflite.manifest import load_manifest
from tests.vision.people import canvas_with, portrait

pytestmark = pytest.mark.slow

VGA, HD = (640, 480), (1280, 720)
FRAME_S = 1 / 15


@pytest.fixture(scope="module")
def detector() -> Detector:
    return build_detector(open_engine("litert", 1), load_manifest())


@pytest.fixture
def finder(detector) -> FaceFinder:
    return FaceFinder(detector, FinderSettings())


class Counted:
    """The detector, and how often it was asked."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self.looks = detector, 0

    def __getattr__(self, name):
        self.looks += 1
        return getattr(self._detector, name)


def frames_until_found(finder, pixels, box, most=200):
    for n in range(most):
        if any(iou(face.box_px, box) > 0.3 for face in finder.find(pixels, [])):
            return n + 1
    return None


@pytest.mark.parametrize("frame_px", [VGA, HD])
@pytest.mark.parametrize("width_px", [38, 60, 120, 200])
def test_a_still_face_is_found_within_the_stated_frames(finder, frame_px, width_px):
    # The catalogue's box goes from ear to ear, the detector's is a fifth smaller: 38 px here are 30 px there.
    pixels, box = canvas_with(portrait("colleague"), width_px, (frame_px[0] // 3, frame_px[1] // 2), frame_px)
    found = frames_until_found(finder, pixels, box)
    assert found is not None
    assert found <= Schedule(frame_px, FinderSettings().schedule).longest_wait(0.8 * width_px)


def test_somebody_who_steps_into_a_large_frame_is_found_at_once_because_they_move(finder):
    empty = draw_corridor(View(width_px=1280, height_px=720), 3)
    person, box = canvas_with(portrait("owner"), 60, (900, 300), HD)
    stepped_in = empty.copy()
    stepped_in[250:, 800:1000] = person[250:, 800:1000]
    assert finder.moving(empty, 0.0, []) == []
    hints = finder.moving(stepped_in, FRAME_S, [])
    assert any(iou(face.box_px, box) > 0.3 for face in finder.find(stepped_in, [], hints))


def test_a_tracked_face_is_found_in_every_frame_and_first(finder):
    pixels, box = canvas_with(portrait("owner"), 60, (900, 300), HD)
    for _ in range(5):
        assert iou(finder.find(pixels, [box])[0].box_px, box) > 0.3


def test_one_face_is_found_once_however_many_squares_show_it(finder):
    pixels, box = canvas_with(portrait("owner"), 100, (320, 240))
    for _ in range(30):
        assert len(finder.find(pixels, [box], [(270.0, 180.0, 100.0, 300.0)])) == 1


def test_an_empty_corridor_has_no_face_in_a_whole_round(finder):
    empty = draw_corridor(View(width_px=1280, height_px=720), 3)
    assert not any(finder.find(empty, []) for _ in range(60))


def test_what_does_not_look_like_a_face_from_near_is_none(detector):
    blank = np.full((480, 640, 3), 128, np.uint8)
    assert detector.confirm(blank, Face((300.0, 200.0, 40.0, 40.0), 0.9, np.zeros((6, 2), np.float32))) is None


def test_a_suspect_is_confirmed_as_the_face_in_its_place_and_not_as_its_neighbour(detector):
    left, left_box = canvas_with(portrait("owner"), 60, (220, 240))
    right, _ = canvas_with(portrait("stranger"), 60, (330, 240))
    pixels = np.hstack([left[:, :275], right[:, 275:]])
    [suspect] = [face for face in detector.suspects_in(pixels, Region(60, 80, 320)) if iou(face.box_px, left_box) > 0.3]
    confirmed = detector.confirm(pixels, suspect)
    assert confirmed is not None
    assert iou(confirmed.box_px, left_box) > 0.3


def test_a_wall_of_pictures_costs_a_bounded_number_of_looks_a_frame(detector):
    face, _ = canvas_with(portrait("owner"), 50, (60, 60), (120, 120))
    wall = np.tile(face, (6, 10, 1))[:720, :1200]
    settings = FinderSettings()
    most = settings.schedule.tracks_a_frame + settings.schedule.search_idle + settings.suspects_a_frame
    for _ in range(10):
        counted = Counted(detector)
        finder = FaceFinder(counted, settings)
        assert len(finder.find(wall, [])) <= settings.suspects_a_frame
        assert 0 < counted.looks <= most


def test_a_camera_that_changes_its_size_begins_anew(finder):
    for size in (VGA, HD, (320, 240)):
        pixels, box = canvas_with(portrait("owner"), 100, (160, 120), size)
        assert finder.moving(pixels, 0.0, []) == []
        assert frames_until_found(finder, pixels, box, 20)


class Sure:
    """Confirms whatever it is shown, except one box."""

    def __init__(self, refused=()) -> None:
        self._refused, self.asked = refused, []

    def confirm(self, pixels, suspect):
        self.asked.append(suspect.box_px)
        return None if suspect.box_px in self._refused else suspect


def suspect(x, y, size, score=0.8):
    return Face((float(x), float(y), float(size), float(size)), score, np.zeros((6, 2), np.float32))


def test_a_mouth_that_looks_more_like_a_face_than_the_face_does_not_stand_in_its_way():
    mouth, whole = suspect(130, 160, 40, 0.9), suspect(100, 100, 120, 0.6)
    assert confirmed(Sure(refused=[mouth.box_px]), None, [], [whole, mouth], 3) == [whole]


def test_only_one_of_two_suspects_that_are_the_same_is_looked_at_again_the_better_one():
    better, worse = suspect(100, 100, 50, 0.9), suspect(104, 100, 50, 0.6)
    sure = Sure()
    assert confirmed(sure, None, [], [worse, better], 3) == [better]
    assert sure.asked == [better.box_px]


def test_who_is_found_already_is_no_suspect():
    sure = Sure()
    known = suspect(100, 100, 50)
    assert confirmed(sure, None, [known], [suspect(102, 99, 52, 0.99)], 3) == [known]
    assert sure.asked == []
