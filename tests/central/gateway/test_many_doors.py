"""The book of doors at a real broker that holds more retained states than it queues for anybody."""

from __future__ import annotations

import shutil
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from agent.clock import SystemClock
from agent.link.session import Address
from central.gateway.door_book import DoorBook, DoorNow
from tests.system.brokers import Process, free_port, wait_until

pytestmark = pytest.mark.system
DOORS, QUEUED = 400, 50


def test_every_door_stands_in_the_book_however_few_messages_the_broker_queues(tmp_path: Path) -> None:
    port, config = free_port(), tmp_path / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages {QUEUED}\nmax_queued_messages {QUEUED}\n"
    )
    mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert mosquitto, "this test needs a real Mosquitto: apt-get install mosquitto"
    broker, book = Process([mosquitto, "-c", str(config)], tmp_path / "log"), DoorBook(Address(port=port), SystemClock())
    broker.start()
    try:
        _say_all(port)
        book.start()
        wait_until(lambda: sum(map(_stands, book.snapshot())) == DOORS, 15.0, "not all doors stand in the book as they are")
    finally:
        book.stop()
        broker.kill()


def _stands(now: DoorNow) -> bool:
    return now.online and now.states == {"lock": "secured"}


def _say_all(port: int) -> None:
    """Of all doors, with QoS 1 as doors say it."""
    client = paho.Client(CallbackAPIVersion.VERSION2, "doors")
    wait_until(lambda: _connects(client, port), 10.0, "the broker does not listen")
    client.loop_start()
    said = [
        client.publish(f"doorward/hq/door-{number}/{name}", payload, qos=1, retain=True)
        for number in range(DOORS)
        for name, payload in (("state/lock", b'{"value": "secured"}'), ("online", b"true"))
    ]
    for each in said:
        each.wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def _connects(client: paho.Client, port: int) -> bool:
    try:
        return client.connect("127.0.0.1", port) == paho.MQTT_ERR_SUCCESS
    except OSError:
        return False
