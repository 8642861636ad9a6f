"""What the centre makes of what comes from a door's camera, over a real broker: only what this door sealed for this session counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from agent.core.messages import HeadPose
from agent.link.session import Address, Say, Session
from agent.records.enrol_word import Answer, Begin, End, Feedback, Sealed, sealed
from agent.records.signed_word import Signed
from agent.vision.enrol import Template
from central.enrolment.at_door import SILENT_S, UNWATCHED_S, AtDoor, DoorCameras
from central.enrolment.desk import Networks
from central.gateway.asking import Caller, Unfit
from tests.central.enrolment.a_desk import Office
from tests.system.brokers import Broker, wait_until

pytestmark = pytest.mark.system

MARY = Caller("mary", "manager")
DOOR_KEY = PrivateKey.generate()
YAW = {"front": 0.0, "left": 20.0, "right": -20.0}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker("mosquitto", tmp_path_factory.mktemp("broker"))
    made.start()
    yield made
    made.kill()


class Door:
    """The far end at the broker: says `answer` to a word, and whatever the test wants besides."""

    def __init__(self, port: int) -> None:
        self.answer: Answer | None = Answer(ok=True)
        self.word: Begin | None = None
        self.ends: list[End] = []
        self._out: list[tuple[str, bytes]] = []
        self._session = Session(Address(port=port), "doorward-hq-front", self)
        self._session.start()
        wait_until(lambda: self._session.is_connected, 10, "no connection")

    def says(self, what: str, payload: Any, door: str = "front") -> None:
        assert self.word is not None
        raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        self._out.append((f"doorward/hq/{door}/enrol/{self.word.session}/{what}", raw))
        self._session.wake()

    def sends(self, pose: str, **changes: Any) -> None:
        assert self.word is not None
        by = changes.pop("by", DOOR_KEY)
        told = {"session": self.word.session, "pose": pose, "embedding": unit(), "embedder_id": self.word.embedder_id, "quality": 0.8,
                "face_px": 110.0, "head": turned(YAW[pose]), "alive": "live", **changes}  # fmt: skip
        self.says("template", sealed(Sealed(**told), by, self.word.key))

    def stop(self) -> None:
        self._session.stop()

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/hq/front/enrol/+/begin", "doorward/hq/front/enrol/+/end")

    def turn(self, say: Say, now_s: float) -> float:
        while self._out:
            say.publish(*self._out.pop(0))
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic.endswith("/end"):
            self.ends.append(msgspec.json.decode(payload, type=End))
            return
        self.word = msgspec.json.decode(msgspec.json.decode(payload, type=Signed).word, type=Begin)
        if self.answer is not None:
            self.says("answer", self.answer)

    def leaving(self, say: Say) -> None:
        """Nothing is owed."""


def turned(yaw_deg: float) -> HeadPose:
    return HeadPose(yaw_deg=yaw_deg, pitch_deg=0.0, roll_deg=0.0, confidence=0.9)


def unit(at: int = 0) -> bytes:
    return np.eye(512, dtype="<f4")[at].tobytes()


class House:
    def __init__(self, folder: Path, networks: Networks, port: int) -> None:
        self.office, self.door = Office(folder, networks), Door(port)
        self.people = self.office.people
        self.people.put_door("ada", "hq", "front", "Front", bytes(DOOR_KEY.public_key))
        self.cameras = DoorCameras(
            self.office.desk, self.people, Address(port=port), self.office.centre.clock, SigningKey.generate()
        )
        self.cameras.start()
        wait_until(lambda: self.cameras.is_connected, 10, "the centre has no connection")
        self.office.centre.holder()
        self.office.sign("holder-1")
        self.session = self.office.begin("holder-1")

    def begin(self, caller: Caller = MARY, site: str = "hq", door: str = "front") -> AtDoor:
        return self.cameras.begin(caller, self.session, site, door)

    def news(self) -> AtDoor:
        return self.cameras.news("mary", self.session, -1)

    def over(self) -> str:
        wait_until(lambda: not self.news().running, 10, "it goes on")
        return self.news().sentence

    def audit(self, what: str) -> list[dict[str, Any]]:
        return [each.details for each in self.office.centre.audit.rows(limit=100) if each.what == what]

    def close(self) -> None:
        self.cameras.stop()
        self.door.stop()


@pytest.fixture
def house(tmp_path: Path, networks: Networks, broker: Broker) -> Iterator[House]:
    made = House(tmp_path, networks, broker.port)
    yield made
    made.close()


def refusal(ask: Any, *args: Any, **how: Any) -> Unfit:
    with pytest.raises(Unfit) as told:
        ask(*args, **how)
    return told.value


def test_what_a_door_says_and_sends_is_on_the_page_and_in_the_session(house: House) -> None:
    assert house.begin().running
    house.door.says("seen", Feedback(fit=True, sentence="good: hold still", pose="front", quality=0.8, left_s=100.0))
    wait_until(lambda: house.news().seen is not None, 10, "nothing is seen")
    assert house.news().seen.sentence == "good: hold still"
    for at, pose in enumerate(("front", "left", "right")):
        house.door.sends(pose)
        wait_until(lambda at=at: len(house.news().seen.poses_done) == at + 1, 10, f"{pose} does not arrive")
    house.door.says("end", End(by="door", reason="done", sentence="all pictures are there", templates=3))
    assert house.over() == "all pictures are there"
    assert house.office.ask("POST", "/enrolment/{session}/finish", session=house.session).templates == 3
    assert house.audit("enrolment.at_door") == [{"door": "hq/front"}]
    assert house.audit("enrolment.at_door_ended") == [{"door": "hq/front", "reason": "done", "templates": 3}]
    (finished,) = house.audit("enrolment.finished")
    assert finished["at_door"]["left"] == {"door": "hq/front", "alive": "live"}


def test_no_door_is_asked_before_somebody_has_signed_nor_by_another_account(house: House) -> None:
    assert refusal(house.begin, Caller("eve", "manager")).code == "no_session"
    house.office.ask("DELETE", "/people/{id}/template", id="holder-1")
    assert refusal(house.begin).code == "no_consent"
    assert house.door.word is None
    assert house.audit("enrolment.at_door") == []


@pytest.mark.parametrize(("site", "door", "sites"), [("hq", "attic", ()), ("lab", "front", ()), ("hq", "front", ("lab",))])
def test_a_door_that_is_none_or_not_theirs_is_not_asked(house: House, site: str, door: str, sites: tuple[str, ...]) -> None:
    assert refusal(house.begin, Caller("mary", "manager", "", sites), site, door).code == "unknown_door"


def test_a_door_that_refuses_says_why_and_one_that_is_silent_is_told_of(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.door.answer = Answer(ok=False, reason="no_vision", sentence="this door has no camera program that answers")
    told = refusal(house.begin)
    assert (told.status, told.code, told.sentence) == (409, "no_vision", "this door has no camera program that answers")
    house.door.answer = None
    monkeypatch.setattr("central.enrolment.at_door.ANSWER_S", 0.3)
    assert refusal(house.begin).status == 504
    wait_until(lambda: bool(house.door.ends), 10, "a door that answers late goes on")
    assert [each["reason"] for each in house.audit("enrolment.at_door_ended")] == ["refused", "refused"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"by": PrivateKey.generate()}, "cannot be taken"),
        ({"session": "another-session"}, "cannot be taken"),
        ({"embedder_id": "other"}, "the centre's network is"),
        ({"embedding": bytes(2048)}, "no template"),
        ({"embedding": np.full(512, np.nan, "<f4").tobytes()}, "no template"),
    ],
)
def test_a_template_that_is_not_this_doors_or_none_at_all_ends_it(house: House, changes: dict[str, Any], said: str) -> None:
    house.begin()
    house.door.sends("front", **changes)
    assert said in house.over()
    wait_until(lambda: bool(house.door.ends), 10, "the door goes on")
    assert house.office.desk.progress(house.session)["poses_done"] == ()


def test_somebody_else_who_steps_in_ends_it(house: House) -> None:
    house.begin()
    house.door.sends("front")
    house.door.sends("left", embedding=unit(1))
    assert "not the person" in house.over()
    assert house.office.desk.progress(house.session)["poses_done"] == ("front",)


def test_another_door_speaks_for_nobody(house: House) -> None:
    house.begin()
    house.door.says("end", End(by="door", reason="done"), door="back")
    house.door.says("seen", Feedback(fit=False, sentence="from elsewhere"), door="back")
    house.door.says("seen", b"{}")
    house.door.says("seen", Feedback(fit=False, sentence="from here"))
    wait_until(lambda: house.news().seen is not None, 10, "nothing is seen")
    assert house.news().running
    assert house.news().seen.sentence == "from here"


def test_a_page_that_was_closed_and_a_door_that_fell_silent_end_it(house: House) -> None:
    house.begin()
    house.office.centre.clock.pass_by(seconds=SILENT_S + 1)
    assert "says nothing any more" in house.over()
    house.begin()
    house.office.centre.clock.pass_by(seconds=UNWATCHED_S + 1)
    wait_until(lambda: len(house.door.ends) == 2, 10, "the door is not told")
    assert sorted(each["reason"] for each in house.audit("enrolment.at_door_ended")) == ["silent", "unwatched"]


def test_a_centre_that_stops_leaves_the_door_in_peace(house: House) -> None:
    house.begin()
    house.cameras.stop()
    wait_until(lambda: bool(house.door.ends), 10, "the door is not told")
    assert refusal(house.begin).code == "no_broker"


@given(st.binary(max_size=2100))
def test_only_a_direction_is_taken_for_a_template(networks: Networks, embedding: bytes) -> None:
    from central.enrolment.desk import _demand_sound

    made = Template(embedding=embedding, embedder_id=networks.embedder_id, quality=0.8, face_px=100.0,
                    head=turned(0.0))  # fmt: skip
    with pytest.raises(Unfit, match="no template"):
        _demand_sound(made, networks.embedder_id)
