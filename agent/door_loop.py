"""The door's loop: one thread that hands inputs to the pure core and carries out what it answers, lock first.

Order of every answer: black box (memory that outlives the process, microseconds), relay, then light and sound, disk and network in threads
of their own. So no opening can go unrecorded, and no disk or network lies on the way to the relay.
"""

from __future__ import annotations

import logging
import select
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

from agent.cases import Cases
from agent.clock import Clock
from agent.core import door
from agent.core.access import AccessRules
from agent.core.commands import Command, Refusal
from agent.core.conduct import Evidence
from agent.core.debounce import Debounce
from agent.core.decide import DecisionPolicy, View
from agent.core.desk import Desk, Kept
from agent.core.evidence import MEANT
from agent.core.feedback import FeedbackRules
from agent.core.fold import Fold
from agent.core.keypad import PinPad
from agent.core.lock_check import LockCheck
from agent.core.messages import CredentialRead, DoorMode, Event, KeyPressed, ReaderStatus, ReadFault, VisionHealth
from agent.core.people import Cardholder
from agent.core.risk_policy import RiskPolicy
from agent.core.wiegand import WiegandFramer
from agent.door_items import (
    ClockTold,
    Edge,
    EdgesLost,
    EnrolOver,
    EnrolWord,
    Fault,
    InputEdge,
    InputFault,
    Item,
    NewRules,
    News,
    Renewed,
)
from agent.doorway import Doorway
from agent.enrol_desk import EnrolDesk
from agent.eyes import Eyes
from agent.inbox import Inbox
from agent.live_desk import LiveDesk
from agent.local_socket import Receiver, Sender
from agent.newsroom import Newsroom
from agent.orders import Answers, Orders
from agent.records.journal import Journal
from agent.teller import Signals, Teller
from agent.unlock_hours import UnlockHours
from agent.updates.at_door import NewSettings, Pending
from agent.updates.tally import ShadowTally
from agent.watchfulness import Watchfulness

if TYPE_CHECKING:
    from hw.interfaces import Lock  # that file knows pictures, and with them numpy: 13 MB that a door has no use for

log = logging.getLogger(__name__)

HEALTH_EVERY_S = 5.0
NOTE_EVERY_S = 1.0

REX_RENEW_SHARE = 0.8
"""A request to exit that still stands is renewed after this share of its pulse, so that the lock does not hold in between."""

MAX_FAILED_TURNS = 5
"""So many turns in a row that end in an unexpected exception mean that the program is broken: it stops in the safe state and is restarted."""

LOCK_FINDINGS = {
    "obeys_again": ("lock.obeys_again", ""), "does_not_hold": ("lock.does_not_hold", "jammed"),
    "does_not_let_go": ("lock.does_not_let_go", "jammed"),
}  # fmt: skip
"""What the lock's own contact shows -> the event, and the state that is published instead of what the relay was told."""


def ignored(health: VisionHealth | None) -> None:
    """For who watches no updates."""


class Uplink(Answers, Protocol):
    """What the loop says to the world; none of it waits for the network."""

    def publish_state(self, name: str, value: Any) -> None: ...

    def health(self) -> dict[str, Any]: ...


class WiegandPort(Struct, frozen=True, kw_only=True):
    """A Wiegand reader as the loop sees it."""

    framer: WiegandFramer
    heard_until_s: Callable[[float], float]
    """See hw.interfaces.WiegandLines."""


class Parts(Struct, frozen=True, kw_only=True):
    """Everything the loop works with, put together by door_app."""

    inbox: Inbox[Item]
    wiegand: dict[str, WiegandPort]
    """By name; other readers frame for themselves."""
    pads: dict[str, PinPad]
    """Of the readers with keys."""
    debounced: dict[str, Debounce]
    lock: Lock
    lock_check: LockCheck | None
    """Where the lock's own monitor contact is wired."""
    follow: Callable[[door.DoorState, float], None]
    """Shows the door's state on a second relay."""
    rules: door.DoorRules
    policy: DecisionPolicy
    desk: Desk
    keep: Callable[[Kept], None]
    """Saves what the desk must know after a restart."""
    signals: Signals
    feedback: FeedbackRules
    journal: Journal
    link: Uplink
    from_vision: Receiver
    to_vision: Sender
    save_mode: Callable[[DoorMode], None]
    beat: Callable[[], None]
    """Tells the supervisor that the loop turns."""
    tell_health: Callable[[float, str, bool, dict[str, Any]], None]
    """Says here, by the clock, the mode and whether vision lives, what is published as health."""
    risk: RiskPolicy = RiskPolicy()
    emotional_allowed: bool = False
    """The deployment's profile lets expressions be known."""
    norms_key: bytes = b""
    """Under which cardholders' own norms are named; empty where none are kept."""
    wear: Callable[[], dict[str, Any]] = dict
    """What is written to this controller's disk (agent.wear.Figures)."""
    access_health: Callable[[], dict[str, Any]] = dict
    """How the rules in force stand to what the centre offers."""
    live: LiveDesk | None = None
    """None where nobody may watch live."""
    enrol: EnrolDesk | None = None
    """None where the centre's word cannot be heard."""
    is_sure: Callable[[], bool] = lambda: True
    """Whether it is known what time it is."""
    by_time: Callable[[], bool] = lambda: True
    """Whether fobs are judged by days and hours, which may be a guess."""
    note_vision: Callable[[VisionHealth | None], None] = ignored
    """Told each second how vision is: updates are watched by it."""
    shadow: ShadowTally | None = None
    """Counts what models beside those in force would have answered."""


class DoorLoop:
    """Call `turn` for ever; `close` leaves the lock in its safe state."""

    def __init__(self, parts: Parts, clock: Clock, access: AccessRules, mode: DoorMode) -> None:
        self._parts, self._clock = parts, clock
        self._news = Newsroom(parts.to_vision, self._holder_of, lambda: self.state.renew_s is not None, parts.norms_key)
        self._doorway = Doorway(parts.lock, parts.rules, parts.journal, clock, door.DoorState(mode=mode), self._hear)
        self._eyes = Eyes(parts.from_vision, parts.emotional_allowed, parts.enrol.heard if parts.enrol is not None else None,
                          parts.shadow.seen if parts.shadow is not None else None)  # fmt: skip
        self._bells = select.poll()
        for each in (parts.inbox, self._eyes):
            self._bells.register(each.fileno(), select.POLLIN)
        self._watchfulness = Watchfulness(
            parts.risk, self._eyes, self._doorway, clock, parts.to_vision, parts.link.publish_state, self._own_facts, self._lock_down
        )  # fmt: skip
        self._teller = Teller(parts.signals, parts.feedback, clock)
        self._cases = Cases(
            self._doorway, self._eyes, parts.desk, parts.policy, access, clock, parts.to_vision, self._teller, self._watchfulness,
            parts.shadow, parts.by_time,
        )  # fmt: skip
        self._hours = UnlockHours(parts.desk, self._doorway, clock, parts.is_sure)
        self._orders = Orders(self._doorway, parts.link, parts.save_mode, clock, parts.policy.pulse_s)
        self._orders.also("forgive", self._forgive)
        self._orders.also("assist", self._assist)
        self._orders.also("deny", self._deny)
        self._orders.afterwards(self._after_command)
        self._pending, self._note_due_s = Pending(), 0.0
        self._kept = parts.desk.kept
        self._vision_status = ""
        self._tamper: tuple[str, ...] = ()
        self._tamper_since_s: dict[str, float] = {}
        self._health_due_s = 0.0
        self._read_faults = 0
        self._noise = Fold()
        self._readers: dict[str, ReaderStatus] = {}
        self._tampered_since_s: dict[str, float] = {}
        """What reports that somebody opens it, and since when: readers by name, and the loop of the housing."""
        self._input_faults: dict[str, str] = {}
        self._lock_trouble = ""
        self._rex_again_s: float | None = None
        """When a request to exit that still stands is obeyed once more."""
        self._rex_held = False
        self._told: tuple[door.DoorState, bool, str, bool] | None = None
        """The state that was published, whether the lock had really let go, what its monitor made of it, and whether somebody is enrolled."""
        self._handlers: dict[type, Callable[[Any], None]] = {
            Edge: self._take_edge, EdgesLost: self._take_loss, CredentialRead: self._take_read, ReadFault: self._take_read_fault,
            KeyPressed: self._take_key, ReaderStatus: self._take_reader_status, InputEdge: self._take_input,
            InputFault: self._take_input_fault, Command: self._orders.take, Refusal: self._orders.refuse, NewRules: self._take_rules,
            EnrolWord: self._take_enrol_word, EnrolOver: self._take_enrol_over, Fault: self._take_fault, ClockTold: self._take_clock,
            Renewed: lambda told: self.announce(told.kind, told.data),
            News: self._take_news, NewSettings: self._take_settings,
        }  # fmt: skip
        self._inputs: dict[str, Callable[[bool, float], None]] = {
            "contact": self._contact, "rex": self._rex, "fire": self._fire, "interlock": self._interlock, "bolt": self._bolt,
            "tamper": self._tampered,
        }  # fmt: skip
        self._tell_rule_faults()

    def _hear(self, event: Event) -> None:
        self._news.hear(event)
        if self._parts.live is not None:
            self._parts.live.hear(event)

    @property
    def state(self) -> door.DoorState:
        return self._doorway.state

    def announce(self, kind: str, data: dict[str, Any]) -> None:
        """Put an event on record."""
        self._doorway.announce(kind, data)

    def say_goodbye(self) -> None:
        """The program ends: what was only counted until now is told."""
        self._note_noise(float("inf"))
        if self._parts.enrol is not None:
            self._parts.enrol.close(self._clock.mono_s(), self.announce)
        self.announce("door.stopped", {"mode": self.state.mode.value})

    def turn(self) -> None:
        """Wait for something to do, or for the next deadline, and do it."""
        rung = {descriptor for descriptor, _ in self._bells.poll(1000 * self._patience_s())}
        if self._eyes.fileno() in rung:
            self._eyes.look(self._clock.mono_s())
        # Before the inbox is emptied: what was handed on by then lies in it
        now_s = self._clock.mono_s()
        heard_s = {name: port.heard_until_s(now_s) for name, port in self._parts.wiegand.items()}
        if self._handle(self._parts.inbox.drain()):
            for name, port in self._parts.wiegand.items():
                self._take_frame(port.framer.flush(heard_s[name]))
        self._keep_time()

    def _handle(self, items: list[Item]) -> bool:
        """In their order, but inputs before everything else: it may be somebody who wants to leave. What waits behind one that fails, or
        behind a command, which may have waited for the disk, is handled in the next turn. Whether nothing was left for it.
        """
        ordered, handled = sorted(items, key=lambda item: not isinstance(item, InputEdge)), 0
        try:
            for item in ordered:
                handled += 1
                self._handlers[type(item)](item)
                if isinstance(item, Command):
                    break
        finally:
            self._parts.inbox.give_back(ordered[handled:])
        return handled == len(ordered)

    # -- waiting -------------------------------------------------------------------------------------------------------------

    def _patience_s(self) -> float:
        now_s = self._clock.mono_s()
        due = [port.framer.due_s for port in self._parts.wiegand.values()]
        due += [pad.due_s for pad in self._parts.pads.values()]
        due += [debounce.due_s for debounce in self._parts.debounced.values()]
        due += [
            *self._cases.due_s,
            self._rex_again_s,
            self._doorway.due_s,
            self._hours.due_s,
            self._noise.due_s,
            self._health_due_s,
        ]
        due += [self._parts.lock_check.due_s] if self._parts.lock_check else []
        return max(0.0, min(1.0, *(t - now_s for t in due if t is not None)))

    def _keep_time(self) -> None:
        now_s = self._clock.mono_s()
        for name in self._parts.debounced:
            self._settle(name, now_s)
        for pad in self._parts.pads.values():
            pad.expire(now_s)
        self._cases.ask()
        self._hours.keep(now_s)
        self._keep_rex(now_s)
        self._doorway.tick(now_s)
        self._parts.follow(self.state, now_s)
        self._parts.beat()
        self._check_lock(now_s)
        self._note_vision(self._eyes.view(now_s))
        self._note_tamper()
        self._note_noise(now_s)
        self._watchfulness.keep(now_s)
        self._keep()
        if (self.state, self._doorway.released, self._lock_trouble, self._enrols) != self._told:
            self._publish_door()
        if now_s >= self._health_due_s:
            self._publish_health(now_s)
        self._news.send()
        self._keep_updates(now_s)
        if self._parts.live is not None:
            self._parts.live.turn(now_s, self.announce)
        if self._parts.enrol is not None:
            self._parts.enrol.turn(now_s, self._eyes.lives(now_s), self.announce)

    def _keep(self) -> None:
        if self._parts.desk.kept is not self._kept:
            self._kept = self._parts.desk.kept
            self._parts.keep(self._kept)
            self._hours.ask()  # it may have been the first card

    # -- readers -------------------------------------------------------------------------------------------------------------

    def _take_edge(self, edge: Edge) -> None:
        # Edges come in order, so silence before this one ended the frame before it, however late the loop is
        framer = self._parts.wiegand[edge.reader].framer
        self._take_frame(framer.before(edge.at_s))
        self._take_frame(framer.edge(edge.bit, edge.at_s))

    def _take_loss(self, loss: EdgesLost) -> None:
        # Not `before`: silence between two edges proves nothing when edges between them were lost
        self._take_frame(self._parts.wiegand[loss.reader].framer.lost(loss.at_s))

    def _take_frame(self, frame: CredentialRead | KeyPressed | ReadFault | None) -> None:
        if frame is not None:
            self._handlers[type(frame)](frame)

    def _take_read(self, read: CredentialRead) -> None:
        if (pad := self._parts.pads.get(read.reader)) is not None:
            pad.clear()
        if (fault := self._cases.open(read)) is not None:
            self._take_read_fault(fault)

    def _take_key(self, pressed: KeyPressed) -> None:
        """No key is logged or published: it belongs to somebody's PIN."""
        pad = self._parts.pads.get(pressed.reader)
        if pad is not None and (digits := pad.press(pressed)) is not None:
            self._cases.enter_pin(pressed.reader, digits, pressed.at_s)

    def _take_read_fault(self, fault: ReadFault) -> None:
        if fault.fault == "overrun" and (pad := self._parts.pads.get(fault.reader)) is not None:
            pad.clear()
        if fault.fault == "overrun" and not fault.bits:
            # The first surplus bit; the rest and its report follow when the line is silent
            self._cases.take_overrun(fault.reader, fault.at_s)
            return
        self._read_faults += 1
        self._teller.misread(fault)
        if self._noise.tells(fault.reader, self._clock.mono_s()):
            self.announce("reader.fault", msgspec.to_builtins(fault))

    def _note_noise(self, now_s: float) -> None:
        for reader, untold in self._noise.ended(now_s):
            self.announce("reader.noise", {"reader": reader, "faults": untold})

    def _take_reader_status(self, status: ReaderStatus) -> None:
        self._readers[status.reader] = status
        self._health_due_s = self._clock.mono_s()
        self._note_tampered(f"reader {status.reader}", bool(status.tamper), status.at_s)
        self.announce("reader.status", msgspec.to_builtins(status))

    # -- inputs --------------------------------------------------------------------------------------------------------------

    def _take_input(self, edge: InputEdge) -> None:
        # What stood still until this edge counts, however late the loop is: a short press must still let somebody out
        self._settle(edge.name, edge.at_s)
        self._parts.debounced[edge.name].edge(edge.active, edge.at_s)

    def _settle(self, name: str, now_s: float) -> None:
        if (settled := self._parts.debounced[name].settle(now_s)) is not None:
            self._inputs[name](*settled)

    def _contact(self, is_open: bool, at_s: float) -> None:
        was_open = self.state.open
        self._doorway.apply(door.ContactChanged(at_s=at_s, open=is_open))
        if is_open and was_open is False and not self.state.forced:
            self._parts.desk.opened(at_s, self._clock.wall())

    def _rex(self, pressed: bool, at_s: float) -> None:
        now_s = self._clock.mono_s()
        self._rex_again_s = now_s + REX_RENEW_SHARE * self._parts.rules.rex_pulse_s if pressed else None
        self._rex_held = False
        if pressed:  # counted from now: a press that a busy loop finds late must still let somebody out
            self._doorway.apply(door.RexPressed(at_s=now_s))

    def _keep_rex(self, now_s: float) -> None:
        """A sensor that still sees somebody, a hand that stays on the button: the way out stays free, and that it does is told once."""
        if self._rex_again_s is None or now_s < self._rex_again_s:
            return
        self._rex_again_s = now_s + REX_RENEW_SHARE * self._parts.rules.rex_pulse_s
        self._doorway.apply(door.RexPressed(at_s=now_s, again=True))
        if not self._rex_held:
            self._rex_held = True
            self.announce("rex.held", {"pulse_s": self._parts.rules.rex_pulse_s})

    def _fire(self, active: bool, at_s: float) -> None:
        self._doorway.apply(door.FireChanged(at_s=at_s, active=active))

    def _interlock(self, is_open: bool, at_s: float) -> None:
        self._doorway.apply(door.OtherDoorChanged(at_s=at_s, open=is_open))

    def _bolt(self, released: bool, at_s: float) -> None:
        if self._parts.lock_check is not None:
            self._parts.lock_check.read(released, at_s)

    def _note_tampered(self, what: str, active: bool, at_s: float) -> None:
        if active:
            self._tampered_since_s.setdefault(what, at_s)
        else:
            self._tampered_since_s.pop(what, None)

    def _own_facts(self, now_s: float) -> tuple[Evidence, ...]:
        """What the door knows of the place without vision."""
        reader = (Evidence(kind="reader_tamper", value=max(0.0, now_s - since_s), detail=what, at_s=now_s)
                  for what, since_s in self._tampered_since_s.items())  # fmt: skip
        standing = self._tamper_since_s if self._eyes.health_now(now_s) is not None else {}  # a dead program holds nobody up
        camera = (Evidence(kind="camera_tamper", value=max(0.0, now_s - since_s), confidence=MEANT.get(sign, 1.0), detail=sign, at_s=now_s)
                  for sign, since_s in standing.items())  # fmt: skip
        return (*reader, *camera)

    def _tampered(self, active: bool, at_s: float) -> None:
        self._note_tampered("its housing", active, at_s)
        self.announce("tamper.active" if active else "tamper.cleared", {"input": "tamper"})

    def _take_input_fault(self, fault: InputFault) -> None:
        if fault.fault:
            self._input_faults[fault.name] = fault.fault
        else:
            self._input_faults.pop(fault.name, None)
        self.announce("input.fault" if fault.fault else "input.ok", {"input": fault.name, "fault": fault.fault})

    def _check_lock(self, now_s: float) -> None:
        """What the lock's own contact says beside what it was told."""
        check = self._parts.lock_check
        if check is None:
            return
        check.ordered(self._doorway.released, now_s)
        check.leaf(self.state.open, now_s)
        if (found := check.settle(now_s)) is not None:
            kind, self._lock_trouble = LOCK_FINDINGS[found.finding]
            self.announce(kind, {"since_s": round(now_s - found.since_s, 3)})

    # -- commands and news from other threads --------------------------------------------------------------------------------

    def _forgive(self, command: Command) -> tuple[bool, str]:
        return True, f"done: {self._parts.desk.forgive()} forgiven"

    def _assist(self, command: Command) -> tuple[bool, str]:
        self._teller.help_is_coming()
        return True, "done"

    def _deny(self, command: Command) -> tuple[bool, str]:
        """Of whoever waits; where the door had refused already, its signs say no once more, for whoever still stands there."""
        if self._cases.guard_says(False, command.user):
            return True, "done"
        if self._doorway.released:
            return False, "nobody waits for a guard, and the lock is released"
        self._teller.refused()
        return True, "nobody waited: the signs said no"

    def _lock_down(self, why: str) -> None:
        """The site has put in writing that a risk may do this. Whoever leaves still does."""
        now = self._clock.wall()
        self._orders.take(Command(id=f"risk-{now:%Y%m%d%H%M%S%f}", user="risk", name="lockdown", issued=now,
                                  expires=now + timedelta(seconds=10), why=why))  # fmt: skip

    def _after_command(self, command: Command) -> None:
        if command.name == "unlock":
            if not self._cases.guard_says(True, command.user):
                self._teller.let_in(self._parts.policy.pulse_s)
        elif command.name in ("lock", "lockdown"):
            self._hours.end()
        elif command.name == "release":
            self._hours.resume()
        if command.name in ("lockdown", "block"):
            self._parts.desk.break_up()

    def _take_rules(self, new: NewRules) -> None:
        self._parts.desk.take_rules(new.rules)
        self._cases.take_rules(new.rules)
        new.taken()
        if new.withdrawn is None:
            self.announce("bundle.applied", {"version": new.rules.version, "credentials": len(new.rules.people)})
        else:
            self.announce("bundle.withdrawn", {"version": new.rules.version, "withdrawn": new.withdrawn})
        self._tell_rule_faults()
        self._hours.ask()

    def _holder_of(self, credential: str) -> Cardholder | None:
        known = self._cases.access.people.find(credential)
        return known.cardholder if known else None

    def _tell_rule_faults(self) -> None:
        for fault in self._parts.desk.faults:
            self.announce("rules.not_applied", {"error": fault})

    @property
    def _enrols(self) -> bool:
        return self._parts.enrol is not None and self._parts.enrol.is_on

    def _take_enrol_word(self, heard: EnrolWord) -> None:
        if self._parts.enrol is not None:
            self._parts.enrol.word(heard.word)

    def _take_enrol_over(self, heard: EnrolOver) -> None:
        if self._parts.enrol is not None:
            self._parts.enrol.end(heard.session)

    def _take_clock(self, heard: ClockTold) -> None:
        self.announce(heard.news.kind, heard.news.data)
        self._hours.ask()  # it may be another hour than a moment ago

    def _take_fault(self, fault: Fault) -> None:
        self.announce(fault.what, {"error": fault.text})

    # -- updates -------------------------------------------------------------------------------------------------------------

    def _take_news(self, news: News) -> None:
        self.announce(news.kind, news.data)

    def _take_settings(self, new: NewSettings) -> None:
        self._pending.put(new, self._clock.mono_s())

    def _keep_updates(self, now_s: float) -> None:
        if now_s >= self._note_due_s:
            self._note_due_s = now_s + NOTE_EVERY_S
            self._parts.note_vision(self._eyes.health_now(now_s))
        new = self._pending.due(now_s, self._at_rest, self._nobody_there(now_s))
        if new is not None:
            settings = new.settings
            self._cases.take_policy(settings.policy)
            self._doorway.take_rules(settings.rules)
            self._watchfulness.take_policy(settings.risk)
            self._teller.take_rules(settings.feedback)
            self._parts.desk.take_pin_rules(settings.pins)
            if self._parts.enrol is not None:
                self._parts.enrol.take_rules(settings.enrol)
            new.taken()

    @property
    def _at_rest(self) -> bool:
        """Nobody waits for an answer, nobody is being let through, nobody is being enrolled."""
        held_back = not self._doorway.released or self.state.renew_s is not None
        return not self._cases.due_s and held_back and not self._enrols

    def _nobody_there(self, now_s: float) -> bool:
        seen = self._eyes.view(now_s).observation
        return self.state.open is not True and not (seen is not None and seen.faces)

    # -- health --------------------------------------------------------------------------------------------------------------

    def _publish_door(self) -> None:
        state, link, released = self.state, self._parts.link, self._doorway.released
        self._told = (state, released, self._lock_trouble, self._enrols)
        link.publish_state("mode", state.mode.value)
        link.publish_state("lock", self._lock_trouble or ("released" if released else "secured"))
        link.publish_state("contact", {True: "open", False: "closed", None: "unknown"}[state.open])
        link.publish_state("alarm", state.alarm)
        self._teller.door(state, self._enrols)

    def _publish_health(self, now_s: float) -> None:
        self._health_due_s = now_s + HEALTH_EVERY_S
        view, vision = self._eyes.view(now_s), self._eyes.health
        health = {
            "vision": view.status, "engine": vision.engine if vision else "", "camera": vision.camera if vision else "",
            "frames_per_s": vision.frames_per_s if vision else 0.0, "vision_faults": list(vision.faults) if vision else [],
            "camera_tamper": list(self._tamper), "journal_faults": list(self._parts.journal.faults),
            "unreadable_packets": self._eyes.garbage, "risk_faults": self._watchfulness.faults,
            "forbidden_evidence": self._eyes.forbidden, "read_faults": self._read_faults, "rules_version": self._cases.access.version,
            "readers": {name: {"online": s.online, "tamper": s.tamper, "secure": s.secure} for name, s in self._readers.items()},
            "input_faults": dict(self._input_faults), "awaits_first_card": self._hours.awaits_first_card,
            "access": self._parts.access_health(), "link": self._parts.link.health(), "wear": self._parts.wear(),
        }  # fmt: skip
        self._parts.link.publish_state("health", health)
        self._parts.tell_health(now_s, self.state.mode.value, self._eyes.lives(now_s), health)

    def _note_vision(self, view: View) -> None:
        if view.status == self._vision_status:
            return
        if view.status == "fresh" or self._vision_status == "fresh":
            self.announce(
                "vision.back" if view.status == "fresh" else "vision.lost", {"status": view.status, "age_s": view.age_s}
            )
        self._vision_status = view.status

    def _note_tamper(self) -> None:
        """A vision program that is silent says nothing new: what it said last stands until it speaks again."""
        signs = self._eyes.health.tamper if self._eyes.health else ()
        if signs == self._tamper:
            return
        self._tamper = signs
        self._tamper_since_s = {sign: self._tamper_since_s.get(sign, self._clock.mono_s()) for sign in signs}
        self.announce("camera.tamper" if signs else "camera.clear", {"signs": list(signs)})


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
