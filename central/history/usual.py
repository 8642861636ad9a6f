"""How many events of a kind a door tells in each hour of the week: counted with the commit, so that nobody ever counts all events again.

Hours are those of the site's own clock on the wall (`[history] time_zone`): people come at eight in summer and in winter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone, tzinfo

from msgspec import Struct
from sqlalchemy import Connection, Engine, func, select

from agent.link.cloudevents import Told
from central.database.engine import reading
from central.database.tables_events import JOURNALS, USUAL
from central.history.counting import insert_or
from central.history.patterns import of_kind

HOURS = 168


class Usual(Struct, frozen=True):
    """`counts[0]` is Monday from 0 to 1 o'clock. Divide by the weeks since `since` to have what is usual."""

    site: str
    door: str
    kind: str
    since: datetime | None
    """When the door was first heard; None: never."""
    counts: list[int]


def hour_of_week(at: datetime, zone: tzinfo) -> int:
    """0 to 167; Monday at midnight begins."""
    try:
        local = at.astimezone(zone)
    except OverflowError:  # the first and the last day of the calendar are not in every zone
        local = at.astimezone(timezone.utc)
    return local.weekday() * 24 + local.hour


def count_in(db: Connection, events: Iterable[Told], zone: tzinfo = timezone.utc) -> None:
    """Count events that are new; in the transaction that commits them."""
    counted = Counter((told.site, told.door, told.event.kind, hour_of_week(told.event.at, zone)) for told in events)
    add = insert_or(db, USUAL)
    add = add.on_conflict_do_update(
        index_elements=[USUAL.c.site, USUAL.c.door, USUAL.c.kind, USUAL.c.hour],
        set_={"count": USUAL.c.count + add.excluded.count},
    )
    rows = [{"site": site, "door": door, "kind": kind, "hour": hour, "count": count}
            for (site, door, kind, hour), count in sorted(counted.items())]  # fmt: skip
    if rows:
        db.execute(add, rows)


def usual(engine: Engine, site: str, door: str, kind: str = "*") -> Usual:
    """The counts of a door; `kind` may end in '*', and then all kinds that begin so are counted together. Raises StoreError."""
    with reading(engine) as db:
        first = select(func.min(JOURNALS.c.first_heard)).where(JOURNALS.c.site == site, JOURNALS.c.door == door)
        ask = select(USUAL.c.hour, func.sum(USUAL.c.count)).where(
            USUAL.c.site == site, USUAL.c.door == door, *of_kind(USUAL.c.kind, kind)
        )
        found = {hour: int(count) for hour, count in db.execute(ask.group_by(USUAL.c.hour))}
        since = db.scalar(first)
    return Usual(site, door, kind, since, [found.get(hour, 0) for hour in range(HOURS)])
