"""Which face of this frame is which face of the last, and what embedding a track may speak for. Pure; time is an argument.

A track's embedding opens doors, so the tracker is built against the thief who steps into the owner's place: a picture that does not
look like the track's mean silences the track at once and, when a second one agrees, ends it. Where two faces come so close
that boxes alone cannot tell them apart, both tracks fall silent until a fresh picture has confirmed each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import hypot

import numpy as np
from msgspec import Struct

from agent.core.messages import Box
from agent.vision.faces import Face, Floats, centre, iou


class TrackSettings(Struct, frozen=True, kw_only=True):
    """Limits of the tracker. Distances are in face widths, so that near and far people are treated alike."""

    miss_s: float = 1.0
    """A track that nobody was seen in for this long is over: a person blinks, turns or is passed in front of in less."""
    bridge_s: float = 0.15
    """A face is still reported this long after it was last found: the detector may miss one frame, people do not vanish."""
    mean_s: float = 2.0
    """Pictures older than this leave the mean."""
    most_pictures: int = 16
    reach: float = 0.9
    """How far a face may be from where it was expected: 1.5 m/s across the view is 0.7 widths a frame at 15 frames a second."""
    reach_per_s: float = 2.0
    """How much further for each second that it was not seen."""
    size_ratio: float = 1.8
    """A face does not grow or shrink more between two sightings."""
    close: float = 0.75
    """Two faces nearer than this cannot be told apart by their boxes: heads that touch are 1.2 face widths apart."""
    gap_s: float = 0.25
    """After a longer gap anybody may have stepped in: the track is confirmed by a picture before it speaks again."""
    same_person: float = 0.35
    """A good picture below this cosine with the track's mean shows somebody else."""
    good_quality: float = 0.3
    """Poorer pictures neither join the mean nor accuse it: a blurred owner looks like nobody."""
    strikes: int = 2
    """Disagreeing good pictures in a row that end a track."""


class Picture(Struct, frozen=True):
    """An embedding (unit length) with what it was taken from."""

    taken_s: float
    embedding: Floats
    quality: float


@dataclass
class Track:
    """One face followed over frames. Changed by its Tracker only."""

    id: int
    face: Face
    first_seen_s: float
    seen_s: float
    velocity: tuple[float, float] = (0.0, 0.0)
    """Pixels a second."""
    quality: float = 0.0
    """Of the newest picture that was judged."""
    tried_s: float = -1e9
    """When an embedding was last attempted."""
    ambiguous: bool = False
    """Cannot be told from a neighbour in this frame."""
    confirmed: bool = True
    """False after a disagreement, a gap or a crossing, until a picture agrees."""
    strikes: int = 0
    pictures: deque[Picture] = field(default_factory=deque)
    _mean: Floats | None = None
    """Kept, because it is asked for in every frame and changes in few; None when the pictures have changed."""

    def expected(self, now_s: float) -> Box:
        """Where the box should be now. A velocity is believed for a quarter of a second: then people turn."""
        ahead_s = min(now_s - self.seen_s, 0.25)
        x, y, width, height = self.face.box_px
        return (x + self.velocity[0] * ahead_s, y + self.velocity[1] * ahead_s, width, height)

    def mean(self) -> Floats | None:
        """Quality-weighted mean of the pictures, unit length; None without any."""
        if not self.pictures:
            return None
        if self._mean is None:
            total = np.sum([picture.embedding * picture.quality for picture in self.pictures], axis=0)
            self._mean = unit(total)
        return self._mean

    def take(self, picture: Picture, most: int) -> None:
        """Add a picture to the mean; the oldest beyond `most` leave it."""
        self.pictures.append(picture)
        while len(self.pictures) > most:
            self.pictures.popleft()
        self._mean = None

    def forget(self, before_s: float) -> None:
        """Take out of the mean what was taken before a time."""
        while self.pictures and self.pictures[0].taken_s < before_s:
            self.pictures.popleft()
            self._mean = None

    def voice(self) -> Floats | None:
        """The embedding that the track may speak for now: nothing while there is doubt about who it is."""
        return None if self.ambiguous or not self.confirmed else self.mean()


def unit(vector: Floats) -> Floats | None:
    """The vector at length one; None when it has no direction."""
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if np.isfinite(length) and length > 1e-9 else None


class Tracker:
    """Tracks of one camera. Call `update` for each frame, then `judge` for each face that was embedded."""

    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._tracks: dict[int, Track] = {}
        self._last_id = 0
        self.ended_by_disagreement = 0

    def update(self, faces: Sequence[Face], now_s: float) -> None:
        """Give this frame's faces, each only once, to tracks."""
        self._forget(now_s)
        pairs = self._possible(faces, now_s)
        self._mark_ambiguous(now_s)
        free = set(range(len(faces)))
        waiting = set(self._tracks)
        for _, track_id, index in sorted(pairs):
            if track_id in waiting and index in free:
                waiting.remove(track_id)
                free.remove(index)
                self._continue(self._tracks[track_id], faces[index], now_s)
        for index in sorted(free):
            self._begin(faces[index], now_s)
        self._mark_ambiguous(now_s)

    def seen(self, now_s: float) -> list[Track]:
        """The tracks whose face is in view now, oldest first."""
        return [track for track in self._tracks.values() if now_s - track.seen_s <= self._settings.bridge_s]

    def live(self) -> list[Track]:
        """All tracks that are not over, oldest first."""
        return list(self._tracks.values())

    def judge(self, track: Track, picture: Picture) -> Track:
        """Take a picture's embedding into its track's mean, or let it accuse the track. Returns the track that goes on with the face."""
        track.quality = picture.quality
        if picture.quality < self._settings.good_quality or track.ambiguous:
            return track
        mean = track.mean()
        if mean is None or float(mean @ picture.embedding) >= self._settings.same_person:
            self._merge(track, picture)
            return track
        track.confirmed = False
        track.strikes += 1
        return track if track.strikes < self._settings.strikes else self._replace(track, picture)

    def doubt(self, track: Track) -> None:
        """A closer look saw no face in a track's box. One that never had a face is dropped; a person may have a hand before theirs."""
        if not track.pictures:
            self._tracks.pop(track.id, None)

    def _merge(self, track: Track, picture: Picture) -> None:
        track.take(picture, self._settings.most_pictures)
        track.confirmed, track.strikes = True, 0

    def _replace(self, track: Track, picture: Picture) -> Track:
        """Somebody else stands where the track was: it ends, and a new one begins with nothing of it but the place."""
        del self._tracks[track.id]
        self.ended_by_disagreement += 1
        fresh = self._begin(track.face, picture.taken_s)
        fresh.seen_s, fresh.velocity = track.seen_s, track.velocity
        fresh.quality, fresh.tried_s = picture.quality, track.tried_s
        self._merge(fresh, picture)
        return fresh

    def _forget(self, now_s: float) -> None:
        for track in list(self._tracks.values()):
            if now_s - track.seen_s > self._settings.miss_s:
                del self._tracks[track.id]
            track.forget(now_s - self._settings.mean_s)

    def _possible(self, faces: Sequence[Face], now_s: float) -> list[tuple[float, int, int]]:
        """Cost, track and face of every pair that may belong together."""
        costs = ((self._cost(track, face, now_s), track.id, i) for track in self._tracks.values() for i, face in enumerate(faces))
        return [(cost, track_id, i) for cost, track_id, i in costs if cost is not None]

    def _cost(self, track: Track, face: Face, now_s: float) -> float | None:
        """How little a face looks like the next sighting of a track, by place and size; None when it cannot be."""
        settings, box = self._settings, track.expected(now_s)
        ratio = _ratio(box, face.box_px)
        apart = _apart(box, face.box_px)
        reach = settings.reach + settings.reach_per_s * (now_s - track.seen_s)
        if ratio > settings.size_ratio or (apart > reach and iou(box, face.box_px) < 0.2):
            return None
        return apart + (ratio - 1.0)

    def _continue(self, track: Track, face: Face, now_s: float) -> None:
        elapsed_s = now_s - track.seen_s
        if elapsed_s > self._settings.gap_s:
            track.confirmed = False
        if elapsed_s > 0:
            track.velocity = _velocity(track, face, elapsed_s)
        track.face, track.seen_s = face, now_s

    def _begin(self, face: Face, now_s: float) -> Track:
        self._last_id += 1
        track = Track(self._last_id, face, first_seen_s=now_s, seen_s=now_s)
        self._tracks[track.id] = track
        return track

    def _mark_ambiguous(self, now_s: float) -> None:
        """Finds tracks whose expected boxes come so close that a face could be either's."""
        tracks = list(self._tracks.values())
        boxes = [track.expected(now_s) for track in tracks]
        for i, track in enumerate(tracks):
            track.ambiguous = any(i != j and self._confusable(boxes[i], boxes[j]) for j in range(len(tracks)))
            if track.ambiguous:
                track.confirmed = False

    def _confusable(self, a: Box, b: Box) -> bool:
        return _apart(a, b) < self._settings.close and _ratio(a, b) <= self._settings.size_ratio


def _apart(a: Box, b: Box) -> float:
    """Distance of the centres in widths of the wider box."""
    (ax, ay), (bx, by) = centre(a), centre(b)
    return hypot(ax - bx, ay - by) / max(a[2], b[2], 1e-6)


def _ratio(a: Box, b: Box) -> float:
    small, large = sorted((a[2], b[2]))
    return large / max(small, 1e-6)


def _velocity(track: Track, face: Face, elapsed_s: float) -> tuple[float, float]:
    """Half of what was believed and half of what was seen: the detector's jitter is a few per cent of a face."""
    (x0, y0), (x1, y1) = centre(track.face.box_px), centre(face.box_px)
    vx, vy = (x1 - x0) / elapsed_s, (y1 - y0) / elapsed_s
    return (track.velocity[0] + vx) / 2, (track.velocity[1] + vy) / 2
