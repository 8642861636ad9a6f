"""docs/asyncapi.yaml says of every topic what docs/PROTOCOL.md says, and real messages have the form that it gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest
import yaml
from nacl.signing import SigningKey

from agent.clock import SystemClock
from agent.core.commands import NAMES
from agent.core.messages import DoorMode
from agent.link.acks import Ack
from agent.link.session import Address
from agent.media.offers import Bye
from agent.media.offers import Offer as Invitation
from agent.records.access_offer import Offer, signed_offer
from agent.records.enrol_word import Answer, End, Feedback
from agent.updates.order import Order, signed_order
from central.commands import Commander
from tests.json_schema import faults, resolve
from tests.system.brokers import wait_until

ROOT = Path(__file__).parents[1]
DOCUMENT = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text("utf-8"))
PROTOCOL = (ROOT / "docs" / "PROTOCOL.md").read_text("utf-8")
NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
STATES = ("mode", "lock", "contact", "alarm", "risk", "people", "norms", "access", "update", "health")
CHANNELS: dict[str, Any] = DOCUMENT["channels"]
PATTERNS = {
    re.compile(re.sub(r"\\?\{[a-z]+\\?\}", "[^/]+", re.escape(channel["address"]))): name for name, channel in CHANNELS.items()
}


def channel_of(topic: str) -> str:
    """Raises LookupError for a topic that the document does not know, or knows twice."""
    found = [name for pattern, name in PATTERNS.items() if pattern.fullmatch(topic)]
    if len(found) != 1:
        raise LookupError(f"{topic}: {found}")
    return found[0]


def faults_of(topic: str, payload: bytes) -> list[str]:
    """What is wrong with a message, by the document."""
    (message,) = CHANNELS[channel_of(topic)]["messages"].values()
    message = resolve(DOCUMENT, message)
    if message.get("contentType") == "application/octet-stream":
        return []
    return list(faults(DOCUMENT, message["payload"], json.loads(payload)))


def every_ref(node: Any) -> Iterator[str]:
    for key, below in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key == "$ref":
            yield below
        yield from every_ref(below)


def topics_in_protocol() -> set[str]:
    """The table's topics, with `…/part/N` written out and `state/NAME` as one for each name."""
    table = PROTOCOL[: PROTOCOL.index("The door's client id")]
    cells = [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in table.splitlines() if row.startswith("| `")]
    topics = {
        first if topic is first else first.rsplit("/", 1)[0] + topic[1:] for first, *more in cells for topic in (first, *more)
    }
    topics.remove("doorward/SITE/DOOR/state/NAME")
    return {re.sub(r"\b[A-Z]+\b", "*", topic) for topic in topics} | {f"doorward/*/*/state/{name}" for name in STATES}


def test_it_tells_of_the_topics_of_the_contract_and_of_no_others() -> None:
    assert {re.sub(r"\{[a-z]+\}", "*", channel["address"]) for channel in CHANNELS.values()} == topics_in_protocol()


def test_it_is_whole() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    for ref in every_ref(DOCUMENT):
        assert resolve(DOCUMENT, {"$ref": ref}) is not None
    for channel in CHANNELS.values():
        assert set(channel["parameters"]) == set(re.findall(r"\{([a-z]+)\}", channel["address"]))
    used = {operation["channel"]["$ref"].rsplit("/", 1)[1] for operation in DOCUMENT["operations"].values()}
    assert used == set(CHANNELS)


def test_qos_and_retained_are_those_of_the_contract() -> None:
    told = {}
    for operation in DOCUMENT["operations"].values():
        binding = operation["bindings"]["mqtt"]
        address = resolve(DOCUMENT, operation["channel"])["address"]
        told[re.sub(r"\{[a-z]+\}", "*", address)] = (str(binding["qos"]), binding["retain"])
    for row in PROTOCOL[: PROTOCOL.index("The door's client id")].splitlines():
        if row.startswith("| `"):
            topic, _, qos, retained, _ = (cell.strip() for cell in row.split("|")[1:6])
            topic = re.sub(r"\b[A-Z]+\b", "*", re.findall(r"`([^`]+)`", topic)[0]).replace("state/*", "state/mode")
            assert told[topic] == (qos, retained == "yes"), topic


def test_commands_and_modes_are_those_that_doors_know() -> None:
    assert CHANNELS["command"]["parameters"]["command"]["enum"] == list(NAMES)
    assert DOCUMENT["components"]["schemas"]["Mode"]["properties"]["value"]["enum"] == [mode.value for mode in DoorMode]


@pytest.mark.parametrize(("below", "message"), [
    ("ack", Ack("7c479077", [(1, 40), (42, 42)])),
    ("rtc/0123abcd/offer", Invitation(sdp="v=0 and more", who="ada", why="alert 17", issued=NOW, expires=NOW + timedelta(seconds=9))),
    ("enrol/0123abcd/answer", Answer(ok=False, reason="busy", sentence="somebody else is being enrolled")),
    ("enrol/0123abcd/seen", Feedback(fit=True, sentence="good", pose="left", quality=0.8, yaw_deg=20.0, pitch_deg=1.0, left_s=90.0)),
    ("enrol/0123abcd/end", End(by="door", reason="done", sentence="all pictures are there", templates=3)),
    ("rtc/0123abcd/bye", Bye(by="centre", reason="left")),
])  # fmt: skip
def test_what_programs_encode_has_the_form(below: str, message: Any) -> None:
    assert faults_of(f"doorward/hq/front/{below}", msgspec.json.encode(message)) == []


def test_an_offer_of_access_rules_has_the_form() -> None:
    offer = Offer(site="hq", door="front", made=NOW, revision=7)
    assert faults_of("doorward/hq/front/access/version", signed_offer(offer, SigningKey.generate())) == []


def test_an_order_about_an_update_has_the_form() -> None:
    order = Order(site="hq", door="front", kind="rules", serial=7, made=NOW, package=None)
    assert faults_of("doorward/hq/front/update/order/rules", signed_order(order, SigningKey.generate())) == []


def test_the_examples_of_the_contract_have_the_form() -> None:
    """Which topic a JSON example is of, it tells by its fields; what has an ellipsis is no whole message."""
    topics = {"specversion": "evt", "ranges": "ack", "ok": "result/4f9e1c2a", "issued": "cmd/ada/unlock"}
    seen = set()
    for block in re.findall(r"```json\n(.*?)```", PROTOCOL, re.DOTALL):
        if "…" in block:
            continue
        fields = json.loads(block)
        value = fields.get("value")
        state = (
            "norms"
            if isinstance(value, dict) and "kinds" in value
            else "update"
            if isinstance(value, dict) and "rules" in value
            else "access"
            if isinstance(value, dict)
            else ""
        )
        below = f"state/{state}" if state else next(topic for field, topic in topics.items() if field in fields)
        assert faults_of(f"doorward/hq/front/{below}", block.encode()) == [], below
        seen.add(below)
    assert seen == {*topics.values(), "state/norms", "state/access", "state/update"}


@pytest.mark.parametrize(("below", "payload"), [
    ("online", b'"yes"'), ("state/mode", b'{"value": "Open", "at": "2026-03-02T08:30:00Z"}'), ("state/lock", b'{"value": "secured"}'),
    ("state/contact", b'{"value": "open", "at": "today"}'), ("cmd/ada/unlock", b'{"id": "x", "issued": "", "expires": ""}'),
    ("ack", b'{"journal": "aa", "ranges": [[1]]}'), ("evt", b"{}"), ("result/4f9e1c2a", b"[]"),
    ("ack", b'{"journal": "aa", "ranges": [], "more": 1}'), ("enrol/0123abcd/seen", b'{"fit": true, "picture": "AAAA"}'),
])  # fmt: skip
def test_what_has_another_form_is_found_out(below: str, payload: bytes) -> None:
    assert faults_of(f"doorward/hq/front/{below}", payload)


def test_a_topic_that_nobody_documented_is_found_out() -> None:
    with pytest.raises(LookupError):
        channel_of("doorward/hq/front/gossip")


@pytest.mark.system
def test_everything_that_is_said_around_a_real_door_has_the_form(tmp_path: Path) -> None:
    pytest.importorskip("osdp_sys")
    from tests.system.whole_door import UNKNOWN_FOB, WholeDoor

    door, heard = WholeDoor(tmp_path), []
    ear = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    ear.on_message = lambda _client, _user, message: heard.append((message.topic, bytes(message.payload)))
    try:
        door.open()
        ear.connect("127.0.0.1", door.broker.port)
        ear.subscribe("#", 1)
        ear.loop_start()
        door.hold_out_wiegand()
        wait_until(lambda: "access.granted" in door.kinds(), 15, "the owner's fob does not open")
        door.hold_out_wiegand(UNKNOWN_FOB)
        commander = Commander(Address(port=door.broker.port), SystemClock(), "a-program")
        assert commander.give("hq", "front", "ada", "lock", "parcel").ok
        commander.close()
        wait_until(
            lambda: {"access.granted", "access.denied", "command.done"} <= set(door.kinds()), 15, "the door says too little"
        )
    finally:
        ear.loop_stop()
        ear.disconnect()
        door.close()
    wrong = [(topic, fault) for topic, payload in heard if payload for fault in faults_of(topic, payload)]
    assert wrong == []
    assert {"event", "acknowledgement", "online", "mode", "lock", "contact", "alarm", "health", "command", "result"} <= {
        channel_of(topic) for topic, _ in heard
    }
