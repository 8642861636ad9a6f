"""Who talks with the person at the door: one at a time, whoever pressed first; the others are told who it is. Pure."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from agent.core.live import LiveKind


class Tells(Protocol):
    """Puts something into the door's journal (agent.media.door_line.DoorLine)."""

    def __call__(self, kind: LiveKind, **data: str | int | float | bool) -> None: ...


class Talker(Struct, frozen=True):
    """Who has the word."""

    session: str
    who: str
    since_s: float


class Floor:
    """`take` and `give_back`; `talker` has the word."""

    def __init__(self) -> None:
        self.talker: Talker | None = None

    def take(self, session: str, who: str, now_s: float) -> bool:
        """Whether they have the word now. Who has it already keeps it."""
        if self.talker is None:
            self.talker = Talker(session, who, now_s)
        return self.talker.session == session

    def give_back(self, session: str) -> Talker | None:
        """The word is free again when it was theirs; returns what ended."""
        ended = self.talker
        if ended is None or ended.session != session:
            return None
        self.talker = None
        return ended
