"""Floor plans: what is taken in, what lies where on them, and whose change counts."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from agent.clock import SystemClock
from central.database.engine import open_database, sqlite_url
from central.database.metadata import METADATA
from central.database.tables_places import MAPS
from central.enrolment.picture import pixels_of as enrolment_pixels_of
from central.gateway.asking import Ask, Caller, Endpoint, Reply, Unfit
from central.places.endpoints import endpoints
from central.places.maps import Map, Places
from central.places.picture import KEPT_SIDE_PX, MOST_BYTES, taken_in

MANAGER = Caller(account="ada", role="manager", name="Ada Lovelace")
AT = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)


def drawn(width_px: int = 400, height_px: int = 300, ending: str = ".png", channels: int = 3) -> bytes:
    pixels = np.zeros((height_px, width_px, channels), np.uint8)
    cv2.rectangle(pixels, (20, 20), (width_px - 20, height_px - 20), (255,) * channels, 3)
    return bytes(cv2.imencode(ending, pixels)[1])


def pixels_of(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def status_of(body: bytes) -> int:
    try:
        taken_in(body)
    except Unfit as refused:
        return refused.status
    return 200


class Desk:
    """The endpoints as a browser uses them."""

    def __init__(self, path: Path) -> None:
        engine = open_database(sqlite_url(path / "central.db"))
        METADATA.create_all(engine, [MAPS])
        self._work: dict[tuple[str, str], Endpoint] = {
            (each.method, each.path): each for each in endpoints(Places(engine, SystemClock()), "hq")
        }

    def ask(self, method: str, path: str, number: int = 0, body: bytes = b"", caller: Caller = MANAGER, **query: str) -> Any:
        endpoint = self._work[method, path]
        return endpoint.work(Ask(caller=caller, now=AT, path={"id": str(number)}, query=query, body=body))

    def upload(self, body: bytes | None = None) -> Map:
        made = self.ask("POST", "/maps", body=body or drawn(), name="Ground floor")
        assert isinstance(made, Map)
        return made

    def put(self, number: int, edition: int = 1, **layout: Any) -> Map:
        told = {"name": "Ground floor", "doors": [], "zones": [], "edition": edition, **layout}
        changed = self.ask("PUT", "/maps/{id}", number, msgspec.json.encode(told))
        assert isinstance(changed, Map)
        return changed


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(("ending", "kind"), [(".png", "image/png"), (".jpg", "image/jpeg")])
def test_a_floor_plan_is_taken_in_and_comes_back_as_a_picture_of_the_same_size(desk: Desk, ending: str, kind: str) -> None:
    made = desk.upload(drawn(ending=ending))
    assert (made.width_px, made.height_px, made.site, made.name) == (400, 300, "hq", "Ground floor")
    reply = desk.ask("GET", "/maps/{id}/picture", made.id)
    assert isinstance(reply, Reply)
    assert reply.content_type == kind
    assert pixels_of(reply.body).shape == (300, 400, 3)


def test_what_else_was_in_the_file_is_not_kept() -> None:
    told = drawn(ending=".jpg")
    comment = b"\xff\xfe\x00\x0fhome of Ada!!"
    kept = taken_in(told[:2] + comment + told[2:] + b"<script>")
    assert b"Ada" not in kept.data
    assert b"script" not in kept.data


def test_what_is_transparent_lies_on_white_paper() -> None:
    kept = taken_in(drawn(channels=4))
    pixels = pixels_of(kept.data)
    assert pixels[2, 2].tolist() == [255, 255, 255]


def test_a_plan_of_sixteen_bits_is_kept_with_eight() -> None:
    pixels = np.full((100, 100), 65535, np.uint16)
    kept = taken_in(bytes(cv2.imencode(".png", pixels)[1]))
    assert pixels_of(kept.data)[50, 50].tolist() == [255, 255, 255]


def test_a_plan_larger_than_a_phone_draws_is_made_smaller() -> None:
    kept = taken_in(drawn(6000, 1000))
    assert (kept.width_px, kept.height_px) == (KEPT_SIDE_PX, 683)


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", 415, "SVG"),
        (b"", 415, "PNG"),
        (drawn()[:200], 422, "damaged"),
        (drawn(20, 20), 422, "64 px"),
        (b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0", 422, "40 million"),
        (b"\0" * (MOST_BYTES + 1), 413, "10 MiB"),
    ],
)
def test_what_is_no_fit_picture_is_refused_with_what_is_allowed(desk: Desk, body: bytes, status: int, word: str) -> None:
    with pytest.raises(Unfit, match=word) as refused:
        desk.ask("POST", "/maps", body=body, name="Ground floor")
    assert refused.value.status == status
    assert desk.ask("GET", "/maps") == []


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff", drawn()[:60], drawn(ending=".jpg")[:300]]),
)
def test_any_bytes_are_a_picture_or_clearly_refused(tail: bytes, head: bytes) -> None:
    assert status_of(head + tail) in (200, 413, 415, 422)


def test_a_map_without_a_name_is_refused(desk: Desk) -> None:
    with pytest.raises(Unfit, match="name"):
        desk.ask("POST", "/maps", body=drawn(), name="  ")


def test_doors_and_zones_stay_where_they_were_put(desk: Desk) -> None:
    made = desk.upload()
    doors = [{"site": "hq", "door": "front", "x": 120.5, "y": 80}]
    zones = [{"id": "lobby", "name": "Lobby", "points": [[0, 0], [200, 0], [200, 150]], "doors": ["hq/front"]}]
    desk.put(made.id, doors=doors, zones=zones)
    (found,) = desk.ask("GET", "/maps")
    assert msgspec.to_builtins(found)["doors"] == doors
    assert found.zones[0].points[2] == (200, 150)
    assert (found.edition, found.changed_by) == (2, "ada")


def test_whoever_drew_on_an_older_edition_overwrites_nobody(desk: Desk) -> None:
    made = desk.upload()
    desk.put(made.id, name="Level 0")
    with pytest.raises(Unfit, match="ada changed this map") as refused:
        desk.put(made.id, edition=1, name="Basement")
    assert refused.value.status == 409
    assert desk.ask("GET", "/maps")[0].name == "Level 0"


@pytest.mark.parametrize(
    ("layout", "word"),
    [
        ({"doors": [{"site": "hq", "door": "front", "x": 401, "y": 0}]}, "beside the picture"),
        ({"doors": [{"site": "hq", "door": "front", "x": 1, "y": 1}] * 2}, "twice"),
        ({"zones": [{"id": "a", "name": "A", "points": [[0, 0], [1, 1]]}]}, "length >= 3"),
        ({"zones": [{"id": "a", "name": "", "points": [[0, 0], [1, 1], [2, 0]]}]}, "length >= 1"),
        ({"doors": [{"site": "HQ!", "door": "front", "x": 1, "y": 1}]}, "regex"),
        ({"doors": [{"site": "hq", "door": "front", "x": -1, "y": 1}]}, ">= 0"),
        ({"colour": "red"}, "unknown field"),
    ],
)
def test_what_cannot_lie_on_the_map_is_refused_and_says_why(desk: Desk, layout: dict[str, Any], word: str) -> None:
    made = desk.upload()
    with pytest.raises(Unfit, match=word):
        desk.put(made.id, **layout)
    assert desk.ask("GET", "/maps")[0].edition == 1


def test_a_map_that_was_deleted_is_gone_and_its_number_is_nobody_elses(desk: Desk) -> None:
    made = desk.upload()
    desk.ask("DELETE", "/maps/{id}", made.id)
    for method, path in (("GET", "/maps/{id}/picture"), ("DELETE", "/maps/{id}")):
        with pytest.raises(Unfit) as refused:
            desk.ask(method, path, made.id)
        assert refused.value.status == 404
    assert desk.upload().id != made.id


def test_a_map_of_another_site_is_not_there(desk: Desk) -> None:
    made = desk.upload()
    elsewhere = Caller(account="grace", role="manager", sites=("annex",))
    assert desk.ask("GET", "/maps", caller=elsewhere) == []
    for method, path in (("GET", "/maps/{id}/picture"), ("DELETE", "/maps/{id}")):
        with pytest.raises(Unfit, match="no map"):
            desk.ask(method, path, made.id, caller=elsewhere)
    with pytest.raises(Unfit, match="hq"):
        desk.ask("POST", "/maps", body=drawn(), caller=elsewhere, name="Ground floor")


def test_guards_look_at_maps_and_managers_and_installers_draw_them() -> None:
    told = endpoints(Places(create_engine("sqlite://"), SystemClock()), "hq")
    draws = {each.allowed for each in told if each.method != "GET"}
    assert draws == {frozenset({"manager", "installer"})}
    assert all("guard" in each.allowed for each in told if each.method == "GET")


def test_pictures_are_opened_one_after_the_other_whoever_sends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may unpack to hundreds of megabytes, and the historian lives in the same program."""
    open_ones, most, opened = threading.Semaphore(1), [True], cv2.imdecode

    def counted(*told: Any) -> Any:
        alone = open_ones.acquire(blocking=False)
        most.append(alone)
        try:
            return opened(*told)
        finally:
            if alone:
                open_ones.release()

    monkeypatch.setattr(cv2, "imdecode", counted)
    plan, photograph = drawn(1600, 1200, channels=4), drawn(1600, 1200, ".jpg")
    with ThreadPoolExecutor(8) as people:
        done = [people.submit(taken_in, plan) for _ in range(12)] + [
            people.submit(enrolment_pixels_of, photograph) for _ in range(12)
        ]
        assert [each.result() for each in done]
    assert all(most)


@pytest.mark.parametrize(
    ("channels", "depth"), [(1, np.uint8), (3, np.uint8), (4, np.uint8), (1, np.uint16), (3, np.uint16), (4, np.uint16)]
)
def test_a_plan_of_any_depth_is_the_same_picture(channels: int, depth: Any) -> None:
    """Higher than a strip, dark with a white corner, nothing of it transparent."""
    most = np.iinfo(depth).max
    pixels = np.zeros((700, 100, channels), depth)
    pixels[600:, 50:] = most
    if channels == 4:
        pixels[:, :, 3] = most
    kept = pixels_of(taken_in(bytes(cv2.imencode(".png", pixels)[1])).data)
    assert (kept[650, 80].tolist(), kept[650, 20].tolist(), kept[10, 80].tolist()) == ([255] * 3, [0] * 3, [0] * 3)
