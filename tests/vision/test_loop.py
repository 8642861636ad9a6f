"""The vision program's turn: it goes on whatever comes, and says what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from agent.core.messages import EvidenceRequest, Observation, VisionHealth
from agent.local_socket import Receiver, Sender, decode_from_vision, encode
from agent.vision.chain import First
from agent.vision.evidence import EvidenceWriter
from agent.vision.eyes import Eyes
from agent.vision.loop import Parts, VisionBroken, VisionLoop
from agent.vision.ring import Ring
from agent.vision.scene_file import Watchman
from hw.interfaces import Frame
from tests.vision.clock import HandClock
from tests.vision.test_eyes import Scripted


class Chain:
    """Sees nobody; fails on black frames. A frame brighter than 200 is news of somebody; looking beyond identity takes `look_s`."""

    def __init__(self, clock: HandClock) -> None:
        self.clock, self.look_s, self.looked, self.broken = clock, 0.0, 0, ()

    def identify(self, frame: Frame, now_s: float) -> First:
        if not frame.pixels.any():
            raise ZeroDivisionError("a black frame")
        seen = Observation(
            frame=1, taken_s=frame.taken_s, frame_px=(64, 48), faces=(), embedder_id="e", engine="cpu", chain_ms=1.0
        )
        return First(seen, bool(frame.pixels.mean() > 200), frame, frame.taken_s, 0.0)

    def look(self, first: First) -> Observation:
        self.clock.now_s += self.look_s
        self.looked += 1
        return replace(first.observation, chain_ms=2.0)

    def faults(self) -> tuple[str, ...]:
        return self.broken

    def engine(self) -> str:
        return "cpu"


class House:
    """A loop with a scripted camera, and the door's end of both sockets."""

    def __init__(self, folder: Path, script: list, evidence: EvidenceWriter | None = None) -> None:
        self.clock, self.folder = HandClock(), folder
        self.door = Receiver(folder / "door.sock")
        self.vision = Receiver(folder / "vision.sock")
        self.asks = Sender(folder / "vision.sock")
        camera, self.chain = Scripted(self.clock, script), Chain(self.clock)
        parts = Parts(
            eyes=Eyes("scripted", lambda: camera, self.clock.mono_s, self.clock.pause, beside=lambda job: job()),
            chain=self.chain, ring=Ring(),
            to_door=Sender(folder / "door.sock"), from_door=self.vision, evidence=evidence, evidence_folder=folder / "evidence",
            least_interval_s=0.05, watchman=Watchman(folder / "camera" / "view.json", "scripted"),
        )  # fmt: skip
        self.loop = VisionLoop(parts, self.clock)

    def turns(self, count: int) -> list[Observation | VisionHealth]:
        for _ in range(count):
            self.loop.turn()
        return [decode_from_vision(raw) for raw in self.door.drain()]

    def close(self) -> None:
        for end in (self.door, self.vision, self.asks):
            end.close()


@pytest.fixture
def house(tmp_path):
    made = []

    def make(script, evidence=None) -> House:
        made.append(House(tmp_path, script, evidence))
        return made[-1]

    yield make
    for each in made:
        each.close()


def grey(taken_s: float) -> Frame:
    return Frame(np.full((480, 640, 3), 90, np.uint8), taken_s)


def black(taken_s: float) -> Frame:
    return Frame(np.zeros((480, 640, 3), np.uint8), taken_s)


def bright(taken_s: float) -> Frame:
    return Frame(np.full((480, 640, 3), 250, np.uint8), taken_s)


def request(event_id: str = "event-1", taken_s: float = 1.0) -> EvidenceRequest:
    return EvidenceRequest(event_id=event_id, taken_s=taken_s, granted=False, headline="DENIED face_mismatch", detail=("why",))


def test_each_frame_becomes_an_observation_with_the_frames_own_time(house):
    said = house([grey(1.0), grey(1.1)]).turns(2)
    assert [message.taken_s for message in said] == [1.0, 1.1]


def test_frames_that_come_faster_than_configured_are_let_go(house):
    said = house([grey(1.0), grey(1.01), grey(1.02), grey(1.06)]).turns(4)
    assert [message.taken_s for message in said] == [1.0, 1.06]


def test_who_it_is_is_told_before_the_rest_is_looked_at(house):
    """A door waits for nothing else: the same frame is told again with the rest."""
    said = house([grey(100.0), bright(100.1)]).turns(2)
    assert [(message.taken_s, message.chain_ms) for message in said] == [(100.0, 2.0), (100.1, 1.0), (100.1, 2.0)]


def test_on_a_machine_that_falls_behind_every_second_frame_is_for_identity_alone(house):
    made = house([grey(90.0 + n / 10) for n in range(6)])
    said = [message for message in made.turns(6) if isinstance(message, Observation)]
    assert [message.chain_ms for message in said] == [1.0, 2.0] * 3
    assert made.chain.looked == 3


def test_a_stage_that_fails_beside_identity_is_named_in_the_health_message_and_frames_go_on(house):
    made = house([grey(100.0 + n / 10) for n in range(15)])
    made.chain.look_s = 0.1
    made.chain.broken = ("liveness: ValueError: odd; left out and tried again after 60 s",)
    said = [message for _ in range(15) for message in made.turns(1)]
    healths = [message for message in said if isinstance(message, VisionHealth)]
    assert healths[0].faults == made.chain.broken
    assert not healths[0].ok
    assert sum(isinstance(message, Observation) for message in said) == 15


def test_a_door_that_does_not_listen_stops_nothing(house):
    made = house([grey(n / 10) for n in range(1, 200)])
    made.door.close()
    for _ in range(150):
        made.loop.turn()


def test_health_is_said_each_second_and_names_the_camera_that_is_gone(house):
    said = house([]).turns(25)
    assert len(said) == 2
    assert all(isinstance(message, VisionHealth) for message in said)
    assert said[0].ok is False or said[1].ok is False
    assert any("scripted" in message.camera for message in said)


def test_a_camera_that_somebody_covered_is_told_with_each_health_message_and_people_are_looked_for_on(house):
    """A scripted frame a second, and a second of silence after it: health is said in each."""
    dark = [Frame(np.ones((480, 640, 3), np.uint8), 100.0 + n) for n in range(12)]
    made = house([entry for frame in dark for entry in (frame, *[None] * 10)])
    said = [message for _ in range(12) for message in made.turns(11)]
    healths = [message for message in said if isinstance(message, VisionHealth)]
    assert (healths[0].ok, healths[0].tamper) == (True, ())
    assert (healths[-1].ok, healths[-1].tamper, healths[-1].faults) == (False, ("black",), ())
    assert sum(isinstance(message, Observation) for message in said) == 12


def test_one_frame_that_fails_is_reported_and_the_next_one_is_seen(house):
    made = house([grey(1.0), black(1.1), grey(1.2)])
    said = made.turns(3)
    assert [message.taken_s for message in said] == [1.0, 1.2]
    assert made.loop.faults == 1


def test_a_failing_frame_is_named_in_the_next_health_message(house):
    made = house([black(1.1)])
    [health, *_] = made.turns(12)
    assert not health.ok
    assert any("ZeroDivisionError" in fault for fault in health.faults)


def test_three_failing_frames_in_a_row_end_the_program_after_saying_why(house):
    made = house([black(1.0), black(1.1), black(1.2)])
    with pytest.raises(VisionBroken, match="a black frame"):
        made.turns(3)
    [health] = [decode_from_vision(raw) for raw in made.door.drain()]
    assert not health.ok


def test_two_failures_a_good_frame_and_two_failures_do_not_end_it(house):
    made = house([black(1.0), black(1.1), grey(1.2), black(1.3), black(1.4)])
    made.turns(5)
    assert made.loop.faults == 4


def test_random_bytes_from_the_doors_side_are_counted_and_nothing_else(house):
    made = house([grey(1.0), grey(1.1)])
    for n in range(20):
        made.asks.send(os.urandom(n))
        made.turns(1)
    assert made.loop.bad_requests == 20


def test_the_picture_of_the_frame_decided_on_is_kept(house, tmp_path):
    writer = EvidenceWriter()
    made = house([grey(1.0), grey(1.1), grey(1.2)], writer)
    made.turns(2)
    made.asks.send(encode(request(taken_s=1.1)))
    made.turns(1)
    writer.close()
    assert (tmp_path / "evidence" / "event-1.jpg").stat().st_size > 5000


def test_no_picture_is_kept_where_the_deployment_does_not_allow_it(house, tmp_path):
    made = house([grey(1.0), grey(1.1)], None)
    made.turns(1)
    made.asks.send(encode(request()))
    made.turns(1)
    assert not (tmp_path / "evidence").exists()
    assert made.loop.bad_requests == 0


def test_a_request_before_the_first_frame_is_refused_and_not_fatal(house):
    writer = EvidenceWriter()
    made = house([], writer)
    made.asks.send(encode(request()))
    made.turns(1)
    writer.close()
    assert made.loop.bad_requests == 1
