"""Somebody watches a door: the media program as a process, a real WebRTC peer, a real Mosquitto between them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media.media_house import OWNER_BOX, STRANGER_BOX, Browser, MediaHouse, contrast
from tests.system.brokers import wait_until

pytestmark = pytest.mark.system

CLEAR, HIDDEN = 60.0, 30.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MediaHouse]:
    made = MediaHouse(tmp_path_factory.mktemp("live"), "viewers = 2\nframes_per_s = 15.0")
    made.open()
    yield made
    made.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[MediaHouse]:
    """Where nobody has watched before."""
    made = MediaHouse(tmp_path, "frames_per_s = 15.0")
    made.open()
    yield made
    made.close()


def is_clear(box):
    return lambda picture: contrast(picture, box) > CLEAR


def is_hidden(box):
    return lambda picture: contrast(picture, box) < HIDDEN


def test_a_guard_sees_the_door_and_no_face_until_somebody_is_concerned(own):
    asyncio.run(_a_guard_watches(own))


async def _a_guard_watches(house: MediaHouse) -> None:
    assert house.scene.writer._mapping is None, "frames lie in memory though nobody watches"
    browser = Browser(house)
    await browser.watch()
    await browser.sees(
        lambda p: is_hidden(OWNER_BOX)(p) and is_hidden(STRANGER_BOX)(p) and p.mean() > 40, "a face is shown unasked"
    )
    overlay = await browser.hears("overlay", lambda told: len(told["faces"]) == 2)
    assert {each["subject"] for each in overlay["faces"]} == {False}
    assert b"embedding" not in repr(overlay).encode()
    browser.channel.send('{"follow": false}')
    house.alert(1)
    await browser.sees(lambda p: is_clear(OWNER_BOX)(p) and is_hidden(STRANGER_BOX)(p), "the person concerned is not shown alone")
    browser.channel.send('{"follow": true}')
    await browser.sees(lambda p: is_hidden(OWNER_BOX)(p) or not is_clear(STRANGER_BOX)(p), "the picture follows nobody")
    house.publish(f"{browser.session}/bye", b'{"by": "guard-1"}')
    wait_until(lambda: bool(house.told("live.ended")), 40, "the end of a session is not on record")
    assert house.told("live.started")[0] | {"session": ""} == {
        "session": "",
        "who": "guard-1",
        "why": "alert 17",
        "unmasked": False,
    }
    assert house.told("live.ended")[0]["reason"] == "left"
    await browser.close()
    wait_until(lambda: not (house.run / "view" / "frames").exists(), 40, "the frames stay in memory when nobody watches any more")


def test_whoever_may_sees_all_faces_and_that_is_on_record(house):
    async def play() -> None:
        browser = Browser(house)
        await browser.watch(unmask=True, why="identify the second person")
        await browser.sees(lambda p: is_clear(OWNER_BOX)(p) and is_clear(STRANGER_BOX)(p), "unmasking shows nothing more")
        assert any(told["unmasked"] for told in house.told("live.started"))
        house.publish(f"{browser.session}/bye", b"{}")
        wait_until(lambda: f"{browser.session}/bye" in house.heard, 40, "the door does not say goodbye")
        await browser.close()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"age_s": 60.0}, "stale"),
        ({"age_s": -60.0}, "not_yet_valid"),
        ({"expires": "2099-01-01T00:00:00Z"}, "too_long_lived"),
        ({"why": ""}, "malformed"),
    ],
)
def test_an_offer_that_is_not_of_now_is_refused_with_a_sentence(house, changes, reason):
    session = house.offer("v=0 m=video whatever", **changes)
    answer = asyncio.run(house.answer(session))
    assert (answer["ok"], answer["reason"]) == (False, reason)
    assert answer["sentence"]


def test_a_description_that_is_none_is_refused_and_the_program_goes_on(house):
    answer = asyncio.run(house.answer(house.offer("this is no description of anything")))
    assert (answer["ok"], answer["reason"]) == (False, "unreadable_sdp")
    assert asyncio.run(house.answer(house.offer("v=0 m=video again")))["reason"] == "unreadable_sdp"


def test_a_retained_or_repeated_offer_opens_no_eye(house):
    async def play() -> None:
        browser = Browser(house)
        await browser.watch()
        await browser.sees(lambda p: True, "no picture")
        sdp = browser.peer.localDescription.sdp
        del house.heard[f"{browser.session}/answer"]
        house.offer(sdp, session=browser.session)
        retained = house.offer(sdp, session="kept-by-the-broker", retain=True)
        house.media.kill()  # the retained one comes with the new connection, as one
        house.start_media()
        later = await house.answer(house.offer("after that"))
        assert later["reason"] in ("unreadable_sdp", "issued_before_start")
        assert f"{browser.session}/answer" not in house.heard
        assert house.media.log.read_text("utf-8").count("reason=retained") == 1
        house.publish(f"{retained}/offer", b"", retain=True)
        await browser.close()

    asyncio.run(play())


def test_no_more_may_watch_than_the_door_can_serve(house):
    async def play() -> None:
        watching = [Browser(house) for _ in range(3)]
        answers = [await browser.watch() for browser in watching]
        assert [answer["ok"] for answer in answers] == [True, True, False]
        assert answers[2]["reason"] == "too_many_viewers"
        for browser in watching[:2]:
            await browser.sees(lambda p: True, "one of two sees nothing")
        for browser in watching:
            house.publish(f"{browser.session}/bye", b"{}")
            await browser.close()
        wait_until(lambda: f"{watching[1].session}/bye" in house.heard, 40, "no goodbye")

    asyncio.run(play())


def test_a_viewer_who_vanishes_is_noticed_and_closed(house):
    async def play() -> None:
        browser = Browser(house)
        await browser.watch()
        await browser.sees(lambda p: True, "no picture")
        await browser.vanish()
        ended = len(house.told("live.ended"))
        until = asyncio.get_running_loop().time() + 40
        while len(house.told("live.ended")) == ended and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.1)
        assert house.told("live.ended")[-1]["reason"] in ("the browser went silent", "the connection was lost")
        await browser.close()

    asyncio.run(play())


def test_without_vision_the_picture_goes_and_does_not_stand_still(own):
    async def play() -> None:
        browser = Browser(own)
        await browser.watch(unmask=True)
        await browser.sees(is_clear(OWNER_BOX), "no picture")
        own.scene.stop()
        await browser.sees(is_hidden(OWNER_BOX), "the last picture stands as if it were now")
        await browser.close()

    asyncio.run(play())
