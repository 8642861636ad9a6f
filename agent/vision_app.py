"""`doorward vision`: the program that owns camera, models, tracks and pictures. It decides nothing; it may die at any moment."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Protocol

import cv2
from msgspec.structs import replace

from agent import first_use
from agent.calibration import TALLY_FILE, calibration_in_force
from agent.clock import SystemClock
from agent.config import Config
from agent.errors import ConfigError, ModelError
from agent.floor_file import camera_view
from agent.local_socket import DOOR_SOCKET, VISION_SOCKET, Receiver, Sender
from agent.norms_file import forget_norms
from agent.notify import notify
from agent.shared_view import ViewWriter
from agent.updates.in_force import CHOSEN, Running, Source, config_in_force, former_models, models_folder, updates_folder
from agent.updates.trial import GAVE_UP
from agent.vision.build import build_chain, build_stages
from agent.vision.chain import Chain
from agent.vision.engine import Engine, open_engine
from agent.vision.enrol import Enroller, EnrolSettings
from agent.vision.enrol_at_door import EnrolAtDoor, Tracked
from agent.vision.evidence import FOLDER, EvidenceWriter
from agent.vision.eyes import Eyes
from agent.vision.loop import Parts, Runs, VisionBroken, VisionLoop
from agent.vision.ring import Ring
from agent.vision.scene_file import VIEW_FILE, Watchman
from agent.vision.shadow import Shadow
from agent.vision.tally_file import Learner
from agent.watching import Watching
from hw.camera_names import lasting_name, public_name
from hw.cameras import edition, open_camera
from models_tflite.manifest import Manifest, load_manifest

log = logging.getLogger(__name__)

SAME_FMR = 0.001
"""Pictures of one enrolment are of one person at this false match rate."""
INTERVAL_SHARE = 0.8
"""Of the configured interval: a camera's frames come a little early or late, and none may be let go for that."""


ANEW = 75
"""Exit status: start again, with other updates."""
LOOK_EVERY_S = 1.0
QUIET_S = 3.0
"""So long nobody was before the camera: then it may look away for the second that a start takes."""
LONGEST_WAIT_S = 600.0


class Stop(Protocol):
    """Something like threading.Event."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


def run_vision(config: Config, stop: Stop, source: Source | None = None) -> int:
    """Run until told to stop (0), or until frame after frame fails (1: the supervisor starts a new program), or until other updates are in
    force that concern vision (ANEW: start again with them). `source`: where `config` comes from; without it updates are not looked for.

    Raises ModelError for a wrong model file and ConfigError for a run folder that cannot be used: then starting anew helps nothing.
    """
    cv2.setNumThreads(1)  # the pictures are small: a pool costs more memory and wake-ups than it saves
    first_use.ready()
    clock = SystemClock()
    engine = open_engine(config.vision.engine, config.vision.threads)
    run = Path(config.run_folder)
    config, manifest, chain, runs = _opened(engine, config, source)
    runs, shadow = _beside(engine, source, runs, chain)
    parts = Parts(
        eyes=_eyes(config, clock, stop),
        chain=chain, ring=Ring(),
        to_door=Sender(run / DOOR_SOCKET), from_door=Receiver(run / VISION_SOCKET),
        evidence=EvidenceWriter() if config.deployment.keep_evidence else None,
        evidence_folder=Path(config.records.folder) / FOLDER,
        least_interval_s=INTERVAL_SHARE / config.vision.frames_per_s,
        learner=_learner(config, manifest) if config.vision.calibrate else None,
        watchman=_watchman(config) if config.vision.scene_watch else None,
        watcher=_watcher(config, clock), view=ViewWriter(run) if config.live.enabled else None,
        enrol=_enrolment(chain, manifest) if config.vision.enrol else None, runs=runs, shadow=shadow,
    )  # fmt: skip
    log.info("vision started engine=%s embedder=%s camera=%s", engine.describe(), manifest.embedder_id, parts.eyes.name)
    notify("READY=1")
    try:
        return _turn_until(stop, VisionLoop(parts, clock), Successor(config, source, runs, clock) if source is not None else None)
    finally:
        notify("STOPPING=1")
        _close(parts)


def _opened(engine: Engine, config: Config, source: Source | None) -> tuple[Config, Manifest, Chain, Runs]:
    """The networks in force. Where those of an update do not open, the ones before them do: a door that cannot see is worse than one that
    sees as yesterday. Raises ModelError where these do not either."""
    running = source.running if source is not None else Running()
    try:
        return (
            config,
            *_chain(engine, config),
            Runs(running.rules, running.models, 0, tuple(f"{GAVE_UP}{each}" for each in running.spoilt)),
        )
    except ModelError as error:
        if source is None or not running.models:
            raise
        log.error("vision models of the update do not open error=%s", error)
        config = replace(config, vision=replace(config.vision, models=former_models(source)))
        return config, *_chain(engine, config), Runs(running.rules, 0, 0, (f"{GAVE_UP}its networks do not open: {error}",))


def _chain(engine: Engine, config: Config) -> tuple[Manifest, Chain]:
    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    return manifest, build_chain(engine, manifest, config, calibration_in_force(config, manifest, log.warning))


def _beside(engine: Engine, source: Source | None, runs: Runs, chain: Chain) -> tuple[Runs, Shadow | None]:
    """The models that run beside those in force, where there are any; where they do not open, that is told and everything else runs."""
    number = source.running.shadow if source is not None else 0
    if source is None or not number:
        return runs, None
    try:
        stages = build_stages(engine, load_manifest(models_folder(updates_folder(source.own), number)))
    except ModelError as error:
        log.error("vision models beside do not open error=%s", error)
        return dataclasses.replace(runs, spoilt=(*runs.spoilt, f"{GAVE_UP}its networks do not open: {error}")), None
    return dataclasses.replace(runs, shadow=number), Shadow(number, stages, chain)


def _eyes(config: Config, clock: SystemClock, stop: Stop) -> Eyes:
    """Its name is told to everybody: without passwords."""
    vision = config.vision
    return Eyes(public_name(vision.camera), lambda: open_camera(vision), clock.mono_s, stop.wait, lambda: edition(vision))


class Successor:
    """Looks whether other updates are in force than the program runs with, and for a moment to start again with them."""

    def __init__(self, config: Config, source: Source, runs: Runs, clock: SystemClock) -> None:
        self._config, self._source, self._runs, self._clock = config, source, runs, clock
        self._folder = updates_folder(source.own)
        self._known = self._stamp()
        self._look_s = self._waits_since_s = 0.0
        self._waits = False

    def is_due(self, loop: VisionLoop) -> bool:
        now_s = self._clock.mono_s()
        if now_s < self._look_s:
            return False
        self._look_s = now_s + LOOK_EVERY_S
        stamp = self._stamp()
        if stamp != self._known:
            self._known, waited = stamp, self._waits
            self._waits = self._concerns_us(loop)
            self._waits_since_s = self._waits_since_s if waited else now_s
        return self._waits and (loop.nobody_since_s() >= QUIET_S or now_s - self._waits_since_s >= LONGEST_WAIT_S)

    def _concerns_us(self, loop: VisionLoop) -> bool:
        """Where only numbers changed, they are told, and nothing is started."""
        try:
            config, source = config_in_force(self._source.path)
        except ConfigError as error:
            log.error("vision configuration cannot be read, what runs goes on error=%s", error)
            return False
        running = source.running
        if _seen_by_vision(config) != _seen_by_vision(self._config) or running.shadow != self._runs.shadow:
            return True
        self._runs = Runs(running.rules, running.models, self._runs.shadow, ())
        loop.take(self._runs)
        return False

    def _stamp(self) -> tuple[int, int]:
        try:
            stat = (self._folder / CHOSEN).stat()
        except OSError:
            return 0, 0
        return stat.st_ino, stat.st_mtime_ns


def _seen_by_vision(config: Config) -> tuple[object, ...]:
    return config.vision, config.behaviour, config.deployment, config.live, config.policy.fmr, config.policy.threshold_floor


def _watcher(config: Config, clock: SystemClock) -> Watching | None:
    if config.behaviour.enabled:
        return Watching(config, lasting_name(config.vision.camera), clock)
    forget_norms(Path(config.records.folder))  # what nobody measures any more is nobody's usual either
    return None


def _enrolment(chain: Chain, manifest: Manifest) -> EnrolAtDoor:
    """With the networks that the chain has open."""
    enroller = Enroller(chain.stages, chain.embedder_id, EnrolSettings())
    return EnrolAtDoor(
        enroller, lambda taken_s: [Tracked(*each) for each in chain.in_view(taken_s)], manifest.threshold_at_fmr(SAME_FMR)
    )


def _watchman(config: Config) -> Watchman:
    """A floor that is marked anew belongs to the view as it is now."""
    return Watchman(Path(config.records.folder) / VIEW_FILE, camera_view(config))


def _learner(config: Config, manifest: Manifest) -> Learner:
    return Learner(Path(config.records.folder) / TALLY_FILE, manifest.embedder_id, lasting_name(config.vision.camera))


def _turn_until(stop: Stop, loop: VisionLoop, successor: Successor | None) -> int:
    try:
        while not stop.is_set():
            loop.turn()
            if successor is not None and successor.is_due(loop):
                return ANEW
    except VisionBroken as error:
        log.error("vision broken error=%r", str(error))
        return 1
    return 0


def _close(parts: Parts) -> None:
    parts.eyes.close()
    parts.from_door.close()
    if parts.evidence is not None:
        parts.evidence.close()
    if parts.learner is not None:
        parts.learner.save()
    if parts.watchman is not None:
        parts.watchman.save()
    if parts.watcher is not None:
        parts.watcher.save()
    if parts.view is not None:
        parts.view.close()
    log.info("vision stopped sent=%d dropped=%d", parts.to_door.sent, parts.to_door.dropped)
    parts.to_door.close()
