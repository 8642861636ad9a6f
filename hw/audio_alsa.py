"""ALSA devices through FFmpeg's, as PyAV brings them: one library for picture and sound.

The wheels of PyAV bring an ALSA library of their own, which looks for its configuration where it was built (/tmp/vendor). It is told where
the system's own lies before it is first used, or no device has a name and anybody who can write to /tmp could name them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream
from av.error import FFmpegError

from agent.errors import HardwareError
from hw.sound import PIECE_BYTES, RATE_HZ

SYSTEM_CONFIG = "/usr/share/alsa/alsa.conf"


class AlsaMicrophone:
    """A capture device, e.g. `plughw:CARD=Device`: `plug…` converts rates and channels that the device lacks."""

    def __init__(self, device: str) -> None:
        """Raises HardwareError when the device cannot be opened."""
        os.environ["ALSA_CONFIG_PATH"] = SYSTEM_CONFIG
        self._name = f"microphone alsa:{device}"
        try:
            self._container = av.open(device, format="alsa", options={"sample_rate": str(RATE_HZ), "channels": "1"})
        except (FFmpegError, OSError) as error:
            raise HardwareError(f"{self._name}: cannot be opened: {error}") from error
        self._pieces = self._cut()

    def read(self) -> bytes:
        try:
            return next(self._pieces)
        except (FFmpegError, OSError, StopIteration) as error:
            raise HardwareError(f"{self._name}: gives no sound any more: {error}") from error

    def _cut(self) -> Iterator[bytes]:
        rest = b""
        for packet in self._container.demux(audio=0):
            rest += bytes(packet)
            while len(rest) >= PIECE_BYTES:
                yield rest[:PIECE_BYTES]
                rest = rest[PIECE_BYTES:]

    def close(self) -> None:
        self._container.close()


class AlsaSpeaker:
    """A playback device."""

    def __init__(self, device: str) -> None:
        """Raises HardwareError when the device cannot be opened."""
        os.environ["ALSA_CONFIG_PATH"] = SYSTEM_CONFIG
        self._name = f"speaker alsa:{device}"
        try:
            self._container = av.open(device, "w", format="alsa")
            self._stream: AudioStream = self._container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
            self._container.start_encoding()
        except (FFmpegError, OSError) as error:
            raise HardwareError(f"{self._name}: cannot be opened: {error}") from error
        self._played = 0

    def write(self, piece: bytes) -> None:
        samples = np.frombuffer(piece, np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._played, Fraction(1, RATE_HZ)
        self._played += samples.shape[1]
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (FFmpegError, OSError) as error:
            raise HardwareError(f"{self._name}: takes no sound any more: {error}") from error

    def close(self) -> None:
        self._container.close()
