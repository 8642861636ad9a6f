"""Importing people: what a file would change, all of it or nothing, and that what is exported comes back unchanged."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from agent.core.access import AccessProfile
from central.people.importing import Report, bring_in, export
from central.people.records import MOST_CREDENTIALS, Held, Person
from central.people.sheet import sheet_of
from central.people.trouble import PeopleError
from tests.central.people.a_centre import FOB, Centre
from tests.central.people.test_people import issued
from tests.central.people.test_sheet import HOLDERS

HEADING = "id,name,profiles,credential,state\n"


def imported(centre: Centre, text: str, **how: bool) -> Report:
    return bring_in(centre.people, "ada", sheet_of(text.encode()), **how)


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.new, report.changed, report.unchanged, report.bad


def test_people_and_their_fobs_come_in(centre: Centre) -> None:
    report = imported(centre, HEADING + "holder-1,Ada Lovelace,staff,H10301:1:1,\nholder-1,Ada Lovelace,staff,H10301:1:2,lost\n"
                                        "holder-2,Mary Somerville,keepers staff,,\n")  # fmt: skip
    assert (counts(report), report.applied) == ((2, 1, 0, 0), True)
    dossier = centre.people.person("holder-1")
    assert [(held.key, held.state) for held in dossier.credentials] == [("H10301:1:1", "active"), ("H10301:1:2", "lost")]
    assert centre.people.person("holder-2").person.profiles == ("keepers", "staff")


def test_a_dry_run_says_the_same_and_changes_nothing(centre: Centre) -> None:
    centre.holder("holder-1", FOB)
    before, records = centre.people.revision, centre.on_record()
    text = HEADING + f"holder-1,Ada Lovelace,staff,{FOB},stolen\nholder-2,Mary Somerville,staff,H10301:1:2,\n"
    dry = imported(centre, text, dry_run=True)
    assert (counts(dry), dry.applied, centre.people.revision, centre.on_record()) == ((1, 1, 0, 0), False, before, records)
    assert counts(imported(centre, text)) == counts(dry)


def test_one_bad_row_keeps_all_of_them_out_unless_it_is_to_be_skipped(centre: Centre) -> None:
    text = HEADING + "holder-1,Ada Lovelace,staff,H10301:1:1,\nholder-2,Mary Somerville,pilots,H10301:1:2,\n"
    report = imported(centre, text)
    (fault,) = report.faults
    assert (fault.row, fault.column, fault.value) == (3, "profiles", "pilots")
    assert "allowed: keepers, staff" in fault.sentence
    assert issued(centre) == {}
    assert counts(imported(centre, text, skip_bad=True)) == (1, 0, 0, 1)
    assert set(issued(centre)) == {"holder-1"}


@pytest.mark.parametrize(("rows", "column", "sentence"), [
    (f"holder-2,Mary,staff,{FOB},\n", "credential", "belongs to cardholder 'holder-1'"),
    ("holder-2,Mary,staff,H10301:1:2,\nholder-3,Zoe,staff,H10301:1:2,\n", "credential", "row 2 has the same"),
    ("holder-2,Mary,staff,H10301:1:2,\nholder-2,Zoe,staff,H10301:1:3,\n", "id", "row 2 says otherwise"),
    ("holder-2,,staff,,\n", "name", "new and needs a name"),
    ("../etc,Mary,staff,,\n", "id", "1 to 64 of"),
])  # fmt: skip
def test_rows_that_contradict_each_other_or_what_is_known_are_named(
    centre: Centre, rows: str, column: str, sentence: str
) -> None:
    centre.holder("holder-1", FOB)
    (fault,) = imported(centre, HEADING + rows).faults
    assert fault.column == column
    assert sentence in fault.sentence


def test_a_pin_comes_in_and_is_never_told_again(centre: Centre) -> None:
    imported(centre, "id,name,profiles,pin,credential\nholder-1,Ada Lovelace,staff,739155,H10301:1:1\n")
    assert issued(centre)["holder-1"].cardholder.pin == "739155"
    assert counts(imported(centre, "id,pin\nholder-1,739155\n")) == (0, 0, 1, 0)
    assert counts(imported(centre, "id,pin\nholder-1,\n")) == (0, 0, 1, 0)
    report = imported(centre, "id,duress_pin\nholder-1,739155\n")
    assert "739155" not in repr(report.faults)
    assert (report.bad, report.faults[0].column) == (1, "duress_pin")
    assert "739155" not in "".join(export(centre.people))


def test_what_a_file_leaves_out_stays_as_it_is(centre: Centre) -> None:
    centre.holder("holder-1", FOB, notes="prefers stairs")
    assert counts(imported(centre, "id,name\nholder-1,Augusta Ada King\n")) == (0, 1, 0, 0)
    dossier = centre.people.person("holder-1")
    assert (dossier.person.notes, dossier.person.profiles, dossier.credentials) == (
        "prefers stairs",
        ("staff",),
        (Held(key=FOB),),
    )


def test_a_fob_that_is_reported_by_a_file_is_on_record_by_its_name(centre: Centre) -> None:
    centre.holder("holder-1", FOB)
    imported(centre, f"id,credential,state\nholder-1,{FOB},stolen\n")
    assert centre.on_record()[-2:] == [("people.imported", ""), ("credential.stolen", "holder-1")] or \
        centre.on_record()[-2:] == [("credential.stolen", "holder-1"), ("people.imported", "")]  # fmt: skip


def test_nobody_gets_more_fobs_than_a_door_can_be_told_of(centre: Centre) -> None:
    rows = "".join(f"holder-1,Ada Lovelace,staff,H10301:1:{card},\n" for card in range(MOST_CREDENTIALS + 1))
    report = imported(centre, HEADING + rows)
    assert (report.new, report.changed, report.bad) == (1, MOST_CREDENTIALS - 1, 1)


def test_whoever_changes_people_all_the_time_is_not_overwritten(centre: Centre) -> None:
    def meddle() -> None:
        centre.people.put_profile("eve", AccessProfile(id="staff", doors=("hq/front",), schedule="always"))

    sheet = sheet_of(b"id,name\nholder-1,Ada Lovelace\n")
    with pytest.raises(PeopleError, match="try again"):
        bring_in(centre.people, "ada", sheet, step=meddle)
    assert issued(centre) == {}


@settings(max_examples=15)
@given(HOLDERS)
def test_what_is_exported_and_imported_elsewhere_is_the_same_people(holders: list[tuple[Person, list[Held]]]) -> None:
    taken = [held.key for _, fobs in holders for held in fobs]
    if len(set(taken)) < len(taken):
        holders = [(person, []) for person, _ in holders]
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        here, there = Centre(Path(one)), Centre(Path(other))
        for centre in (here, there):
            centre.people.put_profile("ada", AccessProfile(id="visitors", doors=("hq/front",), schedule="always"))
        for person, fobs in holders:
            here.people.add("ada", person)
            for fob in fobs:
                here.people.issue("ada", person.id, fob)
        text = "".join(export(here.people))
        assert imported(here, text).changed == 0
        assert imported(there, text).bad == 0
        assert "".join(export(there.people)) == text
        assert [there.people.person(person.id).person for person, _ in holders] == [person for person, _ in holders]
        here.engine.dispose()
        there.engine.dispose()
