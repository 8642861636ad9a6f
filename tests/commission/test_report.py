"""The handover report: signed by the door's own key, refused when anything in it was changed, and free of secrets."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from nacl.public import PrivateKey
from nacl.signing import VerifyKey

from agent.commission.door_signature import check, fingerprint, sign
from agent.commission.handover import Handover, Machine, Model, handover
from agent.commission.handover_page import head_of, verdict
from agent.commission.sealed_page import WHAT, canonical, sealed, verify
from agent.commission.session import STEPS, Done, Session, ended, with_result
from agent.config import parse_config
from agent.errors import Refused
from agent.selftest.result import Fault, Result

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
MACHINE = Machine(versions={"program": "0.1.0"}, models=(Model("face_embedder", "face_embedder.tflite", "ab" * 32),), clock="synchronised",
                  config="0123456789abcdef")  # fmt: skip
DOOR = PrivateKey(bytes(range(32)))
CONFIG = parse_config({
    "site": "hq", "door": "front", "vision": {"camera": "rtsp://camera:hunter2@10.0.0.9/stream"}, "link": {"user": "front"},
    "lock": {"kind": "maglock", "fail": "safe", "hardware_release": True}, "inputs": {"fire_pin": 25},
    "readers": [{"kind": "osdp", "name": "gate", "device": "/dev/serial/by-id/usb-1"}],
})  # fmt: skip


def session(*results: Result) -> Session:
    made = Session(site="hq", door="front", began_at=NOON)
    for step in STEPS[:-1]:
        facts = (
            {"place": "Front <b>door</b>", "customer": "Ada Lovelace & Co", "installer": "Charles Babbage"}
            if step == "who"
            else {}
        )
        made = ended(made, step, Done(status="ok", said="as it should be", facts=facts, at=NOON, config=MACHINE.config))
    for result in results:
        made = with_result(made, result)
    return made


def told(*results: Result) -> Handover:
    return replace(
        handover(session(*results), CONFIG, MACHINE, NOON), signer=fingerprint(bytes(DOOR.public_key)), accepted_by="Ada Lovelace"
    )


def page(pictures: dict[str, bytes] | None = None, key: PrivateKey | None = DOOR) -> bytes:
    made = told(Result(step="lock", title="Lock and relay", status="ok", said="holds"))
    return sealed(head_of(made, pictures or {}), made, key)


# -- the signature ---------------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_what_a_door_signs_is_an_ordinary_signature_that_leads_back_to_the_doors_key(secret, message):
    door = PrivateKey(secret)
    signed = sign(door, message)
    VerifyKey(signed.key).verify(message, signed.signature)
    assert check(signed, message) == bytes(door.public_key)


def test_openssl_believes_it_too(tmp_path):
    openssl = shutil.which("openssl")
    assert openssl
    signed = sign(DOOR, b"a report")
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + signed.key)
    (tmp_path / "told").write_bytes(b"a report")
    (tmp_path / "signature").write_bytes(signed.signature)
    words = [openssl, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin"]
    words += ["-sigfile", "signature", "-in", "told"]
    assert subprocess.run(words, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "told").write_bytes(b"a Report")
    assert subprocess.run(words, cwd=tmp_path, check=False, capture_output=True).returncode == 1


def test_two_signatures_of_one_page_differ():
    """A nonce that came twice would give the key away."""
    assert sign(DOOR, b"same").signature != sign(DOOR, b"same").signature


# -- the page --------------------------------------------------------------------------------------------------------------------


def test_a_page_as_it_was_signed_is_believed():
    found = verify(page({"camera": b"\xff\xd8picture"}))
    assert found.public == bytes(DOOR.public_key)
    assert found.data["site"] == "hq"
    assert found.data["accepted_by"] == "Ada Lovelace"


@given(st.data())
def test_whatever_byte_is_changed_left_out_or_added_the_page_is_refused(data):
    whole = page({"camera": b"\xff\xd8picture"})
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = data.draw(st.sampled_from((
        whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :], whole[:at] + whole[at + 1 :],
        whole[:at] + data.draw(st.binary(min_size=1, max_size=9)) + whole[at:], whole[:at],
    )))  # fmt: skip
    if changed != whole:
        with pytest.raises(Refused):
            verify(changed)


def test_a_finding_that_was_made_well_is_refused():
    made = told(Result(step="rex", title="Exit button", status="fault", faults=(Fault(what="does not free the door"),)))
    whole = sealed(head_of(made, {}), made, DOOR)
    shown = whole.replace(b"Does not free the door", b"Frees the door at once", 1)
    read = whole.replace(b'"what":"does not free the door"', b'"what":"frees the door"', 1)
    assert shown != whole
    assert read != whole
    for changed in (shown, read):
        with pytest.raises(Refused, match="changed after it was signed"):
            verify(changed)


def test_a_signature_of_another_page_does_not_hold():
    other = replace(told(), customer="Somebody else")
    end = re.compile(rb'(<script type="application/json" id="signature">.*)\Z', re.S)
    foreign = end.search(sealed(head_of(other, {}), other, DOOR))
    assert foreign is not None
    with pytest.raises(Refused):
        verify(end.sub(lambda _: foreign[1], page()))


def test_a_page_of_a_door_without_a_key_is_told_to_be_unsigned():
    with pytest.raises(Refused, match="never signed"):
        verify(page(key=None))


def test_a_page_that_is_none_of_ours_is_refused():
    for raw in (b"", b"<html></html>", b"\0" * 100, WHAT):
        with pytest.raises(Refused, match="no handover report"):
            verify(raw)


def test_the_data_end_no_block_that_they_stand_in():
    assert b"<" not in canonical(replace(told(), note="</script><script>alert(1)</script>"))


# -- what it says ----------------------------------------------------------------------------------------------------------------


def test_names_stand_on_the_page_as_they_were_typed_and_do_nothing():
    text = page().decode()
    head = text[: text.index('<script type="application/json" id="handover">')]
    assert "Front &lt;b&gt;door&lt;/b&gt;" in head
    assert "<b>door</b>" not in head
    assert "<script" not in head


def test_it_needs_nothing_from_elsewhere():
    sources = re.findall(r"""(?:src|href|action)=["']?([^"'>]*)|url\(([^)]*)\)|@import""", head_of(told(), {"camera": b"x"}))
    assert sources == [("data:image/jpeg;base64,eA==", "")]


def test_no_password_of_a_camera_or_broker_stands_in_it():
    text = page().decode()
    assert "10.0.0.9" in text
    assert "hunter2" not in text
    assert "/etc/doorward" not in text, "nor where keys lie"


def test_what_was_not_tested_and_what_is_not_fitted_are_said():
    made = told(Result(step="bolt", title="Bolt monitor", status="absent", said="this door has none, says the configuration"),
                Result(step="fire", title="Fire loop", status="skipped", said="not allowed; nothing was moved"))  # fmt: skip
    assert "Fire loop" in made.not_tested
    assert "Bolt monitor" in made.not_fitted
    assert verdict(made).endswith("not tested")


def test_a_step_that_was_done_with_another_configuration_says_so():
    made = handover(session(), CONFIG, replace(MACHINE, config="another"), NOON)
    assert all("the configuration was changed since" in line.remark for line in made.lines)


def test_people_are_asked_to_try_by_hand_what_no_program_can_say():
    assert any("fire alarm" in words for words in told().by_hand)
    secure = parse_config({"site": "hq", "door": "front"})
    assert any("handle inside" in words for words in handover(session(), secure, MACHINE, NOON).by_hand)


# -- by the command --------------------------------------------------------------------------------------------------------------


def verified(*words: object) -> tuple[int, str]:
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


COMMAND = (sys.executable, "-m", "agent.cli", "commission", "--config", "/nowhere/door.toml", "verify")


def test_somebody_else_verifies_a_page_with_the_doors_public_key(tmp_path):
    file, public, other = tmp_path / "report.html", tmp_path / "door.pub", bytes(PrivateKey.generate().public_key).hex()
    file.write_bytes(page())
    public.write_text(bytes(DOOR.public_key).hex() + "\n")
    status, said = verified(file, "--door-key", public)
    assert status == 0
    assert "door hq/front" in said
    status, said = verified(file, "--door-key", other)
    assert status == 1
    assert "signed by another door" in said
    file.write_bytes(page().replace(b"Ada Lovelace", b"Ada Loveless"))
    status, said = verified(file, "--door-key", public)
    assert status == 1
    assert "changed after it was signed" in said
