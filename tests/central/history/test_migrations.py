"""The migrations make exactly the tables that the programs were written for, and take over what an older Doorward has kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

from central.database.engine import reading
from central.database.opening import open_to_write
from central.database.tables import METADATA


def differences(engine: Engine) -> list[object]:
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))


def test_the_migrations_make_exactly_the_tables_in_sqlite(tmp_path: Path) -> None:
    assert differences(open_to_write(tmp_path / "central.db")) == []


@pytest.mark.system
def test_the_migrations_make_exactly_the_tables_in_postgresql(postgres_url: str) -> None:
    assert differences(open_to_write(postgres_url)) == []
