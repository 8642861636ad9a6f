"""The far end of every kind of camera: what somebody does who stands in front of it, or at its cable. All of them look at a red wall."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

import cv2
import numpy as np

from hw.camera_sim import CameraFarEnd
from hw.cameras import open_camera
from hw.interfaces import Camera

WIDTH_PX, HEIGHT_PX = 320, 240
RED = np.array([0, 0, 255])
"""B, G, R."""
PATIENCE_S = 30.0
"""Longest wait for something that a server, a process or a back-off does: a loaded machine is no failure."""
MEND = "`make system-packages` installs what is missing"


class CameraBench(Protocol):
    """One camera and its far end; it is there from the start."""

    word: str
    """As `vision.camera` names it."""
    absent: str
    """A word for such a camera that is not there."""
    rate: float
    """Frames a second."""
    secret: str
    """What may stand in no log."""

    def come_back(self) -> None:
        """Plug it in again."""
        ...

    def go(self) -> None:
        """Pull the plug."""
        ...

    def hush(self) -> None:
        """It stays there and gives nothing for a second."""
        ...

    def close(self) -> None: ...


def settings(word: str, rate: float = 15.0) -> SimpleNamespace:
    return SimpleNamespace(camera=word, width_px=WIDTH_PX, height_px=HEIGHT_PX, frames_per_s=rate)


def opened(bench: CameraBench) -> Camera:
    return open_camera(settings(bench.word, bench.rate))


def read_to_the_end(camera: Camera) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        camera.read(0.5)


class SimBench:
    """Pictures through shared memory, drawn by a thread of ours."""

    rate, secret = 15.0, "no secret"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "camera"
        self.word, self.absent = f"sim:{self._path}", f"sim:{folder}/absent"
        self._hush, self._stop = threading.Event(), threading.Event()
        self.come_back()

    def come_back(self) -> None:
        self._stop.clear()
        far_end = CameraFarEnd(self._path, WIDTH_PX, HEIGHT_PX)
        self._thread = threading.Thread(target=self._draw, args=(far_end,))
        self._thread.start()

    def _draw(self, far_end: CameraFarEnd) -> None:
        picture = np.empty((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
        picture[:] = RED
        while not self._stop.wait(1 / self.rate):
            if not self._hush.is_set():
                far_end.write(picture, time.monotonic())
        far_end.close()

    def go(self) -> None:
        self._stop.set()
        self._thread.join()

    def hush(self) -> None:
        self._hush.set()

    def close(self) -> None:
        self.go()


class FilmBench:
    """A film of two seconds, two frames each: it is gone when it ends, and back when another lies in its place."""

    rate, secret = 2.0, "no secret"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "door.avi"
        self.word, self.absent = f"file:{self._path}", f"file:{folder}/absent.avi"
        self.come_back()

    def come_back(self) -> None:
        draft = self._path.with_name("draft.avi")
        writer = cv2.VideoWriter(str(draft), cv2.VideoWriter.fourcc(*"MJPG"), self.rate, (WIDTH_PX, HEIGHT_PX))
        picture = np.empty((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
        picture[:] = RED
        for _ in range(round(2 * self.rate)):
            writer.write(picture)
        writer.release()
        draft.replace(self._path)

    def go(self) -> None:
        pass

    def hush(self) -> None:
        pass

    def close(self) -> None:
        pass


class GstBench:
    """GStreamer's own test picture through a real gst-launch."""

    rate, secret = 15.0, "hush-hush"
    absent = "gst:nosuchelement password=hush-hush"

    def __init__(self, folder: Path) -> None:
        assert shutil.which("gst-launch-1.0"), MEND
        self.word = "gst:videotestsrc is-live=true pattern=red name=hush-hush"

    def come_back(self) -> None:
        pass

    def go(self) -> None:
        for pid in launched_by(os.getpid()):
            os.kill(pid, signal.SIGKILL)

    def hush(self) -> None:
        for pid in launched_by(os.getpid()):
            os.kill(pid, signal.SIGSTOP)

    def close(self) -> None:
        assert launched_by(os.getpid()) == []


class RpicamBench(GstBench):
    """The driver's own command and arguments; behind them GStreamer's test picture as the frames of `--codec yuv420`."""

    absent = "rpicam:7"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.word = "rpicam:0"
        command = folder / "rpicam-vid"
        command.write_text(FAR_END)
        command.chmod(0o755)
        self._path = os.environ["PATH"]
        os.environ["PATH"] = f"{folder}:{self._path}"

    def close(self) -> None:
        os.environ["PATH"] = self._path
        super().close()


FAR_END = """#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in --nopreview | --flush) shift && continue ;; esac
  eval "$(echo "${1#--}" | tr -d -)='$2'"
  shift 2
done
[ "$camera" = 0 ] || { echo "ERROR: *** no cameras available ***" >&2; exit 255; }
[ "$codec $timeout" = "yuv420 0" ] || exit 1
exec gst-launch-1.0 --quiet videotestsrc is-live=true pattern=red ! \\
  "video/x-raw,format=I420,width=$width,height=$height,framerate=$framerate/1" ! filesink "location=$output"
"""
"""Stands in for the camera, which has no plug here; it takes the words that rpicam-vid takes."""


class RtspBench:
    """A real RTSP server with a password, in a process of its own."""

    rate, secret = 15.0, "secret"

    def __init__(self, folder: Path) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._port = "0"
        self.come_back()
        self.word = f"rtsp://door:secret@127.0.0.1:{self._port}/door"
        self.absent = "rtsp://door:secret@127.0.0.1:9/door"

    def come_back(self) -> None:
        script = Path(__file__).with_name("rtsp_server.py")
        caps = f"video/x-raw,width={WIDTH_PX},height={HEIGHT_PX},framerate=15/1"
        source = f"videotestsrc is-live=true pattern=red ! {caps}"
        self._process = subprocess.Popen(["/usr/bin/python3", script, self._port, source], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._port = self._process.stdout.readline().strip()
        assert self._port, f"the RTSP server does not start; {MEND}"

    def go(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def hush(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        self.go()


def launched_by(parent: int) -> list[int]:
    """The living gst-launch processes whose parent this is."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue  # it has ended meanwhile
        state, ppid = rest.split()[:2]
        if head.endswith("(gst-launch-1.0") and int(ppid) == parent and state != "Z":
            found.append(int(stat.parent.name))
    return found
