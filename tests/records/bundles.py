"""A centre, a door and a few people for the tests of bundles."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from agent.core.access import AccessProfile, AccessRules, Interval, Schedule
from agent.core.people import Cardholder, Credential, Issued, Roll
from agent.records.bundle_file import Bundle, Keys, read_bundle
from central.access.bundles import write_bundle

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
CENTRE = SigningKey(b"c" * 32)
DOOR = PrivateKey(b"d" * 32)
KEYS = Keys(CENTRE.verify_key, DOOR, "hq", "front")
SEAL = b"k" * 32
FOB, TAG = "H10301:1:5283", "H10301:1:5284"


def face(*, seed: int = 1, size: int = 192) -> bytes:
    """A template: a direction that nobody else has."""
    vector = np.random.default_rng(seed).standard_normal(size)
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


HOLDER = Cardholder(id="holder-one", profiles=("staff",), templates=(face(seed=1), face(seed=2)), embedder_id="m", pin="13579")
PEOPLE = Roll(
    [HOLDER, Cardholder(id="holder-two", suspended=True)],
    [
        Credential(key=FOB, cardholder="holder-one", valid_until=NOW),
        Credential(key=TAG, cardholder="holder-one", state="stolen", duress=True),
        Credential(key="H10301:9:1", cardholder="holder-two"),
    ],
)


def rules(version: int = 1, **changes: Any) -> AccessRules:
    whole: dict[str, Any] = {
        "version": version,
        "site": "hq",
        "door": "front",
        "people": Roll(),
        "profiles": {"staff": AccessProfile(id="staff", doors=("front",), schedule="office")},
        "schedules": {
            "office": Schedule(id="office", zone="Europe/Berlin", intervals=(Interval(days=(0, 1), from_min=0, until_min=1440),))
        },
    }
    return AccessRules(**{**whole, **changes})


def write(path: Path, made: AccessRules, people: Iterable[Issued] = PEOPLE, **how: Any) -> None:
    """A bundle of this centre for this door, with a key that is always the same."""
    write_bundle(path, made, people, how.pop("centre", CENTRE), how.pop("door", DOOR.public_key), NOW, **{"key": SEAL, **how})


def read(path: Path, **how: Any) -> Bundle:
    return read_bundle(path, KEYS, **how)


def crowd(number: int, faces: int = 0) -> Iterable[Issued]:
    """So many cardholders with a fob each."""
    template = (face(),) * faces
    for n in range(number):
        holder = Cardholder(id=f"{n:032x}", profiles=("staff",), templates=template, embedder_id="m" if faces else "")
        yield Issued(holder, (Credential(key=fob_of(n), cardholder=holder.id),))


def fob_of(number: int) -> str:
    return f"H10301:{number % 256}:{number}"


def cosine(one: bytes, other: bytes) -> float:
    a, b = np.frombuffer(one, "<f4").astype(float), np.frombuffer(other, "<f4").astype(float)
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
