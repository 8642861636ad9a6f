"""A page that carries its own signature: what is shown, the same as data, and a detached Ed25519 signature over both, at its end.

Signed is a line that says what this is, the SHA-256 of everything before the data, and the data themselves, byte for byte. So neither what
people read nor what programs read can be changed, and no reader has to make the page again to know that.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec
from msgspec import Struct
from nacl.public import PrivateKey

from agent.commission.door_signature import Signature, check, sign
from agent.errors import Refused

WHAT = b"doorward handover 1\n"
DATA, SIGNED = b'<script type="application/json" id="handover">', b'<script type="application/json" id="signature">'
ENDS, TAIL = b"</script>\n", b"</body></html>\n"
PAGE = re.compile(
    rb"(.*)"
    + re.escape(DATA)
    + rb"([^<]*)"
    + re.escape(ENDS)
    + re.escape(SIGNED)
    + rb"([^<]*)"
    + re.escape(ENDS)
    + re.escape(TAIL)
    + rb"\Z",
    re.DOTALL,
)
MOST_BYTES = 20_000_000


class Verified(Struct, frozen=True):
    """What a page holds, and the X25519 public key of the door that signed it."""

    data: dict[str, Any]
    public: bytes


def canonical(data: Struct) -> bytes:
    """The same bytes for the same data: keys sorted, no blanks, and no `<`, which would end the block that they stand in."""
    return msgspec.json.encode(data, order="sorted").replace(b"<", b"\\u003c")


def sealed(head: str, data: Struct, key: PrivateKey | None) -> bytes:
    """The whole page. `head`: all of it but its end; `key`: the door's, None where it has none yet: then nothing is signed."""
    raw, told = head.encode("utf-8"), canonical(data)
    signature = msgspec.json.encode(sign(key, _message(raw, told))) if key is not None else b"null"
    return raw + DATA + told + ENDS + SIGNED + signature + ENDS + TAIL


def verify(page: bytes) -> Verified:
    """Raises Refused for a page that was changed, was never signed, or is none of ours."""
    found = PAGE.match(page) if len(page) <= MOST_BYTES else None
    if found is None:
        raise Refused("this is no handover report, or its end was cut off")
    raw, told, signature = found.groups()
    try:
        signed = msgspec.json.decode(signature, type=Signature | None)
        data = msgspec.json.decode(told, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(f"its data cannot be read: {error}") from error
    if signed is None:
        raise Refused("it was never signed: the door had no key yet")
    return Verified(data, check(signed, _message(raw, told)))


def _message(head: bytes, told: bytes) -> bytes:
    return WHAT + hashlib.sha256(head).hexdigest().encode() + b"\n" + told
