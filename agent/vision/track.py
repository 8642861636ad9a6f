"""Which face of this frame is which face of the last, and what embedding a track may speak for. Pure; time is an argument.

A track's embedding opens doors, so the tracker is built against the thief who steps into the owner's place: a picture that does not
look like the track's mean silences the track at once and, when a second one agrees, ends it. Where two faces come so close
that boxes alone cannot tell them apart, both tracks fall silent until a fresh picture has confirmed each.

Places say which face may go on with which track; only pictures say who it is. Three rules follow:

- After any doubt (a gap, a crossing, a picture that disagrees) a track keeps its mean only to be compared with, as `past`. It speaks with
  pictures taken since the doubt, so even a stranger who passes for its owner by chance speaks with nothing but their own face.
- A picture that disagrees with its own track, or comes from a track that knows nobody yet, is compared with the silent tracks. Where
  it agrees, the two tracks change places: paths that crossed, and whoever comes out from behind a pillar, keep their ids.
- A track that began after another was last seen may be the same person come back, once its mean says so: then the older id goes on.

One id therefore never speaks for two people, as far as a picture above the threshold tells people apart.
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

    miss_s: float = 1.6
    """A track that nobody was seen in for this long is over: a pillar or a passer-by hides somebody for up to a second, half a face is
    seldom found before or after it, and the search needs up to a third of one to find a face anew."""
    coast_s: float = 0.5
    """A velocity is believed for so long while nobody is seen: then people have turned or stopped."""
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
    unknown_s: float = 0.7
    """After a longer spell without a good picture, what was seen of a face (its life, its looks) may be another's and is forgotten: two
    embeddings may fail in between."""
    same_person: float = 0.35
    """A good picture below this cosine with the track's mean shows somebody else."""
    good_quality: float = 0.3
    """Poorer pictures neither join the mean nor accuse it: a blurred owner looks like nobody."""
    name_s: float = 0.2
    """While somebody is out of sight, a new face is not reported for so long unless a picture has said whether it is theirs: else
    whoever comes out from behind a pillar would go by another number for a frame or two."""
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
    known_s: float = 0.0
    """When a picture last knew its owner."""
    unbroken_s: float = 0.0
    """Since when nothing has cast doubt on who this is: what was seen earlier (of life, of attention) may have been another."""
    coast_s: float = 0.25
    pictures: deque[Picture] = field(default_factory=deque)
    """Taken since the last doubt: what the track speaks with."""
    taken: int = 0
    """Pictures that were taken in all."""
    past: Floats | None = None
    """The mean of earlier pictures, unit length: what a picture after a doubt is compared with. Never spoken with."""
    _mean: Floats | None = None
    """Kept, because it is asked for in every frame and changes in few; None when the pictures have changed."""

    def expected(self, now_s: float) -> Box:
        """Where the box should be now. A velocity is believed for `coast_s` only."""
        ahead_s = min(now_s - self.seen_s, self.coast_s)
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
        self.taken += 1
        while len(self.pictures) > most:
            self.pictures.popleft()
        self._mean = None

    def forget(self, before_s: float) -> None:
        """Take out of the mean what was taken before a time."""
        if self.pictures and self.pictures[-1].taken_s < before_s:
            self.set_aside()
        while self.pictures and self.pictures[0].taken_s < before_s:
            self.pictures.popleft()
            self._mean = None

    def set_aside(self) -> None:
        """From now on the mean is only compared with."""
        self.past = self.reference()
        self.pictures.clear()
        self._mean = None

    def doubt(self, now_s: float) -> None:
        """Somebody else may be here: silence until a picture agrees."""
        self.set_aside()
        self.confirmed, self.unbroken_s = False, now_s

    def swap_identity(self, other: Track) -> None:
        """Each goes on in the other's place: ids and all that pictures taught of their owners change, what is seen in a place stays."""
        self.id, other.id = other.id, self.id
        self.first_seen_s, other.first_seen_s = other.first_seen_s, self.first_seen_s
        self.known_s, other.known_s = other.known_s, self.known_s
        self.strikes, other.strikes = other.strikes, self.strikes
        self.pictures, other.pictures = other.pictures, self.pictures
        self.past, other.past = other.past, self.past
        self._mean, other._mean = other._mean, self._mean

    def reference(self) -> Floats | None:
        """Who this was, as far as is known."""
        mean = self.mean()
        return self.past if mean is None else mean

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
        self._lost: dict[int, Track] = {}
        """Tracks in whose place somebody else was found: their owner may come back within `miss_s`, nobody knows where."""
        self._last_id = 0
        self.ended_by_disagreement = 0
        self.changed_places = 0

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
        shown = [track for track in self._tracks.values() if now_s - track.seen_s <= self._settings.bridge_s]
        return [track for track in shown if not self._may_be_renamed(track, now_s)]

    def _may_be_renamed(self, track: Track, now_s: float) -> bool:
        new = track.reference() is None and now_s - track.first_seen_s < self._settings.name_s
        return new and any(now_s - other.seen_s > self._settings.gap_s for other, _ in self._others(track))

    def live(self) -> list[Track]:
        """All tracks that are not over and have a place, oldest first."""
        return list(self._tracks.values())

    def judge(self, track: Track, picture: Picture) -> Track:
        """Take a picture's embedding into its track's mean, or let it accuse the track. Returns the track that goes on with the face:
        its id may be another than before, where the picture shows who it really is."""
        track.quality = picture.quality
        if picture.quality < self._settings.good_quality or track.ambiguous:
            return track
        reference = track.reference()
        if reference is not None and self._alike(reference, picture.embedding):
            return self._merge(track, picture)
        other = self._silent_like(track, picture)
        if other is not None:
            return self._change_places(track, other, picture)
        return self._merge(track, picture) if reference is None else self._accuse(track, picture)

    def doubt(self, track: Track) -> None:
        """A closer look saw no face in a track's box. One that never had a face is dropped; a person may have a hand before theirs."""
        if track.reference() is None:
            self._tracks.pop(track.id, None)

    def _alike(self, a: Floats, b: Floats) -> bool:
        return float(a @ b) >= self._settings.same_person

    def _merge(self, track: Track, picture: Picture) -> Track:
        if picture.taken_s - track.known_s > self._settings.unknown_s:
            track.unbroken_s = picture.taken_s  # who stood there meanwhile was not seen well enough to be anybody
        track.take(picture, self._settings.most_pictures)
        track.confirmed, track.strikes, track.known_s = True, 0, picture.taken_s
        self._rejoin(track)
        return track

    def _accuse(self, track: Track, picture: Picture) -> Track:
        track.doubt(picture.taken_s)
        track.strikes += 1
        return track if track.strikes < self._settings.strikes else self._replace(track, picture)

    def _replace(self, track: Track, picture: Picture) -> Track:
        """Somebody else stands where the track was: a new one begins with nothing of it but the place."""
        self.ended_by_disagreement += 1
        self._lose(track, picture.taken_s)
        fresh = self._begin(track.face, picture.taken_s)
        fresh.seen_s, fresh.velocity = track.seen_s, track.velocity
        fresh.quality, fresh.tried_s = picture.quality, track.tried_s
        return self._merge(fresh, picture)

    def _lose(self, track: Track, now_s: float) -> None:
        """The track has no place any more. It was last seen when a picture last knew it, whatever stood there afterwards."""
        del self._tracks[track.id]
        past = track.reference()
        if past is not None:
            lost = Track(track.id, track.face, track.first_seen_s, track.known_s, confirmed=False, past=past, unbroken_s=now_s)
            self._lost[track.id] = lost

    def _is_silent(self, track: Track, now_s: float) -> bool:
        """Whether nobody is known to be this track's owner now."""
        return track.voice() is None or now_s - track.seen_s > self._settings.gap_s

    def _silent_like(self, track: Track, picture: Picture) -> Track | None:
        """The silent track whose owner a picture shows best; None when it shows none of them."""
        silent = [(other, past) for other, past in self._others(track) if self._is_silent(other, picture.taken_s)]
        alike = [
            (float(past @ picture.embedding), -other.id, other) for other, past in silent if self._alike(past, picture.embedding)
        ]
        return max(alike)[2] if alike else None

    def _others(self, track: Track) -> list[tuple[Track, Floats]]:
        """Every other track that ever knew who it is, and who that is."""
        everyone = [(other, other.reference()) for other in (*self._tracks.values(), *self._lost.values()) if other is not track]
        return [(other, past) for other, past in everyone if past is not None]

    def _change_places(self, track: Track, other: Track, picture: Picture) -> Track:
        """The face at `track` is the owner of `other`: that one goes on here, and this one there while a face is seen there."""
        self.changed_places += 1
        self._lost.pop(other.id, None)
        has_place = other.id in self._tracks and other.seen_s == track.seen_s
        track.swap_identity(other)
        self._tracks[track.id], self._tracks[other.id] = track, other
        track.doubt(picture.taken_s)
        other.doubt(picture.taken_s)
        if not has_place:
            self._lose(other, picture.taken_s)
        self._tracks = dict(sorted(self._tracks.items()))
        return self._merge(track, picture)

    def _rejoin(self, track: Track) -> None:
        """Let a track that began after another was last seen go on with that one's id, once both look like the same person."""
        mean = track.mean()
        for other, past in self._others(track):
            gone = other.seen_s < track.first_seen_s and track.seen_s - other.seen_s > self._settings.gap_s
            if gone and mean is not None and self._alike(past, mean):
                for id_ in (track.id, other.id):
                    self._tracks.pop(id_, None)
                    self._lost.pop(id_, None)
                track.id, track.first_seen_s = other.id, other.first_seen_s
                self._tracks = dict(sorted({**self._tracks, track.id: track}.items()))
                return

    def _forget(self, now_s: float) -> None:
        for track in list(self._tracks.values()):
            if now_s - track.seen_s > self._settings.miss_s:
                del self._tracks[track.id]
            track.forget(now_s - self._settings.mean_s)
        self._lost = {id_: track for id_, track in self._lost.items() if now_s - track.unbroken_s <= self._settings.miss_s}

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
            track.doubt(now_s)
        if elapsed_s > 0:
            track.velocity = _velocity(track, face, elapsed_s)
        track.face, track.seen_s = face, now_s

    def _begin(self, face: Face, now_s: float) -> Track:
        self._last_id += 1
        track = Track(self._last_id, face, now_s, now_s, unbroken_s=now_s, known_s=now_s, coast_s=self._settings.coast_s)
        self._tracks[track.id] = track
        return track

    def _mark_ambiguous(self, now_s: float) -> None:
        """Finds tracks whose expected boxes come so close that a face could be either's."""
        tracks = list(self._tracks.values())
        boxes = [track.expected(now_s) for track in tracks]
        for i, track in enumerate(tracks):
            track.ambiguous = any(i != j and self._confusable(boxes[i], boxes[j]) for j in range(len(tracks)))
            if track.ambiguous:
                track.doubt(now_s)

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
