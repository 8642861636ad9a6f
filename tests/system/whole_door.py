"""A whole door for the system test: broker, historian and `doorward door` as processes, with something real on every wire.

The pins end at a rig, the RDM6300's line at a pty, the OSDP line at libosdp's own peripheral on a pty with a Secure Channel key of its own.
"""

from __future__ import annotations

import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt

from agent.core.access import AccessProfile, AccessRules, Interval, Schedule
from agent.core.people import Cardholder, Credential, Roll
from agent.core.rdm6300 import LYING_S
from agent.records.keys import centre_private, door_public, make_centre_keys, make_door_keys
from agent.records.osdp_key import make_key, save_osdp_key
from central.access.bundles import write_bundle
from central.database.engine import StoreError
from central.database.opening import opened_to_read
from central.history.events import EventStore
from hw.rig import Rig
from tests.core.vectors import RDM6300, WIEGAND_26
from tests.hw.osdp_far_end import FarEnd
from tests.hw.pty_line import PtyLine
from tests.system.brokers import Broker, Process, wait_until

D0, D1, RELAY, CONTACT, REX, SECOND, BOLT = 17, 27, 22, 23, 24, 16, 5
RED, GREEN, AMBER, BLUE, BUZZER = 6, 13, 19, 26, 12
RESTING = {D0: True, D1: True, CONTACT: False, REX: True, BOLT: False}
ADDRESS = 5

OWNER_FOB, KEY_FOB, UNKNOWN_FOB = (row["raw_bits"] for row in WIEGAND_26[:3])
TAG = next(row for row in RDM6300 if row["xor_check"] == "xor_ok")
PIN = "86420975"
"""Long, so that it stands nowhere by chance."""

ALWAYS = Schedule(id="always", zone="Europe/Berlin", intervals=(Interval(days=tuple(range(7)), from_min=0, until_min=1440),))
PROFILES = {
    "staff": AccessProfile(id="staff", doors=("front",), schedule="always"),
    "vault": AccessProfile(id="vault", doors=("front",), schedule="always", factors="credential_and_pin"),
}


def key_of(bits: str) -> str:
    """The name of a fob of format H10301."""
    return f"H10301:{int(bits[1:9], 2)}:{int(bits[9:25], 2)}"


def tag_key() -> str:
    tag = bytes.fromhex(TAG["tag_hex"])
    return f"EM4100:{tag[0]}:{int.from_bytes(tag[1:], 'big')}"


PEOPLE = Roll(
    [Cardholder(id="owner", profiles=("staff",)), Cardholder(id="treasurer", profiles=("vault",), pin=PIN)],
    [Credential(key=key_of(OWNER_FOB), cardholder="owner"), Credential(key=tag_key(), cardholder="owner"),
     Credential(key=key_of(KEY_FOB), cardholder="treasurer")],
)  # fmt: skip
"""Nobody has a template: no vision program runs here."""


class WholeDoor:
    """`open`, play, `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rig = Rig(str(folder / "rig.sock"), RESTING)
        self.bolt_sticks = False
        self.tag_reader = PtyLine(folder / "tag-reader")
        make_centre_keys(folder)
        make_door_keys(folder)
        self._bundle()
        key = make_key()
        save_osdp_key(folder / "osdp.key", "inner", key, folder / "door.key")
        self.osdp = FarEnd(folder / "osdp-reader", key, ADDRESS)
        self.broker = Broker("mosquitto", folder)
        (folder / "door.toml").write_text(_toml(folder, self.broker.port), "utf-8")
        program = [sys.executable, "-m", "agent.cli"]
        self._database = folder / "historian.db"
        central = [*program, "central", "run", "--port", str(self.broker.port), "--database", str(self._database)]
        self.central = Process(central, folder / "central.log")
        self.door = Process([*program, "door", "--config", str(folder / "door.toml")], folder / "door.log")
        self.heard: dict[str, Any] = {}
        """Newest message of each topic at the broker."""
        self.sent: list[dict[str, Any]] = []
        """Events at the broker, as often as they came."""
        self._ear = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._over = threading.Event()
        self._bolt = threading.Thread(target=self._follow_relay, name="bolt", daemon=True)

    def _bundle(self) -> None:
        folder = self.folder
        rules = AccessRules(version=1, site="hq", door="front", people=PEOPLE, profiles=PROFILES, schedules={"always": ALWAYS})
        write_bundle(folder / "access.bundle", rules, PEOPLE, centre_private(folder / "centre.key"), door_public(folder / "door.pub"),
                     datetime.now(timezone.utc))  # fmt: skip

    def open(self) -> None:
        self._bolt.start()
        self.broker.start()
        self._ear.on_message = self._hear
        self._ear.on_connect = lambda client, *_: client.subscribe("doorward/hq/front/#", 1)
        self._ear.connect("127.0.0.1", self.broker.port)
        self._ear.loop_start()
        self.central.start()
        self.start_door()

    def start_door(self) -> None:
        """Start it and wait until every reader is there."""
        before = len(self.kinds("door.started"))
        self.door.start()
        wait_until(lambda: len(self.kinds("door.started")) > before, 15, "the door does not start")
        self.wait_for_reader("serial", online=True)
        self.wait_for_reader("inner", online=True)

    def close(self) -> None:
        self._over.set()
        self._ear.loop_stop()
        self.door.kill()
        self.central.kill()
        self.broker.kill()
        self.osdp.close()
        self.tag_reader.close()
        self.rig.close()

    # -- what is heard

    def _hear(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        name = message.topic.removeprefix("doorward/hq/front/")
        told = msgspec.json.decode(message.payload)
        self.heard[name] = told
        if name == "evt":
            self.sent.append(told)

    def state(self, name: str) -> Any:
        return self.heard.get(f"state/{name}", {}).get("value")

    def stored(self) -> list[tuple[str, dict[str, Any]]]:
        """Every event that the historian has committed: its kind and what it says."""
        try:
            with opened_to_read(self._database) as engine:
                return [(kept.told.event.kind, kept.told.event.data) for kept in EventStore(engine).events()]
        except StoreError:  # it has not made its database yet
            return []

    def kinds(self, prefix: str = "") -> list[str]:
        return [kind for kind, _ in self.stored() if kind.startswith(prefix)]

    def gaps_and_conflicts(self) -> list[Any]:
        """What the historian lacks, or has twice with different contents."""
        with opened_to_read(self._database) as engine:
            return [*EventStore(engine).gaps(), *EventStore(engine).conflicts()]

    def wait_for(self, kind: str, known: int, **said: Any) -> dict[str, Any]:
        """The next event of a kind behind the first `known` events, in the historian's database."""
        found: list[dict[str, Any]] = []

        def came() -> bool:
            found[:] = [data for told, data in self.stored()[known:] if told == kind and said.items() <= data.items()]
            return bool(found)

        wait_until(came, 15, f"no event {kind} {said}; see {self.folder / 'door.log'}")
        return found[0]

    def wait_for_reader(self, name: str, online: bool) -> None:
        wait_until(lambda: self._online(name) is online, 15, f"reader {name} does not become online={online}")

    def _online(self, name: str) -> bool | None:
        """What this start of the door said last; None while it has not."""
        online: bool | None = None
        for kind, data in self.stored():
            if kind == "door.started":
                online = None
            elif kind == "reader.status" and data["reader"] == name:
                online = data["online"]
        return online

    # -- what is done

    def _follow_relay(self) -> None:
        """The lock's own contact: it closes when the bolt holds."""
        while not self._over.wait(0.005):
            released = bool(self.rig.level(RELAY)) and not self.bolt_sticks
            if released != self._bolt_released:
                self._bolt_released = released
                self.rig.set(BOLT, released)

    _bolt_released = False

    def hold_out_wiegand(self, bits: str = OWNER_FOB) -> None:
        self.rig.wiegand(bits, D0, D1)

    def hold_out_tag(self) -> None:
        """A tag that is held out again so soon would be one that still lies there."""
        time.sleep(LYING_S + 0.1)
        self.tag_reader.send(bytes.fromhex(TAG["frame_hex"]))

    def hold_out_osdp(self, bits: str = OWNER_FOB) -> None:
        self.osdp.card(bits)

    def type(self, keys: str) -> None:
        """Keys as bursts of four bits, as a person types them."""
        for key in keys:
            self.rig.wiegand(f"{'0123456789*#'.index(key):04b}", D0, D1)
            time.sleep(0.2)

    def opens(self, hold_out: Any) -> dict[str, Any]:
        """Hold something out; the lock lets go and holds again. Returns the decision as the historian has it."""
        known, before = len(self.stored()), len(self.rig.outputs)
        hold_out()
        assert self.rig.wait_for(lambda outputs: any(o.pin == RELAY and o.high for o in outputs[before:]), 10)
        assert self.rig.wait_for(lambda outputs: self.rig.level(RELAY) is False, 10)
        return self.wait_for("access.granted", known)


def _toml(folder: Path, port: int) -> str:
    dev = f"/dev/..{folder}"  # a device is a path under /dev
    return f"""\
site = "hq"
door = "front"
run_folder = "{folder}"

[board]
pins = "sim"
rig = "{folder}/rig.sock"

[[readers]]
kind = "wiegand"
name = "front"
d0_pin = {D0}
d1_pin = {D1}
keypad = "4-bit"

[[readers]]
kind = "serial"
name = "serial"
device = "{dev}/tag-reader"
protocol = "rdm6300"

[[readers]]
kind = "osdp"
name = "inner"
leads = "out"
device = "{dev}/osdp-reader"
address = {ADDRESS}
key_file = "{folder}/osdp.key"

[lock]
relay_pin = {RELAY}
pulse_s = 0.8
settle_s = 0.3
second_pin = {SECOND}
second_role = "alarm"

[inputs]
contact_pin = {CONTACT}
rex_pin = {REX}
bolt_pin = {BOLT}

[feedback]
red_pin = {RED}
green_pin = {GREEN}
amber_pin = {AMBER}
blue_pin = {BLUE}
buzzer_pin = {BUZZER}

[policy]
without_template = "fob_alone"
liveness = "off"

[records]
folder = "{folder}/records"
bundle = "{folder}/access.bundle"
centre_key = "{folder}/centre.pub"
door_key = "{folder}/door.key"

[link]
port = {port}
ack_timeout_s = 1.0
"""
