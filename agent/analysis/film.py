"""A film as a door would have seen it: its frames at their own times, as many a second as the door looks at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import isfinite
from pathlib import Path

import cv2
import numpy as np
from msgspec import Struct

from agent.analysis.film_faults import why_unreadable
from agent.errors import FilmError
from hw.interfaces import Frame, Pixels

LONGEST_PX = 1920
"""The largest picture that a door's configuration allows; larger films are reduced to it."""
SMALLEST_PX = 32
"""A picture with a shorter side holds no face that could be found."""
LATE_SHARE = 0.25
"""Of the interval: a film of 30 frames a second whose times are a little off still gives every second one at 15."""
PLAUSIBLE_RATE = (0.5, 240.0)
"""Containers without a rate answer 0, 1000 or 90000."""
LACKING_S, LACKING_SHARE = 0.5, 0.05
"""How much of a film may be missing before it counts as cut off: what the header says of its length is often rounded."""


class FilmInfo(Struct, frozen=True, kw_only=True):
    """What a film's header promises; `None` where it says nothing that can be believed."""

    frames: int | None
    frames_per_s: float | None

    @property
    def seconds(self) -> float | None:
        return self.frames / self.frames_per_s if self.frames and self.frames_per_s else None


class Film:
    """An open film. Use as a context manager; `frames` can be gone through once."""

    def __init__(self, path: Path, most_per_s: float) -> None:
        """Raises FilmError, which says why, for what is no film, is empty, damaged or sound alone."""
        self.path, self.name = path, str(path)
        self._least_interval_s = 1 / most_per_s
        self._capture = _open(path)
        self.info = _info(self._capture)
        self.rate = min(most_per_s, self.info.frames_per_s or most_per_s)
        """Frames a second that it will give, where the header tells the truth."""
        self._grabbed = 0
        self._last_s = -1.0

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    @property
    def expected(self) -> int:
        """How many frames `frames` will give by what the header promises; 0 when it promises nothing."""
        seconds = self.info.seconds
        if seconds is None or self.info.frames is None:
            return 0
        return min(self.info.frames, round(seconds / self._least_interval_s))

    def frames(self) -> Iterator[Frame]:
        """Frames in order, `taken_s` counted from the film's first. Raises FilmError when there is none, or one is too small."""
        due_s = 0.0
        for taken_s in self._times():
            if taken_s < due_s - LATE_SHARE * self._least_interval_s:
                continue
            # From the time that was due, so that the rate is kept; from this frame's after a gap.
            due_s = max(due_s, taken_s - self._least_interval_s) + self._least_interval_s
            pixels = self._pixels()
            if pixels is None:
                break
            yield Frame(pixels, taken_s)
        if not self._grabbed:
            raise FilmError(f"{self.path}: no picture could be read out of it: {why_unreadable(self.path)}")

    def lacking(self) -> str:
        """Why the film is not whole, once its frames were gone through; empty when it is."""
        seconds, frames = self.info.seconds, self.info.frames
        if seconds is None or frames is None:
            return ""
        seen_s = self._last_s + seconds / frames
        short_s, share = seconds - seen_s, 1 - self._grabbed / frames
        if short_s < max(LACKING_S, LACKING_SHARE * seconds) or share < LACKING_SHARE:
            return ""
        return f"{self.path}: ends after {seen_s:.1f} of {seconds:.1f} s: it was cut off or is damaged there"

    def _times(self) -> Iterator[float]:
        """The time of each frame of the film; strictly rising, counted from the first."""
        first_s: float | None = None
        while self._capture.grab():
            at_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
            first_s = at_s if first_s is None else first_s
            self._last_s = self._believable(at_s - first_s)
            self._grabbed += 1
            yield self._last_s

    def _believable(self, at_s: float) -> float:
        """Streams without time stamps, and stamps that stand still or run back, are counted on at the film's rate."""
        if not self._grabbed:
            return 0.0
        return (
            at_s
            if isfinite(at_s) and at_s > self._last_s
            else self._last_s + 1 / (self.info.frames_per_s or 1 / self._least_interval_s)
        )

    def _pixels(self) -> Pixels | None:
        good, raw = self._capture.retrieve()
        if not good or raw is None:
            return None
        pixels = np.asarray(raw, np.uint8)
        height, width = pixels.shape[:2]
        if min(height, width) < SMALLEST_PX:
            raise FilmError(
                f"{self.path}: its pictures are {width} x {height} px; at least {SMALLEST_PX} px are needed to see anybody"
            )
        return _reduced(pixels, LONGEST_PX / max(height, width))


def _reduced(pixels: Pixels, share: float) -> Pixels:
    if share >= 1:
        return pixels
    return np.asarray(cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def _open(path: Path) -> cv2.VideoCapture:
    """FFMPEG's, which turns pictures upright as the film's header asks."""
    if not path.is_file():
        what = "it is a folder; name the films in it" if path.is_dir() else "there is no such file"
        raise FilmError(f"{path}: {what}")
    if not os.access(path, os.R_OK):
        raise FilmError(f"{path}: this user may not read it")
    # What FFMPEG says of a damaged film goes to standard error in words that name no file; ours do.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise FilmError(f"{path}: cannot be read as a film: {why_unreadable(path)}")
    return capture


def _info(capture: cv2.VideoCapture) -> FilmInfo:
    frames, rate = (float(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS))
    return FilmInfo(
        frames=int(frames) if isfinite(frames) and frames >= 1 else None,
        frames_per_s=rate if isfinite(rate) and PLAUSIBLE_RATE[0] <= rate <= PLAUSIBLE_RATE[1] else None,
    )
