"""Passwords and one-time codes: what is good enough, how it is kept, how it is checked.

argon2id with the second recommended option of RFC 9106 (section 4): 64 MiB, 3 passes, 4 lanes. It takes some 0.1 s here, and at most two
are computed at once: signing in must not take the machine's memory from the historian.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime
from pathlib import Path

import pyotp
from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from agent.errors import ConfigError
from agent.ownership import give_to_owner_of

LEAST_CHARACTERS, MOST_CHARACTERS = 12, 200
AT_ONCE = 2
STEP_S = 30
STEPS_ASIDE = 1
"""A code of the step before or after counts too: phones' clocks are off."""
SEAL_FILE = "accounts.key"

_COMMON_WORDS = (
    "password password1 password12 password123 passwordpassword letmein qwerty qwertyuiop qwertyuiopas 1234567890 123456789012 "
    "1q2w3e4r5t6y 111111111111 000000000000 iloveyou administrator welcome welcome123 changeme changeme123 doorward doorwarddoorward "
    "security guard manager correcthorsebatterystaple abcdefghijkl asdfghjklqwe trustno1 monkey dragon sunshine princess football"
)
_COMMON = frozenset(_COMMON_WORDS.split())


def hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16, type=Type.ID)


def why_weak(password: str, account: str) -> str:
    """A sentence, or '' for a password that will do."""
    plain = password.casefold()
    letters = "".join(each for each in plain if each.isalnum())
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        return f"the password has {len(password)} characters: from {LEAST_CHARACTERS} to {MOST_CHARACTERS} are allowed"
    if any(ord(each) < 32 for each in password):
        return "the password holds a control character"
    if plain.replace(account, "").strip("0123456789 -_.!") == "":
        return "the password is the account's name: choose several words that nobody would guess"
    if letters.strip("0123456789") in _COMMON or letters in _COMMON or len(set(plain)) < 5:
        return "the password is one of those that are tried first: choose several words that nobody would guess"
    return ""


class Passwords:
    """Keeps and checks. From any thread; at most AT_ONCE at a time."""

    def __init__(self, how: PasswordHasher | None = None) -> None:
        self._how = how or hasher()
        self._turns = threading.Semaphore(AT_ONCE)
        self._nobody = self._how.hash("nobody's password, for accounts that are not there")

    def keep(self, password: str) -> str:
        with self._turns:
            return self._how.hash(password)

    def fits(self, kept: str | None, password: str) -> bool:
        """None, an account that is not there, takes as long as one that is."""
        with self._turns:
            try:
                return self._how.verify(kept or self._nobody, password) and kept is not None
            except (Argon2Error, InvalidHashError):
                return False

    def is_old(self, kept: str) -> bool:
        """Whether it was kept with other parameters than today's."""
        return self._how.check_needs_rehash(kept)


# -- one-time codes (RFC 6238) -----------------------------------------------------------------------------------------------------


def new_secret() -> str:
    return pyotp.random_base32()


def uri_of(secret: str, account: str, issuer: str = "Doorward") -> str:
    """What an authenticator app reads from a picture, or takes typed in."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def step_of(code: str, secret: str, now: datetime, last_step: int) -> int | None:
    """The time step that a code is of; None for a wrong one, and for one of a step that was used already."""
    if len(code) != 6 or not (code.isascii() and code.isdigit()):
        return None
    totp, this = pyotp.TOTP(secret), int(now.timestamp()) // STEP_S
    fits = [
        step
        for step in range(this - STEPS_ASIDE, this + STEPS_ASIDE + 1)
        if pyotp.utils.strings_equal(code, totp.generate_otp(step))
    ]
    return max((step for step in fits if step > last_step), default=None)


class Seal:
    """Secrets of second factors, readable only with a key that is not in the database."""

    def __init__(self, key: bytes) -> None:
        self._box = SecretBox(key)

    def shut(self, secret: str) -> str:
        return bytes(self._box.encrypt(secret.encode())).hex()

    def open(self, sealed: str) -> str:
        """Raises ConfigError when it was sealed with another key."""
        try:
            return self._box.decrypt(bytes.fromhex(sealed)).decode()
        except (CryptoError, ValueError) as error:
            raise ConfigError(
                f"a second factor was sealed with another {SEAL_FILE}: run `doorward central account totp` anew"
            ) from error


def seal_in(folder: Path) -> Seal:
    """The seal of this centre: 32 bytes in hexadecimal digits, made at the first use, readable by its owner only. Raises ConfigError."""
    path = folder / SEAL_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: others can read this key; run: chmod 600 {path}")
        return Seal(bytes.fromhex(path.read_text("ascii").strip()))
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: cannot be used as a key: {error}") from error


def _make(path: Path) -> None:
    """Whoever else makes it at this moment wins, and both use theirs."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(os.urandom(SecretBox.KEY_SIZE).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        give_to_owner_of(path.parent, fresh)
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
