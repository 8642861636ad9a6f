"""What a push says. Pure. It lands on a lock screen, so it names place and reason, and nobody unless the site says so.

A push service takes 4,096 bytes of RFC 8188 ciphertext (RFC 8030, section 7.2), of which 103 are header, padding mark and authentication tag.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from central.alerts.alert import Alert
from central.alerts.rules import DURESS, HELD
from central.alerts.severity import Severity

MOST_BYTES = 3800
MOST_TITLE = 120


class Action(Struct, frozen=True):
    action: str
    title: str


class Push(Struct, frozen=True, kw_only=True):
    """What the service worker is given."""

    id: int
    title: str
    body: str
    url: str
    tag: str
    """A second push with the same one takes the place of the first."""
    at: datetime
    severity: Severity
    actions: tuple[Action, ...] = ()
    quiet: bool = False
    """It takes the place of what was shown, without a sound."""
    decide_by: datetime | None = None


OPEN, TAKE = Action("open", "Look"), Action("acknowledge", "I take it")


def push_of(alert: Alert, place: str, name: str = "", late: bool = False) -> Push:
    """The push of an alert; `place` as people call the door, `name` of the person only where the site shows names."""
    actions = (OPEN,) if alert.kind == HELD else (TAKE, OPEN)
    return Push(id=alert.id, title=f"{alert.title}: {place}"[:MOST_TITLE], body=_body(alert, name, late), url=url_of(alert.id),
                tag=tag_of(alert.id), at=alert.newest_at, severity=alert.severity, actions=actions,
                decide_by=alert.decide_by if alert.subject != DURESS else None)  # fmt: skip


def taken(alert: Alert, place: str, now: datetime) -> Push:
    """Quietly, to those who were rung: somebody deals with it, or it is over."""
    how = "Somebody deals with it." if alert.state == "acknowledged" else "It is over."
    return Push(id=alert.id, title=f"{alert.title}: {place}"[:MOST_TITLE], body=how, url=url_of(alert.id), tag=tag_of(alert.id), at=now,
                severity="notice", quiet=True)  # fmt: skip


def more(count: int, places: list[str], severity: Severity, now: datetime) -> Push:
    """What was held back, in one line."""
    where = ", ".join(places[:5]) + (" …" if len(places) > 5 else "")
    return Push(id=0, title=f"{count} more at {where}"[:MOST_TITLE], body="More alerts than are rung one by one; they are on the list.",
                url=url_of(0), tag="more", at=now, severity=severity, actions=(OPEN,))  # fmt: skip


def trial(now: datetime) -> Push:
    return Push(
        id=0, title="Doorward: a test", body="This device gets alerts.", url=url_of(0), tag="test", at=now, severity="notice"
    )


def url_of(alert: int) -> str:
    return f"/#/alerts/{alert}" if alert else "/#/alerts"


def tag_of(alert: int) -> str:
    return f"alert-{alert}"


def _body(alert: Alert, name: str, late: bool) -> str:
    zones = ", ".join(dict.fromkeys(each for each in (alert.area, alert.zone) if each))
    lines = [f"Zone: {zones}"] if zones else []
    lines += [name] if name else []
    lines += [f"At {alert.newest_at:%Y-%m-%d %H:%M} UTC; the door could not tell earlier."] if late else []
    lines += [each[:1].upper() + each[1:] for each in alert.reasons]
    lines += [f"{alert.folded + 1} times since {alert.at:%H:%M} UTC"] if alert.folded else []
    return "\n".join(lines)


def encoded(push: Push) -> bytes:
    """As JSON, with a body that is cut until it fits. Whole characters only."""
    whole = msgspec.json.encode(push)
    if len(whole) <= MOST_BYTES:
        return whole
    low, high = 0, len(push.body)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(_cut(push, middle)) <= MOST_BYTES else (low, middle - 1)
    return _cut(push, low)


def _cut(push: Push, length: int) -> bytes:
    return msgspec.json.encode(replace(push, body=push.body[:length] + "…"))


def plain(push: dict[str, Any], base_url: str) -> tuple[str, str]:
    """Title and text for mail and the like."""
    return str(push.get("title", "")), f"{push.get('body', '')}\n\n{base_url}{push.get('url', '')}".strip()
