"""The Unix datagram sockets between the door and the media program, in a folder of their own: media sees no other of this controller."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from agent.core.live import Alerted, LiveNews
from agent.errors import WireError

LIVE_FOLDER = "live"
"""Below the run folder."""
MEDIA_SOCKET = "media.sock"
"""Media binds it,"""
NEWS_SOCKET = "door.sock"
"""and the door program this one."""

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_news: msgspec.msgpack.Decoder[LiveNews] = msgspec.msgpack.Decoder(LiveNews)
_alerted: msgspec.msgpack.Decoder[Alerted] = msgspec.msgpack.Decoder(Alerted)


def live_folder(run_folder: Path) -> Path:
    """Where both sockets lie; made where it is missing. Raises OSError."""
    folder = run_folder / LIVE_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def encode(message: LiveNews | Alerted) -> bytes:
    """A message as one datagram."""
    return _encoder.encode(message)


def decode_news(raw: bytes) -> LiveNews:
    """What media said; raises WireError for anything that is not exactly that."""
    return _decoded(_news, raw)


def decode_alerted(raw: bytes) -> Alerted:
    """What the door said; raises WireError."""
    return _decoded(_alerted, raw)


def _decoded(decoder: msgspec.msgpack.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"live socket: {len(raw)} bytes that are no message: {error}") from error
