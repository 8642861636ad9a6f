"""A camera that is lost, found again, silent or over."""

from __future__ import annotations

import numpy as np
import pytest

from agent.errors import CameraError, HardwareError
from agent.vision.eyes import LAST_RETRY_S, SILENT_S, Eyes
from hw.interfaces import Frame
from hw.newest import FilmEnded
from tests.vision.clock import HandClock

FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 1.0)


class Scripted:
    """A camera that gives what it was told to: frames, silence, or its end."""

    name = "scripted"

    def __init__(self, clock: HandClock, script: list) -> None:
        self.clock, self.script, self.closed = clock, script, False

    def read(self, timeout_s: float) -> Frame | None:
        item = self.script.pop(0) if self.script else None
        if isinstance(item, Exception):
            raise item
        if item is None:
            self.clock.now_s += timeout_s
        return item

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def eyes_on(clock: HandClock, *openings):
    """Eyes whose camera opens as the list says: a Scripted camera, or an error to raise."""
    left, tries = list(openings), []

    def open_camera():
        tries.append(clock.now_s)
        item = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(item, Exception):
            raise item
        return item

    return Eyes("scripted", open_camera, clock.mono_s, clock.pause, beside=lambda job: job()), tries


def test_a_frame_comes_through_and_nothing_is_wrong(clock):
    eyes, _ = eyes_on(clock, Scripted(clock, [FRAME]))
    assert eyes.read(0.1) is FRAME
    assert eyes.fault == ""


def test_a_camera_that_is_unplugged_is_closed_and_found_again(clock):
    first, second = Scripted(clock, [FRAME, CameraError("unplugged")]), Scripted(clock, [FRAME])
    eyes, tries = eyes_on(clock, first, second)
    eyes.read(0.1)
    assert eyes.read(0.1) is None
    assert first.closed
    assert "unplugged" in eyes.fault
    assert any(eyes.read(0.1) is FRAME for _ in range(8))
    assert eyes.fault == ""
    assert len(tries) == 2


@pytest.mark.parametrize("error", [CameraError("no device"), HardwareError("no driver")])
def test_a_camera_that_cannot_be_opened_is_tried_with_growing_pauses_and_costs_no_busy_loop(clock, error):
    eyes, tries = eyes_on(clock, error)
    for _ in range(600):
        assert eyes.read(0.1) is None
    pauses = np.diff(tries)
    assert pauses[0] == pytest.approx(0.5, abs=0.11)
    assert max(pauses) <= LAST_RETRY_S + 0.11
    assert len(tries) < 15
    assert clock.now_s > 150
    assert str(error) in eyes.fault


def test_a_camera_that_hangs_is_opened_anew(clock):
    hung, well = Scripted(clock, [FRAME]), Scripted(clock, [FRAME])
    eyes, _ = eyes_on(clock, hung, well)
    eyes.read(0.1)
    for _ in range(int(SILENT_S / 0.1) + 2):
        eyes.read(0.1)
    assert hung.closed
    assert [frame for frame in (eyes.read(0.1) for _ in range(8)) if frame] == [FRAME]


def test_a_film_that_has_ended_is_not_played_again(clock):
    eyes, tries = eyes_on(clock, Scripted(clock, [FRAME, FilmEnded("film ended")]))
    for _ in range(300):
        eyes.read(0.1)
    assert len(tries) == 1
    assert "film ended" in eyes.fault


def test_a_film_that_was_replaced_by_another_is_played(clock):
    films = [Scripted(clock, [FRAME, FilmEnded("film ended")]), Scripted(clock, [FRAME, FilmEnded("film ended")])]
    edition = ["first"]
    eyes = Eyes("film", lambda: films.pop(0), clock.mono_s, clock.pause, lambda: edition[0], lambda job: job())
    assert [eyes.read(0.1) for _ in range(200)].count(FRAME) == 1
    edition[0] = "second"
    assert [eyes.read(0.1) for _ in range(200)].count(FRAME) == 1
    assert "film ended" in eyes.fault


def test_while_an_address_does_not_answer_the_loop_turns_on_and_one_opening_at_a_time_is_tried(clock):
    jobs: list = []
    camera = Scripted(clock, [FRAME])
    eyes = Eyes("slow", lambda: camera, clock.mono_s, clock.pause, beside=jobs.append)
    began_s = clock.now_s
    for _ in range(50):
        assert eyes.read(0.1) is None
    assert clock.now_s - began_s == pytest.approx(5.0)
    assert len(jobs) == 1
    jobs[0]()
    assert eyes.read(0.1) is FRAME


def test_a_camera_that_hangs_while_it_is_closed_is_not_opened_a_second_time_before_it_is_free(clock):
    jobs: list = []
    hung = Scripted(clock, [CameraError("gone")])
    eyes, tries = eyes_on(clock, hung, Scripted(clock, [FRAME]))
    eyes._beside = lambda job: jobs.append(job) if tries else job()
    eyes.read(0.1)
    for _ in range(30):
        assert eyes.read(0.1) is None
    assert (len(tries), len(jobs)) == (1, 1)
    jobs.pop()()
    assert hung.closed
    eyes._beside = lambda job: job()
    assert FRAME in [eyes.read(0.1) for _ in range(3)]


def test_whatever_a_driver_raises_while_it_is_opened_it_is_named_and_tried_again(clock):
    eyes, tries = eyes_on(clock, IndexError("no camera 3"), Scripted(clock, [FRAME]))
    assert eyes.read(0.1) is None
    assert "no camera 3" in eyes.fault
    assert FRAME in [eyes.read(0.1) for _ in range(8)]
    assert len(tries) == 2


def test_the_silence_before_a_new_cameras_first_frame_is_counted_from_its_opening(clock):
    eyes, tries = eyes_on(clock, Scripted(clock, [None, FRAME]))
    clock.now_s += 1000
    assert eyes.read(0.1) is None
    assert eyes.read(0.1) is FRAME
    assert len(tries) == 1
