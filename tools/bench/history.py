"""How many events the historian's store commits, from none to a million rows, and how long the dashboard's questions take there."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from agent.core.messages import Event
from agent.link.cloudevents import Told
from central.database.opening import open_to_write
from central.history.events import EventStore, Wanted
from central.history.historian import MAX_BATCH
from tools.bench.figures import Figure, Section, Setting, percentile
from tools.bench.recording import DECISION

BATCH, BATCHES = MAX_BATCH, 250
AT_FIRST, AT_LAST = 12, 12
SMALL, SMALLS = 1000, 40
DOORS, HOLDERS, EVERY_S = 500, 20_000, 8.0
ASKED = 20
BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)
KINDS = ("access.granted",) * 30 + ("door.opened",) * 30 + ("door.closed",) * 30 + ("lock.secured",) * 7 + ("access.denied",) * 3
QUESTIONS = {
    "newest events": Wanted(),
    "one door": Wanted(site="site-2", door="door-222"),
    "one site's alerts": Wanted(site="site-2", alerts=True),
    "kinds that begin with access.": Wanted(kind="access.*"),
    "one person": Wanted(person="holder-77"),
    "words that nobody said": Wanted(text="nobody said this"),
}


def history(setting: Setting) -> Section:
    """Commit, then ask."""
    batches = setting.repeats(BATCHES)
    former = _plain_rate(setting.folder / "plain.db", list(islice(_events(setting.seed), AT_FIRST * BATCH)))
    events = _events(setting.seed)
    path = setting.folder / "history.db"
    engine = open_to_write(path)
    try:
        store = EventStore(engine)
        taken_s = [_commit_s(store, list(islice(events, BATCH))) for _ in range(batches)]
        size = path.stat().st_size / batches / BATCH
        large, small = (_written(store, events, each, setting.repeats(SMALLS) * SMALL // each) for each in (BATCH, SMALL))
        answers = [_answer(store, what, wanted) for what, wanted in QUESTIONS.items()]
    finally:
        engine.dispose()
    first, last = (BATCH * len(part) / sum(part) for part in (taken_s[:AT_FIRST], taken_s[-AT_LAST:]))
    return Section(
        name="history", title="The historian's store",
        how=f"{batches * BATCH} events of {DOORS} doors, a third of them decisions, in batches of {BATCH}, each one durable "
            "transaction (SQLite, WAL, synchronous=FULL) as the historian makes it under load, without the network. The dashboard's "
            f"questions: a page of 100, the newest first, {ASKED} times each. Beside it plain sqlite3 as Doorward had it before: one "
            f"INSERT a row, one index more than the key, no counts, {AT_FIRST * BATCH} events.",
        figures=(
            Figure(what=f"committed, the first {BATCH * AT_FIRST}", value=first, unit="events a second", least=10_000),
            Figure(what=f"committed, the last {BATCH * AT_LAST} of {batches * BATCH}", value=last, unit="events a second", least=10_000),
            Figure(what="slowest batch", value=1000 * max(taken_s), unit="ms"),
            Figure(what="plain sqlite3", value=former, unit="events a second"),
            Figure(what="the first, against plain sqlite3", value=first / former, unit="times"),
            Figure(what="size of the database", value=size, unit="bytes an event"),
            Figure(what=f"among all of these, batches of {BATCH}: processor time", value=large.cpu_us, unit="us an event"),
            Figure(what=f"among all of these, batches of {BATCH}: written", value=large.kilobytes, unit="kB an event"),
            Figure(what=f"among all of these, batches of {SMALL}: processor time", value=small.cpu_us, unit="us an event"),
            Figure(what=f"among all of these, batches of {SMALL}: written", value=small.kilobytes, unit="kB an event"),
            *answers,
        ),
    )  # fmt: skip


class _Cost(Struct, frozen=True):
    cpu_us: float
    kilobytes: float
    """To log and file together, of one event."""


def _written(store: EventStore, events: Iterator[Told], size: int, batches: int) -> _Cost:
    """What commits cost, whatever else runs on the machine."""
    made = [list(islice(events, size)) for _ in range(max(2, batches))]
    before_s, before = time.process_time(), _bytes_written()
    for batch in made:
        _commit_s(store, batch)
    count = len(made) * size
    return _Cost(1e6 * (time.process_time() - before_s) / count, (_bytes_written() - before) / 1e3 / count)


def _bytes_written() -> int:
    """By this program; proc(5), wchar."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["wchar"])


def _events(seed: int) -> Iterator[Told]:
    """Days of a fleet: doors at random, each counting by itself."""
    dice, counted, number = random.Random(seed), [0] * DOORS, 0  # noqa: S311  # which door is next is no secret
    while True:
        door, kind = dice.randrange(DOORS), dice.choice(KINDS)
        counted[door] += 1
        number += 1
        at = BEGAN + timedelta(seconds=number * EVERY_S)
        data = _data(kind, dice, number)
        yield Told(f"site-{door // 100}", f"door-{door}", Event(sequence=counted[door], journal=f"journal{door}", id=f"{number:08x}-bench",
                   kind=kind, at=at, mono_s=0.0, data=data))  # fmt: skip


def _data(kind: str, dice: random.Random, number: int) -> dict[str, Any]:
    if not kind.startswith("access."):
        return {"open_s": 2.5}
    risk = {"score": 0.1, "band": "high" if number % 1000 == 0 else "ordinary", "alert": number % 1000 == 0}
    return {**DECISION, "cardholder": f"holder-{dice.randrange(HOLDERS)}", "risk": risk}


def _commit_s(store: EventStore, batch: list[Told]) -> float:
    start_s = time.perf_counter()
    store.commit(batch, [], batch[-1].event.at)
    return time.perf_counter() - start_s


def _answer(store: EventStore, what: str, wanted: Wanted) -> Figure:
    asked = msgspec.structs.replace(wanted, newest_first=True, limit=100)
    taken_ms = []
    for _ in range(ASKED):
        start_s = time.perf_counter()
        store.page(asked)
        taken_ms.append(1000 * (time.perf_counter() - start_s))
    return Figure(what=f"a page of {what}, p95", value=percentile(taken_ms, 0.95), unit="ms")


_PLAIN = """CREATE TABLE events (n INTEGER PRIMARY KEY, site TEXT, door TEXT, journal TEXT, sequence INTEGER, id TEXT, kind TEXT, at TEXT,
    received TEXT, mono_s REAL, data TEXT, UNIQUE (site, door, journal, sequence)); CREATE INDEX events_by_time ON events (at);"""
_INSERT = "INSERT OR IGNORE INTO events (site, door, journal, sequence, id, kind, at, received, mono_s, data) VALUES (?,?,?,?,?,?,?,?,?,?)"


def _plain_rate(path: Path, events: list[Told]) -> float:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_PLAIN}")
        start_s = time.perf_counter()
        for start in range(0, len(events), BATCH):
            db.execute("BEGIN IMMEDIATE")
            for told in events[start : start + BATCH]:
                event = told.event
                at = event.at.isoformat(timespec="microseconds")
                db.execute(_INSERT, (told.site, told.door, event.journal, event.sequence, event.id, event.kind, at, at, event.mono_s,
                                     msgspec.json.encode(event.data).decode()))  # fmt: skip
            db.execute("COMMIT")
        return len(events) / (time.perf_counter() - start_s)
