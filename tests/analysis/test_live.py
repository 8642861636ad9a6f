"""A camera is looked at for as long as was asked, no more often than a door looks, and one that is gone is named."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from agent.analysis.live import SILENT_S, Live, names_camera
from agent.errors import CameraError, FilmError
from hw.interfaces import Frame
from hw.newest import FilmEnded

PIXELS = np.zeros((48, 64, 3), np.uint8)


class Scripted:
    """Frames at times, then silence or an error."""

    name = "scripted"

    def __init__(self, times: list[float], then: Exception | None = None) -> None:
        self.times, self.then, self.asked = list(times), then, 0

    def read(self, timeout_s: float) -> Frame | None:
        self.asked += 1
        if self.times:
            return Frame(PIXELS, self.times.pop(0))
        if self.then is not None:
            raise self.then
        return None

    def close(self) -> None:
        pass


def times_of(live: Live) -> list[float]:
    return [round(frame.taken_s, 3) for frame in live.frames()]


def never() -> bool:
    return False


def test_times_are_counted_from_the_first_frame_and_end_when_the_time_is_over():
    live = Live(Scripted([100 + n / 10 for n in range(50)]), 15, 1.0, never)
    assert times_of(live) == [n / 10 for n in range(10)]
    assert (live.expected, live.lacking()) == (15, "")


def test_frames_that_come_faster_than_a_door_looks_are_let_go():
    live = Live(Scripted([n / 60 for n in range(60)]), 15, 0.9, never)
    assert len(times_of(live)) == pytest.approx(14, abs=4)


def test_without_a_time_it_goes_on_until_told_to_stop():
    camera = Scripted([float(n) for n in range(100)])
    live = Live(camera, 15, inf, lambda: len(camera.times) < 90)
    assert times_of(live) == [float(n) for n in range(11)]
    assert live.expected == 0


def test_a_camera_that_is_lost_is_named_after_what_it_showed():
    live = Live(Scripted([1.0, 2.0], CameraError("camera 0: unplugged")), 15, 10, never)
    assert times_of(live) == [0.0, 1.0]
    assert live.lacking() == "camera 0: unplugged"


def test_a_film_that_is_played_as_a_camera_ends_as_a_film():
    live = Live(Scripted([1.0], FilmEnded("over")), 15, 10, never)
    assert times_of(live) == [0.0]
    assert live.lacking() == ""


@pytest.mark.parametrize(("then", "said"), [(None, f"no frame for {SILENT_S:g} s"), (CameraError("camera 0: gone"), "gone")])
def test_a_camera_that_shows_nothing_is_an_error(then, said):
    with pytest.raises(FilmError, match=said):
        times_of(Live(Scripted([], then), 15, 10, never))


@pytest.mark.parametrize(
    ("word", "camera"),
    [
        ("0", True),
        ("/dev/video2", True),
        ("rtsp://host/path", True),
        ("picamera2", True),
        ("csi:0", True),
        ("rpicam:0", True),
        ("gst:v4l2src device=/dev/video0", True),
        ("0.mp4", False),
        ("film", False),
        ("", False),
    ],
)
def test_what_names_a_camera(word, camera):
    assert names_camera(word) is camera
