"""From a code to a door that is in at the real broker, with the programs as they run in the field; and a controller that is replaced."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.errors import ConfigError
from agent.link.session import Address
from central.site.pairing import Issuer, Replaced
from central.site.pairing_wire import SOCKET, IssuerAway, IssuerClient, IssuerServer
from tests.central.site.pairing_house import PairingHouse
from tests.central.site.sites import GeneratedBroker, Visitor, fresh_id
from tests.system.brokers import Process, running, wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[GeneratedBroker]:
    made = GeneratedBroker(tmp_path)
    with running(made):
        yield made


def comes_in(broker: GeneratedBroker, place: Path) -> bool:
    link = place / "link"
    ours = replace(
        broker.door("front"), ca_file=str(link / "ca.crt"), cert_file=str(link / "door.crt"), key_file=str(link / "door.key")
    )
    return _visit(ours)


def _visit(address: Address) -> bool:
    visitor = Visitor(address, fresh_id(), "doorward/hq/front/cmd/#")
    try:
        return visitor.come_in()
    finally:
        visitor.leave()


def test_a_paired_controller_is_let_in_at_the_broker_at_once_and_the_one_before_until_then(
    broker: GeneratedBroker, tmp_path: Path
) -> None:
    with PairingHouse(tmp_path).open() as house:
        first = house.pair(house.code().code, "first")
        assert comes_in(broker, house.controller("first"))
        house.clock.turn(60)
        second = house.pair(house.code().code, "second")
        assert second.valid_until != first.valid_until
        assert comes_in(broker, house.controller("first")), "the old controller goes on until the new one is heard"
        assert comes_in(broker, house.controller("second"))
        assert house.client.heard(Replaced(site="hq", door="front", certificate_until=first.valid_until)) is None
        gone = house.client.heard(Replaced(site="hq", door="front", certificate_until=second.valid_until))
        assert gone is not None
        assert (len(gone.serials), gone.reloaded) == (2, True)
        wait_until(lambda: not comes_in(broker, house.controller("first")), 10, "the old controller is still let in")
        assert comes_in(broker, house.controller("second"))


def doorward(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "agent.cli", "central", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_code_from_the_command_line_is_on_record_and_ends_when_the_door_has_come(tmp_path: Path) -> None:
    house = PairingHouse(tmp_path)
    root = str(house.site.root)
    program = Process([sys.executable, "-m", "agent.cli", "central", "issuer", root], tmp_path / "issuer.log")
    toml = house.site.root / "central.toml"
    toml.write_text(toml.read_text().replace("sqlite:////tmp/central.db", f"sqlite:///{tmp_path}/central.db"))
    with house.house.open(), running(program):
        wait_until(lambda: answers(house.client), 20, "the issuer does not start")
        asking = doorward("pair-code", root, "hq", "front", "--name", "Front door")
        assert asking.stdout is not None
        code = asking.stdout.readline().decode().strip()
        got = house.pair(code)
        _, words = asking.communicate(timeout=30)
        assert (got.name, asking.returncode) == ("Front door", 0)
        assert b"hq/front has come" in words
        assert ("central pair-code", "hq/front") in house.record()
        assert code not in (tmp_path / "issuer.log").read_text()
        assert code.replace(" ", "") not in (tmp_path / "issuer.log").read_text()
        with pytest.raises(ConfigError, match="another issuer serves this site"):
            IssuerServer(Issuer(house.site, house.clock), house.site.root)
        assert program.terminate() == 0
    assert not (house.site.root / SOCKET).exists()


def test_an_issuer_without_the_authoritys_key_does_not_begin(tmp_path: Path) -> None:
    house = PairingHouse(tmp_path)
    (house.site.root / "ca" / "ca.key").unlink()
    issuer = doorward("issuer", str(house.site.root))
    _, words = issuer.communicate(timeout=30)
    assert (issuer.returncode, b"the authority cannot be read" in words) == (2, True)


def answers(client: IssuerClient) -> bool:
    try:
        return client.rows() == []
    except IssuerAway:
        time.sleep(0.05)
        return False
