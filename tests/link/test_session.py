"""A connection that keeps coming back, whatever is at the other end: real sockets, and bytes that no broker would send."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.errors import ConfigError
from agent.link.session import Address, Say, Session

CONNACK = b"\x20\x02\x00\x00"


class Listener:
    """Takes whatever a session tells it."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []

    def connected(self, say: Say) -> None:
        say.subscribe("a/b")

    def turn(self, say: Say, now_s: float) -> float:
        return 1.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        self.messages.append((topic, payload, retained))
        if payload == b"raise":
            raise RuntimeError("somebody's handler is broken")

    def leaving(self, say: Say) -> None:
        pass


class FakeBroker:
    """Answers CONNECT, says what it is told to and hangs up; with its last saying it stays."""

    def __init__(self, says: list[bytes]) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._says = says
        self.accepted = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._socket.accept()
                said = self._says[min(self.accepted, len(self._says) - 1)]
                stays = self.accepted >= len(self._says) - 1
                self.accepted += 1
                threading.Thread(target=self._talk, args=(wire, said, stays), daemon=True).start()

    def _talk(self, wire: socket.socket, said: bytes, stays: bool) -> None:
        with contextlib.suppress(OSError):
            wire.recv(4096)
            wire.sendall(CONNACK + said)
            while stays and wire.recv(4096):
                pass
            wire.close()

    def close(self) -> None:
        self._socket.close()


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def publish(topic: bytes, payload: bytes) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + payload
    assert len(body) < 128
    return bytes([0x30, len(body)]) + body


def session_to(broker: FakeBroker, listener: Listener) -> Session:
    session = Session(Address(port=broker.port), "door", listener, jitter=random.Random(1))
    session.start()
    return session


def test_of_a_clusters_nodes_the_next_one_is_tried_until_one_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.link.session.BACKOFF_MIN_S", 0.001)
    broker, listener = FakeBroker([publish(b"a/b", b"here")]), Listener()
    nobody = ("127.0.0.2", "127.0.0.3")
    session = Session(Address(host=nobody[0], other_hosts=(nobody[1], "127.0.0.1"), port=broker.port), "door", listener)
    session.start()
    until(lambda: any(payload == b"here" for _, payload, _ in listener.messages))
    session.stop()
    broker.close()


def test_a_handler_that_raises_costs_one_message_and_not_the_connection() -> None:
    broker, listener = FakeBroker([publish(b"a/b", b"raise") + publish(b"a/b", b"next")]), Listener()
    session = session_to(broker, listener)
    until(lambda: len(listener.messages) == 2)
    assert session.errors == 1
    assert session.is_connected
    session.stop()
    broker.close()


def test_a_broker_that_mixes_its_clients_up_is_not_listened_to() -> None:
    broker, listener = FakeBroker([publish(b"a/b/c", b"another's") + publish(b"a/b", b"ours")]), Listener()
    session = session_to(broker, listener)
    until(lambda: len(listener.messages) == 1)
    session.stop()
    broker.close()
    assert listener.messages == [("a/b", b"ours", False)]


def test_a_topic_that_is_no_text_is_counted_and_the_next_message_arrives() -> None:
    broker, listener = FakeBroker([publish(b"\xff\xfe", b"x") + publish(b"a/b", b"next")]), Listener()
    session = session_to(broker, listener)
    until(lambda: any(payload == b"next" for _, payload, _ in listener.messages))
    session.stop()
    broker.close()


def test_a_broker_that_talks_nonsense_and_hangs_up_is_left_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.link.session.BACKOFF_MIN_S", 0.001)
    dice = random.Random(5)
    nonsense = [dice.randbytes(dice.randint(1, 300)) for _ in range(60)]
    broker, listener = FakeBroker([*nonsense, publish(b"a/b", b"sane again")]), Listener()
    session = session_to(broker, listener)
    until(lambda: any(payload == b"sane again" for _, payload, _ in listener.messages))
    assert broker.accepted == 61
    session.stop()
    broker.close()


def test_a_broker_that_is_not_there_is_asked_again_and_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    session = Session(Address(port=port), "door", Listener(), jitter=random.Random(1))
    session.start()
    until(lambda: session.errors >= 2)
    assert "refused" in session.last_error
    session.stop()


def test_pauses_between_attempts_grow_to_a_limit_and_differ_between_doors() -> None:
    sessions = [Session(Address(), f"door-{seed}", Listener(), jitter=random.Random(seed)) for seed in range(5)]
    pauses = [[session._backoff_s(failures) for failures in range(12)] for session in sessions]
    assert all(0.1 <= pause[0] <= 0.2 and 7.5 <= pause[-1] <= 15 for pause in pauses)
    assert len({pause[-1] for pause in pauses}) == 5


@pytest.mark.parametrize("field", ["password_file", "ca_file"])
def test_a_file_that_is_missing_stops_the_start_and_is_named(tmp_path: Path, field: str) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        Session(replace(Address(user="door"), **{field: str(tmp_path / "nowhere")}), "door", Listener())


def test_waking_a_session_that_has_ended_touches_nothing() -> None:
    session = Session(Address(), "door", Listener())
    session.stop()
    session.wake()
