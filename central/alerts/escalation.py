"""How an alert goes further until somebody has acknowledged it. Pure; a restart continues where `next_at` says."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from central.alerts.alert import LAST_STEP, Alert, Patience


def rung(alert: Alert, now: datetime, patience: Patience) -> Alert:
    """The people of its step are told now; when the next are, if nobody answers."""
    return replace(alert, next_at=_next(alert, now, patience), quiet_until=now + timedelta(seconds=alert.cooldown_s))


def resumed(alert: Alert, now: datetime, patience: Patience) -> Alert:
    """What had seemed over and is not goes on being escalated, from where it was."""
    waits = alert.state == "open" and alert.next_at is None
    return replace(alert, next_at=_next(alert, now, patience)) if waits else alert


def is_due(alert: Alert, now: datetime) -> bool:
    return alert.state == "open" and alert.next_at is not None and now >= alert.next_at


def stepped(alert: Alert, now: datetime, patience: Patience) -> Alert:
    """One step further; at the last one it stays, and rings there again if it is critical."""
    return rung(replace(alert, step=min(alert.step + 1, max(alert.step, LAST_STEP[alert.severity]))), now, patience)


def pushed_on(alert: Alert, now: datetime, patience: Patience) -> Alert:
    """A person wants more people to know: a step further at once, whatever the severity, and it is open again."""
    further = replace(alert, state="open", by="", step=min(alert.step + 1, 3))
    return rung(further, now, patience)


def _next(alert: Alert, now: datetime, patience: Patience) -> datetime | None:
    last = LAST_STEP[alert.severity]
    if last < 0 or (alert.over_at is not None and alert.severity != "critical"):
        return None
    if alert.step < last:
        return now + patience.of(alert.severity)
    return now + timedelta(seconds=patience.again_s) if alert.severity == "critical" else None
