"""What stays in a camera's view: where its edges lie, how sharp they are, and whether they are still where they were.

Edges are differences of the logarithm of light, so that a lamp that is dimmed changes none of them. An edge counts that was there in all
pictures of the last seconds: whoever walks by has none, and hides some. Of the edges only sums are kept (how much lies in each
column of nine strips, and in each row of sixteen): enough to find them again a few pixels aside, and no picture of anything.

Pieces of the strips are looked for near their places, each on its own (normalised cross-correlation), and vote: 'here', 'aside', 'gone'.
Whoever stands before the camera spoils the votes of the places behind them; a camera that was turned takes all along.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.vision.faces import Floats
from hw.interfaces import Pixels

_Bytes = NDArray[np.uint8]

ACROSS = 160
"""Columns of the raster; a cell is 8 px in 1280."""
STRIPS, PILLARS = 9, 16
"""Strips lie side by side from top to bottom, pillars from left to right."""
SCALE = 90.0
"""Levels of the raster for a factor of e in light: 255 for the whole range. 25 % more light are 20."""
DARK = 16.0
"""Added to each level: below it differences are noise."""
NOISE, STRONGEST = 4, 45
"""Differences up to the one are none; those above the other count as it: one bright frame must not outvote a room."""
WIDE = 13
"""Cells; what changes more slowly along a strip is light, not structure."""
LEAST_SPREAD = 1.1
"""Standard deviation along a piece of strip below which there is nothing to be found."""
HERE, ASIDE = 0.6, 0.7
"""Correlation that says: still here, found aside."""
ASIDE_BETTER = 0.2
GONE = 0.35
"""Of the spread that was."""
SHARP_ROWS = 24
SHARP_ACROSS, SHARP_DOWN = 12, 6


class Piece(NamedTuple):
    """How strips are cut: pieces of `length` cells, `step` apart, looked for up to `reach` cells aside."""

    reach: int
    length: int
    step: int


SIDEWAYS, UPRIGHT = Piece(20, 40, 20), Piece(14, 30, 16)


class Strips(NamedTuple):
    """Sums of edges, in levels: STRIPS x ACROSS of upright edges, PILLARS x rows of level edges."""

    sideways: Floats
    upright: Floats


class Votes(NamedTuple):
    """Shares of the pieces that had something to be found. `pieces` may be 0: then the shares are 0 and mean nothing."""

    pieces: int
    here: float
    aside: float
    gone: float


class Sharpness(NamedTuple):
    """In SHARP_DOWN x SHARP_ACROSS fields: bends and slopes of light along single rows of pixels; their noise and mean, in levels."""

    bends: Floats
    slopes: Floats
    noise: float
    level: float


def raster(pixels: Pixels) -> _Bytes:
    """The logarithm of the green of a picture (height x width x 3, BGR) in ACROSS columns, 0 to 255."""
    height, width = pixels.shape[:2]
    step = max(1, width // ACROSS // 2)
    green = np.ascontiguousarray(pixels[::step, ::step, 1])
    size = (ACROSS, max(UPRIGHT.length + 2 * UPRIGHT.reach + 1, round(ACROSS * height / width)))
    return np.asarray(cv2.LUT(cv2.resize(green, size, interpolation=cv2.INTER_AREA), _logarithm()), np.uint8)


@lru_cache(maxsize=1)
def _logarithm() -> _Bytes:
    levels: Floats = np.arange(256, dtype=np.float32)
    return np.asarray(np.clip(np.round(SCALE * np.log1p(levels / DARK)), 0, 255), np.uint8)


def edges(cells: _Bytes) -> _Bytes:
    """2 x rows x ACROSS: difference from side to side, and from top to bottom, over two cells."""
    found = np.zeros((2, *cells.shape), np.uint8)
    cv2.absdiff(cells[:, 2:], cells[:, :-2], dst=found[0, :, 1:-1])
    cv2.absdiff(cells[2:], cells[:-2], dst=found[1, 1:-1])
    return found


def strips_of(lasting: _Bytes) -> Strips:
    """Sums of edges (as `edges` gave them)."""
    clear = np.clip(lasting, NOISE, STRONGEST).astype(np.float32) - np.float32(NOISE)
    rows = clear.shape[1]
    sideways = cv2.resize(clear[0], (ACROSS, STRIPS), interpolation=cv2.INTER_AREA)
    upright = cv2.resize(clear[1], (PILLARS, rows), interpolation=cv2.INTER_AREA)
    return Strips(np.asarray(sideways, np.float32), np.ascontiguousarray(upright.T, np.float32))


class Found(NamedTuple):
    """Votes of either direction."""

    sideways: Votes
    upright: Votes

    @property
    def gone(self) -> float:
        """Share of all pieces whose structure is gone."""
        pieces = self.sideways.pieces + self.upright.pieces
        return sum(votes.gone * votes.pieces for votes in self) / pieces if pieces else 0.0


class Reference:
    """Strips to look for others in, prepared once."""

    def __init__(self, strips: Strips) -> None:
        self._sides = tuple(_Side(_structure(side), cut) for side, cut in zip(strips, (SIDEWAYS, UPRIGHT), strict=True))

    @property
    def pieces(self) -> int:
        """How many have something to be found."""
        return sum(int(side.worth.sum()) for side in self._sides)

    def find(self, now: Strips) -> Found:
        return Found(*(side.find(_structure(strips)) for side, strips in zip(self._sides, now, strict=True)))


class _Side:
    """All pieces of one direction, with each place at which they are looked for."""

    def __init__(self, strips: Floats, cut: Piece) -> None:
        self._cut = cut
        self._starts = np.arange(cut.reach, strips.shape[1] - cut.length - cut.reach + 1, cut.step)
        places = self._starts[:, None] + np.arange(-cut.reach, cut.reach + 1)
        pieces, spread = _standard(np.lib.stride_tricks.sliding_window_view(strips, cut.length, axis=1))
        self._spread = spread[:, self._starts]
        self.worth = self._spread >= LEAST_SPREAD
        self._places = pieces[:, places][self.worth]  # pieces x places x length

    def find(self, strips: Floats) -> Votes:
        windows = np.lib.stride_tricks.sliding_window_view(strips, self._cut.length, axis=1)[:, self._starts]
        pieces, spread = _standard(windows[self.worth])
        if not len(pieces):
            return Votes(0, 0.0, 0.0, 0.0)
        # the place from which this piece came, seen from here
        likeness = np.matmul(self._places, pieces[:, :, None])[:, :, 0]
        middle = self._cut.reach
        here = likeness[:, middle - 1 : middle + 2].max(1)
        best, place = likeness.max(1), likeness.argmax(1)
        aside = (np.abs(place - middle) >= 2) & (best >= ASIDE) & (best - here >= ASIDE_BETTER)
        gone = spread < GONE * self._spread[self.worth]
        return Votes(len(pieces), float((here >= HERE).mean()), float(aside.mean()), float(gone.mean()))


def _structure(strips: Floats) -> Floats:
    """Without what changes slowly along a strip."""
    return strips - np.asarray(cv2.blur(strips, (WIDE, 1), borderType=cv2.BORDER_REFLECT), np.float32)


def _standard(pieces: Floats) -> tuple[Floats, Floats]:
    """Each piece with mean 0 and length 1, and the standard deviation that it had."""
    centred = pieces - pieces.mean(-1, keepdims=True)
    length = np.sqrt(np.einsum("...i,...i->...", centred, centred))
    return centred / (length[..., None] + 1e-6), length / np.sqrt(np.float32(pieces.shape[-1]))


def rows_of(pixels: Pixels) -> Floats:
    """Single rows of green pixels, untouched: what a lens out of focus changes first."""
    step = max(1, pixels.shape[0] // SHARP_ROWS)
    return np.ascontiguousarray(pixels[step // 2 :: step, :, 1]).astype(np.float32)


def sharpness(rows: Floats, before: Floats) -> Sharpness:
    """Of rows of pixels; `before` are the same rows of an earlier picture, from which the noise is taken."""
    apart = max(6, rows.shape[1] // 64)  # far enough that a blur which hides bends leaves slopes
    bends = _fields(np.abs(rows[:, 2:] - 2 * rows[:, 1:-1] + rows[:, :-2]))
    slopes = _fields(np.abs(rows[:, apart:] - rows[:, :-apart]))
    # the calmest quarter of the fields: nobody moves there; and a lamp that flickers is no noise
    exposure = (float(rows.mean()) + 1) / (float(before.mean()) + 1)
    noise = float(np.percentile(_fields(np.abs(rows - before * np.float32(exposure))), 25))
    return Sharpness(bends, slopes, noise, float(rows.mean()))


def _fields(rows: Floats) -> Floats:
    """Means of fields."""
    return np.asarray(cv2.resize(rows, (SHARP_ACROSS, SHARP_DOWN), interpolation=cv2.INTER_AREA), np.float32)


class Lens(NamedTuple):
    """What a lens makes of this place, free of noise: bends for each slope of light, and the slopes for each level, in fields."""

    bends: Floats
    slopes: Floats
    clear: NDArray[np.bool_]
    """Where edges stand out of the noise."""


def lens(seen: Sharpness, noise: float) -> Lens:
    """Blur takes bends before it takes slopes; light takes both alike.

    Of white noise with a mean difference n between two pictures the mean bend is sqrt(3) n and the mean slope n, and both add to those
    of the picture in quadrature.
    """
    slopes = np.sqrt(np.maximum(seen.slopes**2 - noise**2, 0))
    bends = np.sqrt(np.maximum(seen.bends**2 - 3 * noise**2, 0))
    clear = (slopes > 3.0) & (bends > 2.5 * noise)
    return Lens(bends / (slopes + np.float32(0.25)), slopes / np.float32(seen.level + 1), clear)
