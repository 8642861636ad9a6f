"""Events on the wire are CloudEvents 1.0, come back as they were, and nothing else is taken for one."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.messages import Event
from agent.errors import WireError
from agent.link.acks import Ack, as_ranges, encode_ack, parse_ack
from agent.link.cloudevents import Told, from_cloudevent, to_cloudevent

EVENT = Event(
    sequence=42,
    journal="7c479077",
    id="01a206fc-b067-7668-9cd3-f5e079559fef",
    kind="access.denied",
    at=datetime(2026, 3, 2, 8, 30, 0, 125000, tzinfo=timezone.utc),
    mono_s=3063.25,
    data={"reasons": ["face_mismatch"]},
)


def test_an_event_is_written_as_the_standard_asks() -> None:
    assert json.loads(to_cloudevent(EVENT, "hq", "front")) == {
        "specversion": "1.0",
        "type": "doorward.access.denied",
        "source": "/doorward/hq/front",
        "id": "01a206fc-b067-7668-9cd3-f5e079559fef",
        "time": "2026-03-02T08:30:00.125000Z",
        "sequence": "0000000000042",
        "journal": "7c479077",
        "mono": "3063.25",
        "datacontenttype": "application/json",
        "data": {"reasons": ["face_mismatch"]},
    }


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(st.none() | st.booleans() | NUMBERS | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=10)  # fmt: skip


@given(
    sequence=st.integers(1, 10**13 - 1),
    at=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9000, 1, 1), timezones=st.just(timezone.utc)),
    mono_s=st.floats(allow_nan=False, allow_infinity=False),
    data=st.dictionaries(st.text(), JSON, max_size=4),
)
def test_every_event_comes_back_as_it_was(sequence: int, at: datetime, mono_s: float, data: dict[str, Any]) -> None:
    event = Event(sequence=sequence, journal="00ff", id="an-id", kind="a.b_c", at=at, mono_s=mono_s, data=data)
    assert from_cloudevent(to_cloudevent(event, "hq", "front")) == Told("hq", "front", event)


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"type": "somebody.else"},
        {"source": "/doorward/hq"},
        {"source": "/doorward/HQ/front"},
        {"id": ""},
        {"time": "2026-03-02T08:30:00"},
        {"sequence": 42},
        {"sequence": "-1"},
        {"journal": "../.."},
        {"journal": "7c479077\n"},
        {"source": "/doorward/hq/front\n"},
        {"mono": "soon"},
        {"mono": "nan"},
        {"mono": "-inf"},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"time": "9999-12-31T23:59:59-14:00"},
        {"data": []},
        {"data": None},
    ],
)
def test_a_document_that_breaks_the_contract_is_refused(change: dict[str, Any]) -> None:
    document = json.loads(to_cloudevent(EVENT, "hq", "front"))
    with pytest.raises(WireError):
        from_cloudevent(json.dumps({**document, **change}).encode())


def test_attributes_that_others_add_are_let_pass() -> None:
    document = json.loads(to_cloudevent(EVENT, "hq", "front"))
    assert from_cloudevent(json.dumps({**document, "traceparent": "00-1"}).encode()).event == EVENT


@given(st.binary(max_size=400))
def test_random_bytes_are_a_wire_error_and_nothing_else(raw: bytes) -> None:
    for parse in (from_cloudevent, parse_ack):
        with pytest.raises(WireError):
            parse(raw)


@pytest.mark.parametrize("raw", [b"[" * 200_000, b'{"data":' * 50_000, b" " * (256 * 1024 + 1)])
def test_hostile_nesting_and_size_are_wire_errors(raw: bytes) -> None:
    with pytest.raises(WireError):
        from_cloudevent(raw)


@given(st.lists(st.integers(0, 300)))
def test_ranges_cover_exactly_the_numbers_they_were_made_of(numbers: list[int]) -> None:
    ranges = as_ranges(numbers)
    assert {number for first, last in ranges for number in range(first, last + 1)} == set(numbers)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))


def test_an_acknowledgement_comes_back_as_it_was() -> None:
    ack = Ack("7c479077", [(1, 5), (9, 9)])
    assert parse_ack(encode_ack(ack)) == ack
    assert [number for number in range(12) if ack.covers(number)] == [1, 2, 3, 4, 5, 9]


@pytest.mark.parametrize("numbers", [b"-1,5", b"1", b"1,1e99", b'"1",2', b"1,2,3"])
def test_an_acknowledgement_of_impossible_numbers_is_refused(numbers: bytes) -> None:
    with pytest.raises(WireError):
        parse_ack(b'{"journal":"a","ranges":[[' + numbers + b"]]}")
