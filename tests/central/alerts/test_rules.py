"""Which events are alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.event_words import SENTENCES
from central.alerts.rules import ENDS, RULES, found_in, over_by
from central.alerts.severity import SEVERITIES, rank
from central.alerts.store import KINDS
from tests.central.alerts.house import NOW, event, risk

MIXED = st.recursive(st.none() | st.booleans() | st.floats(allow_nan=True) | st.text(max_size=20) | st.integers(),
                     lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
                     max_leaves=8)  # fmt: skip
FIELDS = st.sampled_from(
    ["risk", "reasons", "read", "hold_s", "about", "episode", "tamper", "online", "mode", "reason", "sentences", "user"]
)


def test_every_kind_in_the_table_is_one_that_doors_tell() -> None:
    assert {rule.kind for rule in RULES} | {end.kind for end in ENDS} <= set(SENTENCES)


def test_whatever_an_alert_ends_by_ends_an_alert_that_there_is() -> None:
    subjects = {rule.subject or rule.kind for rule in RULES}
    assert {subject for end in ENDS for subject in end.subjects} <= subjects


@given(kind=st.sampled_from(KINDS), data=st.dictionaries(FIELDS, MIXED, max_size=6))
def test_whatever_a_door_sends_is_looked_at_without_a_fault(kind: str, data: dict[str, Any]) -> None:
    told = event(kind)
    told = type(told)(n=1, site="hq", door="front", kind=kind, at=NOW, received=NOW, data=data)
    for found in found_in(told):
        assert found.title
        assert len(found.sentence) <= 300
    over_by(told)


@pytest.mark.parametrize(
    ("kind", "severity"),
    [("door.forced", "critical"), ("fire.active", "critical"), ("tamper.active", "high"), ("lock.does_not_hold", "high"),
     ("camera.tamper", "high"), ("bundle.refused", "high"), ("door.held", "warning"), ("input.fault", "warning"),
     ("reader.broken", "high"), ("door.propped", "high")],
)  # fmt: skip
def test_what_concerns_the_door_itself_is_an_alert(kind: str, severity: str) -> None:
    assert [found.severity for found in found_in(event(kind))] == [severity]


@pytest.mark.parametrize(
    "kind", ["door.opened", "door.closed", "rex.pressed", "lock.secured", "access.granted", "risk.cleared", "a.b"]
)
def test_an_ordinary_day_rings_nobody(kind: str) -> None:
    assert found_in(event(kind, reasons=["face_match"], risk={"band": "ordinary", "alert": False})) == ()


def test_a_risk_rings_by_its_band_and_whom_the_door_names() -> None:
    (found,) = found_in(
        event(
            "risk.raised", about="tailgating", episode="ab-1", zone="lobby", risk=risk("critical", tells=["guards", "managers"])
        )
    )
    assert (found.severity, found.title, found.tells, found.zone) == (
        "critical",
        "Risk: tailgating",
        ("guards", "managers"),
        "lobby",
    )


def test_a_risk_that_the_door_held_back_rings_nobody() -> None:
    assert found_in(event("risk.raised", about="person", alert_held_back=True, risk=risk())) == ()
    assert found_in(event("risk.raised", about="person", risk=risk() | {"alert": False})) == ()


def test_every_refusal_by_face_reaches_a_human_even_in_the_lowest_band() -> None:
    (found,) = found_in(
        event("access.denied", reasons=["face_mismatch"], risk=risk("ordinary"), sentences=["the face is not the cardholder's"])
    )
    assert rank(found.severity) >= rank("warning")
    assert found.reasons[0] == "the face is not the cardholder's"


def test_a_stolen_fob_rings_although_no_risk_was_seen() -> None:
    assert [f.severity for f in found_in(event("access.denied", reasons=["credential_stolen"], risk={}))] == ["high"]


def test_an_unknown_fob_rings_nobody() -> None:
    assert found_in(event("access.denied", reasons=["unknown_credential"], risk={"alert": False})) == ()


def test_duress_is_told_to_guards_alone_and_in_no_way_at_the_door() -> None:
    (found,) = found_in(event("access.granted", reasons=["face_match", "duress"], duress=True, risk=risk()))
    assert (found.severity, found.tells, found.subject) == ("critical", ("guards",), "duress")


def test_a_lock_screen_reads_no_cardholder() -> None:
    (found,) = found_in(
        event("access.denied", reasons=["face_mismatch"], cardholder="holder-1", sentences=["not the face"], risk=risk())
    )
    assert "holder-1" in found.sentence
    assert not any("holder-1" in reason for reason in found.reasons)


def test_somebody_who_waited_in_vain_long_ago_is_no_longer_critical() -> None:
    told = event("access.held", hold_s=20.0, risk=risk("critical"), received=NOW + timedelta(hours=1))
    assert [found.severity for found in found_in(told)] == ["high"]


@pytest.mark.parametrize(
    ("reason", "rings"), [("not_allowed", True), ("repeated", True), ("stale", False), ("unknown_command", False)]
)
def test_commands_that_honest_programs_do_not_give_are_told_to_managers(reason: str, rings: bool) -> None:
    found = found_in(event("command.refused", reason=reason, user="guard-1", command="unlock"))
    assert [each.tells for each in found] == ([("managers",)] if rings else [])


def test_severities_grow() -> None:
    assert [rank(each) for each in SEVERITIES] == [0, 1, 2, 3]
