"""A socket that asks the kernel less often: real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.link.buffered import MOST_UNSENT_BYTES, BufferedSocket

Ends = tuple[BufferedSocket, socket.socket]


def joined() -> Ends:
    near, far = socket.socketpair()
    near.setblocking(False)
    return BufferedSocket(near), far


def send_all(near: BufferedSocket, pieces: list[bytes]) -> None:
    for piece in pieces:
        near.send(piece)


@pytest.fixture
def ends() -> Iterator[Ends]:
    near, far = joined()
    yield near, far
    near.close()
    far.close()


@given(st.lists(st.binary(min_size=1, max_size=3000), max_size=8), st.integers(1, 700))
def test_what_comes_is_what_was_sent_whatever_is_asked_for_at_a_time(pieces: list[bytes], size: int) -> None:
    near, far = joined()
    far.sendall(b"".join(pieces))
    far.close()
    found = b""
    while piece := near.recv(size):
        assert len(piece) <= size
        found += piece
    near.close()
    assert found == b"".join(pieces)


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_what_is_sent_goes_out_with_a_flush_and_in_its_order(pieces: list[bytes]) -> None:
    near, far = joined()
    send_all(near, pieces)
    whole = b"".join(pieces)
    assert near.unsent == len(whole)
    near.flush()
    assert near.unsent == 0
    near.close()
    with far, far.makefile("rb") as wire:
        assert wire.read() == whole


def test_nothing_is_there_and_nobody_waits_for_it(ends: Ends) -> None:
    near, _ = ends
    with pytest.raises(BlockingIOError):
        near.recv(10)
    assert near.pending() == 0


def test_bytes_that_no_poll_can_see_are_pending(ends: Ends) -> None:
    near, far = ends
    far.sendall(b"abcdef")
    assert near.recv(2) == b"ab"
    assert near.pending() == 4


def test_who_does_not_read_is_not_sent_to_without_end(ends: Ends) -> None:
    near, _ = ends
    with pytest.raises(BlockingIOError):
        send_all(near, 1000 * [b"x" * 65536])
    assert MOST_UNSENT_BYTES <= near.unsent <= MOST_UNSENT_BYTES + 65536


def test_last_words_go_out_with_the_end(ends: Ends) -> None:
    near, far = ends
    near.send(b"good bye")
    near.close()
    assert far.recv(100) == b"good bye"


def test_a_wire_that_broke_while_sending_is_found_by_reading_it(ends: Ends) -> None:
    near, far = ends
    far.close()
    near.send(b"x")
    near.flush()
    assert near.unsent == 0
    assert near.pending()
    with pytest.raises(OSError, match="pipe"):
        near.recv(1)
