"""Open the database that `--database` names: a file (SQLite) or an address, to write in it or only to read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import make_url

from agent.errors import ConfigError
from agent.ownership import give_to_owner_of
from central.database.engine import StoreError, open_database, reading, sqlite_url
from central.database.migrate import newest, upgrade

DEFAULT = "/var/lib/doorward-central/central.db"
UPGRADE = "doorward central database upgrade --database"

_newest = lru_cache(newest)


def database_url(told: str | os.PathLike[str]) -> str:
    """An address stays as it is, everything else is the path of a SQLite file."""
    words = os.fspath(told)
    return words if "://" in words else sqlite_url(Path(words))


def open_to_write(told: str | os.PathLike[str]) -> Engine:
    """Made if it is not there, and brought up to date: rows of an older Doorward are taken over. Raises StoreError, ConfigError."""
    url = database_url(told)
    _make_place(url)
    engine = open_database(url)
    upgrade(engine)
    return engine


def open_to_read(told: str | os.PathLike[str]) -> Engine:
    """Changes nothing. Raises StoreError when there is no such database, or when it must be upgraded first."""
    return _newest_or_none(open_database(_existing(told), read_only=True))


def open_as_it_is(told: str | os.PathLike[str]) -> Engine:
    """To write in a database that is there and up to date. Raises StoreError otherwise."""
    return _newest_or_none(open_database(_existing(told)))


def open_to_look(told: str | os.PathLike[str]) -> Engine:
    """Only to read, of whatever revision. Raises StoreError when there is no such database."""
    return open_database(_existing(told), read_only=True)


@contextmanager
def opened_to_read(told: str | os.PathLike[str]) -> Iterator[Engine]:
    """As `open_to_read`, and closed at the end."""
    engine = open_to_read(told)
    try:
        yield engine
    finally:
        engine.dispose()


def name_of(engine: Engine) -> str:
    """As a person would write it behind `--database`; without a password."""
    url = engine.url
    if url.get_backend_name() != "sqlite":
        return url.render_as_string(hide_password=True)
    path = url.database or ""
    return unquote(path.removeprefix("file://")) if path.startswith("file:") else path


def _make_place(url: str) -> None:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return
    path = Path(parsed.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():  # who came and went is for nobody else on this machine; SQLite gives its log the same mode
            path.touch(mode=0o600)
            give_to_owner_of(path.parent, path)  # the first account is added by root, and the centre's user goes on
    except OSError as error:
        raise ConfigError(
            f"--database: {path.parent} cannot be made: {error}; name a file in a folder that you may write"
        ) from error


def _existing(told: str | os.PathLike[str]) -> str:
    url = make_url(database_url(told))
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise StoreError(f"{url.database}: no such database; --database names the file that `doorward central run` writes")
    return url.render_as_string(hide_password=False)


def _newest_or_none(engine: Engine) -> Engine:
    try:
        _demand_newest(engine)
    except StoreError:
        engine.dispose()
        raise
    return engine


def _demand_newest(engine: Engine) -> None:
    with reading(engine) as db:
        found = db.scalar(text("SELECT version_num FROM alembic_version")) if inspect(db).has_table("alembic_version") else None
        is_former = found is None and inspect(db).has_table("events")
    if found == _newest():
        return
    state = f"is at revision {found}" if found else "is of an older Doorward" if is_former else "has no tables yet"
    name = name_of(engine)
    raise StoreError(f"{name}: {state}, and this program reads revision {_newest()}: run `{UPGRADE} {name}`")
