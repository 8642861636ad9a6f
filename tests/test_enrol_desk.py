"""Enrolment at a door: who is refused and why, what goes out, and that whatever ends it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl.public import PrivateKey

from agent.core.door import DoorState
from agent.core.feedback import FeedbackRules, Meaning, Signal
from agent.core.messages import DoorMode, EnrolOrder, EnrolSeen, EnrolStop, EnrolTemplate, HeadPose
from agent.enrol_desk import AGAIN_S, NO_LINK_S, SILENT_S, EnrolDesk, EnrolRules
from agent.local_socket import Receiver, Sender, decode_to_vision
from agent.records.enrol_word import ENDS, REFUSALS, Begin, Declined, unsealed
from agent.teller import Teller
from agent.vision.enrol_at_door import LEASE_S
from tests.door_under_test import TestClock

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
DOOR, SESSION_KEY = PrivateKey.generate(), PrivateKey.generate()
STRAIGHT = HeadPose(yaw_deg=0.0, pitch_deg=0.0, roll_deg=0.0, confidence=0.9)


def word(session: str = "session-1", **changes: Any) -> Begin:
    told = {"session": session, "site": "hq", "door": "front", "who": "mary", "key": bytes(SESSION_KEY.public_key), "embedder_id": "net",
            "issued": NOW, "expires": NOW + timedelta(seconds=10), "for_s": 60.0, **changes}  # fmt: skip
    return Begin(**told)


class Line:
    """What goes out, as a link takes it."""

    def __init__(self) -> None:
        self.is_connected = True
        self.said: list[tuple[str, Any]] = []

    def ask(self, name: str, payload: bytes) -> None:
        self.said.append((name, msgspec.json.decode(payload)))

    def tell(self, name: str, payload: bytes) -> None:
        self.said.append((name, payload if name.endswith("/template") else msgspec.json.decode(payload)))


class House:
    """The door's desk with vision's end of a real socket."""

    def __init__(self, folder: Path, **rules: Any) -> None:
        self.vision, self._to_vision = Receiver(folder / "vision.sock"), Sender(folder / "vision.sock")
        self.line, self.events, self.now_s, self.sees = Line(), [], 100.0, True
        told = {"allowed": True, "liveness": "off", "embedder_id": "net", **rules}
        self.desk = EnrolDesk(EnrolRules(**told), DOOR, self.line, self._to_vision)

    def after(self, seconds: float = 0.0) -> None:
        self.now_s += seconds
        self.desk.turn(self.now_s, self.sees, lambda kind, data: self.events.append((kind, data)))

    def begins(self, told: Begin | Declined | None = None) -> Any:
        self.desk.word(told or word())
        self.after()
        return self.line.said[-1][1] if self.line.said else None

    def sees_somebody(self, began_s: float = 1.0, session: str = "session-1") -> None:
        self.desk.heard(EnrolSeen(session=session, at_s=self.now_s, began_s=began_s, fit=True, sentence="good: hold still", pose="front",
                                  quality=0.8, poses_done=()))  # fmt: skip
        self.after()

    def takes(self, pose: Any, began_s: float = 1.0) -> None:
        self.desk.heard(EnrolTemplate(session="session-1", began_s=began_s, pose=pose, embedding=bytes(512), embedder_id="net", quality=0.8,
                                      face_px=110.0, head=STRAIGHT, alive="unsure"))  # fmt: skip
        self.after()

    @property
    def asked_of_vision(self) -> list[Any]:
        return [decode_to_vision(raw) for raw in self.vision.drain()]

    @property
    def ended(self) -> list[str]:
        return [data["reason"] for kind, data in self.events if kind == "enrolment.ended"]

    def close(self) -> None:
        self.vision.close()
        self._to_vision.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_it_begins_on_record_and_vision_is_told_to_look_until_its_time_is_over(house: House) -> None:
    assert house.begins() == {"ok": True, "reason": "", "sentence": ""}
    assert house.events == [("enrolment.began", {"session": "session-1", "who": "mary", "for_s": 60.0})]
    assert house.asked_of_vision == [EnrolOrder(session="session-1", until_s=160.0, liveness="off")]
    house.after(AGAIN_S / 2)
    assert house.asked_of_vision == []
    house.after(AGAIN_S)
    assert len(house.asked_of_vision) == 1
    assert 3 * AGAIN_S < LEASE_S, "three words may be lost"


@pytest.mark.parametrize(
    ("rules", "sees", "changes", "reason"),
    [
        ({"allowed": False}, True, {}, "off"),
        ({}, False, {}, "no_vision"),
        ({}, True, {"embedder_id": "other"}, "other_model"),
    ],
)
def test_a_door_that_cannot_says_why(tmp_path: Path, rules: Any, sees: bool, changes: Any, reason: str) -> None:
    house = House(tmp_path, **rules)
    house.sees = sees
    assert house.begins(word(**changes)) == {"ok": False, "reason": reason, "sentence": REFUSALS[reason]}
    assert house.events == [("enrolment.refused", {"session": "session-1", "reason": reason, "error": REFUSALS[reason]})]
    assert house.asked_of_vision == []
    assert not house.desk.is_on
    house.close()


def test_one_after_the_other(house: House) -> None:
    house.begins()
    assert house.begins(word("session-2"))["reason"] == "busy"
    house.desk.end("session-1")
    house.after()
    assert house.begins(word("session-2"))["ok"]


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_word_that_was_declined_begins_nothing_and_is_on_record(house: House, reason: str) -> None:
    house.begins(Declined("session-1", reason))
    assert not house.desk.is_on
    assert [kind for kind, _ in house.events] == ["enrolment.refused"]
    answered = [told["reason"] for _, told in house.line.said]
    assert answered == ([] if reason in ("retained", "repeated") else [reason])


def test_how_somebody_stands_goes_out_and_a_template_only_sealed(house: House) -> None:
    house.begins()
    house.sees_somebody()
    name, seen = house.line.said[-1]
    assert (name, seen["sentence"], seen["left_s"]) == ("enrol/session-1/seen", "good: hold still", 60.0)
    assert len(msgspec.json.encode(seen)) < 300
    house.takes("front")
    name, box = house.line.said[-1]
    assert name == "enrol/session-1/template"
    opened = unsealed(box, SESSION_KEY, bytes(DOOR.public_key), "session-1")
    assert (opened.pose, opened.alive, opened.head) == ("front", "unsure", STRAIGHT)


def test_what_vision_says_of_another_session_goes_nowhere(house: House) -> None:
    house.sees_somebody()
    house.begins()
    before = len(house.line.said)
    house.sees_somebody(session="session-0")
    assert len(house.line.said) == before


def test_three_templates_are_all(house: House) -> None:
    house.begins()
    for pose in ("front", "left", "right"):
        assert house.desk.is_on
        house.takes(pose)
    assert house.ended == ["done"]
    assert house.line.said[-1] == (
        "enrol/session-1/end",
        {"by": "door", "reason": "done", "sentence": ENDS["done"], "templates": 3},
    )
    assert house.asked_of_vision[-1] == EnrolStop(session="session-1")


def keep_seeing(house: House, seconds: float) -> None:
    for _ in range(round(seconds)):
        house.now_s += 1.0
        house.vision.drain()
        house.sees_somebody()


def ends_by_its_time(house: House) -> None:
    keep_seeing(house, 60)


def ends_by_silence(house: House) -> None:
    house.after(SILENT_S + 0.1)


def ends_by_another_vision(house: House) -> None:
    house.sees_somebody(began_s=2.0)


def ends_by_a_cut(house: House) -> None:
    house.line.is_connected = False
    keep_seeing(house, NO_LINK_S + 1)


def ends_at_the_centre(house: House) -> None:
    house.desk.end("session-1")
    house.after()


def ends_with_the_program(house: House) -> None:
    house.desk.close(house.now_s, lambda kind, data: house.events.append((kind, data)))


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (ends_by_its_time, "expired"),
        (ends_by_silence, "vision_lost"),
        (ends_by_another_vision, "vision_lost"),
        (ends_by_a_cut, "no_link"),
        (ends_at_the_centre, "left"),
        (ends_with_the_program, "stopped"),
    ],
)
def test_whatever_ends_it_ends_the_whole_of_it(house: House, happens: Any, reason: str) -> None:
    house.begins()
    house.sees_somebody()
    house.takes("front")
    happens(house)
    assert house.ended == [reason]
    assert not house.desk.is_on
    assert house.asked_of_vision[-1] == EnrolStop(session="session-1")
    assert house.line.said[-1][1]["templates"] == 1
    before = len(house.line.said)
    house.takes("left")
    house.after(AGAIN_S)
    assert len(house.line.said) == before
    assert house.asked_of_vision == []


class Noted:
    def __init__(self) -> None:
        self.resting: list[Meaning] = []

    def show(self, signal: Signal) -> None:
        pass

    def rest(self, signal: Signal) -> None:
        self.resting.append(signal.meaning)

    def rest_now(self) -> None:
        pass


def test_the_lamp_and_the_display_say_that_a_face_is_enrolled_here() -> None:
    signals = Noted()
    teller = Teller(signals, FeedbackRules(), TestClock())
    for enrols in (True, True, False):
        teller.door(DoorState(mode=DoorMode.LOCKED), enrols)
    assert signals.resting == [Meaning.ENROLLING, Meaning.READY]
    teller.door(DoorState(mode=DoorMode.LOCKED_DOWN), True)
    assert signals.resting[-1] is Meaning.OUT_OF_ORDER, "that nobody passes comes first"
