"""Credentials that wait for their answer: asked again with every new look, carried out once."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.clock import Clock
from agent.core import door
from agent.core.access import AccessRules, may_pass
from agent.core.decide import Case, Decision, DecisionPolicy, carried, decide
from agent.core.desk import Desk
from agent.core.messages import CredentialRead, EvidenceRequest, ReadFault
from agent.core.reasons import SENTENCES, Reason
from agent.doorway import Doorway
from agent.eyes import Eyes
from agent.local_socket import Sender, encode
from agent.teller import Teller

KINDS = {"granted": "access.granted", "denied": "access.denied", "first_of_two": "access.first_of_two"}

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
        self, doorway: Doorway, eyes: Eyes, desk: Desk, policy: DecisionPolicy, access: AccessRules, clock: Clock, to_vision: Sender,
        teller: Teller,
    ) -> None:  # fmt: skip
        self._doorway, self._eyes, self._desk, self._policy, self._clock = doorway, eyes, desk, policy, clock
        self._to_vision, self._teller = to_vision, teller
        self.access = access
        self._waiting: list[_Waiting] = []
        self._last_yes: tuple[Decision, float] | None = None
        """The last opening, or first of two, and when it was decided."""

    @property
    def due_s(self) -> list[float]:
        return [waiting.until_s for waiting in self._waiting]

    def open(self, read: CredentialRead) -> ReadFault | None:
        """A credential was read. Returns a fault when too many wait already."""
        if any(_is_repeat(read, asked.case) for asked in self._waiting):
            return None
        case = self._desk.open(read, min(read.read_s, self._clock.mono_s()), self._clock.wall())
        if len(self._waiting) >= MAX_CASES and not case.leaving:  # who leaves waits for nothing and takes nobody's place
            return ReadFault(reader=read.reader, fault="too_many_waiting", bits=read.bits, at_s=read.read_s)
        self._waiting.append(_Waiting(case, case.started_s))
        self.ask()
        return None

    def enter_pin(self, reader: str, digits: str, at_s: float) -> None:
        """A PIN was typed; without a case that waits for one it is nobody's."""
        cases = self._desk.enter_pin([asked.case for asked in self._waiting], reader, digits, at_s)
        self._waiting = [_Waiting(case, asked.until_s) for case, asked in zip(cases, self._waiting, strict=True)]
        self.ask()

    def ask(self) -> None:
        """Ask every case for its answer, one after the other: the answer to the first of two changes that to the second."""
        for _ in range(len(self._waiting)):
            case = self._waiting.pop(0).case  # one that fails is on record as a fault, and is not asked again
            now_s, wall = self._clock.mono_s(), self._clock.wall()
            case = self._desk.stand(case, now_s, wall, self._doorway.state.other_open)
            answer = decide(case, self._eyes.view(now_s), self._doorway.state.mode, self._policy, now_s)
            if isinstance(answer, Decision):
                self._carry_out(case, answer, now_s)
            else:
                case = carried(case, answer)
                self._waiting.append(_Waiting(case, answer.until_s))
                self._teller.waits(case)

    def take_rules(self, access: AccessRules) -> None:
        """Whoever waits for a second look is asked by the new rules too: theirs may be the fob that was just reported stolen."""
        self.access, now = access, self._clock.wall()
        self._waiting = [_Waiting(replace(asked.case, access=may_pass(access, asked.case.read.key, now)), asked.until_s)
                         for asked in self._waiting]  # fmt: skip

    def take_overrun(self, reader: str, at_s: float) -> None:
        """More bits after a frame: what was read was not what was sent. It waits for no answer, and what it brought about is taken back."""
        self._waiting = [asked for asked in self._waiting if not _is_fresh(asked.case.read, asked.case.read.read_s, reader, at_s)]
        if self._last_yes is None or not _is_fresh(self._last_yes[0].read, self._last_yes[1], reader, at_s):
            return
        self._desk.called_off()
        # A door that stands free was not opened by this fob
        if self._last_yes[0].granted and self._doorway.state.mode not in door.FREE_MODES:
            self._doorway.apply(door.LockNow(at_s=self._clock.mono_s(), by="reader overrun"))

    def _carry_out(self, case: Case, decision: Decision, now_s: float) -> None:
        event = self._doorway.announce(KINDS[decision.outcome], self._evidence(decision))
        fault = ""
        if decision.outcome != "denied":
            self._last_yes = (decision, now_s)
        if decision.granted:
            fault = self._doorway.apply(_opening(decision, self._clock.mono_s()))
        self._teller.decided(decision, stuck=bool(fault))
        self._desk.decided(case, decision, now_s, self._clock.wall(), self._doorway.state.open)
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


def _is_fresh(read: CredentialRead, since_s: float, reader: str, at_s: float) -> bool:
    """Bits that come to this reader at `at_s` may belong to this read, which was answered, or made, at `since_s`."""
    return read.reader == reader and at_s - since_s < OVERRUN_TAKES_BACK_S


def _is_repeat(read: CredentialRead, waiting: Case) -> bool:
    """The fob of a case that waits is still in the reader's field, or was held out again while its PIN is awaited."""
    same = read.key == waiting.read.key and read.reader == waiting.read.reader
    return same and (read.read_s - waiting.read.read_s < REPEAT_READ_S or waiting.pin == "awaited")


def _opening(decision: Decision, at_s: float) -> door.Granted | door.Leaves:
    by = decision.cardholder or "fob"
    if decision.leaving:
        return door.Leaves(at_s=at_s, seconds=decision.pulse_s, by=by, extended=decision.extended)
    return door.Granted(at_s=at_s, seconds=decision.pulse_s, by=by, extended=decision.extended,
                        despite_lockdown=Reason.PASSES_LOCKDOWN in decision.reasons)  # fmt: skip
