"""Enrolling a face: signature first, then pictures in several poses, and nothing but templates is kept."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.core.identity import cosine
from central.enrolment.consent import parse_text
from central.enrolment.desk import SESSION_S
from central.enrolment.picture import MOST_BYTES
from central.gateway.asking import Unfit
from tests.central.enrolment.a_desk import PICTURES, Office, photograph
from tests.central.people.test_people import issued


def refusal(ask, *args, **how) -> Unfit:
    with pytest.raises(Unfit) as told:
        ask(*args, **how)
    return told.value


def test_no_picture_is_taken_before_somebody_has_signed(office: Office) -> None:
    office.centre.holder()
    assert (refusal(office.begin, "holder-1").status, refusal(office.begin, "holder-1").code) == (409, "no_consent")
    office.sign("holder-1")
    assert office.begin("holder-1")


def test_whoever_signed_for_norms_alone_has_not_signed_for_pictures(office: Office) -> None:
    office.centre.holder()
    office.sign("holder-1", what="norms")
    assert refusal(office.begin, "holder-1").code == "no_consent"
    assert office.people.person("holder-1").norms_consent


def test_new_pictures_need_the_text_that_is_in_force(office: Office) -> None:
    office.centre.holder()
    office.enrol("holder-1")
    office.consents.text = parse_text("Edition: hq-2\nAnother text")
    told = refusal(office.begin, "holder-1")
    assert (told.status, told.code) == (409, "old_consent")
    assert "edition doorward-1; in force is hq-2" in told.sentence
    assert len(issued(office.centre)["holder-1"].cardholder.templates) == 3, "what was agreed to goes on"
    office.sign("holder-1")
    assert office.begin("holder-1")


def test_consent_taken_back_in_the_middle_ends_the_pictures(office: Office) -> None:
    office.centre.holder()
    office.sign("holder-1")
    session = office.begin("holder-1")
    office.ask("DELETE", "/people/{id}/template", id="holder-1")
    assert refusal(office.show, session, PICTURES["front"]).code == "no_consent"


def test_three_poses_become_three_templates_that_reach_the_door(office: Office) -> None:
    office.centre.holder()
    office.enrol("holder-1")
    told = issued(office.centre)["holder-1"].cardholder
    assert len(told.templates) == 3
    assert min(cosine(told.templates[0], other) for other in told.templates) > 0.5
    assert office.people.person("holder-1").templates == 3


def test_each_picture_is_answered_with_what_it_shows_and_what_to_do_next(office: Office) -> None:
    office.centre.holder()
    office.sign("holder-1")
    session = office.begin("holder-1")
    first = office.show(session, PICTURES["front"])
    assert (first.fit, first.pose, first.poses_done, first.poses_wanted) == (True, "front", ("front",), ("left", "right"))
    assert "to your left" in first.sentence
    assert first.quality > 0.6
    assert office.show(session, PICTURES["left"]).pose == "left"
    last = office.show(session, PICTURES["right"])
    assert (last.pose, last.poses_wanted, last.sentence) == ("right", (), "good; all pictures are there")


def test_a_mirror_image_is_the_other_side(office: Office) -> None:
    office.centre.holder()
    office.sign("holder-1")
    pixels = cv2.imdecode(np.frombuffer(photograph(PICTURES["left"]), np.uint8), cv2.IMREAD_COLOR)
    assert office.desk.look("mary", office.begin("holder-1"), np.ascontiguousarray(pixels[:, ::-1])).pose == "right"


def test_a_picture_that_will_not_do_is_answered_with_advice(office: Office) -> None:
    office.centre.holder()
    office.sign("holder-1")
    session = office.begin("holder-1")
    grey = office.desk.look("mary", session, np.full((480, 640, 3), 120, np.uint8))
    assert (grey.fit, grey.reason, grey.poses_done) == (False, "flat_light", ())
    both = np.hstack([cv2.resize(cv2.imdecode(np.frombuffer(photograph(who), np.uint8), cv2.IMREAD_COLOR), (500, 650))
                      for who in (PICTURES["front"], "colleague_approach")])  # fmt: skip
    assert office.desk.look("mary", session, both).reason == "several_faces"


def test_another_person_cannot_step_in_between_two_pictures(office: Office) -> None:
    office.centre.holder()
    office.sign("holder-1")
    session = office.begin("holder-1")
    office.show(session, PICTURES["front"])
    other = office.show(session, "stranger_approach")
    assert (other.fit, other.reason, other.poses_done) == (False, "somebody_else", ("front",))


def test_without_a_picture_from_the_front_nothing_is_kept(office: Office) -> None:
    office.centre.holder()
    office.sign("holder-1")
    session = office.begin("holder-1")
    office.show(session, PICTURES["left"])
    assert refusal(office.ask, "POST", "/enrolment/{session}/finish", session=session).code == "pose_missing"
    assert office.people.person("holder-1").templates == 0


def test_somebody_who_is_enrolled_already_is_noticed_and_a_manager_decides(office: Office) -> None:
    office.centre.holder("holder-1", "H10301:1:1")
    office.centre.holder("holder-2", "H10301:1:2", name="Augusta Ada King")
    office.enrol("holder-1")
    office.sign("holder-2")
    session = office.begin("holder-2")
    seen = office.show(session, PICTURES["front"])
    assert [each.id for each in seen.duplicate] == ["holder-1"]
    assert seen.duplicate[0].score > 0.9
    warned = refusal(office.ask, "POST", "/enrolment/{session}/finish", session=session)
    assert (warned.status, warned.code) == (409, "duplicate")
    assert "holder-1" in warned.sentence
    office.ask("POST", "/enrolment/{session}/finish", {"anyway": "her second badge, by contract"}, session=session)
    record = office.centre.audit.rows(limit=1)[0]
    assert (record.what, record.about, record.details["anyway"]) == (
        "enrolment.finished",
        "holder-2",
        "her second badge, by contract",
    )
    assert record.details["alike"][0][0] == "holder-1"


def test_two_different_people_are_no_duplicate(office: Office) -> None:
    office.centre.holder("holder-1", "H10301:1:1")
    office.centre.holder("holder-2", "H10301:1:2")
    office.enrol("holder-1")
    office.sign("holder-2")
    seen = office.show(office.begin("holder-2"), "colleague_approach")
    assert (seen.fit, seen.duplicate) == (True, ())


def test_enrolling_anew_replaces_what_there_was(office: Office) -> None:
    office.centre.holder()
    office.enrol("holder-1")
    office.enrol("holder-1", "front")
    assert len(issued(office.centre)["holder-1"].cardholder.templates) == 1


def test_no_picture_and_no_template_is_anywhere_on_the_disk(office: Office, tmp_path: Path) -> None:
    office.centre.holder()
    office.enrol("holder-1")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} <= {"central.db", "central.db-wal", "central.db-shm"}
    stored = b"".join(path.read_bytes() for path in files)
    assert b"\xff\xd8\xff" not in stored
    assert not [each for each in issued(office.centre)["holder-1"].cardholder.templates if each[:32] in stored]


# -- sessions ----------------------------------------------------------------------------------------------------------------------


def test_a_session_is_its_accounts_own_and_ends_by_itself(office: Office) -> None:
    office.centre.holder()
    office.sign("holder-1")
    session = office.begin("holder-1")
    grey = np.full((480, 640, 3), 120, np.uint8)
    assert refusal(office.desk.look, "eve", session, grey).code == "no_session"
    office.centre.clock.pass_by(seconds=SESSION_S - 1)
    office.desk.look("mary", session, grey)
    office.centre.clock.pass_by(seconds=SESSION_S)
    assert refusal(office.desk.look, "mary", session, grey).code == "no_session"


def test_nobody_can_try_pictures_for_ever(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("central.enrolment.desk.MOST_PICTURES", 20)
    office.centre.holder()
    office.sign("holder-1")
    session = office.begin("holder-1")
    small = np.full((16, 16, 3), 120, np.uint8)
    for _ in range(20):
        office.desk.look("mary", session, small)
    assert refusal(office.desk.look, "mary", session, small).status == 429


# -- what is sent ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "kind", "status"), [
    (b"GIF89a", "image/jpeg", 415),
    (b"", "image/png", 415),
    (b"\x89PNG\r\n\x1a\n" + bytes([0, 0, 0, 13]) + b"IHDR" + bytes([0, 0, 255, 255]) * 2 + bytes(9), "image/png", 422),
    (b"\x89PNG\r\n\x1a\n" + bytes([0, 0, 0, 13]) + b"IHDR" + bytes([0, 0, 2, 0]) * 2 + bytes(99), "image/png", 422),
    (b"\xff\xd8" + bytes(MOST_BYTES), "image/jpeg", 413),
    (b"<svg/>", "image/svg+xml", 415),
])  # fmt: skip
def test_what_is_no_photograph_is_refused_before_it_is_unpacked(office: Office, body: bytes, kind: str, status: int) -> None:
    office.centre.holder()
    office.sign("holder-1")
    session = office.begin("holder-1")
    assert refusal(office.ask, "POST", "/enrolment/{session}/pictures", body, kind=kind, session=session).status == status
