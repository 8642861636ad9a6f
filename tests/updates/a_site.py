"""A centre's room of updates over a real database, and doors' links with everything behind them but the lock and the camera."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

from nacl.public import PrivateKey

from agent.clock import SystemClock
from agent.config import Config, load_config, read_table
from agent.core.messages import VisionHealth
from agent.door_app import settings_of
from agent.link.mqtt import Link
from agent.link.session import Address
from agent.records.journal import Journal
from agent.records.keys import centre_private, centre_public, make_centre_keys
from agent.updates import post as post_module
from agent.updates.in_force import FOLDER, config_in_force, read_chosen
from agent.updates.post import KindState, Parts, UpdatePost
from agent.updates.tally import FILE, ShadowTally
from agent.updates.trial import Patience
from central.database.engine import open_database, sqlite_url
from central.gateway.audit import AuditLog
from central.gateway.door_book import DoorBook
from central.updates import desk as desk_module
from central.updates.desk import UpdateDesk
from central.updates.packages import Packages
from central.updates.plan import Member, Pace
from central.updates.store import Rollouts, Told
from tests.central.gateway.house import database
from tests.system.brokers import wait_until

CLOCK = SystemClock()
PATIENCE = Patience(comes_up_s=2.0, stays_good_s=0.2, fault_stays_s=0.1)
PACE = Pace(at_once=2, watch_min=0.0, silent_min=0.05, longest_min=1.0)


@functools.cache
def _made() -> Path:
    """A database that is up to date and empty; made once."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, True)
    database(folder).dispose()
    return folder / "central.db"


class Site:
    """`desk()` and `door(name)` make them; `close` ends what runs."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.address = folder, Address(port=port)
        self.keys = folder / "keys"
        make_centre_keys(self.keys)
        shutil.copy(_made(), folder / "central.db")
        self.engine = open_database(sqlite_url(folder / "central.db"))
        self.audit = AuditLog(self.engine, CLOCK)
        self.packages = Packages(self.engine, CLOCK, self.audit, folder / "state")
        self.rollouts = Rollouts(self.engine, CLOCK, self.audit, self.packages)
        self._running: list[Any] = []

    def desk(self) -> UpdateDesk:
        book = DoorBook(self.address, CLOCK)
        packages = Packages(self.engine, CLOCK, self.audit, self.folder / "state")
        desk = UpdateDesk(Rollouts(self.engine, CLOCK, self.audit, packages), packages, book, self.address,
                          centre_private(self.keys / "centre.key"), CLOCK)  # fmt: skip
        book.start()
        desk.start()
        self._running += [book, desk]
        return desk

    def end(self, desk: UpdateDesk) -> None:
        """That centre is gone."""
        desk.stop()
        desk._book.stop()

    def door(self, name: str = "front", *, sees: bool = True) -> Door:
        door = Door(self, name, sees)
        self._running.append(door)
        return door

    def rules(self, text: str, version: str) -> int:
        """Takes in rules; returns their number."""
        path = self.folder / f"{version}.toml"
        path.write_text(text, "utf-8")
        return self.packages.add("ada", "rules", path, version).number

    def roll_out(self, package: int, *doors: str, shadow: bool = False, pace: Pace = PACE) -> int:
        """A wave for each door."""
        members = [Member(place=("hq", door), wave=number) for number, door in enumerate(doors or ("front",))]
        return self.rollouts.begin("ada", package, members, pace, shadow=shadow).id

    def wait_for(self, id: int, state: str, timeout_s: float = 20.0) -> Told:
        wait_until(lambda: self.rollouts.one(id).rollout.state == state, timeout_s, f"roll-out {id}: {self.rollouts.one(id)}")
        return self.rollouts.one(id)

    def close(self) -> None:
        for each in reversed(self._running):
            each.stop()
        self.engine.dispose()


class Door:
    """A door of that name; one that is made again finds what the one before has on its disk."""

    def __init__(self, site: Site, name: str, sees: bool) -> None:
        folder = site.folder / name
        folder.mkdir(exist_ok=True)
        private = folder / "door.key"
        if not private.exists():
            private.write_text(bytes(PrivateKey.generate()).hex())
            private.chmod(0o600)
        (folder / "centre.pub").write_text(bytes(centre_private(site.keys / "centre.key").verify_key).hex())
        self.file = folder / "door.toml"
        if not self.file.exists():
            self.file.write_text(_toml(site, name, folder), "utf-8")
        self.folder, self.told = folder, list[tuple[str, dict[str, Any]]]()
        config, source = config_in_force(self.file)
        self.config = config
        self.journal = Journal(folder, CLOCK)
        self.link = Link(config, self.journal, lambda command: None)
        self.tally = ShadowTally(folder / FOLDER / FILE)
        self.post = UpdatePost(Parts(
            config=load_config(self.file), table=lambda: read_table(self.file), running=source.running,
            centre=centre_public(folder / "centre.pub"), link=self.link, apply=self._apply, tell=lambda *told: self.told.append(told),
            beside=lambda config, number, models: self.tally.aim(number, 0.5, CLOCK.wall()), tally=self.tally, results=folder / "results",
            patience=PATIENCE,
        ))  # fmt: skip
        self.link.listen_for_updates(self.post)
        self.vision_faults: tuple[str, ...] = ()
        self.dies_with = 0
        """Vision does not come up with models of this number."""
        self._stop = threading.Event()
        self._eyes = threading.Thread(target=self._see, daemon=True)
        if sees:
            self._eyes.start()
            wait_until(lambda: self.post._vision is not None, 5, "no vision")
        self.link.start()
        self.post.start()
        self.link.publish_state("health", {"vision": "fresh", "vision_faults": [], "journal_faults": [], "input_faults": {}})

    def _apply(self, config: Config, taken: Any) -> None:
        """As the door's loop does while nobody is there."""
        settings_of(config)
        self.config = config
        taken()

    def _see(self) -> None:
        """As the vision program does, a little faster."""
        while not self._stop.wait(0.02):
            chosen = read_chosen(self.folder / FOLDER)
            dead = self.dies_with and self.dies_with in (chosen.models.number, chosen.models.shadow)
            health = VisionHealth(at_s=CLOCK.mono_s(), ok=True, camera="", engine="", frames_per_s=15.0, faults=self.vision_faults,
                                  rules=chosen.rules.number, models=chosen.models.number, shadow=chosen.models.shadow)  # fmt: skip
            self.post.vision(None if dead else health)

    def state(self, kind: str = "rules") -> KindState:
        return self.post._state_of(kind)  # type: ignore[arg-type]

    def wait_for(self, kind: str, number: int, timeout_s: float = 15.0) -> None:
        wait_until(
            lambda: self.state(kind).number == number and not self.state(kind).trial, timeout_s, f"{kind}: {self.state(kind)}"
        )

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told]

    def stop(self) -> None:
        if not self._stop.is_set():
            self._stop.set()
            self.post.stop()
            self.link.close()
            self.journal.close()


def _toml(site: Site, name: str, folder: Path) -> str:
    return f"""
site = "hq"
door = "{name}"
[policy]
face_wait_s = 2.0
[timing]
held_open_s = 50.0
[records]
folder = "{folder}"
bundle = "{folder}/access.bundle"
centre_key = "{folder}/centre.pub"
door_key = "{folder}/door.key"
[link]
port = {site.address.port}
[behaviour]
enabled = false
"""


def hurry(monkeypatch: Any) -> None:
    """A centre that believes at once what it hears."""
    monkeypatch.setattr(desk_module, "SETTLE_S", 0.3)
    monkeypatch.setattr(desk_module, "LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(post_module, "LOOK_EVERY_S", 0.05)
