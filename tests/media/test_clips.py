"""A short film of an alert: before and after it, bystanders hidden for good, sealed on the door, sent when the centre asks."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from nacl.public import PrivateKey
from sqlalchemy import insert

from agent.core.live import FaceBox, Sight
from agent.media.clips import SUFFIX, Clip, ClipHead, ClipRing, ClipStore, film_of
from agent.media.veil import Subject
from agent.shared_view import Glance
from central.database.engine import writing
from central.database.tables_events import EVENTS
from central.gateway.asking import Caller
from tests.central.live.test_live_desk import GUARD, Centre, refused
from tests.media.media_house import OWNER_BOX, STRANGER_BOX, MediaHouse, chequered, contrast
from tests.system.brokers import wait_until

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)
BASE_S = NOW.timestamp()


def glance(at_s: float) -> Glance:
    pixels = np.full((480, 640, 3), 60, np.uint8)
    for box in (OWNER_BOX, STRANGER_BOX):
        chequered(box, pixels)
    return Glance(pixels, Sight(taken_s=at_s, frame_px=(640, 480), faces=(FaceBox(1, OWNER_BOX), FaceBox(2, STRANGER_BOX))))


def pictures(film: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(film)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def test_the_ring_holds_the_last_seconds_at_its_own_pace():
    ring = ClipRing(5.0)
    for number in range(150):
        ring.take(glance(number / 15))
    kept = ring.between(0.0, 99.0)
    times = [each.sight.taken_s for each in kept]
    assert 4.7 <= times[-1] - times[0] <= 5.1
    assert 25 <= len(kept) <= 40
    assert [each.sight.taken_s for each in ring.between(8.0, 9.0)] == [at for at in times if 8.0 <= at <= 9.0]


def test_the_film_shows_the_person_concerned_and_hides_the_other_in_every_frame():
    ring = ClipRing(5.0)
    for number in range(30):
        ring.take(glance(number / 6))
    seen = pictures(film_of(ring.between(0, 9), Subject(face=1), 640))
    assert len(seen) == len(ring.between(0, 9))
    assert min(contrast(picture, OWNER_BOX) for picture in seen) > 60
    assert max(contrast(picture, STRANGER_BOX) for picture in seen) < 30


def clip(event: str) -> Clip:
    return Clip(head=ClipHead(site="hq", door="front", event=event, made=NOW, seconds=1.0, frames=6), film=b"a film of somebody")


def test_what_lies_on_the_door_can_be_opened_by_the_centre_alone_and_is_few_and_not_old(tmp_path):
    store = ClipStore(tmp_path / "clips", PrivateKey.generate().public_key, most=3, longest_s=3600.0)
    for number in range(5):
        store.keep(clip(f"event-{number}"))
        os.utime(tmp_path / "clips" / f"event-{number}{SUFFIX}", (number * 1000.0 + BASE_S,) * 2)
        store.prune(number * 1000.0 + BASE_S)
    assert sorted(path.stem for path in (tmp_path / "clips").iterdir()) == ["event-2", "event-3", "event-4"]
    assert all(
        b"somebody" not in path.read_bytes() and path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "clips").iterdir()
    )
    store.prune(BASE_S + 6500.0)
    assert sorted(path.stem for path in (tmp_path / "clips").iterdir()) == ["event-3", "event-4"]
    assert store.sealed("../door") is None
    with pytest.raises(ValueError, match="no file name"):
        store.keep(clip("../../etc/passwd"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[MediaHouse, Centre]]:
    (tmp_path / "centre").mkdir()
    house = MediaHouse(tmp_path, "clips = true\nclip_before_s = 2.0\nclip_after_s = 1.0", records=True)
    centre = Centre(tmp_path / "centre", house.broker.port)
    (tmp_path / "centre.pub").write_text(bytes(centre.key.verify_key).hex())
    house.open()
    centre.start()
    yield house, centre
    centre.stop()
    house.close()


def an_event(centre: Centre, event: str) -> int:
    """One that the historian has committed."""
    row = {"site": "hq", "door": "front", "journal": "j", "sequence": 1, "id": event, "kind": "access.denied", "at": NOW, "received": NOW,
           "mono_s": 1.0, "data": {}, "person": "", "alert": True}  # fmt: skip
    with writing(centre.engine) as connection:
        return int(connection.execute(insert(EVENTS).values(row)).inserted_primary_key[0])


@pytest.mark.system
def test_an_alerts_clip_is_kept_fetched_on_demand_and_shown_and_each_step_is_on_record(site):
    house, centre = site
    wait_until(lambda: house.scene.shown_wanted > 30, 40, "nothing is kept in memory for the time before an alert")
    house.alert(1)
    wait_until(lambda: bool(house.told("clip.kept")), 40, "no clip of an alert")
    assert house.told("clip.kept")[0]["seconds"] >= 2.0
    n = an_event(centre, "e-1")
    body = {"site": "hq", "door": "front", "event_n": n, "why": "alert 17"}
    refused(lambda: centre.ask("GET", "/clips/{event_n}", GUARD, event_n=str(n)), 404, "no_clip")
    assert centre.ask("POST", "/clips", GUARD, body) == {"state": "here"}
    film = centre.ask("GET", "/clips/{event_n}", GUARD, event_n=str(n))
    assert film.content_type == "video/mp4"
    seen = pictures(film.body)
    assert contrast(seen[-1], OWNER_BOX) > 60
    assert max(contrast(picture, STRANGER_BOX) for picture in seen) < 30
    wait_until(lambda: bool(house.told("clip.sent")), 40, "the door does not know who fetched it")
    assert house.told("clip.sent") == [{"event": "e-1", "who": "ada", "why": "alert 17"}]
    assert centre.record() == [("ada", "clip.asked", "hq/front"), ("ada", "clip.shown", "hq/front")]
    refused(
        lambda: centre.ask("GET", "/clips/{event_n}", Caller("mary", "guard", sites=("lab",)), event_n=str(n)), 404, "no_clip"
    )
    house.media.kill()  # what was fetched is here, whatever becomes of the door
    assert centre.ask("POST", "/clips", GUARD, body) == {"state": "here"}
    refused(lambda: centre.ask("POST", "/clips", GUARD, body | {"event_n": n + 1}), 404, "no_event")


@pytest.mark.system
def test_an_event_without_a_clip_says_so_and_an_old_wish_is_left(site):
    house, centre = site
    n = an_event(centre, "of-another-day")
    body = {"site": "hq", "door": "front", "event_n": n}
    assert centre.ask("POST", "/clips", GUARD, body) == {"state": "none", "sentence": "the door has kept no clip of this event"}
    old = {"event": "e-1", "who": "ada", "issued": "2026-01-01T00:00:00Z", "expires": "2026-01-01T00:00:10Z"}
    house.publish("request-1/want", msgspec.json.encode(old), room="clip")
    wait_until(lambda: "clip wish refused request=request-1" in house.media.log.read_text(), 40, "an old wish was not refused")
