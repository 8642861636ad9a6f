"""After a run: what was lost, what is twice, what nobody knows of. Everything that is told here should be nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from central.alerts.store import cursor, newest_event
from central.database.engine import reading
from central.database.opening import opened_to_read
from central.database.tables_accounts import AUDIT
from central.database.tables_alerts import ALERTS
from central.database.tables_events import EVENTS
from central.gateway.audit import read_anchor, verify
from central.history.events import EventStore
from demo.stage import RELAY_PIN
from hw.rig import stretches_high
from tools.fleet.site import SITE
from tools.kills.house import Fact, House
from tools.kills.report import Audit

FORCED = "door.forced"


def audit(house: House, obeyed: list[str], now_s: float) -> Audit:
    """Of a house in which nothing new happens. `obeyed`: orders of which the centre said so."""
    counted, waiting = house.counted(), house.waiting()
    with opened_to_read(house.database) as engine:
        store = EventStore(engine)
        kept = _kept(engine)
        numbers = {fact[:3] for fact in kept}
        due = {
            (door, journal, n)
            for door, journals in counted.items()
            for journal, high in journals.items()
            for n in range(1, high + 1)
        }
        said = {fact for door in house.doors for fact in door.said()}
        missing = (due - numbers) | {fact[:3] for fact in said - kept}
        gaps = store.gaps(closed=True)
        return Audit(
            events=len(kept), lost=len(missing), strange=len(numbers - due), twice=_rows(engine) - len(numbers),
            conflicts=len(store.conflicts()), unreadable=store.counts()["unreadable"], waiting=sum(waiting.values()),
            gaps=len(gaps), gaps_open=sum(gap.closed is None for gap in gaps),
            openings=_openings(house, now_s), openings_off_record=_off_record(engine, house, now_s),
            orders=len(obeyed), orders_off_record=_orders_off_record(engine, obeyed),
            audit_rows=verify(engine, []).rows, audit_broken=_broken(engine, house.anchor),
            forced=_count(engine, FORCED), alerts_wrong=_alerts_wrong(engine), alerts_behind=_alerts_behind(engine),
        )  # fmt: skip


def _kept(engine: Engine) -> set[Fact]:
    with reading(engine) as db:
        rows = db.execute(select(EVENTS.c.door, EVENTS.c.journal, EVENTS.c.sequence, EVENTS.c.id).where(EVENTS.c.site == SITE))
        return {(row.door, row.journal, row.sequence, row.id) for row in rows}


def _rows(engine: Engine) -> int:
    with reading(engine) as db:
        return db.scalar(select(func.count()).select_from(EVENTS)) or 0


def _count(engine: Engine, kind: str) -> int:
    with reading(engine) as db:
        return db.scalar(select(func.count()).select_from(EVENTS).where(EVENTS.c.kind == kind)) or 0


# -- what was done, against what is on record ------------------------------------------------------------------------------------


def _openings(house: House, now_s: float) -> int:
    return sum(len(stretches_high(list(door.rig.outputs), RELAY_PIN, now_s)) for door in house.real)


def _off_record(engine: Engine, house: House, now_s: float) -> int:
    """How often a lock let go and no event says why: each has its own that came before it."""
    wrong = 0
    for door in house.real:
        at_s = [start_s for start_s, _ in stretches_high(list(door.rig.outputs), RELAY_PIN, now_s)]
        wrong += max(0, len(at_s) - len(_reasons(engine, door.name)))
    return wrong


def _reasons(engine: Engine, door: str) -> list[float]:
    with reading(engine) as db:
        ask = select(EVENTS.c.mono_s).where(
            EVENTS.c.site == SITE, EVENTS.c.door == door, EVENTS.c.kind.in_(("access.granted", "command.done"))
        )
        return [row.mono_s for row in db.execute(ask)]


def _orders_off_record(engine: Engine, obeyed: list[str]) -> int:
    """Orders that the centre called obeyed, and that the door's events or the audit log do not know."""
    with reading(engine) as db:
        at_doors = {row.data["id"] for row in db.execute(select(EVENTS.c.data).where(EVENTS.c.kind == "command.done"))}
        answered = db.execute(select(AUDIT.c.details).where(AUDIT.c.what == "command.answered"))
        on_record = "\n".join(row.details for row in answered)
    return sum(each not in at_doors or f'"{each}"' not in on_record for each in obeyed)


def _broken(engine: Engine, anchor: Path) -> str:
    head = read_anchor(anchor)
    broken = verify(engine, [head] if head else []).broken
    return "" if broken is None else broken.sentence


# -- alerts ------------------------------------------------------------------------------------------------------------------------


def _alerts_wrong(engine: Engine) -> int:
    """Forced doors that are in no alert, or in two: each event begins one or is folded into one."""
    with reading(engine) as db:
        happened = Counter(row.door for row in db.execute(select(EVENTS.c.door).where(EVENTS.c.kind == FORCED)))
        alerts = db.execute(select(ALERTS.c.door, ALERTS.c.rest, ALERTS.c.state).where(ALERTS.c.subject == FORCED)).all()
    told: Counter[str] = Counter()
    for alert in alerts:
        told[alert.door] += 1 + _folded(alert.rest)
    live = Counter(alert.door for alert in alerts if alert.state != "closed")
    return sum(abs(told[door] - happened[door]) for door in told | happened) + sum(count - 1 for count in live.values())


def _folded(rest: Any) -> int:
    return int(rest.get("folded", 0))


def _alerts_behind(engine: Engine) -> int:
    """How many numbers of events the alert desk has not looked at."""
    with reading(engine) as db:
        return newest_event(db) - (cursor(db) or 0)
