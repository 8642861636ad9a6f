"""Credentials that wait for their answer: asked again with every new look, carried out once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.clock import Clock
from agent.core import door
from agent.core.access import AccessRules, may_pass
from agent.core.decide import Case, Decision, DecisionPolicy, carried, decide, refused_now
from agent.core.desk import Desk
from agent.core.messages import CredentialRead, EvidenceRequest, ReadFault
from agent.core.reasons import SENTENCES, Reason
from agent.core.risk_at_door import refused
from agent.doorway import Doorway
from agent.eyes import Eyes
from agent.local_socket import Sender, encode
from agent.teller import Teller
from agent.updates.tally import ShadowTally
from agent.watchfulness import Judged, Watchfulness

KINDS = {"granted": "access.granted", "denied": "access.denied", "first_of_two": "access.first_of_two"}

MAX_CASES = 8
"""Credentials that may wait for a face at once; more than that is a jammed or attacked reader."""

MAX_HELD = 32
"""And that may wait for a guard, for much longer; whoever comes then is refused, and guards are told."""

REPEAT_READ_S = 0.5
"""Readers send a fob that stays in their field again and again; the same one within this time of its case is no new case."""

OVERRUN_TAKES_BACK_S = 1.0
"""An opening this fresh is taken back when its frame turns out to have been longer."""


class _Held(Struct, frozen=True):
    """A person who would have been let in, were the risk not so high, and who waits for a guard."""

    decision: Decision
    risk: dict[str, Any]


class _Waiting(Struct, frozen=True):
    """A case, and when it is asked again if nothing new is seen."""

    case: Case
    until_s: float
    held: _Held | None = None


class Cases:
    """Of the loop's thread."""

    def __init__(
        self, doorway: Doorway, eyes: Eyes, desk: Desk, policy: DecisionPolicy, access: AccessRules, clock: Clock, to_vision: Sender,
        teller: Teller, watchfulness: Watchfulness, shadow: ShadowTally | None = None,
        by_time: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        """`by_time`: whether dates and hours are judged (core.access.may_pass)."""
        self._by_time = by_time
        self._doorway, self._eyes, self._desk, self._policy, self._clock = doorway, eyes, desk, policy, clock
        self._to_vision, self._teller, self._watchfulness = to_vision, teller, watchfulness
        self._shadow = shadow
        self.access = access
        self._waiting: list[_Waiting] = []
        self._last_yes: tuple[Decision, float] | None = None
        """The last opening, or first of two, and when it was decided."""

    @property
    def due_s(self) -> list[float]:
        return [waiting.until_s for waiting in self._waiting]

    def open(self, read: CredentialRead) -> ReadFault | None:
        """A credential was read. Returns a fault when too many wait already."""
        if any(_is_repeat(read, asked) for asked in self._waiting):
            return None
        case = self._desk.open(read, min(read.read_s, self._clock.mono_s()), self._clock.wall(), self._by_time())
        if (
            len(self._waiting) - self._held >= MAX_CASES and not case.leaving
        ):  # who leaves waits for nothing and takes nobody's place
            return ReadFault(reader=read.reader, fault="too_many_waiting", bits=read.bits, at_s=read.read_s)
        self._waiting.append(_Waiting(case, case.started_s))
        self.ask()
        return None

    def enter_pin(self, reader: str, digits: str, at_s: float) -> None:
        """A PIN was typed; without a case that waits for one it is nobody's."""
        cases = self._desk.enter_pin([asked.case for asked in self._waiting], reader, digits, at_s)
        self._waiting = [replace(asked, case=case) for case, asked in zip(cases, self._waiting, strict=True)]
        self.ask()

    def ask(self) -> None:
        """Ask every case for its answer, one after the other: the answer to the first of two changes that to the second."""
        for _ in range(len(self._waiting)):
            asked = self._waiting.pop(0)  # one that fails is on record as a fault, and is not asked again
            now_s, wall = self._clock.mono_s(), self._clock.wall()
            case = self._desk.stand(asked.case, now_s, wall, self._doorway.state.other_open)
            if asked.held is not None:
                self._ask_held(replace(asked, case=case), asked.held, now_s)
                continue
            answer = decide(case, self._eyes.view(now_s), self._doorway.state.mode, self._policy, now_s)
            if isinstance(answer, Decision):
                self._weigh(case, answer, now_s)
            else:
                case = carried(case, answer)
                self._waiting.append(_Waiting(case, answer.until_s))
                self._teller.waits(case)

    def take_policy(self, policy: DecisionPolicy) -> None:
        """At a moment when nobody waits."""
        self._policy = policy

    def take_rules(self, access: AccessRules) -> None:
        """Whoever waits for a second look is asked by the new rules too: theirs may be the fob that was just reported stolen."""
        self.access, now = access, self._clock.wall()
        self._waiting = [replace(asked, case=replace(asked.case, access=may_pass(access, asked.case.read.key, now, self._by_time())))
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

    # -- beside the risk -------------------------------------------------------------------------------------------------------

    def _weigh(self, case: Case, decision: Decision, now_s: float) -> None:
        """The risk is part of the record of every decision; where the site's policy says so, it is part of the answer."""
        judged = self._watchfulness.judge(decision, now_s)
        if judged.verdict == "hold" and self._held < MAX_HELD:
            self._hold(case, decision, judged, now_s)
        else:
            answer = decision if judged.verdict == "as_decided" else refused(decision, Reason.RISK_TOO_HIGH)
            self._carry_out(case, answer, now_s, judged.told)
        if judged.lock_down:
            self._watchfulness.lock_down(judged.lock_down)

    @property
    def _held(self) -> int:
        """How many wait for a guard."""
        return sum(asked.held is not None for asked in self._waiting)

    def _hold(self, case: Case, decision: Decision, judged: Judged, now_s: float) -> None:
        hold_s = self._watchfulness.policy.hold_s
        held = refused(decision, Reason.HELD_FOR_GUARD)
        event = self._doorway.announce("access.held", self._evidence(held, judged.told) | {"hold_s": hold_s})
        self._waiting.append(_Waiting(case, now_s + hold_s, _Held(decision, judged.told)))
        self._teller.holds(hold_s)
        self._ask_for_picture(held, event.id)

    def _ask_held(self, asked: _Waiting, held: _Held, now_s: float) -> None:
        if (reason := refused_now(asked.case, self._doorway.state.mode)) is not None:
            self._end_hold(asked, held, now_s, reason)
        elif self._doorway.state.renew_s is not None:  # the door stands free by now
            self._carry_out(asked.case, held.decision, now_s, held.risk)
        elif now_s >= asked.until_s:
            self._end_hold(asked, held, now_s, Reason.NO_GUARD_ANSWERED)
        else:
            self._waiting.append(asked)

    def _end_hold(self, asked: _Waiting, held: _Held, now_s: float, reason: Reason) -> None:
        waited_s = now_s - asked.case.started_s
        self._carry_out(asked.case, refused(held.decision, reason, waited_s=waited_s), now_s, held.risk)

    def guard_says(self, yes: bool, user: str) -> bool:
        """A guard answers whoever has waited longest. False when nobody waits for one."""
        asked = next((asked for asked in self._waiting if asked.held is not None), None)
        if asked is None or asked.held is None:
            return False
        self._waiting.remove(asked)
        now_s, decision, risk = self._clock.mono_s(), asked.held.decision, asked.held.risk | {"guard": user}
        if yes:
            self._carry_out(asked.case, self._let_in_by_guard(decision, now_s - asked.case.started_s), now_s, risk)
        else:
            self._end_hold(replace(asked, held=None), _Held(decision, risk), now_s, Reason.GUARD_DENIED)
        return True

    def _let_in_by_guard(self, decision: Decision, waited_s: float) -> Decision:
        """A guard's word counts for the first of two as well."""
        pulse_s = self._policy.extended_pulse_s if decision.extended else self._policy.pulse_s
        return replace(refused(decision, Reason.GUARD_LET_IN, waited_s=waited_s), granted=True, pulse_s=pulse_s)

    # -- carried out -----------------------------------------------------------------------------------------------------------

    def _carry_out(self, case: Case, decision: Decision, now_s: float, risk: dict[str, Any]) -> None:
        event = self._doorway.announce(KINDS[decision.outcome], self._evidence(decision, risk))
        fault = ""
        if decision.outcome != "denied":
            self._last_yes = (decision, now_s)
        if decision.granted:
            fault = self._doorway.apply(_opening(decision, self._clock.mono_s()))
        self._teller.decided(decision, stuck=bool(fault))
        self._desk.decided(case, decision, now_s, self._clock.wall(), self._doorway.state.open)
        self._ask_for_picture(decision, event.id)
        if self._shadow is not None and decision.match is not None:
            face = self._policy.face
            self._shadow.held_up(case.access, decision.match.track, face.embedder_id, face.threshold, now_s)

    def _evidence(self, decision: Decision, risk: dict[str, Any]) -> dict[str, Any]:
        seen = self._eyes.seen
        data: dict[str, Any] = msgspec.to_builtins(decision)
        data["sentences"] = [SENTENCES[reason] for reason in decision.reasons]
        data["decided_ms"] = round(1000 * (self._clock.mono_s() - decision.read.read_s), 3)
        data["rules_version"] = self.access.version
        data["embedder"] = self._policy.face.embedder_id
        data["engine"] = seen.engine if seen else ""
        data["risk"] = risk
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


def _is_repeat(read: CredentialRead, asked: _Waiting) -> bool:
    """The fob of a case that waits is still in the reader's field, or was held out again while its PIN, or a guard, is awaited."""
    waiting = asked.case
    same = read.key == waiting.read.key and read.reader == waiting.read.reader
    lasting = waiting.pin == "awaited" or asked.held is not None
    return same and (lasting or read.read_s - waiting.read.read_s < REPEAT_READ_S)


def _opening(decision: Decision, at_s: float) -> door.Granted | door.Leaves:
    by = decision.cardholder or "fob"
    if decision.leaving:
        return door.Leaves(at_s=at_s, seconds=decision.pulse_s, by=by, extended=decision.extended)
    return door.Granted(at_s=at_s, seconds=decision.pulse_s, by=by, extended=decision.extended,
                        despite_lockdown=Reason.PASSES_LOCKDOWN in decision.reasons)  # fmt: skip
