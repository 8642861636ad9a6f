"""Vision and media share the newest frame: written only while it is wanted, whole or not at all, and gone afterwards."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from agent.core.conduct import Conduct
from agent.core.messages import FaceSeen, Observation
from agent.shared_view import FORGET_S, LONGEST_WISH_S, ViewReader, ViewWriter


def frame(value: int, size=(48, 64)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def seen(at_s: float) -> Observation:
    face = FaceSeen(track=3, box_px=(1.0, 2.0, 3.0, 4.0), score=0.9, quality=0.9, first_seen_s=0.0, embedding=b"who this is" * 9)
    return Observation(frame=1, taken_s=at_s, frame_px=(64, 48), faces=(face,), embedder_id="e", engine="", chain_ms=1.0)


class Both:
    def __init__(self, folder: Path) -> None:
        self.folder, self.writer, self.reader, self.now_s = folder, ViewWriter(folder), ViewReader(folder), 100.0

    def show(self, value: int = 7, **more) -> None:
        self.writer.show(
            more.get("pixels", frame(value)), self.now_s, more.get("seen", seen(self.now_s)), more.get("conduct"), self.now_s
        )
        assert self.writer.fault == ""

    @property
    def lies_there(self) -> bool:
        return (self.folder / "view" / "frames").exists()


@pytest.fixture
def both(tmp_path):
    made = Both(tmp_path)
    yield made
    made.reader.close()
    made.writer.close()


def test_nothing_is_written_until_somebody_wants_it_and_it_goes_when_nobody_does(both):
    both.show()
    assert not both.lies_there
    both.reader.want(both.now_s + 3)
    both.show()
    assert both.lies_there
    both.now_s += 3.1
    both.show()
    assert both.lies_there
    both.now_s += FORGET_S
    both.show()
    assert not both.lies_there
    assert both.reader.read() is None


def test_a_frame_comes_once_with_the_boxes_and_without_what_could_name_anybody(both):
    both.reader.want(both.now_s + 3)
    both.show(9, conduct=Conduct(at_s=both.now_s, persons=()))
    glance = both.reader.read()
    assert (glance.pixels == 9).all()
    assert glance.sight.faces[0].track == 3
    assert glance.sight.conduct.at_s == both.now_s
    assert both.reader.read() is None
    assert b"who this is" not in (both.folder / "view" / "frames").read_bytes()


def test_what_could_not_be_looked_at_says_so_and_old_conduct_is_not_told(both):
    both.reader.want(both.now_s + 3)
    both.show(conduct=Conduct(at_s=both.now_s, persons=()))
    both.now_s += 1.5
    both.show()
    assert both.reader.read().sight.conduct is None
    both.show(seen=None)
    both.writer.show(frame(1), both.now_s, None, None, both.now_s)
    assert both.reader.read().sight.faces is None


@pytest.mark.parametrize(
    "wish", [b"", b"x", b"-1", b"9" * 40, b"\xff\xfe", str(round((100 + LONGEST_WISH_S + 1) * 1e9)).encode()]
)
def test_a_wish_that_is_none_is_not_believed(both, wish):
    (both.folder / "live").mkdir()
    (both.folder / "live" / "wanted").write_bytes(wish)
    both.show()
    assert not both.lies_there


def test_another_camera_and_a_new_start_of_vision_are_noticed(both):
    both.reader.want(both.now_s + 3)
    both.show()
    assert both.reader.read().pixels.shape == (48, 64, 3)
    both.show(pixels=frame(5, (120, 160)))
    assert both.reader.read().pixels.shape == (120, 160, 3)
    both.writer = ViewWriter(both.folder)
    both.show(6)
    assert (both.reader.read().pixels == 6).all()


def test_a_disk_that_refuses_is_a_fault_and_vision_goes_on(both):
    both.reader.want(both.now_s + 3)
    (both.folder / "view").write_text("no folder")
    both.writer.show(frame(1), both.now_s, seen(1.0), None, both.now_s)
    assert "live view" in both.writer.fault


@pytest.mark.parametrize("raw", [b"", b"DWVIEW1\0", b"DWVIEW1\0" + b"\xff" * 4096, b"\0" * 9000])
def test_a_damaged_file_is_no_frame(both, raw):
    (both.folder / "view").mkdir()
    (both.folder / "view" / "frames").write_bytes(raw)
    assert both.reader.read() is None


def test_a_frame_that_is_overwritten_while_it_is_read_is_never_given(tmp_path):
    """A writer as fast as it can, a reader as fast as it can: each picture is of one value."""
    writer, reader, over, mixed, read = ViewWriter(tmp_path), ViewReader(tmp_path), threading.Event(), [], 0
    reader.want(time.monotonic() + 9)

    def write() -> None:
        value = 0
        while not over.is_set():
            value = (value + 1) % 250
            now_s = time.monotonic()
            writer.show(frame(value, (240, 320)), now_s, None, None, now_s)

    thread = threading.Thread(target=write)
    thread.start()
    until_s = time.monotonic() + 8
    while read < 200 and time.monotonic() < until_s:
        if (glance := reader.read()) is not None:
            read += 1
            if glance.pixels.min() != glance.pixels.max():
                mixed.append(glance)
    over.set()
    thread.join()
    writer.close()
    assert mixed == []
    assert read >= 20
