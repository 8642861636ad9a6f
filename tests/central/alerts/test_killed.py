"""The alert desk is killed with -9 at moments of chance: every alert is told at least once, and is on the list exactly once."""

from __future__ import annotations

import random
import sys
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.central.alerts.house import Centre, commit, event
from tests.system.brokers import Process, wait_until
from tools.push_service import PushService

pytestmark = pytest.mark.system

DOORS_A_ROUND = 6


def test_a_desk_that_is_killed_again_and_again_forgets_nobody(tmp_path: Path) -> None:
    chance = random.Random(6)
    centre = Centre(tmp_path, people={"guard-1": "guard"})
    program = Process([sys.executable, "-m", "tests.central.alerts.desk_program", str(tmp_path)], tmp_path / "desk.log")
    with PushService().running() as service:
        centre.device("guard-1", "phone", service)
        doors = 0

        def tried() -> int:
            return sum(row.attempts > 0 for row in centre.outbox())

        try:
            for answers in (503, 201, 201):
                service.status_of = lambda path, answers=answers: answers  # type: ignore[misc]
                (tmp_path / "started").unlink(missing_ok=True)
                before, enough = tried(), chance.randrange(DOORS_A_ROUND)
                program.start()
                wait_until((tmp_path / "started").exists, 20, "the desk does not start")
                for _ in range(DOORS_A_ROUND):
                    doors += 1
                    commit(centre.engine, event("door.forced", door=f"door-{doors}", at=datetime.now(timezone.utc)))
                wait_until(lambda before=before, enough=enough: tried() > before + enough, 20, "nothing is tried")  # type: ignore[misc]
                program.kill()
            program.start()
            wait_until(lambda: len({got.told["id"] for got in service.got}) == doors, 20, "an alert was lost")
        finally:
            program.kill()
    assert service.unfit == []
    assert {got.told["title"] for got in service.got} == {f"Door forced open: hq/door-{number}" for number in range(1, doors + 1)}
    assert set(Counter(alert.door for alert in centre.alerts).values()) == {1}
    assert all(alert.folded == 0 for alert in centre.alerts)
