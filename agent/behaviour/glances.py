"""Glances: head or eyes leave what this person looks at, for a while, and come back. Counted with time and side, or abstained from.

`Attention.away` (agent.vision.attention) says whether somebody looks away from where they usually look; it takes .4 s to say so, and a glance
over the shoulder is often shorter. So the head's own angle is followed here as well, against the middle of this person's own clear frames:

- **A glance** is a turn of the head beyond `enter_deg` for `enter_s` (no blink moves a head), or `away` (which has the eyes too), until
  it is back within `leave_deg` for `leave_s`. Sides are those of the camera's picture: left is the person's right.
- **Down is no glance**, aside or not: a fob, a handset, a lock and most readers are there. It is counted apart. Directions that the
  installer names (`spared`: a reader as high as the eyes) are no glances either.
- **Nothing is counted while nothing can be measured**: eyes that are too small, dark or behind glasses, a face that is not there, a person
  who is not learned yet. `abstained` has the reason, and `measured_s` the time that counts.
- **A face that turns away until it is lost** is believed to be a glance over the shoulder only when it was measured before, was already
  turning (`leaving_deg`) or had got to the edge of what can be measured, and is seen again within `lost_s` on the same track, looking at the
  door again. Who is lost while looking straight ahead was hidden by something; who is not seen again has left: neither is counted. What
  is believed, and cannot be known: that the head went on turning in the direction it had. Between, nothing is measured.

Time is an argument; what comes out of order is left out; nothing raises. Memory is bounded by the window and `most_times`.
"""

from __future__ import annotations

from collections import deque
from math import hypot, inf, isfinite
from typing import Literal, NamedTuple

from msgspec import Struct

from agent.core.messages import Attention, HeadPose

Side = Literal["left", "right", "up", "down"]
Angles = tuple[float, float]
"""Yaw and pitch, degrees, signs as in HeadPose."""

UNSEEN = ("too_small", "too_dark", "glasses", "one_eye")
"""Reasons under which nothing is said of where somebody looks, however clear the head is (agent.vision.attention)."""
BY_TURNING = ("too_small", "glasses", "one_eye")
"""Those that a turning head brings by itself: its far eye is narrow and dark. Where the eyes were seen just before, the head is judged."""
FAR = ("too_small", "learning")
"""Doubts of somebody far away: at 2 m the head shakes by a degree while the eyes are too small. A head that is clear is judged alone."""


class Spared(Struct, frozen=True, kw_only=True):
    """A direction that is no glance, from where somebody usually looks: the reader beside the door."""

    yaw_deg: float
    pitch_deg: float
    within_deg: float = 15.0


class GlanceSettings(Struct, frozen=True, kw_only=True):
    """Limits of what is counted."""

    window_s: float = 30.0
    enter_deg: float = 26.0
    leave_deg: float = 18.0
    enter_s: float = 0.06
    """Two frames at 15 a second: one frame alone is a mistake of the mesh."""
    leave_s: float = 0.12
    join_s: float = 0.35
    """Two looks to one side with less between them are one: the mesh slips on a profile."""
    leaving_deg: float = 15.0
    """A face that was turned by so much when it was lost was turning away."""
    lost_s: float = 2.0
    least_lost_s: float = 0.16
    """Two frames at 15 a second; a shorter gap is nothing."""
    back_deg: float = 60.0
    """Turned further than this, or lost while turning: over the shoulder."""
    down_deg: float = -18.0
    down_aside: float = 1.8
    """Pitched below this, and turned by no more than so many times that: at a fob, a lock, a handset, or the reader beside the door, which
    from a metre before it is 25 to 35 degrees down and as much aside. Who looks over the shoulder looks hardly down."""
    up_deg: float = 24.0
    most_s: float = 8.0
    """Who looks elsewhere for longer does not glance: they look there. The time still counts as away."""
    least_head: float = 0.4
    """Confidence of a head that is judged without its eyes; one that is 40 px wide has it."""
    learn_samples: int = 8
    quick_samples: int = 45
    creep_deg_per_s: float = 1.0
    """The middle is learned as agent.vision.attention learns it."""
    moved_deg: float = 8.0
    """Where the middle moves by so much during a look, it was no look away."""
    most_gap_s: float = 0.3
    """Frames further apart than this are not joined: what happened between was not measured."""
    least_s: float = 2.0
    """No rate and no share are told of less measured time."""
    restart_s: float = 60.0
    most_times: int = 64
    spared: tuple[Spared, ...] = ()


class Glances(Struct, frozen=True, kw_only=True):
    """What was counted in the last `window_s`. Nothing in it is a guess: `measured_s` is the time that could be measured."""

    count: int
    """left + right + up."""
    left: int
    right: int
    """Sides of the picture."""
    back: int = 0
    """How many of these went over the shoulder: so far that the face could not be measured."""
    up: int = 0
    down: int = 0
    """Looks down: not in `count`."""
    times_s: tuple[float, ...] = ()
    """When each of `count` began."""
    away_s: float = 0.0
    """Time looked away, down not among it."""
    measured_s: float = 0.0
    head_only_s: float = 0.0
    """How much of that without the eyes, which were too small: who only moved the eyes was not noticed."""
    over_s: float = 0.0
    """From the first frame of the window to the last, measured or not."""
    longest_s: float = 0.0
    rate_per_10_s: float | None = None
    """None with less than `least_s` measured, as is `away_share`."""
    away_share: float | None = None
    abstained: str = ""
    """Why the newest frame could not be measured, e.g. too_small, glasses, turned_away, learning, not_seen."""
    confidence: float = 0.0
    """0..1: share of the window that was measured, and whether that was long enough."""
    count_visit: int = 0
    measured_visit_s: float = 0.0


class _Glance(NamedTuple):
    at_s: float
    lasts_s: float
    side: Side
    back: bool


class _Turn(NamedTuple):
    """A look away that goes on."""

    began_s: float
    newest_s: float
    """The newest frame that was away."""
    farthest: Angles
    middle: Angles
    """Where this person usually looked when it began."""
    lost: bool = False
    """The face was out of sight in it."""


class _Second(Struct):
    """What one second held."""

    began_s: float
    measured_s: float = 0.0
    away_s: float = 0.0
    head_only_s: float = 0.0


class GlanceTrack:
    """One person's glances: `take` for each frame, with None where their face is not in view. About 5 us a frame on an x86-64 core."""

    def __init__(self, settings: GlanceSettings | None = None) -> None:
        self.settings = settings or GlanceSettings()
        self._forget()

    def _forget(self) -> None:
        settings = self.settings
        self._head, self._gaze = _Middle(settings), _Middle(settings)
        self._glances: deque[_Glance] = deque(maxlen=settings.most_times)
        self._seconds: deque[_Second] = deque(maxlen=int(settings.window_s) + 2)
        self._first_s, self._frame_s, self._clear_s = inf, -inf, -inf
        """The first frame, the newest, and the newest that could be measured."""
        self._off: Angles = (0.0, 0.0)
        """How far from its middle the head was in that one."""
        self._eyes_s = -inf
        """When the eyes were last seen."""
        self._turned_away = False
        """The head was said to be turned away since the newest measured frame."""
        self._turn: _Turn | None = None
        self._straight_s: float | None = None
        """Since when somebody who looked away looks at the door again."""
        self._reason = "not_seen"
        self._visit, self._measured_visit_s = 0, 0.0

    def take(self, at_s: float, attention: Attention | None) -> None:
        """A frame; None where the person's face is not in view."""
        if not isfinite(at_s):
            return
        ahead_s = at_s - self._frame_s
        if self._frame_s > -inf and not -1.0 <= ahead_s <= self.settings.restart_s:
            self._forget()
        elif ahead_s <= 0:
            return
        self._frame_s, self._first_s = at_s, min(self._first_s, at_s)
        self._reason = self._why_not(attention, at_s)
        if not self._reason and attention is not None and attention.head is not None:
            self._measure(attention.head, attention, at_s)
        elif self._reason == "turned_away":
            self._turned_away = True

    def glances(self, now_s: float) -> Glances:
        """What is known at a time."""
        since_s = now_s - self.settings.window_s
        told = [glance for glance in self._glances if glance.at_s >= since_s]
        counted = [glance for glance in told if glance.side != "down"]
        sides = [glance.side for glance in told]
        seconds = [second for second in self._seconds if second.began_s >= since_s]
        measured_s, away_s = sum(second.measured_s for second in seconds), sum(second.away_s for second in seconds)
        head_only_s = sum(second.head_only_s for second in seconds)
        over_s = max(min(self._frame_s, now_s) - max(self._first_s, since_s), 0.0)
        enough = measured_s >= self.settings.least_s
        return Glances(
            count=len(counted), left=sides.count("left"), right=sides.count("right"), up=sides.count("up"),
            down=sides.count("down"), back=sum(glance.back for glance in counted),
            times_s=tuple(glance.at_s for glance in counted), away_s=away_s, measured_s=measured_s,
            head_only_s=head_only_s, over_s=over_s, longest_s=max((glance.lasts_s for glance in counted), default=0.0),
            rate_per_10_s=10 * len(counted) / measured_s if enough else None,
            away_share=min(away_s / measured_s, 1.0) if enough else None, abstained=self._abstained(now_s),
            confidence=self._confidence(measured_s, head_only_s, over_s),
            count_visit=self._visit, measured_visit_s=self._measured_visit_s,
        )  # fmt: skip

    def _confidence(self, measured_s: float, head_only_s: float, over_s: float) -> float:
        if measured_s <= 0:
            return 0.0
        long_enough = min(measured_s / (2 * self.settings.least_s), 1.0)
        return min(measured_s / max(over_s, 1e-9), 1.0) * long_enough * (1 - 0.3 * min(head_only_s / measured_s, 1.0))

    def _abstained(self, now_s: float) -> str:
        return self._reason or ("not_seen" if now_s - self._frame_s > self.settings.most_gap_s else "")

    def _why_not(self, attention: Attention | None, at_s: float) -> str:
        """Why a frame cannot be judged; empty where it can. Learns from it on the way."""
        if attention is None:
            return "not_seen"
        head, doubt = attention.head, attention.abstained
        if head is None or not isfinite(head.yaw_deg + head.pitch_deg):
            return doubt or "head_unclear"
        if doubt in UNSEEN and not (self._is_far(doubt, head) or self._explains(doubt, head, at_s)):
            return doubt
        self._learn(attention, head, at_s)
        return "" if self._head.value is not None else "learning"

    def _learn(self, attention: Attention, head: HeadPose, at_s: float) -> None:
        """Where this person usually looks: from frames that show the eyes, or from the head where they are too small to be seen."""
        gaze = attention.gaze
        if gaze is not None and isfinite(gaze.yaw_deg + gaze.pitch_deg):
            self._head.learn((head.yaw_deg, head.pitch_deg), at_s)
            self._gaze.learn((gaze.yaw_deg, gaze.pitch_deg), at_s)
            self._eyes_s = at_s
        elif attention.abstained in FAR and head.confidence >= self.settings.least_head:
            self._head.learn((head.yaw_deg, head.pitch_deg), at_s)

    def _is_far(self, doubt: str, head: HeadPose) -> bool:
        """Whether the eyes are only too small: then the head is judged alone."""
        return doubt in FAR and head.confidence >= self.settings.least_head

    def _explains(self, doubt: str, head: HeadPose, at_s: float) -> bool:
        """Whether the eyes are not seen because the head has turned: they were, just before."""
        settings = self.settings
        turned_deg = abs(_off((head.yaw_deg, head.pitch_deg), self._head.value)[0])
        return doubt in BY_TURNING and turned_deg >= settings.leaving_deg and at_s - self._eyes_s <= settings.lost_s

    def _measure(self, head: HeadPose, attention: Attention, at_s: float) -> None:
        """A frame in which it can be told where somebody looks."""
        settings, off = self.settings, _off((head.yaw_deg, head.pitch_deg), self._head.value)
        gap_s = at_s - self._clear_s
        if gap_s > settings.most_gap_s or (gap_s > settings.least_lost_s and self._turned_away):
            self._come_back(gap_s)
        looks = self._looked(off, attention)
        away = hypot(*looks) > (settings.enter_deg if self._turn is None else settings.leave_deg)
        if away and not self._is_spared(looks) and not self._faces_up(head):
            self._go_on(looks, at_s)
        elif self._turn is not None:
            self._look_back(at_s)
        self._spend(at_s, gap_s)
        self._clear_s, self._off, self._turned_away = at_s, off, False

    def _looked(self, off: Angles, attention: Attention) -> Angles:
        """Where the head is off to; where it is not, and the eyes have been away for long enough to be believed, they."""
        gaze = attention.gaze
        if not attention.away or gaze is None or hypot(*off) > self.settings.enter_deg:
            return off
        eyes = _off((gaze.yaw_deg, gaze.pitch_deg), self._gaze.value)
        return eyes if hypot(*eyes) > self.settings.enter_deg else off

    def _is_spared(self, looks: Angles) -> bool:
        return any(hypot(looks[0] - way.yaw_deg, looks[1] - way.pitch_deg) <= way.within_deg for way in self.settings.spared)

    def _faces_up(self, head: HeadPose) -> bool:
        """Whether somebody who has just come turns towards the camera: that is no look away, they looked elsewhere before."""
        middle = self._head.value
        return middle is not None and not self._head.settled and hypot(head.yaw_deg, head.pitch_deg) < hypot(*middle)

    def _come_back(self, gap_s: float) -> None:
        """Nothing was measured for a while before this frame. What began before it goes on only if the face was lost by turning."""
        settings, turn = self.settings, self._turn
        self._straight_s = None
        if gap_s > settings.lost_s or abs(self._off[0]) < settings.leaving_deg:
            self._turn = None
        elif turn is None:
            self._turn = _Turn(self._clear_s, self._clear_s + gap_s, self._off, self._head.value or (0.0, 0.0), lost=True)
        else:
            self._turn = turn._replace(newest_s=self._clear_s + gap_s, lost=True)

    def _go_on(self, looks: Angles, at_s: float) -> None:
        turn = self._turn or _Turn(at_s, at_s, looks, self._head.value or (0.0, 0.0))
        farther = hypot(*looks) > hypot(*turn.farthest)
        self._turn = turn._replace(newest_s=at_s, farthest=looks if farther else turn.farthest)
        self._straight_s = None

    def _look_back(self, at_s: float) -> None:
        """Back at the door: for long enough the glance is over, and is counted if it was one."""
        settings, turn = self.settings, self._turn
        if self._straight_s is None:
            self._straight_s = at_s
        if turn is None or at_s - self._straight_s < settings.leave_s:
            return
        lasts_s = turn.newest_s - turn.began_s
        if (turn.lost or settings.enter_s <= lasts_s <= settings.most_s) and not self._learned_else(turn):
            back = turn.lost or abs(turn.farthest[0]) >= settings.back_deg
            self._count(_Glance(turn.began_s, lasts_s, self._side(turn), back))
        self._turn = self._straight_s = None

    def _learned_else(self, turn: _Turn) -> bool:
        """Whether the head never came back, but what it usually looks at was learned to be there."""
        middle = self._head.value or turn.middle
        return hypot(middle[0] - turn.middle[0], middle[1] - turn.middle[1]) > self.settings.moved_deg

    def _count(self, glance: _Glance) -> None:
        last = self._glances[-1] if self._glances else None
        if last is not None and last.side == glance.side and glance.at_s - last.at_s - last.lasts_s < self.settings.join_s:
            self._glances[-1] = _Glance(last.at_s, glance.at_s + glance.lasts_s - last.at_s, last.side, last.back or glance.back)
            return
        self._glances.append(glance)
        self._visit += glance.side != "down"

    def _side(self, turn: _Turn) -> Side:
        settings, (yaw, pitch) = self.settings, turn.farthest
        if pitch < settings.down_deg and abs(yaw) <= settings.down_aside * -pitch and not turn.lost:
            return "down"
        if pitch > settings.up_deg and pitch > abs(yaw) and not turn.lost:
            return "up"
        return "right" if yaw > 0 else "left"

    def _spend(self, at_s: float, gap_s: float) -> None:
        """The time since the last measured frame, where it joins on to it."""
        if gap_s > self.settings.most_gap_s:
            return
        if not self._seconds or at_s - self._seconds[-1].began_s >= 1.0:
            self._seconds.append(_Second(at_s))
        second, turn = self._seconds[-1], self._turn
        second.measured_s += gap_s
        second.head_only_s += gap_s if at_s - self._eyes_s > self.settings.lost_s else 0.0
        self._measured_visit_s += gap_s
        if turn is not None and turn.newest_s - turn.began_s >= self.settings.enter_s and self._side(turn) != "down":
            second.away_s += gap_s


class _Middle:
    """Where somebody usually looks: the median of their first clear frames, then creeping, as attention's Neutral; kept over gaps."""

    def __init__(self, settings: GlanceSettings) -> None:
        self._settings = settings
        self._first: list[Angles] = []
        self._learned_s = 0.0
        self.value: Angles | None = None

    @property
    def settled(self) -> bool:
        """Whether the first seconds are over."""
        return len(self._first) >= self._settings.quick_samples

    def learn(self, angles: Angles, at_s: float) -> None:
        settings, value = self._settings, self.value
        step_deg = settings.creep_deg_per_s * min(max(at_s - self._learned_s, 0.0), 0.2)
        self._learned_s = at_s
        if len(self._first) < settings.quick_samples:
            self._first.append(angles)
            if len(self._first) >= settings.learn_samples:
                self.value = _median([a for a, _ in self._first]), _median([b for _, b in self._first])
        elif value is not None:
            self.value = _towards(value[0], angles[0], step_deg), _towards(value[1], angles[1], step_deg)


def _off(angles: Angles, middle: Angles | None) -> Angles:
    return angles if middle is None else (angles[0] - middle[0], angles[1] - middle[1])


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _towards(value: float, target: float, step: float) -> float:
    return value + max(-step, min(step, target - value))
