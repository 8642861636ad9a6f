"""Give a person's program an account at the broker, or take it away."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from msgspec import Struct

from agent.errors import ConfigError
from central.site.authority import serial_of
from central.site.files import OWNER_ONLY, alone, put
from central.site.folder import Site
from central.site.people import BrokerRole, fresh_password
from central.site.running import reload


class Added(Struct, frozen=True, kw_only=True):
    name: str
    role: str
    password: str
    """Empty when it was given and not made."""
    changed: bool
    """Somebody of this name was there before."""
    reloaded: bool
    certificate: str = ""
    """At a cluster: the file with it; the key lies beside it."""


def add_person(
    site: Site, name: str, role: BrokerRole, place: str, password_file: Path | None, now: datetime, out: Path | None = None
) -> Added:
    """`out`: where a cluster's certificate for them is written. Raises ConfigError."""
    if site.cluster is not None and out is None:
        raise ConfigError("--out DIR is needed: at a cluster people's programs come with a certificate, which is written there")
    made = "" if password_file is not None else fresh_password()
    with alone(site.root):
        changed = site.people.add(name, role, made or _read(password_file), place)
        certificate = "" if out is None or site.cluster is None else _certify(site, name, out, now)
        site.write_access(now)
        return Added(name=name, role=role, password=made, changed=changed, reloaded=reload(site), certificate=certificate)


def remove_person(site: Site, name: str, now: datetime) -> bool:
    """Whether the broker was told, which disconnects them at once. Raises ConfigError when there is nobody of this name."""
    with alone(site.root):
        if not site.people.remove(name):
            raise ConfigError(f"{name[:60]!r} has no account here; `doorward central person-account FOLDER list` shows who has")
        site.authority.revoke(name, now)
        site.write_access(now)
        return reload(site)


def _certify(site: Site, name: str, out: Path, now: datetime) -> str:
    """OUT/NAME.crt and NAME.key (0600); those of before count no more."""
    pair = site.authority.issue("person", name, now)
    site.authority.revoke(name, now, but=serial_of(pair.certificate))
    put(out / f"{name}.key", pair.key, OWNER_ONLY)
    put(out / f"{name}.crt", pair.certificate, OWNER_ONLY)
    return str(out / f"{name}.crt")


def _read(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--password-file {path}: cannot be read: {error}") from error
