"""Enrol, renew and revoke doors: what a door needs goes into one file, to be carried there by a person and then deleted."""

from __future__ import annotations

import io
import os
import tarfile
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from nacl.public import PrivateKey

from agent.errors import ConfigError
from agent.records.keys import centre_public
from central.site.authority import serial_of
from central.site.files import alone
from central.site.folder import Site
from central.site.names import door_name, level, media_name
from central.site.registry import DoorEntry
from central.site.running import reload, throw_out, where_cluster

PLACE = "/etc/doorward"
"""Where the files lie on the door."""

TOML = """# For this door's configuration, {place}/door.toml. These tables replace the ones of the same name there.
site = "{site}"
door = "{door}"

[link]
{link}
ca_file = "{place}/link/ca.crt"
cert_file = "{place}/link/door.crt"
key_file = "{place}/link/door.key"

[live]
cert_file = "{place}/link/media.crt"
key_file = "{place}/link/media.key"

[records]
centre_key = "{place}/centre.pub"
door_key = "{place}/door.key"
"""

README = """{site}/{door}: what this door needs to belong to its site. It holds private keys: delete it everywhere when the door runs.

On the door, as root:
    tar -xf {door}.doorward -C {place} && chown -R doorward: {place}/link && (test ! -e {place}/door.key || chown doorward: {place}/door.key)
    copy {place}/link.toml into {place}/door.toml, over the tables of the same name
    systemctl restart doorward-door
"""


class Enrolled(Struct, frozen=True, kw_only=True):
    """A door that was enrolled or renewed."""

    site: str
    door: str
    archive: str
    serial: str
    valid_until: datetime
    reloaded: bool


class Revoked(Struct, frozen=True, kw_only=True):
    """A door that belongs to the site no more."""

    site: str
    door: str
    serials: list[str]
    reloaded: bool
    thrown_out: bool


def enrol(site: Site, place: str, door: str, name: str, out: Path, now: datetime) -> Enrolled:
    """Certificate, keys, entry in the registry, archive OUT/DOOR.doorward (0600). Raises ConfigError for a door that is known already."""
    level("site", place), level("door", door)
    with alone(site.root):
        if site.doors.door(place, door) is not None:
            raise ConfigError(
                f"{place}/{door} is enrolled already; `doorward central renew` gives it new certificate and keys, "
                "`doorward central revoke-door` takes it away"
            )
        own = PrivateKey.generate()
        public = bytes(own.public_key)
        entry = DoorEntry(site=place, door=door, name=name, public_key=public)
        return _issue(site, entry, out, now, {
            "door.key": (f"{bytes(own).hex()}\n".encode("ascii"), 0o600),
            "door.pub": (f"{public.hex()}\n".encode("ascii"), 0o644),
        })  # fmt: skip


def renew(site: Site, place: str, door: str, out: Path, now: datetime) -> Enrolled:
    """A new certificate for a door that is there; its door.key stays. What it had counts until `revoke_older`. Raises ConfigError."""
    with alone(site.root):
        known = site.doors.door(place, door)
        if known is None:
            raise ConfigError(f"{place}/{door} is not enrolled; `doorward central enrol-door` does that")
        return _issue(site, known, out, now, {})


def _issue(site: Site, entry: DoorEntry, out: Path, now: datetime, own: dict[str, tuple[bytes, int]]) -> Enrolled:
    archive = out / f"{entry.door}.doorward"
    if archive.exists():  # said before anything is issued; that it is never overwritten is up to O_EXCL
        raise ConfigError(_is_there(archive))
    pair = site.authority.issue("door", door_name(entry.site, entry.door), now)
    media = site.authority.issue("door", media_name(entry.site, entry.door), now)
    serial = serial_of(pair.certificate)
    link = TOML.format(place=PLACE, site=entry.site, door=entry.door, link=where(site))
    _write_archive(archive, now, {
        "README": (README.format(site=entry.site, door=entry.door, place=PLACE).encode("utf-8"), 0o644),
        "link.toml": (link.encode("utf-8"), 0o644),
        "link/ca.crt": (site.authority.certificate_file.read_bytes(), 0o644),
        "link/door.crt": (pair.certificate, 0o644),
        "link/door.key": (pair.key, 0o600),
        "link/media.crt": (media.certificate, 0o644),
        "link/media.key": (media.key, 0o600),
        "centre.pub": (f"{bytes(centre_public(site.keys / 'centre.pub')).hex()}\n".encode("ascii"), 0o644),
        **own,
    })  # fmt: skip
    site.doors.put(entry, now)
    site.write_access(now)
    until = next(line.until for line in site.authority.issued() if line.serial == serial)
    return Enrolled(
        site=entry.site, door=entry.door, archive=str(archive), serial=serial, valid_until=until, reloaded=reload(site)
    )


def where(site: Site) -> str:
    """Lines of [link]: how doors reach the broker, or the nodes of the cluster."""
    if site.settings.cluster is None:
        return f'host = "{site.settings.host}"\nport = {site.settings.listeners.doors_port}'
    return where_cluster(site.settings.cluster)


def _write_archive(path: Path, now: datetime, files: dict[str, tuple[bytes, int]]) -> None:
    """Never over another one: the keys in that may be a door's only ones. Raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
            for name, (raw, mode) in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.mtime = len(raw), mode, int(now.timestamp())
                archive.addfile(entry, io.BytesIO(raw))
    except FileExistsError as error:
        raise ConfigError(
            f"{path}: is there already; carry it to its door and delete it here, or choose another --out"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}") from error


def _is_there(path: Path) -> str:
    return f"{path}: is there already; carry it to its door and delete it here, or choose another --out"


def revoke(site: Site, place: str, door: str, now: datetime) -> Revoked:
    """Take a door away: its certificates, its lines in the access list, its entry, its connections. Raises ConfigError if there is none."""
    level("site", place), level("door", door)
    with alone(site.root):
        gone = [serial for name in _names(place, door) for serial in site.authority.revoke(name, now)]
        if not site.doors.remove(place, door) and not gone:
            raise ConfigError(f"{place}/{door}: there is no such door, or it was revoked before")
        return _revoked(site, place, door, gone, now)


def revoke_older(site: Site, place: str, door: str, now: datetime) -> Revoked:
    """After a renewed door runs with its new certificates: revoke all but the newest. Raises ConfigError."""
    with alone(site.root):
        if site.doors.door(place, door) is None:
            raise ConfigError(f"{place}/{door} is not enrolled")
        newest = {line.name: line.serial for line in sorted(site.authority.issued(), key=lambda line: line.since)}
        gone = [serial for name in _names(place, door) for serial in site.authority.revoke(name, now, but=newest.get(name, ""))]
        return _revoked(site, place, door, gone, now)


def _revoked(site: Site, place: str, door: str, gone: list[str], now: datetime) -> Revoked:
    site.write_access(now)
    told = reload(site)
    online = f"doorward/{place}/{door}/online"
    ended = [throw_out(site, name, online) for name in _names(place, door)] if told and gone else [False]
    return Revoked(site=place, door=door, serials=gone, reloaded=told, thrown_out=all(ended))


def _names(place: str, door: str) -> tuple[str, str]:
    return door_name(place, door), media_name(place, door)
