"""The door's and the vision program themselves take updates, are killed in the middle, and go back where an update is no good."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from agent.link.session import Address
from agent.records.keys import centre_private
from agent.updates.in_force import read_chosen
from central.gateway.audit import AuditLog
from central.gateway.door_book import DoorBook
from central.updates.desk import UpdateDesk
from central.updates.packages import Packages
from central.updates.plan import Member, Pace
from central.updates.store import Rollouts
from demo.stage import DOOR, SITE, Stage, StageOptions
from tests.central.gateway.house import database
from tests.system.brokers import wait_until
from tests.updates.a_site import CLOCK, hurry
from tests.updates.models import models

pytestmark = pytest.mark.system

PLACE = (SITE, DOOR)


class Doorstep:
    """A door with real programs and a camera that sees a grey wall, and the centre's room of updates."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder / "stage", StageOptions(without_template="fob_alone", mosquitto=True))
        self.stage.write_access(())
        self.stage.show(lambda now_s: np.full((480, 640, 3), 90 + int(now_s * 7) % 20, np.uint8))
        address, engine = Address(port=self.stage.port), database(folder)
        audit = AuditLog(engine, CLOCK)
        self.packages = Packages(engine, CLOCK, audit, folder / "state")
        self.rollouts = Rollouts(engine, CLOCK, audit, self.packages)
        self.book = DoorBook(address, CLOCK)
        self.desk = UpdateDesk(
            self.rollouts, self.packages, self.book, address, centre_private(self.stage.keys / "centre.key"), CLOCK
        )
        self.updates = self.stage.records / "updates"

    def start(self) -> None:
        self.stage.start("broker", "door", "vision")
        self.book.start()
        self.desk.start()
        self.wait(lambda: self.health().get("vision") == "fresh", "vision does not tell what it sees")

    def health(self) -> dict:
        now = self.book.now(*PLACE)
        return now.states.get("health", {}) if now is not None else {}

    def said(self, kind: str) -> dict:
        now = self.book.now(*PLACE)
        return now.states.get("update", {}).get(kind, {}) if now is not None else {}

    def wait(self, is_so: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
        wait_until(is_so, timeout_s, f"{what}: {self.said('rules')} {self.said('models')} {self.health().get('vision_faults')}")

    def roll_out(self, number: int) -> int:
        return self.rollouts.begin("ada", number, [Member(place=PLACE, wave=0)], Pace(watch_min=0)).id

    def close(self) -> None:
        self.desk.stop()
        self.book.stop()
        self.stage.close()


@pytest.fixture
def doorstep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doorstep]:
    hurry(monkeypatch)
    doorstep = Doorstep(tmp_path)
    try:
        yield doorstep
    finally:
        doorstep.close()


def that_do_not_open(folder: Path) -> Path:
    """Models whose sums are right, and of which no interpreter makes anything."""
    models(folder, "face_detector")
    rubbish = b"TFL3" + bytes(5000)
    (folder / "face_detector.tflite").write_bytes(rubbish)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["models"][0]["sha256"] = sha256(rubbish).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_models_that_do_not_open_cost_a_door_a_second_of_sight_and_rules_reach_vision(doorstep: Doorstep, tmp_path: Path) -> None:
    doorstep.start()
    bad = doorstep.packages.add("ada", "models", that_do_not_open(tmp_path / "bad"), "2026.1").number
    id = doorstep.roll_out(bad)
    doorstep.wait(lambda: "its networks do not open" in doorstep.said("models").get("refused", ""), "not rolled back")
    assert doorstep.said("models")["number"] == 0
    wait_until(lambda: doorstep.rollouts.one(id).rollout.state == "stopped", 10, "the roll-out goes on")
    doorstep.wait(
        lambda: doorstep.health().get("vision") == "fresh" and not doorstep.health()["vision_faults"], "vision is not well"
    )
    rules = tmp_path / "rules.toml"
    rules.write_text('[vision]\nstages = ["persons"]\n[timing]\nheld_open_s = 20.0\n')
    number = doorstep.packages.add("ada", "rules", rules, "2026.1").number
    doorstep.roll_out(number)
    doorstep.wait(lambda: doorstep.said("rules").get("number") == number, "rules are not in force")
    doorstep.wait(lambda: "vision" in doorstep.health() and not doorstep.said("rules")["refused"], "vision did not take them")


def test_a_door_program_that_is_killed_in_the_middle_takes_the_whole_when_it_is_back(doorstep: Doorstep, tmp_path: Path) -> None:
    doorstep.start()
    number = doorstep.packages.add("ada", "models", models(tmp_path / "new", "face_detector"), "2026.1").number
    served = doorstep.packages.piece
    sent: list[int] = []

    def few(digest: bytes, at: int) -> bytes | None:
        sent.append(at)
        return served(digest, at) if len(sent) < 40 else None

    doorstep.packages.piece = few  # type: ignore[method-assign]
    doorstep.roll_out(number)
    doorstep.wait(lambda: len(sent) >= 40, "nothing comes")
    doorstep.stage.take_down("door")
    doorstep.packages.piece = served  # type: ignore[method-assign]
    assert read_chosen(doorstep.updates).models.number == 0
    doorstep.stage.start("door")
    doorstep.wait(lambda: doorstep.said("models").get("number") == number, "the models are not in force")
    assert doorstep.said("models")["refused"] == ""
