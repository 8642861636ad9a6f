"""What putting an event on record costs the door's loop, and how many the historian commits."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

import msgspec

from agent.clock import SystemClock
from agent.core.messages import Event
from agent.link.cloudevents import Told
from agent.records.journal import Journal
from central.database.opening import open_to_write
from central.history.events import EventStore
from tools.bench.figures import Figure, Section, Setting, percentile

APPENDS = 2000
EVERY_S = 0.002
BATCH, BATCHES = 500, 40

DECISION: dict[str, Any] = msgspec.json.decode(
    b'{"granted":true,"reasons":["face_match"],"read":{"reader":"front","format":"H10301","facility":1,"card":5283,'
    b'"bits":"00000000100010100101000110","read_s":1234.5678},"cardholder":"cardholder-1","profile":"staff","schedule":"always",'
    b'"match":{"track":1,"score":0.7312345,"threshold":0.4656,"fmr":0.001,"pictures":6,"quality":0.81,"face_px":101.5,'
    b'"embedder_id":"c47fa9fc469a"},"seen":{"status":"fresh","age_s":0.031,"frame":512,"taken_s":1234.53,"faces":1,"at_door":1},'
    b'"waited_s":0.0,"pulse_s":3.0,"sentences":["The face matches the cardholder."],"decided_ms":3.4,"rules_version":1,'
    b'"embedder":"c47fa9fc469a","engine":"litert cpu x1"}'
)
"""A decision as the door puts it on record: the largest of its usual events."""


def recording(setting: Setting) -> Section:
    """Journal and historian, each by itself."""
    appends_us = _appends(setting)
    rate = _historian_rate(setting)
    return Section(
        name="recording", title="Putting events on record",
        how=f"{len(appends_us)} decisions appended to a journal on this disk, one every {1000 * EVERY_S:g} ms so that its writer "
            f"commits beside them (SQLite, WAL, "
            f"synchronous=FULL); only append() is counted: it is what lies on the way to the relay. The historian's store: "
            f"{setting.repeats(BATCHES)} batches of {BATCH} decisions, "
            "each batch one durable transaction, without the network.",
        figures=(
            Figure(what="append to the black box, p50", value=percentile(appends_us, 0.5), unit="us"),
            Figure(what="append to the black box, p99", value=percentile(appends_us, 0.99), unit="us"),
            Figure(what="historian's store", value=rate, unit="events a second"),
        ),
    )  # fmt: skip


def _appends(setting: Setting) -> list[float]:
    journal = Journal(setting.folder / "journal", SystemClock())
    taken_us = []
    try:
        for _ in range(setting.repeats(APPENDS)):
            start_s = time.perf_counter()
            journal.append("access.granted", DECISION, at=datetime.now(timezone.utc), mono_s=time.monotonic())
            taken_us.append(1e6 * (time.perf_counter() - start_s))
            time.sleep(EVERY_S)
    finally:
        journal.close()
    return taken_us


def _historian_rate(setting: Setting) -> float:
    batches = setting.repeats(BATCHES)
    now = datetime.now(timezone.utc)
    engine = open_to_write(setting.folder / "store.db")
    try:
        store, start_s = EventStore(engine), time.perf_counter()
        for number in range(batches):
            store.commit([_told(number * BATCH + offset + 1, now) for offset in range(BATCH)], [], now)
        return batches * BATCH / (time.perf_counter() - start_s)
    finally:
        engine.dispose()


def _told(sequence: int, at: datetime) -> Told:
    event = Event(
        sequence=sequence, journal="bench", id=f"bench-{sequence}", kind="access.granted", at=at, mono_s=0.0, data=DECISION
    )
    return Told("demo", "front", event)
