"""Whatever happens in whatever order, an alert keeps its promises."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from central.alerts.alert import Alert, Patience, acknowledged, begun, folded, lasted, part_over, takes
from central.alerts.escalation import is_due, pushed_on, resumed, rung, stepped
from central.alerts.limits import CRITICAL_OF_A_DOOR, Limits, Told, rings
from central.alerts.rules import Found
from central.alerts.severity import SEVERITIES, Severity, rank
from tests.central.alerts.house import NOW

PATIENCE = Patience()
STEPS = st.lists(
    st.tuples(st.sampled_from(["event", "over", "wait", "push", "due"]), st.sampled_from(SEVERITIES), st.integers(0, 2), st.integers(0, 900)),
    max_size=40,
)  # fmt: skip


def found(severity: Severity, part: int = 0, wait_s: float = 0.0) -> Found:
    return Found(subject="a", part=str(part), kind="a.b", severity=severity, title="A", sentence="a", wait_s=wait_s)


def live(alert: Alert, steps: list[tuple[str, Severity, int, int]]) -> list[Alert]:
    """What becomes of an alert that nobody acknowledges; each state it goes through."""
    now, states = NOW, [alert]
    for what, severity, part, seconds in steps:
        now += timedelta(seconds=seconds)
        if what == "event" and takes(alert, found(severity, part), now):
            alert, rang = folded(alert, found(severity, part), None, now)
            alert = rung(alert, now, PATIENCE) if rang else resumed(alert, now, PATIENCE)
        elif what == "over":
            alert = part_over(alert, str(part), "", now)
        elif what == "push" and alert.state != "closed":
            alert = pushed_on(alert, now, PATIENCE)
        elif what == "due" and is_due(alert, now):
            alert = stepped(alert, now, PATIENCE)
        states.append(alert)
    return states


@given(first=st.sampled_from(SEVERITIES), steps=STEPS)
def test_a_severe_alert_that_nobody_acknowledged_is_never_forgotten(
    first: Severity, steps: list[tuple[str, Severity, int, int]]
) -> None:
    states = live(rung(begun(found(first), None, "hq", "front", NOW), NOW, PATIENCE), steps)
    for before, after in pairwise(states):
        if before.state == "open" and before.severity in ("high", "critical"):
            assert after.state == "open"
        if after.state == "open" and after.severity == "critical":
            assert after.next_at is not None


@given(first=st.sampled_from(SEVERITIES), steps=STEPS)
def test_escalation_never_goes_back_and_nothing_becomes_milder(
    first: Severity, steps: list[tuple[str, Severity, int, int]]
) -> None:
    states = live(rung(begun(found(first), None, "hq", "front", NOW), NOW, PATIENCE), steps)
    for before, after in pairwise(states):
        assert after.step >= before.step
        assert rank(after.severity) >= rank(before.severity)


@given(severities=st.lists(st.sampled_from(SEVERITIES), max_size=30))
def test_folding_keeps_count(severities: list[Severity]) -> None:
    alert = begun(found("notice"), None, "hq", "front", NOW)
    for severity in severities:
        alert, _ = folded(alert, found(severity), None, NOW)
    assert alert.folded == len(severities)
    assert alert.severity == max(["notice", *severities], key=rank)  # type: ignore[arg-type]


@given(severities=st.lists(st.tuples(st.sampled_from(SEVERITIES), st.integers(0, 3)), min_size=1, max_size=60))
def test_the_severest_alert_always_rings_however_many_there_are(severities: list[tuple[Severity, int]]) -> None:
    limits, told, rang = Limits(a_person=3, a_door=2), list[Told](), list[Severity]()
    for severity, door in severities:
        if rings(severity, str(door), told, limits):
            told.append(Told(str(door), severity))
            rang.append(severity)
    worst = max((severity for severity, _ in severities), key=rank)
    assert worst in rang
    critical = Counter(door for severity, door in severities if severity == "critical")
    assert rang.count("critical") == sum(min(CRITICAL_OF_A_DOOR, count) for count in critical.values())


def test_a_contact_that_chatters_drowns_no_other_door() -> None:
    told: list[Told] = []
    for _ in range(1000):
        if rings("critical", "chatters", told, Limits()):
            told.append(Told("chatters", "critical"))
    assert len(told) == CRITICAL_OF_A_DOOR
    assert rings("critical", "another", told, Limits())


@given(doors=st.lists(st.integers(0, 5), max_size=60))
def test_a_telephone_rings_no_more_often_than_it_may(doors: list[int]) -> None:
    limits, told = Limits(a_person=6, a_door=2), list[Told]()
    for door in doors:
        if rings("high", str(door), told, limits):
            told.append(Told(str(door), "high"))
    assert len(told) <= 6
    assert all(sum(each.door == str(door) for each in told) <= 2 for door in range(6))


def test_what_was_acknowledged_takes_no_more_than_what_was_seen() -> None:
    alert = acknowledged(begun(found("high", 1), None, "hq", "front", NOW), "guard-1", NOW)
    assert takes(alert, found("high", 1), NOW)
    assert not takes(alert, found("high", 2), NOW)
    assert not takes(alert, found("critical", 1), NOW)


def test_who_comes_again_with_the_stolen_fob_the_next_night_rings_though_yesterdays_alert_was_only_acknowledged() -> None:
    tries = replace(found("high", 1), is_attempt=True, cooldown_s=60.0)
    alert = acknowledged(begun(tries, None, "hq", "front", NOW), "guard-1", NOW)
    assert takes(alert, tries, NOW + timedelta(seconds=59))
    assert not takes(alert, tries, NOW + timedelta(days=1))
    assert takes(alert, found("high", 1), NOW + timedelta(days=1))  # a door that is still propped is what somebody deals with


def test_what_lasts_rings_and_what_came_back_a_moment_after_it_rang_does_not() -> None:
    waits = begun(found("warning", wait_s=60), None, "hq", "front", NOW)
    assert (waits.state, waits.next_at) == ("pending", NOW + timedelta(seconds=60))
    opened, rang = lasted(waits, NOW + timedelta(seconds=60))
    assert (opened.state, rang) == ("open", True)
    over = part_over(rung(opened, NOW, PATIENCE), None, "", NOW)
    again, at_once = folded(over, found("warning", wait_s=60), None, NOW + timedelta(seconds=5))
    assert (again.state, at_once) == ("pending", False)
    assert lasted(again, NOW + timedelta(seconds=65))[1] is False
