"""The detection benchmark's own geometry: a face pasted beside where it is said to be would be found by nobody."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from agent.errors import DoorwardError
from agent.vision.faces import overlap
from tools.bench.detection import SIZES_PX, Standing, Waits, _figures
from tools.bench.haar import Haar
from tools.bench.pasted import Sample, Sensor, Spot, box_at, is_found, packed, paste, portraits_in, sample, somewhere
from tools.bench.recall_plot import recall_plot

CHANCE_SEED = 4


def portrait():
    """A white square of 100 px where the face is, on black."""
    pixels = np.zeros((300, 300, 3), np.uint8)
    pixels[100:200, 80:180] = 255
    return Sample(pixels, (80.0, 100.0, 100.0, 100.0))


@pytest.mark.parametrize("width_px", [20, 50, 100, 240])
def test_a_pasted_face_lies_where_it_is_said_to_lie(width_px):
    picture = np.zeros((480, 640, 3), np.uint8)
    box = box_at(width_px, 300, 200)
    paste(picture, Spot(portrait(), box))
    rows, columns = np.nonzero(picture[..., 0] > 128)
    seen = (columns.min(), rows.min(), columns.max() + 1 - columns.min(), rows.max() + 1 - rows.min())
    assert seen == pytest.approx(box, abs=2)


def test_a_face_at_the_edge_is_cut_by_the_frame_and_one_outside_leaves_it_alone():
    picture = np.zeros((100, 100, 3), np.uint8)
    paste(picture, Spot(portrait(), box_at(60, 0, 50)))
    assert picture[50, 10, 0] == 255
    untouched = picture.copy()
    paste(picture, Spot(portrait(), box_at(60, 500, 50)))
    assert (picture == untouched).all()


def test_faces_that_share_a_frame_do_not_cover_each_other():
    jobs = [(portrait(), float(size)) for size in (20, 30, 40, 60, 80, 120, 200) for _ in range(4)]
    frames = packed(jobs, (640, 480), np.random.default_rng(CHANCE_SEED))
    assert sum(map(len, frames)) == len(jobs)
    assert len(frames) < len(jobs) / 2
    for spots in frames:
        boxes = [spot.box for spot in spots]
        assert all(overlap(a, b) == 0 for i, a in enumerate(boxes) for b in boxes[:i])
        assert all(x >= 0 and y >= 0 and x + w <= 640 and y + h <= 480 for x, y, w, h in boxes)


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        ((100, 100, 50, 50), True), ((90, 92, 60, 60), True), ((126, 100, 50, 50), False),
        ((75, 75, 100, 100), False), ((113, 113, 24, 24), False),
    ],
)  # fmt: skip
def test_a_face_counts_as_found_by_a_box_about_its_middle_of_about_its_size(found, counts):
    assert is_found((100.0, 100.0, 50.0, 50.0), [(0.0, 0.0, 9.0, 9.0), tuple(map(float, found))]) is counts


def test_a_portrait_is_left_out_only_when_no_contestant_sees_its_face(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), portrait().pixels)
    blind = lambda pixels: (0.0, [])  # noqa: E731
    corner = lambda pixels: (0.0, [(0.0, 0.0, 90.0, 90.0)])  # noqa: E731
    seeing = lambda pixels: (0.0, [(80.0, 100.0, 100.0, 100.0)])  # noqa: E731
    assert sample(tmp_path / "a.png", [blind, corner]) is None
    assert sample(tmp_path / "a.png", [blind, corner, seeing]).face == (80.0, 100.0, 100.0, 100.0)


def test_a_folder_without_portraits_is_refused_with_the_mend(tmp_path):
    with pytest.raises(DoorwardError, match="one face in the middle"):
        portraits_in(tmp_path, 3, 1)
    with pytest.raises(DoorwardError, match="no pictures"):
        portraits_in(tmp_path / "nowhere", 3, 1)


def test_the_same_seed_takes_the_same_portraits(tmp_path):
    for number in range(20):
        (tmp_path / f"{number}.jpg").touch()
    assert portraits_in(tmp_path, 5, 1) == portraits_in(tmp_path, 5, 1)
    assert portraits_in(tmp_path, 5, 1) != portraits_in(tmp_path, 5, 2)


def test_each_frame_has_noise_of_its_own_and_stays_as_bright():
    sensor = Sensor((64, 48), 1)
    grey = np.full((48, 64, 3), 128, np.uint8)
    one, two = sensor(grey), sensor(grey)
    assert (one != two).any()
    assert one.mean() == pytest.approx(128, abs=0.5)
    assert one.std() == pytest.approx(3, abs=0.5)


def test_somewhere_is_inside():
    chance = np.random.default_rng(CHANCE_SEED)
    for _ in range(50):
        x, y, wide, high = somewhere(300, (640, 480), chance)
        assert min(x, y) >= 0
        assert x + wide <= 640
        assert y + high <= 480


def test_without_opencv_4_the_cascade_says_what_to_run(tmp_path):
    with pytest.raises(DoorwardError, match="make bench"):
        Haar(tmp_path)


def test_only_the_schedules_promise_has_a_goal_and_20_px_are_no_part_of_it():
    recalls = (0.0, *[1.0] * (len(SIZES_PX) - 1))
    ours, theirs = (Standing("640x480", name, recalls, 0.0, 1.0) for name in ("Doorward, as scheduled", "another"))
    assert [figure.met for figure in _figures([ours])] == [True, None, None, True]
    assert [figure.met for figure in _figures([theirs])] == [None, None, None]


def test_who_was_never_found_lowers_the_recall():
    assert Waits((1, 5, 2), 4).recall == 0.75


def test_the_picture_is_xml_with_a_curve_for_each_finder_and_frame_size():
    recalls = [number / 8 for number in range(8)]
    drawn = recall_plot("Found", SIZES_PX, {size: {"ours": recalls, "theirs": recalls} for size in ("640x480", "1280x720")})
    words = [node.text for node in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert {"ours", "theirs", "640x480", "1280x720", "300"} <= set(words)
