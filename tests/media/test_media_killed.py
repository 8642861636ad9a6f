"""Media dies while somebody watches: door and vision go on as if nothing had been, and the one that comes next serves again."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.link.session import Address
from central.database.engine import open_database, sqlite_url
from central.database.migrate import upgrade
from central.gateway.asking import Caller
from central.gateway.audit import AuditLog
from central.live.desk import LiveDesk
from central.settings import Live
from demo.people import fetch_people, find
from demo.run import open_stage
from demo.scene import Scene
from demo.stage import OWNER_FOB, StageOptions
from demo.walks import stand
from tests.media.media_house import Browser
from tests.system.brokers import Process, wait_until

pytestmark = pytest.mark.system

GUARD = Caller("ada", "guard")


@pytest.fixture
def stage(tmp_path: Path):
    people = fetch_people(progress=lambda text: None)
    options = StageOptions(without_vision="deny", pulse_s=0.5, keep_evidence=False, restart=False, mosquitto=True)
    made = open_stage(tmp_path / "site", options, people)
    scene = Scene(640, 480, seed=3)
    scene.enter(stand(find(people, "owner"), from_s=0.0, until_s=time.monotonic() + 300, at_m=1.2))
    made.show(scene.frame)
    made.start()
    made.wait_until_guarding(60.0)
    yield made
    made.close()


def test_a_killed_media_program_takes_neither_the_door_nor_vision_along(stage, tmp_path):
    engine = open_database(sqlite_url(tmp_path / "live.db"))
    upgrade(engine)
    clock = SystemClock()
    desk = LiveDesk(engine, Live(), Address(port=stage.port), clock, AuditLog(engine, clock), "doorward-live-test")
    media = Process([sys.executable, "-m", "agent.cli", "media", "--config", str(stage.config)], tmp_path / "media.log")
    desk.start()
    media.start()
    try:
        wait_until(lambda: desk.is_connected and "link connected" in media.log.read_text(), 40, "media does not start")
        asyncio.run(_watch(desk))
        stage.wait(lambda: "doorward.live.started" in types(stage), 40.0, "nobody knows who watched")
        media.kill()
        vision, door = (stage.programs[name].pid for name in ("vision", "door"))
        stage.present(OWNER_FOB)
        stage.wait(
            lambda: any(kind.startswith("doorward.access.") for kind in types(stage)), 40.0, "the door no longer answers a fob"
        )
        assert (vision, door) == tuple(stage.programs[name].pid for name in ("vision", "door"))
        before = media.log.read_text().count("link connected")
        media.start()
        wait_until(lambda: media.log.read_text().count("link connected") > before, 40, "media does not come back")
        asyncio.run(_watch(desk))
    finally:
        media.kill()
        desk.stop()


async def _watch(desk: LiveDesk) -> None:
    """See what vision really sees: pictures, and the face that it found, hidden."""
    from aiortc import RTCSessionDescription

    browser = Browser()
    await browser.peer.setLocalDescription(await browser.peer.createOffer())
    sdp = browser.peer.localDescription.sdp
    opened = await asyncio.to_thread(desk.open, GUARD, "demo", "front", "a look", sdp, False)
    await browser.peer.setRemoteDescription(RTCSessionDescription(opened.sdp, "answer"))
    await browser.sees(lambda picture: picture.std() > 5, "no picture of vision's")
    overlay = await browser.hears("overlay", lambda told: told["faces"])
    assert overlay["faces"][0]["subject"] is False
    await browser.close()


def types(stage) -> list[str]:
    return [event["type"] for event in stage.events()]
