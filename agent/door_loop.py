"""The door's loop: one thread that hands inputs to the pure core and carries out what it answers, lock first.

Order of every answer: black box (memory that outlives the process, microseconds), relay, then disk and network in threads of their own.
So no opening can go unrecorded, and no disk or network lies on the way to the relay.
"""

from __future__ import annotations

import logging
import select
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.clock import Clock
from agent.core import door
from agent.core.access import AccessRules, may_pass
from agent.core.commands import Command, Refusal
from agent.core.credentials import WiegandFramer
from agent.core.debounce import Debounce
from agent.core.decide import Case, Decision, DecisionPolicy, View, decide, view_at
from agent.core.messages import (
    CLOCK_SLACK_S, CredentialRead, DoorMode, EvidenceRequest, KeyPressed, Observation, ReaderNews, ReaderStatus, ReadFault, VisionHealth,
)  # fmt: skip
from agent.core.reasons import SENTENCES
from agent.errors import DoorwardError, HardwareError, WireError
from agent.inbox import Inbox
from agent.local_socket import Receiver, Sender, decode_from_vision, encode
from agent.records.journal import Journal

if TYPE_CHECKING:
    from hw.interfaces import Lock  # that file knows pictures, and with them numpy: 13 MB that a door has no use for

log = logging.getLogger(__name__)

MAX_CASES = 8
"""Credentials that may wait for a face at once; more than that is a jammed or attacked reader."""

HEALTH_EVERY_S = 5.0
OVERRUN_TAKES_BACK_S = 1.0
"""An opening this fresh is taken back when its frame turns out to have been longer."""

REPEAT_READ_S = 0.5
"""Readers send a fob that stays in their field again and again; the same one within this time of its case is no new case."""

MAX_FAILED_TURNS = 5
"""So many turns in a row that end in an unexpected exception mean that the program is broken: it stops in the safe state and is restarted."""


class Edge(Struct, frozen=True, gc=False):
    """A bit from a Wiegand reader."""

    reader: str
    bit: int
    at_s: float


class EdgesLost(Struct, frozen=True, gc=False):
    """Bits of a Wiegand reader were lost before this moment."""

    reader: str
    at_s: float


class InputEdge(Struct, frozen=True, gc=False):
    """A raw edge of a named input."""

    name: str
    active: bool
    at_s: float


class NewRules(Struct, frozen=True):
    """A bundle was accepted."""

    rules: AccessRules


class Fault(Struct, frozen=True):
    """Another thread met something that people must know."""

    what: str
    text: str


class _Waiting(Struct, frozen=True):
    """A case, and when it is asked again if nothing new is seen."""

    case: Case
    until_s: float


Item = Edge | EdgesLost | ReaderNews | InputEdge | Command | Refusal | NewRules | Fault


class Uplink(Protocol):
    """What the loop says to the world; none of it waits for the network."""

    def publish_state(self, name: str, value: Any) -> None: ...

    def result(self, command_id: str | None, ok: bool, reason: str, user: str | None) -> None: ...

    def health(self) -> dict[str, Any]: ...


class Parts(Struct, frozen=True, kw_only=True):
    """Everything the loop works with, put together by door_app."""

    inbox: Inbox[Item]
    framers: dict[str, WiegandFramer]
    """One for each Wiegand reader; the others frame for themselves."""
    debounced: dict[str, Debounce]
    lock: Lock
    rules: door.DoorRules
    policy: DecisionPolicy
    journal: Journal
    link: Uplink
    from_vision: Receiver
    to_vision: Sender
    save_mode: Callable[[DoorMode], None]
    beat: Callable[[], None]
    """Tells the supervisor that the loop turns."""


class DoorLoop:
    """Call `turn` for ever; `close` leaves the lock in its safe state."""

    def __init__(self, parts: Parts, clock: Clock, access: AccessRules, mode: DoorMode) -> None:
        self._parts = parts
        self._clock = clock
        self._access = access
        self._state = door.DoorState(mode=mode)
        self._cases: list[_Waiting] = []
        self._seen: Observation | None = None
        self._vision: VisionHealth | None = None
        self._vision_status = ""
        self._health_due_s = 0.0
        self._garbage = 0
        self._read_faults = 0
        self._told: tuple[door.DoorState, bool] | None = None
        """The state that was published, and whether the lock had really let go: a relay that fails is behind its state."""
        self._last_grant_s = float("-inf")
        self._handlers: dict[type, Callable[[Any], None]] = {
            Edge: self._take_edge, EdgesLost: self._take_loss, CredentialRead: self._take_read, ReadFault: self._take_read_fault,
            KeyPressed: self._take_key, ReaderStatus: self._take_reader_status, InputEdge: self._take_input, Command: self._take_command, Refusal: self._take_refusal,
            NewRules: self._take_rules, Fault: self._take_fault,
        }  # fmt: skip

    @property
    def state(self) -> door.DoorState:
        return self._state

    def turn(self) -> None:
        """Wait for something to do, or for the next deadline, and do it."""
        inbox, eyes = self._parts.inbox.fileno(), self._parts.from_vision.fileno()
        ready, _, _ = select.select([inbox, eyes], [], [], self._patience_s())
        if eyes in ready:
            self._look()
        self._handle(self._parts.inbox.drain())
        self._keep_time()

    def _handle(self, items: list[Item]) -> None:
        """In their order. What waits behind one that fails is handled in the next turn: it may be somebody who wants to leave."""
        handled = 0
        try:
            for item in items:
                handled += 1
                self._handlers[type(item)](item)
        finally:
            self._parts.inbox.give_back(items[handled:])

    def announce(self, kind: str, data: dict[str, Any]) -> None:
        """Put an event on record."""
        self._parts.journal.append(kind, data, at=self._clock.wall(), mono_s=self._clock.mono_s())

    # -- waiting -------------------------------------------------------------------------------------------------------------

    def _patience_s(self) -> float:
        now_s = self._clock.mono_s()
        due = [framer.due_s for framer in self._parts.framers.values()]
        due += [door.next_deadline_s(self._state, self._parts.rules), self._health_due_s]
        due += [debounce.due_s for debounce in self._parts.debounced.values()]
        due += [waiting.until_s for waiting in self._cases]
        return max(0.0, min(1.0, *(t - now_s for t in due if t is not None)))

    def _keep_time(self) -> None:
        now_s = self._clock.mono_s()
        for framer in self._parts.framers.values():
            self._take_frame(framer.flush(now_s))
        for name in self._parts.debounced:
            self._settle(name, now_s)
        self._ask_cases()
        deadline_s = door.next_deadline_s(self._state, self._parts.rules)
        if deadline_s is not None and now_s >= deadline_s:
            self._apply(door.Tick(at_s=now_s))
        self._parts.beat()
        self._note_vision(view_at(self._seen, now_s))
        if (self._state, self._parts.lock.released) != self._told:
            self._publish_door()
        if now_s >= self._health_due_s:
            self._publish_health(now_s)

    # -- reader --------------------------------------------------------------------------------------------------------------

    def _take_edge(self, edge: Edge) -> None:
        # Edges come in order, so silence before this one ended the frame before it, however late the loop is
        framer = self._parts.framers[edge.reader]
        self._take_frame(framer.before(edge.at_s))
        self._take_frame(framer.edge(edge.bit, edge.at_s))

    def _take_loss(self, loss: EdgesLost) -> None:
        framer = self._parts.framers[loss.reader]
        self._take_frame(framer.before(loss.at_s))
        self._take_frame(framer.lost(loss.at_s))

    def _take_frame(self, frame: CredentialRead | ReadFault | None) -> None:
        if isinstance(frame, CredentialRead):
            self._take_read(frame)
        elif frame is not None:
            self._take_read_fault(frame)

    def _take_read(self, read: CredentialRead) -> None:
        waiting = (asked.case.read for asked in self._cases)
        if any(earlier.key == read.key and read.read_s - earlier.read_s < REPEAT_READ_S for earlier in waiting):
            return
        if len(self._cases) >= MAX_CASES:
            self._take_read_fault(ReadFault(reader=read.reader, fault="too_many_waiting", bits=read.bits, at_s=read.read_s))
            return
        case = Case(
            read=read,
            access=may_pass(self._access, read.key, self._clock.wall()),
            started_s=min(read.read_s, self._clock.mono_s()),
        )
        self._cases.append(_Waiting(case, case.started_s))
        self._ask_cases()

    def _take_read_fault(self, fault: ReadFault) -> None:
        if fault.fault == "overrun" and not fault.bits:
            self._take_overrun(fault.at_s)  # the first surplus bit; the rest and its report follow when the line is silent
            return
        self._read_faults += 1
        self.announce("reader.fault", msgspec.to_builtins(fault))

    def _take_overrun(self, at_s: float) -> None:
        """More bits after a frame that opened the door: what was read was not what was sent."""
        if at_s - self._last_grant_s < OVERRUN_TAKES_BACK_S:
            self._apply(door.LockNow(at_s=self._clock.mono_s(), by="reader overrun"))

    # -- deciding ------------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        for raw in self._parts.from_vision.drain():
            try:
                message = decode_from_vision(raw)
            except WireError as error:
                self._garbage += 1
                log.warning("door vision-socket unreadable bytes=%d error=%s", len(raw), error)
                continue
            if isinstance(message, VisionHealth):
                self._vision = message
            elif not message.taken_s <= self._clock.mono_s() + CLOCK_SLACK_S:  # so put, it refuses NaN too
                self._garbage += 1
                log.warning("door observation from the future taken_s=%s", message.taken_s)
            elif self._seen is None or message.taken_s >= self._seen.taken_s:
                self._seen = message

    def _ask_cases(self) -> None:
        waiting: list[_Waiting] = []
        for case in (asked.case for asked in self._cases):
            now_s = self._clock.mono_s()
            answer = decide(case, view_at(self._seen, now_s), self._state.mode, self._parts.policy, now_s)
            if isinstance(answer, Decision):
                self._carry_out(answer, now_s)
            else:
                waiting.append(_Waiting(replace(case, rejected=answer.rejected), answer.until_s))
        self._cases = waiting

    def _carry_out(self, decision: Decision, now_s: float) -> None:
        kind = "access.granted" if decision.granted else "access.denied"
        event = self._parts.journal.append(kind, self._evidence(decision), at=self._clock.wall(), mono_s=now_s)
        if decision.granted:
            self._last_grant_s = now_s
            self._apply(door.Granted(at_s=self._clock.mono_s(), seconds=decision.pulse_s, by=decision.cardholder or "fob"))
        self._ask_for_picture(decision, event.id)

    def _evidence(self, decision: Decision) -> dict[str, Any]:
        data: dict[str, Any] = msgspec.to_builtins(decision)
        data["sentences"] = [SENTENCES[reason] for reason in decision.reasons]
        data["decided_ms"] = round(1000 * (self._clock.mono_s() - decision.read.read_s), 3)
        data["rules_version"] = self._access.version
        data["embedder"] = self._parts.policy.face.embedder_id
        data["engine"] = self._seen.engine if self._seen else ""
        return data

    def _ask_for_picture(self, decision: Decision, event_id: str) -> None:
        if decision.seen.taken_s is None:
            return
        match = decision.match
        words = ("GRANTED" if decision.granted else "DENIED", *(r.value for r in decision.reasons))
        self._parts.to_vision.send(encode(EvidenceRequest(
            event_id=event_id, taken_s=decision.seen.taken_s, granted=decision.granted, headline=" ".join(words),
            detail=tuple(SENTENCES[reason] for reason in decision.reasons), track=match.track if match else None,
            score=match.score if match else None, threshold=match.threshold if match else None,
        )))  # fmt: skip

    # -- the door ------------------------------------------------------------------------------------------------------------

    def _take_input(self, edge: InputEdge) -> None:
        # What stood still until this edge counts, however late the loop is: a short press must still let somebody out
        self._settle(edge.name, edge.at_s)
        self._parts.debounced[edge.name].edge(edge.active, edge.at_s)

    def _settle(self, name: str, now_s: float) -> None:
        if (settled := self._parts.debounced[name].settle(now_s)) is not None:
            self._apply(self._input(name, *settled))

    def _input(self, name: str, active: bool, at_s: float) -> door.DoorInput | None:
        if name == "contact":
            return door.ContactChanged(at_s=at_s, open=active)
        if name == "rex":
            # Counted from now: a press that a busy loop finds late must still let somebody out
            return door.RexPressed(at_s=self._clock.mono_s()) if active else None
        if name == "fire":
            return door.FireChanged(at_s=at_s, active=active)
        self.announce("tamper.active" if active else "tamper.cleared", {"input": name})
        return None

    def _apply(self, event: door.DoorInput | None) -> str:
        """One step of the door. Returns the lock's fault, if it could not be driven."""
        if event is None:
            return ""
        self._state, actions = door.step(self._state, event, self._parts.rules)
        fault = "".join(self._perform(action) for action in actions)
        if fault:
            self.announce("lock.fault", {"error": fault})
        return fault

    def _perform(self, action: door.DoorAction) -> str:
        try:
            if isinstance(action, door.Pulse):
                self._parts.lock.pulse(action.seconds)
            elif isinstance(action, door.Secure):
                self._parts.lock.secure()
            else:
                self.announce(action.kind, action.data)
        except HardwareError as error:
            log.error("door lock fault=%s", error)
            return str(error)
        return ""

    # -- commands ------------------------------------------------------------------------------------------------------------

    def _take_command(self, command: Command) -> None:
        if command.name == "unlock" and self._state.mode not in (DoorMode.LOCKED_DOWN, DoorMode.BLOCKED):
            self._let_in(command)
            return
        ok, reason = self._obey(command)
        self._record(command, ok, reason)
        self._parts.link.result(command.id, ok, reason, command.user)

    def _record(self, command: Command, ok: bool, reason: str) -> None:
        self.announce("command.done" if ok else "command.refused",
                      {"id": command.id, "user": command.user, "command": command.name, "reason": reason, "why": command.why})  # fmt: skip

    def _let_in(self, command: Command) -> None:
        """As with a fob, the opening is on record before the relay moves; of a relay that fails `lock.fault` tells behind it."""
        self._record(command, True, "done")
        fault = self._apply(door.Granted(at_s=self._clock.mono_s(), seconds=self._parts.policy.pulse_s, by=command.user))
        self._parts.link.result(command.id, not fault, fault or "done", command.user)

    def _obey(self, command: Command) -> tuple[bool, str]:
        if command.name == "unlock":
            return False, f"the door is {self._state.mode.value}: release it first"
        orders: dict[str, type[door.LockNow | door.LockDown | door.ReleaseLockDown]] = {
            "lock": door.LockNow, "lockdown": door.LockDown, "release": door.ReleaseLockDown,
        }  # fmt: skip
        fault = self._apply(orders[command.name](at_s=self._clock.mono_s(), by=command.user))
        unsaved = self._save_mode() if command.name in ("lockdown", "release") else ""
        if fault:
            return False, f"the door is {self._state.mode.value}, but its lock cannot be driven: {fault}"
        if unsaved:
            return True, f"done, but will not survive a restart: {unsaved}"
        if self._parts.lock.released and command.name != "release":
            return command.name == "lockdown", "somebody is leaving: the lock holds when they are out"
        return True, "done"

    def _save_mode(self) -> str:
        """What went wrong."""
        try:
            self._parts.save_mode(self._state.mode)
        except DoorwardError as error:
            return str(error)
        return ""

    def _take_refusal(self, refusal: Refusal) -> None:
        self.announce("command.refused", msgspec.to_builtins(refusal))
        self._parts.link.result(refusal.id, False, refusal.reason, refusal.user)

    # -- news from other threads ---------------------------------------------------------------------------------------------

    def _take_rules(self, new: NewRules) -> None:
        self._access, now = new.rules, self._clock.wall()
        # Whoever waits for a second look is asked by the new rules too: theirs may be the fob that was just reported stolen
        self._cases = [_Waiting(replace(asked.case, access=may_pass(new.rules, asked.case.read.key, now)), asked.until_s)
                       for asked in self._cases]  # fmt: skip
        self.announce("bundle.applied", {"version": new.rules.version, "credentials": len(new.rules.people)})

    def _take_fault(self, fault: Fault) -> None:
        self.announce(fault.what, {"error": fault.text})

    # -- health --------------------------------------------------------------------------------------------------------------

    def _publish_door(self) -> None:
        state, link, released = self._state, self._parts.link, self._parts.lock.released
        self._told = (state, released)
        link.publish_state("mode", state.mode.value)
        link.publish_state("lock", "released" if released else "secured")
        link.publish_state("contact", {True: "open", False: "closed", None: "unknown"}[state.open])

    def _publish_health(self, now_s: float) -> None:
        self._health_due_s = now_s + HEALTH_EVERY_S
        view = view_at(self._seen, now_s)
        self._parts.link.publish_state("health", {
            "vision": view.status, "engine": self._vision.engine if self._vision else "",
            "camera": self._vision.camera if self._vision else "", "frames_per_s": self._vision.frames_per_s if self._vision else 0.0,
            "vision_faults": list(self._vision.faults) if self._vision else [], "journal_faults": list(self._parts.journal.faults),
            "unreadable_packets": self._garbage, "read_faults": self._read_faults, "rules_version": self._access.version,
            "link": self._parts.link.health(),
        })  # fmt: skip

    def _note_vision(self, view: View) -> None:
        if view.status == self._vision_status:
            return
        if view.status == "fresh" or self._vision_status == "fresh":
            self.announce(
                "vision.back" if view.status == "fresh" else "vision.lost", {"status": view.status, "age_s": view.age_s}
            )
        self._vision_status = view.status


def run_turns(loop: DoorLoop, stopped: Callable[[], bool]) -> int:
    """Turn until told to stop. An unexpected exception is put on record and the door goes on; several in a row end the program."""
    failed = 0
    while not stopped():
        try:
            loop.turn()
            failed = 0
        except Exception as error:
            failed += 1
            log.exception("door turn failed in_a_row=%d", failed)
            loop.announce("door.fault", {"error": f"{type(error).__name__}: {error}", "in_a_row": failed})
            if failed >= MAX_FAILED_TURNS:
                return 1
    return 0
