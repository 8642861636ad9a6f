"""`doorward door`: the program that owns readers, inputs, lock, rules, decision, journal and the MQTT link."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gpiozero import OutputDevice

from agent import first_use
from agent.advice import advice
from agent.calibration import Calibration, calibration_in_force, threshold_in_force
from agent.clock import Clock, SystemClock
from agent.config import Config, OsdpReader, WiegandReader
from agent.core import door
from agent.core.access import AccessRules
from agent.core.debounce import Debounce
from agent.core.decide import DecisionPolicy
from agent.core.desk import Desk, Wiring
from agent.core.feedback import FeedbackRules, Meaning, signal_for
from agent.core.formats import formats_named
from agent.core.identity import FaceRules
from agent.core.keypad import PinPad
from agent.core.lock_check import LockCheck
from agent.core.pins import PinRules
from agent.core.wiegand import WiegandFramer
from agent.dead_man import DeadMan
from agent.door_hardware import (
    fit_lock,
    listen_to_inputs,
    listen_to_wiegand,
    open_inputs,
    open_other_readers,
    open_signallers,
    open_wiegand,
    opened_relays,
)  # fmt: skip
from agent.door_items import EnrolOver, EnrolWord, Fault, Item, NewRules
from agent.door_loop import DoorLoop, Parts, WiegandPort, run_turns
from agent.enrol_desk import EnrolDesk, EnrolRules
from agent.inbox import Inbox
from agent.link.access import AccessPost
from agent.link.mqtt import Link
from agent.live_desk import LiveDesk
from agent.local_socket import DOOR_SOCKET, VISION_SOCKET, Receiver, Sender
from agent.log_thread import log_by_thread
from agent.notify import notify
from agent.records.bundle import BundleStore, BundleWatch
from agent.records.enrol_word import End, Gate, read
from agent.records.journal import Journal
from agent.records.keys import centre_public, door_private
from agent.records.mode import ModeKeeper, load_mode
from agent.records.norms_post import NormsPost
from agent.records.passback import PassbackKeeper, load_kept
from agent.risk_settings import minute_of, risk_policy
from agent.run_lock import only_one
from agent.safe_state import make_safe
from hw.signals import Signals
from models_tflite.manifest import Manifest, load_manifest

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""How long another thread may keep Python's lock while an edge waits; the default of 5 ms would be most of our budget."""

BEAT_EVERY_S = 1.0


def run_door(config: Config, stopped: Callable[[], bool]) -> int:
    """Run until `stopped`; the relays are in their safe state before the first and after the last line of work. Returns the exit status."""
    clock = SystemClock()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    first_use.ready()
    dead_man = DeadMan.start(lambda: make_safe(config))
    log_by_thread()
    for text in advice(config):
        log.warning("door config advice=%s", text)
    try:
        # After the dead man's fork: the child must not inherit what says that a door program runs here
        with only_one(Path(config.run_folder)), opened_relays(config) as (pins, relays):
            return _guard(config, pins, relays, clock, stopped, dead_man)
    finally:
        dead_man.let_go()


def _guard(
    config: Config, pins: Any, relays: dict[str, OutputDevice], clock: Clock, stopped: Callable[[], bool], dead_man: DeadMan
) -> int:
    """Everything between relays without power and a stopped program. What is opened is closed in the opposite order, lock first."""
    inbox: Inbox[Item] = Inbox()
    with ExitStack() as opened:
        parts, access, start = _open(config, pins, relays, clock, inbox, dead_man, opened)
        loop = DoorLoop(parts, clock, access, load_mode(Path(config.records.folder) / "mode"))
        opened.callback(loop.say_goodbye)
        opened.callback(parts.lock.close)
        opened.callback(notify, "STOPPING=1")
        start()
        loop.announce("door.started", {"mode": loop.state.mode.value, "profile": config.deployment.profile})
        gc.freeze()  # rules and modules live as long as the program: no collector needs to walk them while a fob waits
        notify("READY=1")
        return run_turns(loop, stopped)


def _open(
    config: Config,
    pins: Any,
    relays: dict[str, OutputDevice],
    clock: Clock,
    inbox: Inbox[Item],
    dead_man: DeadMan,
    opened: ExitStack,
) -> tuple[Parts, AccessRules, Callable[[], None]]:
    """Everything that the loop works with, the rules to begin with, and what sets it all listening."""
    folder, run = Path(config.records.folder), Path(config.run_folder)

    def on_fault(what: str) -> Callable[[str], None]:
        return lambda text: inbox.put(Fault(what, text))

    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    policy = decision_policy(config, manifest, calibration_in_force(config, manifest, on_fault("door.fault")))
    journal = Journal(folder, clock)
    opened.callback(journal.close)
    bundles = BundleStore(config, journal)
    link = Link(config, journal, on_command=inbox.put)
    opened.callback(link.close)
    from_vision, to_vision = Receiver(run / DOOR_SOCKET), Sender(run / VISION_SOCKET)
    opened.callback(from_vision.close)
    opened.callback(to_vision.close)
    live = LiveDesk(run) if config.live.enabled else None
    if live is not None:
        opened.callback(live.close)
    lines = open_wiegand(config, pins, inbox.put)
    for pair in lines.values():
        opened.callback(pair.close)
    inputs = open_inputs(config, pins, inbox.put)
    opened.callback(inputs.close)
    readers, feedback = open_other_readers(config), feedback_rules(config)
    signals = Signals(
        open_signallers(config, pins, readers),
        signal_for(Meaning.READY, feedback, clock.wall().astimezone()),
        on_fault("signal.fault"),
    )
    opened.callback(signals.close)
    access = AccessPost(bundles, link, lambda change: inbox.put(NewRules(change.rules, change.withdrawn, change.taken)))
    opened.callback(access.stop)
    link.listen_for_access(access)
    rules = access.begin(bundles.load())
    watch = BundleWatch(bundles, rules, access.newer, on_refused=access.refused)
    opened.callback(watch.stop)
    norms = _norms_post(config, link, on_fault("norms.refused"))
    opened.callback(norms.stop)
    kept, forgotten = load_kept(folder / "passback", config.site, config.door)
    if forgotten:
        inbox.put(Fault("passback.forgotten", forgotten))
    keeper = PassbackKeeper(folder / "passback", config.site, config.door, on_fault("passback.fault"))
    opened.callback(keeper.close)
    # From here on a fail-safe lock holds. Not before: a start that takes long, or fails, leaves its door free
    lock, follow, end_second = fit_lock(config, relays, inbox)
    lock_check = LockCheck(config.lock.settle_s) if "bolt" in config.wired else None
    opened.callback(end_second)
    parts = Parts(
        inbox=inbox, wiegand=_ports(config, lines), pads=_pads(config), debounced=_debounced(config), lock=lock,
        lock_check=lock_check, follow=follow, rules=door_rules(config), policy=policy,
        desk=Desk(_wiring(config), rules, PinRules(tries=config.policy.pin_tries, lockout_s=config.policy.pin_lockout_s), kept),
        keep=keeper.save, signals=signals, feedback=feedback, journal=journal, link=link, from_vision=from_vision, to_vision=to_vision,
        save_mode=ModeKeeper(folder / "mode", on_fault("door.fault")).save, beat=_Beat(clock, dead_man, inbox, inputs.look),
        norms_key=_norms_key(config), access_health=access.health, risk=risk_policy(config.risk),
        emotional_allowed=config.deployment.profile == "standard", live=live,
        enrol=_enrolment(config, manifest, link, to_vision, clock, inbox),
    )  # fmt: skip

    def start() -> None:
        for name, pair in lines.items():
            listen_to_wiegand(name, pair, inbox.put)
            parts.wiegand[name].framer.listening_since(clock.mono_s())
        for reader in readers.values():
            reader.start(inbox.put)
        listen_to_inputs(config, inputs, inbox.put)
        link.start()
        watch.start()
        access.start(watch.look_now)
        norms.start()

    return parts, rules, start


def _ports(config: Config, lines: dict[str, Any]) -> dict[str, WiegandPort]:
    framers = {reader.name: WiegandFramer(reader.name, formats_named(reader.formats, reader.raw_lengths), reader.keypad, reader.pace)
               for reader in config.readers if isinstance(reader, WiegandReader)}  # fmt: skip
    return {name: WiegandPort(framer=framer, heard_until_s=lines[name].heard_until_s) for name, framer in framers.items()}


def _keypads(config: Config) -> frozenset[str]:
    """Readers with keys. An OSDP reader tells by itself whether it has some; where it has none, none are pressed."""
    return frozenset(reader.name for reader in config.readers
                     if isinstance(reader, OsdpReader) or (isinstance(reader, WiegandReader) and reader.keypad != "none"))  # fmt: skip


def _pads(config: Config) -> dict[str, PinPad]:
    return {name: PinPad(config.policy.pin_most_digits, config.policy.pin_pause_s) for name in _keypads(config)}


def _debounced(config: Config) -> dict[str, Debounce]:
    return {name: Debounce(config.inputs.debounce_s) for name in config.wired}


def _norms_key(config: Config) -> bytes:
    """The door's own key, where cardholders who agreed have norms of their own (agent.core.norm_keys)."""
    own = config.behaviour.enabled and config.behaviour.norms == "door_and_cardholders"
    return bytes(door_private(Path(config.records.door_key))) if own else b""


def _norms_post(config: Config, link: Link, refused: Callable[[str], None]) -> NormsPost:
    """Carries norms between vision and the centre, where any are learned."""
    records = config.records
    post = NormsPost(Path(records.folder), config.site, config.door, centre_public(Path(records.centre_key)),
                     bytes(door_private(Path(records.door_key))), link.publish_state, refused)  # fmt: skip
    if config.behaviour.enabled and config.behaviour.norms != "off":
        link.listen_for_norms(post.received)
    return post


def _enrolment(config: Config, manifest: Manifest, link: Link, to_vision: Sender, clock: Clock, inbox: Inbox[Item]) -> EnrolDesk:
    """At this door's camera. Signatures are checked in the link's thread."""
    gate = Gate(centre_public(Path(config.records.centre_key)), config.site, config.door, clock.wall())

    def on_enrol(session: str, what: str, payload: bytes, retained: bool) -> None:
        if what == "begin":
            inbox.put(EnrolWord(gate.admit(session, payload, retained, clock.wall())))
        elif not retained and (end := read(payload, End)) is not None and end.by != "door":
            inbox.put(EnrolOver(session))

    link.listen_for_enrolment(on_enrol)
    rules = EnrolRules(allowed=config.vision.enrol, liveness=config.policy.liveness, embedder_id=manifest.embedder_id)
    return EnrolDesk(rules, door_private(Path(config.records.door_key)), link, to_vision)


def _wiring(config: Config) -> Wiring:
    return Wiring(
        leads={reader.name: reader.leads for reader in config.readers}, keypads=_keypads(config),
        has_contact="contact" in config.wired, has_other_door="interlock" in config.wired,
    )  # fmt: skip


def feedback_rules(config: Config) -> FeedbackRules:
    """How the door tells people."""
    section = config.feedback
    return FeedbackRules(
        language=section.language, sound=section.sound, quiet_sound=section.quiet_sound,
        quiet_from_min=minute_of(section.quiet_from), quiet_until_min=minute_of(section.quiet_until),
    )  # fmt: skip


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
        pulse_s=config.lock.pulse_s, extended_pulse_s=config.lock.extended_pulse_s, pin_wait_s=policy.pin_wait_s,
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
