"""What was signed, by whom, and that it can be taken back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agent.errors import ConfigError
from central.enrolment.consent import DOORWARDS_TEXT, load_text, norms_withdrawn, parse_text
from central.enrolment.everything import collect
from central.gateway.asking import Unfit
from tests.central.enrolment.a_desk import Office
from tests.central.people.test_people import issued


def drawn(width_px: int = 300, height_px: int = 100, channels: int = 4) -> bytes:
    """As a canvas gives it: dark on nothing."""
    canvas = np.zeros((height_px, width_px, channels), np.uint8)
    canvas[40:50, 20:200] = 255 if channels == 1 else (10, 10, 10, 255)[:channels]
    return bytes(cv2.imencode(".png", canvas)[1])


def test_what_somebody_signed_stays_on_record_as_it_was(office: Office) -> None:
    office.centre.holder()
    office.sign("holder-1", signature=drawn())
    office.consents.text = parse_text("Edition: hq-2\nAnother text")
    (signed,) = collect(office.people, "holder-1").consents
    assert (signed.edition, signed.signed_name, signed.seen_by) == ("doorward-1", "Ada Lovelace", "mary")
    assert "Your face as a key" in signed.text
    pixels = cv2.imdecode(np.frombuffer(signed.signature_png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert (pixels.shape, pixels[45, 100], pixels[5, 5]) == ((100, 300), 10, 255)


def test_an_edition_that_is_not_in_force_cannot_be_signed(office: Office) -> None:
    office.centre.holder()
    with pytest.raises(Unfit, match="edition 'doorward-1'") as refusal:
        office.sign("holder-1", edition="doorward-0")
    assert refusal.value.status == 409


@pytest.mark.parametrize("signature", [b"no picture", drawn(3000, 2000), drawn()[:60], b"\xff\xd8\xff\xe0" + bytes(200)])
def test_what_is_no_drawn_signature_is_refused(office: Office, signature: bytes) -> None:
    office.centre.holder()
    with pytest.raises(Unfit, match="a PNG of"):
        office.sign("holder-1", signature=signature)


@pytest.mark.parametrize("name", ["", "A", "Ada\nLovelace", "x" * 201])
def test_a_signature_needs_a_name(office: Office, name: str) -> None:
    office.centre.holder()
    with pytest.raises(Unfit, match="signed_name"):
        office.sign("holder-1", signed_name=name)


def test_the_site_may_bring_its_own_text(tmp_path) -> None:
    path = tmp_path / "consent.txt"
    path.write_text("\ufeffEdition: hq-2026\n\nWhat we do with your face.\n", "utf-8")
    text = load_text(str(path))
    assert (text.edition, text.text) == ("hq-2026", "What we do with your face.")
    path.write_text("What we do with your face.\n", "utf-8")
    with pytest.raises(ConfigError, match="first line is `Edition"):
        load_text(str(path))


def test_doorwards_own_text_says_what_the_law_asks_for() -> None:
    text = parse_text(DOORWARDS_TEXT).text
    for promise in (
        "You may say no",
        "three years",
        "take your consent back",
        "pictures are kept nowhere",
        "authority for data protection",
    ):
        assert promise in " ".join(text.split())


def test_norms_are_agreed_to_and_taken_back_by_themselves(office: Office) -> None:
    office.centre.holder()
    office.enrol("holder-1", "front")
    office.sign("holder-1", what="norms")
    assert issued(office.centre)["holder-1"].cardholder.norms_consent
    office.ask("DELETE", "/people/{id}/consent/norms", id="holder-1")
    told = issued(office.centre)["holder-1"].cardholder
    assert (told.norms_consent, len(told.templates)) == (False, 1)
    assert norms_withdrawn(office.people, 100) == ("holder-1",)
    office.sign("holder-1", what="norms")
    assert norms_withdrawn(office.people, 100) == ()
