"""Bodies before a door as walkers: where each came from, how it moves, whether it went through, and which broken tracks are one body.

Near a door tracks are at their worst: a camera above it loses whoever comes too near, finds them again under another id, and tells for
half a second where somebody should be. So only what was really found moves a walker; one who is gone for a while may have gone through;
and a track that begins where another was just lost, as far on as that one can have come, continues it. Everything is bounded by count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import hypot
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    from agent.behaviour.ground import FloorPoint


class Subject(NamedTuple):
    """One person in view, as a frame shows them."""

    id: int
    body: int | None
    face: int | None
    point: FloorPoint | None
    """On the floor; None where it cannot be measured: nothing is counted then."""
    zone: str
    """Its kind (agent.behaviour.floor.ZoneKind); empty while it is not known."""
    since_s: float
    """When they came into view."""
    seen_s: float
    """When they were last really found; where that is earlier than the frame, `point` may be a prediction."""
    height_m: float | None = None
    """Of the crown above the floor, where it could be measured."""


class WalkerSettings(Struct, frozen=True, kw_only=True):
    """Distances on the floor from the door's threshold."""

    threshold_m: float = 1.2
    """So near somebody stands at the threshold, where no zone says it."""
    reads_m: float = 1.6
    """From so far somebody reaches a reader beside the door."""
    seen_to_m: float = 0.8
    """Whoever is lost farther away may still stand there, unseen."""
    line_m: float = 0.5
    """Who walks over this line goes through; whoever stands on it waits."""
    gone_s: float = 1.4
    """Not found for so long: gone. Vision follows a hidden body for as long."""
    reach_s: float = 0.6
    """Who is lost while walking towards the door is at the threshold if they would be there so soon."""
    approach_m: float = 0.35
    """Somebody first seen at the threshold has come nearer by so much, or did not come from outside."""
    outward_m: float = 0.3
    """Somebody first seen there while the door is open, who then moves away by so much, came out."""
    least_finds: int = 3
    least_seen_s: float = 0.4
    """What was found less often, or for less long, is no body."""
    brakes_m_s2: float = 5.0
    """Nobody stops faster."""
    apart_m: float = 0.35
    """A broken track continues within this of where it can have come, and what its positions may be wrong by."""
    lost_s: float = 0.3
    """Not found for so long, where bodies are searched for five times a second: a new track may be the same body."""
    again_s: float = 4.0
    """Who was hidden is found again so much later; somebody who was counted and is found again, hardly moving, had not gone through."""
    blind_s: float = 6.0
    """Who vanished at the threshold reads there, unseen, for so long."""
    twin_m: float = 0.4
    """A face without a body that is never farther from a body is that body's."""
    child_m: float = 1.25
    """Whose crown is below this is a child."""
    most: int = 24
    """So many are followed at once."""


class Spot(NamedTuple):
    """Where somebody was found."""

    at_s: float
    x_m: float
    y_m: float
    sigma_m: float


class Motion(NamedTuple):
    """Metres a second; `y_m_s` is negative towards the door."""

    x_m_s: float
    y_m_s: float


Gone = Literal["no", "through", "away"]
WasOpen = Callable[[float, float], bool]


@dataclass(eq=False)
class Walker:
    """One body, from when it came. Changed by Walkers only."""

    subject: int
    body: int | None
    face: int | None
    came: Spot
    came_near: bool
    """First seen at the threshold."""
    spots: deque[Spot] = field(default_factory=lambda: deque(maxlen=24))
    heights_m: deque[float] = field(default_factory=lambda: deque(maxlen=15))
    farthest_m: float = 0.0
    nearest_m: float = 0.0
    finds: int = 0
    zone: str = ""
    came_out: bool = False
    twin: bool = False
    """A face that goes with a body that is counted."""
    beside_m: dict[int, float] = field(default_factory=dict)
    """The farthest it has been from each body that it was seen with."""
    gone: Gone = "no"
    over_line: bool = False
    """It was seen to go through; else it vanished at the threshold."""
    crossed_s: float = 0.0
    sure: float = 0.0
    """That it went through, 0..1."""

    @property
    def last(self) -> Spot:
        return self.spots[-1]

    @property
    def seen_s(self) -> float:
        return self.spots[-1].at_s

    @property
    def y_m(self) -> float:
        """Middle of the last three."""
        return median(spot.y_m for spot in list(self.spots)[-3:])

    @property
    def height_m(self) -> float | None:
        """Middle of what was measured; None for less than three."""
        return median(self.heights_m) if len(self.heights_m) >= 3 else None

    def take(self, spot: Spot, subject: Subject) -> None:
        self.spots.append(spot)
        self.finds += 1
        self.subject, self.zone = subject.id, subject.zone
        self.body = subject.body if subject.body is not None else self.body
        self.face = subject.face if subject.face is not None else self.face
        self.farthest_m, self.nearest_m = max(self.farthest_m, self.y_m), min(self.nearest_m, self.y_m)
        if subject.height_m is not None:
            self.heights_m.append(subject.height_m)

    def motion(self, over_s: float = 0.9) -> Motion:
        """Of the last moment, by a straight line through its spots; nothing moves that was found twice or less."""
        spots = [spot for spot in self.spots if self.seen_s - spot.at_s <= over_s]
        if len(spots) < 3:
            return Motion(0.0, 0.0)
        mean_s = sum(spot.at_s for spot in spots) / len(spots)
        spread = sum((spot.at_s - mean_s) ** 2 for spot in spots)
        if spread < 1e-3:
            return Motion(0.0, 0.0)
        along = [(spot.at_s - mean_s) / spread for spot in spots]
        return Motion(sum(a * spot.x_m for a, spot in zip(along, spots, strict=True)),
                      sum(a * spot.y_m for a, spot in zip(along, spots, strict=True)))  # fmt: skip


class Walkers:
    """Call `take` with each frame's subjects; `present` are those in view, `through` those who went through."""

    def __init__(self, settings: WalkerSettings | None = None) -> None:
        self._settings = settings or WalkerSettings()
        self._known: list[Walker] = []
        self._was_open: WasOpen = lambda from_s, until_s: True
        self.through: deque[Walker] = deque(maxlen=64)

    @property
    def present(self) -> list[Walker]:
        """In view, or lost a moment ago."""
        return [walker for walker in self._known if walker.gone == "no"]

    def at_threshold(self, at_s: float) -> Walker | None:
        """Who stood nearest to the door then; where nobody was found there, who vanished there last."""
        known = [walker for walker in {*self._known, *self.through} if not walker.twin and not self.is_child(walker)]
        here = [(spot.y_m, abs(spot.at_s - at_s), walker.came.at_s, walker) for walker in known for spot in walker.spots
                if self._is_then(spot, walker, at_s) and spot.y_m <= self._settings.reads_m]  # fmt: skip
        if here:
            return min(here, key=lambda found: found[:3])[3]
        lost = [w for w in self.through if w in known and at_s - self._settings.blind_s <= w.seen_s <= at_s]
        return max(lost, key=lambda walker: walker.seen_s, default=None)

    def _is_then(self, spot: Spot, walker: Walker, at_s: float) -> bool:
        """Whether they may still have stood there: found then, or last found there before they were lost for a moment."""
        if abs(spot.at_s - at_s) <= self._settings.lost_s:
            return True
        return spot.at_s < at_s <= spot.at_s + self._settings.gone_s and not any(
            spot.at_s < later.at_s <= at_s for later in walker.spots
        )

    def is_child(self, walker: Walker) -> bool:
        """By the height of their crown; nobody whose height is not known is one."""
        return walker.height_m is not None and walker.height_m < self._settings.child_m

    def of_face(self, face: int) -> Walker | None:
        """Whose face that is, a body first."""
        found = [walker for walker in (*self._known, *self.through) if walker.face == face]
        return max(found, key=lambda walker: (walker.body is not None, walker.seen_s), default=None)

    def clear(self) -> None:
        self._known.clear()
        self.through.clear()

    def take(self, now_s: float, subjects: Sequence[Subject], was_open: WasOpen, blind_s: float) -> None:
        """`was_open(from_s, until_s)`: whether the door was; `blind_s`: when frames last came again after a gap. Whoever vanished in
        it may have gone anywhere."""
        self._was_open = was_open
        known = {walker.subject for walker in self._known}
        for subject in sorted(subjects, key=lambda subject: subject.id not in known):
            self._find(now_s, subject)
        self._join(subjects)
        self._pair()
        self._reconsider()
        for walker in self.present:
            self._follow(walker, now_s, was_open, blind_s)
        self._known = [
            walker for walker in self._known if now_s - walker.seen_s <= self._settings.gone_s + self._settings.again_s
        ]
        del self._known[: -self._settings.most]

    # -- which body is which -----------------------------------------------------------------------------------------------------

    def _find(self, now_s: float, subject: Subject) -> None:
        point = subject.point
        seen_s = min(subject.seen_s, now_s) if subject.seen_s > 0 else now_s
        if point is None or now_s - seen_s > self._settings.gone_s:
            return
        spot = Spot(seen_s, point.x_m, point.y_m, point.sigma_m)
        walker = self._of(subject, spot)
        if walker is None:
            walker = self._begin(subject, spot)
        elif spot.at_s <= walker.seen_s:
            return
        walker.take(spot, subject)

    def _join(self, subjects: Sequence[Subject]) -> None:
        """Whose body, or bodiless face, somebody else carries now was never somebody of their own."""
        ids = {subject.id for subject in subjects}
        for one in self.present:
            if one.subject in ids:
                continue
            for other in self.present:
                bodiless = one.body is None or other.body is None
                if other.subject in ids and (_same(one.body, other.body) or (bodiless and _same(one.face, other.face))):
                    one.gone = "away"

    def _of(self, subject: Subject, spot: Spot) -> Walker | None:
        """Whose next find this is: by its id, its body, its face, or by where it begins."""
        for walker in reversed(self._known):
            if walker.subject == subject.id and not self._changed_body(walker, subject, spot):
                return self._back(walker, spot)
        since_s = spot.at_s - self._settings.lost_s
        lost = [walker for walker in self._known if walker.seen_s <= since_s and walker.subject != subject.id]
        for walker in reversed(lost):
            if _same(walker.body, subject.body) or _same(walker.face, subject.face):
                return self._back(walker, spot)
        near = [(gap_m, i) for i, walker in enumerate(lost) if (gap_m := self._gap_m(walker, spot)) is not None]
        return self._back(lost[min(near)[1]], spot) if near else None

    def _changed_body(self, walker: Walker, subject: Subject, spot: Spot) -> bool:
        """Whether an id that goes on is on another body now, which cannot be where the old one has come."""
        if walker.body is None or subject.body is None or walker.body == subject.body:
            return False
        return spot.at_s - walker.seen_s > 0.3 and self._gap_m(walker, spot) is None

    def _gap_m(self, walker: Walker, spot: Spot) -> float | None:
        """How far a find is from where a lost walker can have come by now; None when it is nobody's who was lost here.

        They walked on, or braked; they did not jump back: who appears behind the place where somebody vanished came behind them.
        """
        settings, lost_s = self._settings, spot.at_s - walker.seen_s
        if lost_s > settings.gone_s + settings.again_s:
            return None
        motion, slack_m = walker.motion(), settings.apart_m + min(max(spot.sigma_m, walker.last.sigma_m), 0.3)
        speed = hypot(*motion)
        if speed < 0.3:
            gap_m = hypot(spot.x_m - walker.last.x_m, spot.y_m - walker.last.y_m)
            behind = spot.y_m - walker.last.y_m > slack_m - 0.15
            return gap_m if gap_m <= slack_m + 0.3 * min(lost_s, 1.0) and not behind else None
        if walker.over_line:
            return None
        braked_s = min(lost_s, speed / settings.brakes_m_s2)
        least_m, most_m = speed * braked_s - settings.brakes_m_s2 * braked_s**2 / 2, speed * lost_s
        if walker.gone == "through":
            if self._was_open(walker.seen_s - 0.3, spot.at_s):
                most_m = least_m  # else they would be inside
            else:
                least_m = (
                    0.0  # through a door that was shut all the while nobody went: they stopped before it, as hard as they liked
                )
        along_m = ((spot.x_m - walker.last.x_m) * motion.x_m_s + (spot.y_m - walker.last.y_m) * motion.y_m_s) / speed
        aside_m = abs((spot.x_m - walker.last.x_m) * motion.y_m_s - (spot.y_m - walker.last.y_m) * motion.x_m_s) / speed
        back_m = 0.15 + min(max(spot.sigma_m, walker.last.sigma_m), 0.3) / 2
        if along_m < least_m - back_m or along_m > most_m + slack_m or aside_m > slack_m + 0.2 * lost_s:
            return None
        return aside_m + max(0.0, least_m - along_m, along_m - most_m)

    def _back(self, walker: Walker, spot: Spot) -> Walker:
        """Somebody who was taken for gone is here. Whoever was seen to go through has come back only when they are before the line."""
        inside = walker.over_line and spot.y_m <= self._settings.line_m + 0.3
        if walker.gone != "no" and spot.at_s > walker.seen_s and not inside:
            walker.gone, walker.over_line = "no", False
            if walker in self.through:
                self.through.remove(walker)
        return walker

    def _begin(self, subject: Subject, spot: Spot) -> Walker:
        near = self._at_threshold(subject.zone, spot.y_m)
        walker = Walker(subject.id, subject.body, subject.face, spot, near, farthest_m=spot.y_m, nearest_m=spot.y_m)
        self._known.append(walker)
        return walker

    def _reconsider(self) -> None:
        """Whoever vanished at the threshold and began anew there before the door was open has not gone through twice. It may be known late:
        until the contact has spoken, the pulse stands for it."""
        for lost in [walker for walker in self.through if not walker.over_line]:
            if any(self._went_on_as(lost, walker) for walker in (*self._known, *self.through)):
                lost.gone = "away"
                self.through.remove(lost)

    def _went_on_as(self, lost: Walker, other: Walker) -> bool:
        shut = not self._was_open(lost.seen_s - 0.3, other.came.at_s)
        return shut and other.came_near and other.came.at_s > lost.seen_s and self._gap_m(lost, other.came) is not None

    def _pair(self) -> None:
        """A face that nobody has linked to its body goes with it all the way."""
        present = self.present
        for face in present:
            if face.body is not None:
                face.twin = False
                continue
            for body in present:
                if body.body is not None and abs(body.seen_s - face.seen_s) < 0.25:
                    gap_m = hypot(body.last.x_m - face.last.x_m, body.last.y_m - face.last.y_m)
                    face.beside_m[body.body] = max(gap_m, face.beside_m.get(body.body, 0.0))
                    if len(face.beside_m) > self._settings.most:
                        face.beside_m.pop(next(iter(face.beside_m)))
            face.twin = any(gap_m <= self._settings.twin_m for gap_m in face.beside_m.values())

    # -- where it went -----------------------------------------------------------------------------------------------------------

    def _at_threshold(self, zone: str, y_m: float) -> bool:
        return zone == "threshold" or y_m <= self._settings.threshold_m

    def _follow(self, walker: Walker, now_s: float, was_open: WasOpen, blind_s: float) -> None:
        settings, motion = self._settings, walker.motion()
        at_door = walker.came_near and was_open(walker.came.at_s - 0.8, walker.came.at_s + 0.4)
        if at_door and walker.y_m - walker.nearest_m >= settings.outward_m and walker.nearest_m >= walker.came.y_m - 0.15:
            walker.came_out = True
        from_inside = walker.came_out or (at_door and walker.farthest_m - walker.nearest_m < settings.approach_m)
        passes = not from_inside and self._is_body(walker)
        if now_s - walker.seen_s > settings.gone_s:
            self._end(walker, motion, passes and walker.seen_s >= blind_s, at_door)
        elif passes and self._walks_over(walker, motion) and was_open(walker.seen_s - 0.3, walker.seen_s + 0.3):
            walker.over_line = True
            self._cross(walker, walker.seen_s, 0.95)

    def _walks_over(self, walker: Walker, motion: Motion) -> bool:
        """Over the line while walking; somebody who waits on it is lost first."""
        return motion.y_m_s < -0.4 and all(spot.y_m < self._settings.line_m - spot.sigma_m for spot in list(walker.spots)[-2:])

    def _is_body(self, walker: Walker) -> bool:
        long = walker.seen_s - walker.came.at_s >= self._settings.least_seen_s
        return long and walker.finds >= self._settings.least_finds and not walker.twin

    def _end(self, walker: Walker, motion: Motion, passes: bool, at_door: bool) -> None:
        """Lost at the threshold, and not on the way out or aside: through, if the door was open."""
        settings, last = self._settings, walker.last
        ahead_m = walker.y_m + motion.y_m_s * settings.reach_s if motion.y_m_s < -0.3 else walker.y_m
        aside = abs(motion.x_m_s) > max(0.4, 1.5 * abs(motion.y_m_s)) and motion.x_m_s * last.x_m > 0
        near = self._at_threshold(walker.zone, walker.y_m) or ahead_m <= settings.threshold_m
        if passes and near and not aside and motion.y_m_s <= 0.3:
            on_s = max(0.0, last.y_m - settings.line_m) / max(-motion.y_m_s, 0.5)
            self._cross(walker, last.at_s + on_s, self._surely(walker, motion) * (0.8 if at_door else 1.0))
        else:
            walker.gone = "away"

    def _surely(self, walker: Walker, motion: Motion) -> float:
        """How sure it is that somebody who was lost went through."""
        sure = 0.9 if motion.y_m_s < -0.3 else 0.75
        sure *= 0.75 if walker.last.sigma_m > 0.5 else 1.0
        sure *= 0.75 if walker.y_m > self._settings.seen_to_m else 1.0
        return sure * (0.85 if walker.finds < 5 else 1.0)

    def _cross(self, walker: Walker, at_s: float, sure: float) -> None:
        walker.gone, walker.crossed_s, walker.sure = "through", at_s, sure
        self.through.append(walker)


def _same(a: int | None, b: int | None) -> bool:
    return a is not None and a == b
