"""A small fleet against a real broker and the real centre, both killed while people come and go."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.fleet import wire
from tools.fleet.day import HOURS, Times
from tools.fleet.run import Options, run_fleet


@pytest.mark.system
@pytest.mark.timeout(90)
def test_a_fleet_loses_nothing_while_its_broker_and_its_centre_are_killed(tmp_path):
    report = run_fleet(Options(doors=20, day_s=3.0, reads=30, storms=1, kill=("broker", "central"), saturate=5), tmp_path)
    assert (report.lost, report.strange) == (0, 0)
    assert report.committed == report.events > 20 * 30
    assert report.messages > report.events, (
        "nothing had to be said twice: the kills came when nobody was there, and the test proves nothing"
    )
    assert [(storm.what, storm.away) for storm in report.storms] == [("connections", 20), ("broker", 20), ("central", 0)]
    assert report.calm.count + report.stormy.count > 20 * 30


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 9))
def test_packets_are_the_same_however_their_bytes_arrive(payloads, stride):
    raw = b"".join(wire.publish("doorward/fleet/front/ack", payload, 7) for payload in payloads)
    cutter = wire.Cutter()
    found = [packet for at in range(0, len(raw), stride) for packet in cutter.packets(raw[at : at + stride])]
    assert [wire.published(packet) for packet in found] == [
        wire.Published("doorward/fleet/front/ack", each, 7) for each in payloads
    ]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_mqtt_are_a_wire_fault_and_nothing_else(raw):
    try:
        for packet in wire.Cutter().packets(raw):
            wire.published(packet)
    except wire.WireFault:
        pass


def test_all_reads_of_a_day_happen_once_and_most_of_them_when_people_are_awake():
    times = Times(2000, 24.0, random.Random(1))
    by_hour = [times.due(hour + 1.0) for hour in range(24)]
    assert sum(by_hour) == 2000
    assert sum(by_hour[7:19]) > 4 * sum(by_hour[19:] + by_hour[:7])
    assert times.due(1000.0) == 0
    assert len(HOURS) == 24
