"""Credentials that wait for their answer: asked again with every new look, carried out once."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.clock import Clock
from agent.core import door
from agent.core.access import AccessRules, may_pass
from agent.core.decide import Case, Decision, DecisionPolicy, decide
from agent.core.messages import CredentialRead, EvidenceRequest, ReadFault
from agent.core.reasons import SENTENCES
from agent.doorway import Doorway
from agent.eyes import Eyes
from agent.local_socket import Sender, encode

MAX_CASES = 8
"""Credentials that may wait for a face at once; more than that is a jammed or attacked reader."""

REPEAT_READ_S = 0.5
"""Readers send a fob that stays in their field again and again; the same one within this time of its case is no new case."""

OVERRUN_TAKES_BACK_S = 1.0
"""An opening this fresh is taken back when its frame turns out to have been longer."""


class _Waiting(Struct, frozen=True):
    """A case, and when it is asked again if nothing new is seen."""

    case: Case
    until_s: float


class Cases:
    """Of the loop's thread."""

    def __init__(
        self, doorway: Doorway, eyes: Eyes, policy: DecisionPolicy, access: AccessRules, clock: Clock, to_vision: Sender
    ) -> None:
        self._doorway, self._eyes, self._policy, self._clock, self._to_vision = doorway, eyes, policy, clock, to_vision
        self.access = access
        self._waiting: list[_Waiting] = []
        self._last_grant_s = float("-inf")

    @property
    def due_s(self) -> list[float]:
        return [waiting.until_s for waiting in self._waiting]

    def open(self, read: CredentialRead) -> ReadFault | None:
        """A credential was read. Returns a fault when too many wait already."""
        waiting = (asked.case.read for asked in self._waiting)
        if any(earlier.key == read.key and read.read_s - earlier.read_s < REPEAT_READ_S for earlier in waiting):
            return None
        if len(self._waiting) >= MAX_CASES:
            return ReadFault(reader=read.reader, fault="too_many_waiting", bits=read.bits, at_s=read.read_s)
        case = Case(
            read=read,
            access=may_pass(self.access, read.key, self._clock.wall()),
            started_s=min(read.read_s, self._clock.mono_s()),
        )
        self._waiting.append(_Waiting(case, case.started_s))
        self.ask()
        return None

    def ask(self) -> None:
        """Ask every case for its answer, now."""
        waiting: list[_Waiting] = []
        for case in (asked.case for asked in self._waiting):
            now_s = self._clock.mono_s()
            answer = decide(case, self._eyes.view(now_s), self._doorway.state.mode, self._policy, now_s)
            if isinstance(answer, Decision):
                self._carry_out(answer, now_s)
            else:
                waiting.append(_Waiting(replace(case, rejected=answer.rejected), answer.until_s))
        self._waiting = waiting

    def take_rules(self, access: AccessRules) -> None:
        """Whoever waits for a second look is asked by the new rules too: theirs may be the fob that was just reported stolen."""
        self.access, now = access, self._clock.wall()
        self._waiting = [_Waiting(replace(asked.case, access=may_pass(access, asked.case.read.key, now)), asked.until_s)
                         for asked in self._waiting]  # fmt: skip

    def take_overrun(self, at_s: float) -> None:
        """More bits after a frame that opened the door: what was read was not what was sent."""
        if at_s - self._last_grant_s < OVERRUN_TAKES_BACK_S:
            self._doorway.apply(door.LockNow(at_s=self._clock.mono_s(), by="reader overrun"))

    def _carry_out(self, decision: Decision, now_s: float) -> None:
        event = self._doorway.announce("access.granted" if decision.granted else "access.denied", self._evidence(decision))
        if decision.granted:
            self._last_grant_s = now_s
            self._doorway.apply(
                door.Granted(at_s=self._clock.mono_s(), seconds=decision.pulse_s, by=decision.cardholder or "fob")
            )
        self._ask_for_picture(decision, event.id)

    def _evidence(self, decision: Decision) -> dict[str, Any]:
        seen = self._eyes.seen
        data: dict[str, Any] = msgspec.to_builtins(decision)
        data["sentences"] = [SENTENCES[reason] for reason in decision.reasons]
        data["decided_ms"] = round(1000 * (self._clock.mono_s() - decision.read.read_s), 3)
        data["rules_version"] = self.access.version
        data["embedder"] = self._policy.face.embedder_id
        data["engine"] = seen.engine if seen else ""
        return data

    def _ask_for_picture(self, decision: Decision, event_id: str) -> None:
        if decision.seen.taken_s is None:
            return
        match = decision.match
        words = ("GRANTED" if decision.granted else "DENIED", *(r.value for r in decision.reasons))
        self._to_vision.send(encode(EvidenceRequest(
            event_id=event_id, taken_s=decision.seen.taken_s, granted=decision.granted, headline=" ".join(words),
            detail=tuple(SENTENCES[reason] for reason in decision.reasons), track=match.track if match else None,
            score=match.score if match else None, threshold=match.threshold if match else None,
        )))  # fmt: skip
