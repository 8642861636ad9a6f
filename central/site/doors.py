"""Enrol, renew and revoke doors: what a door needs goes into one file, to be carried there by a person and then deleted."""

from __future__ import annotations

import io
import os
import tarfile
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from msgspec import Struct
from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey

from agent.errors import ConfigError
from agent.records.keys import centre_public
from central.site.authority import RequestError, key_of, serial_of
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
    _write_archive(archive, now, {
        "README": (README.format(site=entry.site, door=entry.door, place=PLACE).encode("utf-8"), 0o644),
        **{name: (raw, 0o644) for name, raw in _files(site, entry, pair.certificate, media.certificate).items()},
        "link/door.key": (pair.key, 0o600),
        "link/media.key": (media.key, 0o600),
        **own,
    })  # fmt: skip
    return _entered(site, entry, pair.certificate, now, str(archive))


def _files(site: Site, entry: DoorEntry, certificate: bytes, media: bytes) -> dict[str, bytes]:
    """What is no secret of those that a door needs."""
    link = TOML.format(place=PLACE, site=entry.site, door=entry.door, link=where(site))
    return {
        "link.toml": link.encode("utf-8"),
        "link/ca.crt": site.authority.certificate_file.read_bytes(),
        "link/door.crt": certificate,
        "link/media.crt": media,
        "centre.pub": f"{bytes(centre_public(site.keys / 'centre.pub')).hex()}\n".encode("ascii"),
    }


def _entered(site: Site, entry: DoorEntry, certificate: bytes, now: datetime, archive: str) -> Enrolled:
    site.doors.put(entry, now)
    site.write_access(now)
    serial = serial_of(certificate)
    until = next(line.until for line in site.authority.issued() if line.serial == serial)
    return Enrolled(site=entry.site, door=entry.door, archive=archive, serial=serial, valid_until=until, reloaded=reload(site))


class Requests(Struct, frozen=True, kw_only=True):
    """What a controller sends that made its keys itself."""

    link: bytes
    media: bytes
    """Certificate requests, PEM."""
    public_key: bytes
    """X25519, 32 bytes."""


class Admitted(Struct, frozen=True, kw_only=True):
    """A door that was enrolled by what its controller sent."""

    enrolled: Enrolled
    entry: DoorEntry
    replaces: bool
    """There was a controller for it before, whose certificates still count."""
    files: dict[str, bytes]
    """What goes to the controller; nothing in it is secret."""


def admit(site: Site, place: str, door: str, name: str, asked: Requests, now: datetime) -> Admitted:
    """Enrol a door, or give it another controller; what the former had counts until `revoke_older`. `name` empty: as it was called before.
    Raises ConfigError, and RequestError for a request that is not fit; nothing is entered then."""
    level("site", place), level("door", door)
    with alone(site.root):
        known, (link_key, media_key) = site.doors.door(place, door), _keys(asked)
        entry = DoorEntry(site=place, door=door, name=name or (known.name if known else ""), public_key=asked.public_key)
        _demand_own(site, entry)
        certificate = site.authority.issue_to(link_key, "door", door_name(place, door), now)
        media = site.authority.issue_to(media_key, "door", media_name(place, door), now)
        files = _files(site, entry, certificate, media)
        return Admitted(
            enrolled=_entered(site, entry, certificate, now, ""), entry=entry, replaces=known is not None, files=files
        )


def _keys(asked: Requests) -> tuple[EllipticCurvePublicKey, EllipticCurvePublicKey]:
    link, media = key_of(asked.link), key_of(asked.media)
    if link.public_numbers() == media.public_numbers():
        raise RequestError("the certificate requests of both programs hold the same key: each has one of its own")
    return link, media


def _demand_own(site: Site, entry: DoorEntry) -> None:
    """Records are sealed for this key: it is a real one, and no other door's."""
    try:
        bindings.crypto_scalarmult(os.urandom(32), entry.public_key)
    except (CryptoError, ValueError, TypeError) as error:
        raise RequestError("the door's public key is none that anything can be sealed for") from error
    for other in site.doors.doors():
        if other.public_key == entry.public_key and (other.site, other.door) != (entry.site, entry.door):
            raise RequestError(
                f"{other.site}/{other.door} has the same door.key: was this controller's disk copied from that one? Delete door.key here"
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


def revoke_older(site: Site, place: str, door: str, now: datetime, *, throws: bool = True) -> Revoked:
    """After a renewed door runs with its new certificates: revoke all but the newest. `throws` False: leaves connections alone, for whoever
    comes with the newest takes the door's client id anyway. Raises ConfigError."""
    with alone(site.root):
        if site.doors.door(place, door) is None:
            raise ConfigError(f"{place}/{door} is not enrolled")
        newest = {line.name: line.serial for line in sorted(site.authority.issued(), key=lambda line: line.since)}
        gone = [serial for name in _names(place, door) for serial in site.authority.revoke(name, now, but=newest.get(name, ""))]
        return _revoked(site, place, door, gone, now, throws=throws)


def _revoked(site: Site, place: str, door: str, gone: list[str], now: datetime, *, throws: bool = True) -> Revoked:
    site.write_access(now)
    told = reload(site)
    online = f"doorward/{place}/{door}/online"
    ended = [throw_out(site, name, online) for name in _names(place, door)] if told and gone and throws else [False]
    return Revoked(site=place, door=door, serials=gone, reloaded=told, thrown_out=all(ended))


def _names(place: str, door: str) -> tuple[str, str]:
    return door_name(place, door), media_name(place, door)
