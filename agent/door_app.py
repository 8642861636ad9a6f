"""`doorward door`: the program that owns readers, inputs, lock, rules, decision, journal and the MQTT link."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gpiozero import OutputDevice
from msgspec.structs import asdict

from agent import first_use
from agent.advice import advice
from agent.calibration import Calibration, calibration_in_force, threshold_in_force
from agent.clock import Clock
from agent.clock_keeper import ClockKeeper, begun
from agent.config import Config, OsdpReader, WiegandReader, read_table
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
from agent.core.messages import VisionHealth
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
from agent.door_items import ClockTold, EnrolOver, EnrolWord, Fault, Item, NewRules, News
from agent.door_loop import DoorLoop, Parts, WiegandPort, ignored, run_turns
from agent.enrol_desk import EnrolDesk, EnrolRules
from agent.health_beat import Beat
from agent.health_stages import Check
from agent.health_word import HealthTeller
from agent.identity.at_door import open_link
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
from agent.updates.at_door import NewSettings, Settings
from agent.updates.in_force import FOLDER, Source
from agent.updates.post import Parts as PostParts
from agent.updates.post import UpdatePost
from agent.updates.tally import FILE as COUNTS
from agent.updates.tally import ShadowTally
from agent.wear_watch import WearWatch
from hw.signals import Signals
from models_tflite.manifest import Manifest, load_manifest

if TYPE_CHECKING:
    from hw.interfaces import DoorInputs, Lock, Reader, WiegandLines

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""How long another thread may keep Python's lock while an edge waits; the default of 5 ms would be most of our budget."""


def run_door(config: Config, stopped: Callable[[], bool], source: Source | None = None) -> int:
    """Run until `stopped`; the relays are in their safe state before the first and after the last line of work. Returns the exit status.

    `source`: where `config` comes from, and what was laid over it; without it no updates are taken.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    first_use.ready()
    dead_man = DeadMan.start(lambda: make_safe(config))
    log_by_thread()
    for text in advice(config):
        log.warning("door config advice=%s", text)
    try:
        # After the dead man's fork: the child must not inherit what says that a door program runs here
        with only_one(Path(config.run_folder)), opened_relays(config) as (pins, relays):
            return _guard(config, pins, relays, stopped, dead_man, source)
    finally:
        dead_man.let_go()


def _guard(
    config: Config, pins: Any, relays: dict[str, OutputDevice], stopped: Callable[[], bool], dead_man: DeadMan, source: Source | None
) -> int:  # fmt: skip
    """Everything between relays without power and a stopped program. What is opened is closed in the opposite order, lock first."""
    inbox: Inbox[Item] = Inbox()
    clock = ClockKeeper(
        Path(config.records.folder) / "clock", lambda news: inbox.put(ClockTold(news)), begun(_certificates(config))
    )
    with ExitStack() as opened:
        parts, access, start = _open(config, pins, relays, clock, inbox, dead_man, opened, source)
        loop = DoorLoop(parts, clock, access, load_mode(Path(config.records.folder) / "mode"))
        opened.callback(loop.say_goodbye)
        opened.callback(parts.lock.close)
        opened.callback(notify, "STOPPING=1")
        start()
        opened.callback(clock.close)
        clock.start()
        loop.announce("door.started", {"mode": loop.state.mode.value, "profile": config.deployment.profile})
        gc.freeze()  # rules and modules live as long as the program: no collector needs to walk them while a fob waits
        notify("READY=1")
        return run_turns(loop, stopped)


def _open(
    config: Config,
    pins: Any,
    relays: dict[str, OutputDevice],
    clock: ClockKeeper,
    inbox: Inbox[Item],
    dead_man: DeadMan,
    opened: ExitStack,
    source: Source | None,
) -> tuple[Parts, AccessRules, Callable[[], None]]:
    """Everything that the loop works with, the rules to begin with, and what sets it all listening."""
    folder, run = Path(config.records.folder), Path(config.run_folder)

    def on_fault(what: str) -> Callable[[str], None]:
        return lambda text: inbox.put(Fault(what, text))

    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    policy = decision_policy(config, manifest, calibration_in_force(config, manifest, on_fault("door.fault")))
    journal = Journal(folder, clock, clock.mark)
    opened.callback(journal.close)
    bundles = BundleStore(config, journal, clock)
    link, renew = open_link(config, journal, clock, inbox.put, opened)
    from_vision, to_vision = Receiver(run / DOOR_SOCKET), Sender(run / VISION_SOCKET)
    for end in (from_vision, to_vision):
        opened.callback(end.close)
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
    updates = _updates(source, folder, link, inbox, clock, opened)
    opened.callback(end_second)
    beat = Beat(clock, dead_man, inbox, inputs.look, _stages(lines, readers, inputs, lock, link))
    parts = Parts(
        inbox=inbox, wiegand=_ports(config, lines), pads=_pads(config), debounced=_debounced(config), lock=lock,
        lock_check=LockCheck(config.lock.settle_s) if "bolt" in config.wired else None,
        follow=follow, rules=door_rules(config), policy=policy, is_sure=clock.is_sure,
        by_time=lambda: config.policy.without_time == "judge" or clock.is_sure(),
        desk=Desk(_wiring(config), rules, pin_rules(config), kept),
        keep=keeper.save, signals=signals, feedback=feedback, journal=journal, link=link, from_vision=from_vision, to_vision=to_vision,
        save_mode=ModeKeeper(folder / "mode", on_fault("door.fault")).save, beat=beat,
        norms_key=_norms_key(config), access_health=access.health, risk=risk_policy(config.risk),
        emotional_allowed=config.deployment.profile == "standard", live=live,
        enrol=_enrolment(config, manifest, link, to_vision, clock, inbox), shadow=updates.shadow,
        note_vision=updates.vision,
        tell_health=HealthTeller(run, config.site, config.door, clock.mono_s(), beat.hung), wear=_wear(folder, clock, opened),
    )  # fmt: skip

    def start() -> None:
        for name, pair in lines.items():
            listen_to_wiegand(name, pair, inbox.put)
            parts.wiegand[name].framer.listening_since(clock.mono_s())
        for reader in readers.values():
            reader.start(inbox.put)
        listen_to_inputs(config, inputs, inbox.put)
        link.start()
        renew()
        watch.start()
        access.start(watch.look_now)
        norms.start()
        updates.start()

    return parts, rules, start


def _certificates(config: Config) -> tuple[str, ...]:
    """Those of this door."""
    return tuple(file for file in (config.link.cert_file, config.live.cert_file) if file)


def _wear(folder: Path, clock: Clock, opened: ExitStack) -> Callable[[], dict[str, Any]]:
    """Begins to count what is written to the disk; what is to be told of it."""
    watch = WearWatch(folder, clock.mono_s)
    watch.start()
    opened.callback(watch.stop)
    return lambda: dict(asdict(watch.told()))


def _stages(
    lines: dict[str, WiegandLines], readers: dict[str, Reader], inputs: DoorInputs, lock: Lock, link: Link
) -> dict[str, Check]:
    """What must move beside the loop: what a new start mends, and nothing else (docs/SERVICES.md)."""
    of_readers: dict[str, WiegandLines | Reader] = {**lines, **readers}
    return {
        **{f"reader {name}": each.hung for name, each in of_readers.items()},
        "inputs": inputs.hung, "lock": lock.hung, "link": link.hung,
    }  # fmt: skip


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
    return EnrolDesk(enrol_rules(config, manifest), door_private(Path(config.records.door_key)), link, to_vision)


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


def pin_rules(config: Config) -> PinRules:
    """How often somebody may be wrong."""
    return PinRules(tries=config.policy.pin_tries, lockout_s=config.policy.pin_lockout_s)


def enrol_rules(config: Config, manifest: Manifest) -> EnrolRules:
    """What an enrolment at this door's camera must keep to."""
    return EnrolRules(allowed=config.vision.enrol, liveness=config.policy.liveness, embedder_id=manifest.embedder_id)


def settings_of(config: Config) -> Settings:
    """What the loop works with that an update may change. Raises ConfigError and ModelError for what it could not work with."""
    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    return Settings(
        policy=decision_policy(config, manifest, calibration_in_force(config, manifest, log.warning)), rules=door_rules(config),
        risk=risk_policy(config.risk), feedback=feedback_rules(config), pins=pin_rules(config), enrol=enrol_rules(config, manifest),
    )  # fmt: skip


class _Updates(NamedTuple):
    """What takes updates, as the loop sees it."""

    shadow: ShadowTally
    vision: Callable[[VisionHealth | None], None] = ignored
    start: Callable[[], None] = lambda: None


def _updates(
    source: Source | None, folder: Path, link: Link, inbox: Inbox[Item], clock: Clock, opened: ExitStack
) -> _Updates:  # fmt: skip
    """What takes the centre's word about models, rules and programs."""
    shadow = ShadowTally(folder / FOLDER / COUNTS)
    if source is None:
        return _Updates(shadow)

    def beside(config: Config, number: int, models: Path | None) -> None:
        threshold = threshold_in_force(config, load_manifest(models), None) if models is not None else 1.0
        shadow.aim(number, threshold, clock.wall())

    own = source.own
    post = UpdatePost(PostParts(
        config=own, table=lambda: read_table(source.path), running=source.running, centre=centre_public(Path(own.records.centre_key)),
        link=link, apply=lambda config, taken: inbox.put(NewSettings(settings_of(config), taken)),
        tell=lambda kind, data: inbox.put(News(kind, data)), beside=beside, tally=shadow,
    ))  # fmt: skip
    opened.callback(post.stop)
    link.listen_for_updates(post)
    return _Updates(shadow, post.vision, post.start)
