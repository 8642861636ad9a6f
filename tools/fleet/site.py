"""What the fleet talks to: a real Mosquitto and the real centre as programs of their own, with their database, and what they cost."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from sqlalchemy import func, select

from agent.errors import DoorwardError
from agent.records.keys import make_centre_keys
from central.database.opening import opened_to_read
from central.database.tables_events import CONFLICTS, EVENTS
from demo.stage import free_port
from demo.supervisor import Program, Supervisor

PROGRAMS = ("broker", "central")
SITE = "fleet"
PATIENCE_S = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Cost(Struct, frozen=True):
    """Of one program while the day lasted; a program that was killed counts from its last start for memory, and all its starts for time."""

    cpu_s: float
    core_percent: float
    most_mb: float


class FleetSite:
    """`start`, `kill`, `stop`. Everything lies in `folder`."""

    def __init__(self, folder: Path, python: str, *, historian_alone: bool, database: str = "") -> None:
        """`database`: an address of PostgreSQL; empty for SQLite in the folder."""
        self.port, self._gateway = free_port(), free_port()
        self.database = database or f"sqlite:///{folder.absolute() / 'central.db'}"
        keys, self._logs = folder / "keys", folder / "logs"
        for part in (keys, self._logs):
            part.mkdir(parents=True, exist_ok=True)
        make_centre_keys(keys)
        (folder / "central.toml").write_text(self._central_toml(keys), "utf-8")
        doorward = (python, "-m", "agent.cli", "central", "run")
        central = (*doorward, "--config", str(folder / "central.toml"))
        if historian_alone:
            central = (*doorward, "--port", str(self.port), "--database", self.database)
        commands = {"broker": (_mosquitto(), "-c", str(self._mosquitto_conf(folder))), "central": central}
        self.programs = {name: Supervisor(Program(name=name, command=command), self._logs / f"{name}.log")
                         for name, command in commands.items()}  # fmt: skip

    def _central_toml(self, keys: Path) -> str:
        return f"""\
site = "{SITE}"

[broker]
port = {self.port}

[database]
url = "{self.database}"

[gateway]
port = {self._gateway}

[keys]
folder = "{keys.absolute()}"
"""

    def _mosquitto_conf(self, folder: Path) -> Path:
        """Limits as `doorward central init` sets them (central/site/mosquitto.py); no TLS, no access list."""
        path = folder / "mosquitto.conf"
        path.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
            "max_inflight_messages 1000\nmax_queued_messages 20000\nlog_dest stderr\nlog_type error\nlog_type warning\n"
        )
        return path

    def start(self) -> None:
        """Returns when the broker listens. Raises DoorwardError. The centre may still be making its database."""
        self.programs["broker"].start()
        _wait(self._listens, "the broker does not listen")
        self.programs["central"].start()

    def kill(self, name: str) -> None:
        """As `kill -9`; it comes back by itself, as under systemd."""
        _wait(self.programs[name].kill, f"{name} is not there to be killed")

    def stop(self) -> None:
        for name in reversed(PROGRAMS):
            self.programs[name].stop()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True

    def kept(self) -> tuple[set[tuple[str, str, int, str]], int]:
        """(door, journal, sequence, id) of all events in the database, and how many are in conflict."""
        with opened_to_read(self.database) as engine, engine.connect() as connection:
            rows = connection.execute(
                select(EVENTS.c.door, EVENTS.c.journal, EVENTS.c.sequence, EVENTS.c.id).where(EVENTS.c.site == SITE)
            )
            found = {(row.door, row.journal, row.sequence, row.id) for row in rows}
            conflicts = connection.execute(select(func.count()).select_from(CONFLICTS)).scalar_one()
        return found, conflicts


class Meter:
    """Looks at the programs twice a second, in a thread of its own."""

    def __init__(self, programs: dict[str, Supervisor]) -> None:
        self._programs, self._stopping = programs, threading.Event()
        self._cpu_s: dict[tuple[str, int], float] = {}
        self._first_s: dict[tuple[str, int], float] = {}
        self._most_mb = dict.fromkeys(programs, 0.0)
        self._began_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)
        self._fresh = False

    def __enter__(self) -> Meter:
        self._look()  # what a program used before is not of this measurement
        self._fresh = True
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._look()

    def costs(self) -> dict[str, Cost]:
        lasted_s = time.monotonic() - self._began_s
        spent = dict.fromkeys(self._programs, 0.0)
        for (name, pid), cpu_s in self._cpu_s.items():
            spent[name] += cpu_s - self._first_s[name, pid]
        return {name: Cost(round(cpu_s, 2), round(100 * cpu_s / lasted_s, 1), round(self._most_mb[name], 1))
                for name, cpu_s in spent.items()}  # fmt: skip

    def _run(self) -> None:
        while not self._stopping.wait(0.5):
            self._look()

    def _look(self) -> None:
        for name, program in self._programs.items():
            if (pid := program.pid) is None or (found := used(pid)) is None:
                continue
            cpu_s, most_mb = found
            self._first_s.setdefault((name, pid), 0.0 if self._fresh else cpu_s)
            self._cpu_s[name, pid] = cpu_s
            self._most_mb[name] = max(self._most_mb[name], most_mb)


def used(pid: int) -> tuple[float, float] | None:
    """Processor seconds of a program, and the most memory that it has had in MB; None when it is gone. proc(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    most = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
    return (int(fields[11]) + int(fields[12])) / _TICKS, most / 1024


def _mosquitto() -> str:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise DoorwardError("there is no Mosquitto on this machine: apt-get install mosquitto")
    return program


def _wait(is_so: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > until_s:
            raise DoorwardError(f"after {PATIENCE_S:.0f} s: {what}")
        time.sleep(0.02)
