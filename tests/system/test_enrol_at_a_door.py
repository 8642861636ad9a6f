"""Somebody is enrolled at a door's own camera, from the order at the centre to the template that opens it: real programs, real pixels."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import paho.mqtt.client as mqtt
import pytest
from playwright.sync_api import Page, expect

from agent.clock import SystemClock
from agent.core.access import AccessProfile
from agent.records.keys import door_public
from central.accounts_cli import ANCHOR
from central.centre import Centre
from central.database.opening import open_to_write
from central.gateway.accounts import Accounts
from central.gateway.audit import AuditLog
from central.gateway.passwords import seal_in
from central.settings import Broker, CentralConfig, Database, Gateway, Keys
from central.site.registry import DoorEntry, DoorRegistry
from demo.people import fetch_people
from demo.play import await_decision
from demo.stage import ALWAYS, DOOR, OWNER_FOB, SITE, Stage, StageOptions
from tests.browser.house import PASSWORD, Api, chromium, sign_in
from tests.browser.test_dashboard import serious
from tests.system.brokers import wait_until
from tests.test_asyncapi import faults_of
from tests.vision.people import canvas_with

pytestmark = pytest.mark.system

HERE = {"site": SITE, "door": DOOR}
SHOWN = {"front": "owner_enrolment", "left": "owner_approach", "right": "owner_speaking"}
"""Photographs of the owner, by how the head is turned."""
FACE_PX = 110


class House:
    """A door and its camera as processes, the centre in this one, and somebody before the camera who does as they are told."""

    def __init__(self, folder: Path) -> None:
        shown = {Path(each.file).stem: each for each in fetch_people(progress=lambda text: None)}
        self.stage = Stage(folder, StageOptions(mosquitto=True, restart=False, keep_evidence=False, pulse_s=0.5))
        self.stage.write_access(())
        self.centre = self._centre()
        self.heard: list[tuple[str, bytes]] = []
        self._ear = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._ear.on_message = lambda _client, _user, message: self.heard.append((message.topic, bytes(message.payload)))
        self._pictures = {pose: canvas_with(shown[name], FACE_PX, (320, 240))[0] for pose, name in SHOWN.items()}
        self._noise = itertools.cycle(np.random.default_rng(5).integers(0, 6, (4, 480, 640, 3), np.uint8))
        self.pose = ""

    def _centre(self) -> Centre:
        stage, clock = self.stage, SystemClock()
        url = f"sqlite:///{stage.database}"
        DoorRegistry(stage.folder).put(
            DoorEntry(**HERE, name="Front door", public_key=bytes(door_public(stage.keys / "door.pub"))), clock.wall()
        )
        engine = open_to_write(url)
        accounts = Accounts(engine, clock, AuditLog(engine, clock, stage.keys / ANCHOR), seal_in(stage.keys))
        for name, role in (("mary", "manager"), ("ada", "auditor")):
            accounts.add("test", name, role, PASSWORD, shown=name.title())
        engine.dispose()
        config = CentralConfig(site=SITE, broker=Broker(port=stage.port), database=Database(url=url), gateway=Gateway(port=0),
                               keys=Keys(folder=str(stage.keys)))  # fmt: skip
        return Centre(config, stage.folder, clock)

    def open(self) -> None:
        self.stage.show(lambda t_s: self._seen())
        self.stage.start("broker")
        self.centre.start()
        self._ear.connect("127.0.0.1", self.stage.port)
        self._ear.subscribe("doorward/+/+/enrol/#", 1)
        self._ear.loop_start()
        self.stage.start("door", "vision")
        self.mary, self.ada = Api(self.centre.url, "mary"), Api(self.centre.url, "ada")
        self.ask("PUT", "/schedules/always", json=msgspec.to_builtins(ALWAYS))
        staff = AccessProfile(id="staff", doors=(DOOR,), schedule=ALWAYS.id)
        self.ask("PUT", "/profiles/staff", json=msgspec.to_builtins(staff))
        self.stage.wait_until_guarding(40.0)

    def close(self) -> None:
        self._ear.loop_stop()
        self.mary.close()
        self.ada.close()
        self.centre.stop()
        self.stage.close()

    def _seen(self) -> Any:
        picture = self._pictures.get(self.pose)
        return next(self._noise) + (np.full((480, 640, 3), 120, np.uint8) if picture is None else np.minimum(picture, 249))

    def ask(self, method: str, path: str, **more: Any) -> Any:
        return self.mary.ask(method, path, **more)

    def holder(self, id: str, begin: bool = True) -> str:
        """Somebody who has signed; the name of a session. `begin`: or not."""
        self.ask("POST", "/people", json={"id": id, "name": "Ada Lovelace", "profiles": ["staff"]})
        if not begin:
            return ""
        edition = self.ask("GET", "/consent")["edition"]
        self.ask("POST", f"/people/{id}/consent", json={"edition": edition, "signed_name": "Ada Lovelace"})
        return str(self.ask("POST", f"/people/{id}/enrolment", json={})["session"])

    def news(self, session: str, after: int = -1) -> dict[str, Any]:
        return dict(self.ask("GET", f"/enrolment/{session}/door", params={"after": after}))

    def obeys(self, session: str) -> list[dict[str, Any]]:
        """Somebody stands before the camera and turns as they are told, until it is over; everything that the page was told."""
        told = [self.news(session)]
        while told[-1]["running"]:
            seen = told[-1]["seen"]
            self.pose = seen["poses_wanted"][0] if seen and seen["poses_wanted"] else "front"
            told.append(self.news(session, told[-1]["n"]))
        return told

    def until(self, session: str, that: Any) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def is_so() -> bool:
            found[:] = [self.news(session)]
            return bool(that(found[0]))

        wait_until(is_so, 20, "the centre says nothing of it")
        return found[0]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [each["data"] for each in self.stage.events() if each["type"] == f"doorward.{kind}"]

    def audit(self, what: str) -> list[dict[str, Any]]:
        return [each for each in self.ada.ask("GET", "/audit", params={"limit": 200})["records"] if each["what"] == what]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("site"))
    try:
        made.open()
        yield made
    finally:
        made.close()


def test_somebody_is_enrolled_at_the_door_and_their_face_opens_it(house: House) -> None:
    session = house.holder("holder-1")
    house.ask("POST", "/people/holder-1/credentials", json={"key": "H10301:1:5283"})
    begun = house.ask("POST", f"/enrolment/{session}/door", json=HERE)
    assert begun["running"]
    told = house.obeys(session)
    assert told[-1]["sentence"] == "all pictures are there"
    assert told[-1]["seen"]["poses_done"] == ["front", "left", "right"]
    assert any("to your left" in each["seen"]["sentence"] for each in told if each["seen"])
    assert house.ask("POST", f"/enrolment/{session}/finish", json={})["templates"] == 3

    wait_until(lambda: bool(house.events("bundle.applied")), 20, "the door has no rules with the templates")
    house.pose, known = "left", {each["id"] for each in house.stage.events()}
    wait_until(lambda: _opens(house, known), 25, "the face that was enrolled here does not open")

    assert {topic.rsplit("/", 1)[1] for topic, _ in house.heard} == {"begin", "answer", "seen", "template", "end"}
    assert [fault for topic, payload in house.heard for fault in faults_of(topic, payload)] == []
    assert max(len(payload) for _, payload in house.heard) < 3000, "no picture leaves the door"
    assert 3 in [each["templates"] for each in house.events("enrolment.ended")]
    (finished,) = house.audit("enrolment.finished")
    assert finished["details"]["at_door"]["front"]["door"] == f"{SITE}/{DOOR}"
    assert "done" in [each["details"]["reason"] for each in house.audit("enrolment.at_door_ended")]


def _opens(house: House, known: set[str]) -> bool:
    """A fob is held out again until the rules with the face have come."""
    house.stage.present(OWNER_FOB)
    decision = await_decision(house.stage, known, 10.0)
    known.add(decision["id"])
    return decision["data"]["reasons"] == ["face_match"]


def test_the_page_leads_somebody_so_that_they_read_it_from_afar(house: House) -> None:
    """By keyboard alone, with what a screen reader would find."""
    house.holder("holder-7", begin=False)
    house.pose = ""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1024, "height": 900})
        sign_in(page, house.centre.url, "mary")
        page.goto(f"{house.centre.url}/#/people/holder-7/enrol")
        page.get_by_label("I have read this and agree").check()
        page.get_by_label("Signed (the person's name").fill("Ada Lovelace")
        page.get_by_role("button", name="Sign", exact=True).press("Enter")
        page.get_by_label("At a door's camera").press("Space")
        assert serious(page) == []
        wait_until(lambda: _free(page), 20, "the door does not begin")
        word = page.locator(".guideword")
        expect(word).to_contain_text("stand before the camera", timeout=15_000)
        assert float(word.evaluate("each => parseFloat(getComputedStyle(each).fontSize)")) > 48
        assert serious(page) == []
        for pose, said in (("front", "to your left"), ("left", "to your right"), ("right", "")):
            house.pose = pose
            expect(page.locator(".guideposes .done").filter(has_text="straight" if pose == "front" else pose)).to_have_count(
                1, timeout=20_000
            )
            if said:
                expect(word).to_contain_text(said)
        expect(word).to_contain_text("thank you")
        why = page.get_by_label("Why this is somebody else")
        keep = page.get_by_role("button", name="Keep templates")
        expect(keep.and_(page.locator(":enabled")).or_(why)).to_be_visible()
        if why.is_visible():  # whoever was enrolled in another test has the same face
            expect(keep).to_be_disabled()
            why.fill("the same person, under another name")
        expect(keep).to_be_enabled()


def _free(page: Page) -> bool:
    """Somebody of the test before may still be leaving."""
    page.get_by_role("button", name="Begin").press("Enter")
    expect(page.get_by_role("button", name="Leave the door").or_(page.get_by_role("alert"))).to_be_visible()
    return page.get_by_role("button", name="Leave the door").is_visible()


def test_consent_that_is_taken_back_in_the_middle_ends_it_and_leaves_nothing(house: House) -> None:
    house.pose, session = "front", house.holder("holder-2")
    house.ask("POST", f"/enrolment/{session}/door", json=HERE)
    house.until(session, lambda told: told["seen"] and told["seen"]["poses_done"])
    before = len(house.events("enrolment.ended"))
    house.ask("DELETE", "/people/holder-2/template")
    assert "signed" in house.until(session, lambda told: not told["running"])["sentence"]
    wait_until(lambda: len(house.events("enrolment.ended")) > before, 10, "the door goes on")
    assert house.events("enrolment.ended")[-1]["reason"] == "left"
    with pytest.raises(AssertionError, match="no_session"):
        house.ask("POST", f"/enrolment/{session}/finish", json={})


def test_a_second_person_waits_until_the_first_is_done(house: House) -> None:
    house.pose, first, second = "", house.holder("holder-3"), house.holder("holder-4")
    house.ask("POST", f"/enrolment/{first}/door", json=HERE)
    with pytest.raises(AssertionError, match="somebody else is being enrolled"):
        house.ask("POST", f"/enrolment/{second}/door", json=HERE)
    house.ask("DELETE", f"/enrolment/{first}/door")
    assert not house.news(first)["running"]
    wait_until(lambda: _begins(house, second), 10, "the door is not free again")
    house.ask("DELETE", f"/enrolment/{second}/door")


def _begins(house: House, session: str) -> bool:
    try:
        return bool(house.ask("POST", f"/enrolment/{session}/door", json=HERE)["running"])
    except AssertionError:
        return False


def test_a_camera_program_that_dies_ends_it_and_the_door_answers_fobs_meanwhile(house: House) -> None:
    house.pose, session = "front", house.holder("holder-5")
    house.ask("POST", f"/enrolment/{session}/door", json=HERE)
    house.until(session, lambda told: told["seen"] and told["seen"]["poses_done"])
    known = {each["id"] for each in house.stage.events()}
    house.stage.present(OWNER_FOB)
    assert await_decision(house.stage, known, 10.0)["data"]["read"]["card"] == 5283
    house.stage.programs["vision"].kill(signal.SIGKILL)
    assert "camera program stopped" in house.until(session, lambda told: not told["running"])["sentence"]
    with pytest.raises(AssertionError, match="no camera program"):
        house.ask("POST", f"/enrolment/{session}/door", json=HERE)
    house.stage.start("vision")
    wait_until(lambda: _begins(house, session), 30, "the door does not enrol again")
    house.ask("DELETE", f"/enrolment/{session}/door")


def test_a_door_program_that_dies_ends_it_and_can_begin_anew(house: House) -> None:
    house.pose, session = "front", house.holder("holder-6")
    wait_until(lambda: _begins(house, session), 30, "the door is not free")
    house.until(session, lambda told: told["seen"])
    house.stage.programs["door"].kill(signal.SIGKILL)
    assert "says nothing any more" in house.until(session, lambda told: not told["running"])["sentence"]
    house.stage.start("door")
    wait_until(lambda: _begins(house, session), 30, "the door does not enrol again")
    house.ask("DELETE", f"/enrolment/{session}/door")
