"""Bodies in a frame: 17 points each, several people told apart.

PoseNet's numbers are read as its makers describe it (Papandreou et al., arXiv 1803.08225, section 3.1, and 1701.01779 for offsets):
every point of a body has a map of scores on 17 x 17 cells, an offset from the cell to the exact place, and from each point a
displacement leads to its neighbour along a tree of 16 bones. The best point that no body owns yet is the root of the next body,
and the tree is walked from there both ways. A point that lies on the same point of a body already found adds nothing to a
body's score: so one person is not found twice, and of two who overlap each keeps what is theirs.

For the chain: `Persons(engine.load(manifest.model("person_pose")))` once, then `persons(pixels)` on frames where `PersonsDue` says so. One
square costs 4 ms on one thread of an x86-64 server (docs/PERCEPTION.md); only a frame wider than 2:1 is looked at as two squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.core.messages import Box
from agent.vision.detect import cut_square
from agent.vision.engine import Network
from agent.vision.faces import Floats, Region, covered
from agent.vision.pixels import Int8s, input_buffer, into_input
from hw.interfaces import Pixels
from models_tflite.manifest import Tensor

INPUT_PX = 257
STRIDE_PX = 16
POINTS = 17

(NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR, LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_ELBOW, RIGHT_ELBOW, LEFT_WRIST, RIGHT_WRIST,
 LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE, LEFT_ANKLE, RIGHT_ANKLE) = range(POINTS)  # fmt: skip
"""The order of the network's points, which is COCO's; left and right are the person's own."""

HEAD = (NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR)

BONES = (
    (NOSE, LEFT_EYE), (LEFT_EYE, LEFT_EAR), (NOSE, RIGHT_EYE), (RIGHT_EYE, RIGHT_EAR), (NOSE, LEFT_SHOULDER), (LEFT_SHOULDER, LEFT_ELBOW),
    (LEFT_ELBOW, LEFT_WRIST), (LEFT_SHOULDER, LEFT_HIP), (LEFT_HIP, LEFT_KNEE), (LEFT_KNEE, LEFT_ANKLE), (NOSE, RIGHT_SHOULDER),
    (RIGHT_SHOULDER, RIGHT_ELBOW), (RIGHT_ELBOW, RIGHT_WRIST), (RIGHT_SHOULDER, RIGHT_HIP), (RIGHT_HIP, RIGHT_KNEE),
    (RIGHT_KNEE, RIGHT_ANKLE),
)  # fmt: skip
"""Parent and child of each displacement (the manifest's `postprocessing`)."""

LENGTHS = (
    (LEFT_SHOULDER, RIGHT_SHOULDER, 1.0), (LEFT_HIP, RIGHT_HIP, 1.4), (LEFT_SHOULDER, LEFT_HIP, 0.75), (RIGHT_SHOULDER, RIGHT_HIP, 0.75),
    (LEFT_EAR, RIGHT_EAR, 2.4), (LEFT_EYE, RIGHT_EYE, 5.8), (LEFT_HIP, LEFT_KNEE, 0.9), (RIGHT_HIP, RIGHT_KNEE, 0.9),
)  # fmt: skip
"""Two points, and how often their distance goes into the width of the shoulders of an adult who faces the camera. By Drillis and
Contini's segment lengths (1966): shoulders .26 of the height between the joints' outsides, hips .19, thigh .245, torso .29."""


class Person(NamedTuple):
    """One body. `points_px` is 17 x 2 (x, y) in pixels of the frame, `scores` 17 numbers of 0..1, in the order of NOSE .. RIGHT_ANKLE."""

    box_px: Box
    score: float
    """Mean of the points' scores, 0..1."""
    points_px: Floats
    scores: Floats
    scale_px: float
    """How wide the shoulders are, or would be if this body faced the camera: the unit in which distances near it are counted."""


class PersonsSettings(Struct, frozen=True, kw_only=True):
    """What counts as a body."""

    root_score: float = 0.5
    """A body needs one point at least so sure."""
    point_score: float = 0.3
    """Points below this say nothing about where the body is."""
    least_score: float = 0.2
    """Mean over all 17 points: five sure points of a head and two shoulders, when the legs are out of the picture, are .35."""
    least_points: int = 4
    same_px: float = 20.0
    """Two points of one kind nearer than this, in pixels of the 257, are one (PoseNet's suppression radius)."""
    most: int = 8
    """Bodies of one square."""
    split_aspect: float = 2.0
    """A frame wider (or higher) than this is seen as two squares. 16:9 is not: on a film in 768x432 one letterboxed square found as many
    (96.5 % against 95.4 %), cut nobody in two (.2 % of frames against 21 %) and cost half; in 1280x720 a person is large enough to 8 m."""


class Pose(NamedTuple):
    """A body in the pixels of the network's picture: points 17 x 2 (x, y), their scores, and the score of what no other body owns."""

    points: Floats
    scores: Floats
    score: float


class PoseDecoder:
    """Int8 outputs to bodies. Only the numbers that a body walks over are turned into pixels: 7 for each bone."""

    def __init__(self, outputs: tuple[Tensor, ...], settings: PersonsSettings) -> None:
        """`outputs`: scores, offsets, displacements to the child, displacements to the parent, as in the manifest."""
        heat, self._offset_is, self._forward_is, self._backward_is = outputs
        self._settings = settings
        self._score_of = 1 / (1 + np.exp(-(np.arange(-128, 128) - heat.zero_point) * heat.scale))
        self._least = ceil(log(settings.root_score / (1 - settings.root_score)) / heat.scale + heat.zero_point)
        self._cells = heat.shape[1]

    def __call__(self, outputs: tuple[Int8s, ...]) -> list[Pose]:
        """The bodies of one picture, best root first."""
        heat, offsets, forward, backward = (output[0] for output in outputs)
        found: list[Pose] = []
        for row, column, point in self._roots(heat):
            start = self._refined(offsets, row, column, point)
            if any(_near(pose.points[point], start, self._settings.same_px) for pose in found):
                continue
            pose = self._walk(start, point, heat, offsets, (forward, backward))
            kept = self._judged(pose, found)
            if kept is not None:
                found.append(kept)
            if len(found) == self._settings.most:
                break
        return found

    def _roots(self, heat: Int8s) -> list[tuple[int, int, int]]:
        """Cells (row, column, point) that are sure enough and not below a neighbour, best first."""
        rows, columns, points = np.nonzero(heat >= self._least)
        if not len(rows):
            return []
        around = np.pad(heat, ((1, 1), (1, 1), (0, 0)), constant_values=-128)
        near = [around[rows + down, columns + right, points] for down in range(3) for right in range(3)]
        values = heat[rows, columns, points]
        peak = np.flatnonzero(values >= np.max(near, axis=0))
        order = peak[np.argsort(-values[peak].astype(np.int16), kind="stable")]
        return [(int(rows[i]), int(columns[i]), int(points[i])) for i in order]

    def _refined(self, offsets: Int8s, row: int, column: int, point: int) -> tuple[float, float]:
        """Where (x, y) a cell's offset puts its point."""
        is_ = self._offset_is
        y = row * STRIDE_PX + (int(offsets[row, column, point]) - is_.zero_point) * is_.scale
        x = column * STRIDE_PX + (int(offsets[row, column, point + POINTS]) - is_.zero_point) * is_.scale
        return x, y

    def _walk(self, start: tuple[float, float], root: int, heat: Int8s, offsets: Int8s, ways: tuple[Int8s, Int8s]) -> Pose:
        """Every other point, from the root along the bones."""
        points, scores = np.zeros((POINTS, 2), np.float32), np.zeros(POINTS, np.float32)
        points[root], scores[root] = start, self._score_at(heat, start, root)
        places = {root: start}
        for bone, source, target, child in WALKS[root]:
            tensor = self._forward_is if child else self._backward_is
            place = self._step(places[source], ways[0 if child else 1], tensor, bone)
            for _ in range(2):  # the offset of the cell that was hit may lead into the next one
                place = self._refined(offsets, self._cell(place[1]), self._cell(place[0]), target)
            places[target] = place
            points[target], scores[target] = place, self._score_at(heat, place, target)
        return Pose(points, scores, 0.0)

    def _step(self, place: tuple[float, float], way: Int8s, is_: Tensor, bone: int) -> tuple[float, float]:
        row, column = self._cell(place[1]), self._cell(place[0])
        down = (int(way[row, column, bone]) - is_.zero_point) * is_.scale
        right = (int(way[row, column, bone + len(BONES)]) - is_.zero_point) * is_.scale
        return place[0] + right, place[1] + down

    def _cell(self, at_px: float) -> int:
        return min(max(round(at_px / STRIDE_PX), 0), self._cells - 1)

    def _score_at(self, heat: Int8s, place: tuple[float, float], point: int) -> float:
        return float(self._score_of[int(heat[self._cell(place[1]), self._cell(place[0]), point]) + 128])

    def _judged(self, pose: Pose, found: Sequence[Pose]) -> Pose | None:
        """The body with its score, without the points that bodies found before it own; None when too little is left."""
        mine = np.ones(POINTS, bool)
        for other in found:
            mine &= np.hypot(*(pose.points - other.points).T) > self._settings.same_px
        scores = np.where(mine, pose.scores, 0).astype(np.float32)
        enough = int(np.count_nonzero(scores >= self._settings.point_score)) >= self._settings.least_points
        score = float(scores.mean())
        return Pose(pose.points, scores, score) if enough and score >= self._settings.least_score else None


def _near(point: Floats, place: tuple[float, float], radius: float) -> bool:
    return float((point[0] - place[0]) ** 2 + (point[1] - place[1]) ** 2) <= radius * radius


def _walks(root: int) -> tuple[tuple[int, int, int, bool], ...]:
    """The order in which the tree is walked from a root: bone, from, to, and whether that is from parent to child."""
    steps: list[tuple[int, int, int, bool]] = []
    reached = [root]
    for source in reached:
        for bone, (parent, child) in enumerate(BONES):
            target = child if source == parent else parent if source == child else source
            if target not in reached:
                steps.append((bone, source, target, source == parent))
                reached.append(target)
    return tuple(steps)


WALKS = tuple(_walks(root) for root in range(POINTS))


class Persons:
    """PoseNet on a whole frame. Not thread-safe: its buffers are used again by each call."""

    def __init__(self, network: Network, settings: PersonsSettings | None = None) -> None:
        self._network, self._settings = network, settings or PersonsSettings()
        self._square: Pixels = np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8)
        self._input = input_buffer(INPUT_PX)
        self._decode = PoseDecoder(network.outputs, self._settings)

    def __call__(self, pixels: Pixels) -> list[Person]:
        """The bodies of a frame (height x width x 3, BGR), best first, each once. Raises ModelError when the runtime fails."""
        regions = squares((pixels.shape[1], pixels.shape[0]), self._settings.split_aspect)
        found = [person for region in regions for person in self.look_in(pixels, region)]
        if len(regions) > 1:
            found = joined(found, self._settings.point_score)
        return sorted(found, key=lambda person: -person.score)

    def look_in(self, pixels: Pixels, region: Region) -> list[Person]:
        """The bodies of one square of the frame, in the frame's pixels; what lies outside the frame is black."""
        cut_square(pixels, region, self._square)
        into_input(self._square, self._input)
        poses = self._decode(self._network.run(self._input))
        scale, corner = np.float32(region.side / INPUT_PX), np.array([region.x, region.y], np.float32)
        return [person_of(pose.points * scale + corner, pose.scores, self._settings.point_score) for pose in poses]


def squares(frame_px: tuple[int, int], split_aspect: float) -> list[Region]:
    """One square about the whole frame, or two that cover a long one from both ends."""
    width, height = frame_px
    long, short = max(width, height), min(width, height)
    if long <= split_aspect * short:
        return [Region((width - long) // 2, (height - long) // 2, long)]
    side = max(short, ceil(long / 2))
    if width >= height:
        y = (height - side) // 2
        return [Region(0, y, side), Region(width - side, y, side)]
    x = (width - side) // 2
    return [Region(x, 0, side), Region(x, height - side, side)]


def person_of(points: Floats, scores: Floats, point_score: float) -> Person:
    """A body of its points: its box holds the sure ones and what surrounds them, a fifth of the shoulders to every side."""
    sure = points[scores >= point_score]
    scale = _scale(points, scores >= point_score)
    left, top = (sure.min(axis=0) - 0.2 * scale).tolist()
    right, bottom = (sure.max(axis=0) + 0.2 * scale).tolist()
    if (scores[list(HEAD)] >= point_score).any():
        top -= 0.2 * scale  # the highest point is an eye or an ear: the crown is half a head higher
    return Person((left, top, right - left, bottom - top), float(scores.mean()), points, scores, scale)


def _scale(points: Floats, sure: NDArray[np.bool_]) -> float:
    """The largest of what the pairs of sure points say, in pixels: turned aside, a pair comes together, it never grows."""
    widths = [times * float(np.hypot(*(points[a] - points[b]))) for a, b, times in LENGTHS if sure[a] and sure[b]]
    spread = np.ptp(points[sure], axis=0) if sure.any() else np.zeros(2, np.float32)
    return max(*widths, 0.25 * float(spread.max()), 4.0) if widths else max(0.25 * float(spread.max()), 4.0)


def joined(persons: Sequence[Person], point_score: float) -> list[Person]:
    """The bodies that several squares show, each once: the surer sighting of each point counts."""
    kept: list[Person] = []
    for person in sorted(persons, key=lambda each: -each.score):
        index = next((i for i, other in enumerate(kept) if same_body(person, other, point_score)), None)
        if index is None:
            kept.append(person)
        else:
            kept[index] = _merged(kept[index], person, point_score)
    return kept


def same_body(a: Person, b: Person, point_score: float) -> bool:
    """Whether two sightings show one body: at least three points of both lie together, or one's few points lie within the other."""
    both = (a.scores >= point_score) & (b.scores >= point_score)
    if np.count_nonzero(both) >= 3:
        apart = float(np.median(np.hypot(*(a.points_px[both] - b.points_px[both]).T)))
        return apart <= 0.3 * max(a.scale_px, b.scale_px)
    return covered(a.box_px, b.box_px) >= 0.6


def _merged(a: Person, b: Person, point_score: float) -> Person:
    better = b.scores > a.scores
    points = np.where(better[:, None], b.points_px, a.points_px)
    return person_of(points, np.maximum(a.scores, b.scores), point_score)


class PersonPolicy(Struct, frozen=True, kw_only=True):
    """When a frame is searched for bodies."""

    busy_s: float = 0.18
    """While somebody is tracked or something moves: every third of 15 frames a second. Between, tracks are predicted, and a body
    whose face is in view moves with it."""
    idle_s: float = 0.9
    """Otherwise: a person who stood still from the start is found within a second."""


@dataclass
class PersonsDue:
    """Says on which frames the network runs. One per camera."""

    policy: PersonPolicy
    _last_s: float = -1e9

    def __call__(self, busy: bool, now_s: float) -> bool:
        """Whether to look now; a yes is remembered as done. `busy`: somebody is tracked, or the frame moved."""
        due = now_s - self._last_s >= (self.policy.busy_s if busy else self.policy.idle_s)
        if due or now_s < self._last_s:
            self._last_s = now_s
            return True
        return False
