"""The same tests over SQLite and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from central.database.opening import open_to_write

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)]


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database that is up to date and empty."""
    where = request.getfixturevalue("postgres_url") if request.param == "postgresql" else str(tmp_path / "central.db")
    engine = open_to_write(where)
    yield engine
    engine.dispose()
