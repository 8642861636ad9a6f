"""What the media program says to a door is put on record in the door's own words, and can do nothing else to it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.core.live import FIELDS, LiveNews
from agent.core.messages import Event
from agent.live_desk import EVERY_S, MOST_A_MINUTE, LiveDesk
from agent.live_wire import MEDIA_SOCKET, NEWS_SOCKET, decode_alerted, encode
from agent.local_socket import Receiver, Sender


class Door:
    """The door's end and media's end of both sockets."""

    def __init__(self, folder: Path) -> None:
        self.desk = LiveDesk(folder)
        self.media, self.to_door = Receiver(folder / "live" / MEDIA_SOCKET), Sender(folder / "live" / NEWS_SOCKET)
        self.now_s, self.events = 100.0, []

    def turn(self) -> list[tuple[str, dict[str, Any]]]:
        self.now_s += EVERY_S
        self.desk.turn(self.now_s, lambda kind, data: self.events.append((kind, data)))
        return self.events

    def hear(self, **data: Any) -> None:
        self.desk.hear(
            Event(sequence=1, journal="j", id="e-1", kind="access.denied", at=datetime.now(timezone.utc), mono_s=99.0, data=data)
        )

    def close(self) -> None:
        self.desk.close()
        self.media.close()
        self.to_door.close()


@pytest.fixture
def door(tmp_path):
    made = Door(tmp_path)
    yield made
    made.close()


def test_who_watched_is_an_event_of_the_door(door):
    said = {"session": "s", "who": "ada", "why": "w" * 500, "unmasked": True, "open_the_door": True}
    door.to_door.send(encode(LiveNews(kind="live.started", data=said)))
    assert door.turn() == [("live.started", {"session": "s", "who": "ada", "why": "w" * 200, "unmasked": True})]


@pytest.mark.parametrize("raw", [b"", b"\xff", b"\x80", msgspec.msgpack.encode({"type": "live_news", "kind": "door.opened", "data": {}}),
                                 msgspec.msgpack.encode({"type": "observation"})])  # fmt: skip
def test_what_media_may_not_say_is_dropped(door, raw):
    door.to_door.send(raw)
    assert door.turn() == []


def test_a_media_program_that_lost_its_mind_fills_no_journal(door):
    for _ in range(40):
        while door.to_door.send(encode(LiveNews(kind="live.fault", data={"error": "again"}))):
            pass
        door.turn()
    assert len(door.events) == MOST_A_MINUTE
    door.now_s += 120
    door.turn()
    assert "were not put on record" in door.events[MOST_A_MINUTE][1]["error"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"risk": {"alert": True}, "match": {"track": 7}, "sentences": ["not the owner"]}, (7, None, "not the owner")),
        ({"risk": {"alert": True}, "face": 3, "body": 9}, (3, 9, "")),
        ({"risk": {"alert": True}, "match": None, "face": "7"}, (None, None, "")),
        ({"risk": {"alert": True}, "alert_held_back": True}, None),
        ({"risk": {"alert": False}}, None),
        ({}, None),
    ],
)
def test_media_hears_of_alerts_whom_they_concern_and_of_nothing_else(door, data, told):
    door.hear(**data)
    door.turn()
    heard = [decode_alerted(raw) for raw in door.media.drain()]
    assert [(each.face, each.body, each.sentence) for each in heard] == ([] if told is None else [told])


def test_every_kind_has_fields():
    assert all(FIELDS[kind] for kind in FIELDS)
