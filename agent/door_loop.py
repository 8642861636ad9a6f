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

from agent.cases import Cases
from agent.clock import Clock
from agent.core import door
from agent.core.access import AccessRules
from agent.core.commands import Command, Refusal
from agent.core.credentials import WiegandFramer
from agent.core.debounce import Debounce
from agent.core.decide import DecisionPolicy, View
from agent.core.messages import CredentialRead, DoorMode, ReaderStatus, ReadFault
from agent.door_items import Edge, EdgesLost, Fault, InputEdge, Item, NewRules
from agent.doorway import Doorway
from agent.eyes import Eyes
from agent.inbox import Inbox
from agent.local_socket import Receiver, Sender
from agent.orders import Answers, Orders
from agent.records.journal import Journal

if TYPE_CHECKING:
    from hw.interfaces import Lock  # that file knows pictures, and with them numpy: 13 MB that a door has no use for

log = logging.getLogger(__name__)

HEALTH_EVERY_S = 5.0

MAX_FAILED_TURNS = 5
"""So many turns in a row that end in an unexpected exception mean that the program is broken: it stops in the safe state and is restarted."""


class Uplink(Answers, Protocol):
    """What the loop says to the world; none of it waits for the network."""

    def publish_state(self, name: str, value: Any) -> None: ...

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
        self._doorway = Doorway(parts.lock, parts.rules, parts.journal, clock, door.DoorState(mode=mode))
        self._eyes = Eyes(parts.from_vision)
        self._cases = Cases(self._doorway, self._eyes, parts.policy, access, clock, parts.to_vision)
        self._orders = Orders(self._doorway, parts.link, parts.save_mode, clock, parts.policy.pulse_s)
        self._vision_status = ""
        self._health_due_s = 0.0
        self._read_faults = 0
        self._told: tuple[door.DoorState, bool] | None = None
        """The state that was published, and whether the lock had really let go."""
        self._handlers: dict[type, Callable[[Any], None]] = {
            Edge: self._take_edge, EdgesLost: self._take_loss, CredentialRead: self._take_read, ReadFault: self._take_read_fault,
            ReaderStatus: self._take_reader_status, InputEdge: self._take_input,
            Command: self._orders.take, Refusal: self._orders.refuse, NewRules: self._take_rules, Fault: self._take_fault,
        }  # fmt: skip

    @property
    def state(self) -> door.DoorState:
        return self._doorway.state

    def announce(self, kind: str, data: dict[str, Any]) -> None:
        """Put an event on record."""
        self._doorway.announce(kind, data)

    def turn(self) -> None:
        """Wait for something to do, or for the next deadline, and do it."""
        inbox = self._parts.inbox.fileno()
        ready, _, _ = select.select([inbox, self._eyes], [], [], self._patience_s())
        if self._eyes in ready:
            self._eyes.look(self._clock.mono_s())
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

    # -- waiting -------------------------------------------------------------------------------------------------------------

    def _patience_s(self) -> float:
        now_s = self._clock.mono_s()
        due = [framer.due_s for framer in self._parts.framers.values()]
        due += [debounce.due_s for debounce in self._parts.debounced.values()]
        due += [*self._cases.due_s, self._doorway.due_s, self._health_due_s]
        return max(0.0, min(1.0, *(t - now_s for t in due if t is not None)))

    def _keep_time(self) -> None:
        now_s = self._clock.mono_s()
        for framer in self._parts.framers.values():
            self._take_frame(framer.flush(now_s))
        for name in self._parts.debounced:
            self._settle(name, now_s)
        self._cases.ask()
        self._doorway.tick(now_s)
        self._parts.beat()
        self._note_vision(self._eyes.view(now_s))
        if (self.state, self._doorway.released) != self._told:
            self._publish_door()
        if now_s >= self._health_due_s:
            self._publish_health(now_s)

    # -- readers -------------------------------------------------------------------------------------------------------------

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
        if (fault := self._cases.open(read)) is not None:
            self._take_read_fault(fault)

    def _take_read_fault(self, fault: ReadFault) -> None:
        if fault.fault == "overrun" and not fault.bits:
            self._cases.take_overrun(fault.at_s)  # the first surplus bit; the rest and its report follow when the line is silent
            return
        self._read_faults += 1
        self.announce("reader.fault", msgspec.to_builtins(fault))

    def _take_reader_status(self, status: ReaderStatus) -> None:
        self.announce("reader.status", msgspec.to_builtins(status))

    # -- inputs --------------------------------------------------------------------------------------------------------------

    def _take_input(self, edge: InputEdge) -> None:
        # What stood still until this edge counts, however late the loop is: a short press must still let somebody out
        self._settle(edge.name, edge.at_s)
        self._parts.debounced[edge.name].edge(edge.active, edge.at_s)

    def _settle(self, name: str, now_s: float) -> None:
        if (settled := self._parts.debounced[name].settle(now_s)) is not None:
            event = self._input(name, *settled)
            if event is not None:
                self._doorway.apply(event)

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

    # -- news from other threads ---------------------------------------------------------------------------------------------

    def _take_rules(self, new: NewRules) -> None:
        self._cases.take_rules(new.rules)
        self.announce("bundle.applied", {"version": new.rules.version, "credentials": len(new.rules.people)})

    def _take_fault(self, fault: Fault) -> None:
        self.announce(fault.what, {"error": fault.text})

    # -- health --------------------------------------------------------------------------------------------------------------

    def _publish_door(self) -> None:
        state, link, released = self.state, self._parts.link, self._doorway.released
        self._told = (state, released)
        link.publish_state("mode", state.mode.value)
        link.publish_state("lock", "released" if released else "secured")
        link.publish_state("contact", {True: "open", False: "closed", None: "unknown"}[state.open])
        link.publish_state("alarm", state.alarm)

    def _publish_health(self, now_s: float) -> None:
        self._health_due_s = now_s + HEALTH_EVERY_S
        view, vision = self._eyes.view(now_s), self._eyes.health
        self._parts.link.publish_state("health", {
            "vision": view.status, "engine": vision.engine if vision else "", "camera": vision.camera if vision else "",
            "frames_per_s": vision.frames_per_s if vision else 0.0, "vision_faults": list(vision.faults) if vision else [],
            "journal_faults": list(self._parts.journal.faults), "unreadable_packets": self._eyes.garbage,
            "read_faults": self._read_faults, "rules_version": self._cases.access.version, "link": self._parts.link.health(),
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
