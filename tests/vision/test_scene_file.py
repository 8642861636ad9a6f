"""The usual view survives a restart, in numbers that make no picture; a file that is wrong is told and learned anew."""

from __future__ import annotations

import json

import numpy as np
import pytest
from msgspec.structs import replace

from agent.core.messages import FaceSeen, Observation, PersonSeen
from agent.errors import ConfigError
from agent.vision.scene_file import SAVE_EVERY_S, Watchman, load_view, stands_near
from hw.interfaces import Frame
from tests.vision.rooms import HEIGHT_PX, WIDTH_PX, Picture, flat, noisy, room, turned

ROOM = room()


def watch(man: Watchman, seconds: int, began_s: float = 100.0, picture: Picture = ROOM) -> None:
    for n in range(seconds):
        man.see(Frame(noisy(picture, n), began_s + n), None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "camera" / "view.json"


def test_what_was_learned_is_written_and_read_again_as_it_was(path):
    man = Watchman(path, "0")
    watch(man, 40)
    man.save()
    kept, again = man._watch.kept, load_view(path, "0")
    assert np.abs(again.strips.sideways - kept.strips.sideways).max() < 0.2
    assert np.array_equal(again.bends, kept.bends)
    assert np.array_equal(again.clear, kept.clear)
    assert (again.learned_s, again.frame_px, again.first) == (kept.learned_s, (WIDTH_PX, HEIGHT_PX), None)


def test_a_camera_that_was_turned_while_the_program_was_stopped_is_noticed(path):
    first = Watchman(path, "0")
    watch(first, 40)
    first.save()
    second = Watchman(path, "0")
    watch(second, 15, 1000.0, turned(across=0.06)(ROOM))
    assert second.signs == ("moved",)


def test_another_camera_has_another_view(path):
    first = Watchman(path, "0")
    watch(first, 40)
    first.save()
    second = Watchman(path, "1")
    watch(second, 40, 1000.0, room(seed=8))
    assert second.signs == ()
    assert load_view(path, "0") is None
    assert load_view(path, "1") is not None


def test_the_file_is_small_is_its_owners_alone_and_holds_no_picture(path):
    man = Watchman(path, "0")
    watch(man, 40)
    man.save()
    assert path.stat().st_size < 12_000
    assert path.stat().st_mode & 0o077 == 0
    assert b"\xff\xd8" not in path.read_bytes()


def test_the_first_view_is_written_as_soon_as_it_is_learned_and_then_once_an_hour(path):
    man = Watchman(path, "0")
    watch(man, 12)
    assert not path.exists()
    watch(man, 10, 112.0)
    written = path.stat().st_mtime_ns
    watch(man, 60, 130.0)
    assert path.stat().st_mtime_ns == written
    watch(man, 3, 130.0 + SAVE_EVERY_S)
    assert path.stat().st_mtime_ns > written


@pytest.mark.parametrize("damage", [
    lambda text: text[: len(text) // 2],
    lambda text: "",
    lambda text: json.dumps(json.loads(text) | {"sideways": "AAAA"}),
    lambda text: json.dumps(json.loads(text) | {"bends": "AAAA"}),
    lambda text: json.dumps(json.loads(text) | {"bends": "AADAfwAA" * 48}),
    lambda text: json.dumps(json.loads(text) | {"face": 1}),
], ids=["cut", "empty", "short strips", "short fields", "no numbers", "unknown key"])  # fmt: skip
def test_a_damaged_file_is_told_and_the_view_learned_anew(path, damage):
    man = Watchman(path, "0")
    watch(man, 40)
    man.save()
    path.write_text(damage(path.read_text()))
    with pytest.raises(ConfigError, match=r"view\.json.*delete it"):
        load_view(path, "0")
    again = Watchman(path, "0")
    assert "learned anew" in again.fault
    watch(again, 40, 1000.0)
    assert (again.signs, again.fault) == ((), "")


def test_a_disk_that_refuses_is_told_and_stops_nothing(tmp_path):
    (tmp_path / "camera").write_text("a file where a folder should be")
    man = Watchman(tmp_path / "camera" / "view.json", "0")
    watch(man, 40)
    assert "cannot be written" in man.fault
    watch(man, 10, 200.0, flat(3)(ROOM))
    assert man.signs == ("black",)


def test_a_view_with_nothing_to_be_recognised_by_is_a_fault_that_says_what_cannot_be_told(path):
    man = Watchman(path, "0")
    watch(man, 45, picture=flat(150)(ROOM))
    assert "too little to be recognised" in man.fault
    assert not path.exists()


def test_a_watch_that_fails_is_told_and_raises_nothing(path):
    man = Watchman(path, "0")
    man.see(Frame(np.zeros((3,), np.uint8), 100.0), None)  # no picture at all
    assert man.fault.startswith("scene: ")


SEEN = Observation(frame=1, taken_s=1.0, frame_px=(640, 360), faces=(), embedder_id="e", engine="cpu", chain_ms=1.0)
BODY = PersonSeen(track=1, box_px=(200, 20, 180, 340), score=0.9, first_seen_s=0.0)
FACE = FaceSeen(track=1, box_px=(260, 60, 80, 90), score=0.9, quality=1.0, first_seen_s=0.0)


def test_somebody_is_near_when_body_or_face_fills_a_quarter_of_the_picture():
    assert not stands_near(SEEN)
    assert stands_near(replace(SEEN, persons=(BODY,)))
    assert stands_near(replace(SEEN, faces=(FACE,)))
    assert not stands_near(replace(SEEN, persons=(replace(BODY, box_px=(200, 20, 90, 200)),)))
    assert not stands_near(replace(SEEN, persons=(replace(BODY, box_px=(-400, 20, 420, 340)),))), "what is outside fills nothing"
