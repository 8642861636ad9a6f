"""Evidence clips: the last seconds in memory, and of an alert a short film in a file that only the centre can open.

In memory lie a few pictures a second, for as long as the pre-roll; they go as new ones come. When people are told of something, those
before and after it become a film in which everybody but the person concerned is hidden, for good: nothing else is kept.
"""

from __future__ import annotations

import io
import logging
import re
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import msgspec
import numpy as np
from av import VideoFrame
from av.error import FFmpegError
from av.video.stream import VideoStream
from msgspec import Struct
from nacl.public import PublicKey, SealedBox

from agent.core.live import Sight
from agent.files import write_whole
from agent.media.picture import conceal, cut, size_for
from agent.media.veil import Subject, Veil
from agent.shared_view import Glance

log = logging.getLogger(__name__)

FRAMES_PER_S = 6.0
JPEG_QUALITY = 80
MOST_BYTES = 48 * 1024 * 1024
"""Of pictures in memory: 26 s at 6 a second and 80 kB are 12 MB."""
MOST_CLIP_BYTES = 8 * 1024 * 1024
FOLDER, SUFFIX = "clips", ".clip"
MAGIC = b"doorward clip 1\n"
MS_HZ = 1000
SAFE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")


class Kept(NamedTuple):
    """A picture and what was seen in it."""

    jpeg: bytes
    sight: Sight


class ClipRing:
    """The last seconds. `take` each frame; `between` two times."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._kept: deque[Kept] = deque()
        self._bytes = 0
        self._due_s = float("-inf")

    def take(self, glance: Glance) -> None:
        """Keep it when its turn has come; what is older than the ring's length goes."""
        at_s = glance.sight.taken_s
        if self._kept and at_s <= self._kept[-1].sight.taken_s:
            return
        if at_s < self._due_s:
            return
        self._due_s = at_s + 1 / FRAMES_PER_S - 0.02
        done, jpeg = cv2.imencode(".jpg", glance.pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if done:
            self._kept.append(Kept(jpeg.tobytes(), glance.sight))
            self._bytes += len(jpeg)
        while self._kept and (at_s - self._kept[0].sight.taken_s > self._length_s or self._bytes > MOST_BYTES):
            self._bytes -= len(self._kept.popleft().jpeg)

    def between(self, from_s: float, until_s: float) -> list[Kept]:
        return [kept for kept in self._kept if from_s <= kept.sight.taken_s <= until_s]


class ClipHead(Struct, frozen=True, kw_only=True):
    """What a clip says of itself, sealed with it: a clip of another event or door is not taken for this one."""

    site: str
    door: str
    event: str
    made: datetime
    seconds: float
    frames: int
    content_type: str = "video/mp4"


class Clip(Struct, frozen=True, kw_only=True):
    """What is sealed."""

    head: ClipHead
    film: bytes


def film_of(kept: Sequence[Kept], subject: Subject, most_wide_px: int) -> bytes:
    """An MP4 (H.264) of these pictures at their own times, bystanders hidden. Raises FFmpegError."""
    file, veil = io.BytesIO(), Veil()
    size_px = size_for(kept[0].sight.frame_px, most_wide_px)
    with av.open(file, "w", format="mp4") as container:
        stream: VideoStream = container.add_stream(
            "libx264", rate=round(FRAMES_PER_S), options={"preset": "veryfast", "crf": "26"}
        )
        stream.width, stream.height, stream.pix_fmt = *size_px, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, MS_HZ)
        for each in kept:
            container.mux(stream.encode(_frame(each, veil, subject, size_px, kept[0].sight.taken_s)))
        container.mux(stream.encode(None))
    return file.getvalue()


def _frame(each: Kept, veil: Veil, subject: Subject, size_px: tuple[int, int], began_s: float) -> VideoFrame:
    pixels = np.asarray(cv2.imdecode(np.frombuffer(each.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    conceal(pixels, veil.over(each.sight, subject))
    frame = VideoFrame.from_ndarray(cut(pixels, (0, 0, pixels.shape[1], pixels.shape[0]), size_px), format="bgr24")
    frame.pts, frame.time_base = round((each.sight.taken_s - began_s) * MS_HZ), Fraction(1, MS_HZ)
    return frame


class ClipStore:
    """Clips on this door's disk: sealed, few, and not for long."""

    def __init__(self, folder: Path, centre: PublicKey, most: int, longest_s: float) -> None:
        """`centre`: for whom they are sealed; this door cannot open them again."""
        self._folder, self._centre, self._most, self._longest_s = folder, centre, most, longest_s

    def keep(self, clip: Clip) -> int:
        """Seal and write it; returns its size in bytes. Raises OSError, ValueError."""
        if not SAFE_NAME.match(clip.head.event):
            raise ValueError(f"event id {clip.head.event[:40]!r} is no file name")
        sealed = MAGIC + SealedBox(self._centre).encrypt(msgspec.msgpack.encode(clip))
        if len(sealed) > MOST_CLIP_BYTES:
            raise ValueError(f"a clip of {len(sealed)} bytes is too large: {MOST_CLIP_BYTES} are allowed")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._folder / f"{clip.head.event}{SUFFIX}", sealed)
        self.prune(clip.head.made.timestamp())
        return len(sealed)

    def sealed(self, event: str) -> bytes | None:
        """The sealed bytes of an event's clip; None where there is none."""
        if not SAFE_NAME.match(event):
            return None
        try:
            return (self._folder / f"{event}{SUFFIX}").read_bytes()
        except OSError:
            return None

    def prune(self, now: float) -> None:
        """Delete what is too old or too many; `now` in seconds since 1970."""
        clips = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)
        old = [path for path in clips if now - path.stat().st_mtime > self._longest_s]
        for path in {*old, *clips[: max(0, len(clips) - self._most)]}:
            path.unlink(missing_ok=True)


__all__ = ["Clip", "ClipHead", "ClipRing", "ClipStore", "FFmpegError", "Kept", "film_of"]
