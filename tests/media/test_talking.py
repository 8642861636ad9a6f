"""Talking with whoever is at the door: real Opus over a real connection; the microphone and the loudspeaker are files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hw.sound import RATE_HZ
from tests.media.media_house import Browser, MediaHouse, strength, tone
from tests.system.brokers import wait_until

pytestmark = pytest.mark.system

AT_DOOR_HZ, GUARD_HZ, OTHER_HZ = 440.0, 1000.0, 1600.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[MediaHouse]:
    (tmp_path / "at-the-door.raw").write_bytes(tone(AT_DOOR_HZ, RATE_HZ).tobytes())
    made = MediaHouse(tmp_path, f'microphone = "sim:{tmp_path}/at-the-door.raw"\nspeaker = "sim:{tmp_path}/speaker.raw"')
    made.open()
    yield made
    made.close()


async def until(is_so, complaint: str, timeout_s: float = 40.0) -> None:
    end_s = asyncio.get_running_loop().time() + timeout_s
    while not is_so():
        assert asyncio.get_running_loop().time() < end_s, complaint
        await asyncio.sleep(0.05)


def test_the_first_who_presses_talks_and_nobody_else_hears_a_word(house):
    asyncio.run(_talk(house))


async def _talk(house: MediaHouse) -> None:
    speaker = house.folder / "speaker.raw"
    ada, grace = Browser(house, GUARD_HZ), Browser(house, OTHER_HZ)
    await ada.watch(who="ada")
    await grace.watch(who="grace")
    for browser in (ada, grace):
        assert await browser.hears("talk") == {"possible": True, "who": "", "yours": False}
    assert not speaker.exists(), "the loudspeaker is open though nobody talks"
    assert strength(ada.heard, AT_DOOR_HZ) < 0.1, "the microphone is open though nobody talks"
    ada.channel.send('{"talk": true}')
    assert (await ada.hears("talk", lambda told: told["who"] == "ada"))["yours"] is True
    grace.channel.send('{"talk": true}')
    assert (await grace.hears("talk", lambda told: told["who"] == "ada"))["yours"] is False
    await until(lambda: strength(ada.heard, AT_DOOR_HZ) > 0.7, "the guard does not hear the door")
    await until(lambda: strength(played(speaker), GUARD_HZ) > 0.7, "the person at the door does not hear the guard")
    assert strength(played(speaker), OTHER_HZ) < 0.05, "somebody talks who does not have the word"
    assert strength(grace.heard, AT_DOOR_HZ) < 0.1, "somebody listens who does not have the word"
    house.publish(f"{ada.session}/bye", b"{}")
    await grace.hears("talk", lambda told: told["who"] == "" and told["possible"], 10)
    await until(lambda: bool(house.told("live.talk_ended")), "the end of a talk is not on record")
    assert house.told("live.talk_began") == [{"session": ada.session, "who": "ada"}]
    grace.channel.send('{"talk": true}')
    assert (await grace.hears("talk", lambda told: told["who"] == "grace"))["yours"] is True
    await until(lambda: strength(played(speaker), OTHER_HZ) > 0.7, "whoever has the word next is not heard")
    await ada.close()
    await grace.close()


def played(speaker: Path) -> np.ndarray:
    """What the loudspeaker has played."""
    return np.frombuffer(speaker.read_bytes(), np.int16) if speaker.exists() else np.zeros(0, np.int16)


def test_a_microphone_that_is_broken_is_told_and_the_picture_stays(tmp_path):
    house = MediaHouse(tmp_path, f'microphone = "sim:{tmp_path}/no-such-file"')
    house.open()

    async def play() -> None:
        browser = Browser(house, GUARD_HZ)
        await browser.watch()
        await browser.hears("talk")
        browser.channel.send('{"talk": true}')
        await until(lambda: bool(house.told("live.fault")), "nobody is told")
        before = browser.pictures
        await until(lambda: browser.pictures > before + 5, "the picture stops with the sound")
        await browser.close()

    try:
        asyncio.run(play())
        assert "no-such-file" in house.told("live.fault")[0]["error"]
    finally:
        house.close()


def test_a_door_without_sound_says_so(tmp_path):
    house = MediaHouse(tmp_path)
    house.open()

    async def play() -> None:
        browser = Browser(house, GUARD_HZ)
        await browser.watch()
        assert (await browser.hears("talk"))["possible"] is False
        browser.channel.send('{"talk": true}')
        await browser.sees(lambda picture: True, "no picture")
        assert [t.currentDirection for t in browser.peer.getTransceivers() if t.kind == "audio"] == ["inactive"]
        wait_until(lambda: house.told("live.talk_began") == [], 1, "a talk began at a door without sound")
        await browser.close()

    try:
        asyncio.run(play())
    finally:
        house.close()
