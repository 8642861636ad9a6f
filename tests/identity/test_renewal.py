"""A door renews its certificates by itself: over a real Mosquitto with TLS, with the issuer and the room of the centre that answer it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from agent.clock import SystemClock
from agent.config import Config, parse_config
from agent.errors import DoorwardError
from agent.identity.at_door import own_certificates
from agent.identity.messages import MAGIC, Ask, Wish
from agent.identity.openssl import new_key, request_for, signature_by
from agent.identity.own import ShownToBroker
from agent.identity.renewer import Place, Renewer, is_due
from agent.link.certificate import valid_span
from agent.link.mqtt import Link
from agent.link.session import Address
from agent.records.journal import Journal
from central.renewals import Renewals
from central.site.authority import key_of
from central.site.pairing import Issuer, Replaced
from central.site.pairing_wire import IssuerClient, IssuerServer
from central.site.renewing import renew_asked
from tests.central.gateway.house import House
from tests.central.site.sites import GeneratedBroker, Visitor, fresh_id, now
from tests.system.brokers import running, wait_until

YEARS_LATER = timedelta(days=4 * 365)
"""Of five: it is time to renew."""


class Door:
    """A door's link and what renews its certificates, on a calendar of the test's."""

    def __init__(self, broker: GeneratedBroker, folder: Path) -> None:
        address = broker.enrol("front")
        link = broker.folder / "front" / "link"
        self.config: Config = parse_config({
            "site": "hq", "door": "front", "records": {"folder": str(folder)},
            "link": {"port": address.port, "ca_file": address.ca_file, "cert_file": address.cert_file, "key_file": address.key_file},
            "live": {"enabled": True, "cert_file": str(link / "media.crt"), "key_file": str(link / "media.key")},
        })  # fmt: skip
        self.told: list[tuple[str, dict[str, object]]] = []
        self.today: datetime | None = now() + YEARS_LATER
        self.own = own_certificates(self.config)
        shown = ShownToBroker(self.own[0].own, lambda: True, now)
        self.journal = Journal(folder, SystemClock())
        self.link = Link(self.config, self.journal, lambda command: None, own=shown,
                         certificates=lambda: [each.own.in_force().certificate for each in self.own])  # fmt: skip
        place = Place("hq", "front", msgspec.convert(msgspec.to_builtins(self.config.link), Address))
        self.renewer = Renewer(place, self.own, self.link, lambda: self.today, lambda kind, data: self.told.append((kind, data)))
        self.link.listen_for_renewal(self.renewer.heard)
        self.link.start()
        wait_until(lambda: self.link.is_connected, 10, "the door is not let in")

    def close(self) -> None:
        self.link.close()
        self.journal.close()

    def until(self) -> datetime:
        found: datetime = self.link.health()["certificate_until"]
        return found


class Centre:
    """The issuer and the room that doors ask."""

    def __init__(self, broker: GeneratedBroker, opened: ExitStack) -> None:
        self.issuer = IssuerClient(broker.site.root)
        server = IssuerServer(Issuer(broker.site, SystemClock()), broker.site.root)
        server.start()
        opened.callback(server.stop)
        self.house = House(broker.folder)
        self.room = Renewals(broker.centre(), self.issuer, self.house.audit, SystemClock())
        self.room.start()
        opened.callback(self.room.stop)
        wait_until(lambda: self.room._session.is_connected, 10, "the centre's room is not let in")


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def broker(tmp_path: Path, opened: ExitStack) -> GeneratedBroker:
    made = GeneratedBroker(tmp_path)
    opened.enter_context(running(made))
    return made


def is_let_in(address: Address) -> bool:
    visitor = Visitor(address, fresh_id())
    try:
        return visitor.come_in()
    finally:
        visitor.leave()


@pytest.mark.system
def test_a_door_renews_itself_and_what_it_had_is_revoked_when_it_is_heard_with_the_new(
    broker: GeneratedBroker, opened: ExitStack, tmp_path: Path
) -> None:
    centre, door = Centre(broker, opened), Door(broker, tmp_path / "records")
    opened.callback(door.close)
    given, before = broker.door("front"), [each.own.in_force() for each in door.own]
    assert door.renewer.look()
    after = [each.own.in_force() for each in door.own]
    assert [kind for kind, _ in door.told] == ["certificate.renewed"]
    assert [Path(each.certificate).name for each in after] == ["link.pem", "media.pem"]
    assert all(Path(each.certificate).stat().st_mode & 0o077 == 0 for each in after)
    assert keys_in(Path(after[0].certificate)) != keys_in(Path(before[0].key)), "a new key was made on the door"
    wait_until(lambda: door.link.is_connected, 10, "the door is not back")
    assert is_let_in(given), "until the door is heard with the new one, what it had still counts"
    told = Replaced(site="hq", door="front", certificate_until=door.until())
    gone = centre.issuer.heard(told)
    assert gone is not None
    assert len(gone.serials) == 2
    wait_until(lambda: not is_let_in(given), 10, "what it had is still let in")
    wait_until(lambda: door.link.is_connected, 10, "the door was thrown out with what it had")
    assert ("renew", "hq/front") in [(row.what, row.about) for row in centre.house.audit.rows(limit=10)]


def keys_in(path: Path) -> str:
    text = path.read_text()
    return text[text.index("-----BEGIN PRIVATE KEY") :]


@pytest.mark.system
def test_without_a_centre_that_answers_nothing_changes(broker: GeneratedBroker, opened: ExitStack, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    door = Door(broker, tmp_path / "records")
    opened.callback(door.close)
    monkeypatch.setattr("agent.identity.renewer.ANSWER_S", 0.2)
    before = door.own[0].own.in_force()
    assert not door.renewer.look()
    assert not door.renewer.look()
    assert [kind for kind, _ in door.told] == ["certificate.not_renewed"], "the same trouble is told once"
    assert door.own[0].own.in_force() == before
    assert door.link.is_connected


@pytest.mark.system
def test_a_certificate_that_no_broker_takes_is_never_switched_to(
    broker: GeneratedBroker, opened: ExitStack, tmp_path: Path
) -> None:
    """As of a centre whose authority is another one than its broker's."""
    other = GeneratedBroker(tmp_path / "elsewhere")
    other.enrol("front")
    door = Door(broker, tmp_path / "records")
    opened.callback(door.close)

    def answers(name: str, payload: bytes) -> None:
        wish = msgspec.json.decode(msgspec.json.decode(payload, type=Ask).wish, type=Wish)
        signed = {what: other.site.authority.issue_to(key_of(pem.encode()), "door", "hq/front", now()).decode()
                  for what, pem in (("link", wish.link), ("media", wish.media))}  # fmt: skip
        door.renewer.heard(msgspec.json.encode({"id": wish.id, **signed}))

    door.link.ask = answers  # type: ignore[method-assign]
    before = door.own[0].own.in_force()
    assert not door.renewer.look()
    assert "was tried and not taken" in str(door.told[0][1]["error"])
    assert door.own[0].own.in_force() == before
    assert not (tmp_path / "records" / "identity" / "link.new.pem").exists()
    assert door.link.is_connected


@pytest.mark.system
def test_nobody_renews_by_a_clock_that_may_be_anything(broker: GeneratedBroker, opened: ExitStack, tmp_path: Path) -> None:
    door = Door(broker, tmp_path / "records")
    opened.callback(door.close)
    door.today = None
    assert not door.renewer.look()
    assert door.told == []


# -- which certificate counts ------------------------------------------------------------------------------------------------------


def test_it_is_time_when_two_thirds_of_a_life_are_over_and_too_late_when_it_has_ended() -> None:
    since = datetime(2026, 1, 1, tzinfo=timezone.utc)
    span = since, since + timedelta(days=90)
    days = {day: is_due(span, since + timedelta(days=day)) for day in (0, 59, 60, 89, 90, 400)}
    assert days == {0: False, 59: False, 60: True, 89: True, 90: False, 400: False}
    assert not is_due(None, since)


def site_with_a_door(folder: Path) -> GeneratedBroker:
    """Its files alone: nothing runs."""
    broker = GeneratedBroker(folder)
    broker.enrol("front")
    return broker


def plain_config(folder: Path) -> Config:
    link = folder / "front" / "link"
    files = {"ca_file": str(link / "ca.crt"), "cert_file": str(link / "door.crt"), "key_file": str(link / "door.key")}
    return parse_config({"site": "hq", "door": "front", "records": {"folder": str(folder / "records")}, "link": files})


def wish_for(broker: GeneratedBroker, key: bytes) -> bytes:
    """Of the front door, for this key of its link."""
    link = broker.folder / "front" / "link"
    told = msgspec.json.encode(Wish(site="hq", door="front", id="0" * 32, link=request_for(key)))
    signature = signature_by(str(link / "door.key"), MAGIC + told)
    return msgspec.json.encode(Ask(wish=told, certificate=(link / "door.crt").read_text(), signature=signature))


def wish(broker: GeneratedBroker, *, by: str = "front", says: str = "front") -> bytes:
    """That says to be of one door, signed by the key of another."""
    link = broker.folder / by / "link"
    told = msgspec.json.encode(Wish(site="hq", door=says, id="0" * 32, link=request_for(new_key()), media=request_for(new_key())))
    signature = signature_by(str(link / "door.key"), MAGIC + told)
    return msgspec.json.encode(Ask(wish=told, certificate=(link / "door.crt").read_text(), signature=signature))


def test_a_certificate_that_a_person_brings_counts_before_one_that_was_renewed_earlier(tmp_path: Path) -> None:
    broker = site_with_a_door(tmp_path)
    link = tmp_path / "front" / "link"
    config = plain_config(tmp_path)
    own = own_certificates(config)[0].own
    key = new_key()
    renewed = renew_asked(broker.site, "hq", "front", wish(broker), now() + timedelta(seconds=5)).answer.link.encode()
    own.put(renewed + key)
    own.keep()
    assert own.in_force().certificate.endswith("link.pem")
    later = broker.site.authority.issue("door", "hq/front", now() + timedelta(seconds=60))
    (link / "door.crt").write_bytes(later.certificate)
    assert own.in_force().certificate == str(link / "door.crt")


def test_what_was_renewed_is_brought_home_before_it_is_sealed(tmp_path: Path) -> None:
    broker, key = site_with_a_door(tmp_path), new_key()
    own = own_certificates(plain_config(tmp_path))[0].own
    asked = renew_asked(broker.site, "hq", "front", wish_for(broker, key), now() + timedelta(seconds=5))
    own.put(asked.answer.link.encode() + b"\n" + key)
    own.keep()
    link = tmp_path / "front" / "link"
    assert own.bring_home((os.geteuid(), os.getegid()))
    assert own.in_force() == (str(link / "door.crt"), str(link / "door.key"))
    assert ((link / "door.key").read_bytes(), (link / "door.key").stat().st_mode & 0o777) == (key, 0o600)
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(*own.in_force())
    assert not own.bring_home((os.geteuid(), os.getegid())), "there is nothing more"


def test_what_a_power_cut_leaves_of_a_trial_is_thrown_away(tmp_path: Path) -> None:
    broker = site_with_a_door(tmp_path)
    link = tmp_path / "front" / "link"
    config = plain_config(tmp_path)
    own = own_certificates(config)[0].own
    own.put(renew_asked(broker.site, "hq", "front", wish(broker), now()).answer.link.encode() + new_key())
    assert own.in_force().certificate == own.shown().certificate == str(link / "door.crt"), "not before its trial has begun"
    own.begin_trial()
    assert own.shown().certificate.endswith("link.new.pem")
    own.drop()
    assert not own.fresh.exists()
    assert own.shown().certificate == str(link / "door.crt")


@pytest.mark.skipif(not Path("/usr/bin/openssl").exists(), reason="openssl")
def test_a_sealed_key_stays_and_gets_a_new_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = site_with_a_door(tmp_path)
    link, opened = tmp_path / "front" / "link", tmp_path / "credentials"
    opened.mkdir()
    (link / "door.key").rename(opened / "doorward.link_key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(opened))
    config = plain_config(tmp_path)
    program = own_certificates(config)[0]
    assert program.is_sealed
    key = (opened / "doorward.link_key").read_bytes()
    told = msgspec.json.encode(Wish(site="hq", door="front", id="0" * 32, link=request_for(key)))
    signature = signature_by(program.own.key_file(), MAGIC + told)
    asked = msgspec.json.encode(Ask(wish=told, certificate=(link / "door.crt").read_text(), signature=signature))
    program.own.put(renew_asked(broker.site, "hq", "front", asked, now() + timedelta(seconds=5)).answer.link.encode())
    program.own.keep()
    shown = program.own.in_force()
    assert (Path(shown.certificate).name, shown.key) == ("link.pem", str(opened / "doorward.link_key"))
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(shown.certificate, shown.key)


# -- who is believed -----------------------------------------------------------------------------------------------------------------


def why_refused(broker: GeneratedBroker, raw: bytes, when: datetime | None = None) -> str:
    before = len(broker.site.authority.issued())
    with pytest.raises(DoorwardError) as error:
        renew_asked(broker.site, "hq", "front", raw, when or now())
    assert len(broker.site.authority.issued()) == before, "nothing was issued"
    return str(error.value)


def test_another_door_cannot_ask_in_this_ones_name(tmp_path: Path) -> None:
    broker = site_with_a_door(tmp_path)
    broker.enrol("back")
    assert "is not this door's" in why_refused(broker, wish(broker, by="back"))
    assert "came as that of" in why_refused(broker, wish(broker, says="back"))


def test_a_broker_that_puts_its_own_request_in_is_not_believed(tmp_path: Path) -> None:
    broker = site_with_a_door(tmp_path)
    ask = msgspec.json.decode(wish(broker), type=Ask)
    own = msgspec.json.encode(Wish(site="hq", door="front", id="0" * 32, link=request_for(new_key())))
    assert "not signed with the key" in why_refused(broker, msgspec.json.encode(msgspec.structs.replace(ask, wish=own)))


def test_a_certificate_of_another_authority_asks_for_nothing(tmp_path: Path) -> None:
    broker, other = site_with_a_door(tmp_path / "here"), site_with_a_door(tmp_path / "there")
    assert "not signed with the key" in why_refused(broker, wish(other))


def test_a_door_that_was_revoked_or_whose_certificate_has_ended_is_sent_to_pairing(tmp_path: Path) -> None:
    broker = site_with_a_door(tmp_path)
    raw = wish(broker)
    assert "pair the door anew" in why_refused(broker, raw, now() + timedelta(days=6 * 365))
    broker.site.authority.revoke("hq/front", now())
    assert "pair the door anew" in why_refused(broker, raw)


def test_whatever_bytes_come_are_refused_in_words(tmp_path: Path) -> None:
    broker = site_with_a_door(tmp_path)
    for raw in (b"", b"{}", b"\xff" * 10, b"[" * 5000, b"x" * 40_000, wish(broker)[:-9]):
        assert why_refused(broker, raw)


def test_what_is_certified_is_good_from_then_on_for_five_years(tmp_path: Path) -> None:
    broker = site_with_a_door(tmp_path)
    done = renew_asked(broker.site, "hq", "front", wish(broker), now())
    (tmp_path / "new.crt").write_text(done.answer.link)
    span = valid_span(str(tmp_path / "new.crt"))
    assert span is not None
    assert span[1] == done.until
    assert (span[1] - span[0]).days == 5 * 365
