"""What other threads leave for the door's loop arrives whole, in order, and wakes it."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator

import pytest

from agent.inbox import Inbox


@pytest.fixture
def inbox() -> Iterator[Inbox[object]]:
    made: Inbox[object] = Inbox()
    yield made
    made.close()


def rings(inbox: Inbox[object], timeout_s: float = 0.0) -> bool:
    return bool(select.select([inbox], [], [], timeout_s)[0])


def test_what_was_put_first_comes_out_first(inbox):
    for n in range(5):
        inbox.put(n)
    assert inbox.drain() == [0, 1, 2, 3, 4]


def test_an_empty_inbox_gives_nothing_and_does_not_ring(inbox):
    assert inbox.drain() == []
    assert not rings(inbox)


def test_it_rings_from_the_first_item_until_it_was_drained(inbox):
    inbox.put("edge")
    assert rings(inbox)
    assert rings(inbox)
    inbox.drain()
    assert not rings(inbox)


def test_a_sleeping_loop_is_woken_by_another_thread(inbox):
    threading.Timer(0.02, inbox.put, ["edge"]).start()
    assert rings(inbox, timeout_s=10.0)
    assert inbox.drain() == ["edge"]


def test_nothing_is_lost_or_exchanged_among_many_threads(inbox):
    def leave(writer: int) -> None:
        for n in range(500):
            inbox.put((writer, n))

    writers = [threading.Thread(target=leave, args=(w,)) for w in range(8)]
    for writer in writers:
        writer.start()
    taken = []
    while len(taken) < 4000 and rings(inbox, timeout_s=10.0):
        taken += inbox.drain()
    for writer in writers:
        writer.join()
    assert [[n for w, n in taken if w == writer] for writer in range(8)] == [list(range(500))] * 8
    assert inbox.drain() == []


@pytest.mark.timeout(20)
def test_a_reader_gone_mad_cannot_hold_the_loop(inbox, monkeypatch):
    """What comes in while the inbox is being emptied waits for the next turn, in which the relay is served too."""

    class Flood(type(inbox._items)):
        def popleft(self):
            inbox.put("more")
            return super().popleft()

    inbox._items = Flood()
    inbox.put("first")
    assert inbox.drain() == ["first"]
    assert rings(inbox)
    assert inbox.drain() == ["more"]


def test_what_was_given_back_comes_first_and_rings_again(inbox):
    for item in ("a", "b", "c"):
        inbox.put(item)
    first, *rest = inbox.drain()
    inbox.put("d")
    inbox.give_back(rest)
    assert first == "a"
    assert rings(inbox)
    assert inbox.drain() == ["b", "c", "d"]


def test_the_bell_is_not_inherited_by_other_programs(inbox):
    assert not os.get_inheritable(inbox.fileno())
