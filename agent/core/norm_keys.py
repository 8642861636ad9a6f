"""Under which name the norms of a cardholder are kept at a door: nobody who finds the norms learns whose they are without the door's key."""

from __future__ import annotations

import hashlib

from agent.core.people import Cardholder

_BYTES = 16


def norm_key(door_key: bytes, cardholder_id: str) -> str:
    """32 hexadecimal digits: keyed BLAKE2b of the cardholder's id. Another door's are others, so two doors' norms cannot be put together.

    `door_key`: 16 to 64 secret bytes that only this door has. Raises ValueError for another length.
    """
    if not 16 <= len(door_key) <= 64:
        raise ValueError(f"a door key of {len(door_key)} bytes; allowed are 16 to 64")
    named = cardholder_id.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(named, key=door_key, person=b"norm key", digest_size=_BYTES).hexdigest()


def norm_key_of(cardholder: Cardholder, door_key: bytes) -> str:
    """Empty for whoever has not agreed that their own norms are kept."""
    return norm_key(door_key, cardholder.id) if cardholder.norms_consent else ""
