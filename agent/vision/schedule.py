"""Which squares of this frame the detector looks at: each tracked face's surroundings, and a search that wanders.

The detector's picture is 128 px wide. A face must be about 16 px wide in it to be found, so the whole frame shows only those who are
near, and overlapping tiles show the others. Looking at every tile of every frame would cost a dozen invocations; a person
who walks up at 1.5 m/s has come 40 cm nearer by the time an idle search has been round.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from msgspec import Struct

from agent.core.messages import Box
from agent.vision.faces import Region, square_around


class ScheduleSettings(Struct, frozen=True, kw_only=True):
    """Budget of detector invocations a frame, and what the search must be able to find."""

    least_face_px: int = 40
    """The smallest face that the search is laid out for."""
    tile_per_face: int = 8
    """Side of a tile in smallest faces: the detector then sees that face at 128 / 8 = 16 px, where its recall is still whole."""
    most_face_per_tile: float = 0.4
    """Neighbouring tiles overlap by this share of their side: a face up to this size lies whole in one of them."""
    track_times: float = 3.0
    """Side of the square about a tracked face: it may move by a whole width between two frames and stay inside, and at a third of the
    picture it falls to the detector's finer grid, whose points are more exact than those of the coarse one."""
    tracks_a_frame: int = 3
    search_busy: int = 1
    """Search squares a frame while somebody is tracked,"""
    search_idle: int = 2
    """and while nobody is."""


def tiles(length_px: int, side_px: int, overlap_px: int) -> list[int]:
    """Evenly spread starts of the fewest tiles that cover a length and overlap by at least `overlap_px`."""
    if length_px <= side_px:
        return [(length_px - side_px) // 2]
    steps = ceil((length_px - side_px) / (side_px - overlap_px))
    return [round(step * (length_px - side_px) / steps) for step in range(steps + 1)]


def search_regions(frame_px: tuple[int, int], settings: ScheduleSettings) -> list[Region]:
    """The whole frame, then tiles: the squares that the search goes round."""
    width, height = frame_px
    longest = max(width, height)
    whole = Region((width - longest) // 2, (height - longest) // 2, longest)
    side = settings.least_face_px * settings.tile_per_face
    if side >= longest:
        return [whole]
    overlap = ceil(side * settings.most_face_per_tile)
    rows, columns = tiles(height, side, overlap), tiles(width, side, overlap)
    return [whole, *(Region(x, y, side) for y in rows for x in columns)]


class Schedule:
    """Remembers where the search and the round of tracked faces stand. One per camera."""

    def __init__(self, frame_px: tuple[int, int], settings: ScheduleSettings) -> None:
        self._settings = settings
        self._search = search_regions(frame_px, settings)
        self._next_search = 0
        self._next_track = 0

    def regions(self, tracked: Sequence[Box]) -> list[Region]:
        """This frame's squares; those of tracked faces come first. At most tracks_a_frame + search_busy, or search_idle."""
        settings = self._settings
        own = [square_around(tracked[i], settings.track_times) for i in self._turn(len(tracked))]
        count = settings.search_busy if tracked else settings.search_idle
        return own + [self._search_next() for _ in range(min(count, len(self._search)))]

    def _turn(self, count: int) -> list[int]:
        """Which of `count` tracks are looked at: all, or the next few in turn."""
        some = min(count, self._settings.tracks_a_frame)
        chosen = [(self._next_track + i) % count for i in range(some)]
        self._next_track = (self._next_track + some) % count if count else 0
        return chosen

    def _search_next(self) -> Region:
        region = self._search[self._next_search]
        self._next_search = (self._next_search + 1) % len(self._search)
        return region
