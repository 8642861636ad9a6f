"""`doorward door`: the program that owns readers, inputs, lock, rules, decision, journal and the MQTT link."""

from __future__ import annotations

import fcntl
import gc
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpiozero import OutputDevice

from agent.calibration import Calibration, calibration_in_force, threshold_in_force
from agent.clock import Clock, SystemClock
from agent.config import Config, WiegandReader
from agent.core import door
from agent.core.credentials import FORMATS, WiegandFramer
from agent.core.debounce import Debounce
from agent.core.decide import DecisionPolicy
from agent.core.identity import FaceRules
from agent.dead_man import DeadMan
from agent.door_items import Edge, EdgesLost, Fault, InputEdge, Item, NewRules
from agent.door_loop import DoorLoop, Parts, run_turns
from agent.errors import ConfigError, HardwareError
from agent.inbox import Inbox
from agent.link.mqtt import Link
from agent.local_socket import DOOR_SOCKET, VISION_SOCKET, Receiver, Sender
from agent.log_thread import log_by_thread
from agent.notify import notify
from agent.records.bundle import BundleStore, BundleWatch
from agent.records.journal import Journal
from agent.records.mode import ModeKeeper, load_mode
from agent.safe_state import make_safe
from hw.board import open_pins
from hw.inputs_gpio import GpioInputs
from hw.lock_gpio import RelayLock
from hw.reader_wiegand import GpioWiegandLines
from models_tflite.manifest import Manifest, load_manifest

if TYPE_CHECKING:
    from hw.interfaces import WiegandLines

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""How long another thread may keep Python's lock while an edge waits; the default of 5 ms would be most of our budget."""

BEAT_EVERY_S = 1.0


def run_door(config: Config, stopped: Callable[[], bool]) -> int:
    """Run until `stopped`; the relay is in its safe state before the first and after the last line of work. Returns the exit status."""
    clock = SystemClock()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    dead_man = DeadMan.start(lambda: make_safe(config))
    log_by_thread()
    try:
        with _alone(Path(config.run_folder)):
            pins = open_pins(config.board.pins, config.board.rig)
            relay = open_relay(config, pins)
            try:
                return _guard(config, pins, relay, clock, stopped, dead_man)
            finally:
                if not relay.closed:
                    relay.off()
                    relay.close()
                pins.close()
                log.info("door stopped lock=unpowered")
    finally:
        dead_man.let_go()


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """One door program for a run folder, before any pin is touched: some drivers let a second one take a lock's pin from the first.

    Raises ConfigError. Entered after the dead man's fork, so that the lock ends with this process and not with its child.
    """
    try:
        file = (run / "door.lock").open("w")
    except OSError as error:
        raise ConfigError(f"{run}: cannot be written: {error}; `run_folder` must be a folder this user may write") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"{run}: another door program runs here; stop it or use another `run_folder`") from error
        yield


def open_relay(config: Config, pins: Any) -> OutputDevice:
    """The relay's pin. Opening it already puts it into its safe state: no power on the coil. Raises HardwareError."""
    try:
        return OutputDevice(
            config.lock.relay_pin, active_high=config.lock.relay_active_high, initial_value=False, pin_factory=pins
        )
    except Exception as error:  # gpiozero's back ends raise errors of their own kinds
        raise HardwareError(f"lock.relay_pin: pin {config.lock.relay_pin} cannot be driven: {error}; who else has it?") from error


def _guard(config: Config, pins: Any, relay: OutputDevice, clock: Clock, stopped: Callable[[], bool], dead_man: DeadMan) -> int:
    """Everything between a relay without power and a stopped program."""
    folder = Path(config.records.folder)
    inbox: Inbox[Item] = Inbox()
    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    policy = decision_policy(
        config, manifest, calibration_in_force(config, manifest, lambda text: inbox.put(Fault("door.fault", text)))
    )
    journal = Journal(folder, clock)
    bundles = BundleStore(config, journal)
    link = Link(config, journal, on_command=inbox.put)
    run = Path(config.run_folder)
    names = config.inputs.wired()
    wiegand = [reader for reader in config.readers if isinstance(reader, WiegandReader)]
    lines = {reader.name: GpioWiegandLines(reader.d0_pin, reader.d1_pin, pins) for reader in wiegand}
    inputs = GpioInputs(names, pins)
    rules = bundles.load()
    mode = ModeKeeper(folder / "mode", lambda text: inbox.put(Fault("door.fault", text)))
    # From here on a fail-safe lock holds. Not before: a start that takes long, or fails, leaves its door free
    lock = RelayLock(relay, config.lock.fail, lambda text: inbox.put(Fault("lock.fault", text)))
    parts = Parts(
        inbox=inbox, framers={reader.name: WiegandFramer(reader.name, tuple(FORMATS[f] for f in reader.formats)) for reader in wiegand},
        debounced={name: Debounce(config.inputs.debounce_s) for name in names}, lock=lock, rules=door_rules(config),
        policy=policy, journal=journal, link=link,
        from_vision=Receiver(run / DOOR_SOCKET), to_vision=Sender(run / VISION_SOCKET),
        save_mode=mode.save, beat=_Beat(clock, dead_man, inbox, inputs.look),
    )  # fmt: skip
    loop = DoorLoop(parts, clock, rules, load_mode(folder / "mode"))
    watch = BundleWatch(bundles, rules, lambda rules: inbox.put(NewRules(rules)))
    for name, pair in lines.items():
        _listen(pair, name, parts, clock)
    inputs.start(lambda name, active, at_s: inbox.put(InputEdge(name, active, at_s)))
    link.start()
    watch.start()
    loop.announce("door.started", {"mode": loop.state.mode.value, "profile": config.deployment.profile})
    gc.freeze()  # rules and modules live as long as the program: no collector needs to walk them while a fob waits
    notify("READY=1")
    try:
        return run_turns(loop, stopped)
    finally:
        lock.close()
        notify("STOPPING=1")
        loop.announce("door.stopped", {"mode": loop.state.mode.value})
        for pair in lines.values():
            pair.close()
        inputs.close()
        watch.stop()
        link.close()
        journal.close()
        parts.from_vision.close()
        parts.to_vision.close()


def _listen(lines: WiegandLines, reader: str, parts: Parts, clock: Clock) -> None:
    put = parts.inbox.put
    lines.start(lambda bit, at_s: put(Edge(reader, bit, at_s)), lambda at_s: put(EdgesLost(reader, at_s)))
    parts.framers[reader].listening_since(clock.mono_s())


def door_rules(config: Config) -> door.DoorRules:
    """What the state machine needs to know of the configuration."""
    timing = config.timing
    return door.DoorRules(
        held_open_s=timing.held_open_s, rex_pulse_s=timing.rex_pulse_s, relock_on_open=timing.relock_on_open,
        fire_releases=config.lock.fail == "safe", warn_before_s=timing.warn_before_s, extended_held_open_s=timing.extended_held_open_s,
        propped_s=timing.propped_s,
    )  # fmt: skip


def decision_policy(config: Config, manifest: Manifest, calibration: Calibration | None = None) -> DecisionPolicy:
    """The policy with the threshold that stands for its false match rate. A calibration in force can only raise it."""
    policy = config.policy
    threshold = threshold_in_force(config, manifest, calibration)
    face = FaceRules(threshold=threshold, fmr=policy.fmr, embedder_id=manifest.embedder_id, min_face_px=policy.min_face_px,
                     min_quality=policy.min_quality)  # fmt: skip
    return DecisionPolicy(
        face=face, face_wait_s=policy.face_wait_s, mismatch_wait_s=policy.mismatch_wait_s, vision_wait_s=policy.vision_wait_s,
        without_vision=policy.without_vision, without_template=policy.without_template, liveness=policy.liveness,
        pulse_s=config.lock.pulse_s, extended_pulse_s=config.lock.extended_pulse_s,
    )  # fmt: skip


class _Beat:
    """Once a second: tells the supervisor that the loop turns, looks at the inputs and whether the dead man still watches."""

    def __init__(self, clock: Clock, dead_man: DeadMan, inbox: Inbox[Item], look: Callable[[], None]) -> None:
        self._clock, self._dead_man, self._inbox, self._look = clock, dead_man, inbox, look
        self._due_s = 0.0
        self._missed = False

    def __call__(self) -> None:
        now_s = self._clock.mono_s()
        if now_s < self._due_s:
            return
        self._due_s = now_s + BEAT_EVERY_S
        notify("WATCHDOG=1")
        self._look()
        if not self._missed and not self._dead_man.alive:
            self._missed = True
            self._inbox.put(Fault("door.fault", "the dead man's process ended: a crash now leaves the relay to systemd's helper"))
