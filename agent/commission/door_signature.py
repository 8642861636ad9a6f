"""A signature by the door's own key, which is an X25519 key that templates are sealed for: XEdDSA, so that no second key is needed.

The XEdDSA and VXEdDSA Signature Schemes, T. Perrin, revision 1 (signal.org/docs/specifications/xeddsa), over libsodium's scalars. What comes
out is an Ed25519 signature (RFC 8032) like any other, under a public key from which anybody computes the door's X25519 one: the centre
has that in its list of doors.
"""

from __future__ import annotations

import hashlib
import os

from msgspec import Struct
from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey

from agent.errors import Refused

_FIRST = b"\xfe" + b"\xff" * 31
"""hash1 of the specification: 2^256 - 2, little-endian, before what is hashed."""
_SIGN_BIT = 0x80


class Signature(Struct, frozen=True):
    """32 bytes of Ed25519 public key, 64 bytes of signature."""

    key: bytes
    signature: bytes


def sign(private: PrivateKey, message: bytes) -> Signature:
    """By the door's key."""
    scalar, public = _key_pair(bytes(private))
    secret = bindings.crypto_core_ed25519_scalar_reduce(hashlib.sha512(_FIRST + scalar + message + os.urandom(64)).digest())
    commitment = bindings.crypto_scalarmult_ed25519_base_noclamp(secret)
    challenge = bindings.crypto_core_ed25519_scalar_reduce(hashlib.sha512(commitment + public + message).digest())
    answer = bindings.crypto_core_ed25519_scalar_add(secret, bindings.crypto_core_ed25519_scalar_mul(challenge, scalar))
    return Signature(public, commitment + answer)


def _key_pair(private: bytes) -> tuple[bytes, bytes]:
    """The scalar whose point has the sign bit 0, and that point."""
    clamped = bytes([private[0] & 248, *private[1:31], (private[31] & 127) | 64])
    point = bindings.crypto_scalarmult_ed25519_base_noclamp(clamped)
    scalar = bindings.crypto_core_ed25519_scalar_reduce(clamped + bytes(32))
    if point[31] & _SIGN_BIT:
        scalar = bindings.crypto_core_ed25519_scalar_negate(scalar)
    return scalar, bytes([*point[:31], point[31] & ~_SIGN_BIT])


def check(signed: Signature, message: bytes) -> bytes:
    """The X25519 public key of the door that signed it. Raises Refused when the signature does not hold."""
    try:
        bindings.crypto_sign_open(signed.signature + message, signed.key)
        return bindings.crypto_sign_ed25519_pk_to_curve25519(signed.key)
    except (CryptoError, ValueError, TypeError, RuntimeError) as error:
        raise Refused("the signature does not hold: the page was changed after it was signed") from error


def fingerprint(public: bytes) -> str:
    """Of a door's public key, to be read out: 80 bits of its hash in groups of four."""
    digits = hashlib.sha256(public).hexdigest()[:20]
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
