"""What travels between a door that has no keys yet and its centre. Four messages in the clear, and in two of them something sealed.

    door                                        centre
    Hello  label, share             ->
                                    <-          Met      session, share
    Proof  session, confirms, sealed Request ->
                                    <-          Granted  confirms, sealed Grant or Refusal

Bytes are Base64 in JSON. Whatever is wrong with label, code or session, the centre refuses with the same words.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from agent.errors import DoorwardError, WireError
from agent.pairing.code import ALPHABET, LABEL
from agent.pairing.spake2 import CONFIRM_BYTES, SHARE_BYTES

HELLO, PROOF = "/api/pair/hello", "/api/pair/proof"
MOST_BYTES = 16 * 1024
"""Of each message; the largest has two certificates in it."""
MOST_SEALED = 11 * 1024
FILES = ("link.toml", "link/ca.crt", "link/door.crt", "link/media.crt", "centre.pub")
"""What the centre sends; with the keys that the door made itself they are what `doorward central enrol-door` puts into its archive."""
SUBJECT = "doorward-door"
"""The only name that may stand in a request: which door it is, the centre knows from the code."""

T = TypeVar("T")
Share = Annotated[bytes, Meta(min_length=SHARE_BYTES, max_length=SHARE_BYTES)]
Confirmation = Annotated[bytes, Meta(min_length=CONFIRM_BYTES, max_length=CONFIRM_BYTES)]
Label = Annotated[str, Meta(pattern=f"^[{ALPHABET}]{{{LABEL}}}\\Z")]
SessionId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Sealed = Annotated[bytes, Meta(min_length=SecretBox.NONCE_SIZE + SecretBox.MACBYTES, max_length=MOST_SEALED)]
Pem = Annotated[str, Meta(max_length=2048)]


class PairingError(DoorwardError, RuntimeError):
    """A door and a centre did not come together; the sentence says why, and what helps."""


class Hello(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal[1] = 1
    label: Label
    share: Share


class Met(Struct, frozen=True, kw_only=True):
    session: SessionId
    share: Share


class Proof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionId
    confirms: Confirmation
    sealed: Sealed
    """A Request."""


class Granted(Struct, frozen=True, kw_only=True):
    confirms: Confirmation
    sealed: Sealed
    """A Grant, or a Refusal."""


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the door asks for. Its private keys stay where they were made."""

    link: Pem
    media: Pem
    """Certificate requests (PKCS #10, PEM) for the door's programs `door` and `media`: EC P-256, subject SUBJECT, no extensions."""
    public_key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    """X25519: people's records are sealed for it."""
    expects: Annotated[str, Meta(max_length=81)] = ""
    """SITE/DOOR, where the controller was told before which one it is; the centre refuses a code of another."""


class Grant(Struct, frozen=True, kw_only=True, tag="grant"):
    """The door belongs to its site now."""

    site: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}\Z")]
    door: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}\Z")]
    name: Annotated[str, Meta(max_length=100)]
    at: datetime
    """The centre's clock: for a door that has none. A hint, no more."""
    valid_until: datetime
    """When the certificates end."""
    replaces: bool
    """There was a controller for this door before."""
    files: dict[Annotated[str, Meta(max_length=40)], Annotated[str, Meta(max_length=4096)]]
    """FILES and their contents."""


class Refusal(Struct, frozen=True, kw_only=True, tag="refusal"):
    """The code was right, and yet it did not come to anything; the code still counts."""

    sentence: Annotated[str, Meta(max_length=500)]


def read(raw: bytes, kind: type[T], what: str) -> T:
    """Raises WireError."""
    if len(raw) > MOST_BYTES:
        raise WireError(f"{what}: {len(raw)} bytes; at most {MOST_BYTES} are allowed")
    try:
        return msgspec.json.decode(raw, type=kind, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"{what}: {error}") from error


def bound_by(label: str, session: str) -> bytes:
    """What both sides must have seen alike besides their shares: this version, the code's name, the session."""
    return f"doorward-pair-1 {label} {session}".encode("ascii")


def seal(key: bytes, told: Struct) -> bytes:
    return bytes(SecretBox(key).encrypt(msgspec.json.encode(told)))


def unseal(key: bytes, sealed: bytes, kind: type[T], what: str) -> T:
    """Raises WireError."""
    try:
        return read(SecretBox(key).decrypt(sealed), kind, what)
    except (CryptoError, ValueError) as error:
        raise WireError(f"{what}: is not sealed with the key that was agreed on") from error
