"""What Prometheus is told of the centre."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from agent.core.messages import Event
from agent.errors import ConfigError
from agent.link.cloudevents import Told
from agent.link.session import Address
from central.database.engine import writing
from central.database.tables_alerts import ALERTS
from central.gateway.door_book import DoorBook
from central.gateway.door_rows import Facts
from central.history.events import EventStore
from central.history.historian import Totals
from central.metrics import CentreCollector, MetricsServer
from tests.central.gateway.house import NOW, HandClock, database
from tests.system.brokers import free_port


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def server(engine: Engine, port: int = 0) -> MetricsServer:
    clock = HandClock()
    book = DoorBook(Address(), clock)
    for door in ("front", "back"):
        book.message(f"doorward/hq/{door}/online", b"true" if door == "front" else b"false", True)
    facts = Facts(behind=lambda site, door: 3 if door == "side" else 0, doors=lambda: [("hq", "side")])
    return MetricsServer(port, CentreCollector(engine, clock, lambda: Totals(committed=7, repeated=2), book, facts))


def values(text: bytes) -> dict[str, float]:
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_what_doors_write_to_their_cards_is_told_whatever_shape_it_has(engine: Engine) -> None:
    clock = HandClock()
    book = DoorBook(Address(), clock)
    said = {
        "front": b'{"disk_b_a_day": 50000000, "programs_b_a_day": 20000000, "life_used": 30}',
        "back": b'{"disk_b_a_day": null, "programs_b_a_day": "much", "life_used": true}',
        "side": b'["nothing"]',
    }
    for door, wear in said.items():
        book.message(
            f"doorward/hq/{door}/state/health", b'{"at": "2026-03-02T09:00:00Z", "value": {"wear": ' + wear + b"}}", True
        )
    collector = CentreCollector(engine, clock, Totals, book, Facts())
    told = {
        name: value for name, value in values(MetricsServer(0, collector).text()).items() if name.startswith("doorward_door_")
    }
    assert told == {
        "doorward_door_written_bytes_per_day disk front hq": 50_000_000,
        "doorward_door_written_bytes_per_day programs front hq": 20_000_000,
        "doorward_door_disk_life_used_percent front hq": 30,
    }


def test_doors_rules_and_events_are_counted(engine: Engine) -> None:
    at = NOW - timedelta(seconds=4)
    event = Event(sequence=1, journal="aa", id="id-1", kind="access.granted", at=at, mono_s=1.0, data={"cardholder": "holder-1"})
    EventStore(engine).commit([Told("hq", "front", event)], [], NOW - timedelta(seconds=1))
    text = server(engine).text()
    told = values(text)
    assert told["doorward_historian_committed_total"] == 7
    assert told["doorward_doors"] == 3
    assert told["doorward_doors_behind"] == 1
    assert told["doorward_access_versions_behind"] == 3
    assert told["doorward_event_lag_seconds median"] == 3
    assert told["doorward_event_age_seconds"] == 1
    assert told["doorward_database_up"] == 1
    assert b"holder-1" not in text


def test_alerts_are_counted_until_they_are_closed(engine: Engine) -> None:
    with writing(engine) as connection:
        for number, state in enumerate(("open", "acknowledged", "closed"), 1):
            connection.execute(ALERTS.insert().values(
                site="hq", door="front", subject=str(number), state=state, severity="high", at=NOW, event_n=1, newest_at=NOW, rest={},
            ))  # fmt: skip
    assert values(server(engine).text())["doorward_alerts_open high"] == 2


def test_no_door_is_online_while_the_broker_is_away(engine: Engine) -> None:
    told = values(server(engine).text())
    assert told["doorward_broker_connected"] == 0
    assert told["doorward_doors_online"] == 0


def test_a_database_that_does_not_answer_is_told_and_hides_nothing_else(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql("DROP TABLE alerts")
    told = values(server(engine).text())
    assert told["doorward_database_up"] == 0
    assert told["doorward_doors"] == 3


def test_it_answers_on_this_machine_and_lets_the_port_go(engine: Engine) -> None:
    port = free_port()
    one = server(engine, port)
    one.start()
    with pytest.raises(ConfigError, match="port"):
        server(engine, port).start()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b"doorward_doors 3.0" in answer.read()
    one.stop()
    again = server(engine, port)
    again.start()
    again.stop()
