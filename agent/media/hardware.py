"""Encoding by the board's own hardware, where FFmpeg finds some; found out by trying, at the start.

aiortc's encoders are libvpx and libx264. It also takes what is encoded already, so pictures go through FFmpeg's encoder here and on as
packets. A viewer's wish for a key frame does not reach an encoder on this way, so there is one each second: who joins, or lost a packet,
waits no longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import CodecContext, Packet, VideoCodecContext, VideoFrame
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.stream import VideoStream

from agent.media.tracks import CLOCK_HZ, TIME_BASE, LiveTrack

if TYPE_CHECKING:
    VideoPacket: TypeAlias = Packet[VideoStream]

log = logging.getLogger(__name__)

ENCODERS = ("h264_v4l2m2m",)
"""Video4Linux's, of the Raspberry Pi 4 and its like. A Raspberry Pi 5 has none; those of NVIDIA need a driver that PyAV's wheels lack."""
BITS_PER_S = 1_000_000
KEY_EVERY_S = 1.0


def found_encoder() -> str:
    """The name of an encoder that encodes a picture here; empty where there is none."""
    for name in ENCODERS:
        try:
            encoder = Encoder(name, (640, 480), 12.0)
            frame = VideoFrame.from_ndarray(np.zeros((480, 640, 3), np.uint8), format="bgr24")
            frame.pts, frame.time_base = 0, TIME_BASE
            encoder.encode(frame)
        except (FFmpegError, OSError, ValueError) as error:
            log.info("media encoder=%s is not there: %s", name, error)
            continue
        log.info("media encoder=%s", name)
        return name
    return ""


class Encoder:
    """One stream of H.264, through FFmpeg's encoder of this name."""

    def __init__(self, name: str, size_px: tuple[int, int], frames_per_s: float) -> None:
        """Raises FFmpegError or OSError where there is no such device."""
        codec = CodecContext.create(name, "w")
        if not isinstance(codec, VideoCodecContext):
            raise ValueError(f"{name} encodes no video")  # noqa: TRY004 - a name that is not what was meant, as another unknown one
        self.size_px = size_px
        codec.width, codec.height = size_px
        codec.pix_fmt, codec.bit_rate = "yuv420p", BITS_PER_S
        codec.framerate, codec.time_base = Fraction(round(frames_per_s)), TIME_BASE
        codec.gop_size, codec.max_b_frames = round(frames_per_s * KEY_EVERY_S), 0
        if name == "libx264":
            codec.options = {"tune": "zerolatency", "level": "31"}
        with contextlib.suppress(ValueError):  # an encoder that names no profiles has its own
            codec.profile = "Baseline"
        codec.open()
        self._codec, self._key_s = codec, float("-inf")

    def encode(self, frame: VideoFrame) -> list[VideoPacket]:
        """What this picture adds to the stream: mostly one packet; none while the hardware fills its queue."""
        at_s = (frame.pts or 0) / CLOCK_HZ
        is_due = at_s - self._key_s >= KEY_EVERY_S
        if is_due:
            self._key_s = at_s
        picture = frame.reformat(format="yuv420p")
        picture.pts, picture.time_base = frame.pts, TIME_BASE
        picture.pict_type = PictureType.I if is_due else PictureType.NONE
        return self._codec.encode(picture)


class EncodedTrack(MediaStreamTrack):
    """The pictures of a LiveTrack as packets of H.264."""

    kind = "video"

    def __init__(self, pictures: LiveTrack, encoder: str, frames_per_s: float) -> None:
        super().__init__()
        self._pictures, self._name, self._frames_per_s = pictures, encoder, frames_per_s
        self._encoder: Encoder | None = None
        self._ready: deque[VideoPacket] = deque()
        self.fault = ""

    async def recv(self) -> VideoPacket:
        while not self._ready:
            frame = await self._pictures.recv()
            try:
                self._ready += await asyncio.to_thread(self._encode, frame)
            except (FFmpegError, OSError, ValueError) as error:
                self.fault = f"{self._name}: {error}"
                log.error("media encoder failed %s", self.fault)
                raise MediaStreamError from error
        return self._ready.popleft()

    def _encode(self, frame: VideoFrame) -> list[VideoPacket]:
        size_px = (frame.width, frame.height)
        if self._encoder is None or self._encoder.size_px != size_px:
            self._encoder = Encoder(self._name, size_px, self._frames_per_s)
        return self._encoder.encode(frame)

    def stop(self) -> None:
        self._pictures.stop()
        super().stop()
