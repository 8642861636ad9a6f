"""Why a file cannot be read as a film, in words that say what to do. Looks at the first boxes of MP4 and MOV (ISO/IEC 14496-12)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LARGEST_INDEX = 64 * 1024 * 1024
_SOUND_STARTS = {b"ID3": "MP3", b"fLaC": "FLAC", b"OggS": "Ogg", b"\xff\xfb": "MP3"}
UNKNOWN = "it is damaged, has no pictures in it, or is of a kind that FFMPEG does not know"


def why_unreadable(path: Path) -> str:
    """A sentence about a file that exists and that FFMPEG made nothing of."""
    with path.open("rb") as file:
        start = file.read(12)
        if not start:
            return "it is empty (0 bytes)"
        if start[4:8] == b"ftyp":
            return _why_mp4(file)
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        return "it is sound alone (WAV)"
    sound = next((name for sign, name in _SOUND_STARTS.items() if start.startswith(sign)), None)
    return f"it is sound alone ({sound}), or damaged" if sound else UNKNOWN


def _why_mp4(file: BinaryIO) -> str:
    index = next((body for name, body in _boxes(file) if name == b"moov"), None)
    if index is None:
        return "it has no index (moov box): the copy or the recording was cut off before its end"
    if b"vide" not in index:
        return "it is sound alone (no picture track)" if b"soun" in index else "it has no track with pictures"
    return "its pictures are missing or damaged"


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each top-level box, content of the index only."""
    at = 0
    while len(head := _read_at(file, at, 16)) >= 8:
        size, name = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1 and len(head) == 16:
            size = int.from_bytes(head[8:16], "big")
        yield name, _read_at(file, at, min(size or LARGEST_INDEX, LARGEST_INDEX)) if name == b"moov" else b""
        if size < 8:
            return  # 0: to the end of the file; less: damaged
        at += size


def _read_at(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)
