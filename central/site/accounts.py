"""Give a person's program an account at the broker, or take it away."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from msgspec import Struct

from agent.errors import ConfigError
from central.site.files import alone
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


def add_person(site: Site, name: str, role: BrokerRole, place: str, password_file: Path | None, now: datetime) -> Added:
    """Raises ConfigError."""
    made = "" if password_file is not None else fresh_password()
    with alone(site.root):
        changed = site.people.add(name, role, made or _read(password_file), place)
        site.write_access(now)
        return Added(name=name, role=role, password=made, changed=changed, reloaded=reload(site))


def remove_person(site: Site, name: str, now: datetime) -> bool:
    """Whether the broker was told, which disconnects them at once. Raises ConfigError when there is nobody of this name."""
    with alone(site.root):
        if not site.people.remove(name):
            raise ConfigError(f"{name[:60]!r} has no account here; `doorward central person-account FOLDER list` shows who has")
        site.write_access(now)
        return reload(site)


def _read(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--password-file {path}: cannot be read: {error}") from error
