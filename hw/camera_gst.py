"""Cameras through a pipe from gst-launch-1.0: the CSI cameras of a Jetson, and whatever else GStreamer can open.

The OpenCV of PyPI is built without GStreamer, and NVIDIA's camera stack (libargus) can be had from GStreamer alone: so GStreamer's own
command runs beside us and writes raw frames of known size into a pipe. Nothing of it is in our process: a driver that crashes or
hangs takes its own process along.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import IO

from agent.errors import CameraError, HardwareError
from hw.camera_names import public_name, without_passwords
from hw.interfaces import Frame
from hw.newest import NewestFrame
from hw.raw_video import Layout, RawVideo

LAUNCH = "gst-launch-1.0"
FIRST_FRAME_S = 5.0
"""From the start of the process: libargus takes one or two seconds."""
SILENT_S = 3.0
"""A pipeline that gives nothing for so long hangs: it is ended, so that whoever opens it anew finds the device free."""
LISTEN_S = 0.2
"""How soon the grabber sees that it shall stop."""
END_S = 2.0
"""For a pipeline to close its camera after SIGINT; then it is killed. libargus keeps the sensor for a client that did not say goodbye."""
PIPE_BYTES = 1 << 20
"""The most that Linux allows everybody (fs.pipe-max-size): fewer changes of process than with 64 KiB."""
LINES_KEPT = 40


@dataclass(frozen=True)
class Pipeline:
    """What gst-launch runs. `{width}`, `{height}`, `{rate}` and `{layout}` in `elements` are put in before it starts."""

    name: str
    elements: str
    layout: Layout
    mend: str

    def words(self, width_px: int, height_px: int, frames_per_s: float, descriptor: int) -> list[str]:
        """Arguments for gst-launch: the elements, and then frames into the open file `descriptor`, the newest at the cost of older ones.

        Raises CameraError when the elements cannot be read (a quote that is never closed).
        """
        rate = Fraction(frames_per_s).limit_denominator(100)
        values = {"width": width_px, "height": height_px, "layout": self.layout, "rate": f"{rate.numerator}/{rate.denominator}"}
        try:
            elements = shlex.split(re.sub(r"\{(\w+)\}", lambda place: str(values.get(place[1], place[0])), self.elements))
        except ValueError as error:
            raise CameraError(f"camera {self.name}: its elements cannot be read: {error}") from error
        newest = ["!", "queue", "leaky=downstream", "max-size-buffers=1", "max-size-bytes=0", "max-size-time=0"]
        return [*elements, *newest, "!", "fdsink", f"fd={descriptor}", "sync=false"]


def csi(sensor: int) -> Pipeline:
    """A Jetson's CSI camera (NVIDIA's elements of JetPack 5 and 6). BGRx, because nvvidconv knows which colours the sensor gave."""
    return Pipeline(
        f"csi:{sensor}",
        f"nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM),width={{width}},height={{height}},framerate={{rate}},format=NV12"
        " ! nvvidconv ! video/x-raw,format={layout},width={width},height={height}",
        "BGRx", "is the ribbon cable seated, does nvargus-daemon run, and does `nvgstcapture-1.0` show the camera?",
    )  # fmt: skip


def any_source(elements: str) -> Pipeline:
    """Elements that give video of any kind, like `videotestsrc is-live=true`; size, rate and layout are made of it here."""
    return Pipeline(
        public_name(f"gst:{elements}"),
        f"{elements} ! videoconvert ! videoscale ! videorate drop-only=true"
        " ! video/x-raw,format={layout},width={width},height={height},framerate=[1/1,{rate}]",
        "BGRx", "does `gst-launch-1.0 … ! autovideosink` show it?",
    )  # fmt: skip


class GstCamera:
    """One gst-launch process and a grabber thread that keeps its newest frame.

    The process is started by the grabber, through `setpriv --pdeathsig`: the kernel kills it when that thread ends, and so when
    we are killed, whatever state it is in. And when frames flow, a pipe that nobody holds ends it as well.
    """

    def __init__(self, pipeline: Pipeline, width_px: int, height_px: int, frames_per_s: float) -> None:
        """Raises HardwareError when GStreamer is not installed, CameraError with GStreamer's own words when no first frame comes."""
        for command, package in ((LAUNCH, "gstreamer1.0-tools"), ("setpriv", "util-linux")):
            if shutil.which(command) is None:
                raise HardwareError(f"camera {pipeline.name}: {command} is not installed: sudo apt install {package}")
        self._pipeline, self._video = pipeline, RawVideo(pipeline.layout, width_px, height_px)
        self._rate = frames_per_s
        self._newest = NewestFrame()
        self._stop, self._settled = threading.Event(), threading.Event()
        self._error: CameraError | None = None
        self._thread = threading.Thread(target=self._run, name="grabber", daemon=True)
        self._thread.start()
        self._settled.wait(FIRST_FRAME_S + SILENT_S)
        if self._error is not None:
            self.close()
            raise self._error

    @property
    def name(self) -> str:
        return self._pipeline.name

    def read(self, timeout_s: float) -> Frame | None:
        """See hw.interfaces.Camera."""
        return self._newest.take(timeout_s)

    def close(self) -> None:
        """Ends the pipeline. May be called twice."""
        self._stop.set()
        self._thread.join(END_S + 1.0)
        self._newest.fail(self._closed())

    def _closed(self) -> CameraError:
        return CameraError(f"camera {self.name}: was closed")

    def _run(self) -> None:
        try:
            self._play()
        except CameraError as error:
            self._error = error
        except Exception as cause:  # noqa: BLE001 - a thread's death must reach the reader, whatever it was
            self._error = CameraError(f"camera {self.name}: {cause}")
        self._newest.fail(self._error or self._closed())
        self._settled.set()

    def _play(self) -> None:
        read_end, write_end = os.pipe()
        try:
            process = self._launch(write_end)
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        complaints = _Complaints(process)
        try:
            reason = self._grab(read_end)
        finally:
            os.close(read_end)
            _end(process)
        if reason:
            raise CameraError(f"camera {self.name}: {complaints.said() or reason}; {self._pipeline.mend}")

    def _launch(self, write_end: int) -> subprocess.Popen[bytes]:
        words = self._pipeline.words(self._video.width_px, self._video.height_px, self._rate, write_end)
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", LAUNCH, "--quiet", *words], pass_fds=(write_end,),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def _grab(self, pipe: int) -> str:
        """Frames until told to stop (''), or why there are no more."""
        _widen(pipe)
        raw = bytearray(self._video.frame_bytes)
        patience_s = FIRST_FRAME_S
        while not self._stop.is_set():
            taken_s = self._fill(pipe, raw, patience_s)
            if isinstance(taken_s, str):
                return taken_s
            self._newest.put(Frame(self._video.pixels(raw), taken_s))
            patience_s = SILENT_S
            self._settled.set()
        return ""

    def _fill(self, pipe: int, raw: bytearray, patience_s: float) -> float | str:
        """When the frame began to arrive that now lies in `raw`; or why none came ('' when told to stop)."""
        view, have, taken_s = memoryview(raw), 0, 0.0
        until_s = time.monotonic() + patience_s
        while have < len(raw):
            if self._stop.is_set():
                return ""
            if time.monotonic() > until_s:
                return f"gave no frame for {patience_s:g} s"
            if not select.select([pipe], [], [], LISTEN_S)[0]:
                continue
            came = os.readv(pipe, [view[have:]])
            if not came:
                return "its pipeline has ended"
            taken_s = taken_s or time.monotonic()
            have += came
        return taken_s


class _Complaints:
    """What a process writes to standard error, read away by a thread so that it never waits for us."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._thread = threading.Thread(target=self._listen, args=(process.stderr,), name="complaints", daemon=True)
        self._thread.start()

    def said(self) -> str:
        """The first error of the last lines (what follows in GStreamer's output are consequences), or else the last line."""
        self._thread.join(1.0)
        lines = [line for line in self._lines if line]
        errors = [line for line in lines if re.match(r"ERROR|WARNING: erroneous", line)]
        return without_passwords((errors or lines[-1:] or [""])[0])

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._lines.append(line.decode("utf-8", "replace").strip())


def _widen(pipe: int) -> None:
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return  # refused to a user with many pipes: slower, and nothing else


def _end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C would, so that the camera is given back; then by force."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
