"""What the dashboard asks about what happened: events, why, reports, what is usual."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from msgspec import Struct

from agent.behaviour.sketch import quantiles
from agent.core.evidence import KINDS
from agent.core.norms_word import DoorNorms
from central.gateway import reports
from central.gateway.asking import EVERYBODY, Ask, Caller, Endpoint, Reply, Role, Unfit
from central.gateway.audit import AuditLog
from central.gateway.csv_text import csv_of
from central.gateway.door_endpoints import LEVEL, door_of
from central.gateway.event_rows import ABOUT_PEOPLE, EventRow, Explained, explained, may_see, rows_of, sees_people
from central.history.events import EventStore, Wanted
from central.history.kept import Kept
from central.history.passages import passages
from central.history.usual import usual
from central.norms import kinds_in

MOST_EVENTS = 500
MOST_TEXT = 100
LONGEST_REPORT = timedelta(days=93)
"""Movement logs are kept about three months."""
MOST_REPORTED = 100_000
NUMBER = 2**62
SHARES = (0.05, 0.5, 0.95)
REPORTS_TO: dict[str, frozenset[Role]] = {
    "presence": frozenset(("guard", "manager", "privacy")),
    "denials": frozenset(("guard", "manager", "privacy", "auditor")),
    "held": EVERYBODY,
}

_KIND = re.compile(r"[a-z0-9_.]{1,80}\*?|\*")


class EventPage(Struct, frozen=True):
    """Newest first."""

    events: list[EventRow]
    more: bool
    before: int
    """Ask again with `before` this number for the next; 0 when there is no more."""


class Report(Struct, frozen=True, kw_only=True):
    report: str
    begin: datetime
    end: datetime
    rests_on: str
    whole: bool
    """False: there was more than is told; ask for less time."""
    rows: list[Any]


class UsualKind(Struct, frozen=True, kw_only=True):
    """What visits at a door show of one kind of evidence."""

    unit: str
    visits: float
    """Weight of what was learned: a visit of today is 1, one of six weeks ago a half."""
    low: float
    median: float
    high: float
    """19 of 20 visits are above `low`, and 19 of 20 below `high`."""
    values: list[float]
    weights: list[float]
    """The histogram: what a bin stands for, and how much is in it; empty bins are left out."""


class Usual(Struct, frozen=True, kw_only=True):
    """What is usual at a door: nobody in particular is in it."""

    since: datetime | None
    hours: dict[str, list[int]]
    """By beginning of the kind ('access.', 'door.', 'risk.'): events in each hour of the week since `since`, from Monday 0 o'clock on."""
    made: datetime | None
    visits: int
    kinds: dict[str, UsualKind]


NamesOf = Callable[[Collection[str]], Mapping[str, str]]


class Happenings:
    """What happened at the doors of one centre, for its endpoints."""

    def __init__(self, store: EventStore, audit: AuditLog, *, names_of: NamesOf = lambda ids: {},
                 norms_of: Callable[[str, str], DoorNorms | None] = lambda site, door: None) -> None:  # fmt: skip
        """`names_of` cardholders' ids, as people know them; `norms_of` a door: what it told last."""
        self._store, self._audit, self._names_of, self._norms_of = store, audit, names_of, norms_of

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(method="GET", path="/events", allowed=EVERYBODY, work=self.events),
            Endpoint(method="GET", path="/events/{n}", allowed=EVERYBODY, work=self.event),
            *(Endpoint(method="GET", path=f"/reports/{name}", allowed=allowed, work=work, recorded=True)
              for (name, allowed), work in zip(REPORTS_TO.items(), (self.presence, self.denials, self.held), strict=True)),
            Endpoint(method="GET", path="/norms/{site}/{door}", allowed=EVERYBODY, work=self.norms),
        ]  # fmt: skip

    # -- events ------------------------------------------------------------------------------------------------------------------

    def events(self, ask: Ask) -> EventPage:
        """A search for somebody, by id or by text, is on record before it is answered."""
        wanted = _wanted(ask)
        if wanted.person or wanted.text:
            details = {name: value for name, value in ask.query.items() if name != "person"}
            self._audit.write(ask.caller.account, "events.searched", wanted.person, details)
        found, stopped_at = self._newest(wanted, ask.caller)
        more = len(found) > wanted.limit - 1 or stopped_at > 0
        shown = found[: wanted.limit - 1]
        before = stopped_at if len(found) < wanted.limit else shown[-1].n
        return EventPage(rows_of(shown, ask.caller), more, before if more else 0)

    def _newest(self, wanted: Wanted, caller: Caller) -> tuple[list[Kept], int]:
        """An account of some sites asks for each of them; its search for text ends where the first of them does."""
        sites = caller.sites if caller.sites and not wanted.site else (wanted.site,)
        pages = [self._store.page(msgspec.structs.replace(wanted, site=site)) for site in sites]
        stopped_at = max(page.stopped_at for page in pages)
        found = sorted((kept for page in pages for kept in page.events if kept.n >= stopped_at), key=lambda kept: -kept.n)
        return found[: wanted.limit], stopped_at

    def event(self, ask: Ask) -> Explained:
        told = ask.path["n"]
        number = int(told) if re.fullmatch(r"[0-9]{1,18}", told, re.ASCII) else 0
        kept = self._store.by_number(number)
        if kept is None or not may_see(ask.caller, kept.told.site, kept.told.event.kind):
            raise Unfit(404, "unknown_event", f"there is no event {told[:20]!r}, or its time is over")
        return explained(kept)

    # -- reports -----------------------------------------------------------------------------------------------------------------

    def presence(self, ask: Ask) -> Any:
        begin, end = _span(ask)
        site = _level(ask, "site")
        sites = (site,) if site else ask.caller.sites
        told = passages(self._store.engine, sites, _level(ask, "door"), begin, end, MOST_REPORTED + 1)
        found = _Reported(begin, end, [], len(told) <= MOST_REPORTED)
        rows = reports.presence(told[:MOST_REPORTED], self._names_of)
        return _report(ask, "presence", reports.PRESENCE_RESTS_ON, found, rows, reports.Present)

    def denials(self, ask: Ask) -> Any:
        found = self._reported(ask, reports.DENIAL_KINDS)
        return _report(ask, "denials", reports.DENIALS_REST_ON, found, reports.denials(found.events), reports.Denial)

    def held(self, ask: Ask) -> Any:
        found = self._reported(ask, reports.HELD_KINDS)
        told = [kept for kept in found.events if kept.told.event.kind != "door.closed" or _was_odd(kept)]
        return _report(ask, "held", reports.HELD_RESTS_ON, found, reports.openings(told), reports.Opening)

    def _reported(self, ask: Ask, kinds: tuple[str, ...]) -> _Reported:
        begin, end = _span(ask)
        site, door = _level(ask, "site"), _level(ask, "door")
        found: list[Kept] = []
        for kind in kinds:
            wanted = Wanted(site=site, door=door, kind=kind, begin=begin, end=end, limit=MOST_REPORTED + 1)
            found += [kept for kept in self._store.stream(wanted) if ask.caller.sees(kept.told.site)]
        found.sort(key=lambda kept: kept.n)
        return _Reported(begin, end, found[:MOST_REPORTED], len(found) <= MOST_REPORTED)

    # -- what is usual -----------------------------------------------------------------------------------------------------------

    def norms(self, ask: Ask) -> Usual:
        site, door = door_of(ask)
        told = self._norms_of(site, door)
        hours = {begins: usual(self._store.engine, site, door, f"{begins}*") for begins in ("access.", "door.", "risk.")}
        since = hours["access."].since
        if told is None and since is None:
            raise Unfit(404, "unknown_door", f"there is no door {site}/{door} that has told anything")
        return Usual(since=since, hours={begins: each.counts for begins, each in hours.items()}, made=told.made if told else None,
                     visits=told.visits if told else 0, kinds=dict(_kinds(told)) if told else {})  # fmt: skip


class _Reported(Struct, frozen=True):
    begin: datetime
    end: datetime
    events: list[Kept]
    whole: bool


def _report(ask: Ask, name: str, rests_on: str, found: _Reported, rows: list[Any], kind: type[Struct]) -> Report | Reply:
    if _one_of(ask, "format", ("json", "csv")) == "csv":
        file_name = f"{name}-{found.begin:%Y%m%d}-{found.end:%Y%m%d}{'' if found.whole else '-cut'}.csv"
        return Reply(body=csv_of(kind.__struct_fields__, rows), content_type="text/csv; charset=utf-8", file_name=file_name)
    return Report(report=name, begin=found.begin, end=found.end, rests_on=rests_on, whole=found.whole, rows=rows)


def _was_odd(kept: Kept) -> bool:
    data = kept.told.event.data
    return data.get("was_held") is True or data.get("was_forced") is True


def _kinds(told: DoorNorms) -> Iterator[tuple[str, UsualKind]]:
    for name, sketch in kinds_in(told).items():
        if sketch.total > 0:
            low, median, high = quantiles(sketch.scale, sketch.weights, SHARES)
            bins = [number for number, weight in enumerate(sketch.weights) if weight > 0]
            yield name, UsualKind(unit=KINDS[name].unit, visits=round(sketch.total, 1), low=low, median=median, high=high,
                                  values=[sketch.scale.middle_of(each) for each in bins],
                                  weights=[round(sketch.weights[each], 3) for each in bins])  # fmt: skip


# -- what was asked ----------------------------------------------------------------------------------------------------------------


def _wanted(ask: Ask) -> Wanted:
    """One more than is shown, to know whether there is more."""
    kind, person, text = ask.query.get("kind", ""), ask.query.get("person", ""), ask.query.get("text", "").strip()
    if kind and not _KIND.fullmatch(kind):
        raise Unfit(400, "malformed", f"kind={kind[:40]!r}: as access.denied or access.* is allowed")
    if len(person) > MOST_TEXT or len(text) > MOST_TEXT:
        raise Unfit(400, "malformed", f"person and text: up to {MOST_TEXT} characters are allowed")
    return Wanted(
        site=_level(ask, "site"), door=_level(ask, "door"), kind=kind, person=person, text=text, begin=_time(ask, "from"),
        end=_time(ask, "to"), alerts=_one_of(ask, "alerts", ("0", "1")) == "1", after=ask.whole("after", 0, 0, NUMBER),
        before=ask.whole("before", 0, 0, NUMBER), newest_first=True, limit=ask.whole("limit", 100, 1, MOST_EVENTS) + 1,
        without=() if sees_people(ask.caller) else ABOUT_PEOPLE,
    )  # fmt: skip


def _level(ask: Ask, key: str) -> str:
    told = ask.query.get(key, "")
    if told and not LEVEL.fullmatch(told):
        raise Unfit(400, "malformed", f"{key}={told[:40]!r}: 1 to 40 of a-z, 0-9, _ and - are allowed")
    return told


def _one_of(ask: Ask, key: str, words: tuple[str, ...]) -> str:
    told = ask.query.get(key, words[0])
    if told not in words:
        raise Unfit(400, "malformed", f"{key}={told[:40]!r}: allowed are {', '.join(words)}")
    return told


def _span(ask: Ask) -> tuple[datetime, datetime]:
    """The last 24 hours, where nothing is said."""
    end = _time(ask, "to") or ask.now
    begin = _time(ask, "from") or end - timedelta(days=1)
    if not timedelta(0) < end - begin <= LONGEST_REPORT:
        raise Unfit(400, "malformed", f"from and to: a span of up to {LONGEST_REPORT.days} days is allowed, and from comes first")
    return begin, end


def _time(ask: Ask, key: str) -> datetime | None:
    told = ask.query.get(key, "")
    if not told:
        return None
    try:
        at = msgspec.convert(told, datetime)
        if at.tzinfo is None or not 1971 <= at.year <= 9000:
            raise ValueError
        return at.astimezone(timezone.utc)
    except (msgspec.ValidationError, ValueError) as error:
        raise Unfit(400, "malformed", f"{key}={told[:40]!r}: a time with a zone is allowed, as 2026-03-02T08:30:00Z") from error
