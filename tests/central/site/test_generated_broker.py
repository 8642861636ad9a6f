"""Who may do what at a site's broker: the real Mosquitto and the real nats-server, with the configuration that our commands wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.link.session import Address
from central.site.accounts import remove_person
from central.site.check import check
from central.site.people import COMMANDS
from tests.central.site.sites import BROKERS, GeneratedBroker, GeneratedCluster, Visitor, fresh_id, now
from tests.system.brokers import running, wait_until

pytestmark = pytest.mark.system

Comes = Callable[..., Visitor]


@pytest.fixture(scope="module", params=BROKERS, ids=lambda broker: broker.kind)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GeneratedBroker]:
    made: GeneratedBroker = request.param(tmp_path_factory.mktemp("site"))
    with running(made):
        for door in ("front", "back"):
            made.enrol(door)
        yield made


AT_MOSQUITTO = pytest.mark.parametrize("broker", [GeneratedBroker], indirect=True, ids=["mosquitto"])
"""Mosquitto alone has passwords, several listeners, a limit of size, and client ids from certificates: docs/NATS.md."""
AT_NATS = pytest.mark.parametrize("broker", [GeneratedCluster], indirect=True, ids=["nats"])


@pytest.fixture
def comes() -> Iterator[Comes]:
    """Somebody comes to the broker; all leave at the end."""
    visitors: list[Visitor] = []

    def come(address: Address, *topics: str, client_id: str = "", is_let_in: bool = True) -> Visitor:
        visitor = Visitor(address, client_id or fresh_id(), *topics)
        visitors.append(visitor)
        assert visitor.come_in() is is_let_in
        return visitor

    yield come
    for visitor in visitors:
        visitor.leave()


def arrives(listener: Visitor, speaker: Visitor, topic: str, denied: str) -> bool:
    """Say what must not arrive, then what must: whatever came first has been there when the second is."""
    speaker.says(denied, b"denied")
    speaker.says(topic, b"allowed")
    wait_until(lambda: listener.has_heard(topic, b"allowed"), 10, f"{topic} does not arrive")
    return listener.has_heard(denied, b"denied")


@pytest.mark.parametrize("below", ["evt", "online", "state/lock", "result/x", "access/want", "enrol/7/template"])
def test_a_door_speaks_for_itself_and_for_no_other(broker: GeneratedBroker, comes: Comes, below: str) -> None:
    centre = comes(broker.centre(), "doorward/#")
    front = comes(broker.door("front"))
    assert not arrives(centre, front, f"doorward/hq/front/{below}", f"doorward/hq/back/{below}")


@pytest.mark.parametrize(
    "below", ["cmd/ada/unlock", "ack", "online", "norms/prior", "access/version", "access/part/7", "enrol/7/begin"]
)
def test_a_door_hears_what_is_for_it_and_nothing_for_others(broker: GeneratedBroker, comes: Comes, below: str) -> None:
    front = comes(broker.door("front"), f"doorward/hq/front/{below}", "#", "doorward/hq/back/#")
    centre = comes(broker.centre())
    assert not arrives(front, centre, f"doorward/hq/front/{below}", f"doorward/hq/back/{below}")


@pytest.mark.parametrize("denied", ["cmd/ada/unlock", "ack", "norms/prior", "access/version", "enrol/7/begin"])
def test_a_door_gives_no_commands_and_acknowledges_nothing(broker: GeneratedBroker, comes: Comes, denied: str) -> None:
    centre = comes(broker.centre(), "doorward/#")
    front = comes(broker.door("front"))
    assert not arrives(centre, front, "doorward/hq/front/evt", f"doorward/hq/front/{denied}")


def test_what_speaks_with_browsers_can_neither_say_events_nor_hear_commands(broker: GeneratedBroker, comes: Comes) -> None:
    centre = comes(broker.centre(), "doorward/#")
    media = comes(broker.door("front", "media"), "#", "doorward/hq/front/rtc/#")
    assert not arrives(centre, media, "doorward/hq/front/rtc/7/answer", "doorward/hq/front/evt")
    assert not arrives(media, centre, "doorward/hq/front/rtc/7/offer", "doorward/hq/front/cmd/ada/unlock")


@pytest.mark.parametrize("denied", ["enrol/7/begin", "enrol/7/template"])
def test_a_person_orders_no_enrolment_and_sends_no_template(broker: GeneratedBroker, comes: Comes, denied: str) -> None:
    centre, ada = comes(broker.centre(), "doorward/#"), comes(broker.person("ada"))
    assert not arrives(centre, ada, "doorward/hq/front/cmd/ada/unlock", f"doorward/hq/front/{denied}")


def test_a_door_and_its_media_program_are_there_at_once(broker: GeneratedBroker, comes: Comes) -> None:
    door = comes(broker.door("front"))
    comes(broker.door("front", "media"))
    assert not door.is_out.is_set()


@AT_MOSQUITTO
def test_nobody_takes_the_place_of_a_door_by_its_client_id(broker: GeneratedBroker, comes: Comes) -> None:
    front = comes(broker.door("front"), client_id="doorward-hq-front")
    for address in (broker.door("back"), broker.person("ada")):
        for client_id in ("doorward-hq-front", "hq/front"):
            comes(address, client_id=client_id).leave()
    centre = comes(broker.centre(), "doorward/#")
    front.says("doorward/hq/front/evt", b"still here")
    wait_until(lambda: centre.has_heard("doorward/hq/front/evt", b"still here"), 10, "the door was thrown out")
    assert not front.is_out.is_set()


def test_who_has_no_certificate_or_one_of_another_authority_is_refused(
    broker: GeneratedBroker, comes: Comes, tmp_path: Path
) -> None:
    own = broker.door("front")
    comes(replace(own, cert_file="", key_file=""), is_let_in=False)
    other = type(broker)(tmp_path)
    other.enrol("front")
    comes(replace(other.door("front"), port=own.port, ca_file=own.ca_file), is_let_in=False)


@AT_MOSQUITTO
def test_the_centres_listener_is_for_the_centre_alone(broker: GeneratedBroker, comes: Comes) -> None:
    comes(replace(broker.door("front"), port=broker.centre().port), is_let_in=False)
    comes(replace(broker.person("ada"), port=broker.centre().port), is_let_in=False)
    comes(replace(broker.centre(), port=broker.door("front").port), is_let_in=False)


def test_a_guard_gives_the_commands_of_guards_and_under_their_own_name_only(broker: GeneratedBroker, comes: Comes) -> None:
    centre = comes(broker.centre(), "doorward/#")
    guard = comes(broker.person("ada"))
    for command in COMMANDS["guard"]:
        allowed = f"doorward/hq/front/cmd/ada/{command}"
        assert not arrives(centre, guard, allowed, f"doorward/hq/front/cmd/grace/{command}")
    for command in set(COMMANDS["manager"]) - set(COMMANDS["guard"]):
        assert not arrives(centre, guard, "doorward/hq/back/cmd/ada/unlock", f"doorward/hq/front/cmd/ada/{command}")


def test_an_installer_sees_states_gives_no_commands_and_reads_of_nobody_who_passed(broker: GeneratedBroker, comes: Comes) -> None:
    centre = comes(broker.centre(), "doorward/#")
    installer = comes(broker.person("grace", "installer"), "doorward/#", "doorward/+/+/state/#")
    door = comes(broker.door("front"))
    assert not arrives(installer, door, "doorward/hq/front/state/health", "doorward/hq/front/evt")
    installer.says("doorward/hq/front/cmd/grace/unlock", b"denied")
    assert not arrives(centre, door, "doorward/hq/front/evt", "doorward/hq/front/cmd/grace/unlock")
    assert not centre.has_heard("doorward/hq/front/cmd/grace/unlock", b"denied")


@AT_MOSQUITTO
def test_a_wrong_password_is_refused(broker: GeneratedBroker, comes: Comes) -> None:
    comes(broker.person("ada", password="wrong horse battery staple"), is_let_in=False)
    comes(broker.person("ada"))


def test_a_person_who_is_removed_is_disconnected_at_once(broker: GeneratedBroker, comes: Comes) -> None:
    address = broker.person("mary")
    program = comes(address)
    assert remove_person(broker.site, "mary", now())
    wait_until(program.is_out.is_set, 10, "the program is still connected")
    comes(address, is_let_in=False)


def test_the_centre_connects_as_often_as_it_has_rooms(broker: GeneratedBroker, comes: Comes) -> None:
    rooms = [comes(broker.centre(), client_id=f"doorward-{room}") for room in ("historian", "alerts", "live")]
    assert not any(room.is_out.is_set() for room in rooms)


@AT_MOSQUITTO
def test_a_message_that_is_far_too_long_ends_the_connection(broker: GeneratedBroker, comes: Comes) -> None:
    front = comes(broker.door("front"))
    front.client.publish("doorward/hq/front/evt", b"x" * (2 << 20), qos=1)
    wait_until(front.is_out.is_set, 10, "the broker takes it")


def test_a_manager_finds_the_broker_in_order_and_sees_what_is_wrong_with_it(broker: GeneratedBroker) -> None:
    assert [finding.what for finding in check(broker.site, now()) if not finding.ok] == []
    acl, allowed, too_much = broker.access_file()
    right = acl.read_text()
    acl.write_text(right.replace(allowed, too_much))
    broker.hang_up()
    try:
        wrong = [finding.what for finding in check(broker.site, now()) if not finding.ok]
    finally:
        acl.write_text(right)
        broker.hang_up()
    assert wrong == ["a guard gives none of managers", "a guard gives none under another's name"]


@AT_NATS
def test_who_asks_a_cluster_for_more_than_once_at_most_is_refused_and_sees_it(broker: GeneratedBroker, comes: Comes) -> None:
    """What NATS would promise so falls silent with the next reload; a door says for itself what it misses."""
    front = comes(replace(broker.door("front"), qos=1), "doorward/hq/front/cmd/+/+")
    assert front.granted == [False, False]
    front = comes(broker.door("front"), "doorward/hq/front/cmd/+/+")
    assert front.granted == [True, False]


def test_who_is_connected_hears_on_while_others_are_enrolled(broker: GeneratedBroker, comes: Comes) -> None:
    front, centre = comes(broker.door("front"), "doorward/hq/front/cmd/+/+"), comes(broker.centre(), "doorward/#")
    comes(broker.enrol("side"))
    assert not arrives(centre, front, "doorward/hq/front/evt", "doorward/hq/side/evt")
    assert not arrives(front, centre, "doorward/hq/front/cmd/ada/lock", "doorward/hq/side/cmd/ada/lock")
