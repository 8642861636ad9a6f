"""From a door's word to the push service: how soon an alert has left the house."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import Engine, insert

from agent.clock import SystemClock
from agent.core.messages import Event
from agent.errors import DoorwardError
from agent.link.cloudevents import to_cloudevent
from agent.link.session import Address
from central.alerts import store
from central.alerts.desk import AlertDesk
from central.alerts.store import Device
from central.alerts.vapid import ensure_vapid, load_vapid
from central.database.engine import writing
from central.database.opening import open_to_write
from central.database.tables_accounts import ACCOUNTS
from central.gateway.audit import AuditLog
from central.history.historian import Historian
from central.settings import Alerts
from demo.stage import StageOptions
from tools.bench.figures import Figure, Section, Setting, median, percentile
from tools.bench.site import site
from tools.push_service import PushService

ALERTS, DEVICES = 200, 3
ARRIVES_MS = 1000.0
WAIT_S = 30.0


class NoDoors:
    """Doors' states are not measured here."""

    is_connected = False

    def snapshot(self) -> list[Any]:
        return []


def alerts(setting: Setting) -> Section:
    """A forced door at a time, each at a door of its own, through a real Mosquitto, the historian, the desk and three devices' pushes."""
    options = StageOptions(mosquitto=True)
    with site(setting, "alerts", options) as stage, PushService().running() as service:
        stage.start("broker")
        with _centre(setting.folder, stage.port, service) as door:
            samples = [_alert_ms(door, service, number) for number in range(setting.repeats(ALERTS))]
    return Section(
        name="alerts", title="From a door to the push service",
        how=f"{len(samples)} doors are forced one after the other. Counted from the door's publish, through Mosquitto on loopback, the "
            "historian's commit (SQLite, synchronous=FULL) and the alert desk's, until a push service on loopback has checked its key "
            f"and decrypted the push of the last of a guard's {DEVICES} devices. A maker's own service adds the internet and its own time.",
        figures=(
            Figure(what="door to push service, median", value=median(samples), unit="ms"),
            Figure(what="door to push service, 95 of 100", value=percentile(samples, 0.95), unit="ms", most=ARRIVES_MS),
            Figure(what="door to push service, slowest", value=max(samples), unit="ms"),
        ),
        samples={"alerts": tuple(samples)},
    )  # fmt: skip


@contextmanager
def _centre(folder: Path, port: int, service: PushService) -> Iterator[mqtt.Client]:
    """Historian and desk, and the client of doors."""
    engine, clock = open_to_write(folder / "alerts.db"), SystemClock()
    _guard(engine, service)
    vapid = load_vapid(ensure_vapid(folder), "mailto:doors@example.org")
    desk = AlertDesk(engine, Alerts(push_loopback=True), clock, AuditLog(engine, clock), NoDoors(), vapid)
    historian = Historian(Address(port=port), engine, clock, on_commit=lambda told, outcome: desk.wake())
    door = mqtt.Client(CallbackAPIVersion.VERSION2)
    door.connect("127.0.0.1", port)
    try:
        desk.start()
        historian.start()
        door.loop_start()
        _until(lambda: historian.is_connected and door.is_connected(), "the broker does not answer")
        yield door
    finally:
        door.disconnect()
        door.loop_stop()
        historian.stop()
        desk.stop()
        engine.dispose()


def _guard(engine: Engine, service: PushService) -> None:
    now = datetime.now(timezone.utc)
    with writing(engine) as db:
        db.execute(insert(ACCOUNTS).values(name="guard-1", shown="guard-1", role="guard", sites=[], password="", totp="", totp_step=0,
                                           disabled=False, made=now, changed=now))  # fmt: skip
        for number in range(DEVICES):
            told = service.subscription(f"device-{number}")
            store.add_device(db, Device(id=0, account="guard-1", endpoint=told["endpoint"], **told["keys"]), now)


def _alert_ms(door: mqtt.Client, service: PushService, number: int) -> float:
    event = Event(sequence=1, journal="bench", id=str(uuid.uuid4()), kind="door.forced", at=datetime.now(timezone.utc), mono_s=0.0,
                  data={"mode": "Locked"})  # fmt: skip
    before, name = len(service.got), f"door-{number}"
    begun_s = time.monotonic()
    door.publish(f"doorward/hq/{name}/evt", to_cloudevent(event, "hq", name), qos=1)
    _until(lambda: len(service.got) >= before + DEVICES, f"no alert of {name}: {service.unfit[:1]}")
    return 1000 * (service.got[-1].at_s - begun_s)


def _until(is_so: Any, trouble: str) -> None:
    until_s = time.monotonic() + WAIT_S
    while not is_so():
        if time.monotonic() > until_s:
            raise DoorwardError(f"alerts: after {WAIT_S:g} s: {trouble}")
        time.sleep(0.002)
