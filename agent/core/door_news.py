"""What happened at the door, for what vision measures of people: events of the door -> DoorNews. Pure; nothing secret goes out.

A credential is told as a keyed hash whose key lives as long as the program: two reads of one fob are one, and nothing more is to be learned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from agent.core.conduct import DoorNews
from agent.core.messages import credential_key

What = Literal["granted", "denied", "first_of_two", "leaving", "released", "opened", "closed", "forced"]

PLAIN: dict[str, What] = {
    "door.opened": "opened", "door.closed": "closed", "door.forced": "forced", "rex.pressed": "leaving", "rex.held": "leaving",
}  # fmt: skip
FREE = ("Unlocked", "LockedOpen")
ACCESS: dict[str, What] = {"access.granted": "granted", "access.denied": "denied", "access.first_of_two": "first_of_two"}


def news_of(kind: str, data: Mapping[str, Any], at_s: float, secret: bytes, norm_key: str = "") -> DoorNews | None:
    """The news in an event of this door; None for most events."""
    if (what := ACCESS.get(kind)) is not None:
        return _of_answer(what, data, at_s, secret, norm_key)
    if _lets_go(kind, data):
        return DoorNews(at_s=at_s, what="released")
    plain = PLAIN.get(kind)
    if plain is None or data.get("at_start"):
        return None
    return DoorNews(at_s=at_s, what=plain)


def _of_answer(what: What, data: Mapping[str, Any], at_s: float, secret: bytes, norm_key: str) -> DoorNews:
    match, granted = data["match"], what == "granted"
    return DoorNews(
        at_s=at_s, what="leaving" if data["leaving"] else what, credential=alias_of(data["read"], secret),
        face=match["track"] if match else None, norm_key=norm_key if granted and not data["leaving"] else "",
        persons=(2 if data["partner"] else 1) if granted else 0, pulse_s=data.get("pulse_s", 0.0),
    )  # fmt: skip


def _lets_go(kind: str, data: Mapping[str, Any]) -> bool:
    """The door lets go, or stands free, for nobody in particular."""
    if kind == "command.done":
        return bool(data["command"] == "unlock")
    if kind == "mode.changed":
        return data["mode"] in FREE
    return kind == "fire.active" and bool(data["releases"])


def alias_of(read: Mapping[str, Any], secret: bytes) -> str:
    """Twelve characters that stand for a credential."""
    name = credential_key(read["format"], read["facility"], read["card"])
    return hashlib.blake2b(name.encode(), key=secret, digest_size=6).hexdigest()
