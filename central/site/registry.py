"""Which doors the site knows: one small file for each, FOLDER/doors/SITE/DOOR.json. `doorward central enrol-door` writes it, everybody reads.

Files and no table, so that a door is enrolled before the centre has ever run, and a lost database does not lose the doors' keys.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.errors import ConfigError
from agent.files import write_whole
from central.settings import Level
from central.site.names import level

FOLDER = "doors"
KEY_BYTES = 32


class DoorEntry(Struct, frozen=True, kw_only=True):
    """A door that was enrolled."""

    site: str
    door: str
    name: str
    """As people call it; never empty."""
    public_key: bytes
    """X25519, 32 bytes: people's records are sealed for it."""


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in a file; the key as hexadecimal digits, as in door.pub."""

    site: Level
    door: Level
    name: Annotated[str, Meta(max_length=100)] = ""
    public_key: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="64 hexadecimal digits")]
    enrolled: datetime | None = None


class DoorRegistry:
    """`folder` is that of the site, which holds `doors/`. Nothing is kept in memory: another program may enrol a door at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def doors(self) -> list[DoorEntry]:
        """All of them, by site and door. Raises ConfigError naming the file that cannot be read."""
        return [_entry(path) for path in sorted(self._folder.glob("*/*.json"))]

    def door(self, site: str, door: str) -> DoorEntry | None:
        path = self._path(site, door)
        return _entry(path) if path.exists() else None

    def put(self, entry: DoorEntry, now: datetime) -> None:
        """Write a door's file, or replace it. Raises ConfigError."""
        path = self._path(entry.site, entry.door)
        if len(entry.public_key) != KEY_BYTES:
            raise ConfigError(
                f"{entry.site}/{entry.door}: a door's public key has {KEY_BYTES} bytes, not {len(entry.public_key)}"
            )
        told = _File(site=entry.site, door=entry.door, name=entry.name, public_key=entry.public_key.hex(), enrolled=now)
        try:
            for folder in (self._folder, path.parent):
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o755)
            write_whole(path, msgspec.json.format(msgspec.json.encode(told)) + b"\n")
            path.chmod(0o644)  # names and public keys: the centre reads them under an account of its own, whatever our umask
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error}") from error

    def remove(self, site: str, door: str) -> bool:
        """Whether it was there."""
        path = self._path(site, door)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ConfigError(f"{path}: cannot be removed: {error}") from error
        return True

    def _path(self, site: str, door: str) -> Path:
        return self._folder / level("site", site) / f"{level('door', door)}.json"


def _entry(path: Path) -> DoorEntry:
    try:
        told = msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a door: {error}") from error
    if (told.site, told.door) != (path.parent.name, path.stem):
        raise ConfigError(f"{path}: tells of {told.site}/{told.door}; the file of a door is named doors/SITE/DOOR.json")
    return DoorEntry(
        site=told.site, door=told.door, name=told.name or f"{told.site}/{told.door}", public_key=bytes.fromhex(told.public_key)
    )
