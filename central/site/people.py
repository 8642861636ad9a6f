"""Accounts of people's programs at the broker, and what each role may say and hear. Who uses the dashboard needs none: it speaks for them."""

from __future__ import annotations

import base64
import hashlib
import secrets
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from agent.core.commands import NAMES
from agent.errors import ConfigError
from central.settings import Level
from central.site.files import put
from central.site.names import level

BrokerRole = Literal["guard", "manager", "installer", "privacy", "auditor", "home-assistant"]
BROKER_ROLES: tuple[BrokerRole, ...] = get_args(BrokerRole)

_SEEN = ("online", "state/#")
COMMANDS: dict[BrokerRole, tuple[str, ...]] = {
    "guard": ("unlock", "lock", "lockdown", "release", "deny", "assist"),
    "manager": NAMES,
}
"""Who may give which commands; as at the dashboard. Roles that are not named give none."""
READS: dict[BrokerRole, tuple[str, ...]] = {
    "guard": (*_SEEN, "evt", "result/+"),
    "manager": (*_SEEN, "evt", "result/+"),
    "installer": _SEEN,
    "privacy": ("evt", "result/+"),
    "auditor": ("evt", "result/+"),
    "home-assistant": _SEEN,
}
"""Below doorward/SITE/DOOR. Events name cardholders, so who only mends doors does not read them."""

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 200
ITERATIONS = 20_000
"""Of PBKDF2. Mosquitto checks passwords in the thread that serves everybody, and all of them again on each reload: this is some 15 ms.
Passwords that we make have 120 bits, which no number of iterations has to protect."""


class Person(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account at the broker."""

    name: Level
    role: BrokerRole
    password: Annotated[str, Meta(pattern=r"^\$7\$")]
    """Salted and hashed, in Mosquitto's form."""
    site: Annotated[str, Meta(pattern="^[a-z0-9_-]{0,40}$")] = ""
    """Empty: all sites of this broker."""


class People:
    """FOLDER/people.json."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[Person]:
        """By name. Raises ConfigError."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Person])
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
            raise ConfigError(f"{self._path}: cannot be read: {error}") from error

    def add(self, name: str, role: BrokerRole, password: str, site: str = "") -> bool:
        """Whether somebody of this name was there already and is now changed. Raises ConfigError."""
        level("the person's name", name)
        person = Person(name=name, role=role, password=hashed(password), site=level("site", site) if site else "")
        others = [other for other in self.all() if other.name != name]
        changed = len(others) < len(self.all())
        self._write([*others, person])
        return changed

    def remove(self, name: str) -> bool:
        """Whether there was one."""
        people = self.all()
        kept = [person for person in people if person.name != name]
        self._write(kept)
        return len(kept) < len(people)

    def _write(self, people: list[Person]) -> None:
        raw = msgspec.json.format(msgspec.json.encode(sorted(people, key=lambda person: person.name)))
        put(self._path, raw + b"\n")


def fresh_password() -> str:
    """120 bits that a person can copy from a screen."""
    return base64.b32encode(secrets.token_bytes(15)).decode("ascii").lower()


def hashed(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """As Mosquitto 2 stores it: `$7$ITERATIONS$SALT$HASH`, PBKDF2-HMAC-SHA512, base64 (mosquitto_passwd(1)). Raises ConfigError."""
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise ConfigError(f"the password has {len(password)} characters; {LEAST_CHARACTERS} to {MOST_CHARACTERS} are allowed")
    if not password.isprintable():
        raise ConfigError(
            "the password holds a character that cannot be printed, as a line feed; only printable ones are allowed"
        )
    salt = secrets.token_bytes(12) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode("utf-8"), salt, iterations)
    return f"$7${iterations}${base64.b64encode(salt).decode('ascii')}${base64.b64encode(digest).decode('ascii')}"
