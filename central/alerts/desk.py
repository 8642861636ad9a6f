"""The alert desk: reads what the historian has committed, keeps the list of alerts, escalates, and puts into the outbox whom to tell.

It reads the table of events behind a cursor of its own, and moves that in the transaction that writes alerts and outbox: a kill at any moment
loses no alert and makes none twice. What people do about an alert comes in by `acknowledge`, `escalate`, `close` and `note`, from any thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ParamSpec, Protocol, TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError

from agent.clock import Clock
from central.alerts import store
from central.alerts.alert import STEPS, Alert, acknowledged, begun, closed, folded, lasted, noted, part_over, takes
from central.alerts.escalation import pushed_on, resumed, stepped
from central.alerts.options import options_of
from central.alerts.ringing import Names, Ringing
from central.alerts.rules import (
    CERTIFICATE,
    DURESS,
    GAP,
    OFFLINE,
    Found,
    Happening,
    Over,
    certificate_ends,
    found_in,
    gap,
    offline,
    over_by,
)  # fmt: skip
from central.alerts.sender import Sender
from central.alerts.severity import rank
from central.alerts.vapid import Vapid
from central.certificates import SOON, Ending, of_door
from central.database.engine import StoreError, reading, writing
from central.gateway.asking import Unfit
from central.settings import Alerts

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

PAGE, ONES = 2000, 200
"""Events that are looked at in one transaction: each is a commit that the historian waits for. One by one fewer, if one is at fault."""
CENTRE = "centre"
"""Stands in the place of a door where an alert is about the centre itself."""
DOORS_EVERY_S, TIDY_EVERY_S = 2.0, 60.0
STABLE = timedelta(seconds=30)
"""A door that was away is back when it has been there for so long."""
LATEST = timedelta(days=2)
"""Nothing is put off for so long, by any setting: whatever is, was put off by a clock that was wrong."""
FADE = timedelta(days=1)
"""A mild alert that nobody acknowledged, and of which nothing new was heard, closes by itself."""


class Door(Protocol):
    """What is read of central.gateway.door_book.DoorNow."""

    @property
    def site(self) -> str: ...
    @property
    def door(self) -> str: ...
    @property
    def online(self) -> bool: ...
    @property
    def since(self) -> datetime | None: ...
    @property
    def states(self) -> Mapping[str, Any]: ...


class Doors(Protocol):
    """What is asked of the DoorBook."""

    @property
    def is_connected(self) -> bool: ...
    def snapshot(self) -> Iterable[Door]: ...


class Audit(Protocol):
    def write(
        self, who: str, what: str, about: str, details: dict[str, Any], *, connection: Connection | None = None
    ) -> None: ...


def _is_of_database(error: Exception) -> bool:
    """The database does not answer; what it only does not take is the fault of an event."""
    return isinstance(error, StoreError) and not isinstance(error.__cause__, DataError)


def as_topic(site: str, door: str) -> str:
    return f"{site}/{door}"


def _surely(ask: Callable[P, T], otherwise: Callable[P, T]) -> Callable[P, T]:
    """Other rooms may be in trouble: an alert goes out all the same."""

    def asked(*words: P.args, **named: P.kwargs) -> T:
        try:
            return ask(*words, **named)
        except Exception:
            log.exception("alerts: another room did not answer")
            return otherwise(*words, **named)

    return asked


class AlertDesk:
    """`start`, `wake` when events were committed, `stop`."""

    def __init__(self, engine: Engine, settings: Alerts, clock: Clock, audit: Audit, doors: Doors, vapid: Vapid, *, base_url: str = "",
                 place: Callable[[str, str], str] = as_topic, person: Callable[[str], str] = str,
                 area: Callable[[str, str], str] = lambda site, door: "",
                 watching: Callable[[], frozenset[str]] = frozenset, site: str = "hq",
                 own_certificates: Callable[[], Iterable[Ending]] = tuple) -> None:  # fmt: skip
        """`place`: what people call a door; `person`: the name of a cardholder, asked for only with `show_names`;
        `area`: the zone of the building that a door lies in; `watching`: the accounts that have the dashboard open;
        `own_certificates`: those of the centre itself, which stands at `site`. A desk that has never run begins with what is committed
        from here on, so it is made before a historian runs. Raises ConfigError, StoreError."""
        self._site, self._own_certificates = site, _surely(own_certificates, tuple)
        self.engine, self.vapid, self.options = engine, vapid, options_of(settings)
        self._clock, self._audit, self._doors = clock, audit, doors
        self.names = Names(
            _surely(place, as_topic), _surely(person, str), _surely(area, lambda site, door: ""), _surely(watching, frozenset)
        )
        self._bell, self._stopping = threading.Event(), False
        self._doors_due_s = self._tidy_due_s = float("-inf")
        self._missing_since: dict[tuple[str, str], datetime] = {}
        self._on_change: list[Callable[[list[Alert]], None]] = []
        self.sender = Sender(engine, clock, vapid, self.options, base_url)
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        with writing(engine) as db:
            if store.cursor(db) is None:
                store.move_cursor(db, store.newest_event(db))

    def on_change(self, callback: Callable[[list[Alert]], None]) -> None:
        """Rings after each commit, with the alerts as they are now, in any thread; to be called before `start`."""
        self._on_change.append(callback)

    def start(self) -> None:
        self._thread.start()
        self.sender.start()

    def wake(self) -> None:
        self._bell.set()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping = True
        self._bell.set()
        self._thread.join(timeout_s)
        self.sender.stop(timeout_s)

    # -- the desk's thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait_s = self.turn()
            except Exception:
                log.exception("alerts turn")
                wait_s = 5.0
            self._bell.wait(wait_s)
            self._bell.clear()

    def turn(self) -> float:
        """Everything that is due now. Returns how long there is nothing to do."""
        while self._take_events():
            pass
        now, now_s = self._clock.wall(), self._clock.mono_s()
        if now_s >= self._doors_due_s:
            self._doors_due_s = now_s + DOORS_EVERY_S
            self._look_at_doors(now)
        if now_s >= self._tidy_due_s:
            self._tidy_due_s = now_s + TIDY_EVERY_S
            self._tidy(now)
        later = self._escalate(now)
        return 1.0 if later is None else min(1.0, max(0.02, (later - now).total_seconds()))

    def _take_events(self) -> bool:
        """One page of events. Returns whether there may be more."""
        with reading(self.engine) as db:
            at = store.cursor(db)
            if at is None or store.newest_event(db) <= at:
                return False
        try:
            return self._take_page(PAGE)
        except Exception as error:
            if _is_of_database(error):
                raise
            log.exception("alerts page not taken: one by one")
        return self._take_page_by_ones()

    def _take_page_by_ones(self) -> bool:
        """An event that nobody foresaw is passed over, and holds up no alert of other doors."""
        for _ in range(ONES):
            try:
                if not self._take_page(1):
                    return False
            except Exception as error:
                if _is_of_database(error):
                    raise
                self._pass_over()
        return True

    def _pass_over(self) -> None:
        with writing(self.engine) as db:
            for event in store.happenings(db, store.cursor(db) or 0, store.newest_event(db), 1):
                log.exception(
                    "alerts event passed over n=%d site=%s door=%s kind=%s", event.n, event.site, event.door, event.kind
                )
                store.move_cursor(db, event.n)

    def _take_page(self, most: int) -> bool:
        now = self._clock.wall()
        with writing(self.engine) as db:
            after, upto = store.cursor(db) or 0, store.newest_event(db)
            events = store.happenings(db, after, upto, most)
            is_full = len(events) == most
            book = _Book(db, now, Ringing(db, now, self.options, self.names), self)
            for event in events:
                book.take(event)
            store.move_cursor(db, events[-1].n if is_full else upto)
        self._told(book.changed)
        return is_full

    def _escalate(self, now: datetime) -> datetime | None:
        """Returns when the next is due."""
        with reading(self.engine) as db:
            later = store.next_due(db)
        if later is None or later > now:
            return later
        with writing(self.engine) as db:
            book = _Book(db, now, Ringing(db, now, self.options, self.names), self)
            for alert in store.due(db, now):
                book.due(alert)
            later = store.next_due(db)
        self._told(book.changed)
        return later

    def _look_at_doors(self, now: datetime) -> None:
        """While the broker is away, nothing is known of doors, and nothing is said."""
        if not self._doors.is_connected:
            self._missing_since.clear()
            return
        with reading(self.engine) as db:
            told = {(each.site, each.door): each for each in store.open_about(db, OFFLINE)}
        gone, back = [], []
        for door in self._doors.snapshot():
            key = (door.site, door.door)
            if door.online:
                self._missing_since.pop(key, None)
                pending = key in told and told[key].state == "pending"
                stable = door.since is None or not timedelta(0) <= now - door.since < STABLE  # in the future: by a wrong clock
                if key in told and told[key].parts and (pending or stable):
                    back.append(key)
            elif key not in told or not told[key].parts:
                since = self._missing_since[key] = min(self._missing_since.get(key, door.since or now), now)
                if now - since >= timedelta(seconds=self.options.offline_s):
                    gone.append((key, since))
        if gone or back:
            self._write(now, lambda book: book.doors(gone, back))

    def _tidy(self, now: datetime) -> None:
        with writing(self.engine) as db:
            if wrong := store.set_right(db, now, now + LATEST):
                log.warning("alerts: the clock was ahead, %d rows are due now and not then", wrong)
        with reading(self.engine) as db:
            missing = store.missing(db, now - timedelta(seconds=self.options.gap_s))
            told = {(each.site, each.door) for each in store.open_about(db, GAP) if each.parts}
        new, filled = [(key, count) for key, count in missing.items() if key not in told], told - missing.keys()
        self._write(now, lambda book: book.tidy(new, filled))
        if endings := self._endings(now):
            self._write(now, lambda book: book.certificates(endings))

    def _endings(self, now: datetime) -> dict[tuple[str, str], list[Ending]]:
        """Of each door and of the centre itself: certificates that end soon, and those of which that was said."""
        with reading(self.engine) as db:
            told = {(each.site, each.door) for each in store.open_about(db, CERTIFICATE)}
        known = [((each.site, each.door), of_door(each.site, each.door, each.states)) for each in self._doors.snapshot()]
        found = {key: [ending] for key, ending in known if ending is not None}
        if own := list(self._own_certificates()):
            found[self._site, CENTRE] = own
        return {key: known for key, known in found.items() if key in told or any(each.step(now) for each in known)}

    def _write(self, now: datetime, work: Callable[[_Book], None]) -> None:
        with writing(self.engine) as db:
            book = _Book(db, now, Ringing(db, now, self.options, self.names), self)
            work(book)
        self._told(book.changed)

    def _told(self, changed: dict[int, Alert]) -> None:
        self.sender.wake()
        for ring in self._on_change if changed else ():
            _surely(ring, lambda alerts: None)(list(changed.values()))

    # -- people, in any thread ---------------------------------------------------------------------------------------------------

    def acknowledge(self, number: int, by: str, text: str = "") -> Alert:
        """Raises Unfit, as all of these do."""
        return self._act(number, by, "acknowledge", text, lambda alert, now, _: acknowledged(alert, by, now))

    def close(self, number: int, by: str, text: str = "") -> Alert:
        return self._act(number, by, "close", text, lambda alert, now, _: closed(alert, by, now))

    def note(self, number: int, by: str, text: str) -> Alert:
        return self._act(number, by, "note", text, lambda alert, now, _: alert)

    def escalate(self, number: int, by: str, text: str = "") -> Alert:
        """More people are told at once."""
        return self._act(number, by, "escalate", text or "escalated", self._pushed_on)

    def _pushed_on(self, alert: Alert, now: datetime, ringing: Ringing) -> Alert:
        return ringing.ring(pushed_on(alert, now, self.options.patience))

    def _act(self, number: int, by: str, what: str, text: str, work: Callable[[Alert, datetime, Ringing], Alert]) -> Alert:
        now = self._clock.wall()
        with writing(self.engine) as db:
            alert = store.alert(db, number, to_change=True)
            if alert is None or alert.state == "pending":
                raise Unfit(404, "no_such_alert", f"there is no alert {number}")
            if alert.state == "closed" and what != "note":
                raise Unfit(409, "closed", f"alert {number} was closed by {alert.by or 'itself'}")
            ringing = Ringing(db, now, self.options, self.names)
            changed = work(noted(alert, by, text, now) if text else alert, now, ringing)
            store.save(db, changed)
            if alert.state == "open" and changed.state != "open":
                ringing.tell_taken(changed, by)
            self._audit.write(by, f"alert.{what}", f"alert {number} at {alert.site}/{alert.door}", {"noted": bool(text), "kind": alert.kind,
                              "step": changed.step}, connection=db)  # fmt: skip
        self._told({number: changed})
        return changed


class _Book:
    """The list of alerts, open for one transaction."""

    def __init__(self, db: Connection, now: datetime, ringing: Ringing, desk: AlertDesk) -> None:
        self._db, self._now, self._ringing, self._patience = db, now, ringing, desk.options.patience
        self._keep_days, self._area = desk.options.keep_days, desk.names.area
        self.changed: dict[int, Alert] = {}
        self._live: set[tuple[str, str, str]] | None = None

    def take(self, event: Happening) -> None:
        """What it ends comes first: the end of somebody's wait is no new alert."""
        answered = False
        for over in over_by(event):
            answered = self._end(event.site, event.door, over) or answered
        for found in found_in(event):
            if not (answered and event.kind.startswith("access.")) or found.subject == DURESS:
                self.found(event.site, event.door, found, event)

    def found(self, site: str, door: str, found: Found, event: Happening | None = None) -> None:
        new = self._ringing.routed(replace(begun(found, event, site, door, self._now), area=self._area(site, door)))
        if new is None:
            return
        found = replace(found, severity=new.severity)
        known = store.newest_about(self._db, site, door, found.subject)
        if known is not None and takes(known, found, self._now):
            grown, rings = folded(known, found, event, self._now)
            self._keep(self._ringing.ring(grown) if rings else resumed(grown, self._now, self._patience))
            return
        new = store.save(self._db, new)
        self._keep(new if new.state == "pending" else self._ringing.ring(new, late=event is not None and event.is_late))

    def _end(self, site: str, door: str, over: Over) -> bool:
        """Returns whether something that had been told is over."""
        ended = False
        if not self._is_live(site, door, over.subjects):
            return False
        for alert in store.not_closed(self._db, site, door, over.subjects):
            if not alert.parts or (over.part is not None and over.part not in alert.parts):
                continue
            ended = True
            after = part_over(alert, over.part, over.by, self._now)
            self._settle(alert, noted(after, "", over.note, self._now) if over.note else after, over.by)
        return ended

    def _is_live(self, site: str, door: str, subjects: tuple[str, ...]) -> bool:
        """Nearly every passage and every closed door ends nothing: that may cost no question to the database."""
        if self._live is None:
            self._live = store.live_keys(self._db)
        return any((site, door, subject) in self._live for subject in subjects)

    def _settle(self, before: Alert, after: Alert, by: str = "") -> None:
        if before.state == "pending" and after.state == "closed" and not before.folded:
            store.drop(self._db, before.id)
            return
        self._keep(after)
        if before.state == "open" and after.state == "closed":
            self._ringing.tell_taken(after, by)

    def due(self, alert: Alert) -> None:
        if alert.state == "pending":
            grown, rings = lasted(alert, self._now)
            self._keep(self._ringing.ring(grown) if rings else resumed(grown, self._now, self._patience))
            return
        further = stepped(alert, self._now, self._patience)
        if further.step > alert.step:
            further = noted(further, "", f"nobody has answered: told {STEPS[further.step]}", self._now)
        self._keep(self._ringing.ring(further))

    def doors(self, gone: list[tuple[tuple[str, str], datetime]], back: list[tuple[str, str]]) -> None:
        for (site, door), since in gone:
            self.found(site, door, offline(site, door, since, 0.0))
        for site, door in back:
            self._end(site, door, Over(subjects=(OFFLINE,)))

    def certificates(self, endings: dict[tuple[str, str], list[Ending]]) -> None:
        for (site, door), known in endings.items():
            soonest = min(known, key=lambda each: each.until)
            told = store.newest_about(self._db, site, door, CERTIFICATE)
            if not soonest.step(self._now):
                if told is not None and told.state != "closed":
                    self._end(site, door, Over(subjects=(CERTIFICATE,)))
                continue
            found = certificate_ends(soonest, self._now)
            of_this = told is not None and told.at > soonest.until - 2 * SOON
            if told is None or not of_this or rank(found.severity) > rank(told.severity):
                self.found(site, door, found)

    def tidy(self, gaps: list[tuple[tuple[str, str], int]], filled: set[tuple[str, str]]) -> None:
        for (site, door), count in gaps:
            self.found(site, door, gap(site, door, count))
        for site, door in filled:
            self._end(site, door, Over(subjects=(GAP,)))
        for alert in store.faded(self._db, self._now - FADE):
            self._keep(noted(closed(alert, "", self._now), "", "closed: nothing new for a day", self._now))
        self._ringing.sum_up()
        store.forget_deliveries(self._db, self._now - timedelta(days=30))
        store.forget_closed(self._db, self._now - timedelta(days=self._keep_days))

    def _keep(self, alert: Alert) -> None:
        if self._live is not None and alert.state != "closed":
            self._live.add((alert.site, alert.door, alert.subject))
        self.changed[alert.id] = store.save(self._db, alert)
