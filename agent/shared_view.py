"""The newest frame of the camera, in memory that vision writes and media reads: one copy for each side, and nobody waits for anybody.

Two folders below the run folder, so that the program which speaks with browsers can be shut out of everything else
(systemd/doorward-media.service): `view/` is vision's, `live/` is media's. Vision writes only while `live/wanted` says that somebody wants
it, and removes the file again when nobody has wanted it for a while: then no picture lies anywhere. It never maps a file that media
may cut short.

The frame file: a page with magic, width, height and the newest frame's number, then slots. Each slot is a seqlock: its sequence is odd while
it is written and twice the frame's number once it is whole.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.core.conduct import Conduct
from agent.core.live import BodyBox, FaceBox, Sight
from agent.core.messages import Observation
from agent.live_wire import LIVE_FOLDER as LIVE
from hw.interfaces import Pixels

VIEW = "view"
FRAMES, WANTED = "frames", "wanted"
MAGIC = int.from_bytes(b"DWVIEW1\0", "little")
SLOTS = 3
PAGE_BYTES = 4096
SIGHT_BYTES = 16 * PAGE_BYTES
"""Room for what was seen in a frame; what does not fit is told without the conduct."""
MAX_SIDE_PX = 8192
LONGEST_WISH_S = 10.0
"""A wish for frames that claims to last longer is not believed: it is renewed every second."""
FORGET_S = 5.0
"""After so long without a wish the frames are removed from memory."""
MAX_CONDUCT_AGE_S = 1.0

_MAGIC, _WIDTH, _HEIGHT, _NEWEST = range(4)
_SEQUENCE, _TAKEN_NS, _SIGHT_LENGTH = range(3)
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
_FENCE = threading.Lock()

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sight).decode


def _fence() -> None:
    """Order memory accesses before against those after, also on ARM: releasing and taking a lock is a full barrier there."""
    with _FENCE:
        pass
    with _FENCE:
        pass


def _pixel_bytes(width_px: int, height_px: int) -> int:
    return -(-width_px * height_px * 3 // PAGE_BYTES) * PAGE_BYTES


class _Slot(NamedTuple):
    words: NDArray[np.uint64]
    sight: NDArray[np.uint8]
    pixels: Pixels


class _Mapping:
    """The header and the slots as arrays over the mapped file."""

    def __init__(self, descriptor: int, width_px: int, height_px: int, *, writable: bool) -> None:
        size = PAGE_BYTES + SLOTS * self._slot_bytes(width_px, height_px)
        self.width_px, self.height_px = width_px, height_px
        self._map = mmap.mmap(descriptor, size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
        self.words: NDArray[np.uint64] = np.frombuffer(self._map, np.uint64, PAGE_BYTES // 8)
        self.slots = [self._slot(number) for number in range(SLOTS)]

    @staticmethod
    def _slot_bytes(width_px: int, height_px: int) -> int:
        return PAGE_BYTES + SIGHT_BYTES + _pixel_bytes(width_px, height_px)

    def _slot(self, number: int) -> _Slot:
        start = PAGE_BYTES + number * self._slot_bytes(self.width_px, self.height_px)
        words = np.frombuffer(self._map, np.uint64, PAGE_BYTES // 8, start)
        sight = np.frombuffer(self._map, np.uint8, SIGHT_BYTES, start + PAGE_BYTES)
        count = self.width_px * self.height_px * 3
        pixels = np.frombuffer(self._map, np.uint8, count, start + PAGE_BYTES + SIGHT_BYTES)
        return _Slot(words, sight, pixels.reshape(self.height_px, self.width_px, 3))

    def close(self) -> None:
        self.slots.clear()
        self.words = np.zeros(0, np.uint64)
        with contextlib.suppress(BufferError):  # a picture still in someone's hands keeps the map until it is dropped
            self._map.close()


def sight_of(taken_s: float, frame_px: tuple[int, int], observation: Observation | None, conduct: Conduct | None) -> Sight:
    """Boxes and conduct, without embeddings: what could name a person stays in vision."""
    if observation is None:
        return Sight(taken_s=taken_s, frame_px=frame_px, faces=None)
    return Sight(
        taken_s=taken_s, frame_px=frame_px, faces=tuple(FaceBox(face.track, face.box_px) for face in observation.faces),
        bodies=tuple(BodyBox(body.track, body.box_px, body.face) for body in observation.persons), conduct=conduct,
    )  # fmt: skip


class ViewWriter:
    """Vision's side. `show` never waits and never raises."""

    def __init__(self, run_folder: Path) -> None:
        self._frames, self._wish = run_folder / VIEW / FRAMES, run_folder / LIVE / WANTED
        self._mapping: _Mapping | None = None
        self._number = 0
        self._wanted_s = float("-inf")
        self._conduct: Conduct | None = None
        self.fault = ""

    def show(
        self, pixels: Pixels, taken_s: float, observation: Observation | None, conduct: Conduct | None, now_s: float
    ) -> None:
        """Frame (height x width x 3, BGR) with what was seen in it; None where it could not be looked at."""
        self._conduct = conduct or self._conduct
        try:
            if self._is_wanted(now_s):
                self._write(pixels, sight_of(taken_s, (pixels.shape[1], pixels.shape[0]), observation, self._fresh(now_s)))
            elif self._mapping is not None and now_s - self._wanted_s > FORGET_S:
                self.close()
            self.fault = ""
        except (OSError, ValueError) as error:
            self.fault = f"live view: {error}"

    def close(self) -> None:
        """Remove the frames."""
        mapping, self._mapping = self._mapping, None
        if mapping is not None:
            self._frames.unlink(missing_ok=True)
            mapping.close()

    def _fresh(self, now_s: float) -> Conduct | None:
        known = self._conduct
        return known if known is not None and 0 <= now_s - known.at_s <= MAX_CONDUCT_AGE_S else None

    def _is_wanted(self, now_s: float) -> bool:
        until_s = _wish_in(self._wish)
        if not now_s < until_s <= now_s + LONGEST_WISH_S:
            return False
        self._wanted_s = now_s
        return True

    def _write(self, pixels: Pixels, sight: Sight) -> None:
        height, width = pixels.shape[:2]
        mapping = self._mapping
        if mapping is None or (mapping.width_px, mapping.height_px) != (width, height):
            mapping = self._make(width, height)
        self._number += 1
        slot, raw = mapping.slots[self._number % SLOTS], _fitting(sight)
        slot.words[_SEQUENCE] = 2 * self._number - 1
        _fence()
        np.copyto(slot.pixels, pixels)
        slot.sight[: len(raw)] = np.frombuffer(raw, np.uint8)
        slot.words[_SIGHT_LENGTH] = len(raw)
        slot.words[_TAKEN_NS] = round(sight.taken_s * 1e9)
        _fence()
        slot.words[_SEQUENCE] = 2 * self._number
        _fence()
        mapping.words[_NEWEST] = self._number

    def _make(self, width_px: int, height_px: int) -> _Mapping:
        """A new file, put in place by rename when its header is whole. Raises OSError."""
        self.close()
        self._frames.parent.mkdir(mode=0o700, exist_ok=True)
        draft = self._frames.with_name(f".{FRAMES}.{os.getpid()}")
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, PAGE_BYTES + SLOTS * _Mapping._slot_bytes(width_px, height_px))
            mapping = _Mapping(descriptor, width_px, height_px, writable=True)
            mapping.words[_WIDTH], mapping.words[_HEIGHT], mapping.words[_MAGIC] = width_px, height_px, MAGIC
            draft.rename(self._frames)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)  # the map keeps the file
        self._mapping = mapping
        return mapping


def _wish_in(path: Path) -> float:
    """Until when frames are wanted; whatever else lies there wants none."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return float("-inf")
    try:
        raw = os.read(descriptor, 32)
    except OSError:
        return float("-inf")
    finally:
        os.close(descriptor)
    return int(raw) / 1e9 if raw.isdigit() else float("-inf")


def _fitting(sight: Sight) -> bytes:
    raw = _encode(sight)
    if len(raw) > SIGHT_BYTES:
        raw = _encode(msgspec.structs.replace(sight, conduct=None))
    if len(raw) > SIGHT_BYTES:
        raw = _encode(Sight(taken_s=sight.taken_s, frame_px=sight.frame_px, faces=None))
    return raw


class Glance(NamedTuple):
    """A frame and what was seen in it; the pixels are the reader's own."""

    pixels: Pixels
    sight: Sight


class ViewReader:
    """Media's side: `want` again and again, and `read`."""

    def __init__(self, run_folder: Path) -> None:
        self._frames, self._wish = run_folder / VIEW / FRAMES, run_folder / LIVE / WANTED
        self._mapping: _Mapping | None = None
        self._inode = 0
        self._seen = 0

    def want(self, until_s: float) -> None:
        """Ask vision for frames until a time of CLOCK_MONOTONIC, at most LONGEST_WISH_S ahead. Raises OSError."""
        self._wish.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = self._wish.with_name(f".{WANTED}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(str(round(until_s * 1e9)))
        fresh.replace(self._wish)

    def no_more(self) -> None:
        self._wish.unlink(missing_ok=True)
        self._drop()

    def read(self) -> Glance | None:
        """The newest frame not yet given; None where there is none, or where it was overwritten while it was copied."""
        mapping = self._current()
        number = int(mapping.words[_NEWEST]) if mapping is not None else 0
        if mapping is None or number in (0, self._seen):
            return None
        glance = _copied(mapping.slots[number % SLOTS], number)
        if glance is not None:
            self._seen = number
        return glance

    def _current(self) -> _Mapping | None:
        """The map of the file that is there now: vision may have been started anew, or have another camera."""
        try:
            found = self._frames.stat()
        except OSError:
            self._drop()
            return None
        if self._mapping is None or found.st_ino != self._inode:
            self._drop()
            self._mapping, self._inode = self._open(), found.st_ino
        return self._mapping

    def _open(self) -> _Mapping | None:
        try:
            descriptor = os.open(self._frames, _FLAGS)
        except OSError:
            return None
        try:
            magic, width, height = np.frombuffer(os.pread(descriptor, 24, 0), np.uint64).tolist()
            fits = magic == MAGIC and 0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX
            return _Mapping(descriptor, width, height, writable=False) if fits else None
        except (OSError, ValueError):
            return None
        finally:
            os.close(descriptor)

    def _drop(self) -> None:
        if self._mapping is not None:
            self._mapping.close()
        self._mapping, self._seen = None, 0

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.no_more()


def _copied(slot: _Slot, number: int) -> Glance | None:
    if int(slot.words[_SEQUENCE]) != 2 * number:
        return None
    _fence()
    pixels, raw = slot.pixels.copy(), slot.sight[: int(slot.words[_SIGHT_LENGTH])].tobytes()
    _fence()
    if int(slot.words[_SEQUENCE]) != 2 * number:
        return None
    try:
        return Glance(pixels, _decode(raw))
    except (msgspec.MsgspecError, ValueError):
        return None
