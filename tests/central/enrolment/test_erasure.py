"""Consent taken back and people erased: gone here, gone at the doors, and proven; and one file with everything that is held."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser

import msgspec
import pytest
from sqlalchemy import delete, insert, select

from central.database import tables_events
from central.database.engine import reading, writing
from central.database.metadata import METADATA
from central.database.tables_events import EVENTS
from central.enrolment.consent import norms_withdrawn
from central.enrolment.erasure import Erasures, Proof
from central.enrolment.everything import collect, page
from central.enrolment.retention import outlived, remember_reads
from central.gateway.audit import verify
from central.history.forgetting import forget_person
from central.people.trouble import PeopleError
from tests.central.enrolment.a_desk import Office
from tests.central.people.a_centre import FOB, NOW
from tests.central.people.test_people import issued

DOORS = (("hq", "front"), ("hq", "vault"))


def happened(office: Office, person: str, sequence: int = 1, at=NOW, **data: object) -> None:
    """An event that the historian has stored."""
    with writing(office.centre.engine) as connection:
        connection.execute(insert(EVENTS).values(
            site="hq", door="front", journal="aa", sequence=sequence, id=f"aa-{sequence}", kind="access.granted", at=at, received=at,
            mono_s=1.0, data={"cardholder": person, **data}, person=person, alert=False))  # fmt: skip


def test_consent_taken_back_removes_the_template_and_leaves_the_fob(office: Office) -> None:
    office.centre.holder()
    office.enrol("holder-1", "front")
    proof = office.ask("DELETE", "/people/{id}/template", id="holder-1", role="privacy")
    told = issued(office.centre)["holder-1"]
    assert (told.cardholder.templates, told.credentials[0].key) == ((), FOB)
    assert proof.removed == {"templates": 1, "consents_withdrawn": 1}
    with pytest.raises(PeopleError, match="no template"):
        office.erasures.revoke("mary", "holder-1")


def test_an_erasure_is_proven_when_every_door_follows_it_and_not_before(office: Office) -> None:
    office.centre.holder()
    office.enrol("holder-1", "front")
    office.at_doors.update(dict.fromkeys(DOORS, office.people.revision))
    proof: Proof = office.ask("POST", "/people/{id}/erase", id="holder-1", role="privacy")
    assert (proof.revision, [each.door for each in proof.waiting]) == (office.people.revision, ["front", "vault"])
    assert office.erasures.settle() == 0
    office.at_doors[DOORS[0]] = proof.revision
    assert office.erasures.settle() == 0
    office.at_doors[DOORS[1]] = proof.revision + 5
    assert office.erasures.settle() == 1
    (now,) = office.ask("GET", "/erasures", role="auditor", query={"id": "holder-1"})
    assert (now.waiting, now.proven is not None) == ((), True)
    record = office.centre.audit.rows(limit=1)[0]
    assert (record.what, record.about) == ("erasure.person.proven", "holder-1")
    assert record.details["doors"] == [f"hq/front as of {proof.revision}", f"hq/vault as of {proof.revision + 5}"]
    assert office.erasures.settle() == 0
    assert verify(office.centre.engine, []).broken is None


def test_erasing_somebody_leaves_nothing_of_them_but_the_proof(office: Office) -> None:
    office.centre.holder(notes="prefers stairs")
    office.enrol("holder-1")
    office.sign("holder-1", what="norms", signed_name="Augusta Ada King")
    proof = office.erasures.erase("mary", "holder-1")
    assert {name: count for name, count in proof.removed.items() if count} == {
        "cardholders": 1, "credentials": 1, "templates": 3, "consents": 2, "cardholder_profiles": 1}  # fmt: skip
    assert issued(office.centre) == {}
    assert norms_withdrawn(office.people, 10) == ("holder-1",)
    with reading(office.centre.engine) as connection:
        rows = [
            str(row)
            for table in ("cardholders", "consents", "audit")
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
        ]
    assert not [row for row in rows if "Ada" in row or "stairs" in row]


def test_what_other_rooms_have_of_somebody_goes_with_them_or_nothing_does(office: Office) -> None:
    office.centre.holder()
    happened(office, "holder-1")
    erasures = Erasures(office.people, office.at_doors.get, [
        lambda connection, id: {"events": connection.execute(delete(EVENTS).where(EVENTS.c.person == id)).rowcount}])  # fmt: skip
    assert erasures.erase("mary", "holder-1").removed["events"] == 1

    def fails(connection, id):
        raise RuntimeError("the history is away")

    office.centre.holder("holder-2", "H10301:1:2")
    with pytest.raises(RuntimeError):
        Erasures(office.people, office.at_doors.get, [fails]).erase("mary", "holder-2")
    assert office.people.person("holder-2").credentials


def test_what_a_door_that_was_away_tells_of_them_later_is_forgotten_before_it_is_proven(office: Office) -> None:
    METADATA.create_all(office.centre.engine, [tables_events.CONFLICTS])
    office.centre.holder()
    erasures = Erasures(office.people, office.at_doors.get, [forget_person])
    erasures.erase("mary", "holder-1")
    happened(office, "holder-1")
    happened(office, "holder-2", sequence=2)
    office.at_doors.update(dict.fromkeys(DOORS, office.people.revision))
    assert erasures.settle() == 1
    with reading(office.centre.engine) as connection:
        assert [row.person for row in connection.execute(select(EVENTS.c.person).order_by(EVENTS.c.n))] == ["", "holder-2"]


def test_erasures_are_settled_while_the_centre_runs(office: Office) -> None:
    from tests.system.brokers import wait_until

    office.centre.holder()
    office.erasures.erase("mary", "holder-1")
    office.at_doors.update(dict.fromkeys(DOORS, office.people.revision))
    office.erasures.start()
    try:
        wait_until(lambda: office.erasures.proofs("holder-1")[0].proven is not None, 20.0, "the proof")
    finally:
        office.erasures.stop()


# -- everything that is held -------------------------------------------------------------------------------------------------------


class Words(HTMLParser):
    """What a reader sees, and whatever the page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.reaching_out: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        told = [value or "" for name, value in attrs if name in ("src", "href")]
        self.reaching_out += [value for value in told if not value.startswith("data:image/png")]
        self.reaching_out += [tag] if tag in ("script", "link", "iframe") else []

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"


def test_one_page_tells_everything_and_fetches_nothing(office: Office) -> None:
    office.centre.holder(notes="<script>alert(1)</script>", pin="73915528")
    office.enrol("holder-1")
    happened(office, "holder-1")
    office.ask("GET", "/people/{id}/everything", id="holder-1", role="privacy")
    reply = office.ask("GET", "/people/{id}/everything", id="holder-1", role="privacy")
    words = Words()
    words.feed(reply.body.decode())
    for told in ("Ada Lovelace", FOB, "<script>alert(1)</script>", "was let in", "doorward-1", "enrolment.finished", "hq/front"):
        assert told in words.text
    assert words.reaching_out == []
    assert "73915528" not in reply.body.decode()
    assert reply.file_name == "everything-holder-1.html"


def test_the_json_form_holds_the_templates_themselves(office: Office) -> None:
    office.centre.holder()
    office.enrol("holder-1", "front")
    reply = office.ask("GET", "/people/{id}/everything", id="holder-1", role="privacy", query={"format": "json"})
    told = msgspec.json.decode(reply.body)
    (template,) = issued(office.centre)["holder-1"].cardholder.templates
    assert msgspec.convert(told["templates"][0]["numbers"], bytes) == template
    assert told["record"]["person"]["name"] == "Ada Lovelace"


def test_nothing_of_others_is_in_it(office: Office) -> None:
    office.centre.holder("holder-1", "H10301:1:1")
    office.centre.holder("holder-10", "H10301:1:10", name="Mary Somerville")
    happened(office, "holder-10")
    assert "Mary" not in page(collect(office.people, "holder-1"))
    assert collect(office.people, "holder-1").events == ()
    assert {each.about for each in collect(office.people, "holder-1").audit} == {"holder-1"}


# -- for how long ------------------------------------------------------------------------------------------------------------------


def test_a_template_outlives_its_use_three_years_after_the_last_read(office: Office) -> None:
    office.centre.holder()
    office.enrol("holder-1", "front")
    happened(office, "holder-1", at=NOW + timedelta(days=100))
    assert (remember_reads(office.centre.engine), remember_reads(office.centre.engine)) == (1, 0)
    with writing(office.centre.engine) as connection:
        connection.execute(delete(EVENTS))  # events are forgotten sooner
    office.centre.clock.pass_by(days=3 * 365.25 + 99)
    assert outlived(office.people, 3.0) == []
    office.centre.clock.pass_by(days=1)
    (found,) = office.ask("GET", "/retention", role="privacy")
    assert (found.id, found.last_read) == ("holder-1", NOW + timedelta(days=100))


def test_somebody_who_was_never_read_counts_from_their_enrolment(office: Office) -> None:
    office.centre.holder()
    office.enrol("holder-1", "front")
    office.centre.clock.pass_by(days=364)
    assert outlived(office.people, 1.0) == []
    office.centre.clock.pass_by(days=2)
    assert [each.id for each in outlived(office.people, 1.0)] == ["holder-1"]
    with reading(office.centre.engine) as connection:
        assert connection.execute(select(EVENTS.c.n)).all() == []
