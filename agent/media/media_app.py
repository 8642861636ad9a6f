"""`doorward media`: the program that browsers see and speak with. One asyncio loop; the broker's connection has a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

import cv2

from agent import first_use
from agent.clock import Clock, SystemClock
from agent.clock_keeper import ClockGlance, begun
from agent.config import Config
from agent.errors import ConfigError
from agent.health_stages import Stages
from agent.identity.own import FOLDER as FOLDER_OF_IDENTITY
from agent.identity.own import OwnCertificate, ShownToBroker
from agent.link.session import Address
from agent.media.clip_desk import ClipDesk, ClipTiming
from agent.media.clips import FOLDER, ClipRing, ClipStore
from agent.media.door_line import DoorLine
from agent.media.hardware import found_encoder
from agent.media.intercom import Intercom
from agent.media.reception import Limits, Reception
from agent.media.screening import Screening
from agent.media.signalling import Signalling
from agent.media.viewer import Encoding
from agent.notify import notify
from agent.records.keys import centre_public
from agent.sections import Live
from agent.shared_view import ViewReader
from hw.audio import open_microphone, open_speaker
from hw.sound import Microphone, Speaker

log = logging.getLogger(__name__)

TURN_S = 0.1
BEAT_EVERY_TURNS = 10


class Stop(Protocol):
    """Something like threading.Event."""

    def is_set(self) -> bool: ...


def run_media(config: Config, stop: Stop) -> int:
    """Run until told to stop. Raises ConfigError for a configuration or a run folder that cannot be used."""
    if not config.live.enabled:
        raise ConfigError(
            "`$.live.enabled` is False: there is nothing for this program to do; set it to true, or disable the service"
        )
    cv2.setNumThreads(1)
    first_use.ready()
    for noisy in ("aioice", "aiortc", "libav"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        return asyncio.run(_Media(config).run(stop))
    except OSError as error:
        raise ConfigError(f"run_folder {config.run_folder}: cannot be used: {error}") from error


def address_of(config: Config) -> Address:
    """The door's own broker, with media's own certificate or account. Raises ConfigError when that would be the door's certificate."""
    link, live = config.link, config.live
    own = bool(live.cert_file)
    if link.cert_file and not own:
        raise ConfigError("`$.live.cert_file` is empty: with the door's certificate a broker that takes client ids from certificates would"
                          " throw the door out; give media one of its own (docs/LIVE.md)")  # fmt: skip
    return Address(
        host=link.host, port=link.port, user=live.user or link.user, password_file=live.password_file or link.password_file,
        ca_file=link.ca_file, cert_file=live.cert_file if own else link.cert_file, key_file=live.key_file if own else link.key_file,
        keepalive_s=link.keepalive_s, other_hosts=link.other_hosts, qos=link.qos,
    )  # fmt: skip


def own_of(config: Config) -> ShownToBroker:
    """The certificate that counts: the door program renews it."""
    records, live = Path(config.records.folder), config.live
    glance = ClockGlance(records / "clock", begun([live.cert_file]))
    own = OwnCertificate("media", live.cert_file, live.key_file, records / FOLDER_OF_IDENTITY)
    return ShownToBroker(own, glance.is_sure, glance.earliest)


class _Media:
    """The parts, put together."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._clips: ClipDesk | None = None

    async def run(self, stop: Stop) -> int:
        config, live, clock, loop = self._config, self._config.live, SystemClock(), asyncio.get_running_loop()
        run = Path(config.run_folder)
        self._line = DoorLine(run)
        emotional = config.deployment.profile == "standard"
        self._screening = Screening(ViewReader(run), clock.mono_s, live.frames_per_s, live.width_px, emotional)
        limits = Limits(viewers=live.viewers, longest_s=live.longest_min * 60.0)
        encoding = _encoding(live)
        signalling = Signalling(
            address_of(config), config.site, config.door,
            own=own_of(config), heard={
                "rtc/+/offer": lambda *message: _in(loop, reception.offered, *message),
                "rtc/+/bye": lambda *message: _in(loop, reception.left, *message),
                "clip/+/want": lambda *message: _in(loop, self._wanted, *message),
            },
        )  # fmt: skip
        self._stages = Stages({"broker": signalling.hung})
        intercom = Intercom(_microphone(live.microphone), _speaker(live.speaker), clock.mono_s, self._line)
        reception = Reception(limits, encoding, self._screening, intercom, clock, signalling.say, self._line)
        tasks = [self._task(self._screening.run()), self._task(reception.run())]
        if live.clips:
            self._clips = self._clip_desk(clock, signalling.say)
            tasks.append(self._task(self._clips.prune()))
        signalling.start()
        log.info("media started viewers=%d codec=%s hardware=%s", live.viewers, encoding.codec, encoding.hardware or "none")
        notify("READY=1")
        try:
            return await self._turn_until(stop, tasks)
        finally:
            notify("STOPPING=1")
            await reception.close()
            signalling.stop()
            for task in tasks:
                task.cancel()
            self._line.close()
            log.info("media stopped")

    def _clip_desk(self, clock: Clock, say: Callable[[str, bytes], None]) -> ClipDesk:
        """Someone always watches then: the ring. Raises ConfigError when the centre's key cannot be read."""
        config, live = self._config, self._config.live
        centre = centre_public(Path(config.records.centre_key)).to_curve25519_public_key()
        store = ClipStore(Path(config.records.folder) / FOLDER, centre, live.clips_most, live.clips_days * 86400.0)
        ring = ClipRing(live.clip_before_s + live.clip_after_s + 2.0)
        self._screening.on_glance = ring.take
        self._screening.watch()
        timing = ClipTiming(before_s=live.clip_before_s, after_s=live.clip_after_s, most_wide_px=live.width_px)
        return ClipDesk(config.site, config.door, timing, ring, store, clock, say, self._line)

    def _wanted(self, levels: tuple[str, ...], payload: bytes, retained: bool) -> None:
        if self._clips is not None:
            self._clips.wanted(levels, payload, retained)

    @staticmethod
    def _task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)

    async def _turn_until(self, stop: Stop, tasks: list[asyncio.Task[None]]) -> int:
        turns = 0
        while not stop.is_set():
            if any(task.done() for task in tasks):
                log.error("media task ended %r", [task.exception() for task in tasks if task.done()])
                return 1
            for alerted in self._line.turn():
                self._screening.alert(alerted)
                if self._clips is not None:
                    self._clips.alert(alerted)
            turns += 1
            if turns % BEAT_EVERY_TURNS == 0 and self._stages.look():
                notify("WATCHDOG=1")
            await asyncio.sleep(TURN_S)
        return 0


def _encoding(live: Live) -> Encoding:
    """VP8 costs half of what H.264 does in software; hardware costs the processor next to nothing."""
    hardware = found_encoder() if live.codec == "auto" else ""
    return Encoding(codec="h264" if live.codec == "h264" else "vp8", frames_per_s=live.frames_per_s, hardware=hardware)


def _microphone(name: str) -> Callable[[], Microphone] | None:
    return None if name == "none" else lambda: open_microphone(name)


def _speaker(name: str) -> Callable[[], Speaker] | None:
    return None if name == "none" else lambda: open_speaker(name)


def _in(loop: asyncio.AbstractEventLoop, work: Any, *args: Any) -> None:
    """Run it in the loop's thread, unless the loop has ended."""
    try:
        loop.call_soon_threadsafe(work, *args)
    except RuntimeError:
        log.warning("media a message came after the end")
