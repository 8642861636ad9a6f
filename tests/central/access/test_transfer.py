"""People are changed at the centre, and doors answer by it: over real brokers, with cuts and kills in the middle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from agent.core.people import Issued
from central.access.desk import BundleDesk
from central.people.people import People
from tests.central.access.a_site import Door, Site
from tests.central.people.a_centre import FOB
from tests.records.bundles import crowd, fob_of
from tests.system.brokers import KINDS, Broker, running, wait_until

pytestmark = pytest.mark.system

OTHER = "H10301:1:5284"
CROWD = 6000
"""With a face each: 2 MB, so some 30 parts, and 10 rounds of questions."""


@contextmanager
def site_at(folder: Path, kind: str = "mosquitto") -> Iterator[tuple[Site, Broker]]:
    broker = Broker(kind, folder)
    with running(broker):
        site = Site(folder, broker.port)
        try:
            yield site, broker
        finally:
            site.close()


def is_confirmed(desk: BundleDesk, revision: int) -> bool:
    heard = desk.confirmed.of(("hq", "front"))
    return heard is not None and heard.as_of >= revision


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside those of the database there are so many more people, who need not be put into it one by one."""
    issued_for = People.issued_for

    def with_crowd(self: People, site: str, door: str) -> Iterator[Issued]:
        yield from issued_for(self, site, door)
        yield from crowd(CROWD, faces=1)

    monkeypatch.setattr(People, "issued_for", with_crowd)


def spooled(door: Door) -> int:
    folder = door.folder / ".access.bundle.coming"
    return len(os.listdir(folder)) if folder.exists() else 0


@contextmanager
def pieces_of(broker: Broker) -> Iterator[list[str]]:
    """The hashes of what the front door is sent."""
    sent: list[str] = []
    ear = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    ear.on_message = lambda client, data, message: sent.append(message.topic.split("/")[5])
    ear.connect("127.0.0.1", broker.port)
    ear.subscribe("doorward/+/front/access/part/+/+")
    ear.loop_start()
    yield sent
    ear.loop_stop()


@pytest.mark.parametrize("kind", KINDS)
def test_somebody_who_is_added_passes_and_whose_fob_is_stolen_does_not(tmp_path: Path, kind: str) -> None:
    with site_at(tmp_path, kind) as (site, _):
        desk, door = site.desk(), site.door()
        site.centre.holder("holder-1", FOB, OTHER)
        door.wait_for(FOB, "")
        door.wait_for(OTHER, "")
        site.centre.people.mark("ada", FOB, "stolen")
        door.wait_for(FOB, "credential_stolen")
        assert door.answer(OTHER) == ""
        revision = site.centre.people.revision
        wait_until(lambda: is_confirmed(desk, revision), 15, f"not confirmed: {desk.confirmed.of(('hq', 'front'))}")
        assert desk.behind("hq", "front") == 0


@pytest.mark.usefixtures("crowded")
def test_a_broker_that_is_killed_in_the_middle_costs_what_was_under_way(tmp_path: Path) -> None:
    with site_at(tmp_path) as (site, broker):
        site.centre.holder("holder-1", FOB)
        door = site.door()
        site.desk()
        wait_until(lambda: spooled(door) > 3, 20, "nothing comes")
        broker.kill()
        here = spooled(door)
        broker.start()
        door.wait_for(fob_of(CROWD - 1), "", 20)
        assert here > 3
        assert door.answer(FOB) == ""
        wait_until(lambda: spooled(door) == 0, 5, "what was fetched is left behind")


@pytest.mark.usefixtures("crowded")
def test_a_door_that_ends_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    with site_at(tmp_path) as (site, broker):
        site.centre.holder("holder-1", FOB)
        door = site.door()
        site.desk()
        wait_until(lambda: spooled(door) > 3, 20, "nothing comes")
        broker.kill()
        door.stop()
        here = set(os.listdir(door.folder / ".access.bundle.coming"))
        broker.start()
        with pieces_of(broker) as sent:
            again = site.door()
            again.wait_for(fob_of(CROWD - 1), "", 20)
        assert len(here) > 3
        assert not here & set(sent)


@pytest.mark.usefixtures("crowded")
def test_a_door_that_was_away_for_a_week_catches_up_and_fetches_only_what_changed(tmp_path: Path) -> None:
    with site_at(tmp_path) as (site, broker):
        people = site.centre.people
        site.centre.holder("holder-1", FOB, OTHER)
        site.desk()
        door = site.door()
        door.wait_for(fob_of(1), "", 20)
        door.stop()
        for day in range(7):
            site.centre.holder(f"holder-day-{day}", f"H10301:9:{day}")
        people.mark("ada", FOB, "stolen")
        with pieces_of(broker) as sent:
            again = site.door()
            again.wait_for("H10301:9:6", "", 20)
        assert again.answer(FOB) == "credential_stolen"
        assert len(set(sent)) < 20  # of 33: the head and a part for each change, twice if a bundle was being made as it came back
        assert all(again.answer(f"H10301:9:{day}") == "" for day in range(7))


def test_what_is_forged_older_or_for_another_door_changes_nothing_and_is_told(tmp_path: Path) -> None:
    with site_at(tmp_path) as (site, broker):
        desk, door = site.desk(), site.door()
        site.centre.holder("holder-1", FOB)
        door.wait_for(FOB, "")
        old = desk._told["hq", "front"].raw
        site.centre.people.mark("ada", FOB, "stolen")
        revision = site.centre.people.revision
        wait_until(lambda: is_confirmed(desk, revision), 15, "not confirmed")
        others = desk._told["hq", "vault"].raw
        mallory = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        mallory.connect("127.0.0.1", broker.port)
        mallory.loop_start()
        for raw in (old, others, old[:-40], b"{}"):
            mallory.publish("doorward/hq/front/access/version", raw, qos=1).wait_for_publish(5)
        wait_until(lambda: len(door.events("bundle.refused")) >= 2, 15, "nothing was refused")
        mallory.loop_stop()
        assert door.answer(FOB) == "credential_stolen"
        heard = desk.confirmed.of(("hq", "front"))
        assert heard is not None
        assert "offer" in heard.refused


def test_five_doors_hear_of_a_stolen_fob_and_the_one_that_is_away_hears_of_it_when_it_is_back(tmp_path: Path) -> None:
    with site_at(tmp_path) as (site, _):
        people = site.centre.people
        profile = people.book().profiles["staff"]
        people.put_profile("ada", type(profile)(id="staff", doors=("hq/*",), schedule="always"))
        site.desk()
        doors = [site.door(f"door-{number}") for number in range(5)]
        site.centre.holder("holder-1", FOB)
        for door in doors:
            door.wait_for(FOB, "")
        doors[0].stop()
        people.mark("ada", FOB, "stolen")
        for door in doors[1:]:
            door.wait_for(FOB, "credential_stolen")
        site.door("door-0").wait_for(FOB, "credential_stolen")
