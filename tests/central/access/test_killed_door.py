"""The door's own program, killed with SIGKILL while its people are on their way to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.core.access import AccessProfile
from agent.link.session import Address
from agent.records.keys import door_public
from central.access.desk import BundleDesk
from demo.stage import DOOR, OWNER_FOB, SITE, Stage, StageOptions
from tests.central.access.a_site import CLOCK
from tests.central.access.test_transfer import crowded
from tests.central.people.a_centre import FOB, Centre
from tests.system.brokers import wait_until
from tools.bench.site import read_once

pytestmark = pytest.mark.system
__all__ = ["crowded"]


@pytest.mark.usefixtures("crowded")
def test_a_door_killed_in_the_middle_of_its_bundle_opens_as_before_and_then_has_the_whole(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage", StageOptions(without_template="fob_alone", mosquitto=True, restart=False))
    centre = Centre(tmp_path)
    coming = stage.records / ".access.bundle.coming"
    try:
        stage.write_access(())
        centre.people.put_profile("ada", AccessProfile(id="staff", doors=("*",), schedule="always"))
        centre.people.put_door("ada", SITE, DOOR, "Front", bytes(door_public(stage.keys / "door.pub")))
        centre.holder("holder-1", FOB)
        desk = BundleDesk(centre.people, Address(port=stage.port), stage.keys, tmp_path / "bundles", CLOCK)
        stage.start("broker", "door")
        desk.start()
        wait_until(lambda: coming.exists() and len(os.listdir(coming)) > 3, 30, "nothing comes")
        stage.take_down("door")
        here = {file.name: file.stat().st_size for file in coming.iterdir()}
        stage.start("door")
        revision = centre.people.revision
        wait_until(lambda: confirmed(desk) == revision, 30, f"the door has {confirmed(desk)}")
        assert read_once(stage, OWNER_FOB).opened
        centre.people.mark("ada", FOB, "stolen")
        wait_until(lambda: confirmed(desk) == revision + 1, 30, f"the door has {confirmed(desk)}")
        assert not read_once(stage, OWNER_FOB).opened
        desk.stop()
    finally:
        stage.close()
    assert here
    assert not coming.exists()


def confirmed(desk: BundleDesk) -> int:
    heard = desk.confirmed.of((SITE, DOOR))
    return heard.version if heard is not None else 0
