"""The media program as a real process at a real broker: vision's side of the frames, the door's side of the line, and the centre's side of
the topics are held by the test."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import paho.mqtt.client as mqtt
from aiortc import MediaStreamTrack, RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from agent.core.live import Alerted, LiveNews
from agent.core.messages import FaceSeen, Observation
from agent.live_wire import MEDIA_SOCKET, NEWS_SOCKET, decode_news, encode, live_folder
from agent.local_socket import Receiver, Sender
from agent.shared_view import ViewWriter
from hw.sound import PIECE_SAMPLES, RATE_HZ
from tests.system.brokers import Broker, Process, wait_until

FRAME_PX = (640, 480)
BASE = "doorward/hq/front"
OWNER_BOX, STRANGER_BOX = (120.0, 160.0, 90.0, 90.0), (420.0, 160.0, 90.0, 90.0)


def chequered(box: tuple[float, float, float, float], pixels: np.ndarray) -> None:
    """A face of fine black and white squares: what is hidden of it turns grey."""
    x, y, wide, high = map(int, box)
    squares = (np.add.outer(np.arange(high) // 6, np.arange(wide) // 6) % 2 * 255).astype(np.uint8)
    pixels[y : y + high, x : x + wide] = squares[..., None]


def contrast(picture: np.ndarray, box: tuple[float, float, float, float]) -> float:
    """How far neighbours differ within the middle of a box: some 100 for squares, next to nothing where they are hidden."""
    x, y, wide, high = map(int, box)
    part = cv2.cvtColor(picture[y + 10 : y + high - 10, x + 10 : x + wide - 10], cv2.COLOR_BGR2GRAY)
    return float(part.std())


def face(track: int, box: tuple[float, float, float, float]) -> FaceSeen:
    return FaceSeen(track=track, box_px=box, score=0.9, quality=0.9, first_seen_s=0.0, embedding=b"\1" * 64)


class Scene(threading.Thread):
    """Vision: a frame 15 times a second, with two faces in it and what was seen of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.writer = ViewWriter(folder)
        self.faces = {1: OWNER_BOX, 2: STRANGER_BOX}
        self.found = {1, 2}
        """Tracks that vision finds."""
        self._over = threading.Event()
        self.shown_wanted = 0
        """Frames that somebody wanted."""

    def run(self) -> None:
        while not self._over.wait(1 / 15):
            now_s = time.monotonic()
            pixels = np.full((FRAME_PX[1], FRAME_PX[0], 3), 60, np.uint8)
            for box in self.faces.values():
                chequered(box, pixels)
            seen = Observation(frame=0, taken_s=now_s, frame_px=FRAME_PX, embedder_id="e", engine="", chain_ms=1.0,
                               faces=tuple(face(track, self.faces[track]) for track in self.found))  # fmt: skip
            self.writer.show(pixels, now_s, seen, None, now_s)
            self.shown_wanted = self.writer._number

    def stop(self) -> None:
        self._over.set()
        self.join()
        self.writer.close()


class MediaHouse:
    """`open`, play, `close`."""

    def __init__(self, folder: Path, live: str = "", *, records: bool = False) -> None:
        self.folder, self.run = folder, folder / "run"
        self.run.mkdir()
        self.broker = Broker("mosquitto", folder)
        config = folder / "door.toml"
        files = f'[records]\nfolder = "{folder}/records"\ncentre_key = "{folder}/centre.pub"\n' if records else ""
        board = '[board]\npins = "sim"\nrig = "none"'
        config.write_text(
            f'site = "hq"\ndoor = "front"\nrun_folder = "{self.run}"\n{board}\n{files}[link]\nport = {self.broker.port}\n[live]\n{live}\n'
        )
        self.media = Process([sys.executable, "-m", "agent.cli", "media", "--config", str(config)], folder / "media.log")
        self.scene = Scene(self.run)
        self.door = Receiver(live_folder(self.run) / NEWS_SOCKET)
        self.to_media = Sender(live_folder(self.run) / MEDIA_SOCKET)
        self.news: list[LiveNews] = []
        self.heard: dict[str, Any] = {}
        self._centre = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)

    def open(self) -> None:
        self.broker.start()
        self._centre.on_message = lambda client, data, message: self._hear(message)
        self._centre.on_connect = lambda client, *_: client.subscribe([(f"{BASE}/rtc/+/answer", 1), (f"{BASE}/rtc/+/bye", 1)])
        self._centre.connect("127.0.0.1", self.broker.port)
        self._centre.loop_start()
        self.scene.start()
        try:
            self.start_media()
        except BaseException:
            self.close()  # whoever failed to open a house has none to close
            raise

    def start_media(self) -> None:
        before = self._connections()
        self.media.start()
        wait_until(lambda: self._connections() > before, 60, "media does not connect")

    def _connections(self) -> int:
        return self.media.log.read_text("utf-8").count("link connected") if self.media.log.exists() else 0

    def close(self) -> None:
        self._centre.loop_stop()
        self.media.kill()
        self.broker.kill()
        self.scene.stop()
        self.door.close()
        self.to_media.close()

    # -- the door -------------------------------------------------------------------------------------------------------------

    def alert(self, track: int | None) -> None:
        self.to_media.send(
            encode(Alerted(event_id="e-1", kind="access.denied", at_s=time.monotonic(), face=track, sentence="not the owner"))
        )

    def told(self, kind: str) -> list[dict[str, Any]]:
        """What media has put on record."""
        self.news += [decode_news(raw) for raw in self.door.drain()]
        return [news.data for news in self.news if news.kind == kind]

    # -- the centre -----------------------------------------------------------------------------------------------------------

    def _hear(self, message: mqtt.MQTTMessage) -> None:
        self.heard[message.topic.removeprefix(f"{BASE}/rtc/")] = msgspec.json.decode(message.payload)

    def publish(self, topic: str, payload: bytes, retain: bool = False, room: str = "rtc") -> None:
        self._centre.publish(f"{BASE}/{room}/{topic}", payload, qos=1, retain=retain)

    def offer(self, sdp: str, session: str = "", age_s: float = 0.0, retain: bool = False, **more: Any) -> str:
        session = session or str(uuid.uuid4())
        issued = datetime.now(timezone.utc) - timedelta(seconds=age_s)
        told = {
            "sdp": sdp,
            "who": "guard-1",
            "why": "alert 17",
            "issued": issued,
            "expires": issued + timedelta(seconds=10),
            **more,
        }
        self.publish(f"{session}/offer", msgspec.json.encode(told), retain)
        return session

    async def answer(self, session: str, timeout_s: float = 40.0) -> dict[str, Any]:
        until_s = time.monotonic() + timeout_s
        while (found := self.heard.get(f"{session}/answer")) is None:
            assert time.monotonic() < until_s, f"no answer; see {self.media.log}:\n{self.media.log.read_text('utf-8')}"
            await asyncio.sleep(0.01)
        return dict(found)


class Voice(MediaStreamTrack):
    """What somebody at a browser says: a tone."""

    kind = "audio"

    def __init__(self, hz: float) -> None:
        super().__init__()
        self._hz, self._said, self._began_s = hz, 0, time.monotonic()

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(max(0.0, self._began_s + self._said / RATE_HZ - time.monotonic()))
        frame = AudioFrame.from_ndarray(tone(self._hz, PIECE_SAMPLES, self._said).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._said, Fraction(1, RATE_HZ)
        self._said += PIECE_SAMPLES
        return frame


def tone(hz: float, count: int, start: int = 0) -> np.ndarray:
    return np.round(12000 * np.sin(2 * np.pi * hz * (np.arange(count) + start) / RATE_HZ)).astype(np.int16)


def strength(samples: np.ndarray, hz: float) -> float:
    """How much of a second of sound is this tone: near 1 for it alone, near 0 for another or none."""
    newest = samples[-RATE_HZ:].astype(float)
    power = float(np.sum(newest**2)) or 1.0
    wave = np.exp(-2j * np.pi * hz * np.arange(len(newest)) / RATE_HZ)
    return float(2 * abs(np.sum(newest * wave)) ** 2 / len(newest) / power) if len(newest) else 0.0


class Browser:
    """A real WebRTC peer that watches."""

    def __init__(self, house: MediaHouse | None = None, voice_hz: float = 0.0, servers: Sequence[RTCIceServer] = ()) -> None:
        self.house = house
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=list(servers)))
        self.pictures = 0
        self.picture: np.ndarray | None = None
        self.said: list[dict[str, Any]] = []
        self.channel = self.peer.createDataChannel("doorward")
        self.channel.on("message", lambda raw: self.said.append(msgspec.json.decode(raw)))
        self.peer.addTransceiver("video", direction="recvonly")
        if voice_hz:
            self.peer.addTransceiver(Voice(voice_hz), direction="sendrecv")
        self.heard = np.zeros(0, np.int16)
        self.peer.on("track", self._take)
        self.session = ""
        self._readers: list[asyncio.Task[None]] = []

    async def watch(self, **more: Any) -> dict[str, Any]:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        assert self.house is not None
        self.session = self.house.offer(self.peer.localDescription.sdp, **more)
        answer = await self.house.answer(self.session)
        if answer["ok"]:
            await self.peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        return answer

    def _take(self, track: Any) -> None:
        self._readers.append(asyncio.ensure_future(self._read(track) if track.kind == "video" else self._listen(track)))

    async def _read(self, track: Any) -> None:
        try:
            while True:
                frame = await track.recv()
                self.picture = frame.to_ndarray(format="bgr24")
                self.pictures += 1
        except MediaStreamError:
            return

    async def _listen(self, track: Any) -> None:
        try:
            while True:
                frame = await track.recv()
                left = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
                self.heard = np.concatenate([self.heard, left])[-4 * RATE_HZ :]
        except MediaStreamError:
            return

    async def sees(self, what: Any, complaint: str, timeout_s: float = 40.0) -> None:
        """Wait until what it sees is so."""
        until_s = time.monotonic() + timeout_s
        while self.picture is None or not what(self.picture):
            assert time.monotonic() < until_s, f"{complaint}; {self.pictures} pictures"
            await asyncio.sleep(0.02)

    async def hears(self, key: str, what: Any = lambda told: True, timeout_s: float = 40.0) -> Any:
        """The newest of what the door said under a key, once it is so."""
        until_s = time.monotonic() + timeout_s
        while not (found := [told[key] for told in self.said if key in told and what(told[key])]):
            assert time.monotonic() < until_s, f"never heard {key}: {self.said[-3:]}"
            await asyncio.sleep(0.02)
        return found[-1]

    async def vanish(self) -> None:
        """As a telephone that has lost its network: not a word any more."""
        video = self.peer.getTransceivers()[0]
        await video.receiver.transport.transport._connection.close()

    async def close(self) -> None:
        for reader in self._readers:
            reader.cancel()
        await self.peer.close()
