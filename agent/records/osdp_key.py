"""Secure Channel keys of OSDP readers, each in a file sealed for this door: without the door's private key it tells nothing.

A file is one line of hexadecimal digits: a libsodium sealed box for the door's X25519 key around the reader's name and its key, so that a
file of another reader or another door is refused. While a key is being changed there is `….new` beside it: whichever of the two the reader
has when the power goes, the door still has it.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct
from nacl.exceptions import CryptoError
from nacl.public import SealedBox

from agent.errors import ConfigError
from agent.files import write_whole
from agent.records.keys import door_private

FOLDER = Path("/etc/doorward")
KEY_BYTES = 16
NEW = ".new"
MEND = "set one with `doorward osdp set-key`"


class _Content(Struct, forbid_unknown_fields=True):
    reader: str
    key: bytes


def key_path(key_file: str, reader: str) -> Path:
    """Where the key of a reader lies: what the configuration says, or its usual place."""
    return Path(key_file) if key_file else FOLDER / f"osdp-{reader}.key"


def make_key() -> bytes:
    """16 bytes from the kernel's random source."""
    return os.urandom(KEY_BYTES)


def load_osdp_key(path: Path, reader: str, door_key: Path) -> bytes:
    """The key of a reader. Raises ConfigError when there is none, others may read it, or it is not this door's or not this reader's."""
    try:
        mode, text = path.stat().st_mode, path.read_text("ascii")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: reader {reader!r} has no key: {MEND}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as a key: {error}") from error
    if mode & 0o077:
        raise ConfigError(f"{path}: others can read this key; run: chmod 600 {path}")
    return _open(path, text, reader, door_key)


class OsdpKey:
    """The key to meet a reader with. While a change of keys was cut short there are two: each call gives the other one."""

    def __init__(self, path: Path, reader: str, door_key: Path) -> None:
        self._path, self._reader, self._door_key = path, reader, door_key
        self._calls = 0

    def __call__(self) -> bytes:
        """Raises ConfigError as `load_osdp_key`."""
        kept = kept_keys(self._path) or [self._path]
        self._calls += 1
        return load_osdp_key(kept[(self._calls - 1) % len(kept)], self._reader, self._door_key)


def kept_keys(path: Path) -> list[Path]:
    """The files there are: the key in force, and one that the reader may have taken already."""
    return [file for file in (path, pending_path(path)) if file.exists()]


def _open(path: Path, text: str, reader: str, door_key: Path) -> bytes:
    private = door_private(door_key)
    try:
        content = msgspec.msgpack.decode(SealedBox(private).decrypt(bytes.fromhex(text.strip())), type=_Content)
    except (CryptoError, ValueError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{path}: is damaged, or was sealed for another door than {door_key} belongs to: {MEND}") from error
    if content.reader != reader or len(content.key) != KEY_BYTES:
        raise ConfigError(f"{path}: is the key of reader {content.reader!r}, not of {reader!r}: {MEND}")
    return content.key


def save_osdp_key(path: Path, reader: str, key: bytes, door_key: Path) -> None:
    """Seal and write it, readable by its owner only. Raises ConfigError when it cannot be written or read back."""
    box = SealedBox(door_private(door_key).public_key)
    sealed = box.encrypt(msgspec.msgpack.encode(_Content(reader=reader, key=key)))
    try:
        write_whole(path, sealed.hex().encode() + b"\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}") from error
    if load_osdp_key(path, reader, door_key) != key:
        raise ConfigError(f"{path}: reads back as another key: is the disk sound?")


def pending_path(path: Path) -> Path:
    """Where a key lies that a reader may have taken already."""
    return path.with_name(path.name + NEW)


def accept_pending(path: Path) -> None:
    """The reader was met with the new key: it is the key from now on. Raises ConfigError."""
    try:
        pending_path(path).replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be replaced by {pending_path(path).name}, which is the key in force: {error}"
        ) from error
