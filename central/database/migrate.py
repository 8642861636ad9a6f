"""Bring a database up to date: each migration is a file in `migrations/versions`, and those that are missing are run in one transaction."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from agent.errors import ConfigError
from central.database.engine import reading, writing

_FOLDER = Path(__file__).parent / "migrations"


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config


def newest() -> str:
    """The revision that this program was written for."""
    return str(ScriptDirectory.from_config(alembic_config()).get_current_head())


def revision_of(engine: Engine) -> str | None:
    """The revision of a database; None for one that is empty. Raises StoreError."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine) -> None:
    """Make or renew every table. Raises ConfigError when the database was written by a newer program, StoreError otherwise."""
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    found = revision_of(engine)
    if found is not None and found not in known:
        raise ConfigError(
            f"database: revision {found!r} is of a newer Doorward than this one, which knows {newest()!r}: update it"
        )
    config = alembic_config()
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
