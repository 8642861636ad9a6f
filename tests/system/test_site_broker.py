"""A door, the historian and people's programs at a site's broker, as `doorward central init` configures it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from agent.clock import SystemClock
from agent.config import Config, parse_config
from agent.core.commands import Command, Refusal
from agent.link.mqtt import Link
from agent.link.session import Address
from agent.records.journal import Journal
from central.commands import NO_ANSWER, Commander
from central.database.opening import open_to_write
from central.history.historian import Historian
from central.site.mosquitto import access_list
from tests.central.site.sites import GeneratedBroker
from tests.system.brokers import running, wait_until

pytestmark = pytest.mark.system

CLOCK = SystemClock()
PROTOCOL = Path(__file__).parents[2] / "docs" / "PROTOCOL.md"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GeneratedBroker]:
    made = GeneratedBroker(tmp_path_factory.mktemp("site"))
    with running(made):
        yield made


def config_of(door: str, address: Address) -> Config:
    return parse_config({"site": "hq", "door": door, "link": asdict(address)})


def test_the_document_prints_the_access_list_that_is_written() -> None:
    printed = re.findall(r"^    ((?:user|topic) .+)$", PROTOCOL.read_text("utf-8"), re.MULTILINE)
    written = access_list([("hq", "front")], [])
    assert printed == [line for line in written[written.index("user hq/front\n") :].splitlines() if line]


def test_door_historian_and_guard_meet_over_tls_and_nobody_gives_commands_under_anothers_name(
    tmp_path: Path, broker: GeneratedBroker
) -> None:
    taken: list[Command | Refusal] = []
    config = config_of("front", broker.enrol("front"))
    historian = Historian(broker.centre(), open_to_write(tmp_path / "central.db"), CLOCK)
    historian.start()
    journal = Journal(tmp_path / "door", CLOCK)
    link = Link(config, journal, lambda command: obey(link, taken, command))
    link.start()
    wait_until(lambda: bool(link.health()["connected"]), 10, f"the door cannot connect: {link.health()}")
    assert datetime.now(timezone.utc) + timedelta(days=1800) < link.health()["certificate_until"], (
        "a door's is good for five years"
    )
    for number in range(200):
        journal.append("access.granted", {"number": number}, CLOCK.wall(), CLOCK.mono_s())
    wait_until(lambda: historian.totals.committed == 200, 10, f"{historian.totals}")
    wait_until(lambda: journal.flush(0.1) and not journal.pending(0, 1), 10, f"not acknowledged: {link.health()}")

    guard = Commander(broker.person("ada"), CLOCK, "a-program")
    assert guard.give("hq", "front", "ada", "lock").ok
    guard.close()
    other = Commander(broker.person("grace"), CLOCK, "a-program")
    assert other.give("hq", "front", "ada", "unlock", valid_s=1.0).reason == NO_ANSWER
    other.close()
    link.close()
    journal.close()
    historian.stop()
    assert [(command.user, command.command if isinstance(command, Refusal) else command.name) for command in taken] == [
        ("ada", "lock")
    ]


def obey(link: Link, taken: list[Command | Refusal], command: Command | Refusal) -> None:
    taken.append(command)
    link.result(command.id, isinstance(command, Command), "done", command.user)


def test_a_broker_with_a_certificate_of_another_authority_is_not_trusted(tmp_path: Path, broker: GeneratedBroker) -> None:
    other = GeneratedBroker(tmp_path)
    config = config_of("side", replace(broker.enrol("side"), ca_file=str(other.site.root / "ca.crt")))
    journal = Journal(tmp_path / "door", CLOCK)
    link = Link(config, journal, lambda command: None)
    link.start()
    wait_until(lambda: link.health()["errors"] > 0, 10, "the door did not object")
    assert "certificate" in link.health()["error"].lower()
    assert not link.health()["connected"]
    link.close()
    journal.close()
