"""A simulated camera: frames through a shared-memory file, drawn by another process (the demo, a test, a replay).

The driver (`SimCamera`) is what vision opens; the other side (`CameraFarEnd`) is held by whoever draws the pictures. Three
slots and a sequence number for each (a seqlock): the writer never waits for the reader, and a reader that was overtaken while
it copied sees that the number changed and takes the newer picture instead. A far end holds an flock on its file for as long as
it lives, so that its death, even by SIGKILL, is told from a mere pause by the kernel and not by a guess about silence.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.errors import CameraError
from hw.interfaces import Frame, Pixels

MAGIC = int.from_bytes(b"DWCAMv1\0", "little")
SLOTS = 3
PAGE_BYTES = 4096
"""Header and slots start on page borders: the copy out of a slot is then an aligned one."""
MAX_SIDE_PX = 8192
POLL_S = 0.001
ALIVE_CHECK_S = 0.1
"""How long silence lasts before the file system is asked whether the far end still lives."""

# Words of the header, each an unsigned 64-bit integer at its own aligned address, so that a store of one is never torn.
_MAGIC, _WIDTH, _HEIGHT, _CLOSED, _NEWEST = range(5)
_SLOT_WORDS = 8
"""First word of slot 0's record; each slot has two words."""
_SEQUENCE, _TAKEN_NS = range(2)
"""The sequence is twice the frame's number once the picture is whole, and one less (odd) while it is being written."""

_READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Without O_NONBLOCK a named pipe in the place of the file would hold the program up for ever."""

_FENCE = threading.Lock()


def _fence() -> None:
    """Order memory accesses before against those after, also on ARM: releasing and taking a lock is a full barrier there."""
    with _FENCE:
        pass
    with _FENCE:
        pass


def _slot_bytes(width_px: int, height_px: int) -> int:
    return -(-width_px * height_px * 3 // PAGE_BYTES) * PAGE_BYTES


class _Mapping:
    """The file's header and slots as arrays; owns the descriptor and the map."""

    def __init__(self, descriptor: int, width_px: int, height_px: int, *, writable: bool) -> None:
        size = PAGE_BYTES + SLOTS * _slot_bytes(width_px, height_px)
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        self.descriptor = descriptor
        self.inode = os.fstat(descriptor).st_ino
        self._map = mmap.mmap(descriptor, size, access=access)
        self.words: NDArray[np.uint64] = np.frombuffer(self._map, np.uint64, PAGE_BYTES // 8)
        self.slots: list[Pixels] = [self._slot(number, width_px, height_px) for number in range(SLOTS)]

    def _slot(self, number: int, width_px: int, height_px: int) -> Pixels:
        offset = PAGE_BYTES + number * _slot_bytes(width_px, height_px)
        flat = np.frombuffer(self._map, np.uint8, width_px * height_px * 3, offset)
        return flat.reshape(height_px, width_px, 3)

    def record(self, slot: int) -> NDArray[np.uint64]:
        """The words of a slot."""
        start = _SLOT_WORDS + 2 * slot
        return self.words[start : start + 2]

    def close(self) -> None:
        self.slots.clear()
        self.words = np.zeros(0, np.uint64)
        with contextlib.suppress(BufferError):  # a picture still in someone's hands keeps the map until it is dropped
            self._map.close()
        os.close(self.descriptor)


class CameraFarEnd:
    """What stands in front of a simulated camera: writes the pictures that `SimCamera` reads. One for each file.

    Raises CameraError when the file cannot be made or another living far end holds it.
    """

    def __init__(self, path: Path, width_px: int, height_px: int) -> None:
        if not (0 < width_px <= MAX_SIDE_PX and 0 < height_px <= MAX_SIDE_PX):
            raise CameraError(f"{path}: {width_px}x{height_px} px is no picture: each side must be 1 to {MAX_SIDE_PX} px")
        self._path = path
        self._number = 0
        self._mapping: _Mapping | None = None
        if _held_by_another(path):
            raise CameraError(f"{path}: another far end is writing to this camera: end it or choose another file")
        try:
            self._mapping = _make(path, width_px, height_px)
        except OSError as error:
            raise CameraError(f"{path}: the camera's far end cannot be made: {error}") from error

    def write(self, pixels: Pixels, taken_s: float) -> int:
        """Show a picture (height x width x 3, BGR) taken at CLOCK_MONOTONIC `taken_s`; returns its number, counted from 1."""
        mapping = self._mapping
        if mapping is None:
            raise CameraError(f"{self._path}: the far end was closed")
        if pixels.shape != mapping.slots[0].shape or pixels.dtype != np.uint8:
            wanted = "x".join(str(side) for side in mapping.slots[0].shape)
            raise CameraError(f"{self._path}: a picture of {pixels.shape} {pixels.dtype}: this camera takes {wanted} uint8")
        self._number += 1
        slot = self._number % SLOTS
        record = mapping.record(slot)
        record[_SEQUENCE] = 2 * self._number - 1
        _fence()
        np.copyto(mapping.slots[slot], pixels)
        record[_TAKEN_NS] = round(taken_s * 1e9)
        _fence()
        record[_SEQUENCE] = 2 * self._number
        _fence()
        mapping.words[_NEWEST] = self._number
        return self._number

    def close(self) -> None:
        """Unplug the camera: readers are told and the file goes. May be called twice."""
        mapping, self._mapping = self._mapping, None
        if mapping is None:
            return
        mapping.words[_CLOSED] = 1
        if _inode(self._path) == mapping.inode:
            self._path.unlink(missing_ok=True)
        mapping.close()


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _held_by_another(path: Path) -> bool:
    try:
        descriptor = os.open(path, _READ_FLAGS)
    except OSError:
        return False
    try:
        return _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Whether a far end holds its lock on this file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _make(path: Path, width_px: int, height_px: int) -> _Mapping:
    """A new file, put in place by rename only when it is whole and locked: no reader ever sees half a header."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, PAGE_BYTES + SLOTS * _slot_bytes(width_px, height_px))
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mapping = _Mapping(descriptor, width_px, height_px, writable=True)
        mapping.words[_WIDTH], mapping.words[_HEIGHT] = width_px, height_px
        mapping.words[_MAGIC] = MAGIC
        draft.rename(path)
    except OSError:
        draft.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return mapping


class SimCamera:
    """`hw.interfaces.Camera` over the file that a `CameraFarEnd` writes.

    Once the far end has gone, each `read` looks for a new one, so the same object serves again when the camera is back.
    `frames_per_s` only says when the next picture may be expected: until shortly before then the driver sleeps.
    """

    def __init__(self, path: Path, frames_per_s: float, *, clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], None] = time.sleep) -> None:  # fmt: skip
        self._path = path
        self._interval_s = 1.0 / frames_per_s
        self._clock = clock
        self._sleep = sleep
        self._closed = False
        self._seen = 0
        self._due_s = clock()
        self._mapping: _Mapping | None = _open(path)

    @property
    def name(self) -> str:
        return f"sim:{self._path}"

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame not yet given, or None when none came in `timeout_s`; CameraError when closed, gone or foreign."""
        if self._closed:
            raise CameraError(f"{self.name}: was closed and cannot be read")
        if self._mapping is None:
            self._mapping, self._seen = _open(self._path), 0
        started_s = now_s = self._clock()
        check_s = started_s + ALIVE_CHECK_S
        while (frame := self._take(self._mapping)) is None:
            if now_s - started_s >= timeout_s or now_s >= check_s:
                self._check_alive(self._mapping)
                check_s = now_s + ALIVE_CHECK_S
            if now_s - started_s >= timeout_s:
                return None
            self._sleep(self._pause_s(now_s, started_s + timeout_s))
            now_s = self._clock()
        self._due_s = frame.taken_s + 0.9 * self._interval_s
        return frame

    def close(self) -> None:
        self._closed = True
        self._drop()

    def _pause_s(self, now_s: float, until_s: float) -> float:
        """One long sleep to shortly before the next frame, then short ones."""
        long_s = min(self._due_s - now_s, self._interval_s)
        return max(0.0, min(max(long_s, POLL_S), until_s - now_s))

    def _take(self, mapping: _Mapping) -> Frame | None:
        while (newest := int(mapping.words[_NEWEST])) != self._seen:
            frame = _copy(mapping, newest)
            if frame is not None:
                self._seen = newest
                return frame
        return None

    def _check_alive(self, mapping: _Mapping) -> None:
        """Raise CameraError when nobody will ever write to this file again."""
        reason = self._why_gone(mapping)
        if reason:
            self._drop()
            raise CameraError(f"{self.name}: {reason}: start the program that draws its pictures again")

    def _why_gone(self, mapping: _Mapping) -> str:
        if int(mapping.words[_CLOSED]):
            return "the far end has closed the camera"
        if _inode(self._path) != mapping.inode:
            return "the camera's file was removed or replaced"
        return "" if _locked(mapping.descriptor) else "the far end has died"

    def _drop(self) -> None:
        mapping, self._mapping = self._mapping, None
        if mapping is not None:
            mapping.close()


def _copy(mapping: _Mapping, number: int) -> Frame | None:
    """The picture of this number, copied whole, or None when the writer has come round to its slot meanwhile."""
    slot = number % SLOTS
    record = mapping.record(slot)
    if int(record[_SEQUENCE]) != 2 * number:
        return None
    _fence()
    taken_s = int(record[_TAKEN_NS]) / 1e9
    pixels = mapping.slots[slot].copy()
    _fence()
    return Frame(pixels, taken_s) if int(record[_SEQUENCE]) == 2 * number else None


def _open(path: Path) -> _Mapping:
    try:
        descriptor = os.open(path, _READ_FLAGS)
    except FileNotFoundError as error:
        raise CameraError(f"{path}: no simulated camera there: start its far end (CameraFarEnd) first") from error
    except OSError as error:
        raise CameraError(f"{path}: the simulated camera cannot be opened: {error}") from error
    try:
        width_px, height_px = _read_header(path, descriptor)
        _demand_life(path, descriptor)
        return _Mapping(descriptor, width_px, height_px, writable=False)
    except BaseException:
        os.close(descriptor)
        raise


def _demand_life(path: Path, descriptor: int) -> None:
    if not _locked(descriptor):
        raise CameraError(f"{path}: its far end is gone: start the program that draws its pictures again")


def _read_header(path: Path, descriptor: int) -> tuple[int, int]:
    """Width and height; CameraError when this is not a file of ours, or shorter than it claims (mapping that would be fatal)."""
    try:
        head = os.pread(descriptor, 8 * _SLOT_WORDS, 0)
        size = os.fstat(descriptor).st_size
    except OSError as error:
        raise CameraError(f"{path}: the simulated camera cannot be read: {error}") from error
    words = np.frombuffer(head.ljust(8 * _SLOT_WORDS, b"\0"), np.uint64)
    width_px, height_px = int(words[_WIDTH]), int(words[_HEIGHT])
    if int(words[_MAGIC]) != MAGIC:
        raise CameraError(f"{path}: not a simulated camera (its first bytes are {head[:8]!r}): name the far end's file")
    if not (0 < width_px <= MAX_SIDE_PX and 0 < height_px <= MAX_SIDE_PX):
        raise CameraError(f"{path}: damaged: claims pictures of {width_px}x{height_px} px, at most {MAX_SIDE_PX} are allowed")
    if size < PAGE_BYTES + SLOTS * _slot_bytes(width_px, height_px):
        raise CameraError(f"{path}: damaged: {size} bytes are too few for {SLOTS} pictures of {width_px}x{height_px} px")
    return width_px, height_px
