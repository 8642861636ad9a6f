"""What every camera promises: the newest picture with its time, silence told from absence, and that it comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from agent.errors import CameraError, DoorwardError
from agent.vision.eyes import Eyes
from hw.cameras import edition, open_camera
from hw.interfaces import Camera
from tests.contracts.camera_benches import (
    HEIGHT_PX,
    PATIENCE_S,
    RED,
    WIDTH_PX,
    CameraBench,
    FilmBench,
    GstBench,
    RpicamBench,
    RtspBench,
    SimBench,
    opened,
    read_to_the_end,
    settings,
)

pytestmark = pytest.mark.slow

KINDS = {"sim": SimBench, "file": FilmBench, "gst": GstBench, "rpicam": RpicamBench, "rtsp": RtspBench}


@pytest.fixture(params=["sim", "file", *(pytest.param(kind, marks=pytest.mark.system) for kind in ("gst", "rpicam", "rtsp"))])
def bench(request: pytest.FixtureRequest, tmp_path) -> Iterator[CameraBench]:
    made = KINDS[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def camera(bench: CameraBench) -> Iterator[Camera]:
    made = opened(bench)
    yield made
    made.close()


def test_a_picture_is_height_by_width_by_three_bytes_blue_green_red(camera):
    frame = camera.read(5.0)
    assert frame.pixels.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert frame.pixels.dtype == np.uint8
    assert np.abs(frame.pixels.reshape(-1, 3).mean(0) - RED).max() < 10, "a red wall is red, not blue"


def test_a_picture_carries_the_monotonic_time_at_which_it_was_taken(bench):
    before_s = time.monotonic()
    camera = opened(bench)
    frame = camera.read(5.0)
    camera.close()
    assert before_s <= frame.taken_s <= time.monotonic()


def test_pictures_come_in_order_and_none_twice(camera):
    times = [frame.taken_s for frame in (camera.read(2.0) for _ in range(4)) if frame is not None]
    assert len(times) == 4
    assert times == sorted(set(times))


def test_a_late_reader_is_not_served_a_queue_of_old_pictures(camera):
    camera.read(5.0)
    time.sleep(0.8)
    at_once = [camera.read(0.0) for _ in range(12)]
    assert sum(frame is not None for frame in at_once) <= 2, "one that lay there, one that came meanwhile"


def test_silence_is_no_error_and_takes_as_long_as_was_asked(bench, camera):
    camera.read(5.0)
    bench.hush()
    time.sleep(0.1)
    for _ in range(3):
        camera.read(0.0)
    began_s = time.monotonic()
    assert camera.read(0.25) is None
    assert 0.2 < time.monotonic() - began_s < 2.0


def test_a_camera_that_is_pulled_out_is_an_error_that_names_it_and_no_password(bench, camera):
    camera.read(5.0)
    bench.go()
    with pytest.raises(CameraError) as lost:
        read_to_the_end(camera)
    assert bench.word.split(":")[0] in str(lost.value)
    assert bench.secret not in str(lost.value)


def test_a_camera_that_is_not_there_cannot_be_opened_and_the_error_names_it_and_no_password(bench):
    with pytest.raises(DoorwardError) as refused:
        open_camera(settings(bench.absent))
    assert bench.absent.split(":")[0] in str(refused.value)
    assert bench.secret not in str(refused.value)


def test_a_closed_camera_can_be_closed_again_and_not_read(bench):
    camera = opened(bench)
    assert bench.secret not in camera.name
    camera.close()
    camera.close()
    with pytest.raises(CameraError):
        read_to_the_end(camera)


def test_a_camera_that_was_closed_can_be_opened_anew(bench):
    for _ in range(2):
        camera = opened(bench)
        assert camera.read(5.0) is not None
        camera.close()


def test_a_camera_that_vanishes_comes_back_by_itself_and_says_meanwhile_that_it_is_gone(bench):
    wanted = settings(bench.word, bench.rate)
    eyes = Eyes("camera", lambda: open_camera(wanted), time.monotonic, time.sleep, lambda: edition(wanted))
    try:
        assert comes(lambda: eyes.read(0.1) is not None)
        assert eyes.fault == ""
        bench.go()
        assert comes(lambda: eyes.read(0.1) is None and eyes.fault != "")
        assert bench.secret not in eyes.fault
        bench.come_back()
        assert comes(lambda: eyes.read(0.1) is not None)
        assert eyes.fault == ""
    finally:
        eyes.close()


def comes(holds) -> bool:
    until_s = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until_s:
            return False
    return True
