"""A real PostgreSQL for tests: a cluster of its own in a folder of its own, on a Unix socket, gone when the tests are over."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

_numbers = count(1)


class Cluster:
    """A server that nobody else reaches: its socket lies in a folder that is ours."""

    def __init__(self) -> None:
        self._programs = _newest_programs()
        self._as = _identity()
        self.folder = Path(tempfile.mkdtemp(prefix="doorward-postgres-"))
        if self._as:
            shutil.chown(self.folder, self._as["user"], self._as["group"])
        self._run(
            "initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "doorward", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"
        )
        self.start()

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off -c full_page_writes=off"
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-w", "-o", options, "start")

    def crash(self) -> None:
        """Every server process ends at once, as it is; what was committed is found again by the next start."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://doorward@/{database}?host={self.folder}"

    def new_database(self, template: str = "template1") -> str:
        """The address of a database that is empty, or as another one is."""
        name = f"test_{next(_numbers)}"
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        engine.dispose()
        return self.url(name)

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run([self._programs / program, *words], cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, **self._as)  # fmt: skip
        if done.returncode and program != "pg_ctl":
            pytest.fail(f"{program}: {done.stderr}")
        done.check_returncode()


def _newest_programs() -> Path:
    found = [Path(initdb).parent for initdb in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found and (initdb := shutil.which("initdb")):
        found = [Path(initdb).resolve().parent]
    if not found:
        pytest.fail("these tests need a real PostgreSQL: apt-get install postgresql")
    return max(found, key=lambda folder: [int(part) for part in folder.parent.name.split(".") if part.isdigit()])


def _identity() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as the user that its package made."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture
def postgres_url(postgres: Cluster) -> str:
    """A fresh, empty database."""
    return postgres.new_database()
