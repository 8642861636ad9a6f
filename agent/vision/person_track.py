"""Which body of this frame is which body of the last, and which face is whose. `PersonTracker` is pure; time is an argument.

Three things say that two sightings are one person: where the body should be by now (its points, at constant velocity, arXiv 1602.00763
does the same with boxes), the face that it carries, and, softly, the colours of what it wears. Faces are tracked on their own
(agent.vision.track) and confirmed by pictures, so a body that turns up with a known face is that face's body wherever it is: this is
what sets right two who crossed with their backs to the camera. Colours are kept in memory while a body is tracked and nowhere else.

For the chain: `BodyStage` is its FrameStage. `take` runs the network when it is due (PersonPolicy: 5 times a second while anybody is
about, else once); 4 ms then and next to nothing between, where a body moves with its face or at its own velocity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import hypot, log2
from typing import NamedTuple

import cv2
import numpy as np
from msgspec import Struct

from agent.core.messages import Box, PersonSeen
from agent.vision.assign import assign
from agent.vision.faces import Floats, centre, covered
from agent.vision.looks import Seen
from agent.vision.persons import (
    HEAD,
    LEFT_ANKLE,
    LEFT_HIP,
    LEFT_SHOULDER,
    RIGHT_ANKLE,
    RIGHT_HIP,
    RIGHT_SHOULDER,
    Person,
    PersonPolicy,
    Persons,
    PersonsDue,
    same_body,
)
from agent.vision.track import Track
from hw.interfaces import Pixels

COLOUR_BINS = 8
TORSO = (LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP)


class BodySettings(Struct, frozen=True, kw_only=True):
    """Limits of the tracker. Distances are in widths of the body's shoulders, about 40 cm."""

    miss_s: float = 1.4
    """A body that was not found for so long is over: hidden for a second, and the search comes by every fifth of one."""
    shown_s: float = 0.45
    """A body is reported so long after it was last found: the search may miss it once."""
    coast_s: float = 1.0
    """A velocity is believed for so long."""
    reach: float = 1.0
    """How far a body may be from where it was expected; 1.5 m/s is .75 a search,"""
    reach_per_s: float = 1.5
    """and how much further for each second without it."""
    limit: float = 1.6
    """A pair that costs more is no pair: a place at the end of its reach costs 1, and other clothes up to .8."""
    colour_weight: float = 0.8
    size_weight: float = 0.5
    own_face: float = 1.0
    """What it takes off the cost that a body carries the track's face,"""
    other_face: float = 1.0
    """and adds to it that it carries another one while the track's own is in view, both confirmed by pictures."""
    new_face: float = 0.3
    """The same while the track's own face is not in view: it may have come back under another id."""
    point_score: float = 0.3
    finds: int = 2
    """A body is reported once it was found so often, or when a face belongs to it: a coat on a hook is seldom found twice."""
    apart: float = 0.2
    """Bodies whose boxes cover each other by less teach the tracker their colours and their velocity."""


STANCE_SCORE = 0.5
"""Points by which somebody is placed are surer than those by which they are followed: on a coat's hem there is no ankle."""
SOLE = 0.17
"""How far below its ankle a foot stands (7 cm), in widths of the shoulders."""
LEGS = 1.5
"""How far ankles are below shoulders at least, seen from high above; ankles that are nearer are none."""
SQUARE = 0.75
"""Of the width that shoulders would have: those of a body that is turned aside are less wide in the picture, and say nothing of how
far it is."""


class Stance(NamedTuple):
    """What says where a body stands; in pixels of the frame, as in PersonSeen."""

    feet_px: tuple[float, float] | None = None
    shoulders_px: float | None = None
    shoulders_at_px: tuple[float, float] | None = None


UNSEEN = Stance()


class Sighting(NamedTuple):
    """A body that was found, the colours of what it wears (torso_colours), if they can be seen, and where it stands."""

    person: Person
    colours: Floats | None = None
    stance: Stance = UNSEEN


@dataclass
class Body:
    """One body followed over frames. Changed by its PersonTracker only."""

    id: int
    person: Person
    first_seen_s: float
    seen_s: float
    """When it was last found."""
    velocity: tuple[float, float] = (0.0, 0.0)
    """Pixels a second."""
    finds: int = 1
    face: int | None = None
    """The face track that belongs to it."""
    face_at: tuple[float, float] | None = None
    """Where that face was when the body was last found."""
    moved: tuple[float, float] | None = None
    """How far the face has moved since, while it is in view."""
    face_seen_s: float = -1e9
    identity: float = 1.0
    """How sure it is that this is who the track began with, 0..1."""
    colours: Floats | None = None
    stance: Stance = UNSEEN

    def shift(self, now_s: float, coast_s: float) -> tuple[float, float]:
        """How far the body should be by now from where it was found: as far as its face, else by its velocity."""
        if self.moved is not None:
            return self.moved
        ahead_s = min(now_s - self.seen_s, coast_s)
        return self.velocity[0] * ahead_s, self.velocity[1] * ahead_s

    def expected(self, now_s: float, coast_s: float) -> Box:
        x, y, width, height = self.person.box_px
        right, down = self.shift(now_s, coast_s)
        return x + right, y + down, width, height


@dataclass
class _Match:
    """A body, what was found of it, and how surely it is not another's."""

    body: Body
    sighting: Sighting
    face: Track | None
    margin: float


@dataclass
class PersonTracker:
    """Bodies of one camera. Call `update` with what was found where the network ran, else `follow`; both tell who is in view."""

    settings: BodySettings = field(default_factory=BodySettings)
    _bodies: list[Body] = field(default_factory=list)
    _last_id: int = 0
    _known: frozenset[int] = frozenset()
    """The faces in view that pictures confirm."""

    def update(self, sightings: Sequence[Sighting], faces: Sequence[Track], taken_s: float) -> tuple[PersonSeen, ...]:
        """Gives the bodies found in a frame to tracks. `faces`: the face tracks in view."""
        self.follow(faces, taken_s)
        own = link(sightings, faces, self.settings.point_score)
        matches, new = self._pair(sightings, own, taken_s)
        for match in matches:
            self._continue(match, taken_s)
        self._give_faces(matches)
        known = [match.sighting.person for match in matches]
        for index in new:
            if not any(same_body(other, sightings[index].person, self.settings.point_score) for other in known):
                known.append(sightings[index].person)
                self._begin(sightings[index], own[index], taken_s)
        return self.seen(taken_s)

    def follow(self, faces: Sequence[Track], taken_s: float) -> tuple[PersonSeen, ...]:
        """A frame in which nobody looked for bodies: those whose face is in view move with it."""
        self._bodies = [body for body in self._bodies if taken_s - body.seen_s <= self.settings.miss_s]
        self._known = frozenset(face.id for face in faces if face.voice() is not None)
        at = {face.id: centre(face.face.box_px) for face in faces if face.seen_s == taken_s}
        for body in self._bodies:
            here = at.get(body.face) if body.face is not None else None
            body.moved = None
            if here is not None and body.face_at is not None:
                body.moved, body.face_seen_s = (here[0] - body.face_at[0], here[1] - body.face_at[1]), taken_s
        return self.seen(taken_s)

    def seen(self, now_s: float) -> tuple[PersonSeen, ...]:
        """The bodies in view, oldest first; where one was not just found, its box is where it should be."""
        return tuple(self._told(body, now_s) for body in self._bodies if self._is_shown(body, now_s))

    def _told(self, body: Body, now_s: float) -> PersonSeen:
        stance = body.stance if body.seen_s == now_s else UNSEEN  # feet do not move as the face does
        return PersonSeen(
            track=body.id, box_px=body.expected(now_s, self.settings.coast_s), score=body.person.score, first_seen_s=body.first_seen_s,
            seen_s=max(body.seen_s, body.face_seen_s), identity=round(body.identity, 3), face=body.face, feet_px=stance.feet_px,
            shoulders_px=stance.shoulders_px, shoulders_at_px=stance.shoulders_at_px,
        )  # fmt: skip

    def faceless(self, now_s: float) -> list[Box]:
        """Where bodies should be whose face is not in view: hints for the search for faces."""
        bodies = [body for body in self._bodies if body.moved is None and self._is_shown(body, now_s)]
        return [body.expected(now_s, self.settings.coast_s) for body in bodies]

    def live(self) -> list[Body]:
        """All tracks that are not over, hidden ones too, oldest first."""
        return list(self._bodies)

    def _is_shown(self, body: Body, now_s: float) -> bool:
        known = body.finds >= self.settings.finds or body.face is not None
        return known and now_s - max(body.seen_s, body.face_seen_s) <= self.settings.shown_s

    def _pair(self, sightings: Sequence[Sighting], own: Sequence[Track | None], now_s: float) -> tuple[list[_Match], list[int]]:
        """Tracks with what was found of them, and the sightings that are nobody's yet."""
        costs = [[self._cost(body, *each, now_s) for each in zip(sightings, own, strict=True)] for body in self._bodies]
        pairs = assign(costs, self.settings.limit)
        matches = [_Match(self._bodies[i], sightings[j], own[j], self._margin(costs, i, j)) for i, j in pairs]
        return matches, sorted(set(range(len(sightings))) - {j for _, j in pairs})

    def _margin(self, costs: list[list[float]], row: int, column: int) -> float:
        """By how much the pair costs less than the next best that either could have been in."""
        others = [costs[row][j] for j in range(len(costs[row])) if j != column]
        others += [costs[i][column] for i in range(len(costs)) if i != row]
        return min([self.settings.limit, *others]) - costs[row][column]

    def _cost(self, body: Body, sighting: Sighting, face: Track | None, now_s: float) -> float:
        """How little a sighting looks like the next of a track; infinite when it cannot be."""
        settings, person = self.settings, sighting.person
        size = abs(log2(max(person.scale_px, 1.0) / max(body.person.scale_px, 1.0)))
        reach = settings.reach + settings.reach_per_s * (now_s - body.seen_s)
        place = self._apart(body, person, now_s) / reach
        said = self._faces_say(body, face)
        if (place > 1.0 or size > 1.0) and said >= 0:
            return float("inf")
        return min(place, 1.0) + settings.size_weight * min(size, 1.0) + settings.colour_weight * unlike(body, sighting) + said

    def _faces_say(self, body: Body, face: Track | None) -> float:
        if face is None or body.face is None or face.id not in self._known:
            return 0.0
        if face.id == body.face:
            return -self.settings.own_face
        return self.settings.other_face if body.face in self._known else self.settings.new_face

    def _apart(self, body: Body, person: Person, now_s: float) -> float:
        """How far a sighting is from where the body should be, in shoulders: by the points that both show, else by the boxes."""
        right, down = body.shift(now_s, self.settings.coast_s)
        both = (body.person.scores >= self.settings.point_score) & (person.scores >= self.settings.point_score)
        scale = max(person.scale_px, body.person.scale_px)
        if np.count_nonzero(both) >= 3:
            gaps = person.points_px[both] - body.person.points_px[both] - np.array([right, down], np.float32)
            return float(np.median(np.hypot(gaps[:, 0], gaps[:, 1]))) / scale
        (x0, y0), (x1, y1) = centre(body.person.box_px), centre(person.box_px)
        return hypot(x1 - x0 - right, y1 - y0 - down) / scale

    def _continue(self, match: _Match, now_s: float) -> None:
        body, (person, colours, stance) = match.body, match.sighting
        alone = self._is_alone(body, person.box_px, now_s)
        elapsed_s = now_s - body.seen_s
        if elapsed_s > 0:
            body.velocity = self._velocity(body, person, elapsed_s, alone)
        if alone and colours is not None:
            body.colours = colours if body.colours is None else 0.8 * body.colours + 0.2 * colours
        body.identity = self._identity(match, elapsed_s)
        body.person, body.stance, body.seen_s, body.moved = person, stance, now_s, None
        body.finds += 1

    def _identity(self, match: _Match, elapsed_s: float) -> float:
        """A face that pictures confirm makes it certain; a close call or a gap makes it less so, and nothing else makes it more."""
        if match.face is not None and match.face.id == match.body.face and match.face.id in self._known:
            return 1.0
        doubt = (1 - min(max(match.margin / 0.5, 0.0), 1.0)) * 0.5 + min(max(elapsed_s - self.settings.shown_s, 0.0), 1.0) * 0.3
        return match.body.identity * (1 - doubt)

    def _velocity(self, body: Body, person: Person, elapsed_s: float, alone: bool) -> tuple[float, float]:
        """Half of what was believed and half of what was seen; among others' limbs nothing new is believed."""
        both = (body.person.scores >= self.settings.point_score) & (person.scores >= self.settings.point_score)
        if not alone or np.count_nonzero(both) < 3:
            return body.velocity
        right, down = (np.median(person.points_px[both] - body.person.points_px[both], axis=0) / elapsed_s).tolist()
        if body.finds < 2:
            return right, down
        return (body.velocity[0] + right) / 2, (body.velocity[1] + down) / 2

    def _is_alone(self, body: Body, box: Box, now_s: float) -> bool:
        """Whether no other body's place covers this one's."""
        places = [other.expected(now_s, self.settings.coast_s) for other in self._bodies if other is not body]
        return all(covered(box, place) < self.settings.apart for place in places)

    def _give_faces(self, matches: Sequence[_Match]) -> None:
        """A face belongs to the body that carries it now, and to no other. One that no picture confirms just now, because two
        cross or somebody is half hidden, takes no face's place and leaves no body it belonged to."""
        for match in matches:
            body, face = match.body, match.face
            body.face_at = None
            if face is None or (face.id != body.face and face.id not in self._known and self._would_displace(body, face)):
                continue
            for other in self._bodies:
                if other.face == face.id and other is not body:
                    other.face = other.face_at = None
            body.face, body.face_at = face.id, centre(face.face.box_px)

    def _would_displace(self, body: Body, face: Track) -> bool:
        return body.face is not None or any(other.face == face.id for other in self._bodies)

    def _begin(self, sighting: Sighting, face: Track | None, now_s: float) -> None:
        self._last_id += 1
        body = Body(self._last_id, sighting.person, now_s, now_s, colours=sighting.colours, stance=sighting.stance)
        self._bodies.append(body)
        self._give_faces([_Match(body, sighting, face, 0.0)])


def link(sightings: Sequence[Sighting], faces: Sequence[Track], point_score: float) -> list[Track | None]:
    """The face of each body: the one in whose box the points of its head lie; no face goes to two bodies, none to more than one."""
    costs = [[_unlinked(sighting.person, face.face.box_px, point_score) for face in faces] for sighting in sightings]
    of_body = dict(assign(costs, 1.0))
    return [faces[of_body[i]] if i in of_body else None for i in range(len(sightings))]


def _unlinked(person: Person, box: Box, point_score: float) -> float:
    """How far the middle of a head's sure points is from the middle of a face, in face widths; infinite when most lie outside its box."""
    sure = [i for i in HEAD if person.scores[i] >= point_score]
    if not sure:
        return float("inf")
    points = person.points_px[sure]
    (x, y), (_, _, width, height) = centre(box), box
    inside = (np.abs(points[:, 0] - x) <= 0.75 * width) & (np.abs(points[:, 1] - y) <= 0.75 * height)
    if 2 * np.count_nonzero(inside) <= len(sure):
        return float("inf")
    return float(np.hypot(*(points.mean(axis=0) - (x, y)))) / max(width, 1.0)


def unlike(body: Body, sighting: Sighting) -> float:
    """How little the colours of two torsos have in common, 0..1 (Bhattacharyya's distance); .3 where one is unknown."""
    if body.colours is None or sighting.colours is None:
        return 0.3
    return 1 - float(np.sqrt(body.colours * sighting.colours).sum())


def torso_colours(pixels: Pixels, person: Person, point_score: float) -> Floats | None:
    """How much there is of each lightness, green-red and blue-yellow (CIELAB, 8 steps each) between shoulders and hips; sums to one.

    None where the torso is not in the frame or too small. `pixels`: height x width x 3, BGR.
    """
    cut = _torso(pixels, person, point_score)
    if cut is None:
        return None
    small = cv2.resize(cut, (12, 16), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB).reshape(-1, 3)
    light = lab[:, 0] // 32
    # Clothes lie within 40 of grey, so the 8 steps of a and b go over that span.
    chroma = np.clip((lab[:, 1:].astype(np.int16) - 88) // 10, 0, COLOUR_BINS - 1)
    counts = [np.bincount(column, minlength=COLOUR_BINS) for column in (light, chroma[:, 0], chroma[:, 1])]
    return (np.concatenate(counts) / (3 * len(lab))).astype(np.float32)


def _torso(pixels: Pixels, person: Person, point_score: float) -> Pixels | None:
    """The frame's pixels from shoulders to hips, or so far as the hips should be where they are not seen."""
    sure = [i for i in TORSO if person.scores[i] >= point_score]
    if not any(i in sure for i in (LEFT_SHOULDER, RIGHT_SHOULDER)):
        return None
    points = person.points_px[sure]
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    if not any(i in sure for i in (LEFT_HIP, RIGHT_HIP)):
        bottom = top + 1.2 * person.scale_px
    narrow = 0.3 * person.scale_px
    if right - left < narrow:  # seen from the side
        left, right = (left + right - narrow) / 2, (left + right + narrow) / 2
    height, width = pixels.shape[:2]
    x0, y0 = max(round(left), 0), max(round(top + 0.1 * person.scale_px), 0)
    # A body past the left or upper edge has a negative end, which would count from the other side.
    y1, x1 = max(min(round(bottom), height), y0), max(min(round(right), width), x0)
    cut = pixels[y0:y1, x0:x1]
    return cut if cut.shape[0] >= 8 and cut.shape[1] >= 6 else None


def stance_of(person: Person, frame_px: tuple[int, int]) -> Stance:
    """Where a body stands, by its ankles and its shoulders, so far as they are in the frame and sure."""
    apart, middle = _shoulders(person, frame_px)
    return Stance(_feet(person, frame_px), apart, middle)


def _feet(person: Person, frame_px: tuple[int, int]) -> tuple[float, float] | None:
    ankles = [person.points_px[i] for i in (LEFT_ANKLE, RIGHT_ANKLE) if _is_in_frame(person, i, frame_px)]
    if not ankles:
        return None
    x, y = np.mean(ankles, axis=0).tolist()
    tops = [float(person.points_px[i][1]) for i in (LEFT_SHOULDER, RIGHT_SHOULDER) if person.scores[i] >= STANCE_SCORE]
    if tops and y - max(tops) < LEGS * person.scale_px:
        return None
    return x, y + SOLE * person.scale_px


def _shoulders(person: Person, frame_px: tuple[int, int]) -> tuple[float | None, tuple[float, float] | None]:
    """How far they are apart, and their middle."""
    if not all(_is_in_frame(person, i, frame_px) for i in (LEFT_SHOULDER, RIGHT_SHOULDER)):
        return None, None
    left, right = person.points_px[LEFT_SHOULDER], person.points_px[RIGHT_SHOULDER]
    x, y = ((left + right) / 2).tolist()
    apart = float(np.hypot(*(left - right)))
    return (apart if apart >= SQUARE * person.scale_px else None), (x, y)


def _is_in_frame(person: Person, point: int, frame_px: tuple[int, int]) -> bool:
    x, y = person.points_px[point].tolist()
    return bool(person.scores[point] >= STANCE_SCORE) and 0 <= x < frame_px[0] and 0 <= y < frame_px[1]


class BodyStage:
    """The chain's FrameStage for bodies: when to look, where they are, who they are."""

    name = "persons"

    def __init__(self, persons: Persons, policy: PersonPolicy | None = None, settings: BodySettings | None = None) -> None:
        self._persons, self._due = persons, PersonsDue(policy or PersonPolicy())
        self._tracker = PersonTracker(settings or BodySettings())

    def take(self, seen: Seen, faces: Sequence[Track]) -> None:
        """Looks for bodies if that is due. Raises ModelError when the runtime fails."""
        busy = bool(faces) or bool(self._tracker.live())
        if not self._due(busy, seen.taken_s):
            self._tracker.follow(faces, seen.taken_s)
            return
        score = self._tracker.settings.point_score
        frame_px = (seen.pixels.shape[1], seen.pixels.shape[0])
        found = [Sighting(person, torso_colours(seen.pixels, person, score), stance_of(person, frame_px))
                 for person in self._persons(seen.pixels)]  # fmt: skip
        self._tracker.update(found, faces, seen.taken_s)

    def persons(self, now_s: float) -> tuple[PersonSeen, ...]:
        """The bodies in view."""
        return self._tracker.seen(now_s)

    def faceless(self, now_s: float) -> list[Box]:
        """Boxes of bodies whose face is not in view, for FaceFinder's hints."""
        return self._tracker.faceless(now_s)
