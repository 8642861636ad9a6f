"""A door that was stolen is taken out of the site: what the real brokers make of it, and what we do about the rest."""

from __future__ import annotations

import socket
import ssl
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.errors import ConfigError
from agent.link.session import Address, Say, Session
from agent.link.trial import shake_hands
from central.site.doors import renew, revoke_older
from tests.central.site.sites import BROKERS, GeneratedBroker, Visitor, fresh_id, now
from tests.system.brokers import running, wait_until

pytestmark = pytest.mark.system


@pytest.fixture(scope="module", params=BROKERS, ids=lambda broker: broker.kind)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GeneratedBroker]:
    made: GeneratedBroker = request.param(tmp_path_factory.mktemp("site"))
    with running(made):
        yield made


AT_MOSQUITTO = pytest.mark.parametrize("broker", [GeneratedBroker], indirect=True, ids=["mosquitto"])


def is_refused(address: Address) -> bool:
    visitor = Visitor(address, fresh_id())
    try:
        return not visitor.come_in()
    finally:
        visitor.leave()


def test_a_revoked_door_is_thrown_out_at_once_and_not_let_in_again(broker: GeneratedBroker) -> None:
    address = broker.enrol("front")
    other = Visitor(broker.enrol("back"), fresh_id())
    door, centre = Visitor(address, fresh_id()), Visitor(broker.centre(), fresh_id(), "doorward/#")
    assert door.come_in()
    assert other.come_in()
    assert centre.come_in()
    assert broker.revoke("front")
    wait_until(door.is_out.is_set, 10, "the revoked door is still connected")
    assert is_refused(address)
    wait_until(lambda: centre.has_heard("doorward/hq/front/online", b"false"), 10, "nobody says that it is offline")
    other.says("doorward/hq/back/evt", b"here")
    wait_until(lambda: centre.has_heard("doorward/hq/back/evt", b"here"), 10, "the other door was thrown out, too")
    for visitor in (other, centre):
        visitor.leave()
    assert broker.site.doors.door("hq", "front") is None
    with pytest.raises(ConfigError, match="hq/front"):
        broker.revoke("front")


@AT_MOSQUITTO
def test_without_our_help_a_connected_door_is_mute_and_deaf_from_the_reload_on_though_its_connection_stands(
    broker: GeneratedBroker,
) -> None:
    """What Mosquitto does by itself: if this changes, docs/BROKER.md must."""
    door, centre = (
        Visitor(broker.enrol("side"), "x", "doorward/hq/side/#"),
        Visitor(broker.centre(), fresh_id(), "doorward/#"),
    )
    assert door.come_in()
    assert centre.come_in()
    for name in ("hq/side", "hq/side/media"):
        broker.site.authority.revoke(name, now())
    broker.site.doors.remove("hq", "side")
    broker.site.write_access(now())
    broker.hang_up()
    wait_until(lambda: is_refused(broker.door("side", "media")), 10, "the broker has not read its lists again")
    centre.says("doorward/hq/side/ack", b"after")
    door.says("doorward/hq/side/evt", b"after")
    centre.says("doorward/hq/side/ack", b"last")
    wait_until(lambda: centre.has_heard("doorward/hq/side/ack", b"last"), 10, "the centre is not heard")
    assert not centre.has_heard("doorward/hq/side/evt", b"after")
    assert not door.is_out.is_set()
    assert door.heard == []
    for visitor in (door, centre):
        visitor.leave()


def test_two_doors_revoked_in_the_same_second_are_both_refused(broker: GeneratedBroker) -> None:
    addresses = [broker.enrol(door) for door in ("one", "two", "three")]
    for door in ("one", "two"):
        broker.revoke(door)
    assert [is_refused(address) for address in addresses] == [True, True, False]


def test_a_renewed_door_comes_with_either_certificate_until_the_older_one_is_revoked(
    broker: GeneratedBroker, tmp_path: Path
) -> None:
    old = broker.enrol("north")
    key = broker.site.doors.door("hq", "north")
    done = renew(broker.site, "hq", "north", tmp_path, now())
    with tarfile.open(done.archive) as archive:
        assert "door.key" not in archive.getnames()
        archive.extractall(broker.folder / "renewed")
    assert broker.site.doors.door("hq", "north") == key
    new = broker.door("renewed")
    assert not is_refused(old)
    assert not is_refused(new)
    assert len(revoke_older(broker.site, "hq", "north", now()).serials) == 2
    assert is_refused(old)
    assert not is_refused(new)


@AT_MOSQUITTO
def test_the_brokers_own_certificate_is_renewed_while_it_runs(broker: GeneratedBroker) -> None:
    address = broker.person("ada")
    context = ssl.create_default_context(cafile=address.ca_file)

    def shown() -> int:
        with (
            socket.create_connection((address.host, address.port)) as plain,
            context.wrap_socket(plain, server_hostname=address.host) as wire,
        ):
            return int(str((wire.getpeercert() or {})["serialNumber"]), 16)

    before = shown()
    broker.site.renew_server(now())
    broker.hang_up()
    wait_until(lambda: shown() != before, 10, "the broker still shows its old certificate")
    assert shown() == int(broker.site.server_serial(), 16)


@AT_MOSQUITTO
def test_a_door_that_is_refused_says_what_it_is_likely_to_be_and_the_mend(broker: GeneratedBroker, tmp_path: Path) -> None:
    address, other = broker.enrol("told"), GeneratedBroker(tmp_path).enrol("side")
    broker.revoke("told")
    cases = {
        "this certificate was revoked": address,
        "does not know the authority that signed this certificate": replace(
            address, cert_file=other.cert_file, key_file=other.key_file
        ),
        "of another authority than link.ca_file": replace(address, ca_file=other.ca_file),
        "set link.cert_file and link.key_file": replace(address, cert_file="", key_file=""),
    }
    for words, refused in cases.items():
        link = Session(refused, "hq/told", Silent())
        link.start()
        wait_until(lambda link=link, words=words: words in link.last_error, 20, f"it does not say: {words}")  # type: ignore[misc]
        link.stop()
        assert shake_hands(refused)[0] == "tls"
        assert words in shake_hands(refused)[1], "doorward doctor says the same"


class Silent:
    """Says nothing on a connection."""

    def connected(self, say: Say) -> None: ...

    def turn(self, say: Say, now_s: float) -> float:
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None: ...

    def leaving(self, say: Say) -> None: ...
