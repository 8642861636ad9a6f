"""Sound at the door: 48,000 samples a second, mono, 16 bits signed, in the machine's byte order, in pieces of 20 ms; and what a microphone
and a loudspeaker must do. hw/audio.py opens them."""

from __future__ import annotations

from typing import Protocol

RATE_HZ = 48_000
PIECE_SAMPLES = RATE_HZ // 50
PIECE_BYTES = 2 * PIECE_SAMPLES
SILENCE = bytes(PIECE_BYTES)


class Microphone(Protocol):
    """Open only while somebody talks with the person at the door."""

    def read(self) -> bytes:
        """The next 20 ms; waits for them. Raises HardwareError when the device is gone."""
        ...

    def close(self) -> None: ...


class Speaker(Protocol):
    """What people at the door hear."""

    def write(self, piece: bytes) -> None:
        """Play 20 ms; may wait for as long. Raises HardwareError when the device is gone."""
        ...

    def close(self) -> None: ...
