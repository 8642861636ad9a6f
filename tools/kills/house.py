"""A house to be killed: a real Mosquitto, the whole centre, doors with everything but their wires, and doors that only talk.

Each program is started again 0.2 s after it ended, as systemd would do it.
"""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

from agent.clock import SystemClock
from agent.core.access import AccessProfile, AccessRules
from agent.core.people import Cardholder, Credential, Roll
from agent.records.journal_db import JournalDb
from agent.records.keys import centre_private, door_public, make_door_keys
from central.access.bundles import write_bundle
from central.accounts_cli import ANCHOR
from central.database.opening import open_to_write
from central.gateway.accounts import Accounts
from central.gateway.audit import AuditLog
from central.gateway.passwords import seal_in
from central.settings import load_settings
from demo.stage import ALWAYS, CONTACT_PIN, D0_PIN, D1_PIN, RELAY_PIN, RESTING, REX_PIN
from demo.supervisor import Program, Supervisor
from hw.rig import Rig
from tools.fleet.site import SITE, FleetSite
from tools.kills.talker import HUSH, SAID

GUARD, PASSWORD = "guard-1", "four cats on a warm roof"
PULSE_S = 0.5
TALKS_EVERY_S = 0.01
Fact = tuple[str, str, int, str]
"""Door, journal, sequence, id of an event; the id is '' where it is not known."""


class HouseDoor:
    """`doorward door` with its journal and its link; a rig plays what is beyond the pins."""

    def __init__(self, folder: Path, name: str, port: int, keys: Path) -> None:
        self.name, self.records = name, folder / "records"
        for part in (folder, self.records, folder / "run"):
            part.mkdir(parents=True, exist_ok=True)
        self.rig = Rig(str(folder / "run" / "rig.sock"), RESTING)
        key, public = make_door_keys(folder)
        write_bundle(self.records / "access.bundle", _rules(name), _people(), centre_private(keys / "centre.key"), door_public(public),
                     datetime.now(timezone.utc))  # fmt: skip
        config = folder / "door.toml"
        config.write_text(_door_toml(self, folder, port, keys, key), "utf-8")
        doorward = (sys.executable, "-m", "agent.cli")
        program = Program(name=name, command=(*doorward, "door", "--config", str(config)),
                          after_end=(*doorward, "safe-state", "--config", str(config)))  # fmt: skip
        self.program = Supervisor(program, folder / "log")

    def said(self) -> set[Fact]:
        """What it put on record, as far as somebody else than its journal knows."""
        return set()

    def close(self) -> None:
        self.rig.close()


class Talker:
    """A door program reduced to journal and link."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self.name = name
        self.records = folder
        folder.mkdir(parents=True, exist_ok=True)
        command = (
            sys.executable,
            "-m",
            "tools.kills.talker",
            str(folder),
            SITE,
            name,
            str(port),
            str(TALKS_EVERY_S),
        )
        self.program = Supervisor(Program(name=name, command=command), folder / "log")

    def hush(self) -> None:
        """It says nothing new from now on."""
        (self.records / HUSH).touch()

    def said(self) -> set[Fact]:
        """The last line may have been cut off by a kill."""
        whole = (self.records / SAID).read_bytes().rpartition(b"\n")[0].decode()
        lines = (line.split() for line in whole.splitlines())
        return {(self.name, journal, int(sequence), identity) for journal, sequence, identity in lines}

    def close(self) -> None:
        """Nothing is left open."""


class House:
    """`start`, kill its `programs`, `stop`. Files lie in `folder`."""

    def __init__(self, folder: Path, doors: int, talkers: int, database: str = "") -> None:
        """`database`: an address of PostgreSQL; empty for SQLite in the folder."""
        self.folder, self.keys = folder, folder / "keys"
        self.site = FleetSite(folder, sys.executable, historian_alone=False, database=database)
        self.database = self.site.database
        self.gateway = f"http://127.0.0.1:{load_settings(folder / 'central.toml').gateway.port}/api"
        self.real = [HouseDoor(folder / f"door-{n}", f"door-{n}", self.site.port, self.keys) for n in range(1, doors + 1)]
        self.talkers = [Talker(folder / f"talker-{n}", f"talker-{n}", self.site.port) for n in range(1, talkers + 1)]
        self.doors: list[HouseDoor | Talker] = [*self.real, *self.talkers]
        self.programs = {**self.site.programs, **{door.name: door.program for door in self.doors}}

    @property
    def anchor(self) -> Path:
        """Where the head of the audit log is kept outside the database."""
        return self.keys / ANCHOR

    def start(self) -> None:
        """Returns when the broker listens; the rest comes up by itself."""
        self._add_guard()
        self.site.start()
        for door in self.doors:
            door.program.start()

    def _add_guard(self) -> None:
        engine, clock = open_to_write(self.database), SystemClock()
        try:
            accounts = Accounts(engine, clock, AuditLog(engine, clock, self.anchor), seal_in(self.keys))
            accounts.add("installer", GUARD, "guard", PASSWORD)
        finally:
            engine.dispose()

    def stop(self) -> None:
        for door in self.doors:
            door.program.stop()
        self.site.stop()
        for door in self.doors:
            door.close()

    def waiting(self) -> dict[str, int]:
        """How many events wait in the journal of each door."""
        return {door.name: _journal(door.records)[1] for door in self.doors}

    def counted(self) -> dict[str, dict[str, int]]:
        """How far the journals of each door have counted."""
        return {door.name: _journal(door.records)[0] for door in self.doors}


def _journal(records: Path) -> tuple[dict[str, int], int]:
    with closing(JournalDb(records / "journal.db", reader=True)) as journal:
        return journal.counted(), journal.count()


def _people() -> Roll:
    """One cardholder with the demo's fob."""
    return Roll([Cardholder(id="holder-1", profiles=("staff",))], [Credential(key="H10301:1:5283", cardholder="holder-1")])


def _rules(door: str) -> AccessRules:
    return AccessRules(version=1, site=SITE, door=door, people=_people(), schedules={"always": ALWAYS},
                       profiles={"staff": AccessProfile(id="staff", doors=(door,), schedule="always")})  # fmt: skip


def _door_toml(door: HouseDoor, folder: Path, port: int, keys: Path, key: Path) -> str:
    return f"""\
site = "{SITE}"
door = "{door.name}"
run_folder = "{folder / "run"}"

[board]
pins = "sim"
rig = "{folder / "run" / "rig.sock"}"

[[readers]]
kind = "wiegand"
name = "front"
d0_pin = {D0_PIN}
d1_pin = {D1_PIN}

[lock]
relay_pin = {RELAY_PIN}
pulse_s = {PULSE_S}

[inputs]
contact_pin = {CONTACT_PIN}
rex_pin = {REX_PIN}

[policy]
without_template = "fob_alone"
liveness = "off"

[records]
folder = "{door.records}"
bundle = "{door.records / "access.bundle"}"
centre_key = "{keys / "centre.pub"}"
door_key = "{key}"

[link]
port = {port}
"""
