"""`doorward vision`: the program that owns camera, models, tracks and pictures. It decides nothing; it may die at any moment."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

import cv2

from agent import first_use
from agent.calibration import TALLY_FILE, calibration_in_force
from agent.clock import SystemClock
from agent.config import Config
from agent.floor_file import view_name
from agent.local_socket import DOOR_SOCKET, VISION_SOCKET, Receiver, Sender
from agent.norms_file import forget_norms
from agent.notify import notify
from agent.shared_view import ViewWriter
from agent.vision.build import build_chain
from agent.vision.chain import Chain
from agent.vision.engine import open_engine
from agent.vision.enrol import Enroller, EnrolSettings
from agent.vision.enrol_at_door import EnrolAtDoor, Tracked
from agent.vision.evidence import FOLDER, EvidenceWriter
from agent.vision.eyes import Eyes
from agent.vision.loop import Parts, VisionBroken, VisionLoop
from agent.vision.ring import Ring
from agent.vision.scene_file import VIEW_FILE, Watchman
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


class Stop(Protocol):
    """Something like threading.Event."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


def run_vision(config: Config, stop: Stop) -> int:
    """Run until told to stop (0), or until frame after frame fails (1: the supervisor starts a new program).

    Raises ModelError for a wrong model file and ConfigError for a run folder that cannot be used: then starting anew helps nothing.
    """
    cv2.setNumThreads(1)  # the pictures are small: a pool costs more memory and wake-ups than it saves
    first_use.ready()
    clock = SystemClock()
    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    engine = open_engine(config.vision.engine, config.vision.threads)
    run = Path(config.run_folder)
    chain = build_chain(engine, manifest, config, calibration_in_force(config, manifest, log.warning))
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
        enrol=_enrolment(chain, manifest) if config.vision.enrol else None,
    )  # fmt: skip
    log.info("vision started engine=%s embedder=%s camera=%s", engine.describe(), manifest.embedder_id, parts.eyes.name)
    notify("READY=1")
    try:
        return _turn_until(stop, VisionLoop(parts, clock))
    finally:
        notify("STOPPING=1")
        _close(parts)


def _eyes(config: Config, clock: SystemClock, stop: Stop) -> Eyes:
    """Its name is told to everybody: without passwords."""
    vision = config.vision
    return Eyes(public_name(vision.camera), lambda: open_camera(vision), clock.mono_s, stop.wait, lambda: edition(vision))


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
    camera = lasting_name(config.vision.camera)
    if config.behaviour.enabled:  # a floor that is marked anew belongs to the view as it is now
        camera = view_name(camera, Path(config.behaviour.floor))
    return Watchman(Path(config.records.folder) / VIEW_FILE, camera)


def _learner(config: Config, manifest: Manifest) -> Learner:
    return Learner(Path(config.records.folder) / TALLY_FILE, manifest.embedder_id, lasting_name(config.vision.camera))


def _turn_until(stop: Stop, loop: VisionLoop) -> int:
    try:
        while not stop.is_set():
            loop.turn()
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
