"""A centre with many people and its bundle desk, in a process of its own. Called by tools.bench.transfer only.

It obeys lines on standard input and answers each with one line of JSON; times are CLOCK_MONOTONIC, which all processes here share.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, insert

from agent.clock import SystemClock
from agent.core.access import AccessProfile
from agent.core.schedules import Interval, Schedule
from agent.core.template8 import unpacked
from agent.link.session import Address
from agent.records.keys import door_public
from central.access.desk import BundleDesk
from central.database.engine import open_database, sqlite_url, writing
from central.database.migrate import upgrade
from central.database.tables_people import CARDHOLDER_PROFILES, CARDHOLDERS, CREDENTIALS, TEMPLATES
from central.gateway.audit import AuditLog
from central.people.people import People, credential_row
from central.people.records import Held, Person
from central.people.rows import chunks, new_row
from central.people.vault import Vault, open_vault
from tools.bench.lookup_child import fob

WHO = "bench"
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Centre:
    """`doors` are SITE/DOOR=FILE with the file of the public key."""

    def __init__(self, folder: Path, keys: Path, port: int, number: int, faces: int, first_fob: str, doors: list[str]) -> None:
        folder.mkdir(exist_ok=True)
        self.engine: Engine = open_database(sqlite_url(folder / "central.db"))
        upgrade(self.engine)
        vault = open_vault(folder)
        self.people = People(self.engine, SystemClock(), AuditLog(self.engine, SystemClock()), vault)
        always = Schedule(id="always", zone="UTC", intervals=(Interval(days=tuple(range(7)), from_min=0, until_min=1440),))
        self.people.put_schedule(WHO, always)
        self.people.put_profile(WHO, AccessProfile(id="staff", doors=("*",), schedule="always"))
        self._fill(vault, number, faces)
        self.people.add(WHO, Person(id="owner", name="owner", profiles=("staff",)))
        self.people.issue(WHO, "owner", Held(key=first_fob))
        for door in doors:
            (site, name), file = door.split("=")[0].split("/"), door.split("=")[1]
            self.people.put_door(WHO, site, name, name, bytes(door_public(Path(file))))
        self.desk = BundleDesk(self.people, Address(port=port), keys, folder / "bundles", SystemClock())

    def _fill(self, vault: Vault, number: int, faces: int) -> None:
        """Straight into the tables, as an import of so many would."""
        chance = random.Random(20)  # noqa: S311 - people, no secrets
        with writing(self.engine) as connection:
            for ids in chunks(range(number), 5000):
                names = [f"{n:032x}" for n in ids]
                connection.execute(insert(CARDHOLDERS), [new_row(Person(id=name, name=name), NOW) for name in names])
                connection.execute(insert(CARDHOLDER_PROFILES), [{"cardholder": name, "profile": "staff"} for name in names])
                rows = [credential_row(name, Held(key=fob(n)), NOW) for n, name in zip(ids, names, strict=True)]
                connection.execute(insert(CREDENTIALS), rows)
                if faces:
                    connection.execute(insert(TEMPLATES), [_template(vault, name, chance) for name in names])

    # -- what can be asked

    def start(self) -> dict[str, Any]:
        began_s = time.monotonic()
        self.desk.start()
        return {"at_s": began_s}

    def offered(self, site: str, door: str) -> dict[str, Any]:
        """Waits until a bundle of the newest revision is offered."""
        wanted = self.people.revision
        while (offer := self.desk.offered().get((site, door))) is None or offer.version < wanted:
            time.sleep(0.002)
        return {"at_s": time.monotonic(), "version": offer.version, "size": offer.bundle.size if offer.bundle else 0}

    def mark(self, key: str, state: str) -> dict[str, Any]:
        began_s = time.monotonic()
        self.people.mark(WHO, key, state)  # type: ignore[arg-type]
        return {"at_s": began_s, "revision": self.people.revision}

    def add(self, id: str, key: str) -> dict[str, Any]:
        began_s = time.monotonic()
        self.people.add(WHO, Person(id=id, name=id, profiles=("staff",)))
        self.people.issue(WHO, id, Held(key=key))
        return {"at_s": began_s, "revision": self.people.revision}


def _template(vault: Vault, name: str, chance: random.Random) -> dict[str, Any]:
    sealed = vault.seal("template", name, unpacked(chance.randbytes(192)))
    return {"cardholder": name, "sealed": sealed, "embedder_id": "0123456789ab", "quality": 1.0, "pose": "front", "made": NOW}


def main(words: list[str]) -> int:
    folder, keys, port, number, faces, first_fob, *doors = words
    centre = Centre(Path(folder), Path(keys), int(port), int(number), int(faces), first_fob, doors)
    _say({"ready": True})
    for line in _lines():
        deed, *rest = line.split()
        _say(getattr(centre, deed)(*rest))
    centre.desk.stop()
    return 0


def _lines() -> Iterator[str]:
    """Until standard input ends."""
    while line := sys.stdin.readline():
        yield line


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
