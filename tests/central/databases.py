"""The same tests over SQLite and a real PostgreSQL. Tables are made once for each and copied: migrations have tests of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from central.database.engine import open_database
from central.database.opening import database_url, open_to_write
from tests.central.postgres import Cluster

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)]


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "central.db"
    open_to_write(path).dispose()
    return path


@pytest.fixture(scope="session")
def made_database(postgres: Cluster) -> str:
    """Its name in the cluster."""
    url = postgres.new_database()
    open_to_write(url).dispose()
    return str(make_url(url).database)


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database that is up to date and empty; in a file of the test, or in a cluster of the session."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("made_file"), tmp_path / "copy.db")
        engine = open_database(database_url(tmp_path / "copy.db"))
    else:
        engine = open_database(request.getfixturevalue("postgres").new_database(request.getfixturevalue("made_database")))
    yield engine
    engine.dispose()
