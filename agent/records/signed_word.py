"""A word that the centre signs for one door, as JSON on the wire with `word` and `signature` in base64.

The signature is Ed25519 of a magic line and the word's bytes; the line says what kind of word it is, so that one kind is never taken for
another.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from agent.errors import BundleError

T = TypeVar("T")


class Signed(Struct, frozen=True, forbid_unknown_fields=True):
    """On the wire."""

    word: bytes
    signature: bytes


# Made here and not at the first use: two threads that decode a type for the first time at the same moment kill the program (msgspec 0.22)
_SIGNED = msgspec.json.Decoder(Signed)


def signed_word(word: Struct, magic: bytes, centre: SigningKey) -> bytes:
    raw = msgspec.json.encode(word)
    return msgspec.json.encode(Signed(raw, centre.sign(magic + raw).signature))


def checked_word(payload: bytes, magic: bytes, kind: msgspec.json.Decoder[T], centre: VerifyKey, most_bytes: int, what: str) -> T:
    """`what` it is called in the error. Raises BundleError for what is not the centre's to the last byte, or malformed."""
    if len(payload) > most_bytes:
        raise BundleError(f"{what} of {len(payload)} bytes; at most {most_bytes}")
    try:
        signed = _SIGNED.decode(payload)
        centre.verify(magic + signed.word, signed.signature)
        return kind.decode(signed.word)
    except (msgspec.MsgspecError, CryptoError, ValueError, TypeError, RecursionError) as error:
        raise BundleError(f"{what} is damaged, or not signed by this site's centre: {error}") from error


def demand_place(of: tuple[str, str], here: tuple[str, str], what: str) -> None:
    """Raises BundleError for a word to another door."""
    if of != here:
        raise BundleError(f"{what} was made for {'/'.join(of)}, this is {'/'.join(here)}")


def word_in(payload: bytes, kind: msgspec.json.Decoder[T], what: str) -> T:
    """What a word says, whoever signed it: for people who look. Raises BundleError."""
    try:
        return kind.decode(_SIGNED.decode(payload).word)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BundleError(f"is no {what}: {error}") from error
