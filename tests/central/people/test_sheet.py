"""A CSV file of people: what each row says, what is wrong in it, and that a spreadsheet runs nothing of it."""

from __future__ import annotations

import contextlib
import csv
import io
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.people.records import Held, Person, faults_of_held, faults_of_person, tidied
from central.people.sheet import EXPORTED, Fault, Line, SheetError, sheet_of, written

LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs",))
TEXTS = st.text(LETTERS, max_size=30) | st.sampled_from(
    ["=1+1", "'=1", "''-x", "@SUM(A1)", "+49 30", "-", 'say "hi"', "a;b,c", "O'Neil", "'"]
)
MOMENTS = st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2199, 1, 1)).map(lambda at: at.replace(tzinfo=timezone.utc))
PEOPLE = (
    st.builds(
        Person, id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True), name=TEXTS, notes=TEXTS | st.just("two\nlines"),
        profiles=st.lists(st.sampled_from(["staff", "keepers", "visitors"]), max_size=3).map(tuple), visitor=st.booleans(),
        suspended=st.booleans(), valid_from=MOMENTS, valid_until=MOMENTS, extended_opening=st.booleans(),
    ).map(tidied).filter(lambda person: not faults_of_person(person))
)  # fmt: skip
FOBS = st.builds(
    Held, key=st.integers(0, 65535).map(lambda card: f"H10301:7:{card}"), state=st.sampled_from(["active", "lost", "stolen", "revoked"]),
    valid_from=MOMENTS, valid_until=MOMENTS, duress=st.booleans(),
).filter(lambda held: not faults_of_held(held))  # fmt: skip
HOLDERS = st.lists(st.tuples(PEOPLE, st.lists(FOBS, max_size=3, unique_by=lambda held: held.key)), max_size=5,
                   unique_by=lambda each: each[0].id)  # fmt: skip


def read(text: str) -> list[Line | Fault]:
    return [*sheet_of(text.encode())]


def only_fault(text: str) -> Fault:
    (fault,) = [each for each in read(text) if isinstance(each, Fault)]
    return fault


@given(HOLDERS)
def test_whatever_is_written_is_read_as_it_was(holders: list[tuple[Person, list[Held]]]) -> None:
    lines = read("".join(written(holders)))
    assert not [line for line in lines if isinstance(line, Fault)]
    assert {line.id: Person(**line.person) for line in lines} == {person.id: person for person, _ in holders}
    assert [Held(key=line.key, **line.held) for line in lines if line.key] == [held for _, fobs in holders for held in fobs]


@given(HOLDERS)
def test_no_cell_that_is_written_begins_a_formula(holders: list[tuple[Person, list[Held]]]) -> None:
    cells = [cell for row in csv.reader(io.StringIO("".join(written(holders)), newline="")) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


@given(
    st.binary(max_size=300) | st.text(max_size=200).map(lambda text: ("id,name,pin\n" + text).encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_rows_faults_or_a_sentence(raw: bytes) -> None:
    with contextlib.suppress(SheetError):
        assert all(isinstance(each, Line | Fault) for each in sheet_of(raw))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_any_spreadsheet_may_have_written_it(separator: str, mark: str) -> None:
    text = (
        mark
        + separator.join(["id", "Name", "profiles"])
        + "\r\n"
        + separator.join(["holder-1", '"Lovelace, Ada; Countess"', "staff"])
    )
    (line,) = read(text)
    assert line.person == {"id": "holder-1", "name": "Lovelace, Ada; Countess", "profiles": ("staff",)}


def test_a_card_may_be_given_by_its_numbers() -> None:
    lines = read("id,name,format,facility,card\nholder-1,Ada,H10301,1,5283\nholder-2,Bo,line,,77\nholder-3,Cy,,,\n")
    assert [line.key for line in lines] == ["H10301:1:5283", "line:0:77", ""]


def test_what_a_file_does_not_say_is_not_in_it() -> None:
    (line,) = read("id,credential\nholder-1,H10301:1:5283\n")
    assert (line.person, line.held) == ({"id": "holder-1"}, {})


@pytest.mark.parametrize(("row", "column", "value", "sentence"), [
    ("holder-1,Ada,perhaps,,,,,", "visitor", "perhaps", "yes or no"),
    ("holder-1,Ada,,2026-12-31,,,,", "valid_until", "2026-12-31", "with its zone"),
    ("holder-1,Ada,,9999-12-31T23:59:59-12:00,,,,", "valid_until", "9999-12-31T23:59:59-12:00", "1970 to 2199"),
    ("holder-1,Ada,,,H1031,1,2,", "format", "H1031", "H10301"),
    ("holder-1,Ada,,,H10301,256,2,", "facility", "256", "0 to 255"),
    ("holder-1,Ada,,,H10301,1,70000,", "card", "70000", "0 to 65535"),
    ("holder-1,Ada,,,H10301,1,x,", "card", "x", "plain number"),
    ("holder-1,Ada,,,H10301,1,2,broken", "state", "broken", "active, lost, stolen, revoked"),
    ("holder-1,Ada, the first,,,,,,", "", "", "put quotes"),
])  # fmt: skip
def test_a_bad_cell_is_named_with_what_is_allowed(row: str, column: str, value: str, sentence: str) -> None:
    fault = only_fault("id,name,visitor,valid_until,format,facility,card,state\nholder-0,Zoe,,,,,,\n" + row + "\n")
    assert (fault.row, fault.column, fault.value) == (3, column, value)
    assert sentence in fault.sentence


@pytest.mark.parametrize(("text", "sentence"), [
    ("id,nmae\n", "'nmae' is not known; allowed: id, name"),
    ("id,id\n", "twice"),
    ("name\n", "no column 'id'"),
    ("id,name;visitor\n", "use one of them"),
    ("id,credential,card\n", "not by both"),
    ("id,format,card\n", "belong together"),
    ("id,state\n", "no column names them"),
    ("", "''"),
])  # fmt: skip
def test_a_heading_that_cannot_be_is_refused_whole(text: str, sentence: str) -> None:
    with pytest.raises(SheetError, match=sentence):
        sheet_of(text.encode())


def test_a_file_in_another_encoding_is_refused_and_says_how_to_save_it() -> None:
    with pytest.raises(SheetError, match="CSV UTF-8"):
        list(sheet_of("id,name\nholder-1,Zoë\n".encode("latin-1")))


def test_an_export_holds_no_pins_and_no_consents() -> None:
    assert not {"pin", "duress_pin", "norms_consent", "templates"} & {*EXPORTED}


def test_a_row_that_ends_before_its_id_is_a_fault_of_that_row() -> None:
    first, second = list(sheet_of(b"name,id\nAda\nGrace,holder-2\n"))
    assert (first.row, first.column) == (2, "id")
    assert second.id == "holder-2"
