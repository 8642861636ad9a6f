"""What a door and its centre say to each other when certificates are renewed. docs/PROTOCOL.md, 'Certificates'.

The ask is signed with the key that is certified now, and carries its certificate: neither a broker nor a centre that somebody has taken over
can ask in a door's name.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from agent.errors import WireError

ASK, ANSWER = "renew/ask", "renew/answer"
MAGIC = b"doorward renew 1\n"
MOST_BYTES = 32 << 10

T = TypeVar("T")
_Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
_Pem = Annotated[str, Meta(max_length=4096)]


class Wish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed."""

    site: str
    door: str
    id: _Id
    link: _Pem
    """A certificate request, PEM."""
    media: _Pem = ""
    """Another, of the media program; empty where the door has none."""


class Ask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On the wire: `wish` is a Wish in JSON, `signature` ECDSA with SHA-256 over MAGIC and that, by the key of `certificate`."""

    wish: bytes
    certificate: _Pem
    signature: Annotated[bytes, Meta(max_length=128)]


class Answer(Struct, frozen=True, kw_only=True):
    """Certificates for the keys that were asked for, or why not."""

    id: _Id
    link: _Pem = ""
    media: _Pem = ""
    refused: Annotated[str, Meta(max_length=500)] = ""


# Made here and not at the first use: two threads that decode a type for the first time at the same moment kill the program (msgspec 0.22)
_ASK, _WISH, _ANSWER = msgspec.json.Decoder(Ask), msgspec.json.Decoder(Wish), msgspec.json.Decoder(Answer)


def ask_of(raw: bytes) -> tuple[Ask, Wish]:
    """Read, and not yet believed. Raises WireError, whatever the bytes."""
    ask = _read(_ASK, raw)
    return ask, _read(_WISH, ask.wish)


def answer_of(raw: bytes) -> Answer:
    """Raises WireError, whatever the bytes."""
    return _read(_ANSWER, raw)


def _read(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    if len(raw) > MOST_BYTES:
        raise WireError(f"{len(raw)} bytes; at most {MOST_BYTES}")
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"not a word about certificates: {error}") from error
