"""What somebody does to a camera is noticed within seconds; what the day and the people before it do is none of that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.vision.scene_watch import HOLD_S, SIGNS, KeptView, SceneWatch, WatchSettings
from tests.vision.rooms import (
    HEIGHT_PX,
    WIDTH_PX,
    Change,
    Picture,
    blurred,
    flat,
    laser,
    lit,
    noisy,
    room,
    somebody,
    torch,
    turned,
)

pytestmark = pytest.mark.slow

LEARNED_S = 30.0
ROOM = room()


class Camera:
    """Gives the watch a picture a second."""

    def __init__(self, kept: KeptView | None = None, picture: Picture = ROOM, **settings: float) -> None:
        self.watch, self.now_s, self.picture = SceneWatch(kept, WatchSettings(**settings)), 100.0, picture

    def look(self, seconds: float, change: Change = lambda picture: picture, near: bool = False, noise: float = 1.5) -> set[str]:
        """The signs that stood at any time of it."""
        signs: set[str] = set()
        for _ in range(round(seconds)):
            self.now_s += 1.0
            seen = change(self.picture)
            self.watch.see(noisy(seen, round(self.now_s), noise) if noise else seen, self.now_s, near)
            signs |= set(self.watch.signs)
        return signs

    def noticed_after_s(self, change: Change, most_s: float = 40.0) -> dict[str, float]:
        """Each sign with the seconds that it took."""
        began_s, signs = self.now_s, {}
        while self.now_s - began_s < most_s:
            for sign in self.look(1.0, change):
                signs.setdefault(sign, self.now_s - began_s)
        return signs


@pytest.fixture
def camera() -> Camera:
    made = Camera()
    assert made.look(LEARNED_S) == set()
    return made


# -- what is noticed -------------------------------------------------------------------------------------------------------------


DEEDS: dict[str, tuple[str, Change, int]] = {
    "a cap on the lens": ("black", flat(3), 5),
    "the light switched off": ("black", lit(0.02), 5),
    "a hand on the lens": ("covered", flat(90), 9),
    "white tape": ("covered", flat(200), 9),
    "frosted tape": ("covered", blurred(60), 9),
    "a torch": ("dazzled", torch, 6),
    "a laser": ("dazzled", laser, 6),
    "the exposure forced open": ("dazzled", lit(12), 6),
    "turned aside by 3 %": ("moved", turned(across=0.03), 10),
    "tilted by 5 %": ("moved", turned(down=0.05), 10),
    "turned and tilted": ("moved", turned(across=-0.1, down=0.05), 16),
    "turned away": ("moved", turned(across=0.4), 18),
    "twisted": ("moved", turned(roll_deg=6), 16),
    "laid on its side": ("moved", turned(roll_deg=90, zoom=1.8), 18),
    "zoomed": ("moved", turned(zoom=1.5), 18),
    "carried to another room": ("moved", lambda _: room(seed=8), 18),
    "out of focus": ("defocused", blurred(1.5), 12),
    "far out of focus": ("defocused", blurred(4), 12),
}


@pytest.mark.parametrize(("sign", "change", "within_s"), DEEDS.values(), ids=DEEDS)
def test_it_is_noticed_within_seconds_and_taken_back_when_it_is_over(camera, sign, change, within_s):
    noticed = camera.noticed_after_s(change, most_s=within_s)
    assert sign in noticed
    camera.look(15)
    assert camera.watch.signs == ()


def test_a_picture_that_stands_still_is_noticed_and_one_that_moves_again_is_not(camera):
    still = noisy(ROOM, 1)
    assert camera.look(9, lambda _: still, noise=0) == set()
    assert camera.look(6, lambda _: still, noise=0) == {"frozen"}
    assert camera.look(1) == set()


def test_a_frozen_picture_with_a_clock_that_runs_in_its_corner_is_frozen(camera):
    still = noisy(ROOM, 1)

    def clock(_: Picture) -> Picture:
        picture = still.copy()
        picture[8:16, 8:24] = round(camera.now_s * 50) % 256
        return picture

    assert "frozen" in camera.look(15, clock, noise=0)


def test_a_stream_that_repeats_itself_when_nothing_moves_is_given_longer():
    """A coder that sends nothing where nothing changes: the camera taught how long its own standstills last."""
    camera = Camera()
    pictures = [noisy(ROOM, 1), noisy(ROOM, 2, 1.0)]
    for turn in range(12):
        assert camera.look(7, lambda _, now=pictures[turn % 2]: now, noise=0) == set()
    assert camera.look(15, lambda _: pictures[0], noise=0) == set()
    assert "frozen" in camera.look(20, lambda _: pictures[0], noise=0)


# -- what is nothing of that -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [
    lit(0.5), lit(0.25), lit(1.5), lit(1.0, gamma=1.8), lit(1.0, gamma=0.6),
    lambda picture: np.clip(picture * np.linspace(0.4, 1.2, WIDTH_PX)[None, :, None], 0, 255).astype(np.uint8),
    lambda picture: np.repeat(picture[:, :, 1:2], 3, axis=2),
], ids=["half the light", "a quarter", "brighter", "harder", "softer", "from the side", "infrared"])  # fmt: skip
def test_light_is_no_tampering(camera, change):
    assert camera.look(60, change) == set()


def test_a_lamp_that_flickers_and_a_noisy_night_are_none(camera):
    for second in range(40):
        assert camera.look(1, lit(1 + 0.15 * np.sin(2.1 * second))) == set()
    assert camera.look(40, lit(0.3), noise=6) == set()


def test_people_who_walk_by_are_none_in_any_number(camera):
    for second in range(120):
        one, other = second * 70 % 900 - 200, 600 - second * 50 % 800
        assert camera.look(1, lambda picture, one=one, other=other: somebody(somebody(picture, one), other)) == set()


def test_somebody_who_stands_there_for_minutes_is_none(camera):
    assert camera.look(240, lambda picture: somebody(picture, 250 + 4 * np.sin(camera.now_s), 0.3)) == set()


def test_somebody_close_who_is_known_to_stand_there_has_a_minute_before_the_view_counts_as_another(camera):
    def close(picture: Picture) -> Picture:
        return somebody(picture, 32 + 10 * np.sin(camera.now_s), 0.9)

    assert camera.look(28, close, near=True) == set()
    assert camera.look(15) == set()


def test_a_hand_before_the_lens_is_covered_even_when_somebody_is_believed_to_stand_there(camera):
    assert camera.look(20, flat(90), near=True) == set()
    assert camera.look(20, flat(90), near=True) == {"covered"}


def test_a_view_that_changes_as_slowly_as_a_day_is_followed():
    """Shadows wander: in ten time constants every second shelf is lit otherwise."""
    camera = Camera(adapt_s=60.0)
    camera.look(60)
    other = np.where(np.arange(WIDTH_PX)[None, :, None] // 80 % 2, ROOM, lit(0.35)(ROOM)).astype(np.uint8)
    for minute in range(60):
        share = minute / 60
        assert camera.look(10, lambda picture, share=share: np.asarray(picture * (1 - share) + other * share, np.uint8)) == set()


# -- what was learned ------------------------------------------------------------------------------------------------------------


def test_a_camera_that_was_turned_while_the_power_was_off_is_noticed_when_it_comes_back(camera):
    again = Camera(camera.watch.kept)
    assert "moved" in again.noticed_after_s(turned(across=0.06), most_s=15)


def test_a_camera_that_hangs_as_it_hung_is_none(camera):
    assert Camera(camera.watch.kept).look(60) == set()


def test_a_mount_that_sinks_a_little_each_hour_is_noticed_in_the_end():
    """What is usual follows; the first view does not."""
    camera = Camera(adapt_s=30.0)
    camera.look(40)
    signs: set[str] = set()
    for step in range(1, 25):
        signs |= camera.look(30, turned(down=0.0025 * step))
    assert signs == {"moved"}


def test_nothing_is_learned_from_a_view_that_is_doubted(camera):
    kept = camera.watch.kept
    camera.look(20, turned(across=0.1))
    learned = camera.watch.kept
    assert np.abs(learned.strips.sideways - kept.strips.sideways).mean() < 0.2
    assert "moved" in camera.look(300, turned(across=0.1)), "and it stays told until the view is back"
    assert camera.watch.signs == ("moved",)


def test_who_stands_there_while_the_view_is_learned_is_forgotten():
    camera = Camera()
    assert camera.look(40, lambda picture: somebody(picture, 250, 0.4)) == set()
    assert camera.look(600) == set()


def test_a_camera_that_sees_nothing_to_be_recognised_by_says_so():
    camera = Camera(picture=flat(150)(ROOM))
    assert camera.look(40) == set()
    assert camera.watch.blind
    assert camera.watch.kept is None


def test_pictures_of_another_size_are_learned_anew(camera):
    camera.picture = room(seed=5)[: HEIGHT_PX - 40, : WIDTH_PX - 80]
    assert camera.look(60) == set()
    assert camera.watch.kept.frame_px == (WIDTH_PX - 80, HEIGHT_PX - 40)


def test_what_is_kept_makes_no_picture(camera):
    """Nine strips high and sixteen pillars wide: a face in it would be one number."""
    strips = camera.watch.kept.strips
    assert (strips.sideways.shape, strips.upright.shape[0]) == ((9, 160), 16)


# -- whatever comes --------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-1, 5), st.integers(1, 700), st.integers(1, 500)), max_size=12))
@settings(max_examples=40, deadline=None)
def test_pictures_of_any_size_at_any_time_break_nothing(script):
    watch, now_s = SceneWatch(), 0.0
    for level, elapsed_s, wide, high in script:
        now_s += elapsed_s
        watch.see(np.full((high, wide, 3), 50 * level, np.uint8), now_s)
        assert set(watch.signs) <= set(SIGNS)


def test_more_pictures_than_one_a_second_cost_nothing(camera):
    kept = camera.watch.kept
    for n in range(10):
        camera.watch.see(ROOM, camera.now_s + n * 0.05)
    assert camera.watch.kept is kept


def test_every_sign_has_a_time():
    assert all(1 <= HOLD_S[sign] <= 10 for sign in SIGNS)
