"""Templates and PINs at rest: sealed with a key that lies in a file of its own, so a copy of the database alone opens none of them.

XChaCha20-Poly1305 (libsodium, draft-irtf-cfrg-xchacha-03). The seal holds what it is and whose: a template that somebody with the
database in hand moves to another cardholder does not open.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
)
from nacl.exceptions import CryptoError

from agent.errors import ConfigError, DoorwardError
from agent.ownership import give_to_owner_of

KEY_FILE = "people.key"
KEY_BYTES = 32
What = Literal["template", "pin", "duress_pin", "signature", "check"]


class VaultError(DoorwardError, ValueError):
    """Something sealed does not open: another key made it, or it was changed or moved."""


class Vault:
    """Seals and opens. Thread-safe: it remembers nothing but its key."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key of {len(key)} bytes; {KEY_BYTES} are needed")
        self._key = key

    def seal(self, what: What, whose: str, plain: bytes) -> bytes:
        """The nonce, then the sealed bytes."""
        nonce = os.urandom(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
        return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(plain, _bound(what, whose), nonce, self._key)

    def open(self, what: What, whose: str, sealed: bytes) -> bytes:
        """Raises VaultError."""
        size = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
        try:
            return crypto_aead_xchacha20poly1305_ietf_decrypt(sealed[size:], _bound(what, whose), sealed[:size], self._key)
        except (CryptoError, ValueError, TypeError) as error:
            raise VaultError(
                f"{what} of cardholder {whose!r} cannot be opened: another key sealed it, or it was changed"
            ) from error


def _bound(what: What, whose: str) -> bytes:
    return f"{what}:{whose}".encode()


def open_vault(folder: Path) -> Vault:
    """The vault whose key is `people.key` in this folder; the key is made where there is none. Raises ConfigError."""
    path = folder / KEY_FILE
    try:
        return Vault(_read(path) if path.exists() else _make(path))
    except (OSError, ValueError) as error:
        raise (
            error if isinstance(error, ConfigError) else ConfigError(f"{path}: no key for templates and PINs: {error}")
        ) from error


def _make(path: Path) -> bytes:
    key = os.urandom(KEY_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        give_to_owner_of(path.parent, draft)
        os.link(draft, path)  # whole at once; of two programs that start together one makes it and the other reads it
    except FileExistsError:
        return _read(path)
    finally:
        draft.unlink()
    return key


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path}: others can read this private key; run: chmod 600 {path}")
    return bytes.fromhex(path.read_text("ascii").strip())
