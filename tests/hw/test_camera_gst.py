"""What only a pipe from GStreamer can do wrong: rows that are padded, a process that outlives us, hangs, or complains."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from agent.errors import CameraError, HardwareError
from hw.camera_gst import Pipeline, any_source, csi
from hw.camera_names import without_passwords
from hw.camera_pipe import PipeCamera
from hw.camera_rpicam import Rpicam
from hw.cameras import open_camera
from hw.raw_video import RawVideo
from tests.contracts.camera_benches import launched_by, read_to_the_end

PATIENCE_S = 15.0


def eventually(holds) -> bool:
    until_s = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.01)
    return True


# -- frames in a pipe ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layout", "width", "size"), [("BGRx", 6, 96), ("BGR", 6, 80), ("BGR", 8, 96), ("I420", 8, 48)])
def test_a_frame_has_as_many_bytes_as_gstreamer_gives_it(layout, width, size):
    """BGR rows of 6 px are 18 bytes and two of padding."""
    assert RawVideo(layout, width, 4).frame_bytes == size


def test_the_padding_of_a_row_is_no_part_of_the_picture():
    raw = bytearray((b"\1\2\3" * 3 + b"\xff\xff\xff") * 2)
    assert RawVideo("BGR", 3, 2).pixels(raw).tolist() == [[[1, 2, 3]] * 3] * 2


def test_the_fourth_byte_of_a_pixel_is_no_colour():
    assert RawVideo("BGRx", 2, 2).pixels(bytearray(b"\1\2\3\xff" * 4)).tolist() == [[[1, 2, 3]] * 2] * 2


def test_a_picture_does_not_change_when_the_pipe_is_read_on():
    for layout in ("BGR", "BGRx", "I420"):
        video = RawVideo(layout, 8, 2)
        raw = bytearray(b"\x80" * video.frame_bytes)
        pixels = video.pixels(raw)
        kept = pixels.copy()
        raw[:] = bytes(len(raw))
        assert (pixels == kept).all()


@pytest.mark.parametrize(("width", "height"), [(642, 480), (640, 481)])
def test_a_size_that_a_layout_does_not_have_is_refused(width, height):
    with pytest.raises(CameraError, match="multiple of 8"):
        RawVideo("I420", width, height)


# -- what is started -------------------------------------------------------------------------------------------------------------


def test_a_jetson_camera_is_asked_for_size_and_rate_by_its_number():
    words = csi(1).words(1280, 720, 15.0, 7)
    assert words[:5] == [
        "--quiet",
        "nvarguscamerasrc",
        "sensor-id=1",
        "!",
        "video/x-raw(memory:NVMM),width=1280,height=720,framerate=15/1,format=NV12",
    ]
    assert "video/x-raw,format=BGRx,width=1280,height=720" in words
    assert words[-3:] == ["fdsink", "fd=7", "sync=false"]


def test_a_raspberry_pi_camera_is_asked_for_size_and_rate_by_its_number():
    words = Rpicam(1).words(1280, 720, 12.5, 7)
    assert [words[words.index(option) + 1] for option in ("--camera", "--width", "--height", "--framerate", "--codec", "--output")] == [
        "1", "1280", "720", "12.5", "yuv420", "/dev/fd/7",
    ]  # fmt: skip
    assert words[words.index("--timeout") + 1] == "0", "without an end"


def test_a_width_whose_rows_would_be_padded_is_refused_with_one_that_is_not():
    with pytest.raises(CameraError, match="650 px wide: a multiple of 64"):
        Rpicam().words(650, 480, 15.0, 3)


@pytest.mark.parametrize("kind", ["csi", "rpicam"])
def test_the_word_in_the_configuration_names_the_sensor(kind):
    wanted = SimpleNamespace(camera=f"{kind}:front", width_px=640, height_px=480, frames_per_s=15.0)
    with pytest.raises(CameraError, match=f"{kind}:0"):
        open_camera(wanted)


def test_elements_are_no_command_of_a_shell_and_a_quote_that_stays_open_is_refused_without_telling_a_password():
    words = any_source("rtspsrc location='rtsp://a b' ; rm -rf x").words(640, 480, 12.5, 3)
    assert words[:7] == ["--quiet", "rtspsrc", "location=rtsp://a b", ";", "rm", "-rf", "x"]
    assert any("framerate=[1/1,25/2]" in word for word in words)
    with pytest.raises(CameraError, match="cannot be read") as refused:
        any_source("rtspsrc user-pw='secret").words(640, 480, 15.0, 3)
    assert "secret" not in str(refused.value)


def test_only_the_first_element_is_named_in_a_log():
    assert any_source("rtspsrc user-pw=secret").name == "gst:rtspsrc"
    assert any_source(" ").name == "gst:(nothing)"
    assert without_passwords("cannot open rtsp://admin:se@cret@10.0.0.2/live.") == "cannot open rtsp://10.0.0.2/live."


def test_a_controller_without_gstreamer_is_told_which_package_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HardwareError, match=r"sudo apt install gstreamer1\.0-tools"):
        PipeCamera(csi(0), 640, 480, 15.0)


# -- real processes --------------------------------------------------------------------------------------------------------------


@pytest.mark.system
@pytest.mark.parametrize("layout", ["BGR", "BGRx", "I420"])
@pytest.mark.parametrize(("pattern", "colour"), [("red", (0, 0, 255)), ("green", (0, 255, 0)), ("blue", (255, 0, 0))])
def test_colours_arrive_as_they_are_in_every_layout(layout, pattern, colour):
    elements = f"videotestsrc is-live=true pattern={pattern} ! video/x-raw,format={{layout}},width={{width}},height={{height}}"
    camera = PipeCamera(Pipeline("test", elements, layout, "?"), 328, 246, 15.0)
    frame = camera.read(5.0)
    camera.close()
    assert frame.pixels.shape == (246, 328, 3)
    assert np.abs(frame.pixels[100, 100].astype(int) - colour).max() <= 4


@pytest.mark.system
def test_what_gstreamer_complains_about_stands_in_the_error_with_the_mend():
    with pytest.raises(CameraError, match=r"gst:v4l2src: ERROR.*/dev/video97.*gst-launch-1\.0"):
        PipeCamera(any_source("v4l2src device=/dev/video97"), 640, 480, 15.0)
    with pytest.raises(CameraError, match=r'csi:0.*no element "nvarguscamerasrc".*ribbon cable'):
        PipeCamera(csi(0), 640, 480, 15.0)


@pytest.mark.system
def test_a_pipeline_that_hangs_is_ended_and_named():
    camera = PipeCamera(any_source("videotestsrc is-live=true"), 320, 240, 15.0)
    [pid] = launched_by(os.getpid())
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(CameraError, match="gave no frame for 3 s"):
        read_to_the_end(camera)
    assert eventually(lambda: launched_by(os.getpid()) == [])
    camera.close()


PROGRAM = """
import sys, time
from hw.camera_gst import any_source
from hw.camera_pipe import PipeCamera
camera = PipeCamera(any_source("videotestsrc is-live=true"), 320, 240, 15.0)
assert camera.read(5.0) is not None
print("sees", flush=True)
time.sleep(600)
"""


@pytest.mark.system
@pytest.mark.parametrize("hangs", [False, True], ids=["running", "hanging"])
def test_no_pipeline_outlives_a_program_that_was_killed(hangs):
    """A camera that nobody gave back could not be opened by the program's successor."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"sees\n"
        [pid] = launched_by(process.pid)
        if hangs:
            os.kill(pid, signal.SIGSTOP)
    finally:
        process.kill()
        process.wait()
    assert eventually(lambda: not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text())


@pytest.mark.system
def test_the_picture_is_that_of_gstreamer_pixel_for_pixel(tmp_path):
    """Held against what GStreamer itself writes as a lossless picture."""
    source = "videotestsrc num-buffers=1 pattern=smpte ! video/x-raw,width=320,height=240"
    picture = tmp_path / "smpte.png"
    subprocess.run(["gst-launch-1.0", "-q", *source.split(), "!", "videoconvert", "!", "pngenc", "!", "filesink",
                    f"location={picture}"], check=True)  # fmt: skip
    camera = PipeCamera(any_source("videotestsrc is-live=true pattern=smpte"), 320, 240, 15.0)
    frame = camera.read(5.0)
    camera.close()
    # the noise in the lower right corner differs from frame to frame
    assert np.abs(frame.pixels[:150].astype(int) - cv2.imread(str(picture))[:150]).max() <= 2
