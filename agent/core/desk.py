"""What a door remembers from one read to the next: who is inside, who waits for a second person, wrong PINs, whether a first card came.

Pure: frozen parts, time as an argument, no clock, no disk. The door's loop asks it before each decision (`stand`) and tells it what followed
(`decided`, `opened`). What must survive a restart is `kept`; whenever that is another object than before, it is to be saved.
Times `*_s` are CLOCK_MONOTONIC; `now` is the timezone-aware wall clock, which alone means something after a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from agent.core import pairs, passback, pins, unlocking
from agent.core.access import AccessRules, DoorAccess, may_pass
from agent.core.decide import Case, Decision, Pin
from agent.core.messages import CredentialRead
from agent.core.passback import Leads, Passage, PassbackRule, Places
from agent.core.people import Cardholder, Moment
from agent.core.pins import PinRules
from agent.core.schedules import is_open

OPENING_GRACE_S = 0.5
"""As in agent.core.door: a leaf that was moving when the lock held again still opens for whoever was let through."""


class Wiring(Struct, frozen=True, kw_only=True):
    """What there is at this door to know things by."""

    leads: Mapping[str, Leads]
    """Reader -> where somebody goes who is read by it."""
    keypads: frozenset[str] = frozenset()
    """Readers with keys."""
    has_contact: bool = False
    has_other_door: bool = False
    """An input tells whether the other door of a lobby is open."""


class Kept(Struct, frozen=True, kw_only=True):
    """What survives a restart."""

    inside: dict[str, Moment] = {}
    """Cardholder -> since when."""
    begun_until: Moment | None = None
    """Somebody's first card has begun the unlock schedule until then."""
    ended_until: Moment | None = None
    """A person has locked the door in the hours of its unlock schedule, which last until then."""


class Desk:
    """One door's memory. Not thread-safe."""

    def __init__(self, wiring: Wiring, rules: AccessRules, pin_rules: PinRules | None = None, kept: Kept | None = None) -> None:
        self._wiring, self._rules, self._pin_rules = wiring, rules, pin_rules or PinRules()
        self._kept = kept or Kept()
        self._tally: pins.Tally = {}
        self._first: pairs.First | None = None
        self._passages: tuple[Passage, ...] = ()
        self._last_change = (self._kept, self._kept)
        """What was kept before and after the last decision that was no refusal."""

    @property
    def kept(self) -> Kept:
        return self._kept

    @property
    def faults(self) -> list[str]:
        """Rules that this door's wiring cannot serve, in words. They are not applied: tell it with each new set of rules."""
        return list(_faults(self._rules, self._wiring))

    def take_rules(self, rules: AccessRules) -> None:
        """New rules are in force. Ask open cases again: `stand(replace(case, access=may_pass(…)), …)`."""
        self._rules, self._first = rules, None

    def take_pin_rules(self, rules: PinRules) -> None:
        """What was counted of wrong PINs stays."""
        self._pin_rules = rules

    # -- a case ----------------------------------------------------------------------------------------------------------------

    def open(self, read: CredentialRead, started_s: float, now: datetime, by_time: bool = True) -> Case:
        """A credential was read. `stand` is still to be called. `by_time`: as in `may_pass`."""
        return Case(read=read, access=may_pass(self._rules, read.key, now, by_time), started_s=started_s,
                    leaving=self._wiring.leads.get(read.reader) == "out")  # fmt: skip

    def stand(self, case: Case, now_s: float, now: datetime, other_door_open: bool = False) -> Case:
        """The case as the rules of the door stand to it now: before each `decide`."""
        holder = case.access.cardholder
        if case.leaving or holder is None:
            return case
        pair = pairs.standing(self._first, holder.id, now_s) if self._needs_two(now) else "not_asked"
        first = self._first if pair == "second" else None
        return replace(
            case,
            passback="clear" if holder.free_of_passback else passback.standing(self._places, holder.id, self._rule, now),
            other_door_open=other_door_open,
            pin=self._pin(case, holder, now_s),
            pair=pair,
            partner=first.cardholder if first else "",
            partner_extended=first is not None and first.extended,
        )

    def enter_pin(self, cases: Sequence[Case], reader: str, digits: str, at_s: float) -> list[Case]:
        """The cases after a PIN was entered: it belongs to the newest one of that reader which waits for one, if any does."""
        waiting = [case for case in cases if case.read.reader == reader and case.pin == "awaited"]
        newest = max(waiting, key=lambda case: case.read.read_s, default=None)
        return [self._with_pin(case, digits, at_s) if case is newest else case for case in cases]

    def _with_pin(self, case: Case, digits: str, at_s: float) -> Case:
        holder = case.access.cardholder
        if holder is None:
            return case
        verdict = pins.check(holder, digits)
        self._tally = pins.counted(self._tally, holder.id, verdict, self._pin_rules, at_s)
        return replace(case, pin=verdict, pin_s=at_s)

    def _pin(self, case: Case, holder: Cardholder, now_s: float) -> Pin:
        if case.access.factors != "credential_and_pin" or case.pin in ("right", "duress", "wrong"):
            return case.pin if case.pin_s is not None else "not_asked"
        if case.read.reader not in self._wiring.keypads:
            return "no_keypad"
        if not (holder.pin or holder.duress_pin):
            return "not_set"
        return "locked_out" if pins.is_locked_out(self._tally, holder.id, self._pin_rules, now_s) else "awaited"

    def _needs_two(self, now: datetime) -> bool:
        entry = self._rules.entry
        if entry.two_person != "by_schedule":
            return entry.two_person == "always"
        schedule = self._rules.schedules.get(entry.two_person_schedule)
        return schedule is not None and is_open(schedule, now, self._rules.calendars)

    # -- what followed ---------------------------------------------------------------------------------------------------------

    def decided(self, case: Case, decision: Decision, now_s: float, now: datetime, door_open: bool | None) -> None:
        """A decision was carried out. `door_open` as the contact says; None when it has not said anything yet."""
        before = self._kept
        self._note(case, decision, now_s, now, door_open)
        if decision.outcome != "denied":
            self._last_change = (before, self._kept)

    def _note(self, case: Case, decision: Decision, now_s: float, now: datetime, door_open: bool | None) -> None:
        if decision.outcome == "first_of_two":
            self._first = self._first_of(case, decision, now_s)
        if not decision.granted:
            return
        first = self._first if decision.partner else None
        if first is not None:
            self._first = None
        if not case.leaving and (case.access.begins_unlock or (first is not None and first.begins_unlock)):
            self._begin_unlock(now)
        self._let_through(case, decision, now_s)
        if not self._wiring.has_contact or door_open:
            self.opened(now_s, now)

    def _first_of(self, case: Case, decision: Decision, now_s: float) -> pairs.First:
        within_s = self._rules.entry.two_person_within_s
        return pairs.First(cardholder=decision.cardholder or "", until_s=now_s + within_s, extended=decision.extended,
                           begins_unlock=case.access.begins_unlock)  # fmt: skip

    def _let_through(self, case: Case, decision: Decision, now_s: float) -> None:
        leads: Leads = "out" if case.leaving else "in"
        until_s = now_s + decision.pulse_s + OPENING_GRACE_S
        who = [cardholder for cardholder in (decision.cardholder, decision.partner) if cardholder]
        self._passages += tuple(Passage(cardholder=cardholder, leads=leads, until_s=until_s) for cardholder in who)

    def opened(self, at_s: float, now: datetime) -> None:
        """The door was opened: whoever was let through, and still might, is through."""
        if self._rule.mode != "off":
            places = passback.still_known(self._places, self._rule, now)
            for passage in self._passages:
                if at_s <= passage.until_s:
                    places = passback.passed(places, passage.cardholder, passage.leads, now)
            self._keep_places(places)
        self._passages = ()

    def called_off(self) -> None:
        """The last decision that was no refusal was taken back: nobody came by it, began the hours, or is the first of two."""
        self._passages, self._first = (), None
        before, after = self._last_change
        if self._kept is after:
            self._kept = before
        elif self._kept.begun_until == after.begun_until:  # the door was opened meanwhile: whoever did is through
            self._keep_hours(before.begun_until, before.ended_until)

    def forgive(self, cardholder: str | None = None) -> int:
        """One person, or everybody, may come in once more. Returns for how many that makes a difference."""
        before = len(self._places.inside)
        self._keep_places(passback.forgiven(self._places, cardholder))
        return before - len(self._places.inside)

    def break_up(self) -> None:
        """The door is locked down or blocked: who waited for a second person was checked by other rules."""
        self._first = None

    # -- unlock schedule -------------------------------------------------------------------------------------------------------

    def unlocking(self, now: datetime) -> unlocking.Unlocking:
        """Whether the schedule wants the door unlocked now, and when to ask again."""
        rules = self._rules
        kept = self._kept
        return unlocking.unlocking(rules.entry, rules.schedules, rules.calendars, kept.begun_until, now, kept.ended_until)

    def end_unlock(self, now: datetime) -> None:
        """A person locked the door, or locked it down: these hours are over; where a first card is asked for, it takes another one."""
        rules = self._rules
        self._keep_hours(None, unlocking.ended(rules.entry, rules.schedules, rules.calendars, now))

    def resume_unlock(self) -> None:
        """A person gave the door back to its schedule."""
        self._keep_hours(self._kept.begun_until, None)

    def _keep_hours(self, begun_until: datetime | None, ended_until: datetime | None) -> None:
        if (begun_until, ended_until) != (self._kept.begun_until, self._kept.ended_until):
            self._kept = replace(self._kept, begun_until=begun_until, ended_until=ended_until)

    def _begin_unlock(self, now: datetime) -> None:
        until = unlocking.begun(self._rules.entry, self._rules.schedules, self._rules.calendars, now)
        if until is not None:
            self._keep_hours(until, None)

    # -- passback --------------------------------------------------------------------------------------------------------------

    @property
    def _places(self) -> Places:
        return Places(self._kept.inside)

    @property
    def _rule(self) -> PassbackRule:
        entry = self._rules.entry
        forget_after = timedelta(minutes=entry.passback_forget_min) if entry.passback_forget_min else None
        return PassbackRule(mode=entry.passback if _passback_works(entry, self._wiring) else "off", forget_after=forget_after)

    def _keep_places(self, places: Places) -> None:
        if dict(places.inside) != self._kept.inside:
            self._kept = replace(self._kept, inside=dict(places.inside))


def _passback_works(entry: DoorAccess, wiring: Wiring) -> bool:
    """Without a reader that leads out, and without time, everybody would come in once and never again."""
    return entry.passback_forget_min > 0 or "out" in wiring.leads.values()


def _faults(rules: AccessRules, wiring: Wiring) -> Iterator[str]:
    entry = rules.entry
    if entry.passback != "off" and not _passback_works(entry, wiring):
        yield "passback is asked for, but no reader leads out: it is not applied; give one, or passback_forget_min"
    if entry.interlock and not wiring.has_other_door:
        yield "an interlock is asked for, but no input tells of the other door: it is not applied; wire one"
    if any(leads == "in" and reader in wiring.keypads for reader, leads in wiring.leads.items()):
        return
    for profile in rules.profiles.values():
        if profile.factors == "credential_and_pin" and rules.door in profile.doors:
            yield f"profile {profile.id!r} asks for a PIN, but no reader that leads in has a keypad: nobody passes by it"
