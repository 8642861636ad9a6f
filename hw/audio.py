"""The door's microphone and loudspeaker: which there are, and what a driver must do. Sound is 48,000 samples a second, mono, 16 bits signed,
in the machine's byte order, in pieces of 20 ms."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from agent.errors import HardwareError

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


def open_microphone(name: str) -> Microphone:
    """`alsa:DEVICE`, or `sim:PATH` (a raw file, over and over). Raises HardwareError."""
    kind, _, rest = name.partition(":")
    if kind == "alsa":
        from hw.audio_alsa import AlsaMicrophone

        return AlsaMicrophone(rest)
    if kind == "sim":
        from hw.audio_sim import SimMicrophone

        return SimMicrophone(Path(rest))
    raise HardwareError(f"microphone {name!r}: alsa:DEVICE is allowed")


def open_speaker(name: str) -> Speaker:
    """`alsa:DEVICE`, or `sim:PATH` (a raw file that grows). Raises HardwareError."""
    kind, _, rest = name.partition(":")
    if kind == "alsa":
        from hw.audio_alsa import AlsaSpeaker

        return AlsaSpeaker(rest)
    if kind == "sim":
        from hw.audio_sim import SimSpeaker

        return SimSpeaker(Path(rest))
    raise HardwareError(f"speaker {name!r}: alsa:DEVICE is allowed")
