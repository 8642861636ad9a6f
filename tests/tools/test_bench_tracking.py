"""What counts as a switch, a miss and a fragment, and what a pillar hides: the figures are worth no more than this."""

from __future__ import annotations

import numpy as np
import pytest

from demo.scene import Scene, Seen
from demo.view import View
from demo.walks import Walk
from tests.vision.people import portrait
from tools.bench.mot import Score, Tally
from tools.bench.tracking import HIDDEN_S, Pillar, _draw, _share_in_view, plays


def told(*frames: tuple[set[str], dict[str, int], int]) -> Tally:
    score = Score()
    for in_view, followed, false in frames:
        score.frame(in_view, followed, false)
    return score.tally


def test_who_is_followed_under_one_number_throughout_is_no_error():
    tally = told(*[({"a", "b"}, {"a": 1, "b": 2}, 0)] * 5)
    assert tally == Tally(there=10)
    assert tally.mota == 1


def test_two_who_change_numbers_are_two_switches_and_two_more_when_they_change_back():
    straight, crossed = ({"a", "b"}, {"a": 1, "b": 2}, 0), ({"a", "b"}, {"a": 2, "b": 1}, 0)
    assert told(straight, crossed, crossed).switches == 2
    assert told(straight, crossed, straight).switches == 4


def test_who_is_lost_in_view_and_found_again_is_a_fragment_whatever_the_number():
    seen, lost = ({"a"}, {"a": 1}, 0), ({"a"}, {}, 0)
    assert told(seen, lost, lost, seen) == Tally(there=4, missed=2, fragments=1)
    assert told(seen, lost, ({"a"}, {"a": 2}, 0)) == Tally(there=3, missed=1, fragments=1, switches=1)


def test_who_is_hidden_and_comes_back_under_their_number_is_no_error_and_under_another_is_a_switch():
    seen, hidden = ({"a"}, {"a": 1}, 0), (set(), {}, 0)
    assert told(seen, hidden, seen) == Tally(there=2)
    assert told(seen, hidden, ({"a"}, {"a": 2}, 0)).switches == 1


def test_a_track_of_nobody_costs_as_much_as_a_missed_person():
    assert told(({"a"}, {"a": 1}, 1)).mota == told(({"a"}, {}, 0)).mota == 0


@pytest.fixture(scope="module")
def view() -> View:
    return View(width_px=640, height_px=480)


def seen(who: str, box: tuple[float, float, float, float], distance_m: float) -> Seen:
    return Seen(Walk(portrait=portrait(who), path=()), box, distance_m, 0.0)


def test_a_face_is_hidden_by_a_pillar_and_by_a_nearer_head_and_not_by_a_farther_one(view):
    box = (300.0, 150.0, 60.0, 80.0)
    alone, behind, before = seen("owner", box, 2.0), seen("stranger", box, 1.5), seen("stranger", box, 2.5)
    assert _share_in_view(alone, [alone], [], view) == 1
    assert _share_in_view(alone, [alone, behind], [], view) == 0
    assert _share_in_view(alone, [alone, before], [], view) == 1
    left, right = Pillar(-0.05, 0.02, 2.0).columns(view)
    assert _share_in_view(alone, [alone], [Pillar(-0.05, 0.02, 2.0)], view) == pytest.approx(1 - (right - max(left, 300)) / 60)


def test_the_pillar_that_is_drawn_is_the_pillar_that_is_counted(view):
    pillar, pixels = Pillar(-0.3, 0.1, 2.0), np.zeros((480, 640, 3), np.uint8)
    _draw(pillar, pixels, view)
    columns = np.nonzero(pixels[0, :, 0])[0]
    assert (columns.min(), columns.max() + 1) == pillar.columns(view)


def test_a_face_behind_the_pillar_is_hidden_whole_for_as_long_as_is_said():
    people, scene = [portrait(name) for name in ("owner", "stranger", "visitor")], Scene(320, 240, 1)
    for hidden_s in HIDDEN_S:
        play = next(play for play in plays(*people) if play.name == f"walks behind a pillar for {hidden_s:g} s")
        scene.clear()
        scene.enter(*play.walks)
        truths = [scene.truth(t_s) for t_s in np.arange(0.01, 2.7, 0.01)]
        hidden = sum(_share_in_view(truth[0], truth, play.pillars, scene.view) == 0 for truth in truths)
        assert hidden / 100 == pytest.approx(hidden_s, abs=0.12)
