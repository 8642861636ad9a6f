"""SPAKE2 (RFC 9382), suite edwards25519-SHA256-HKDF-HMAC: from a short code on both sides to a strong key, and nothing for whoever listens.

Whoever stands between door and centre learns from a run only whether one guess was right; to try the next one they need another run. The
curve is libsodium's, in constant time, which PyNaCl brings to every door anyway; the pure Python package `spake2` computes in variable time,
with points of its own. A hash that is slow on purpose, as the RFC wants for passwords that last, would add nothing: a code counts once, for
minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Literal

from msgspec import Struct
from nacl import bindings
from nacl.exceptions import CryptoError

from agent.errors import WireError

Side = Literal["door", "centre"]

DOOR, CENTRE = b"doorward/door", b"doorward/centre"
"""The identities A and B."""
POINT_OF = {
    "door": bytes.fromhex("d048032c6ea0b6d697ddc2e86bda85a33adac920f1bf18e1b0c6d166a5cecdaf"),
    "centre": bytes.fromhex("d3bfb518f44f3430f29d0c92af503865a1ed3281dc69b35dd868ba85f886c4ab"),
}
"""M and N of RFC 9382, section 6: nobody knows their logarithms, for they were found by hashing (its appendix A)."""
COFACTOR = (8).to_bytes(32, "little")
SHARE_BYTES = CONFIRM_BYTES = 32
_CODE = b"doorward-pair-1 code\0"
_SEALED_BY = {"door": b"doorward-pair-1 sealed by the door", "centre": b"doorward-pair-1 sealed by the centre"}


class Begun(Struct, frozen=True):
    """One side of a run. Everything but `share` is secret."""

    side: Side
    w: bytes
    secret: bytes
    share: bytes
    """32 bytes, for the other side."""


class Agreed(Struct, frozen=True):
    """What both sides have when they began with the same code, and neither when they did not. Each is good for one run."""

    door_confirms: bytes
    centre_confirms: bytes
    """32 bytes each: what the door, and the centre, prove with that they had the right code and saw the same run."""
    door_seals: bytes
    centre_seals: bytes
    """Keys of 32 bytes for what each says to the other."""


def begin(side: Side, code: str) -> Begun:
    """`code`: all of its characters, in capitals and without spaces."""
    w = bindings.crypto_core_ed25519_scalar_reduce(hashlib.sha512(_CODE + code.encode("ascii")).digest())
    return begin_with(side, w, bindings.crypto_core_ed25519_scalar_reduce(secrets.token_bytes(64)))


def begin_with(side: Side, w: bytes, secret: bytes) -> Begun:
    """Both scalars as 32 bytes, little end first."""
    masked = bindings.crypto_scalarmult_ed25519_noclamp(w, POINT_OF[side])
    share = bindings.crypto_core_ed25519_add(bindings.crypto_scalarmult_ed25519_base_noclamp(secret), masked)
    return Begun(side, w, secret, share)


def finish(begun: Begun, other: bytes, bound: bytes) -> Agreed:
    """`other`: the other side's share. `bound`: what both sides must have seen alike besides. Raises WireError for what is no point of the
    group, with which a key could be forced."""
    door, centre = (begun.share, other) if begun.side == "door" else (other, begun.share)
    return schedule(transcript(DOOR, CENTRE, door, centre, _shared(begun, other), begun.w[::-1]), bound)


def _shared(begun: Begun, other: bytes) -> bytes:
    """h * x * (the other's share - w * its point)."""
    theirs = POINT_OF["centre" if begun.side == "door" else "door"]
    if len(other) != SHARE_BYTES or not bindings.crypto_core_ed25519_is_valid_point(other):
        raise WireError("share: 32 bytes are wanted, a point of the large group of edwards25519")
    try:
        bare = bindings.crypto_core_ed25519_sub(other, bindings.crypto_scalarmult_ed25519_noclamp(begun.w, theirs))
        return bindings.crypto_scalarmult_ed25519_noclamp(bindings.crypto_core_ed25519_scalar_mul(COFACTOR, begun.secret), bare)
    except CryptoError as error:
        raise WireError("share: leads to no point that a key can be made of") from error


def transcript(*parts: bytes) -> bytes:
    """Each part with its length before it, 8 bytes, little end first: A, B, pA, pB, K and w, the scalar with its big end first."""
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


def schedule(told: bytes, bound: bytes) -> Agreed:
    """RFC 9382, section 4, and two keys to seal with."""
    digest = hashlib.sha256(told).digest()
    shared, proving = digest[:16], digest[16:]
    confirming = hkdf(proving, b"ConfirmationKeys" + bound, 32)
    return Agreed(
        door_confirms=hmac.digest(confirming[:16], told, "sha256"),
        centre_confirms=hmac.digest(confirming[16:], told, "sha256"),
        door_seals=hkdf(shared, _SEALED_BY["door"] + bound, 32),
        centre_seals=hkdf(shared, _SEALED_BY["centre"] + bound, 32),
    )


def hkdf(key: bytes, info: bytes, size: int) -> bytes:
    """RFC 5869 with SHA-256, without a salt; up to 32 bytes."""
    return hmac.digest(hmac.digest(bytes(32), key, "sha256"), info + b"\x01", "sha256")[:size]
