"""A small fleet against a real broker and the real centre, both killed while people come and go; and the parts of the simulator alone."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.clock import SystemClock
from central.gateway.door_book import DoorNow
from tools.fleet import wire
from tools.fleet.__main__ import main
from tools.fleet.day import HOURS, Times
from tools.fleet.doors import STATES, Fleet
from tools.fleet.plot import STRIPS, day_plot
from tools.fleet.report import Report, Waits, waits, words
from tools.fleet.run import Options, run_fleet
from tools.fleet.screen import Told, told_in
from tools.fleet.sizing import SIZES, Assumed, Measured, need, table
from tools.fleet.standing import not_online, wrong_states

DOORS, READS = 20, 30


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    options = Options(doors=DOORS, day_s=4.0, reads=READS, storms=1, kill=("broker", "central"), orders=8, screens=1, saturate=5)
    return run_fleet(options, tmp_path_factory.mktemp("fleet"))


@pytest.mark.system
def test_a_fleet_loses_nothing_while_its_broker_and_its_centre_are_killed(report: Report) -> None:
    assert (report.lost, report.strange, report.wrong_states, report.wills_unsaid) == (0, 0, 0, 0)
    assert report.committed == report.events > DOORS * READS
    assert [(storm.what, storm.away) for storm in report.storms] == [("connections", DOORS), ("broker", DOORS), ("central", 0)]
    assert report.calm.count + report.stormy.count > DOORS * READS
    assert report.orders.answered.count + report.orders.unanswered > 0
    assert report.orders.wrong == 0
    assert report.is_good


@pytest.mark.system
def test_a_report_tells_what_a_day_cost_and_shows_it(report: Report) -> None:
    assert {"broker", "central", "fleet"} == set(report.costs)
    assert report.wire_bytes > report.event_bytes > 100
    assert report.screens.shown > 0
    text = words(report)
    assert "0 lost" in text
    assert text.count("storm: ") == 3
    picture = ElementTree.fromstring(day_plot(report))
    lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [len(report.moments)] * len(STRIPS)


def test_a_fleet_that_no_machine_holds_is_refused_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--doors", "0"]) == 2
    assert main(["--minutes", "1000"]) == 2
    told = capsys.readouterr().err
    assert "--doors 0: 1 to 20000 are allowed" in told
    assert "--minutes 1000.0" in told


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 9), st.booleans())
def test_packets_are_the_same_however_their_bytes_arrive(payloads: list[bytes], stride: int, retain: bool) -> None:
    raw = b"".join(wire.publish("doorward/fleet/front/ack", payload, 7, retain=retain) for payload in payloads)
    cutter = wire.Cutter()
    found = [packet for at in range(0, len(raw), stride) for packet in cutter.packets(raw[at : at + stride])]
    assert [wire.published(packet) for packet in found] == [
        wire.Published("doorward/fleet/front/ack", each, 7, retain) for each in payloads
    ]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_mqtt_are_a_wire_fault_and_nothing_else(raw: bytes) -> None:
    try:
        for packet in wire.Cutter().packets(raw):
            wire.published(packet)
    except wire.WireFault:
        pass


def test_all_reads_of_a_day_happen_once_and_most_of_them_when_people_are_awake() -> None:
    times = Times(2000, 24.0, random.Random(1))
    by_hour = [times.due(hour + 1.0) for hour in range(24)]
    assert sum(by_hour) == 2000
    assert sum(by_hour[7:19]) > 4 * sum(by_hour[19:] + by_hour[:7])
    assert times.due(1000.0) == 0
    assert len(HOURS) == 24


@given(st.lists(st.tuples(st.sampled_from(["event", "door", "hello"]), st.integers(0, 10**9), st.integers(0, 9)), max_size=9))
def test_a_screen_reads_what_the_stream_says_and_leaves_its_pauses_out(words_: list[tuple[str, int, int]]) -> None:
    lines = [b"retry: 2000\n", b"\n"]
    for name, n, value in words_:
        lines += [b": still here\n", b"\n", b"id: %d\n" % n, b"event: %s\n" % name.encode(), b"data: %d\n" % value, b"\n"]
    assert list(told_in(iter(lines))) == [Told(name, n, str(value)) for name, n, value in words_]


def test_a_state_that_is_wrong_or_missing_at_the_broker_is_counted() -> None:
    fleet = Fleet("fleet", 2, 0, 1.0, 1, 1, SystemClock())
    first, second = fleet.doors
    for door in fleet.doors:
        for name, value in STATES.items():
            door.show(name, value)
    heard = datetime.now(timezone.utc)
    stands = DoorNow(site="fleet", door=first.name, online=True, states=dict(STATES), heard=heard)
    other = DoorNow(site="fleet", door=second.name, online=False, states={**STATES, "lock": "released"}, heard=heard)
    assert wrong_states([stands, other], fleet.doors) == 1
    assert wrong_states([stands], fleet.doors) == len(STATES)
    assert (not_online([stands, other], fleet.doors, online=True), not_online([stands], fleet.doors, online=False)) == (1, 2)


def test_of_a_hundred_waits_the_ninety_fifth_is_p95() -> None:
    assert waits([number / 1000 for number in range(100, 0, -1)]) == Waits(100, 50.0, 95.0, 99.0, 100.0)
    assert waits([]).count == 0


def test_the_picture_of_a_day_goes_where_it_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--doors", "1", "--plot", str(tmp_path / "missing" / "day.svg")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_the_table_in_the_document_is_what_is_computed() -> None:
    document = (Path(__file__).parents[2] / "docs" / "SCALE.md").read_text("utf-8")
    assert table([need(doors, Assumed(), Measured()) for doors in SIZES]) in document


@given(st.integers(1, 1_000_000), st.floats(1.0, 5000.0))
def test_twice_the_doors_need_twice_the_room_and_never_less_time_to_catch_up(doors: int, reads: float) -> None:
    assumed = Assumed(reads_a_day=reads)
    one, two = need(doors, assumed, Measured()), need(2 * doors, assumed, Measured())
    assert two.sqlite_gb == pytest.approx(2 * one.sqlite_gb)
    assert two.handshakes_s == pytest.approx(2 * one.handshakes_s)
    assert two.caught_up_min > one.caught_up_min or one.caught_up_min == float("inf")
