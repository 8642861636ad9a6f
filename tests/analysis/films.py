"""Films made for tests: OpenCV writes them; what it cannot write is put into the MP4's boxes afterwards (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
import wave
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from hw.interfaces import Pixels

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}


def numbered(count: int, size: tuple[int, int] = (96, 64)) -> list[Pixels]:
    """Plain frames whose brightness tells their number: 8 levels a frame."""
    return [np.full((size[1], size[0], 3), 20 + 8 * number, np.uint8) for number in range(count)]


def number_of(pixels: Pixels) -> int:
    """Which of the `numbered` frames this is."""
    return round((float(np.mean(pixels)) - 20) / 8)


def write_film(path: Path, frames: Iterable[Pixels], rate: float = 10.0, codec: str = "mp4v") -> Path:
    writer: cv2.VideoWriter | None = None
    for pixels in frames:
        if writer is None:
            size = (pixels.shape[1], pixels.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), rate, size)
            assert writer.isOpened()
        writer.write(pixels)
    assert writer is not None
    writer.release()
    return path


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Name and body of each box in a row."""
    found, at = [], 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        found.append((name, data[at + 8 : at + size]))
        at += size
    return found


def rebuilt(data: bytes, change: Callable[[bytes, bytes], bytes]) -> bytes:
    """The boxes with each one's body as `change(name, body)` gives it, the containers' sizes put right."""
    parts = []
    for name, body in boxes(data):
        new = rebuilt(body, change) if name in _CONTAINERS else change(name, body)
        parts.append(struct.pack(">I4s", len(new) + 8, name) + new)
    return b"".join(parts)


def change_mp4(path: Path, change: Callable[[bytes, bytes], bytes]) -> Path:
    """OpenCV writes the index last, so a change of its size moves no picture."""
    path.write_bytes(rebuilt(path.read_bytes(), change))
    return path


def with_times(path: Path, ticks: list[tuple[int, int]]) -> Path:
    """Gives frames lasting times of their own: rows of how many frames last so many ticks of the track's clock."""
    rows = b"".join(struct.pack(">II", count, delta) for count, delta in ticks)
    return change_mp4(path, lambda name, body: body[:4] + struct.pack(">I", len(ticks)) + rows if name == b"stts" else body)


def turned_clockwise(path: Path) -> Path:
    """Says that the picture is to be shown turned by 90 degrees, as telephones do."""
    matrix = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    return change_mp4(path, lambda name, body: body[:40] + matrix + body[76:] if name == b"tkhd" else body)


def sound_alone(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * 8000)
    return path
