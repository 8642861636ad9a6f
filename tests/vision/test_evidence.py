"""The picture that explains a decision."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.core.messages import EvidenceRequest, FaceSeen, Observation
from agent.errors import CameraError, WireError
from agent.vision.annotate import GREEN, RED, annotate
from agent.vision.evidence import EvidenceWriter, exhibit, prune, write_exhibit
from agent.vision.ring import Moment, Ring
from hw.interfaces import Frame
from tests.vision.clock import MIDNIGHT

FACE = FaceSeen(track=3, box_px=(250.0, 150.0, 90.0, 90.0), score=0.9, quality=0.7, first_seen_s=9.0)
REQUEST = EvidenceRequest(event_id="door-7_00.12", taken_s=9.9, granted=False, headline="DENIED face_mismatch",
                          detail=("one", "two"), track=3, score=0.12, threshold=0.44)  # fmt: skip


def moment(taken_s: float = 10.0, width: int = 640, height: int = 480) -> Moment:
    frame = Frame(np.full((height, width, 3), 120, np.uint8), taken_s)
    seen = Observation(frame=int(taken_s), taken_s=taken_s, frame_px=(width, height), faces=(FACE,), embedder_id="e", engine="cpu",
                       chain_ms=1.0)  # fmt: skip
    return Moment(frame, seen)


def ring_of(*times_s: float) -> Ring:
    ring = Ring()
    for taken_s in times_s:
        ring.put(moment(taken_s))
    return ring


def test_the_ring_gives_the_frame_nearest_in_time():
    assert ring_of(1.0, 1.1, 1.2).at(1.12).frame.taken_s == 1.1
    assert Ring().at(1.0) is None


def test_the_ring_never_holds_more_than_its_frames_and_bytes():
    ring = Ring(most=8, most_bytes=2_000_000)
    for n in range(30):
        ring.put(moment(float(n)))
        assert len(ring) <= 2  # 921,600 bytes each
    assert ring.at(0.0).frame.taken_s == 28.0
    ring.put(moment(99.0, 1280, 960))
    assert len(ring) == 1  # larger than allowed by itself, and yet the only picture there is


def test_the_verdict_can_be_seen_in_the_banner_and_about_the_face():
    for granted, colour in ((False, RED), (True, GREEN)):
        picture = annotate(moment(), replace(REQUEST, granted=granted), MIDNIGHT)
        assert picture[2, 300].tolist() == list(colour)
        assert picture[150, 300].tolist() == list(colour)  # upper edge of the box of the track that was compared


def test_drawing_leaves_the_frame_alone():
    item = moment()
    annotate(item, REQUEST, MIDNIGHT)
    assert (item.frame.pixels == 120).all()


def test_the_match_bar_is_filled_up_to_the_score():
    def filled(score: float) -> int:
        picture = annotate(moment(), replace(REQUEST, score=score, detail=()), MIDNIGHT)
        column = picture[57:255, 640 - 40].astype(int)
        return int((np.abs(column - GREEN).sum(axis=1) < 10).sum())

    assert filled(0.9) - filled(0.5) == pytest.approx(80, abs=3)


@given(
    st.text(max_size=300),
    st.lists(st.text(max_size=200), max_size=6),
    st.floats(-2, 3),
    st.sampled_from([(320, 240), (1280, 720)]),
)
def test_no_text_and_no_number_can_break_the_drawing(headline, detail, score, size):
    item = moment(10.0, *size)
    picture = annotate(item, replace(REQUEST, headline=headline, detail=tuple(detail), score=score), MIDNIGHT)
    assert picture.shape == (size[1], size[0], 3)


def test_the_clock_on_the_picture_is_that_of_the_frame_not_of_the_request():
    item = exhibit(REQUEST, ring_of(10.0), Path("x"), now_s=12.5, now=MIDNIGHT)
    assert item.taken_at == MIDNIGHT - timedelta(seconds=2.5)


@pytest.mark.parametrize("event_id", ["../../etc/passwd", "a/b", "", ".hidden", "a\0b", "x" * 200, "Tür"])
def test_an_event_id_that_is_no_plain_file_name_writes_nothing(event_id):
    with pytest.raises(WireError, match="no file name"):
        exhibit(replace(REQUEST, event_id=event_id), ring_of(10.0), Path("x"), 12.5, MIDNIGHT)


def test_without_a_frame_there_is_no_picture():
    with pytest.raises(CameraError, match="no frame"):
        exhibit(REQUEST, Ring(), Path("x"), 12.5, MIDNIGHT)


def test_the_file_is_whole_and_its_owners_only(tmp_path):
    write_exhibit(exhibit(REQUEST, ring_of(10.0), tmp_path / "evidence", 12.5, MIDNIGHT))
    [path] = (tmp_path / "evidence").iterdir()
    assert path.name == "door-7_00.12.jpg"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert cv2.imread(str(path)).shape == (480, 640, 3)


def test_the_oldest_pictures_go_before_the_disk_is_full(tmp_path):
    for n in range(6):
        path = tmp_path / f"e{n}.jpg"
        path.write_bytes(b"x")
        os.utime(path, (1000 - n, 1000 - n))  # e5 is the oldest
    (tmp_path / "note.txt").write_text("not ours")
    prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e0.jpg", "e1.jpg", "note.txt"]


def test_a_disk_that_refuses_is_reported_and_the_next_picture_is_tried(tmp_path):
    blocked = tmp_path / "evidence"
    blocked.write_text("a file where the folder should be")
    writer = EvidenceWriter()
    writer.put(exhibit(REQUEST, ring_of(10.0), blocked, 12.5, MIDNIGHT))
    writer.close()
    assert "door-7_00.12.jpg" in writer.fault
    assert writer.written == 0
