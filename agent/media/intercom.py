"""Talking with whoever is at the door. The microphone is open only while somebody talks, and a tone at the door says when that begins and
ends: nobody is listened to unheard.

Devices may block, so each has a thread of its own for as long as a talk lasts; between them and asyncio lie short queues, and what is
late is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import threading
from array import array
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from av.audio.resampler import AudioResampler

from agent.errors import HardwareError
from agent.media.talk import Floor, Talker, Tells
from hw.sound import PIECE_SAMPLES, RATE_HZ, Microphone, Speaker

log = logging.getLogger(__name__)

MOST_QUEUED = 10
"""Pieces of 20 ms: what is later than a fifth of a second is no conversation."""
LONGEST_TALK_S = 300.0
TONE_S = 0.15
BEGIN_HZ, END_HZ = (660.0, 880.0), (880.0, 660.0)


def tone(frequencies_hz: tuple[float, ...]) -> list[bytes]:
    """A short signal, one frequency after the other, in pieces of 20 ms."""
    count = round(TONE_S * RATE_HZ / PIECE_SAMPLES) * PIECE_SAMPLES
    samples = array("h", (round(8000 * math.sin(2 * math.pi * hz * n / RATE_HZ)) for hz in frequencies_hz for n in range(count)))
    raw = samples.tobytes()
    return [raw[at : at + 2 * PIECE_SAMPLES] for at in range(0, len(raw), 2 * PIECE_SAMPLES)]


TONE_PIECES = len(tone(BEGIN_HZ))


class _Talk:
    """The devices, while one talk lasts."""

    def __init__(self, microphone: Callable[[], Microphone] | None, speaker: Callable[[], Speaker] | None,
                 heard: Callable[[bytes], None], fault: Callable[[str], None]) -> None:  # fmt: skip
        self._heard, self._fault = heard, fault
        self._over = threading.Event()
        self._to_play: queue.Queue[bytes | None] = queue.Queue()
        for piece in tone(BEGIN_HZ):
            self._to_play.put(piece)
        if microphone is not None:
            threading.Thread(target=self._guard, args=(self._listen, microphone), name="microphone", daemon=True).start()
        if speaker is not None:
            threading.Thread(target=self._guard, args=(self._play, speaker), name="speaker", daemon=True).start()

    def play(self, piece: bytes) -> None:
        if self._to_play.qsize() < MOST_QUEUED + TONE_PIECES:
            self._to_play.put(piece)

    def end(self) -> None:
        self._over.set()
        for piece in tone(END_HZ):
            self._to_play.put(piece)
        self._to_play.put(None)

    def _guard(self, work: Callable[[Any], None], opened: Callable[[], Any]) -> None:
        try:
            work(opened)
        except HardwareError as error:
            log.error("intercom %s", error)
            self._fault(str(error))

    def _listen(self, opened: Callable[[], Microphone]) -> None:
        microphone = opened()
        try:
            while not self._over.is_set():
                self._heard(microphone.read())
        finally:
            microphone.close()

    def _play(self, opened: Callable[[], Speaker]) -> None:
        speaker = opened()
        try:
            while (piece := self._to_play.get()) is not None:
                speaker.write(piece)
        finally:
            speaker.close()


class Intercom:
    """`take` and `give_back` the word; `play` what the talker says. Of one asyncio loop."""

    def __init__(
        self, microphone: Callable[[], Microphone] | None, speaker: Callable[[], Speaker] | None, mono_s: Callable[[], float],
        tell: Tells,
    ) -> None:  # fmt: skip
        """What opens the devices; None where there are none."""
        self._microphone, self._speaker, self._mono_s, self._tell = microphone, speaker, mono_s, tell
        self._floor = Floor()
        self._talk: _Talk | None = None
        self._loop = asyncio.get_running_loop()
        self._heard: deque[bytes] = deque(maxlen=MOST_QUEUED)
        self._arrived = asyncio.Event()

    @property
    def is_there(self) -> bool:
        return self._microphone is not None or self._speaker is not None

    @property
    def talker(self) -> Talker | None:
        return self._floor.talker

    def take(self, session: str, who: str) -> bool:
        """Whether they have the word now; the first who asks has it."""
        if not self.is_there:
            return False
        was_free = self._floor.talker is None
        mine = self._floor.take(session, who, self._mono_s())
        if was_free:
            self._heard.clear()
            self._talk = _Talk(self._microphone, self._speaker, self._hear, self._complain)
            self._tell("live.talk_began", session=session, who=who)
        return mine

    def give_back(self, session: str) -> bool:
        """Whether a talk has ended by it."""
        ended = self._floor.give_back(session)
        if ended is None:
            return False
        if self._talk is not None:
            self._talk.end()
            self._talk = None
        self._tell("live.talk_ended", session=session, who=ended.who, seconds=round(self._mono_s() - ended.since_s, 1))
        return True

    def overdue(self) -> str:
        """The session of a talk that has lasted too long; empty where there is none."""
        talker = self._floor.talker
        return talker.session if talker is not None and self._mono_s() - talker.since_s > LONGEST_TALK_S else ""

    def play(self, session: str, piece: bytes) -> None:
        """20 ms of what somebody says; heard at the door when they have the word."""
        if self._talk is not None and self._floor.talker is not None and self._floor.talker.session == session:
            self._talk.play(piece)

    async def listen(self, session: str) -> bytes:
        """The next 20 ms from the door, for whoever has the word; others wait until they have it."""
        while self._floor.talker is None or self._floor.talker.session != session or not self._heard:
            arrived = self._arrived
            await arrived.wait()
        return self._heard.popleft()

    # -- the devices' threads --------------------------------------------------------------------------------------------------

    def _hear(self, piece: bytes) -> None:
        self._in_loop(self._take_piece, piece)

    def _complain(self, text: str) -> None:
        self._in_loop(lambda: self._tell("live.fault", error=text))

    def _in_loop(self, work: Callable[..., None], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(work, *args)
        except RuntimeError:  # the program ends
            self._heard.clear()

    def _take_piece(self, piece: bytes) -> None:
        self._heard.append(piece)
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()


class DoorSound(MediaStreamTrack):
    """What is heard at the door, for the one who talks with it; nothing is sent to anybody else."""

    kind = "audio"

    def __init__(self, intercom: Intercom, session: str) -> None:
        super().__init__()
        self._intercom, self._session = intercom, session
        self._given = 0

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        piece = await self._intercom.listen(self._session)
        frame = AudioFrame.from_ndarray(np.frombuffer(piece, np.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._given, Fraction(1, RATE_HZ)
        self._given += PIECE_SAMPLES
        return frame


async def play_track(track: MediaStreamTrack, intercom: Intercom, session: str) -> None:
    """Hand on what a browser's microphone hears, until it ends."""
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ, frame_size=PIECE_SAMPLES)
    try:
        while True:
            frame = await track.recv()
            if not isinstance(frame, AudioFrame):
                return
            for piece in resampler.resample(frame):
                intercom.play(session, piece.to_ndarray().tobytes())
    except MediaStreamError:
        return
