"""What threshold stands for the stated false match rate on a door's own camera, learned from the faces that pass.

A threshold does not carry over from one camera to another: a colour cast, blur and little contrast make all faces more alike. Scores of
different people need no labels, because two tracks that are seen at the same time are two people. After Fisher's transformation
(atanh) such scores are nearly normal, and other cameras move and stretch them without changing their shape: so the middle nine tenths of
a few hundred scores say where the rare high ones begin, long before one of them was seen. What a threshold is worth in those
units is known from the list that it was measured on (`Shape` in the manifest).

Of nobody is anything kept: two embeddings of one observation are compared and let go, and what stays is a count of scores by height.

Poisoning. Whoever shows one face twice (a mirror, a screen, a poster) makes one false score; a pair of tracks counts once, a track in a few
pairs only, an hour in a few dozen; the highest twentieth of the scores has no say; the threshold never rises by more than
`most_rise`, and never sinks below what the manifest states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import atanh, hypot, sqrt, tanh

from msgspec import Struct

from agent.core.identity import cosine
from agent.core.messages import FaceSeen, Observation
from agent.vision.faces import centre

BINS = 200
"""Of the cosine, from -1 to 1."""
TRIM = 0.05
"""Share at either end that has no say in a shape."""
Z_90 = 1.645
"""Standard normal quantile of 95 %: nine tenths lie between it and its negative."""


class OwnCameraSettings(Struct, frozen=True, kw_only=True):
    """What counts as a comparison of two people, and when there are enough."""

    least_pairs: int = 300
    """The threshold's standard error is then some .02."""
    most_rise: float = 0.15
    """A camera that needs more cannot tell people apart: it has to be exchanged, not calibrated."""
    least_quality: float = 0.3
    least_face_px: float = 40.0
    least_apart: float = 1.5
    """Between the middles of two faces, in widths of the wider: two boxes of one face are nearer."""
    looks: int = 5
    """The highest of so many comparisons is a pair's score, as a door takes the best of its looks,"""
    look_every_s: float = 0.3
    """which are so far apart."""
    over_s: float = 2.0
    """A pair that was not seen for so long is over."""
    partners: int = 3
    """Pairs that one track may be in: who stays, a poster for instance, is compared with everybody who comes."""
    pairs_an_hour: int = 20
    """So that no single meeting or prank is what a camera is judged by."""
    alike: float = 0.65
    """From here on a pair is likelier one person twice (a mirror, a screen) than two who look so alike; told, not left out."""


class Shape(Struct, frozen=True):
    """Of the scores of different people: mean and standard deviation of the middle nine tenths, after Fisher's transformation."""

    mean: float
    deviation: float


class Tally(Struct, frozen=True, kw_only=True):
    """Scores of pairs of different people, counted by height: all that is kept."""

    embedder_id: str
    camera: str
    """As the configuration names it: another camera begins anew."""
    counts: tuple[int, ...] = (0,) * BINS

    @property
    def pairs(self) -> int:
        return sum(self.counts)


class NotEnough(Struct, frozen=True, kw_only=True):
    """Too few pairs for a threshold."""

    pairs: int
    needed: int


class Estimate(Struct, frozen=True, kw_only=True):
    """The threshold for this camera."""

    threshold: float
    """Between the floor and the floor with the greatest rise."""
    estimated: float
    """What the scores say, wherever that is."""
    interval_90: tuple[float, float]
    """Of `estimated`, if the pairs were independent; people who come together again and again make it wider than it says."""
    floor: float
    pairs: int
    capped: bool
    alike: int
    """Pairs that look like one person twice."""


@dataclass
class _Meeting:
    """Two tracks in view together."""

    best: float
    looks: int
    seen_s: float
    looked_s: float


@dataclass
class OwnCamera:
    """Learns from observations. Not thread-safe; its memory of tracks is that of one run."""

    tally: Tally
    settings: OwnCameraSettings = field(default_factory=OwnCameraSettings)
    _meetings: dict[tuple[int, int], _Meeting] = field(default_factory=dict)
    _done: dict[tuple[int, int], float] = field(default_factory=dict)
    _partners: dict[int, int] = field(default_factory=dict)
    _counted_s: list[float] = field(default_factory=list)

    def see(self, observation: Observation) -> None:
        """Compare the people of an observation with each other; what is over is counted."""
        now_s = observation.taken_s
        faces = [face for face in observation.faces if self._usable(face)]
        for one, other in combinations(sorted(faces, key=lambda face: face.track), 2):
            if _apart(one, other) >= self.settings.least_apart:
                self._meet(one, other, now_s)
        self._close(now_s, {face.track for face in observation.faces})

    def _usable(self, face: FaceSeen) -> bool:
        settings = self.settings
        shown = face.liveness is not None and face.liveness.verdict == "attack"
        return (bool(face.embedding) and not shown and face.quality >= settings.least_quality
                and face.box_px[2] >= settings.least_face_px)  # fmt: skip

    def _meet(self, one: FaceSeen, other: FaceSeen, now_s: float) -> None:
        settings, pair = self.settings, (one.track, other.track)
        if pair in self._done:
            return
        meeting = self._meetings.get(pair)
        if meeting is None:
            if max(self._partners.get(track, 0) for track in pair) >= settings.partners:
                return
            for track in pair:
                self._partners[track] = self._partners.get(track, 0) + 1
            self._meetings[pair] = _Meeting(cosine(one.embedding, other.embedding), 1, now_s, now_s)
            return
        meeting.seen_s = now_s
        if now_s - meeting.looked_s >= settings.look_every_s:
            meeting.best = max(meeting.best, cosine(one.embedding, other.embedding))
            meeting.looks, meeting.looked_s = meeting.looks + 1, now_s

    def _close(self, now_s: float, present: set[int]) -> None:
        """Counts what is over or was looked at often enough, and forgets tracks that have gone."""
        for pair, meeting in list(self._meetings.items()):
            if meeting.looks >= self.settings.looks or now_s - meeting.seen_s > self.settings.over_s:
                del self._meetings[pair]
                self._done[pair] = now_s
                self._count(meeting.best, now_s)
        meeting_now = {track for pair in self._meetings for track in pair}
        for pair in [pair for pair in self._done if not present & set(pair) and now_s - self._done[pair] > self.settings.over_s]:
            del self._done[pair]
        kept = present | meeting_now | {track for pair in self._done for track in pair}
        self._partners = {track: count for track, count in self._partners.items() if track in kept}

    def _count(self, score: float, now_s: float) -> None:
        self._counted_s = [at_s for at_s in self._counted_s if now_s - at_s < 3600]
        if len(self._counted_s) < self.settings.pairs_an_hour:
            self._counted_s.append(now_s)
            self.tally = counted(self.tally, score)


def counted(tally: Tally, score: float) -> Tally:
    """The tally with one score more."""
    place = _bin(score)
    counts = (*tally.counts[:place], tally.counts[place] + 1, *tally.counts[place + 1 :])
    return Tally(embedder_id=tally.embedder_id, camera=tally.camera, counts=counts)


def counts_of(scores: Sequence[float]) -> tuple[int, ...]:
    """How many scores lie at each height."""
    counts = [0] * BINS
    for score in scores:
        counts[_bin(score)] += 1
    return tuple(counts)


def shape_of(counts: Sequence[int]) -> Shape | None:
    """The shape of scores that were counted by height; None of fewer than twenty."""
    total = sum(counts)
    if total < 1 / TRIM:
        return None
    weights = _trimmed(counts, TRIM * total)
    heights = [atanh((place + 0.5) * 2 / BINS - 1) for place in range(BINS)]
    held = sum(weights)
    mean = sum(weight * height for weight, height in zip(weights, heights, strict=True)) / held
    spread = sum(weight * (height - mean) ** 2 for weight, height in zip(weights, heights, strict=True)) / held
    return Shape(mean, sqrt(spread))


def estimate(tally: Tally, reference: Shape, floor: float, settings: OwnCameraSettings) -> Estimate | NotEnough:
    """The threshold that is on this camera what `floor` is on the camera of the reference.

    `floor`: the threshold of the stated false match rate where the shape of scores is `reference`; a cosine.
    """
    shape = shape_of(tally.counts)
    if shape is None or tally.pairs < settings.least_pairs:
        return NotEnough(pairs=tally.pairs, needed=settings.least_pairs)
    deviations = (atanh(floor) - reference.mean) / reference.deviation
    height = shape.mean + deviations * shape.deviation
    # Variances of mean and deviation of the middle nine tenths of normal scores, in units of the latter, found by drawing 6,000 times 300.
    error = shape.deviation * sqrt((1.65 + 0.63 * deviations**2) / tally.pairs)
    found, most = tanh(height), floor + settings.most_rise
    return Estimate(
        threshold=round(min(max(found, floor), most), 4), estimated=round(found, 4), floor=floor, pairs=tally.pairs,
        interval_90=(round(tanh(height - Z_90 * error), 4), round(tanh(height + Z_90 * error), 4)), capped=found > most,
        alike=sum(tally.counts[_bin(settings.alike) :]),
    )  # fmt: skip


def _bin(score: float) -> int:
    return min(BINS - 1, max(0, int((score + 1) / 2 * BINS)))


def _trimmed(counts: Sequence[int], each_end: float) -> list[float]:
    """The counts without so many at either end."""
    weights = [float(count) for count in counts]
    for places in (range(len(weights)), reversed(range(len(weights)))):
        left = each_end
        for place in places:
            taken = min(weights[place], left)
            weights[place] -= taken
            left -= taken
    return weights


def _apart(one: FaceSeen, other: FaceSeen) -> float:
    (ax, ay), (bx, by) = centre(one.box_px), centre(other.box_px)
    return hypot(ax - bx, ay - by) / max(one.box_px[2], other.box_px[2])
