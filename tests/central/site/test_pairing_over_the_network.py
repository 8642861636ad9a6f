"""A controller without keys and its centre, over the real web server and the issuer's own socket."""

from __future__ import annotations

import base64
import ssl
import stat
import tarfile
from pathlib import Path

import httpx
import pytest

from agent.commission.pairing import pair
from agent.errors import ConfigError
from agent.pairing.code import ALPHABET
from agent.pairing.messages import PairingError
from agent.pairing.spake2 import POINT_OF
from agent.records.keys import door_private
from central.site.authority import pinned, serial_of
from central.site.doors import enrol
from central.site.registry import DoorRegistry
from tests.central.site.pairing_house import PairingHouse
from tests.central.site.sites import now

pytestmark = pytest.mark.system


def other_than(code: str) -> str:
    """The same label, and one character of the rest otherwise."""
    last = ALPHABET[(ALPHABET.index(code[-1]) + 1) % len(ALPHABET)]
    return code[:-1] + last


def test_a_controller_has_what_the_archive_of_a_door_has_and_its_keys_never_left_it(house: PairingHouse) -> None:
    made = house.code()
    got = house.pair(made.code.lower()[:4] + "-" + made.code[4:])
    place = house.controller()
    assert (got.site, got.door, got.name, got.replaces, got.clock_off_s) == ("hq", "front", "Front door", False, 0.0)
    with tarfile.open(enrol(house.site, "hq", "other", "", house.folder, now()).archive) as archive:
        theirs = {each.name: each.mode for each in archive if each.name != "README"}
    assert {
        str(path.relative_to(place)): stat.S_IMODE(path.stat().st_mode) for path in place.rglob("*") if path.is_file()
    } == theirs
    assert set(got.files) == set(theirs)
    entry = DoorRegistry(house.site.root).door("hq", "front")
    assert entry is not None
    assert (entry.name, entry.public_key) == ("Front door", bytes(door_private(place / "door.key").public_key))
    assert serial_of((place / "link/door.crt").read_bytes()) in {
        line.serial for line in house.site.authority.issued() if line.name == "hq/front"
    }
    everything = b"".join(path.read_bytes() for path in house.site.root.rglob("*") if path.is_file())
    for secret in ("door.key", "link/door.key", "link/media.key"):
        assert (place / secret).read_bytes().strip() not in everything
    assert house.record()[-1] == ("pair", "hq/front")


def test_the_certificates_are_good_for_this_site(house: PairingHouse) -> None:
    house.pair(house.code().code)
    link = house.controller() / "link"
    context = ssl.create_default_context(cafile=str(house.site.root / "ca.crt"))
    for program in ("door", "media"):
        context.load_cert_chain(link / f"{program}.crt", link / f"{program}.key")
    assert (link / "ca.crt").read_bytes() == (house.site.root / "ca.crt").read_bytes()


def test_three_wrong_tries_and_the_right_code_counts_no_more(house: PairingHouse) -> None:
    made = house.code()
    for _ in range(3):
        with pytest.raises(PairingError, match="does not take this code"):
            house.pair(other_than(made.code))
    with pytest.raises(PairingError, match="does not take this code"):
        house.pair(made.code)
    assert [row.state for row in house.client.rows()] == ["dead"]
    assert house.record() == [("pair, wrong code", "hq/front")] * 3
    assert not list(house.controller().iterdir()), "what did not come about leaves nothing at the door"


def test_two_wrong_tries_are_forgiven(house: PairingHouse) -> None:
    made = house.code()
    for _ in range(2):
        with pytest.raises(PairingError):
            house.pair(other_than(made.code))
    assert house.pair(made.code).door == "front"
    assert [row.tries for row in house.client.rows()] == [2]


def test_a_code_is_for_one_controller_and_a_second_one_that_shows_it_is_on_record(house: PairingHouse) -> None:
    made = house.code()
    house.pair(made.code, "first")
    with pytest.raises(PairingError, match="does not take this code"):
        house.pair(made.code, "second")
    assert house.record()[-1] == ("pair, code used again", "hq/front")
    entry = DoorRegistry(house.site.root).door("hq", "front")
    assert entry is not None
    assert entry.public_key == bytes(door_private(house.controller("first") / "door.key").public_key)


def test_fifteen_minutes_and_a_code_is_over(house: PairingHouse) -> None:
    made = house.code()
    house.clock.turn(899)
    (row,) = house.client.rows()
    assert (row.state, row.left_s) == ("waiting", 1.0)
    house.clock.turn(1)
    with pytest.raises(PairingError, match="does not take this code"):
        house.pair(made.code)
    assert [row.state for row in house.client.rows()] == ["expired"]


def test_a_new_code_for_a_door_ends_the_one_before(house: PairingHouse) -> None:
    before, after = house.code(), house.code()
    with pytest.raises(PairingError, match="does not take this code"):
        house.pair(before.code)
    assert house.pair(after.code).door == "front"


def test_nobody_learns_whether_a_code_exists(house: PairingHouse) -> None:
    made = house.code()
    taken, free = made.code[:3], next(f"{each}QQ" for each in ALPHABET if f"{each}QQ" != made.code[:3])
    with httpx.Client(base_url=house.url) as door:
        answers = {label: door.post("/api/pair/hello", json={"label": label, "share": SHARE}) for label in (taken, free)}
        assert {answer.status_code for answer in answers.values()} == {200}
        assert len({len(answer.content) for answer in answers.values()}) == 1
        sealed = "A" * 120
        refused = [door.post("/api/pair/proof", json={"session": answer.json()["session"], "confirms": SHARE, "sealed": sealed})
                   for answer in answers.values()]  # fmt: skip
        refused.append(door.post("/api/pair/proof", json={"session": "0" * 32, "confirms": SHARE, "sealed": sealed}))
    assert {(each.status_code, each.text) for each in refused} == {(403, refused[0].text)}
    assert house.record() == [("pair, wrong code", "hq/front")], "of codes that nobody made there is no record to be filled"


SHARE = base64.b64encode(POINT_OF["door"]).decode()
"""Some point of the curve."""


def test_a_page_of_somebody_elses_cannot_ask(house: PairingHouse) -> None:
    with httpx.Client(base_url=house.url, headers={"origin": "https://evil.example"}) as page:
        answer = page.post("/api/pair/hello", json={"label": "QQQ", "share": SHARE})
    assert (answer.status_code, answer.json()["error"]) == (403, "other_origin")


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{}", 400), (b"[" * 9000, 400), (b'{"label": "OOO", "share": "AA=="}', 400), (b"x" * 20_000, 413)],
    ids=["nothing", "empty", "deep", "no such label", "long"],
)
def test_what_is_no_message_is_refused_with_a_sentence(house: PairingHouse, body: bytes, status: int) -> None:
    with httpx.Client(base_url=house.url) as door:
        for path in ("hello", "proof"):
            answer = door.post(f"/api/pair/{path}", content=body)
            assert (answer.status_code, bool(answer.json()["sentence"])) == (status, True)


def test_whoever_asks_too_often_waits(house: PairingHouse) -> None:
    with httpx.Client(base_url=house.url) as door:
        codes = [door.post("/api/pair/hello", json={"label": "QQQ", "share": SHARE}).status_code for _ in range(21)]
        house.clock.turn(2)
        codes.append(door.post("/api/pair/hello", json={"label": "QQQ", "share": SHARE}).status_code)
    assert codes == [200] * 20 + [429, 200]


def test_a_controller_that_was_told_which_door_it_is_refuses_the_code_of_another(house: PairingHouse) -> None:
    made = house.code("back", "")
    with pytest.raises(PairingError, match="this code is for hq/back, and this controller was told that it is hq/front"):
        house.pair(made.code, expects="hq/front")
    assert house.pair(made.code, expects="hq/back").door == "back", "the code still counts"


def test_a_certificate_that_nobody_vouches_for_is_no_hindrance(tmp_path: Path) -> None:
    """The code proves who the centre is; TLS cannot yet. An address without a scheme is https."""
    certificate, key = tmp_path / "dashboard.crt", tmp_path / "dashboard.key"
    own = pinned("somebody", now())
    certificate.write_bytes(own.certificate)
    key.write_bytes(own.key)
    with PairingHouse(tmp_path, cert_file=str(certificate), key_file=str(key)).open() as house:
        address = house.url.removeprefix("https://")
        assert pair(address, house.code().code, house.controller(), clock=house.clock).door == "front"


@pytest.mark.parametrize(
    "address", ["ftp://centre", "https://centre/front", "http://", "https://ada@centre", "centre:door", "https://[::1"]
)
def test_what_is_no_address_is_said_before_anything_is_sent(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        pair(address, "KKKKKKKK", tmp_path)


def test_an_address_that_is_no_centre_is_said(house: PairingHouse) -> None:
    with pytest.raises(PairingError, match="does not answer"):
        pair("http://127.0.0.1:1", "KKKKKKKK", house.controller())
    assert not list(house.controller().iterdir())


def test_without_an_issuer_everybody_is_told_what_starts_it(tmp_path: Path) -> None:
    house = PairingHouse(tmp_path)
    with house.house.open(), house.house.signed_in() as manager:
        answer = manager.post("/api/pair/codes/hq/front", json={"name": "Front door"})
        assert (answer.status_code, answer.json()["error"]) == (503, "no_issuer")
        with pytest.raises(PairingError, match="systemctl start doorward-issuer"):
            house.pair("KKKKKKKK")


def test_a_manager_asks_in_the_browser_and_sees_the_door_come(house: PairingHouse) -> None:
    with house.house.signed_in() as manager:
        made = manager.post("/api/pair/codes/hq/front", json={"name": "Front door"}).json()
        assert house.record()[-1] == ("POST /pair/codes/{site}/{door}", "hq/front")
        got = house.pair(made["code"])
        (shown,) = manager.get("/api/pair/codes").json()
        assert (shown["code"]["state"], shown["here"]) == ("paired", False)
        assert made["code"] not in manager.get("/api/pair/codes").text
        house.house.hear("doorward/hq/front/online", b"true")
        health = f'{{"value":{{"link":{{"certificate_until":"{got.valid_until.isoformat()}"}}}}}}'
        house.house.hear("doorward/hq/front/state/health", health.encode())
        assert manager.get("/api/pair/codes").json()[0]["here"]
    with house.house.signed_in("paul", "installer", ("annex",)) as installer:
        assert installer.get("/api/pair/codes").json() == []
        assert installer.post("/api/pair/codes/hq/front", json={}).status_code == 404
        assert installer.delete(f"/api/pair/codes/{made['id']}").status_code == 404


def test_a_replaced_controllers_certificates_end_when_the_new_one_is_heard(house: PairingHouse) -> None:
    house.pair(house.code().code, "old")
    house.clock.turn(3600)
    made = house.code(name="")
    assert made.replaces
    got = house.pair(made.code, "new")
    assert (got.replaces, got.name) == (True, "Front door")

    def in_force() -> int:
        return len([line for line in house.site.authority.issued() if line.name == "hq/front" and line.revoked is None])

    def heard(until: str) -> None:
        house.house.hear("doorward/hq/front/online", b"true")
        house.house.hear("doorward/hq/front/state/health", f'{{"value":{{"link":{{"certificate_until":"{until}"}}}}}}'.encode())

    house.desk.look()
    assert in_force() == 2
    heard(now().isoformat())  # the old one is still there
    house.desk.look()
    assert in_force() == 2
    heard(got.valid_until.isoformat())
    house.desk.look()
    assert in_force() == 1
    assert house.record()[-1] == ("revoke older certificates", "hq/front")
    assert house.client.replaced() == []
