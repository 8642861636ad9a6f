"""The steps that need no hands: signals, camera, accelerator, broker, clock."""

from __future__ import annotations

import ctypes
import ctypes.util
import socket
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.clock_kernel import kernel_clock
from agent.config import Config
from agent.core.feedback import FeedbackRules, Meaning, signal_for
from agent.door_hardware import open_signallers
from agent.errors import DoorwardError
from agent.link.trial import shake_hands
from agent.selftest.hands import Hands
from agent.selftest.judge_machine import (
    AcceleratorSeen,
    BrokerSeen,
    CameraSeen,
    ClockSeen,
    judge_accelerator,
    judge_broker,
    judge_camera,
    judge_clock,
)  # fmt: skip
from agent.selftest.result import Fault, Judged
from agent.selftest.step_news import opened_signallers
from hw.camera_names import public_name

if TYPE_CHECKING:
    from hw.interfaces import Signaller

WATCH_S = 3.0
WARM_UP_S = 1.0
"""A camera's first pictures are dark until its exposure has settled."""
CONNECT_S = 5.0


# -- signals -------------------------------------------------------------------------------------------------------------------


SHOWN = (Meaning.LOOK_AT_CAMERA, Meaning.GRANTED, Meaning.DENIED, Meaning.READY)
"""READY comes last: an OSDP reader goes on showing what it was told last."""


def try_signals(hands: Hands) -> Judged:
    """Each meaning is shown for as long as it takes to see and hear it, by lamps and by the readers' own lights and beepers."""
    try:
        with opened_signallers(hands) as (readers, away):
            parts = open_signallers(hands.config, hands.bench.pins, readers)
            try:
                _show_all(hands, parts)
            finally:
                for part in parts.values():
                    part.close()
    except DoorwardError as error:
        return Judged(faults=(Fault(what=str(error)),))
    others = [name for name in parts if name not in readers]
    question = "Four different signals were shown. Did you see and hear all of them?"
    seen = hands.installer.confirm("signals", question) if others else None
    return judge_signals(others, seen, {name: _ask_of(hands, name) for name in readers}, away)


def _show_all(hands: Hands, parts: dict[str, Signaller]) -> None:
    rules = FeedbackRules(language=hands.config.feedback.language)
    for meaning in SHOWN if parts else ():
        hands.installer.do("signals", f"Look and listen: {meaning.value.replace('_', ' ')}.")
        for part in parts.values():
            part.show(signal_for(meaning, rules, datetime.now().astimezone()))
        time.sleep(2.0)


def _ask_of(hands: Hands, name: str) -> bool | None:
    return hands.installer.confirm("signals", f"Did {name} itself light up and beep each time, the last time without a beep?")


def judge_signals(parts: list[str], seen: bool | None, readers: dict[str, bool | None], away: tuple[str, ...]) -> Judged:
    """Pure. `seen` is of lamps, buzzer and display together, `readers` of each reader's own light and beeper."""
    faults = (
        *((_dark_part(", ".join(parts)),) if parts and seen is False else ()),
        *(_dark_reader(name) for name, shown in readers.items() if shown is False),
        *(_unreached(name) for name in away),
    )
    names = ", ".join([*parts, *readers])
    if faults:
        return Judged(faults=faults)
    if None in (*readers.values(), *((seen,) if parts else ())):
        return Judged(said=f"shown on {names}; nobody said whether they were seen", unsure=True)
    return Judged(said=f"seen and heard on {names}")


def _dark_part(names: str) -> Fault:
    return Fault(
        what=f"not everything was seen and heard on {names}",
        likely="a lamp the wrong way round, a line without its transistor, or another pin",
        mend=(
            "which one stayed dark? Its wire, its polarity, its pin in [feedback]; active_high = false for boards that "
            "switch on when low"
        ),
    )


def _dark_reader(name: str) -> Fault:
    return Fault(
        what=f"{name} is met on its line, and did not show or sound everything",
        likely="no wire: it has no such light or beeper, or its own settings keep them to itself",
        mend="in the reader's settings let the panel rule light and sounder; is the beeper muted by a switch inside?",
    )


def _unreached(name: str) -> Fault:
    return Fault(
        what=f"reader {name} could not be told to show anything",
        likely="it does not answer on its line",
        mend="doorward selftest --only reader says why",
    )


# -- camera --------------------------------------------------------------------------------------------------------------------


def try_camera(hands: Hands) -> tuple[Judged, bytes]:
    """A few seconds of pictures; the last one as JPEG."""
    vision = hands.config.vision
    hands.installer.do("camera", "Stand about a metre before the camera, where people hold out their fobs.")
    try:
        from agent.selftest.pictures import look
    except ImportError as error:
        return judge_camera(
            CameraSeen(
                camera=public_name(vision.camera), error=f"pictures cannot be read: {error}: pip install 'doorward[vision]'"
            )
        ), b""
    try:
        seen, jpeg = look(vision, WARM_UP_S, WATCH_S)
    except DoorwardError as error:
        return judge_camera(CameraSeen(camera=public_name(vision.camera), error=str(error))), b""
    return judge_camera(seen), jpeg


# -- accelerator ---------------------------------------------------------------------------------------------------------------


def try_accelerator(config: Config) -> Judged:
    """Every network that this door may open is loaded, and one of them run."""
    usb, pcie, library = edge_tpu_on_usb(Path("/sys/bus/usb/devices")), Path("/dev/apex_0").exists(), edge_tpu_library()
    try:
        from agent.selftest.networks import run_networks
    except ImportError as error:
        missing = f"no network can be run: {error}: pip install 'doorward[vision]'"
        return judge_accelerator(AcceleratorSeen(wanted=config.vision.engine, error=missing, usb=usb, pcie=pcie, library=library))
    ran = run_networks(config)
    return judge_accelerator(AcceleratorSeen(
        wanted=config.vision.engine, error=ran.error, running=ran.engine, described=ran.described, degraded=ran.degraded,
        embed_ms=ran.embed_ms, usb=usb, pcie=pcie, library=library,
    ))  # fmt: skip


def edge_tpu_on_usb(devices: Path) -> str:
    """`vendor:product` of a Coral accelerator, or nothing."""
    for vendor in sorted(devices.glob("*/idVendor")):
        found = f"{vendor.read_text().strip()}:{vendor.with_name('idProduct').read_text().strip()}"
        if found in ("1a6e:089a", "18d1:9302"):
            return found
    return ""


def edge_tpu_library() -> bool:
    try:
        ctypes.CDLL("libedgetpu.so.1")
    except OSError:
        return False
    return True


# -- broker --------------------------------------------------------------------------------------------------------------------


def try_broker(config: Config) -> Judged:
    """A connection as the door makes one, under a name of its own, and a question for the door's own commands."""
    link = config.link
    seen = {"host": link.host, "port": link.port, "tls": bool(link.ca_file), "user": link.user}
    failed_at, error = reach(link.host, link.port)
    days = None
    if not failed_at and link.ca_file:
        failed_at, error, days = shake_hands(link)
    round_trip_ms = 0.0
    if not failed_at:
        failed_at, error, round_trip_ms = ask_broker(config)
    return judge_broker(BrokerSeen(**seen, failed_at=failed_at, error=error, round_trip_ms=round_trip_ms, expires_in_days=days))  # type: ignore[arg-type]


def reach(host: str, port: int) -> tuple[str, str]:
    """Where it failed ('', 'name', 'tcp') and how."""
    try:
        with socket.create_connection((host, port), CONNECT_S):
            return "", ""
    except socket.gaierror as error:
        return "name", f"its address cannot be found: {error.strerror}"
    except OSError as error:
        return "tcp", f"cannot be reached: {error.strerror or error}"


def ask_broker(config: Config) -> tuple[str, str, float]:
    """Connect, subscribe to the door's own commands, and leave: where that failed and how, and milliseconds of the subscription.

    Mosquitto says yes to every subscription and keeps the messages back; other brokers refuse what their rights do not allow.
    """
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    answered = threading.Event()
    outcome: dict[str, Any] = {"at": "mqtt", "error": f"no answer to CONNECT within {CONNECT_S:g} s", "ms": 0.0}
    link, sent = config.link, {"s": 0.0}
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"doorward-{config.site}-{config.door}-selftest")

    def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            outcome["error"] = f"refused: {reason}"
            answered.set()
            return
        outcome.update(at="rights", error="does not answer a subscription")
        sent["s"] = time.monotonic()
        client.subscribe(f"doorward/{config.site}/{config.door}/cmd/+/+", 1)

    def subscribed(_client: Any, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        refused = [reason for reason in reasons if reason.is_failure]
        outcome.update(at="rights" if refused else "", error=f"subscription refused: {refused[0]}" if refused else "",
                       ms=1000 * (time.monotonic() - sent["s"]))  # fmt: skip
        answered.set()

    client.on_connect, client.on_subscribe = connected, subscribed
    try:
        _identify(client, link)
        client.connect(link.host, link.port, keepalive=15)
        client.loop_start()
        answered.wait(CONNECT_S)
    except (OSError, ValueError) as error:
        outcome.update(at="mqtt", error=str(error))
    finally:
        client.disconnect()
        client.loop_stop()
    return outcome["at"], outcome["error"], outcome["ms"]


def _identify(client: Any, link: Any) -> None:
    """Raises OSError for files that are not there."""
    if link.user:
        password = Path(link.password_file).read_text("utf-8").strip() if link.password_file else None
        client.username_pw_set(link.user, password)
    if link.ca_file:
        client.tls_set(ca_certs=link.ca_file, certfile=link.cert_file or None, keyfile=link.key_file or None)


# -- clock ---------------------------------------------------------------------------------------------------------------------


def try_clock() -> Judged:
    synchronised, error_s = kernel_clock()
    return judge_clock(
        ClockSeen(
            synchronised=synchronised, error_s=error_s, year=datetime.now(timezone.utc).year, battery=Path("/dev/rtc0").exists()
        )
    )
