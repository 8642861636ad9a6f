"""A whole walk at a door with everything: the real program, a real Mosquitto, the simulated camera's far end, a rig beyond the pins."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contracts.conftest import eventually
from tests.selftest.hands import RELAY, Door, Film, Walk, door_toml
from tests.system.brokers import free_port

pytestmark = pytest.mark.system

QUICK = ("--hold", "0.5", "--timeout", "5", "--yes")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    film = Film(tmp_path / "camera")
    yield made
    film.close()
    made.rig.close()


class Broker:
    """Mosquitto with a configuration of the test's."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        path = folder / "mosquitto.conf"
        path.write_text("\n".join([f"listener {self.port} 127.0.0.1", "persistence false", "user root", *lines]))
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
        assert program, "apt-get install mosquitto"
        self._process = subprocess.Popen([program, "-c", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert eventually(self._answers)

    def _answers(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def test_a_door_with_everything_is_well_and_its_lock_ends_safe(door):
    broker = Broker(door.folder, "allow_anonymous true")
    walked = Walk(door, door_toml(door.folder, port=broker.port), *QUICK)
    broker.close()
    bad = [record for record in walked.records if record["event"] == "result" and record["status"] not in ("ok", "absent")]
    # whether the machine under test follows a time server is not for this test to say
    assert [record["step"] for record in bad] in ([], ["clock"]), walked.said
    assert walked.result("camera")["measured"]["size"] == "640x480 px"
    assert [output.high for output in door.rig.outputs if output.pin == RELAY][-2:] == [False, None]


def test_a_broker_that_does_not_take_this_doors_password_is_told_to_be_so(door):
    passwords, secret = door.folder / "passwords", door.folder / "secret"
    tool = shutil.which("mosquitto_passwd")
    assert tool
    subprocess.run([tool, "-c", "-b", passwords, "front", "right"], check=True, capture_output=True)
    broker = Broker(door.folder, "allow_anonymous false", f"password_file {passwords}")
    told = {}
    for word in ("wrong", "right"):
        secret.write_text(word)
        told[word] = _walk_with(door, broker, f'user = "front"\npassword_file = "{secret}"')
    broker.close()
    assert "does not take this door's name, password or certificate" in told["wrong"].fault("broker")
    assert told["right"].status == 0, told["right"].said


def test_a_broker_with_another_ca_is_told_to_be_so(door):
    for name in ("site", "other"):
        _make_certificate(door.folder / name)
    broker = Broker(door.folder, "allow_anonymous true", f"certfile {door.folder}/site.pem", f"keyfile {door.folder}/site.key")
    right, wrong = (_walk_with(door, broker, f'ca_file = "{door.folder}/{name}.pem"') for name in ("site", "other"))
    broker.close()
    assert right.status == 0, right.said
    assert "encrypted" in right.result("broker")["said"]
    assert right.result("broker")["measured"]["certificate"] in ("good for 89 more days", "good for 90 more days")
    assert "not from the site's CA" in wrong.fault("broker")


def _walk_with(door: Door, broker: Broker, link: str) -> Walk:
    config = door_toml(door.folder, port=broker.port)
    config.write_text(config.read_text().replace("[link]\n", f"[link]\n{link}\n"))
    return Walk(door, config, *QUICK, "--only", "broker")


def _make_certificate(stem: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", f"{stem}.key", "-out", f"{stem}.pem"]
    subprocess.run(command, check=True, capture_output=True)
