"""A site's broker as docs/PROTOCOL.md describes it: Mosquitto with certificates and the access list printed there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.clock import SystemClock
from agent.config import parse_config
from agent.core.commands import Command, Refusal
from agent.link.mqtt import Link
from agent.link.session import Address
from agent.records.journal import Journal
from central.commands import NO_ANSWER, Commander
from central.database.opening import open_to_write
from central.history.historian import Historian
from tests.system.brokers import Broker, running, wait_until

pytestmark = pytest.mark.system

CLOCK = SystemClock()
PROTOCOL = Path(__file__).parents[2] / "docs" / "PROTOCOL.md"


class Authority:
    """Makes certificates with the openssl program."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.fail("this test needs the openssl program: apt-get install openssl")
        self._folder = folder
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=site",
                  "-keyout", "ca.key", "-out", "ca.crt")  # fmt: skip

    def issue(self, name: str) -> None:
        (self._folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                  "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        self._run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                  "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip

    def files(self, name: str) -> dict[str, str]:
        folder = self._folder
        return {"ca_file": f"{folder}/ca.crt", "cert_file": f"{folder}/{name}.crt", "key_file": f"{folder}/{name}.key"}

    def address(self, broker: Broker, name: str) -> Address:
        return replace(Address(port=broker.port), **self.files(name))

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self._folder, check=True, capture_output=True)


def access_list() -> str:
    """The lines of the documentation, word for word, and the historian's, which it gives in a sentence."""
    text = PROTOCOL.read_text("utf-8")
    lines = re.findall(r"^    ((?:user|topic|pattern) .+)$", text, re.MULTILINE)
    assert len(lines) == 9
    patterns = [line for line in lines if line.startswith("pattern")]
    door = [line for line in lines if not line.startswith("pattern")]
    historian = [
        "user historian",
        "topic read doorward/+/+/evt",
        "topic read doorward/+/+/online",
        "topic write doorward/+/+/ack",
    ]
    people = ["user guard-1", "topic read doorward/+/+/result/+", "user guard-2", "topic read doorward/+/+/result/+"]
    return "\n".join([*patterns, *door, *historian, *people]) + "\n"


def site_broker(folder: Path, authority: Authority) -> Broker:
    broker = Broker("mosquitto", folder)
    for name in ("broker", "hq-front", "historian", "guard-1", "guard-2"):
        authority.issue(name)
    (folder / "acl").write_text(access_list())
    (folder / "acl").chmod(0o600)
    (folder / "mosquitto.conf").write_text(
        f"user root\nlistener {broker.port} 127.0.0.1\ncafile {folder}/ca.crt\ncertfile {folder}/broker.crt\nkeyfile {folder}/broker.key\n"
        f"require_certificate true\nuse_identity_as_username true\nacl_file {folder}/acl\nset_tcp_nodelay true\n"
    )
    return broker


def test_door_historian_and_guard_meet_over_tls_and_nobody_gives_commands_under_anothers_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    broker = site_broker(tmp_path, authority)
    taken: list[Command | Refusal] = []
    config = parse_config({"site": "hq", "door": "front", "link": {"port": broker.port, **authority.files("hq-front")}})
    with running(broker):
        historian = Historian(authority.address(broker, "historian"), open_to_write(tmp_path / "central.db"), CLOCK)
        historian.start()
        journal = Journal(tmp_path / "door", CLOCK)
        link = Link(config, journal, lambda command: obey(link, taken, command))
        link.start()
        wait_until(lambda: bool(link.health()["connected"]), 10, f"the door cannot connect: {link.health()}")
        for number in range(200):
            journal.append("access.granted", {"number": number}, CLOCK.wall(), CLOCK.mono_s())
        wait_until(lambda: historian.totals.committed == 200, 10, f"{historian.totals}")
        wait_until(lambda: journal.flush(0.1) and not journal.pending(0, 1), 10, f"not acknowledged: {link.health()}")

        guard = Commander(authority.address(broker, "guard-1"), CLOCK, "guard-1")
        assert guard.give("hq", "front", "guard-1", "lock").ok
        guard.close()
        other = Commander(authority.address(broker, "guard-2"), CLOCK, "guard-2")
        assert other.give("hq", "front", "guard-1", "unlock", valid_s=1.0).reason == NO_ANSWER
        other.close()
        link.close()
        journal.close()
        historian.stop()
    assert [(command.user, command.command if isinstance(command, Refusal) else command.name) for command in taken] == [
        ("guard-1", "lock")
    ]


def obey(link: Link, taken: list[Command | Refusal], command: Command | Refusal) -> None:
    taken.append(command)
    link.result(command.id, isinstance(command, Command), "done", command.user)


def test_a_broker_with_a_certificate_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    broker = site_broker(tmp_path, authority)
    files = {**authority.files("hq-front"), "ca_file": other.files("x")["ca_file"]}
    config = parse_config({"site": "hq", "door": "front", "link": {"port": broker.port, **files}})
    with running(broker):
        journal = Journal(tmp_path / "door", CLOCK)
        link = Link(config, journal, lambda command: None)
        link.start()
        wait_until(lambda: link.health()["errors"] > 0, 10, "the door did not object")
        assert "certificate" in link.health()["error"].lower()
        assert not link.health()["connected"]
        link.close()
        journal.close()
