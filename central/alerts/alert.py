"""One alert from its first event to its end: what folds into it, when it rings again, when it is over. Pure; time is an argument.

pending ──lasted──► open ──acknowledge──► acknowledged ──► closed
   └──over before──► closed     └── over: mild ones close by themselves, severe ones wait for somebody to look
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from agent.core.event_time import NOT_CERTAIN
from central.alerts.rules import Found, Group, Happening
from central.alerts.severity import Severity, rank

State = Literal["pending", "open", "acknowledged", "closed"]
LIVE: tuple[State, ...] = ("pending", "open", "acknowledged")

MOST_PARTS, MOST_NOTES, MOST_NOTE = 64, 200, 500


class Note(Struct, frozen=True):
    at: datetime
    by: str
    text: str


class Alert(Struct, frozen=True, kw_only=True):
    """As it is stored."""

    id: int = 0
    site: str
    door: str
    subject: str
    kind: str
    severity: Severity
    title: str
    sentence: str
    reasons: tuple[str, ...] = ()
    band: str = ""
    person: str = ""
    zone: str = ""
    """Before the door, as its camera knows it."""
    area: str = ""
    """Of the building, as the facility map knows it."""
    tells: tuple[Group, ...] = ()
    event_n: int = 0
    """The newest event that says something about it; 0 where the centre found it by itself."""
    at: datetime
    """When it began, by the door's clock."""
    newest_at: datetime
    folded: int = 0
    """Events after the first."""
    state: State
    by: str = ""
    """Who acknowledged or closed it; empty where it ended by itself."""
    over_at: datetime | None = None
    """When what it tells of had ended."""
    step: int = 0
    """How far it was escalated: the people of this step have been told."""
    next_at: datetime | None = None
    """When it goes a step further, or when a pending one rings."""
    decide_by: datetime | None = None
    """The door waits for a decision until then."""
    cooldown_s: float = 300.0
    quiet_until: datetime | None = None
    """What is added, or comes back, before this rings no second time."""
    parts: tuple[str, ...] = ()
    """What of it is not over yet."""
    notes: tuple[Note, ...] = ()

    def lies_in(self, zones: Collection[str]) -> bool:
        return self.zone in zones or self.area in zones


class Patience(Struct, frozen=True, kw_only=True):
    """How long somebody has to answer before the next are told, in seconds."""

    critical_s: float = 30.0
    high_s: float = 90.0
    warning_s: float = 600.0
    again_s: float = 300.0
    """When everybody has been told: a critical alert rings all of them again, so often."""

    def of(self, severity: Severity) -> timedelta:
        return timedelta(seconds={"critical": self.critical_s, "high": self.high_s}.get(severity, self.warning_s))


LAST_STEP: dict[Severity, int] = {"notice": -1, "warning": 1, "high": 3, "critical": 3}
"""0: on duty; 1: all of the groups that are to be told; 2: managers as well; 3: what apprise reaches. A notice is on the list alone."""
STEPS = ("who is on duty", "everybody it concerns", "managers too", "everything there is")


def begun(found: Found, event: Happening | None, site: str, door: str, now: datetime) -> Alert:
    """A new one. It has to be rung, unless it is pending or a notice."""
    at = event.at if event else now
    waits = found.wait_s > 0
    return Alert(
        site=site, door=door, subject=found.subject, kind=found.kind, severity=found.severity, title=found.title, sentence=found.sentence,
        reasons=_reasons(found, event), band=found.band, person=found.person, zone=found.zone, tells=found.tells,
        event_n=event.n if event else 0, at=at, newest_at=at, state="pending" if waits else "open",
        next_at=now + timedelta(seconds=found.wait_s) if waits else None,
        decide_by=_decide_by(at, found.hold_s) if found.hold_s else None, parts=(found.part,), cooldown_s=found.cooldown_s,
    )  # fmt: skip


def _reasons(found: Found, event: Happening | None) -> tuple[str, ...]:
    """With a word of doubt, where the time is not certain."""
    doubt = event is not None and event.clock == "unsure"
    return (*found.reasons, f"time not certain: {NOT_CERTAIN}") if doubt else found.reasons


def _decide_by(at: datetime, hold_s: float) -> datetime:
    """A door whose clock has run mad may tell of the last second of the calendar."""
    return at + min(timedelta(seconds=hold_s), datetime.max.replace(tzinfo=at.tzinfo) - at)


def takes(alert: Alert, found: Found, now: datetime) -> bool:
    """Whether what was found belongs to this alert, or is a new one.

    Somebody who acknowledged one deals with what they saw: what is worse, or another's, they have not seen, nor who came again later.
    """
    if alert.state in ("pending", "open"):
        return True
    if rank(found.severity) > rank(alert.severity):
        return False
    is_seen = alert.state == "acknowledged" and found.part in alert.parts and not (found.is_attempt and not _is_quiet(alert, now))
    return is_seen or (_is_quiet(alert, now) and not is_severe(found.severity))


def is_severe(severity: Severity) -> bool:
    """Somebody has to look, even when it is over."""
    return rank(severity) >= rank("high")


def _is_quiet(alert: Alert, now: datetime) -> bool:
    return alert.quiet_until is not None and now < alert.quiet_until


def folded(alert: Alert, found: Found, event: Happening | None, now: datetime) -> tuple[Alert, bool]:
    """With what was found, and whether that rings. Counts, and keeps the newest sentence; never becomes milder."""
    rises = rank(found.severity) > rank(alert.severity)
    waits_anew = bool(found.hold_s) and found.part not in alert.parts
    at = event.at if event else now
    state = _state_after(alert, found)
    grown = replace(
        alert, folded=alert.folded + 1, newest_at=max(alert.newest_at, at), sentence=found.sentence, reasons=_reasons(found, event),
        event_n=event.n if event else alert.event_n, person=found.person or alert.person, zone=found.zone or alert.zone,
        band=found.band or alert.band, tells=tuple(dict.fromkeys((*alert.tells, *found.tells))), over_at=None,
        parts=tuple(dict.fromkeys((*alert.parts, found.part)))[-MOST_PARTS:], state=state,
        decide_by=_decide_by(at, found.hold_s) if found.hold_s else alert.decide_by,
    )  # fmt: skip
    if alert.state == "closed" and state == "pending":
        grown = replace(grown, next_at=now + timedelta(seconds=found.wait_s))
    if rises:
        grown = replace(grown, severity=found.severity, title=found.title, kind=found.kind, cooldown_s=found.cooldown_s)
    news = rises or waits_anew or alert.state == "pending" or not _is_quiet(alert, now)
    return grown, news and grown.state == "open"


def _state_after(alert: Alert, found: Found) -> State:
    """What had ended by itself is open again; what a person had closed is still theirs; what need not last is no longer waited for."""
    if alert.state == "closed":
        return "acknowledged" if alert.by else "pending" if found.wait_s else "open"
    return "open" if alert.state == "pending" and not found.wait_s else alert.state


def lasted(alert: Alert, now: datetime) -> tuple[Alert, bool]:
    """A pending one that did not end by itself, and whether that rings: not what came and went a moment ago, and rang then."""
    return replace(alert, state="open", next_at=None), not _is_quiet(alert, now)


def part_over(alert: Alert, part: str | None, by: str, now: datetime) -> Alert:
    """With one part ended (None: all). When the last has: mild ones close, severe ones wait for somebody to look.

    `by`: a person answered at the door, so somebody has looked.
    """
    left = () if part is None else tuple(each for each in alert.parts if each != part)
    if left or alert.state not in LIVE:
        return replace(alert, parts=left)
    ended = replace(alert, parts=(), over_at=now, quiet_until=now + timedelta(seconds=alert.cooldown_s))
    if by:
        return closed(ended, by, now)
    if alert.state != "open" or not is_severe(alert.severity):
        return replace(ended, state="closed", next_at=None)
    return ended if alert.severity == "critical" else replace(ended, next_at=None)


def acknowledged(alert: Alert, by: str, now: datetime) -> Alert:
    """Somebody deals with it; nobody else is called. What is over already is closed by it."""
    state: State = "closed" if alert.over_at is not None else "acknowledged"
    return replace(alert, state=state, by=by, next_at=None, quiet_until=now + timedelta(seconds=alert.cooldown_s))


def closed(alert: Alert, by: str, now: datetime) -> Alert:
    return replace(alert, state="closed", by=by, next_at=None, over_at=alert.over_at or now)


def noted(alert: Alert, by: str, text: str, now: datetime) -> Alert:
    return replace(alert, notes=(*alert.notes, Note(now, by, text))[-MOST_NOTES:])
