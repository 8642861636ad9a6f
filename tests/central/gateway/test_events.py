"""What happened: searched, paged, explained, counted, and told only to those whom it concerns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.norms_word import DoorNorms
from central.gateway.asking import Ask, Caller, Reply, Unfit
from central.gateway.csv_text import FORMULA, cell, csv_of
from central.gateway.event_endpoints import Happenings, Report
from central.gateway.reports import openings
from central.history.kept import Kept
from tests.central.gateway.house import NOW, House, told

GUARD, INSTALLER, LAB = Caller("ada", "guard"), Caller("ned", "installer"), Caller("eva", "guard", sites=("lab",))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.store.commit([
        told(1, "access.granted", cardholder="holder-1", leaving=False), told(2, "door.opened"), told(3, "door.held", after_s=30),
        told(4, "door.closed", open_s=45.2, was_held=True, was_forced=False),
        told(5, "access.denied", cardholder="holder-2", sentences=["the face is not the cardholder's"], reasons=["face_mismatch"],
             risk={"alert": True}),
        told(6, "access.granted", cardholder="holder-1", leaving=True),
        told(1, "access.granted", "gate", "lab", cardholder="holder-2", leaving=False),
    ], [], NOW)  # fmt: skip
    yield house
    house.gateway.stop()
    house.commander.close()


def ask(house: House, path: str, caller: Caller = GUARD, words: dict[str, str] | None = None, **query: str) -> Any:
    endpoint = next(each for each in house.gateway.endpoints if each.method == "GET" and each.path == path)
    query = {{"from_": "from"}.get(key, key): value for key, value in query.items()}
    return endpoint.work(Ask(caller=caller, now=NOW + timedelta(hours=1), path=words or {}, query=query))


def numbers(page: Any) -> list[int]:
    return [each.n for each in page.events]


def test_the_newest_come_first_page_by_page(house: House) -> None:
    first = ask(house, "/events", limit="4")
    assert (numbers(first), first.more, first.before) == ([7, 6, 5, 4], True, 4)
    second = ask(house, "/events", limit="4", before=str(first.before))
    assert (numbers(second), second.more, second.before) == ([3, 2, 1], False, 0)


@pytest.mark.parametrize(
    ("query", "found"),
    [({"kind": "access.*"}, [7, 6, 5, 1]), ({"kind": "door.held"}, [3]), ({"site": "lab"}, [7]),
     ({"door": "front", "kind": "door.*"}, [4, 3, 2]),
     ({"person": "holder-1"}, [6, 1]), ({"text": "not the cardholder"}, [5]), ({"alerts": "1"}, [5]), ({"after": "5"}, [7, 6]),
     ({"from": "2026-03-02T08:30:05Z", "to": "2026-03-02T09:30:06+01:00"}, [5])],
)  # fmt: skip
def test_events_are_found(house: House, query: dict[str, str], found: list[int]) -> None:
    assert numbers(ask(house, "/events", **query)) == found


def test_a_search_for_somebody_is_on_record(house: House) -> None:
    ask(house, "/events", person="holder-1", kind="access.*")
    record = house.audit.rows(limit=1)[0]
    assert (record.who, record.what, record.about, record.details) == ("ada", "events.searched", "holder-1", {"kind": "access.*"})
    ask(house, "/events")
    assert house.audit.head().n == record.n, "looking at the stream is not"


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "501"}, {"limit": "x"}, {"limit": "--5"}, {"before": "9" * 5000}, {"before": "-1"}, {"site": "HQ"},
              {"kind": "'"},
              {"from": "yesterday"}, {"from": "2026-03-02T08:30:00"}, {"from": "0001-01-01T00:00:00+14:00"}, {"alerts": "2"},
              {"text": "x" * 101}]
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_told_so(house: House, query: dict[str, str]) -> None:
    with pytest.raises(Unfit) as caught:
        ask(house, "/events", **query)
    assert (caught.value.status, caught.value.code) == (400, "malformed")


def test_an_installer_sees_doors_and_not_who_comes_and_goes(house: House) -> None:
    assert numbers(ask(house, "/events", INSTALLER)) == [4, 3, 2]
    with pytest.raises(Unfit, match="no event"):
        ask(house, "/events/{n}", INSTALLER, {"n": "5"})


def test_an_installer_learns_neither_when_somebody_came_nor_how_often(house: House) -> None:
    """Not by the last event of a door, not by how many pages there are, not by the states of a door."""
    for query in ({"person": "holder-1"}, {"text": "holder"}, {"kind": "access.*"}):
        page = ask(house, "/events", INSTALLER, limit="1", **query)
        assert (page.events, page.more, page.before) == ([], False, 0)
    house.hear("doorward/hq/front/state/people", b'{"value": 2}')
    house.hear("doorward/hq/front/state/risk", b'{"value": {"band": "high", "sentence": "somebody paces"}}')
    house.gateway._watch._begin()
    guard, installer = (ask(house, "/doors/{site}/{door}", who, {"site": "hq", "door": "front"}) for who in (GUARD, INSTALLER))
    assert (guard.last.kind, guard.people, guard.risk.band) == ("access.granted", 2, "high")
    assert (installer.last, installer.people, installer.risk, installer.states) == (None, None, None, {})
    assert [each.last for each in ask(house, "/doors", INSTALLER)] == [None, None]


def test_an_account_of_one_site_sees_that_site(house: House) -> None:
    assert numbers(ask(house, "/events", LAB)) == [7]
    assert ask(house, "/doors", LAB) == []
    assert [row.site for row in ask(house, "/reports/presence", LAB).rows] == ["lab"]
    with pytest.raises(Unfit):
        ask(house, "/events/{n}", LAB, {"n": "1"})


def test_an_event_is_explained_as_on_the_command_line(house: House) -> None:
    found = ask(house, "/events/{n}", words={"n": "5"})
    assert found.sentence == "Whoever held the fob of holder-2 was not let in"
    assert "Why: the face is not the cardholder's" in found.explain


@pytest.mark.parametrize("n", ["0", "-1", "99", "x", "9" * 40, "٣"])
def test_an_event_that_is_not_there_is_told_so(house: House, n: str) -> None:
    with pytest.raises(Unfit) as caught:
        ask(house, "/events/{n}", words={"n": n})
    assert caught.value.status == 404


# -- reports -----------------------------------------------------------------------------------------------------------------------


def report(house: House, name: str, **query: str) -> Report:
    found = ask(house, f"/reports/{name}", from_="2026-03-02T08:00:00Z", to="2026-03-02T10:00:00Z", **query)
    assert isinstance(found, Report)
    return found


def test_presence_tells_who_came_and_who_left_and_what_that_rests_on(house: House) -> None:
    found = report(house, "presence")
    assert [(each.person, each.site, each.inside, each.entries) for each in found.rows] == [
        ("holder-1", "hq", False, 1),
        ("holder-2", "lab", True, 1),
    ]
    assert "Not fit for counting heads" in found.rests_on


def test_denials_tell_the_reason(house: House) -> None:
    assert [(each.person, each.reasons, each.alert) for each in report(house, "denials").rows] == [
        ("holder-2", ["the face is not the cardholder's"], True)]  # fmt: skip


def test_a_door_that_was_held_is_told_with_how_long_it_stood_open(house: House) -> None:
    assert [(each.kind, each.open_s) for each in report(house, "held").rows] == [("door.held", 45.2)]


def test_a_door_that_is_held_and_then_propped_is_one_row() -> None:
    events = [Kept(n, told(n, kind), NOW) for n, kind in enumerate(("door.held", "door.propped"), 1)]
    assert [(each.n, each.kind, each.closed_at) for each in openings(events)] == [(1, "door.propped", None)]


def test_a_report_is_of_at_most_three_months(house: House) -> None:
    with pytest.raises(Unfit, match="93 days"):
        ask(house, "/reports/held", from_="2025-01-01T00:00:00Z")


def test_a_table_for_spreadsheets(house: House) -> None:
    reply = ask(house, "/reports/presence", format="csv")
    assert isinstance(reply, Reply)
    rows = list(csv.DictReader(io.StringIO(reply.body.decode("utf-8-sig"))))
    assert [(row["person"], row["inside"]) for row in rows] == [("holder-1", "no"), ("holder-2", "yes")]
    assert reply.file_name.endswith(".csv")


@given(st.text(max_size=30))
def test_no_cell_is_a_formula_and_all_come_back(text: str) -> None:
    class Row:
        value = text

    raw = csv_of(["value"], [Row()]).decode("utf-8-sig")
    back = list(csv.reader(io.StringIO(raw, newline="")))[1:]
    told_back = back[0][0] if back and back[0] else ""
    assert not told_back.startswith(FORMULA)
    assert told_back.removeprefix("'") == text.removeprefix("'") or told_back == "'" + text


def test_numbers_stay_numbers_in_a_table() -> None:
    assert [cell(each) for each in (-1.5, 3, True, None, NOW, ["a", "b"], "=1+1")] == [
        "-1.5", "3", "yes", "", "2026-03-02T08:30:00Z", "a; b", "'=1+1"]  # fmt: skip


# -- norms -------------------------------------------------------------------------------------------------------------------------


def test_what_is_usual_is_hours_of_the_week_and_what_visits_show(house: House) -> None:
    kinds = msgspec.Raw(b'{"glances": [[20.0, 1000.0, true], 0, [90.0, 10.0]], "of_tomorrow": [[1, 2, false], 0, []]}')
    norms = DoorNorms(made=NOW, place="here", visits=100, kinds=kinds)
    happenings = Happenings(house.store, house.audit, norms_of=lambda site, door: norms if door == "front" else None)
    work = next(each.work for each in happenings.endpoints() if each.path.startswith("/norms"))
    found = work(Ask(caller=GUARD, now=NOW, path={"site": "hq", "door": "front"}))
    assert (found.visits, found.kinds.keys(), found.kinds["glances"].median, found.kinds["glances"].high) == (
        100,
        {"glances"},
        0.0,
        1.0,
    )
    assert (sum(found.hours["access."]), found.hours["access."][8]) == (3, 3), "Monday, from eight to nine"
    with pytest.raises(Unfit) as caught:
        work(Ask(caller=GUARD, now=NOW, path={"site": "hq", "door": "nowhere"}))
    assert caught.value.status == 404
