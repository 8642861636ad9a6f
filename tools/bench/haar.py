"""OpenCV's Haar cascade, in a process of its own: OpenCV 5 has left it out, so an OpenCV 4 is kept beside it for this comparison.

`python -m tools.bench.haar` reads frames on standard input (two little-endian 32-bit numbers, height and width, then BGR bytes) and writes
one JSON line for each: milliseconds and boxes.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from agent.errors import DoorwardError

ROOT = Path(__file__).resolve().parents[2]
OPENCV_4 = Path(sys.prefix) / "opencv4"
HEADER = struct.Struct("<II")
SCALE, NEIGHBOURS = 1.1, 5
"""What tutorials use, as a rule with the cascade 'frontalface_default'."""


class Haar:
    """The cascade of the other process. `close` ends it."""

    name = f"OpenCV 4 Haar cascade, frontalface_default ({SCALE:g}, {NEIGHBOURS})"

    def __init__(self, opencv_4: Path = OPENCV_4) -> None:
        if not (opencv_4 / "cv2").is_dir():
            raise DoorwardError(f"{opencv_4}: no OpenCV 4 there: run `make bench`, which puts one there for the cascade")
        paths = {**os.environ, "PYTHONPATH": os.pathsep.join([str(opencv_4), str(ROOT)])}
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tools.bench.haar"], env=paths, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __call__(self, pixels: Any) -> tuple[float, list[tuple[float, float, float, float]]]:
        """Milliseconds of the processor, counted in the other process without the way there, and boxes."""
        if self._child.stdin is None or self._child.stdout is None:
            raise DoorwardError("the cascade's process has no pipes")
        self._child.stdin.write(HEADER.pack(*pixels.shape[:2]) + pixels.tobytes())
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise DoorwardError(f"the cascade's process ended with {self._child.wait()}: its words are above")
        told = json.loads(line)
        return told["ms"], [(float(x), float(y), float(width), float(height)) for x, y, width, height in told["boxes"]]

    def close(self) -> None:
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._child.wait(10)


def main() -> int:
    import cv2
    import numpy as np

    opencv: Any = cv2  # the stubs are those of OpenCV 5
    cascade = opencv.CascadeClassifier(opencv.data.haarcascades + "haarcascade_frontalface_default.xml")
    opencv.setNumThreads(1)
    while header := sys.stdin.buffer.read(HEADER.size):
        height, width = HEADER.unpack(header)
        frame = np.frombuffer(sys.stdin.buffer.read(3 * height * width), np.uint8).reshape(height, width, 3)
        start_s = time.thread_time()
        boxes = cascade.detectMultiScale(opencv.cvtColor(frame, opencv.COLOR_BGR2GRAY), SCALE, NEIGHBOURS)
        told = {"ms": 1000 * (time.thread_time() - start_s), "boxes": [[int(number) for number in box] for box in boxes]}
        print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
