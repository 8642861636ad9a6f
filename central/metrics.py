"""How the centre is, for Prometheus: counts and ages, and nobody's name. Served to this machine only, on a port of its own, if at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Thread
from wsgiref.simple_server import WSGIServer

import msgspec
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select

from agent.clock import Clock
from agent.errors import ConfigError
from central.database.engine import StoreError, reading
from central.database.leading import db_leader
from central.database.tables_alerts import ALERTS
from central.database.tables_events import EVENTS
from central.gateway.door_book import DoorBook, DoorNow
from central.gateway.door_rows import Facts, row_of
from central.history.historian import Totals

LOOPBACK = "127.0.0.1"
NEWEST = 100
"""Events whose delay is told."""
CLOSED = "closed"


class CentreCollector(Collector):
    """Asks the rooms when Prometheus asks."""

    def __init__(self, engine: Engine, clock: Clock, totals: Callable[[], Totals], book: DoorBook, facts: Facts) -> None:
        """`totals` are the historian's, `facts.doors` the doors that there should be."""
        self._engine, self._clock, self._totals, self._book, self._facts = engine, clock, totals, book, facts

    def collect(self) -> Iterable[Metric]:
        yield from self._history()
        yield from self._doors()
        yield from self._database()

    def _history(self) -> Iterator[Metric]:
        for name, value in msgspec.structs.asdict(self._totals()).items():
            yield CounterMetricFamily(f"doorward_historian_{name}", HISTORIAN.get(name, name), value)

    def _doors(self) -> Iterator[Metric]:
        known = {*self._facts.doors(), *((now.site, now.door) for now in self._book.snapshot())}
        connected = self._book.is_connected
        rows = [row_of(now, None, self._facts, broker=connected) for now in self._book.snapshot()]
        yield from _wear(self._book.snapshot())
        behind = [lag for site, door in known if (lag := self._facts.behind(site, door))]
        yield GaugeMetricFamily("doorward_broker_connected", "Whether the centre hears its broker.", int(connected))
        yield GaugeMetricFamily("doorward_doors", "Doors that were enrolled or have been heard.", len(known))
        yield GaugeMetricFamily("doorward_doors_online", "Doors that are connected now.", sum(row.online for row in rows))
        faulty = sum(row.online and not row.health.ok for row in rows)
        yield GaugeMetricFamily("doorward_doors_faulty", "Doors that are connected and tell of a fault.", faulty)
        yield GaugeMetricFamily("doorward_doors_behind", "Doors with older access rules than they are offered.", len(behind))
        yield GaugeMetricFamily(
            "doorward_access_versions_behind", "How many versions the last of them is behind.", max(behind, default=0)
        )

    def _database(self) -> Iterator[Metric]:
        """A database that does not answer is a metric, and no reason to tell nothing else."""
        up = GaugeMetricFamily("doorward_database_up", "Whether the database answers.", 1)
        try:
            yield from self._from_database()
        except StoreError:
            up = GaugeMetricFamily("doorward_database_up", "Whether the database answers.", 0)
        yield up

    def _from_database(self) -> Iterator[Metric]:
        with reading(self._engine) as connection:
            newest = connection.execute(select(EVENTS.c.at, EVENTS.c.received).order_by(EVENTS.c.n.desc()).limit(NEWEST)).all()
            stored = connection.execute(select(func.max(EVENTS.c.n))).scalar() or 0
            counted = connection.execute(
                select(ALERTS.c.severity, func.count()).where(ALERTS.c.state != CLOSED).group_by(ALERTS.c.severity)
            ).all()
            leader = db_leader(connection)
        if leader is not None:
            yield GaugeMetricFamily("doorward_active_term", "How often a centre has taken over the database.", leader.term)
            yield GaugeMetricFamily("doorward_active_since_seconds", "When the one that is active took over, since 1970.",
                                    leader.since.timestamp())  # fmt: skip
        yield GaugeMetricFamily("doorward_event_number", "Number of the newest event in the database.", stored)
        if newest:
            now = self._clock.wall()
            delays = sorted((received - at).total_seconds() for at, received in newest)
            yield GaugeMetricFamily("doorward_event_age_seconds", "Since the newest event was stored.",
                                    (now - newest[0][1]).total_seconds())  # fmt: skip
            lag = GaugeMetricFamily(
                "doorward_event_lag_seconds", f"From a door to the database, of the newest {NEWEST}.", labels=["of"]
            )
            lag.add_metric(["median"], delays[len(delays) // 2])
            lag.add_metric(["longest"], delays[-1])
            yield lag
        alerts = GaugeMetricFamily("doorward_alerts_open", "Alerts that nobody has closed.", labels=["severity"])
        for severity, count in counted:
            alerts.add_metric([severity], count)
        yield alerts


WRITTEN = (("disk", "disk_b_a_day"), ("programs", "programs_b_a_day"))


def _wear(doors: Iterable[DoorNow]) -> Iterator[Metric]:
    """What doors tell of their cards, of whatever shape."""
    written = GaugeMetricFamily(
        "doorward_door_written_bytes_per_day", "Written to a door's disk by everybody, and by its programs.",
        labels=["site", "door", "by"],
    )  # fmt: skip
    used = GaugeMetricFamily(
        "doorward_door_disk_life_used_percent", "Of its life, as a door's eMMC tells.", labels=["site", "door"]
    )
    for now in doors:
        health = now.states.get("health")
        wear = health.get("wear") if isinstance(health, Mapping) else None
        told = wear if isinstance(wear, Mapping) else {}
        for by, key in WRITTEN:
            if _is_count(told.get(key)):
                written.add_metric([now.site, now.door, by], told[key])
        if _is_count(told.get("life_used")):
            used.add_metric([now.site, now.door], told["life_used"])
    yield written
    yield used


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


HISTORIAN = {
    "committed": "Events that the historian has committed since it started.",
    "repeated": "Events that it had already.",
    "conflicts": "Numbers that two events have.",
    "unreadable": "Messages that were no events.",
    "turned_away": "Messages that it did not take, because too many waited.",
    "batches": "Batches that it has committed.",
    "faults": "Batches that the database refused.",
}


class MetricsServer:
    """`start`, `stop`: answers GET http://127.0.0.1:PORT/metrics."""

    def __init__(self, port: int, collector: Collector) -> None:
        self._port = port
        self._registry = CollectorRegistry()
        self._registry.register(collector)
        self._running: tuple[WSGIServer, Thread] | None = None

    def text(self) -> bytes:
        """What it answers, in Prometheus' text format."""
        return generate_latest(self._registry)

    def start(self) -> None:
        """Raises ConfigError."""
        try:
            self._running = start_http_server(self._port, LOOPBACK, self._registry)
        except OSError as error:
            raise ConfigError(f"[metrics] port = {self._port}: cannot listen on {LOOPBACK}: {error}") from error

    def stop(self, timeout_s: float = 5.0) -> None:
        if self._running is not None:
            server, thread = self._running
            server.shutdown()
            server.server_close()
            thread.join(timeout_s)
            self._running = None
