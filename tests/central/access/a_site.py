"""A centre with real people in a real database, its bundle desk, and doors' links with everything behind them but the lock."""

from __future__ import annotations

import queue
from pathlib import Path

from nacl.public import PrivateKey

from agent.clock import SystemClock
from agent.config import parse_config
from agent.core.access import AccessRules, may_pass
from agent.core.messages import Event
from agent.link.access import AccessPost, Change
from agent.link.mqtt import Link
from agent.link.session import Address
from agent.records.bundle import BundleStore, BundleWatch
from agent.records.journal import Journal
from agent.records.keys import centre_private, centre_public, door_private, make_centre_keys
from central.access.desk import BundleDesk
from tests.central.people.a_centre import Centre
from tests.system.brokers import wait_until

CLOCK = SystemClock()


class Site:
    """`desk()` and `door(name)` make them; `close` ends what runs."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.keys = folder / "keys"
        make_centre_keys(self.keys)
        self.centre = Centre(folder)
        self._running: list[BundleDesk | Door] = []

    def desk(self) -> BundleDesk:
        desk = BundleDesk(self.centre.people, Address(port=self.port), self.keys, self.folder / "bundles", CLOCK)
        desk.start()
        self._running.append(desk)
        return desk

    def door(self, name: str = "front") -> Door:
        door = Door(self, name)
        self._running.append(door)
        return door

    def close(self) -> None:
        for each in reversed(self._running):
            each.stop()


class Door:
    """A door of that name; one that is made again finds what the one before has on its disk."""

    def __init__(self, site: Site, name: str) -> None:
        folder = site.folder / name
        folder.mkdir(exist_ok=True)
        private = folder / "door.key"
        if not private.exists():
            private.write_text(bytes(PrivateKey.generate()).hex())
            private.chmod(0o600)
            site.centre.people.put_door("ada", "hq", name, name, bytes(door_private(private).public_key))
        (folder / "centre.pub").write_text(bytes(centre_private(site.keys / "centre.key").verify_key).hex())
        records = {"folder": str(folder), "bundle": str(folder / "access.bundle"), "centre_key": str(folder / "centre.pub"),
                   "door_key": str(private)}  # fmt: skip
        config = parse_config({"site": "hq", "door": name, "link": {"port": site.port}, "records": records})
        assert centre_public(folder / "centre.pub")
        self.folder = folder
        self.journal = Journal(folder, CLOCK)
        self.link = Link(config, self.journal, lambda command: None)
        self.store = BundleStore(config, self.journal)
        self.access = AccessPost(self.store, self.link, self._take)
        self.link.listen_for_access(self.access)
        self.rules: AccessRules = self.access.begin(self.store.load())
        self.changes: queue.Queue[Change] = queue.Queue()
        self._watch = BundleWatch(self.store, self.rules, self.access.newer, on_refused=self.access.refused)
        self.link.start()
        self._watch.start()
        self.access.start(self._watch.look_now)
        self._stopped = False

    def _take(self, change: Change) -> None:
        """As the door's loop does."""
        self.rules = change.rules
        change.taken()

    def answer(self, fob: str) -> str:
        """Why a fob is refused here; "" when it may pass."""
        refused = may_pass(self.rules, fob, CLOCK.wall()).refused
        return refused.value if refused is not None else ""

    def wait_for(self, fob: str, answer: str, timeout_s: float = 15.0) -> None:
        wait_until(
            lambda: self.answer(fob) == answer,
            timeout_s,
            f"{fob} gets {self.answer(fob)!r}, not {answer!r}: {self.access.health()}",
        )

    def events(self, kind: str) -> list[Event]:
        assert self.journal.flush(5)
        return [pending.event for pending in self.journal.pending() if pending.event.kind == kind]

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self.access.stop()
            self._watch.stop()
            self.link.close()
            self.journal.close()
