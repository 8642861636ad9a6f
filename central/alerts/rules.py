"""Which events are alerts, as data: how bad each kind is, who is told, what ends it. Pure.

docs/PROTOCOL.md lists the kinds of events, docs/ALERTS.md tells people what rings. Data of an event is what a door sent, of whatever shape: a
field that is missing or of another type is as if it were empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from agent.core.event_words import plain_sentence
from agent.core.reasons import SENTENCES, Reason
from central.alerts.severity import Severity, worse
from central.certificates import Ending

Group = Literal["guards", "managers"]
"""As doors say it in `tells`: whoever has that role at the site."""

GUARDS: tuple[Group, ...] = ("guards",)
MANAGERS: tuple[Group, ...] = ("managers",)
BOTH: tuple[Group, ...] = ("guards", "managers")

MOST_REASONS, MOST_TEXT = 6, 300
LATE = timedelta(minutes=10)
"""An event that a door could deliver only so much later: nobody waits at the door any more, and the alert says when it was."""


class Happening(Struct, frozen=True, kw_only=True):
    """A committed event, as alerts see it."""

    n: int
    site: str
    door: str
    kind: str
    at: datetime
    received: datetime
    data: Mapping[str, Any]
    person: str = ""
    clock: str = ""
    """How far `at` may be believed (core.messages.Event); of an unsure one it is the latest that it can have been."""

    @property
    def is_late(self) -> bool:
        return self.received - self.at > LATE


class Found(Struct, frozen=True, kw_only=True):
    """What an event calls for. Of one door and `subject` there is one open alert; later events are folded into it."""

    subject: str
    part: str
    """What of it: the input, the reader, the episode. The alert is over when all its parts are."""
    kind: str
    severity: Severity
    title: str
    sentence: str
    """For the screen of somebody who is signed in: may name a cardholder's id."""
    reasons: tuple[str, ...] = ()
    """For the lock screen of a telephone too: name nobody."""
    tells: tuple[Group, ...] = GUARDS
    band: str = ""
    person: str = ""
    zone: str = ""
    wait_s: float = 0.0
    """It rings only if it lasts so long."""
    cooldown_s: float = 300.0
    """What comes back so soon after it was over rings no second time, unless it is worse."""
    hold_s: float = 0.0
    """Somebody waits for a decision, and for so long."""
    is_attempt: bool = False
    """Done once at its moment, and nothing tells that it is over: whoever comes again after the pause is news."""


class Over(Struct, frozen=True, kw_only=True):
    """What an event ends: of these subjects this part, or all of them with None."""

    subjects: tuple[str, ...]
    part: str | None = None
    by: str = ""
    """Who answered, where a person did: then nobody has to look any more."""
    note: str = ""


class Rule(Struct, frozen=True, kw_only=True):
    """One kind of event that somebody has to know of."""

    kind: str
    severity: Severity
    title: str
    tells: tuple[Group, ...] = GUARDS
    subject: str = ""
    """Empty: the kind."""
    part: str = ""
    """The field of the data that tells parts apart."""
    only: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    """Fields that must have one of these values."""
    wait_s: float = 0.0
    cooldown_s: float = 300.0


class End(Struct, frozen=True, kw_only=True):
    """One kind of event by which alerts are over."""

    kind: str
    subjects: tuple[str, ...]
    part: str = ""
    only: tuple[tuple[str, tuple[Any, ...]], ...] = ()


MISUSE = ("not_allowed", "malformed", "retained", "repeated", "too_many")
"""Refusals of commands that honest programs do not meet; `stale` is a slow network."""

RULES: tuple[Rule, ...] = (
    Rule(kind="door.forced", severity="critical", title="Door forced open", cooldown_s=0),
    Rule(kind="door.held", severity="warning", title="Door stands open", subject="door.held"),
    Rule(kind="door.propped", severity="high", title="Door propped open", subject="door.held"),
    Rule(kind="fire.active", severity="critical", title="Fire alarm", tells=BOTH, cooldown_s=0),
    Rule(kind="tamper.active", severity="high", title="Housing opened", part="input"),
    Rule(kind="camera.tamper", severity="high", title="Camera tampered with"),
    Rule(kind="lock.does_not_hold", severity="high", title="Lock does not hold", tells=BOTH),
    Rule(kind="lock.does_not_let_go", severity="high", title="Lock does not let go", tells=BOTH),
    Rule(kind="lock.fault", severity="high", title="Lock cannot be driven", tells=BOTH, cooldown_s=600),
    Rule(kind="input.fault", severity="warning", title="Wire broken or shorted", tells=BOTH, part="input"),
    Rule(kind="reader.broken", severity="high", title="Reader broken", tells=BOTH),
    Rule(kind="reader.status", severity="high", title="Reader tampered with", subject="reader.tamper", part="reader",
         only=(("tamper", (True,)),)),
    Rule(kind="reader.status", severity="warning", title="Reader does not answer", subject="reader.offline", part="reader",
         only=(("online", (False,)),), tells=BOTH, wait_s=30),
    Rule(kind="rex.held", severity="warning", title="Exit button stays on: the door is free", cooldown_s=3600),
    Rule(kind="vision.lost", severity="warning", title="Camera or vision gone", tells=BOTH, wait_s=60),
    Rule(kind="mode.changed", severity="warning", title="Door locked down", tells=BOTH, subject="lockdown",
         only=(("mode", ("LockedDown",)),)),
    Rule(kind="bundle.refused", severity="high", title="Forged or damaged access rules refused", tells=MANAGERS),
    Rule(kind="bundle.missing", severity="warning", title="Door has no access rules yet", tells=MANAGERS, wait_s=120),
    Rule(kind="rules.not_applied", severity="warning", title="A rule does not fit this door's wiring", tells=MANAGERS, cooldown_s=3600),
    Rule(kind="norms.refused", severity="warning", title="Forged or damaged norms refused", tells=MANAGERS, cooldown_s=3600),
    Rule(kind="command.refused", severity="warning", title="Commands misused", tells=MANAGERS, part="user", only=(("reason", MISUSE),)),
    Rule(kind="journal.fault", severity="high", title="Door cannot keep its records", tells=MANAGERS),
    Rule(kind="journal.set_aside", severity="warning", title="Door's records were damaged", tells=MANAGERS, cooldown_s=3600),
    Rule(kind="journal.row_damaged", severity="notice", title="A record was damaged", tells=MANAGERS, cooldown_s=3600),
    Rule(kind="door.fault", severity="warning", title="Fault in the door's program", tells=MANAGERS, cooldown_s=3600),
    Rule(kind="risk.fault", severity="warning", title="Risks cannot be looked at", tells=MANAGERS, cooldown_s=3600),
    Rule(kind="risk.forbidden", severity="high", title="Vision sends what is forbidden here", tells=MANAGERS, cooldown_s=3600),
    Rule(kind="signal.fault", severity="notice", title="Lamp, buzzer or display broken", tells=MANAGERS, cooldown_s=3600),
)  # fmt: skip

ENDS: tuple[End, ...] = (
    End(kind="door.closed", subjects=("door.forced", "door.held")),
    End(kind="fire.cleared", subjects=("fire.active",)),
    End(kind="tamper.cleared", subjects=("tamper.active",), part="input"),
    End(kind="camera.clear", subjects=("camera.tamper",)),
    End(kind="lock.obeys_again", subjects=("lock.does_not_hold", "lock.does_not_let_go")),
    End(kind="input.ok", subjects=("input.fault",), part="input"),
    End(kind="reader.status", subjects=("reader.tamper",), part="reader", only=(("tamper", (False,)),)),
    End(kind="reader.status", subjects=("reader.offline",), part="reader", only=(("online", (True,)),)),
    End(kind="vision.back", subjects=("vision.lost",)),
    End(
        kind="mode.changed", subjects=("lockdown",), only=(("mode", ("Locked", "Unlocked", "Accessed", "Blocked", "LockedOpen")),)
    ),
    End(kind="bundle.applied", subjects=("bundle.refused", "bundle.missing", "rules.not_applied")),
    End(kind="journal.recovered", subjects=("journal.fault",)),
)

OFFLINE, GAP, CERTIFICATE = "door.offline", "journal.gap", "certificate.ends"
"""Subjects that no event tells of: the centre finds them itself."""

HELD, DURESS, RISK = "access.held", "duress", "risk"

_BY_BAND: dict[str, Severity] = {"critical": "critical", "high": "high"}
_ANSWERS = {each.value for each in (Reason.GUARD_LET_IN, Reason.GUARD_DENIED, Reason.NO_GUARD_ANSWERED)}
_DENIALS: tuple[tuple[Reason, Severity, str], ...] = (
    (Reason.CREDENTIAL_STOLEN, "high", "A stolen fob was used"),
    (Reason.FACE_MISMATCH, "warning", "Another face than the fob's"),
    (Reason.PRESENTATION_ATTACK, "warning", "A picture was shown to the camera"),
    (Reason.RISK_TOO_HIGH, "warning", "Refused because of the risk"),
    (Reason.CREDENTIAL_LOST, "warning", "A lost fob was used"),
    (Reason.PIN_LOCKED_OUT, "warning", "Too many wrong PINs"),
)
"""Refusals that somebody should know of; of several the first one names the alert."""


def found_in(event: Happening) -> tuple[Found, ...]:
    """What an event calls for; nothing, for nearly all of them."""
    if event.kind.startswith("access."):
        return _in_access(event)
    if event.kind == "risk.raised":
        return _in_risk(event)
    return tuple(_by_rule(rule, event) for rule in RULES if rule.kind == event.kind and _fits(rule.only, event.data))


def over_by(event: Happening) -> tuple[Over, ...]:
    """What an event ends."""
    if event.kind in ("access.granted", "access.denied"):
        return (_answered(event),)
    if event.kind == "risk.cleared":
        return (Over(subjects=(_risk_subject(event.data),), part=text(event.data, "episode")),)
    return tuple(Over(subjects=end.subjects, part=text(event.data, end.part) if end.part else None)
                 for end in ENDS if end.kind == event.kind and _fits(end.only, event.data))  # fmt: skip


def offline(site: str, door: str, since: datetime | None, wait_s: float) -> Found:
    """A door that is away. It decides by itself meanwhile, and keeps its events."""
    when = f" since {since:%H:%M} UTC" if since else ""
    return Found(subject=OFFLINE, part="", kind=OFFLINE, severity="warning", title="Door offline", tells=BOTH, wait_s=wait_s,
                 sentence=f"{site}/{door} has not been heard{when}; it goes on deciding by itself",
                 reasons=("not heard of; it goes on deciding by itself",), cooldown_s=1800)  # fmt: skip


def gap(site: str, door: str, missing: int) -> Found:
    """Events that a door counted and that have not come."""
    sentence = f"{missing} events that {site}/{door} has counted have not come"
    return Found(subject=GAP, part="", kind=GAP, severity="warning", title="Events are missing", tells=MANAGERS, sentence=sentence,
                 reasons=(f"{missing} events have not come",), cooldown_s=3600)  # fmt: skip


_ENDS: tuple[Severity, ...] = ("notice", "warning", "high")


def certificate_ends(ending: Ending, now: datetime) -> Found:
    """One that ends within the first of central.certificates.STEPS."""
    sentence = ending.sentence(now)
    return Found(subject=CERTIFICATE, part=ending.what, kind=CERTIFICATE, severity=_ENDS[ending.step(now) - 1], title="Certificate ends",
                 tells=MANAGERS, sentence=sentence, reasons=(sentence,), cooldown_s=3600)  # fmt: skip


# -- by the table --------------------------------------------------------------------------------------------------------------


def _fits(only: tuple[tuple[str, tuple[Any, ...]], ...], data: Mapping[str, Any]) -> bool:
    return all(any(type(data.get(key)) is type(value) and data.get(key) == value for value in values) for key, values in only)


def _by_rule(rule: Rule, event: Happening) -> Found:
    sentence = plain_sentence(event.kind, event.data)[:MOST_TEXT]
    return Found(subject=rule.subject or rule.kind, part=text(event.data, rule.part) if rule.part else "", kind=rule.kind,
                 severity=rule.severity, title=rule.title, sentence=sentence, reasons=(sentence,), tells=rule.tells,
                 person=event.person, zone=text(event.data, "zone"), wait_s=rule.wait_s, cooldown_s=rule.cooldown_s)  # fmt: skip


# -- people at the reader ------------------------------------------------------------------------------------------------------


def _in_access(event: Happening) -> tuple[Found, ...]:
    data, reasons = event.data, _words(event.data.get("reasons"))
    if data.get("duress") is True or Reason.DURESS.value in reasons:
        return (_of_person(event, DURESS, "critical", "Duress: send help, give no sign", (SENTENCES[Reason.DURESS],)),)
    if event.kind == HELD:
        return (_held(event),)
    if not _ANSWERS.isdisjoint(reasons):
        return ()
    denial = next((each for each in _DENIALS if event.kind == "access.denied" and each[0].value in reasons), None)
    if denial is None and not is_alerted(data):
        return ()
    known = _BY_BAND.get(_band(data), "warning") if is_alerted(data) else "notice"
    severity = known if denial is None else worse(known, denial[1])
    passed = "Risk: somebody was let in" if event.kind == "access.granted" else "Risk at the reader"
    return (_of_person(event, "access", severity, denial[2] if denial else passed, _why(data)),)


def _held(event: Happening) -> Found:
    waits = event.data.get("hold_s")
    hold_s = float(waits) if isinstance(waits, int | float) and 0 < waits <= 600 else 20.0
    late = event.received - event.at > timedelta(seconds=hold_s)
    found = _of_person(event, HELD, "high" if late else "critical", "Somebody waits for your decision", _why(event.data))
    return replace(found, hold_s=hold_s)


def _of_person(event: Happening, subject: str, severity: Severity, title: str, reasons: tuple[str, ...]) -> Found:
    """A credential is the part: one person who tries again at once is one alert, two people are two parts of it."""
    return Found(subject=subject, part=_read_key(event), kind=event.kind if subject != DURESS else DURESS, severity=severity, title=title,
                 sentence=plain_sentence(event.kind, event.data)[:MOST_TEXT], reasons=reasons, tells=_tells(event.data),
                 band=_band(event.data), person=event.person, zone=_zone(event.data), cooldown_s=_pause(severity),
                 is_attempt=subject != HELD)  # fmt: skip


def _pause(severity: Severity) -> float:
    """People are not faults that flap: another person soon after the first is news; of the worst each one is."""
    return 0.0 if severity == "critical" else 60.0


def _answered(event: Happening) -> Over:
    """Whoever was held has an answer: of a guard, of the policy when nobody answered, or because the door stands otherwise by now."""
    unanswered = Reason.NO_GUARD_ANSWERED.value in _words(event.data.get("reasons"))
    return Over(subjects=(HELD,), part=_read_key(event), by=text(_risk(event.data), "guard"),
                note="nobody answered in time, and the door refused" if unanswered else "")  # fmt: skip


def _read_key(event: Happening) -> str:
    read = event.data.get("read")
    return (text(read, "key") if isinstance(read, Mapping) else "") or event.person


# -- risks ---------------------------------------------------------------------------------------------------------------------


def is_alerted(data: Mapping[str, Any]) -> bool:
    """Whether the door says that somebody must be told, and has not held it back because the telephone rang too often."""
    return _risk(data).get("alert") is True and data.get("alert_held_back") is not True


def _in_risk(event: Happening) -> tuple[Found, ...]:
    if not is_alerted(event.data):
        return ()
    about = text(event.data, "about") or "person"
    what = "somebody in view" if about == "person" else about.replace("_", " ")
    return (Found(subject=_risk_subject(event.data), part=text(event.data, "episode"), kind=event.kind, title=f"Risk: {what}",
                  severity=_BY_BAND.get(_band(event.data), "warning"), sentence=plain_sentence(event.kind, event.data)[:MOST_TEXT],
                  reasons=_why(event.data), tells=_tells(event.data), band=_band(event.data), person=event.person,
                  zone=_zone(event.data), cooldown_s=_pause(_BY_BAND.get(_band(event.data), "warning"))),)  # fmt: skip


def _risk_subject(data: Mapping[str, Any]) -> str:
    return f"{RISK}.{text(data, 'about') or 'person'}"[:80]


def _why(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The evidence in sentences, the heaviest first, behind what decided."""
    items = _risk(data).get("items")
    evidence = [text(item, "sentence") for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    said = [*_words(data.get("sentences")), *evidence]
    return tuple(dict.fromkeys(each[:MOST_TEXT] for each in said if each))[:MOST_REASONS]


def _risk(data: Mapping[str, Any]) -> Mapping[str, Any]:
    risk = data.get("risk")
    return risk if isinstance(risk, Mapping) else {}


def _band(data: Mapping[str, Any]) -> str:
    return text(_risk(data), "band")


def _zone(data: Mapping[str, Any]) -> str:
    return text(data, "zone") or text(_risk(data), "zone")


def _tells(data: Mapping[str, Any]) -> tuple[Group, ...]:
    told = _words(_risk(data).get("tells"))
    return tuple(group for group in BOTH if group in told) or GUARDS


def _words(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def text(data: Mapping[str, Any], key: str) -> str:
    """A field as a short text; empty where it is missing or no text."""
    value = data.get(key)
    return value[:120] if isinstance(value, str) else ""
