"""One browser that watches: its peer connection, its data channel, and when it has gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timezone
from typing import Any

import msgspec
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.stats import RTCRemoteInboundRtpStreamStats
from msgspec import Struct

from agent.clock import Clock
from agent.media.hardware import EncodedTrack
from agent.media.intercom import DoorSound, Intercom, play_track
from agent.media.offers import Invited
from agent.media.overlay import encode
from agent.media.screening import Look, Screening
from agent.media.tracks import LiveTrack

log = logging.getLogger(__name__)

OVERLAY_EVERY_S = 0.2
MOST_BUFFERED = 64 * 1024
"""Bytes: a browser that does not read the overlay gets no more of it."""
MOST_WISH = 512
CONNECT_S = 20.0
SILENT_S = 6.0
"""A browser reports about every second what it received; without a report for so long it has gone."""

CODECS = {"vp8": "video/VP8", "h264": "video/H264"}


class Wish(Struct, frozen=True, kw_only=True):
    """What a viewer's browser asks for over the data channel."""

    follow: bool | None = None
    """Show the person concerned, or the whole frame."""
    talk: bool | None = None
    """Take the word, or give it back."""


class Encoding(Struct, frozen=True, kw_only=True):
    """How pictures are made small."""

    codec: str
    """`vp8` or `h264`: the preferred one."""
    frames_per_s: float
    hardware: str = ""
    """FFmpeg's name of an encoder of H.264 in hardware (agent.media.hardware); empty: none, or none is wanted."""


def preferred(codec: str) -> list[Any]:
    """Codecs of a transceiver, the wanted one first. The others stay: a browser that lacks it must still see."""
    known = RTCRtpSender.getCapabilities("video").codecs
    return sorted(known, key=lambda each: each.mimeType != CODECS[codec])


def only_h264() -> list[Any]:
    """For packets that are H.264 already: nothing else can carry them."""
    known = RTCRtpSender.getCapabilities("video").codecs
    return [each for each in known if each.mimeType in (CODECS["h264"], "video/rtx")]


class Viewer:
    """`answer`, then `turn` now and then, and `close`."""

    def __init__(
        self,
        invited: Invited,
        screening: Screening,
        intercom: Intercom,
        clock: Clock,
        encoding: Encoding,
        on_wish: Callable[[Viewer, Wish], None],
    ) -> None:
        self.session, self.offer = invited.session, invited.offer
        self._screening, self._intercom, self._clock, self._encoding, self._on_wish = (
            screening,
            intercom,
            clock,
            encoding,
            on_wish,
        )
        self.follow = True
        self.since_s = clock.mono_s()
        self._overlay_due_s = 0.0
        self._channel: RTCDataChannel | None = None
        self._connected_s: float | None = None
        # An empty list, not None: that would be aiortc's default, a public STUN server
        servers = [RTCIceServer(list(ice.urls), ice.username or None, ice.credential or None) for ice in self.offer.ice]
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._track = self._track_for(LiveTrack(screening, self._look))
        self._sound = DoorSound(intercom, self.session)
        self._voice: asyncio.Task[None] | None = None
        screening.watch()
        self._open = True

    def _look(self) -> Look:
        return Look(self.offer.unmask, self.follow)

    def _track_for(self, pictures: LiveTrack) -> LiveTrack | EncodedTrack:
        """In hardware, where there is some and the browser takes H.264."""
        if not self._encoding.hardware or "H264/90000" not in self.offer.sdp:
            return pictures
        return EncodedTrack(pictures, self._encoding.hardware, self._encoding.frames_per_s)

    @property
    def encoder_fault(self) -> str:
        """Why the hardware encodes no more; empty while it does."""
        return self._track.fault if isinstance(self._track, EncodedTrack) else ""

    async def answer(self) -> str:
        """The description for the browser. Raises whatever aiortc makes of what the browser sent."""
        peer = self._peer
        peer.on("datachannel", self._take_channel)
        # Before the offer is looked at: afterwards preferences come too late, and H.264 silently becomes VP8
        video = peer.addTransceiver(self._track, direction="sendonly")
        video.setCodecPreferences(only_h264() if isinstance(self._track, EncodedTrack) else preferred(self._encoding.codec))
        if self._intercom.is_there and "\nm=audio " in self.offer.sdp:
            peer.addTransceiver(self._sound, direction="sendrecv")
            peer.on("track", self._take_track)
        await peer.setRemoteDescription(RTCSessionDescription(self.offer.sdp, "offer"))
        if not self._intercom.is_there:
            self._refuse_sound()
        await peer.setLocalDescription(await peer.createAnswer())
        return peer.localDescription.sdp

    def _refuse_sound(self) -> None:
        for transceiver in self._peer.getTransceivers():
            if transceiver.kind == "audio":
                transceiver.direction = "inactive"

    # -- while it lasts --------------------------------------------------------------------------------------------------------

    def turn(self, now_s: float) -> None:
        """Send what is to be drawn over the picture."""
        channel = self._channel
        if now_s >= self._overlay_due_s and channel is not None and channel.readyState == "open":
            self._overlay_due_s = now_s + OVERLAY_EVERY_S
            if channel.bufferedAmount < MOST_BUFFERED:
                channel.send(encode({"overlay": self._screening.overlay(self._look())}))

    def tell(self, told: dict[str, Any]) -> None:
        """Something for the browser, if it listens."""
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.send(encode(told))

    def tell_talker(self) -> None:
        """Who talks with the door now."""
        talker = self._intercom.talker
        mine = talker is not None and talker.session == self.session
        self.tell({"talk": {"possible": self._intercom.is_there, "who": talker.who if talker is not None else "", "yours": mine}})

    async def why_gone(self, now_s: float) -> str:
        """Why this viewer is to be closed; empty while it watches."""
        if self.encoder_fault:
            return "the encoder failed"
        state = self._peer.connectionState
        if state in ("failed", "closed"):
            return "the connection was lost"
        if state != "connected":
            return "never connected" if now_s - self.since_s > CONNECT_S else ""
        if self._connected_s is None:
            self._connected_s = now_s
        return "the browser went silent" if now_s - self._connected_s > SILENT_S and await self._silence_s() > SILENT_S else ""

    async def _silence_s(self) -> float:
        """For how long the browser has not reported what it received."""
        report = await self._peer.getStats()
        heard = [stats.timestamp for stats in report.values() if isinstance(stats, RTCRemoteInboundRtpStreamStats)]
        if not heard:
            return float("inf")
        newest = max(at if at.tzinfo else at.replace(tzinfo=timezone.utc) for at in heard)
        return (self._clock.wall() - newest).total_seconds()

    async def close(self) -> None:
        """End it. May be called twice."""
        if self._open:
            self._open = False
            self._screening.leave()
            self._track.stop()
            self._sound.stop()
            if self._voice is not None:
                self._voice.cancel()
            await asyncio.wait_for(self._peer.close(), 5.0)

    # -- from the browser ------------------------------------------------------------------------------------------------------

    def _take_channel(self, channel: RTCDataChannel) -> None:
        if self._channel is None:
            self._channel = channel
            channel.on("message", self._take_message)
            self.tell({"hello": {"who": self.offer.who, "unmasked": self.offer.unmask}})
            self.tell_talker()

    def _take_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self._voice is None:
            self._voice = asyncio.ensure_future(play_track(track, self._intercom, self.session))

    def _take_message(self, message: str | bytes) -> None:
        if len(message) > MOST_WISH:
            return
        try:
            wish = msgspec.json.decode(message, type=Wish)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return
        if wish.follow is not None:
            self.follow = wish.follow
        self._on_wish(self, wish)
