"""What a camera may be called where others read it: in logs, in health messages, in files. Passwords are no part of that."""

from __future__ import annotations

import hashlib
import re


def without_passwords(text: str) -> str:
    """A text that may hold addresses, without users and passwords in them."""
    return re.sub(r"(\w+://)[^/\s]*@", r"\1", text)


def public_name(word: str) -> str:
    """A camera as `vision.camera` names it. Of GStreamer's elements the first alone is told: properties can hold a password."""
    kind, _, elements = word.partition(":")
    if kind == "gst":
        return f"gst:{next(iter(elements.split()), '(nothing)')}"
    return without_passwords(word)


def lasting_name(word: str) -> str:
    """The same, and different for any two words: what tells one camera's files from another's."""
    return f"{public_name(word)} {hashlib.sha256(word.encode()).hexdigest()[:12]}"
