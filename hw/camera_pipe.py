"""Cameras through a pipe from a program that writes raw frames of known size: GStreamer (camera_gst), rpicam-vid (camera_rpicam).

Nothing of the driver is in our process: one that crashes or hangs takes its own process along.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from typing import IO, Protocol

from agent.errors import CameraError, HardwareError
from hw.camera_names import without_passwords
from hw.interfaces import Frame
from hw.newest import NewestFrame
from hw.raw_video import Layout, RawVideo

FIRST_FRAME_S = 5.0
"""From the start of the process: libargus takes one or two seconds."""
SILENT_S = 3.0
"""A program that gives nothing for so long hangs: it is ended, so that whoever opens it anew finds the device free."""
LISTEN_S = 0.2
"""How soon the grabber sees that it shall stop."""
END_S = 2.0
"""For a program to close its camera after SIGINT; then it is killed. libargus keeps the sensor for a client that did not say goodbye."""
PIPE_BYTES = 1 << 20
"""The most that Linux allows everybody (fs.pipe-max-size): fewer changes of process than with 64 KiB."""
LINES_KEPT = 40


class Source(Protocol):
    """A program that writes frames into an open file."""

    @property
    def name(self) -> str:
        """As it may stand in logs."""
        ...

    @property
    def layout(self) -> Layout: ...
    @property
    def command(self) -> str: ...
    @property
    def package(self) -> str:
        """The Debian package that has the command."""
        ...

    @property
    def mend(self) -> str:
        """What to look at when no frames come."""
        ...

    def words(self, width_px: int, height_px: int, frames_per_s: float, descriptor: int) -> list[str]:
        """Arguments of the command, which writes into the open file `descriptor`. Raises CameraError when it cannot give such frames."""
        ...


class PipeCamera:
    """One such process and a grabber thread that keeps its newest frame.

    The process is started by the grabber, through `setpriv --pdeathsig`: the kernel kills it when that thread ends, and so when
    we are killed, whatever state it is in. And when frames flow, a pipe that nobody holds ends it as well.
    """

    def __init__(self, source: Source, width_px: int, height_px: int, frames_per_s: float) -> None:
        """Raises HardwareError when the command is not installed, CameraError with its own words when no first frame comes."""
        for command, package in ((source.command, source.package), ("setpriv", "util-linux")):
            if shutil.which(command) is None:
                raise HardwareError(f"camera {source.name}: {command} is not installed: sudo apt install {package}")
        self._source, self._video = source, RawVideo(source.layout, width_px, height_px)
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
        return self._source.name

    def read(self, timeout_s: float) -> Frame | None:
        """See hw.interfaces.Camera."""
        return self._newest.take(timeout_s)

    def close(self) -> None:
        """Ends the program. May be called twice."""
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
            raise CameraError(f"camera {self.name}: {complaints.said() or reason}; {self._source.mend}")

    def _launch(self, write_end: int) -> subprocess.Popen[bytes]:
        words = self._source.words(self._video.width_px, self._video.height_px, self._rate, write_end)
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", self._source.command, *words], pass_fds=(write_end,),
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
                return "its program has ended"
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
