"""The sockets between door and vision."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.conduct import Conduct, DoorNews, Evidence, PersonConduct, Usual
from agent.core.messages import EvidenceRequest, FaceSeen, Observation, VisionHealth
from agent.errors import ConfigError, WireError
from agent.local_socket import MAX_BYTES, MAX_DRAIN, Receiver, Sender, decode_from_vision, decode_to_vision, encode

FACE = FaceSeen(
    track=3, box_px=(1.0, 2.0, 90.0, 91.5), score=0.9, quality=0.7, first_seen_s=9.0, embedding=bytes(768), pictures=4
)
OBSERVATION = Observation(
    frame=7, taken_s=12.5, frame_px=(640, 480), faces=(FACE,), embedder_id="m-1", engine="cpu", chain_ms=9.1
)
HEALTH = VisionHealth(at_s=1.0, ok=False, camera="gone", engine="cpu", frames_per_s=0.0, faults=("camera",))
CONDUCT = Conduct(
    at_s=12.6, persons=(PersonConduct(body=4, face=3, since_s=9.0, zone="approach", at_m=(0.1, 1.2), evidence=(
        Evidence(kind="glances", value=3.0, over_s=8.0, usual=Usual(median=0, low=0, high=1, visits=90, of="hour"), p=0.01),)),),
    in_zones={"approach": 1}, crossed={"door": (2, 1)}, floor="measured",
)  # fmt: skip
NEWS = DoorNews(at_s=3.0, what="granted", credential="c1", face=3)
REQUEST = EvidenceRequest(event_id="e1", taken_s=3.0, granted=False, headline="DENIED face_mismatch", detail=("a", "b"), track=3)


@pytest.mark.parametrize("message", [OBSERVATION, HEALTH, CONDUCT])
def test_what_vision_says_arrives_as_it_was_said(message):
    assert decode_from_vision(encode(message)) == message


@pytest.mark.parametrize("message", [REQUEST, NEWS])
def test_what_the_door_says_arrives_as_it_was_said(message):
    assert decode_to_vision(encode(message)) == message


def test_vision_does_not_take_its_own_kind_of_message_for_a_request():
    with pytest.raises(WireError):
        decode_to_vision(encode(HEALTH))


@given(st.binary(max_size=300))
def test_random_bytes_are_a_wire_error_and_nothing_else(raw):
    for decode in (decode_from_vision, decode_to_vision):
        try:
            decode(raw)
        except WireError:
            continue
        pytest.fail("random bytes were taken for a message")


@given(st.data())
def test_a_damaged_observation_is_refused_or_still_a_whole_one(data):
    raw = bytearray(encode(OBSERVATION))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for damaged in (bytes(raw), bytes(raw[:cut])):
        with contextlib.suppress(WireError):
            assert isinstance(decode_from_vision(damaged), Observation | VisionHealth | Conduct)


def test_deeply_nested_bytes_do_not_exhaust_the_stack():
    with pytest.raises(WireError):
        decode_from_vision(b"\x91" * 60000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "door.sock"


def test_datagrams_come_out_in_the_order_in_which_they_were_sent(path):
    receiver, sender = Receiver(path), Sender(path)
    assert [sender.send(bytes([n])) for n in range(5)] == [True] * 5
    assert receiver.drain() == [bytes([n]) for n in range(5)]
    assert receiver.drain() == []
    receiver.close()
    sender.close()


def test_only_the_owner_may_speak_to_a_door(path):
    receiver = Receiver(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    receiver.close()
    assert not path.exists()


def test_a_sender_without_a_reader_drops_and_counts(path):
    sender = Sender(path)
    assert not sender.send(b"x")
    Receiver(path)._socket.close()  # as after SIGKILL: the file stays
    assert not sender.send(b"x")
    assert (sender.sent, sender.dropped) == (0, 2)


def test_a_reader_that_does_not_read_never_holds_the_sender(path):
    receiver, sender = Receiver(path), Sender(path)
    results = [sender.send(bytes(1000)) for _ in range(5000)]
    assert not results[-1]
    assert sender.dropped == results.count(False)
    receiver.close()


def test_a_reader_that_was_started_anew_is_found_again(path):
    sender = Sender(path)
    Receiver(path).close()
    receiver = Receiver(path)
    assert sender.send(b"again")
    assert receiver.drain() == [b"again"]
    receiver.close()


def test_a_socket_file_that_a_killed_process_left_is_replaced(path):
    Receiver(path)._socket.close()
    assert path.exists()
    receiver = Receiver(path)
    receiver.close()


def test_a_living_process_is_not_pushed_off_its_socket(path):
    receiver = Receiver(path)
    with pytest.raises(ConfigError, match="another process"):
        Receiver(path)
    receiver.close()


def test_a_file_that_is_no_socket_is_left_alone(path):
    path.write_text("precious")
    with pytest.raises(ConfigError, match="no socket"):
        Receiver(path)
    assert path.read_text() == "precious"


def test_a_missing_run_folder_is_named(tmp_path):
    with pytest.raises(ConfigError, match="run_folder"):
        Receiver(tmp_path / "absent" / "door.sock")


def test_closing_does_not_remove_a_successors_file(path):
    first = Receiver(path)
    path.unlink()
    second = Receiver(path)
    first.close()
    assert path.exists()
    second.close()


def test_a_flood_is_taken_in_bounded_bites(path):
    receiver = Receiver(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flood:
        flood.setblocking(False)
        flood.connect(str(path))
        queued = _fill(flood)
    taken = receiver.drain()
    assert len(taken) == min(queued, MAX_DRAIN)
    receiver.close()


def _fill(flood: socket.socket) -> int:
    for count in range(1000):
        try:
            flood.send(b"x")
        except BlockingIOError:
            return count
    return 1000


def test_an_oversized_datagram_is_counted_and_left_out(path):
    receiver, sender = Receiver(path), Sender(path)
    assert sender.send(os.urandom(MAX_BYTES + 10))
    assert sender.send(b"good")
    assert receiver.drain() == [b"good"]
    assert receiver.oversized == 1
    receiver.close()
