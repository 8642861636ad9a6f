"""Which events are under way, and when they are said again. Pure: time is passed in.

Repeating makes a centre that is behind fall further behind: a thousand doors that say everything again every five seconds leave it no time
for what is new. So the pause grows with how long acknowledgements take (as TCP's retransmission timer does, RFC 6298), and while they come
in the order of sending nothing behind them counts as overdue.

And how many are under way at once follows how long answers take: two hundred doors that come back with full journals would else put twenty
thousand events before what has just happened at another door (for queues on the way, TCP Vegas: Brakmo and Peterson, 1995).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from agent.link.acks import Ack

MAX_PATIENCE = 8
"""The pause before a repetition grows up to so many times the timeout: doubled while nobody answers, and else twice what answers take."""
FIRST, LEAST, MOST = 10, 2, 1000
"""Events under way at once on a new connection, when answers take long, and when they come soon; settings may allow fewer."""
QUEUED_S = 0.25
"""So much longer than the quickest of this connection answers may take: a batch or two of the historian's. Then it is a queue."""
_NEVER_S = float("-inf")


class Sent(Struct):
    """An event on its way."""

    position: int
    journal: str
    sequence: int
    payload: bytes
    sent_s: float = _NEVER_S
    """When it was said last on this connection."""
    first_s: float = _NEVER_S
    """… and first."""
    times: int = 0
    """How often it was said, on any connection."""


class Gone(NamedTuple):
    """An event that is committed."""

    position: int
    sequence: int


class Flight:
    """`put` what is to be said, `due` to say it, `take` what is committed."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._flight: dict[int, Sent] = {}
        self._patience = 1.0
        self._heard_of_s: float | None = None
        self._reached_s, self._progress_s = _NEVER_S, _NEVER_S
        self._progressed = False
        self._width, self._quickest_s, self._answered, self._was_queue = float(FIRST), float("inf"), 0, False

    def __len__(self) -> int:
        return len(self._flight)

    def room(self, most: int) -> int:
        """How many more may be put now; `most` may be under way at once at best."""
        return min(most, int(self._width)) - len(self._flight)

    def put(self, position: int, journal: str, sequence: int, payload: bytes) -> None:
        """To be said with the next `due`."""
        self._flight[position] = Sent(position, journal, sequence, payload)

    def due(self, now_s: float) -> list[Sent]:
        """What is to be said now; it counts as said."""
        self._learn(now_s)
        found = [sent for sent in self._flight.values() if now_s >= self._due_s(sent)]
        if any(sent.sent_s > _NEVER_S for sent in found):
            self._patience = min(MAX_PATIENCE, self._patience * 2)
        for sent in found:
            sent.first_s = now_s if sent.sent_s == _NEVER_S else sent.first_s
            sent.sent_s = now_s
            sent.times += 1
        return found

    def wait_s(self, now_s: float) -> float:
        """Until something is due again, as things stand; infinite when nothing is under way."""
        return min(map(self._due_s, self._flight.values()), default=float("inf")) - now_s

    def take(self, ack: Ack) -> list[Gone]:
        """What of it was said and is committed now, and is no longer under way: an acknowledgement of anything else changes nothing."""
        said = (sent for sent in self._flight.values() if sent.times and sent.journal == ack.journal)
        done = [sent for sent in said if ack.covers(sent.sequence)]
        for sent in done:
            del self._flight[sent.position]
        self._note(sent for sent in done if sent.sent_s > _NEVER_S)
        return [Gone(sent.position, sent.sequence) for sent in done]

    def again(self) -> None:
        """The connection is another, or the historian is: everything is to be said once more."""
        for sent in self._flight.values():
            sent.sent_s = sent.first_s = _NEVER_S
        self._patience, self._heard_of_s = 1.0, None
        self._reached_s = self._progress_s = _NEVER_S
        self._width, self._quickest_s, self._answered, self._was_queue = float(FIRST), float("inf"), 0, False

    def _note(self, done: Iterable[Sent]) -> None:
        for sent in done:
            self._heard_of_s = sent.first_s if self._heard_of_s is None else min(self._heard_of_s, sent.first_s)
            self._reached_s = max(self._reached_s, sent.sent_s)
            self._progressed = True
            self._answered += 1

    def _learn(self, now_s: float) -> None:
        """From what was acknowledged since this was last asked, which is a moment ago: whoever takes an acknowledgement asks at once."""
        if self._progressed:
            self._progressed, self._progress_s = False, now_s
        if self._heard_of_s is not None:
            took_s = now_s - self._heard_of_s
            self._patience = min(MAX_PATIENCE, max(1.0, 2 * took_s / self._timeout_s))
            self._widen(took_s)
            self._heard_of_s, self._answered = None, 0

    def _widen(self, took_s: float) -> None:
        """Answers soon: one more for each, and after there was a queue one more for a whole width of them. Late: fewer in proportion."""
        self._quickest_s = min(self._quickest_s, took_s)
        soon_s = self._quickest_s + QUEUED_S
        if took_s <= soon_s:
            self._width = min(MOST, self._width + self._answered / (self._width if self._was_queue else 1.0))
        else:
            self._width, self._was_queue = max(LEAST, self._width * max(0.5, soon_s / took_s)), True

    def _due_s(self, sent: Sent) -> float:
        if sent.sent_s == _NEVER_S:
            return _NEVER_S
        waits_from_s = max(sent.sent_s, self._progress_s) if sent.sent_s >= self._reached_s else sent.sent_s
        return waits_from_s + self._timeout_s * self._patience
