"""A simulated microphone and loudspeaker: raw files, at the pace of real ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from agent.errors import HardwareError
from hw.sound import PIECE_BYTES, PIECE_SAMPLES, RATE_HZ

_PIECE_S = PIECE_SAMPLES / RATE_HZ


class _Pace:
    """Waits until the next 20 ms are over; after a long pause it begins anew."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock, self._sleep = clock, sleep
        self._due_s = clock()

    def wait(self) -> None:
        self._due_s = max(self._due_s + _PIECE_S, self._clock() - 1.0)
        self._sleep(max(0.0, self._due_s - self._clock()))


class SimMicrophone:
    """Gives a raw file over and over."""

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Raises HardwareError when the file cannot be read, or holds less than 20 ms."""
        try:
            self._sound = path.read_bytes()
        except OSError as error:
            raise HardwareError(f"microphone sim:{path}: cannot be read: {error}") from error
        if len(self._sound) < PIECE_BYTES:
            raise HardwareError(f"microphone sim:{path}: holds {len(self._sound)} bytes; 20 ms are {PIECE_BYTES}")
        self._pace, self._at = _Pace(clock, sleep), 0

    def read(self) -> bytes:
        self._pace.wait()
        if self._at + PIECE_BYTES > len(self._sound):
            self._at = 0
        piece = self._sound[self._at : self._at + PIECE_BYTES]
        self._at += PIECE_BYTES
        return piece

    def close(self) -> None:
        """Nothing is held."""


class SimSpeaker:
    """Appends to a raw file."""

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Raises HardwareError when the file cannot be written."""
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise HardwareError(f"speaker sim:{path}: cannot be written: {error}") from error
        self._pace = _Pace(clock, sleep)

    def write(self, piece: bytes) -> None:
        self._pace.wait()
        self._file.write(piece)

    def close(self) -> None:
        self._file.close()
