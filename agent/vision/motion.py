"""Where something moves: the cheapest stage, which only says where the detector looks first.

The green channel on a raster of 160 cells a row is held against a mean of the last seconds. A cell moves when it differs by more than
its own noise does, after the mean has been brought to the frame's brightness. Nobody is refused for standing
still: the search goes round whatever moves. So errors cost a square of the detector and nothing else, and the stage can be
simple, and cost a third of a look of the detector (docs/BENCHMARKS.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.core.messages import Box
from agent.vision.faces import Floats
from hw.interfaces import Pixels

_Cells = NDArray[np.uint8]

EXPOSURE_STEADY = 0.03
"""Changes below this are the flicker of lamps."""


class MotionSettings(Struct, frozen=True, kw_only=True):
    """Levels are of 255; cells are the raster's."""

    cells_across: int = 160
    """A face of 30 px is 4 cells wide in 1280 x 720, its body a dozen."""
    mean_s: float = 3.0
    """Time constant of the mean where nothing moves,"""
    moving_mean_s: float = 8.0
    """and where something does: who walks through leaves no trail, and who stops fades within thirteen seconds, at the highest contrast."""
    noise_s: float = 5.0
    """Time constant of each cell's noise: leaves and screens that flicker for longer are taken for noise."""
    least_level: float = 9.0
    """A cell that differs by less never moves: three times a dim camera's noise in a mean of four pixels."""
    noise_times: float = 3.5
    exposure_share: float = 0.3
    """Further tolerance, of a cell's brightness times the relative change of exposure: a camera's curve is no straight line."""
    blown_level: float = 240.0
    """As bright as this a cell may have been anything: it does not count while the exposure is another one than the mean's."""
    most_noise_level: float = 12.0
    """However restless a place is, a person before it (some 40 levels) still moves."""
    least_cells: int = 12
    """Smaller patches are not followed up: half the body of a person whose face has 30 px in 1280 x 720 has sixty."""
    join_cells: int = 5
    """Patches so near to each other are one: clothes of one colour move at their edges only."""
    settled_share: float = 0.5
    """When more of the picture than this differs, the light or the camera has changed: the mean begins anew."""
    most_boxes: int = 4


class Motion:
    """Remembers a mean and a noise level for each cell. One per camera and frame size; not thread-safe."""

    def __init__(self, frame_px: tuple[int, int], settings: MotionSettings) -> None:
        width, height = frame_px
        self._settings = settings
        self._size = (min(settings.cells_across, width), max(1, round(height * min(settings.cells_across, width) / width)))
        self._cell_px = (width / self._size[0], height / self._size[1])
        self._step = max(1, int(min(self._cell_px)) // 2)
        self._mean: Floats | None = None
        self._noise: Floats = np.zeros(self._size[::-1], np.float32)
        self._seen_s = 0.0
        self._join = np.ones((settings.join_cells, settings.join_cells), np.uint8)

    def boxes(self, pixels: Pixels, taken_s: float, known: Sequence[Box] = ()) -> list[Box]:
        """What moves in a frame (height x width x 3, BGR), in the frame's pixels, largest first.

        `known` are faces that are followed already: what moves on them and below them is their own body. `taken_s` is only compared
        with itself; a frame that is older than the last one counts as taken at the same moment.
        """
        now = self._raster(pixels)
        if self._mean is None:
            self._begin(now, taken_s)
            return []
        elapsed_s = max(0.0, taken_s - self._seen_s)
        if elapsed_s > self._settings.mean_s:  # after such a gap anything may stand elsewhere
            self._begin(now, taken_s)
            return []
        self._seen_s = max(taken_s, self._seen_s)
        factor = _exposure(now, self._mean)
        differs = np.asarray(cv2.absdiff(now, self._mean * np.float32(factor)), np.float32)
        moving = self._moving(differs, now, self._mean, factor)
        if cv2.countNonZero(moving) > self._settings.settled_share * moving.size:
            self._begin(now, self._seen_s)
            return []
        self._learn(now, self._mean, differs, moving, elapsed_s)
        for box in known:
            self._hide(moving, box)
        return self._patches(moving)

    def _raster(self, pixels: Pixels) -> Floats:
        """Mean of about four green pixels for each cell: of a sensor's pixels half are green."""
        green = np.ascontiguousarray(pixels[:: self._step, :: self._step, 1])
        return np.asarray(cv2.resize(green, self._size, interpolation=cv2.INTER_AREA), np.float32)

    def _begin(self, now: Floats, taken_s: float) -> None:
        self._mean, self._seen_s = now.copy(), taken_s

    def _moving(self, differs: Floats, now: Floats, mean: Floats, factor: float) -> _Cells:
        """1 where a cell differs by more than noise and exposure explain; single cells are dropped."""
        settings, changed = self._settings, abs(factor - 1)
        limit = np.maximum(self._noise * np.float32(settings.noise_times), np.float32(settings.least_level))
        moving = differs > limit + now * np.float32(settings.exposure_share * changed)
        if changed > EXPOSURE_STEADY:
            moving &= np.maximum(now, mean) < settings.blown_level
        return np.asarray(cv2.medianBlur(moving.astype(np.uint8), 3), np.uint8)

    def _learn(self, now: Floats, mean: Floats, differs: Floats, moving: _Cells, elapsed_s: float) -> None:
        """Noise is learned everywhere, but slowly and up to a limit: what moves for long is noise, who walks by is not."""
        settings = self._settings
        cv2.accumulateWeighted(now, mean, _share(elapsed_s, settings.mean_s), moving ^ 1)
        cv2.accumulateWeighted(now, mean, _share(elapsed_s, settings.moving_mean_s), moving)
        cv2.accumulateWeighted(np.minimum(differs, np.float32(settings.most_noise_level)), self._noise,
                               _share(elapsed_s, settings.noise_s))  # fmt: skip

    def _hide(self, moving: _Cells, face: Box) -> None:
        """Forget what moves on a face and below it, as wide as shoulders and arms are."""
        x, y, width, height = face
        left, right = (x - 1.2 * width) / self._cell_px[0], (x + 2.2 * width) / self._cell_px[0]
        top = (y - height) / self._cell_px[1]
        moving[max(0, int(top)) :, max(0, int(left)) : max(0, int(right) + 1)] = 0

    def _patches(self, moving: _Cells) -> list[Box]:
        if cv2.countNonZero(moving) < self._settings.least_cells:
            return []
        count, _, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(moving, self._join))
        margin = self._settings.join_cells // 2
        boxes: list[tuple[int, Box]] = []
        for left, top, wide, high, _ in stats[1:count].tolist():
            cells = int(np.count_nonzero(moving[top : top + high, left : left + wide]))
            if cells >= self._settings.least_cells:
                boxes.append((cells, self._to_frame(left, top, left + wide, top + high, margin)))
        boxes.sort(reverse=True)
        return [box for _, box in boxes[: self._settings.most_boxes]]

    def _to_frame(self, left: int, top: int, right: int, bottom: int, margin: int) -> Box:
        """Without what joining added, except at the frame's edges, where it could not add."""
        across, down = self._size
        left, right = left + margin * (left > 0), right - margin * (right < across)
        top, bottom = top + margin * (top > 0), bottom - margin * (bottom < down)
        x, y = self._cell_px
        return (left * x, top * y, (right - left) * x, (bottom - top) * y)


def _exposure(now: Floats, mean: Floats) -> float:
    """By what factor the picture has become brighter: automatic exposure and most lamps change most cells alike. The median does
    not mind who walks in the rest; one cell in thirty-six is enough for it."""
    a_few = np.s_[::6, ::6]
    ratios = ((now[a_few] + 1) / (mean[a_few] + 1)).ravel()
    return float(np.partition(ratios, len(ratios) // 2)[len(ratios) // 2])  # np.median takes five times as long


def _share(elapsed_s: float, constant_s: float) -> float:
    """Weight of the newest value in an exponential mean."""
    return 1 - exp(-elapsed_s / constant_s)
