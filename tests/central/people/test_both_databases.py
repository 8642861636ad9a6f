"""The same people in SQLite and in a real PostgreSQL."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from central.enrolment.erasure import Erasures
from central.enrolment.everything import collect
from central.enrolment.retention import outlived
from central.people.importing import bring_in, export
from central.people.listing import page_of
from central.people.records import Person
from central.people.sheet import sheet_of
from tests.central.people.a_centre import NOW, Centre
from tests.central.people.test_people import enrol, issued


@pytest.fixture
def centre(tmp_path: Path, engine: Engine) -> Centre:
    return Centre(tmp_path, engine)


def test_people_come_in_go_out_and_reach_the_door(centre: Centre) -> None:
    rows = "".join(f"holder-{n},Ada Lovelace {n},staff,W34,0,{n},739155,2026-12-31T18:00:00.000001+01:00\n" for n in range(2500))
    sheet = sheet_of(f"id,name,profiles,format,facility,card,pin,valid_until\n{rows}".encode())
    assert bring_in(centre.people, "ada", sheet).new == 2500
    told = issued(centre)
    assert (len(told), told["holder-7"].cardholder.pin) == (2500, "739155")
    text = "".join(export(centre.people))
    assert bring_in(centre.people, "ada", sheet_of(text.encode())).unchanged == 2500
    assert [row.id for row in page_of(centre.people, "LACE 249", "holder-2490", 3)] == [
        "holder-2491",
        "holder-2492",
        "holder-2493",
    ]


def test_somebody_leaves_and_nothing_of_them_stays(centre: Centre) -> None:
    centre.holder("holder-1", "H10301:1:1", "H10301:1:2", pin="1234")
    centre.people.mark("ada", "H10301:1:1", "stolen")
    enrol(centre, "holder-1", 2)
    assert len(collect(centre.people, "holder-1").templates) == 2
    centre.clock.pass_by(days=4 * 366)
    assert [each.id for each in outlived(centre.people, 3.0)] == ["holder-1"]
    erasures = Erasures(centre.people, {("hq", "front"): 99, ("hq", "vault"): 99}.get)
    proof = erasures.erase("ada", "holder-1")
    assert (proof.removed["templates"], proof.removed["credentials_kept_barred"], proof.waiting) == (2, 1, ())
    assert (erasures.settle(), issued(centre)) == (1, {})


def test_changes_that_come_at_the_same_time_all_count(centre: Centre) -> None:
    before = centre.people.revision
    wrong: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(5):
                centre.people.add(
                    "ada", Person(id=f"holder-{thread}-{number}", name="Ada Lovelace", valid_until=NOW + timedelta(days=1))
                )
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert (wrong, centre.people.revision) == ([], before + 20)
