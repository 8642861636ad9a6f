"""Brief changes of a face: movements of brows and mouth that come and go within half a second. Experimental, off by default, weighs nothing.

**Never where the law forbids it**: `micro_expressions_allowed` refuses it in `workplace-eu` (EU AI Act, Art. 5(1)(f)), and then no stage is
made. A brief change is a movement, measured in parts of the face's own width; which feeling it were, nobody can say, and nothing here
does. Its row in agent.core.evidence weighs 0: it is never a reason for anything.

**The frame rate is the limit.** Micro-expressions last 1/25 to 1/5 s (Ekman; Yan et al., 2013: 170 to 500 ms) and are researched at 200
frames a second. What is not seen in two frames cannot be told from one mistake of the mesh, and its ends are known to a frame at best:

| frames a second | found from | times to within | of a change of 200 ms |
|---|---|---|---|
| 15 | 135 to 200 ms | 67 ms | 3 frames |
| 30 | 67 to 100 ms | 33 ms | 6 frames |
| below 12 | nothing is told | | 2 frames |

How: the mesh is laid over the mean face by points that no muscle moves (corners of the eyes, bridge of the nose, temples, forehead), which
takes the head's own movement out; what is left of brows and mouth, in distances of the outer eye corners, is held against its median
over 1.2 s, which no change of less than half a second moves. Noise is what each measure does by itself on this face (median absolute
deviation). Not counted: while the head turns fast, when the lids move too (a blink pulls the brows), and the mouth of who speaks.
docs/PERCEPTION.md has what was found of staged changes, and how many are seen where none is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from math import degrees
from typing import Literal, NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from agent.behaviour.stress import poisson_interval
from agent.core.messages import BriefChange, BriefChanges, FaceSeen
from agent.vision.chain import LEAST_MESH_SCORE
from agent.vision.faces import Floats
from agent.vision.head_pose import Doubles, fit, mean_face
from agent.vision.looks import Glimpse

Region = Literal["brows", "mouth"]

STILL = (33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 10, 151, 9, 234, 454, 127, 356, 93, 323, 162, 389)
"""Points of the mesh that no expression moves, or hardly."""
BROW_IN, BROW_OUT = (55, 107, 285, 336), (46, 70, 276, 300)
BROW_LEFT, BROW_RIGHT = (336, 296, 334, 293), (107, 66, 105, 63)
INNER_RIGHT, INNER_LEFT = 55, 285
CORNER_RIGHT, CORNER_LEFT, LIP_UP, LIP_LOW = 61, 291, 13, 14
LIDS = ((159, 145), (386, 374))

MEASURES: tuple[tuple[str, Region | Literal["lids"]], ...] = (
    ("inner brows up", "brows"), ("outer brows up", "brows"), ("brows together", "brows"), ("one brow up", "brows"),
    ("mouth wide", "mouth"), ("corners up", "mouth"), ("one corner up", "mouth"), ("lips apart", "mouth"), ("upper lip up", "mouth"),
    ("lids", "lids"),
)  # fmt: skip


class MicroSettings(Struct, frozen=True, kw_only=True):
    """Limits of what is counted. Sizes are in distances of the outer eye corners, some 89 mm."""

    least_frames_per_s: float = 12.0
    longest_s: float = 0.5
    window_s: float = 30.0
    median_s: float = 1.2
    noise_s: float = 4.0
    learn_s: float = 1.5
    """Nothing is counted before a face was measured for so long."""
    noises: float = 4.5
    """So many deviations are a change,"""
    quiet: float = 2.0
    """and less than these are none any more."""
    least_size: float = 0.015
    """Somewhat more than a millimetre."""
    least_noise: float = 0.003
    least_eyes_px: float = 50.0
    """Distance of the outer eye corners: below it the mesh's own steps are as large as a change."""
    most_misfit: float = 0.07
    most_turn_deg_per_s: float = 25.0
    most_turned_deg: float = 25.0
    speech: int = 1
    """Who makes so many more changes of the mouth within `speech_s` of one speaks."""
    speech_s: float = 2.0


class Shape(NamedTuple):
    """A face without its head's attitude."""

    measures: Doubles
    """As MEASURES."""
    eyes_px: float
    misfit: float
    towards: Doubles
    """Where the nose points, unit length."""


def shape_of(points: Floats) -> Shape:
    """What a mesh (468 x 3) shows of brows, mouth and lids once the head's own movement is taken out."""
    still = list(STILL)
    laid = fit(points[still], mean_face()[still])
    own = (points.astype(np.float64) - laid.where_px) @ laid.rotation / laid.scale_px
    x, y = own[:, 0], own[:, 1]
    measures = np.array([
        -_mean(y, BROW_IN), -_mean(y, BROW_OUT), x[INNER_RIGHT] - x[INNER_LEFT], _mean(y, BROW_RIGHT) - _mean(y, BROW_LEFT),
        x[CORNER_LEFT] - x[CORNER_RIGHT], -_mean(y, (CORNER_RIGHT, CORNER_LEFT)), y[CORNER_RIGHT] - y[CORNER_LEFT],
        y[LIP_LOW] - y[LIP_UP], -y[LIP_UP], sum(y[lower] - y[upper] for upper, lower in LIDS) / 2,
    ])  # fmt: skip
    return Shape(measures, laid.scale_px, laid.misfit, laid.rotation @ np.array([0.0, 0.0, -1.0]))


def _mean(values: Doubles, rows: tuple[int, ...]) -> float:
    return float(values[list(rows)].mean())


class _Open(NamedTuple):
    """A change that goes on in one measure."""

    onset_s: float
    """The last quiet frame."""
    apex_s: float
    size: float
    sign: float
    frames: int


class _Found(NamedTuple):
    region: str
    onset_s: float
    apex_s: float
    offset_s: float
    size: float


class BriefTrack:
    """One face's brief changes. Times are the frames' own."""

    def __init__(self, settings: MicroSettings | None = None) -> None:
        self.settings = settings or MicroSettings()
        self._times: deque[float] = deque(maxlen=90)
        self._rows: deque[Doubles] = deque(maxlen=240)
        self._row_s: deque[float] = deque(maxlen=240)
        self._open: list[_Open | None] = [None] * len(MEASURES)
        self._found: deque[_Found] = deque(maxlen=256)
        self._measured: deque[tuple[float, float]] = deque(maxlen=1024)
        """Frame and the time since the last one, where it counts."""
        self._towards: Doubles | None = None
        self._why = "learning"

    def take(self, at_s: float, shape: Shape | None) -> None:
        """A frame; None where the face could not be measured."""
        last_s = self._times[-1] if self._times else None
        if last_s is not None and at_s <= last_s:
            return
        self._times.append(at_s)
        self._why = self._why_not(at_s, last_s, shape)
        if self._why or shape is None:
            self._open = [None] * len(MEASURES)
            return
        self._rows.append(shape.measures)
        self._row_s.append(at_s)
        while at_s - self._row_s[0] > self.settings.noise_s:
            self._rows.popleft()
            self._row_s.popleft()
        if at_s - self._row_s[0] < self.settings.learn_s:
            self._why = "learning"
            return
        self._measured.append((at_s, at_s - last_s if last_s is not None else 0.0))
        self._compare(at_s)

    def frames_per_s(self) -> float:
        """By the median interval; 0 while unknown."""
        if len(self._times) < 10:
            return 0.0
        steps = sorted(later - earlier for earlier, later in pairwise(self._times))
        return 1 / max(steps[len(steps) // 2], 1e-6)

    def changes(self, now_s: float) -> BriefChanges:
        """What was counted in the last `window_s`."""
        settings, rate = self.settings, self.frames_per_s()
        if 0 < rate < settings.least_frames_per_s:
            return BriefChanges(count=0, low=0.0, high=0.0, over_s=0.0, frames_per_s=rate, shortest_s=0.0, abstained="frame_rate")
        since_s = now_s - settings.window_s
        counted = self._counted(since_s)
        low, high = poisson_interval(len(counted))
        over_s = sum(step_s for at_s, step_s in self._measured if at_s >= since_s)
        newest = tuple(BriefChange(region=found.region, onset_s=found.onset_s, apex_s=found.apex_s, offset_s=found.offset_s,
                                   size=found.size) for found in counted[-4:])  # fmt: skip
        return BriefChanges(count=len(counted), low=low, high=high, over_s=over_s, frames_per_s=rate,
                            shortest_s=3 / rate if rate else 0.0, newest=newest, abstained=self._why)  # fmt: skip

    def _why_not(self, at_s: float, last_s: float | None, shape: Shape | None) -> str:
        """Why a frame cannot be compared; empty where it can."""
        settings = self.settings
        if shape is None:
            self._towards = None
            return "no_face"
        before, self._towards = self._towards, shape.towards
        if shape.eyes_px < settings.least_eyes_px:
            return "too_small"
        if shape.misfit > settings.most_misfit or -shape.towards[2] < np.cos(np.radians(settings.most_turned_deg)):
            return "turned_away"
        if last_s is None or before is None or at_s - last_s > 2 / settings.least_frames_per_s:
            return "gap"
        turned_deg = degrees(float(np.arccos(np.clip(before @ shape.towards, -1, 1))))
        return "head_moves" if turned_deg > settings.most_turn_deg_per_s * (at_s - last_s) + 1.5 else ""

    def _compare(self, at_s: float) -> None:
        """The newest row against the median and the noise of the rows before."""
        settings = self.settings
        rows = np.array(self._rows)
        recent = rows[np.searchsorted(np.array(self._row_s), at_s - settings.median_s) :]
        off = rows[-1] - np.median(recent, axis=0)
        steps = np.abs(np.diff(rows, axis=0))
        # A median step of white noise is .954 of its deviation; movement that lasts makes no steps.
        noise = np.maximum(np.median(steps, axis=0) / 0.954, settings.least_noise)
        for number, (size, sure) in enumerate(zip(off.tolist(), noise.tolist(), strict=True)):
            self._follow(number, at_s, size, sure)

    def _follow(self, number: int, at_s: float, off: float, noise: float) -> None:
        settings, going = self.settings, self._open[number]
        if going is None:
            if abs(off) > max(settings.noises * noise, settings.least_size):
                self._open[number] = _Open(self._times[-2], at_s, abs(off), 1.0 if off > 0 else -1.0, 1)
            return
        if off * going.sign > max(settings.quiet * noise, 0.4 * going.size):
            higher = abs(off) > going.size
            self._open[number] = going._replace(frames=going.frames + 1, apex_s=at_s if higher else going.apex_s,
                                                size=max(abs(off), going.size))  # fmt: skip
            return
        self._open[number] = None
        if going.frames >= 2 and at_s - going.onset_s <= settings.longest_s + 1 / max(self.frames_per_s(), 1.0):
            self._found.append(_Found(MEASURES[number][1], going.onset_s, going.apex_s, at_s, going.size))

    def _counted(self, since_s: float) -> list[_Found]:
        """Changes without blinks and speech, those of several measures at once as one."""
        found = [each for each in self._found if each.offset_s >= since_s]
        blinks = [each for each in found if each.region == "lids"]
        faces = [each for each in found if each.region != "lids" and not any(_overlap(each, blink) for blink in blinks)]
        mouths = [each.apex_s for each in _joined([each for each in faces if each.region == "mouth"])]
        near = self.settings.speech_s
        spoken = [at_s for at_s in mouths if sum(abs(other - at_s) <= near for other in mouths) > self.settings.speech]
        return _joined(
            [each for each in faces if each.region != "mouth" or not any(abs(each.apex_s - at_s) <= near for at_s in spoken)]
        )


def _overlap(a: _Found, b: _Found) -> bool:
    return a.onset_s <= b.offset_s and b.onset_s <= a.offset_s


def _joined(found: Sequence[_Found]) -> list[_Found]:
    """What overlaps is one change, named after its largest."""
    joined: list[_Found] = []
    for each in sorted(found, key=lambda change: change.onset_s):
        if joined and _overlap(joined[-1], each):
            larger = max(joined[-1], each, key=lambda change: change.size)
            joined[-1] = larger._replace(onset_s=joined[-1].onset_s, offset_s=max(joined[-1].offset_s, each.offset_s))
        else:
            joined.append(each)
    return joined


class MicroExpressionStage:
    """Brief changes, in every frame: they are short. Made only where agent.vision.build.brief_changes allows it."""

    name, every_s = "micro_expressions", 0.0

    def begin(self) -> BriefTrack:
        return BriefTrack()

    def take(self, memory: BriefTrack, glimpse: Glimpse) -> None:
        sure = glimpse.mesh.score >= LEAST_MESH_SCORE
        memory.take(glimpse.taken_s, shape_of(glimpse.mesh.points) if sure else None)

    def tell(self, memory: BriefTrack, face: FaceSeen, now_s: float) -> FaceSeen:
        return replace(face, brief_changes=memory.changes(now_s))
