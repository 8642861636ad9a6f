"""The vision program's turn: a frame in, an observation out, the door's wishes served, health said each second."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.clock import Clock
from agent.core.conduct import Conduct, DoorNews
from agent.core.messages import EnrolOrder, EnrolStop, EvidenceRequest, Observation, ToVision, VisionHealth
from agent.errors import CameraError, DoorwardError, WireError
from agent.health_stages import Stages
from agent.local_socket import Receiver, Sender, decode_to_vision, encode
from agent.notify import notify
from agent.shared_view import ViewWriter
from agent.vision.chain import First
from agent.vision.enrol_at_door import EnrolAtDoor
from agent.vision.evidence import EvidenceWriter, exhibit
from agent.vision.eyes import Eyes
from agent.vision.ring import Moment, Ring
from agent.vision.scene_file import Watchman
from agent.vision.shadow import Shadow
from agent.vision.tally_file import Learner
from hw.interfaces import Frame, Pixels

log = logging.getLogger(__name__)

READ_S = 0.1
"""Longest wait for a frame: the door's requests and the supervisor are not kept waiting longer."""
HEALTH_S = 1.0
LATE_S = 0.15
"""A frame this old when it is known who is in it leaves what else there is to see to the next one, so that identity keeps pace on
a slow or busy machine: two frames of fifteen a second. Never two frames in a row."""
MOST_FAULTS = 3
"""Frames in a row that end in an exception: one may be a bad frame, three are a program that must be started anew."""


class Sees(Protocol):
    """What turns frames into observations (agent.vision.chain.Chain)."""

    def identify(self, frame: Frame, now_s: float) -> First: ...

    def look(self, first: First) -> Observation: ...

    def faults(self) -> tuple[str, ...]: ...

    def engine(self) -> str: ...


class Watches(Protocol):
    """What measures what people do (agent.behaviour.watch.Watcher)."""

    @property
    def fault(self) -> str: ...

    def news(self, news: DoorNews) -> None:
        """Something happened at the door."""

    def see(self, observation: Observation, pixels: Pixels, tamper: tuple[str, ...]) -> Conduct | None:
        """Every observation with its frame, and what somebody may have done to the camera; now and then what is known of people.
        Never raises."""

    def save(self) -> None:
        """What is usual here, for the next start."""


class VisionBroken(DoorwardError, RuntimeError):
    """Frame after frame ended in an exception."""


@dataclass(frozen=True)
class Runs:
    """Numbers of the updates in force (docs/UPDATES.md), of the models beside them, and what could not be used of what is chosen."""

    rules: int = 0
    models: int = 0
    shadow: int = 0
    spoilt: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """What the loop works with."""

    eyes: Eyes
    chain: Sees
    ring: Ring
    to_door: Sender
    from_door: Receiver
    evidence: EvidenceWriter | None
    """None where the deployment keeps no pictures."""
    evidence_folder: Path
    least_interval_s: float
    """Frames that come faster are let go: the configured rate is a bound on the work."""
    learner: Learner | None = None
    """None where the camera is not being calibrated."""
    watchman: Watchman | None = None
    """None where nobody wants to know whether somebody did something to the camera."""
    watcher: Watches | None = None
    """None where the configuration wants nothing measured of what people do."""
    view: ViewWriter | None = None
    """None where nobody may watch live."""
    enrol: EnrolAtDoor | None = None
    """None where nobody is enrolled at this camera."""
    runs: Runs = Runs()
    """With which updates."""
    shadow: Shadow | None = None
    """None where no models run beside those in force."""


class VisionLoop:
    """Call `turn` until told to stop; it raises VisionBroken when starting anew is the better cure."""

    def __init__(self, parts: Parts, clock: Clock) -> None:
        self._parts, self._clock = parts, clock
        self._last_frame_s = -1e9
        self._faults_in_row = 0
        self._fault = ""
        self._frames_since = 0
        self._health_s = clock.mono_s()
        self._left_out = False
        """What else there is to see, in the last frame."""
        self._conduct: Conduct | None = None
        self._runs = parts.runs
        self._seen_s = clock.mono_s()
        self._stages = Stages({"camera": parts.eyes.hung})
        self.bad_requests = 0
        self.faults = 0

    def take(self, runs: Runs) -> None:
        """Other updates are in force, of which nothing concerns vision but their numbers."""
        self._runs = runs

    def nobody_since_s(self) -> float:
        """For how long nobody has been before the camera."""
        return self._clock.mono_s() - self._seen_s

    def turn(self) -> None:
        frame = self._parts.eyes.read(READ_S)
        if frame is not None and frame.taken_s - self._last_frame_s >= self._parts.least_interval_s:
            self._last_frame_s = frame.taken_s
            self._see(frame)
        self._serve_door()
        now_s = self._clock.mono_s()
        if now_s - self._health_s >= HEALTH_S:
            self._say_health(now_s)

    def _see(self, frame: Frame) -> None:
        observation = self._observed(frame)
        if observation is not None:
            self._parts.to_door.send(encode(observation))
            self._parts.ring.put(Moment(frame, observation))
            if self._parts.learner is not None:
                self._parts.learner.see(observation)
            if observation.faces or observation.persons:
                self._seen_s = self._clock.mono_s()
            self._watch(observation, frame.pixels)
            self._enrol(observation, frame.pixels)
        if self._parts.view is not None:
            self._parts.view.show(frame.pixels, frame.taken_s, observation, self._conduct, self._clock.mono_s())
        if self._parts.watchman is not None:
            self._parts.watchman.see(frame, observation)
        if self._parts.shadow is not None and not self._left_out:
            self._compare(self._parts.shadow, frame)

    def _compare(self, shadow: Shadow, frame: Frame) -> None:
        """Last of all, and never in a frame that comes late."""
        for seen in shadow.see(frame, self._clock.mono_s()):
            self._parts.to_door.send(encode(seen))

    def _watch(self, observation: Observation, pixels: Pixels) -> None:
        watcher, watchman = self._parts.watcher, self._parts.watchman
        if watcher is not None:
            conduct = watcher.see(observation, pixels, watchman.signs if watchman is not None else ())
            if conduct is not None:
                self._conduct = conduct
                self._parts.to_door.send(encode(conduct))

    def _enrol(self, observation: Observation, pixels: Pixels) -> None:
        """Behind everything that the door waits for."""
        enrol = self._parts.enrol
        if enrol is not None:
            enrol.see(pixels, observation, self._clock.mono_s())
            enrol.take(lambda message: self._parts.to_door.send(encode(message)))

    def _observed(self, frame: Frame) -> Observation | None:
        """What is seen in a frame; None when that ended in an exception."""
        try:
            observation = self._observe(frame)
        except Exception as error:  # noqa: BLE001 - counted, logged, reported, and thrice in a row fatal
            self._count_fault(error)
            return None
        self._faults_in_row, self._fault = 0, ""
        self._frames_since += 1
        return observation

    def _observe(self, frame: Frame) -> Observation:
        """Tells the door at once who it is, where that is new, and looks at the rest behind it."""
        chain = self._parts.chain
        first = chain.identify(frame, self._clock.mono_s())
        late = self._clock.mono_s() - frame.taken_s > LATE_S
        self._left_out = late and not self._left_out
        if self._left_out:
            return first.observation
        if first.news:
            self._parts.to_door.send(encode(first.observation))
        return chain.look(first)

    def _count_fault(self, error: Exception) -> None:
        self.faults += 1
        self._faults_in_row += 1
        self._fault = f"frame: {type(error).__name__}: {error}"
        log.exception("frame failed in_row=%d total=%d", self._faults_in_row, self.faults)
        if self._faults_in_row >= MOST_FAULTS:
            self._say_health(self._clock.mono_s())
            raise VisionBroken(f"{self._faults_in_row} frames in a row failed, the last with {error!r}") from error

    def _serve_door(self) -> None:
        for raw in self._parts.from_door.drain():
            try:
                self._serve(decode_to_vision(raw))
            except (WireError, CameraError) as error:
                self.bad_requests += 1
                if self.bad_requests & (self.bad_requests - 1) == 0:  # 1, 2, 4, 8 ...: a flood must not fill the log
                    log.warning("request refused total=%d error=%r", self.bad_requests, str(error))

    def _serve(self, wish: ToVision) -> None:
        if isinstance(wish, EvidenceRequest):
            self._keep(wish)
        elif isinstance(wish, EnrolOrder | EnrolStop):
            self._obey(wish)
        elif self._parts.watcher is not None:
            self._parts.watcher.news(wish)

    def _obey(self, wish: EnrolOrder | EnrolStop) -> None:
        enrol = self._parts.enrol
        if enrol is None:
            return
        if isinstance(wish, EnrolOrder):
            enrol.order(wish, self._clock.mono_s())
        else:
            enrol.stop(wish)

    def _keep(self, request: EvidenceRequest) -> None:
        parts = self._parts
        if parts.evidence is not None:
            now_s, now = self._clock.mono_s(), self._clock.wall()
            parts.evidence.put(exhibit(request, parts.ring, parts.evidence_folder, now_s, now))

    def _say_health(self, now_s: float) -> None:
        parts = self._parts
        kept = parts.evidence.fault if parts.evidence is not None else ""
        learned = parts.learner.fault if parts.learner is not None else ""
        measured = parts.watcher.fault if parts.watcher is not None else ""
        shown = parts.view.fault if parts.view is not None else ""
        enrolled = parts.enrol.fault if parts.enrol is not None else ""
        beside = parts.shadow.fault if parts.shadow is not None else ""
        runs = self._runs
        watched, tamper = (parts.watchman.fault, parts.watchman.signs) if parts.watchman is not None else ("", ())
        faults = tuple(
            fault
            for fault in (
                parts.eyes.fault,
                self._fault,
                kept,
                learned,
                watched,
                measured,
                shown,
                enrolled,
                beside,
                *runs.spoilt,
                *parts.chain.faults(),
            )
            if fault
        )
        rate = self._frames_since / max(now_s - self._health_s, 1e-3)
        health = VisionHealth(at_s=now_s, ok=not faults and not tamper, camera=parts.eyes.fault or f"{parts.eyes.name} ok",
                              engine=parts.chain.engine(), frames_per_s=round(rate, 1), faults=faults, tamper=tamper,
                              rules=runs.rules, models=runs.models, shadow=runs.shadow)  # fmt: skip
        parts.to_door.send(encode(health))
        if self._stages.look():
            notify("WATCHDOG=1")
        self._health_s, self._frames_since = now_s, 0
