"""Encoding by hardware, with libx264 in its place: the way from a picture through packets to a browser is the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from aiortc import RTCSessionDescription
from av import CodecContext, VideoFrame
from av.error import FFmpegError

from agent.clock import SystemClock
from agent.media.hardware import Encoder, found_encoder
from agent.media.intercom import Intercom
from agent.media.offers import Invited, Offer
from agent.media.screening import Screening
from agent.media.tracks import CLOCK_HZ, TIME_BASE
from agent.media.viewer import Encoding, Viewer
from agent.shared_view import ViewReader
from tests.media.media_house import OWNER_BOX, Browser, Scene, contrast


def picture(at_s: float) -> VideoFrame:
    """Somebody walks by."""
    pixels = np.full((120, 160, 3), 90, np.uint8)
    pixels[40:60, 20 + round(at_s * 10) : 40 + round(at_s * 10)] = 200
    frame = VideoFrame.from_ndarray(pixels, format="bgr24")
    frame.pts, frame.time_base = round(at_s * CLOCK_HZ), TIME_BASE
    return frame


def test_there_is_a_key_frame_each_second_so_that_nobody_waits_longer():
    encoder = Encoder("libx264", (160, 120), 12.0)
    packets = [packet for number in range(60) for packet in encoder.encode(picture(number / 12))]
    keys = [float(packet.pts * packet.time_base) for packet in packets if packet.is_keyframe]
    assert keys[0] == 0.0
    assert 4 <= len(keys) <= 6
    assert max(b - a for a, b in pairwise(keys)) <= 1.1
    decoder = CodecContext.create("h264", "r")
    assert sum(len(decoder.decode(packet)) for packet in packets) >= 58


def test_hardware_that_is_not_there_is_not_used():
    """This machine has none of the encoders, or one that works."""
    name = found_encoder()
    assert name == "" or Encoder(name, (640, 480), 12.0)
    with pytest.raises((FFmpegError, OSError, ValueError)):
        Encoder("no_such_encoder", (640, 480), 12.0)


@asynccontextmanager
async def watching(folder: Path, hardware: str) -> AsyncIterator[tuple[Viewer, Browser]]:
    """A viewer of a scene in this process."""
    clock = SystemClock()
    screening = Screening(ViewReader(folder), clock.mono_s, 12.0, 640, False)
    intercom = Intercom(None, None, clock.mono_s, lambda kind, **data: None)
    scene, browser = Scene(folder), Browser()
    scene.start()
    task = asyncio.create_task(screening.run())
    await browser.peer.setLocalDescription(await browser.peer.createOffer())
    now = datetime.now(timezone.utc)
    offer = Offer(
        sdp=browser.peer.localDescription.sdp, who="ada", why="test", issued=now, expires=now + timedelta(seconds=9), unmask=True
    )
    encoding = Encoding(codec="vp8", frames_per_s=12.0, hardware=hardware)
    viewer = Viewer(Invited("session-1", offer), screening, intercom, clock, encoding, lambda viewer, wish: None)
    try:
        await browser.peer.setRemoteDescription(RTCSessionDescription(await viewer.answer(), "answer"))
        yield viewer, browser
    finally:
        await viewer.close()
        await browser.close()
        task.cancel()
        scene.stop()


@pytest.mark.system
def test_a_browser_sees_what_such_an_encoder_makes(tmp_path):
    async def play() -> None:
        async with watching(tmp_path, "libx264") as (viewer, browser):
            await browser.sees(lambda seen: contrast(seen, OWNER_BOX) > 60, "no picture through packets")
            before = browser.pictures
            until_s = time.monotonic() + 40
            while browser.pictures < before + 15:
                assert time.monotonic() < until_s, "the pictures stop"
                await asyncio.sleep(0.05)
            assert viewer.encoder_fault == ""
            assert "VP8" not in browser.peer.remoteDescription.sdp

    asyncio.run(play())


@pytest.mark.system
def test_an_encoder_that_fails_ends_the_session_with_a_reason(tmp_path):
    async def play() -> None:
        async with watching(tmp_path, "no_such_encoder") as (viewer, _):
            until_s = time.monotonic() + 40
            while not (reason := await viewer.why_gone(time.monotonic())):
                assert time.monotonic() < until_s, "nobody notices"
                await asyncio.sleep(0.05)
            assert reason == "the encoder failed"
            assert "no_such_encoder" in viewer.encoder_fault

    asyncio.run(play())
