"""The door's microphone and loudspeaker, by their names in door.toml. What they must do stands in hw/sound.py."""

from __future__ import annotations

from pathlib import Path

from agent.errors import HardwareError
from hw.sound import Microphone, Speaker


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
