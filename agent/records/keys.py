"""Key pairs: Ed25519 for the centre, which signs, and X25519 for a door, which alone can open what is sealed for it.

Files hold one key as 64 hexadecimal digits. Private ones are made with mode 0600 and never overwritten.
"""

from __future__ import annotations

import os
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey
from nacl.signing import SigningKey, VerifyKey

from agent.errors import ConfigError
from agent.identity.credentials import is_credential


def make_centre_keys(folder: Path) -> tuple[Path, Path]:
    """`centre.key` and `centre.pub`. Raises ConfigError when they are there already."""
    key = SigningKey.generate()
    return _write_pair(folder, "centre", bytes(key), bytes(key.verify_key))


def make_door_keys(folder: Path) -> tuple[Path, Path]:
    """`door.key` and `door.pub`: made on the door, from which only the public one goes. Raises ConfigError when they are there already."""
    key = PrivateKey.generate()
    return _write_pair(folder, "door", bytes(key), bytes(key.public_key))


def centre_private(path: Path) -> SigningKey:
    return SigningKey(_read(path))


def centre_public(path: Path) -> VerifyKey:
    try:
        return VerifyKey(_read(path))
    except (CryptoError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: is no Ed25519 key: {error}") from error


def door_private(path: Path) -> PrivateKey:
    """Raises ConfigError also when others than its owner may read the file."""
    if path.exists() and path.stat().st_mode & 0o077 and not is_credential(path):
        raise ConfigError(f"{path}: others can read this private key; run: chmod 600 {path}")
    return PrivateKey(_read(path))


def door_public(path: Path) -> PublicKey:
    return PublicKey(_read(path))


def _write_pair(folder: Path, name: str, private: bytes, public: bytes) -> tuple[Path, Path]:
    secret, open_to_all = folder / f"{name}.key", folder / f"{name}.pub"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(secret, private, 0o600)
        _write(open_to_all, public, 0o644)
    except OSError as error:
        raise ConfigError(f"{folder}: keys cannot be written (existing ones are never overwritten): {error}") from error
    return secret, open_to_all


def _write(path: Path, key: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as a key: {error}") from error
    if len(key) != 32:
        raise ConfigError(f"{path}: holds {len(key)} bytes; a key is 32 bytes as 64 hexadecimal digits")
    return key
