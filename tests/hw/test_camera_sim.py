"""The simulated camera, held to what any camera must do; then what only shared memory can do wrong."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from agent.errors import CameraError
from hw.camera_sim import MAGIC, CameraFarEnd, SimCamera

WIDTH_PX, HEIGHT_PX = 64, 48


class Hours:
    """Time that passes only by sleeping; things can be set to happen after a while."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.naps = 0
        self.events: list[tuple[float, object]] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.naps += 1
        self.now_s += seconds
        for event in [event for event in self.events if event[0] <= self.now_s]:
            self.events.remove(event)
            event[1]()


def grey(level: int) -> np.ndarray:
    return np.full((HEIGHT_PX, WIDTH_PX, 3), level, np.uint8)


@pytest.fixture
def hours():
    return Hours()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "camera"


@pytest.fixture
def far_end(path):
    far_end = CameraFarEnd(path, WIDTH_PX, HEIGHT_PX)
    yield far_end
    far_end.close()


@pytest.fixture
def camera(far_end, path, hours):
    camera = SimCamera(path, 15.0, clock=hours.clock, sleep=hours.sleep)
    yield camera
    camera.close()


# What any camera must do.


def test_a_picture_arrives_whole_with_the_time_it_was_taken(camera, far_end):
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    far_end.write(pixels, 12.25)
    frame = camera.read(1.0)
    assert frame.taken_s == 12.25
    assert np.array_equal(frame.pixels, pixels)


def test_the_newest_picture_wins(camera, far_end):
    for level in range(1, 8):
        far_end.write(grey(level), float(level))
    assert camera.read(1.0).pixels[0, 0, 0] == 7


def test_no_picture_is_given_twice(camera, far_end):
    far_end.write(grey(1), 1.0)
    assert camera.read(0.2) is not None
    assert camera.read(0.2) is None


def test_a_camera_without_pictures_times_out_after_the_time_that_was_asked(camera, hours):
    began_s = hours.now_s
    assert camera.read(0.5) is None
    assert hours.now_s - began_s == pytest.approx(0.5, abs=0.01)


def test_a_reader_that_will_not_wait_is_answered_at_once(camera, hours):
    assert camera.read(0.0) is None
    assert hours.naps == 0


def test_a_picture_that_comes_while_waiting_is_given_without_delay(camera, far_end, hours):
    far_end.write(grey(1), hours.now_s)
    camera.read(0.1)
    due_s = hours.now_s + 1 / 15
    hours.events.append((due_s, lambda: far_end.write(grey(9), due_s)))
    assert camera.read(1.0).pixels[0, 0, 0] == 9
    assert hours.now_s - due_s < 0.003


def test_waiting_for_the_next_picture_takes_few_looks(camera, far_end, hours):
    far_end.write(grey(1), hours.now_s)
    camera.read(0.1)
    due_s = hours.now_s + 1 / 15
    hours.events.append((due_s, lambda: far_end.write(grey(2), due_s)))
    camera.read(1.0)
    assert hours.naps <= 12


def test_a_picture_that_was_given_does_not_change_afterwards(camera, far_end):
    far_end.write(grey(1), 1.0)
    kept = camera.read(1.0).pixels
    for level in range(2, 9):
        far_end.write(grey(level), float(level))
    assert (kept == 1).all()


def test_a_closed_camera_cannot_be_read(camera):
    camera.close()
    camera.close()
    with pytest.raises(CameraError, match="closed"):
        camera.read(0.1)


def test_a_camera_that_is_unplugged_is_reported(camera, far_end):
    far_end.close()
    with pytest.raises(CameraError, match="has closed the camera"):
        camera.read(0.5)


def test_a_camera_that_comes_back_serves_again(camera, far_end, path):
    far_end.write(grey(1), 1.0)
    camera.read(0.1)
    far_end.close()
    for _ in range(3):
        with pytest.raises(CameraError):
            camera.read(0.5)
    back = CameraFarEnd(path, WIDTH_PX, HEIGHT_PX)
    back.write(grey(5), 2.0)
    assert camera.read(0.5).pixels[0, 0, 0] == 5
    back.close()


def test_the_last_picture_before_the_end_is_still_given(camera, far_end):
    far_end.write(grey(3), 1.0)
    far_end.close()
    assert camera.read(0.1).pixels[0, 0, 0] == 3
    with pytest.raises(CameraError):
        camera.read(0.5)


# What only shared memory can do wrong.


def test_a_missing_file_is_an_error_that_names_it(path):
    with pytest.raises(CameraError, match=r"camera: no simulated camera there: start its far end"):
        SimCamera(path, 15.0)


@pytest.mark.parametrize("content", [b"", b"GIF89a", os.urandom(8192)], ids=["empty", "short", "noise"])
def test_a_foreign_file_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(CameraError, match="not a simulated camera"):
        SimCamera(path, 15.0)


@pytest.mark.parametrize("side_px", [0, 2**40])
def test_a_header_with_impossible_sides_is_refused(path, side_px):
    path.write_bytes(struct.pack("<3Q", MAGIC, side_px, 48).ljust(8192, b"\0"))
    with pytest.raises(CameraError, match="damaged"):
        SimCamera(path, 15.0)


def test_a_file_shorter_than_it_claims_is_refused_not_mapped(path):
    path.write_bytes(struct.pack("<3Q", MAGIC, 640, 480).ljust(8192, b"\0"))
    with pytest.raises(CameraError, match="too few"):
        SimCamera(path, 15.0)


def test_a_folder_or_a_pipe_in_its_place_is_refused(tmp_path, path):
    with pytest.raises(CameraError):
        SimCamera(tmp_path, 15.0)
    os.mkfifo(path)
    with pytest.raises(CameraError):
        SimCamera(path, 15.0)


def test_a_file_left_by_a_dead_far_end_is_refused(far_end, path):
    left = path.with_name("left")
    left.write_bytes(path.read_bytes())
    with pytest.raises(CameraError, match="is gone"):
        SimCamera(left, 15.0)


def test_a_removed_file_is_reported(camera, path):
    path.unlink()
    with pytest.raises(CameraError, match="removed or replaced"):
        camera.read(0.5)


def test_two_far_ends_cannot_share_a_camera(far_end, path):
    with pytest.raises(CameraError, match="another far end"):
        CameraFarEnd(path, WIDTH_PX, HEIGHT_PX)


def test_a_picture_of_another_size_is_refused(far_end):
    with pytest.raises(CameraError, match="48x64x3"):
        far_end.write(np.zeros((48, 32, 3), np.uint8), 1.0)


def test_a_far_end_of_no_size_is_refused(path):
    with pytest.raises(CameraError, match="no picture"):
        CameraFarEnd(path, 0, 48)


def test_a_far_end_where_no_file_can_be_made_says_so(tmp_path):
    with pytest.raises(CameraError, match="cannot be made"):
        CameraFarEnd(tmp_path / "absent" / "camera", 64, 48)


def test_a_closed_far_end_shows_nothing_more(far_end):
    far_end.close()
    far_end.close()
    with pytest.raises(CameraError, match="closed"):
        far_end.write(grey(1), 1.0)


def test_an_old_far_end_does_not_take_its_successors_file_away(far_end, path):
    path.unlink()
    successor = CameraFarEnd(path, WIDTH_PX, HEIGHT_PX)
    far_end.close()
    assert path.exists()
    successor.close()
    assert not path.exists()


def test_no_torn_picture_is_seen_under_a_writer_that_never_rests(path):
    """Each picture is of one level: a torn one would show two."""
    far_end, stop = CameraFarEnd(path, 640, 480), threading.Event()
    pictures = [np.full((480, 640, 3), level, np.uint8) for level in range(16)]

    def write() -> None:
        while not stop.is_set():
            for level, picture in enumerate(pictures):
                far_end.write(picture, float(level))

    writer = threading.Thread(target=write)
    writer.start()
    camera = SimCamera(path, 1000.0)
    try:
        for _ in range(200):
            frame = camera.read(5.0)
            assert frame is not None
            assert frame.pixels.min() == frame.pixels.max() == round(frame.taken_s)
    finally:
        stop.set()
        writer.join()
        camera.close()
        far_end.close()


FAR_END = """
import sys, time, numpy as np
from pathlib import Path
from hw.camera_sim import CameraFarEnd
far_end, level = CameraFarEnd(Path(sys.argv[1]), 640, 480), 0
print("ready", flush=True)
while True:
    level = (level + 1) % 250
    far_end.write(np.full((480, 640, 3), level, np.uint8), time.monotonic())
    time.sleep(0.002)
"""


def read_for_ever(camera: SimCamera) -> None:
    while True:
        camera.read(0.2)


@pytest.mark.system
def test_a_far_end_that_is_killed_is_noticed_within_half_a_second_and_no_frame_before_is_torn(path):
    process = subprocess.Popen([sys.executable, "-c", FAR_END, str(path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        camera = SimCamera(path, 500.0)
        for _ in range(100):
            frame = camera.read(5.0)
            assert frame.pixels.min() == frame.pixels.max()
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed_s = time.monotonic()
        with pytest.raises(CameraError, match="has died"):
            read_for_ever(camera)
        assert time.monotonic() - killed_s < 0.5
    finally:
        process.kill()
        process.wait()


@pytest.mark.system
def test_a_far_end_that_is_only_paused_is_a_time_out_and_not_an_error(path):
    process = subprocess.Popen([sys.executable, "-c", FAR_END, str(path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        camera = SimCamera(path, 500.0)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        camera.read(0.0)
        assert camera.read(0.3) is None
        process.send_signal(signal.SIGCONT)
        assert camera.read(5.0) is not None
    finally:
        process.kill()
        process.wait()
