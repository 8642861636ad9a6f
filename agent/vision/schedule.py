"""Which squares of this frame the detector looks at: tracked faces, what moves, and a search that goes round for ever.

The detector's picture is 128 px wide, and a face must be 20 px wide in it to be found as good as surely (98 of 100; at 16 px it is 88, at
12 px 45). So a face of 30 px needs a square of 192 px, and a 1280 x 720 frame has fifty of them: far too many for each frame.
Three things make a few squares a frame enough. A face that is followed has its own square. A person who comes moves, and a head is at
the upper end of what moves. And those who stand still are found by a search whose every square has its turn, larger squares
more often, because who is near the door is in a hurry; `longest_wait` says how long that can take.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf
from typing import NamedTuple

from msgspec import Struct

from agent.core.messages import Box
from agent.vision.faces import Region, square_around


class ScheduleSettings(Struct, frozen=True, kw_only=True):
    """Budget of detector invocations a frame, and what the search must be able to find."""

    least_face_px: int = 30
    """The smallest face that the search is laid out for."""
    tile_per_face: float = 6.4
    """Side of a tile in its smallest faces: the detector then sees that face at 128 / 6.4 = 20 px, where its recall is still whole."""
    step: int = 2
    """Each size of tiles is so many times the next smaller one, and shows faces up to so many times larger whole, by overlapping."""
    track_times: float = 3.0
    """Side of the square about a tracked face: it may move by a whole width between two frames and stay inside, and at a third of the
    picture it falls to the detector's finer grid, whose points are more exact than those of the coarse one."""
    tracks_a_frame: int = 3
    search_busy: int = 1
    """Search squares a frame while somebody is tracked,"""
    search_idle: int = 2
    """and while nobody is. On x86-64 one costs .8 ms, on a Raspberry Pi some 5."""
    hint_times: float = 1.5
    """Side of the square at the upper end of what moves, in its widths. A moving body is three to five faces wide, a moving head just
    over one: the detector sees either face at 30 to 90 px."""


class Plan(NamedTuple):
    """This frame's squares."""

    own: list[Region]
    """About tracked faces."""
    search: list[Region]


_TURNS = {1: (0,), 2: (1, 0), 3: (2, 0, 2, 1)}
"""Whose turn it is, by the number of lanes, the one of the largest squares first: half of all turns for the many smallest tiles."""


def tiles(length_px: int, side_px: int, overlap_px: int) -> list[int]:
    """Evenly spread starts of the fewest tiles that cover a length and overlap by at least `overlap_px`."""
    if length_px <= side_px:
        return [(length_px - side_px) // 2]
    steps = ceil((length_px - side_px) / (side_px - overlap_px))
    return [round(step * (length_px - side_px) / steps) for step in range(steps + 1)]


def levels(frame_px: tuple[int, int], settings: ScheduleSettings) -> list[list[Region]]:
    """The whole frame, then tiles that grow smaller: together they show every face from the smallest on whole and large enough."""
    width, height = frame_px
    longest = max(width, height)
    side, found = round(settings.least_face_px * settings.tile_per_face), []
    while side < longest:
        overlap = ceil(side * settings.step / settings.tile_per_face)
        rows, columns = tiles(height, side, overlap), tiles(width, side, overlap)
        found.append([Region(x, y, side) for y in rows for x in columns])
        side *= settings.step
    return [[Region((width - longest) // 2, (height - longest) // 2, longest)], *reversed(found)]


def search_regions(frame_px: tuple[int, int], settings: ScheduleSettings) -> list[Region]:
    """All squares of one round, largest first: what a single picture is searched with."""
    return [region for level in levels(frame_px, settings) for region in level]


def head_squares(box: Box, frame_px: tuple[int, int], settings: ScheduleSettings) -> list[Region]:
    """Where the heads of a moving (or otherwise found) person or group may be: at the box's upper end, for each column about as wide as
    high; what is wider than that is several people, or one with a trail."""
    x, y, width, height = box
    count = max(1, round(width / max(height, 1.0)))
    column = width / count
    side = min(max(4 * round(settings.hint_times * column / 4), 4 * settings.least_face_px), max(frame_px))
    top = round(y - 0.1 * side)
    return [Region(round(x + (number + 0.5) * column - side / 2), top, side) for number in range(count)]


class Schedule:
    """Remembers where the search, the hints and the round of tracked faces stand. One per camera and frame size."""

    def __init__(self, frame_px: tuple[int, int], settings: ScheduleSettings) -> None:
        self._settings, self._frame_px = settings, frame_px
        self._lanes = _lanes(levels(frame_px, settings))
        self._turns = _TURNS[len(self._lanes)]
        self._next_in_lane = [0] * len(self._lanes)
        self._next_turn = self._next_track = self._next_hint = 0
        self._hint_is_due = False

    def plan(self, tracked: Sequence[Box], hints: Sequence[Box] = ()) -> Plan:
        """This frame's squares. At most tracks_a_frame about tracked faces, and search_busy or search_idle others.

        `hints` are boxes in which a person may be whom no track stands for: something that moves, a body. Of the search squares every
        second one goes to a hint while there are any, so that nothing that moves can hide who stands still.
        """
        settings = self._settings
        own = [square_around(tracked[i], settings.track_times) for i in self._turn(len(tracked))]
        heads = [square for box in hints for square in head_squares(box, self._frame_px, settings)]
        count = settings.search_busy if tracked else settings.search_idle
        return Plan(own, list(dict.fromkeys(self._search(heads) for _ in range(count))))

    def regions(self, tracked: Sequence[Box], hints: Sequence[Box] = ()) -> list[Region]:
        """The squares of `plan` in one list; those of tracked faces come first."""
        return [square for some in self.plan(tracked, hints) for square in some]

    def longest_wait(self, face_px: float, *, tracking: bool = False, hinted: bool = False) -> float:
        """Frames after which a still face so wide has been in a square that shows it, at worst; infinite where the search never can."""
        settings = self._settings
        a_frame = (settings.search_busy if tracking else settings.search_idle) * (0.5 if hinted else 1.0)
        large_enough = [number for number, lane in enumerate(self._lanes) if lane[-1].side <= settings.tile_per_face * face_px]
        if not large_enough:
            return inf
        lane = large_enough[0]
        return ceil(len(self._lanes[lane]) * len(self._turns) / self._turns.count(lane) / a_frame)

    def _turn(self, count: int) -> list[int]:
        """Which of `count` tracks are looked at: all, or the next few in turn."""
        some = min(count, self._settings.tracks_a_frame)
        chosen = [(self._next_track + i) % count for i in range(some)]
        self._next_track = (self._next_track + some) % count if count else 0
        return chosen

    def _search(self, heads: Sequence[Region]) -> Region:
        """A head's square when it is due, else the next of the round."""
        self._hint_is_due = bool(heads) and not self._hint_is_due
        if not self._hint_is_due:
            return self._search_next()
        self._next_hint += 1
        return heads[self._next_hint % len(heads)]

    def _search_next(self) -> Region:
        lane = self._turns[self._next_turn]
        self._next_turn = (self._next_turn + 1) % len(self._turns)
        place, squares = self._next_in_lane[lane], self._lanes[lane]
        self._next_in_lane[lane] = (place + 1) % len(squares)
        return squares[place]


def _lanes(found: list[list[Region]]) -> list[list[Region]]:
    """At most three: the smallest tiles, those twice as large, and all larger squares together."""
    if len(found) <= 3:
        return found
    return [[region for level in found[:-2] for region in level], *found[-2:]]
