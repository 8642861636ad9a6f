"""What the fleet talks to: a real Mosquitto and the real centre as programs of their own, with their database."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select, text

from agent.errors import DoorwardError
from agent.link.session import Address
from agent.records.keys import make_centre_keys
from central.database.opening import opened_to_read
from central.database.tables_events import CONFLICTS, EVENTS
from demo.supervisor import Program, Supervisor
from tools.fleet.door import Name

PROGRAMS = ("broker", "central")
SITE = "fleet"
PATIENCE_S = 60.0


class FleetSite:
    """`start`, `kill`, `stop`. Everything lies in `folder`."""

    def __init__(self, folder: Path, python: str, *, historian_alone: bool, database: str = "") -> None:
        """`database`: an address of PostgreSQL; empty for SQLite in the folder."""
        self.port, self.gateway_port = _free_ports(2)
        self.database = database or f"sqlite:///{folder.absolute() / 'central.db'}"
        self._folder, self._command = folder, (python, "-m", "agent.cli", "central")
        keys, logs = folder / "keys", folder / "logs"
        for part in (keys, logs, folder / "broker"):
            part.mkdir(parents=True, exist_ok=True)
        make_centre_keys(keys)
        self._config = folder / "central.toml"
        self._config.write_text(self._central_toml(keys), "utf-8")
        (folder / "mosquitto.conf").write_text(self._mosquitto_conf(), "utf-8")
        alone = ("--port", str(self.port), "--database", self.database)
        central = (*self._command, "run", *(alone if historian_alone else ("--config", str(self._config))))
        commands = {"broker": (_mosquitto(), "-c", str(folder / "mosquitto.conf")), "central": central}
        self.programs = {
            name: Supervisor(Program(name=name, command=command), logs / f"{name}.log") for name, command in commands.items()
        }

    def _central_toml(self, keys: Path) -> str:
        return f"""\
site = "{SITE}"

[broker]
port = {self.port}

[database]
url = "{self.database}"

[gateway]
port = {self.gateway_port}

[keys]
folder = "{keys.absolute()}"
"""

    def _mosquitto_conf(self) -> str:
        """As `doorward central init` writes it (central/site/mosquitto.py), but without TLS and access list."""
        user = "user root\n" if os.geteuid() == 0 else ""
        return (
            f"{user}listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            f"persistence true\npersistence_location {self._folder.absolute() / 'broker'}/\nautosave_interval 60\n"
            "max_inflight_messages 1000\nmax_queued_messages 20000\nlog_dest stderr\nlog_type error\nlog_type warning\n"
        )

    @property
    def address(self) -> Address:
        return Address(port=self.port)

    def start(self) -> None:
        """Returns when the broker listens. Raises DoorwardError. The centre may still be making its database."""
        self.programs["broker"].start()
        until(lambda: _listens(self.port), "the broker does not listen")
        self.programs["central"].start()

    def kill(self, name: str) -> None:
        """As `kill -9`; it comes back by itself, as under systemd."""
        until(self.programs[name].kill, f"{name} is not there to be killed")

    def stop(self) -> None:
        for name in reversed(PROGRAMS):
            self.programs[name].stop()

    def add_account(self, name: str, password: str) -> None:
        """A guard's, for the dashboard; the gateway answers when this returns. Raises DoorwardError."""
        until(lambda: _listens(self.gateway_port), "the gateway does not listen")
        file = self._folder / f"{name}.password"
        file.touch(mode=0o600)
        file.write_text(password, "utf-8")
        words = ("account", "add", name, "--role", "guard", "--config", str(self._config), "--password-file", str(file))
        done = subprocess.run((*self._command, *words), capture_output=True, text=True, check=False)
        if done.returncode:
            raise DoorwardError(f"no account for the dashboard: {done.stderr.strip()}")

    def kept(self) -> tuple[set[Name], int]:
        """All events in the database, and how many are in conflict."""
        with opened_to_read(self.database) as engine, engine.connect() as connection:
            rows = connection.execute(
                select(EVENTS.c.door, EVENTS.c.journal, EVENTS.c.sequence, EVENTS.c.id).where(EVENTS.c.site == SITE)
            )
            found = {Name(*row) for row in rows}
            conflicts = connection.execute(select(func.count()).select_from(CONFLICTS)).scalar_one()
        return found, conflicts

    def database_bytes(self) -> int:
        """Tables and indexes, what waits in a log left out."""
        with opened_to_read(self.database) as engine, engine.connect() as connection:
            pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            is_sqlite = connection.dialect.name == "sqlite"
            return int(
                connection.execute(text(pages if is_sqlite else "SELECT pg_database_size(current_database())")).scalar_one()
            )


def _free_ports(count: int) -> list[int]:
    """Of 127.0.0.1; others could take them before we do."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return ports


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def _mosquitto() -> str:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise DoorwardError("there is no Mosquitto on this machine: apt-get install mosquitto")
    return program


def until(is_so: Callable[[], bool], what: str) -> None:
    """Raises DoorwardError when it takes too long."""
    until_s = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > until_s:
            raise DoorwardError(f"after {PATIENCE_S:.0f} s: {what}")
        time.sleep(0.02)
