"""Films and cameras through OpenCV. The film is made here; a real device has no place in a test."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from agent.errors import CameraError, HardwareError
from hw.camera_names import lasting_name, public_name
from hw.camera_opencv import OpenCvCamera
from hw.camera_picamera2 import PiCamera
from hw.cameras import open_camera
from hw.interfaces import Frame
from hw.newest import FilmEnded, NewestFrame

RATE = 50.0


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """Ten frames, each of one grey: 0, 25, 50 ..."""
    path = tmp_path_factory.mktemp("film") / "greys.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE, (64, 48))
    for n in range(10):
        writer.write(np.full((48, 64, 3), 25 * n, np.uint8))
    writer.release()
    return path


def play(camera) -> list[Frame]:
    frames: list[Frame] = []

    def watch() -> None:
        while (frame := camera.read(2.0)) is not None:
            frames.append(frame)

    with pytest.raises(FilmEnded, match="film ended"):
        watch()
    return frames


def test_a_film_is_shown_at_its_own_pace_and_then_ends(film):
    camera = OpenCvCamera(f"file:{film}", 640, 480, 15.0)
    frames = play(camera)
    camera.close()
    assert frames[0].pixels.shape == (48, 64, 3)
    assert frames[0].pixels.dtype == np.uint8
    assert abs(int(frames[-1].pixels.mean()) - 225) < 5
    greys = [int(frame.pixels.mean()) for frame in frames]
    assert greys == sorted(greys)
    # A late reader may lose frames, but no film ends sooner than its frames take.
    assert frames[-1].taken_s - frames[0].taken_s >= (greys[-1] - greys[0]) / 25 / RATE * 0.95


def test_times_are_those_of_the_monotonic_clock(film):
    before_s = time.monotonic()
    camera = OpenCvCamera(f"file:{film}", 640, 480, 15.0)
    frame = camera.read(2.0)
    camera.close()
    assert before_s <= frame.taken_s <= time.monotonic()


def test_a_closed_camera_says_so_instead_of_waiting(film):
    camera = OpenCvCamera(f"file:{film}", 640, 480, 15.0)
    camera.close()
    camera.read(0.0)  # a frame may still lie there
    with pytest.raises(CameraError):
        camera.read(2.0)


def test_a_film_that_is_not_there_is_named():
    with pytest.raises(CameraError, match=r"file:/no/such/film.avi.*no such file"):
        OpenCvCamera("file:/no/such/film.avi", 640, 480, 15.0)


def test_a_file_that_is_no_film_is_named(tmp_path):
    path = tmp_path / "letter.avi"
    path.write_text("Dear door,")
    with pytest.raises(CameraError, match=r"letter\.avi.*no film"):
        OpenCvCamera(f"file:{path}", 640, 480, 15.0)


def test_a_device_that_is_not_there_comes_with_the_mend():
    with pytest.raises(CameraError, match="group video"):
        OpenCvCamera("/dev/video97", 640, 480, 15.0)


def test_the_password_of_a_camera_is_not_written_to_a_log():
    assert public_name("rtsp://admin:secret@10.0.0.2/live") == "rtsp://10.0.0.2/live"
    assert public_name("rtsp://10.0.0.2/live") == "rtsp://10.0.0.2/live"
    assert public_name("/dev/video0") == "/dev/video0"
    assert public_name("gst:rtspsrc user-pw=secret ! decodebin") == "gst:rtspsrc"
    assert public_name("gst: ") == "gst:(nothing)"


def test_two_cameras_that_differ_in_what_may_not_be_told_have_two_names():
    one, other = (lasting_name(f"gst:rtspsrc location={n}") for n in "12")
    assert one != other
    assert one.startswith("gst:rtspsrc ")


def picture(number: int) -> Frame:
    return Frame(np.full((2, 2, 3), number, np.uint8), float(number))


def test_a_late_reader_gets_the_newest_frame_once():
    newest = NewestFrame()
    newest.put(picture(1))
    newest.put(picture(2))
    assert newest.take(0.0).taken_s == 2.0
    assert newest.take(0.0) is None
    assert newest.overwritten == 1


def test_the_last_frame_is_given_before_the_fault():
    newest = NewestFrame()
    newest.put(picture(1))
    newest.fail(FilmEnded("over"))
    newest.fail(CameraError("closed afterwards"))
    assert newest.take(0.0) is not None
    with pytest.raises(FilmEnded, match="over"):
        newest.take(0.0)


def test_a_controller_without_picamera2_is_told_which_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(HardwareError, match="apt install python3-picamera2"):
        PiCamera(640, 480, 15.0)


def test_the_word_in_the_configuration_chooses_the_driver(film, monkeypatch):
    settings = SimpleNamespace(camera=f"file:{film}", width_px=640, height_px=480, frames_per_s=15.0)
    camera = open_camera(settings)
    assert isinstance(camera, OpenCvCamera)
    camera.close()
    settings.camera = "sim:/no/far/end"
    with pytest.raises(CameraError, match="/no/far/end"):
        open_camera(settings)
    monkeypatch.setitem(sys.modules, "picamera2", None)
    settings.camera = "picamera2"
    with pytest.raises(HardwareError):
        open_camera(settings)
