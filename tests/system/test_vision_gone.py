"""Vision is killed or stopped in the middle of work: the door answers within its policy's wait and says why."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from demo.people import fetch_people, find
from demo.play import await_decision
from demo.run import open_stage
from demo.scene import Scene
from demo.stage import OWNER_FOB, StageOptions
from demo.walks import stand

pytestmark = pytest.mark.system

VISION_WAIT_MS = 500.0
BUSY_MS = 150.0
"""What a loaded two-core machine may add."""
STALE_AFTER_S = 0.6


@pytest.fixture(scope="module")
def people():
    return fetch_people(progress=lambda text: None)


@pytest.fixture(params=["deny", "fob_alone"])
def stage(request, tmp_path: Path, people):
    stage = open_stage(
        tmp_path / "site", StageOptions(without_vision=request.param, pulse_s=0.5, keep_evidence=False, restart=False), people
    )
    scene = Scene(640, 480, seed=3)
    scene.enter(stand(find(people, "owner"), from_s=0.0, until_s=time.monotonic() + 300, at_m=1.2))
    stage.show(scene.frame)
    stage.start()
    stage.wait_until_guarding(30.0)
    yield stage
    stage.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_owner_is_answered_by_policy_within_its_wait(stage, number):
    known = {event["id"] for event in stage.events()}
    stage.present(OWNER_FOB)
    seen = await_decision(stage, known, 10.0)
    assert seen["data"]["reasons"] == ["face_match"]
    time.sleep(1.0)  # the pulse ends; the fob is no longer the same case

    stage.programs["vision"].kill(number)
    time.sleep(STALE_AFTER_S)
    known = {event["id"] for event in stage.events()}
    stage.present(OWNER_FOB)
    unseen = await_decision(stage, known, 10.0)

    alone = stage.options.without_vision == "fob_alone"
    assert unseen["data"]["granted"] is alone
    assert unseen["data"]["reasons"] == (["fob_alone_no_vision", "vision_stale"] if alone else ["vision_stale"])
    assert unseen["data"]["decided_ms"] < VISION_WAIT_MS + BUSY_MS
    assert unseen["data"]["seen"]["status"] == "stale"
