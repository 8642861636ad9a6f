"""Who listens to what happens, and what still has to be told to each. Thread-safe; knows no web server.

Events wait in a short line: whoever does not keep up is let go and comes back with the number of the last event they had. Of doors only
the newest state waits, so a busy site cannot fill that line.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import msgspec
from msgspec import Struct

from central.gateway.asking import Caller, Unfit
from central.gateway.door_book import Key

MOST_WAITING = 1000
MOST_OF_ONE = 8
MOST = 500


class Word(Struct, frozen=True):
    """One message of the stream, as it goes out."""

    n: int
    """The event's number; 0 for what is none."""
    text: bytes


def word(name: str, value: object, n: int = 0) -> Word:
    head = f"id: {n}\nevent: {name}\n" if n else f"event: {name}\n"
    return Word(n, head.encode() + b"data: " + msgspec.json.encode(value) + b"\n\n")


class Listener:
    """One open stream. `wake` is called in any thread when there is something for it."""

    def __init__(self, caller: Caller, wake: Callable[[], None]) -> None:
        self.caller, self.wake = caller, wake
        self.ended = ""
        """Why it is over; empty while it is not."""
        self.doubtful = False
        """Sessions have ended: whether this one's is still there must be looked up."""
        self._words: deque[Word] = deque()
        self._doors: dict[Key, Word] = {}

    def put(self, told: Word, door: Key | None = None) -> None:
        """Under the hub's lock. Rings once for all that waits: a ring takes longer than all the rest."""
        waits_already = bool(self._words or self._doors)
        if door is not None:
            self._doors[door] = told
        else:
            self._words.append(told)
        if len(self._words) > MOST_WAITING:
            self.ended = "slow"
            self._words.clear()
        if not waits_already or self.ended:
            self.wake()

    def take(self) -> list[Word]:
        """Under the hub's lock."""
        taken = [*self._words, *self._doors.values()]
        self._words.clear()
        self._doors.clear()
        return taken


class Hub:
    """All open streams."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._stopped = False

    def __len__(self) -> int:
        return len(self._listeners)

    def open(self, caller: Caller, wake: Callable[[], None]) -> Listener:
        """Raises Unfit when there are too many."""
        with self._lock:
            own = sum(each.caller.account == caller.account for each in self._listeners)
            if self._stopped or len(self._listeners) >= MOST:
                raise Unfit(503, "too_many_streams", f"{MOST} pages listen already: close some")
            if own >= MOST_OF_ONE:
                raise Unfit(429, "too_many_streams", f"{own} pages of this account listen already: close some")
            listener = Listener(caller, wake)
            self._listeners.append(listener)
            return listener

    def accounts(self) -> frozenset[str]:
        """Who has a page open that listens."""
        with self._lock:
            return frozenset(each.caller.account for each in self._listeners if not each.ended)

    def close(self, listener: Listener) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def take(self, listener: Listener) -> list[Word]:
        """What waits for it."""
        with self._lock:
            return listener.take()

    def tell(self, told: Word, may: Callable[[Caller], bool], door: Key | None = None) -> None:
        """To all whom it concerns; `door`: only the newest word about this door counts."""
        with self._lock:
            for listener in self._listeners:
                if not listener.ended and may(listener.caller):
                    listener.put(told, door)

    def doubt(self) -> None:
        """Some sessions have ended."""
        with self._lock:
            for listener in self._listeners:
                listener.doubtful = True
                listener.wake()

    def stop(self) -> None:
        """All streams end, and none opens any more."""
        with self._lock:
            self._stopped = True
            for listener in self._listeners:
                listener.ended = "stopped"
                listener.wake()
