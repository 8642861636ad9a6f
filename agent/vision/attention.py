"""What a track's head and eyes did over time: looking away, blinks, and the honest 'cannot tell'.

A camera over a door sees everybody from another side than the next door's, people hold their heads differently, and the eye network
has an offset for every pair of eyes. So nothing is concluded from angles as such: each track learns where its person usually looks,
quickly in its first second and slowly ever after, and 'away' is a lasting turn from there. It learns and judges only while both head and eyes
can be measured; behind dark glass, at night and far away the answer is None with the reason, never a guess.

Call `update` for every frame in which the track's mesh was made. The eyes are worth an invocation when `due` says so: in every frame
while they can be seen (a blink lasts 100 to 400 ms, two to six frames at 15 a second), three times a second while they cannot. Below
ten frames a second blinks are missed; head and gaze do with five.
"""

from __future__ import annotations

from collections import deque
from math import hypot

from msgspec import Struct

from agent.core.messages import Attention, Gaze, HeadPose
from agent.vision.head_pose import HeadPoseSettings, head_pose
from agent.vision.iris import EyesMeasured
from agent.vision.landmarks import Mesh

Angles = tuple[float, float]
"""Yaw and pitch, degrees."""

UNSEEN = ("too_small", "too_dark", "glasses", "one_eye")
"""Doubts about the eyes under which nothing is said of where somebody looks, however clear the head is."""
LASTING_S = 0.5
"""Doubts that are older than this will last: the eyes are looked at less often."""


class AttentionSettings(Struct, frozen=True, kw_only=True):
    """Limits of what is concluded."""

    pose: HeadPoseSettings = HeadPoseSettings()
    least_head: float = 0.3
    """Confidence below which a head pose is not reported."""
    least_gaze: float = 0.25
    least_lids: float = 0.3
    learn_samples: int = 8
    learn_s: float = 0.7
    """So many clear frames over so long make the first neutral: their median."""
    quick_samples: int = 45
    """Up to so many frames (3 s at 15 a second) the median is taken over all of them; later it creeps."""
    creep_deg_per_s: float = 1.0
    """How fast the neutral follows later: towards each frame by the same small step however far it is, which ends at the median."""
    most_neutral_deg: Angles = (30.0, 25.0)
    """A neutral is never learned further than this from the camera: nobody walks up to a door looking at its wall."""
    enter_deg: float = 28.0
    """Further than this from neutral, head or eyes, is away; a glance at the reader or the lock is 10 to 20."""
    leave_deg: float = 20.0
    enter_s: float = 0.4
    """For so long without a break; a blink drags the iris down for less."""
    leave_s: float = 0.3
    stale_s: float = 1.0
    """After so long without a clear frame nothing is said any more, and a new look away begins afresh."""
    open_window: int = 150
    """Openness of so many frames (10 s) tells how open this person's eyes usually are."""
    open_samples: int = 8
    shut: float = 0.6
    """Below this share of that the eye is closing, above `reopened` it is open again. On a film with 61 blinks the level in between held
    0.7 % of the frames."""
    reopened: float = 0.75
    deep: float = 0.55
    """A blink gets at least this low."""
    shortest_blink_s: float = 0.08
    longest_blink_s: float = 0.5
    most_gap_s: float = 0.17
    """Frames further apart than this (one lost at 15 a second is 0.13 s) may hide what happened between them."""
    due_s: float = 0.03
    due_unseen_s: float = 0.33
    """How often the eyes are measured while they can be seen, and while they cannot."""


class AttentionTrack:
    """Memory of one track. Times are the frames' own, CLOCK_MONOTONIC seconds."""

    def __init__(self, settings: AttentionSettings | None = None) -> None:
        self._settings = settings or AttentionSettings()
        self._head, self._gaze = Neutral(self._settings), Neutral(self._settings)
        self._away, self._lids = Away(self._settings), Lids(self._settings)
        self._looked_s = float("-inf")
        self._seen_eyes_s: float | None = None
        """When the eyes could last be seen, or were first looked for."""
        self._seen_s = float("-inf")
        self._fault = ""
        """What was wrong with the eyes when they were last measured."""
        self._last = Attention(abstained="not_seen")

    def due(self, taken_s: float) -> bool:
        """Whether the eyes of a frame are worth the iris network's two invocations."""
        lasting = self._seen_eyes_s is not None and self._looked_s - self._seen_eyes_s > LASTING_S
        return taken_s - self._looked_s >= (self._settings.due_unseen_s if lasting else self._settings.due_s)

    def update(self, mesh: Mesh, eyes: EyesMeasured | None, frame_px: tuple[int, int], taken_s: float) -> Attention:
        """What is known after a frame. `eyes` is None when they were not measured in it; a frame that is not newer changes nothing."""
        return self.take(head_pose(mesh, frame_px, self._settings.pose), eyes, taken_s)

    def take(self, head: HeadPose, eyes: EyesMeasured | None, taken_s: float) -> Attention:
        """The same from a head pose."""
        if taken_s <= self._seen_s:
            return self._last
        self._seen_s = taken_s
        if eyes is not None:
            self._looked_s, self._fault = taken_s, eyes.fault
            if eyes.fault not in UNSEEN or self._seen_eyes_s is None:
                self._seen_eyes_s = taken_s
        clear = head.confidence >= self._settings.least_head
        gaze = _believed(eyes, self._settings) if clear else None
        self._lids.take(eyes if clear else None, taken_s)
        away, why = self._judge(head if clear else None, gaze, taken_s)
        self._last = Attention(
            head=head if clear else None, gaze=gaze, away=away, eyes_open=self._lids.open, blinks=self._lids.blinks, abstained=why
        )
        return self._last

    def at(self, now_s: float) -> Attention:
        """What may be said at a time without a new frame: soon nothing but the count of blinks."""
        if now_s - self._seen_s <= self._settings.most_gap_s:
            return self._last
        return Attention(blinks=self._lids.blinks, abstained="not_seen")

    def _judge(self, head: HeadPose | None, gaze: Gaze | None, taken_s: float) -> tuple[bool | None, str]:
        """Away or not, or None with the reason."""
        if self._fault in UNSEEN:
            self._away.forget()
            return None, self._fault
        if head is None:
            return self._away.unclear(taken_s), "turned_away" if self._fault == "turned_away" else "head_unclear"
        if gaze is not None:
            self._head.learn((head.yaw_deg, head.pitch_deg), taken_s)
            self._gaze.learn((gaze.yaw_deg, gaze.pitch_deg), taken_s)
        if self._head.value is None or self._gaze.value is None:
            return None, self._fault or "learning"
        turned_deg = _apart((head.yaw_deg, head.pitch_deg), self._head.value)
        looked_deg = _apart((gaze.yaw_deg, gaze.pitch_deg), self._gaze.value) if gaze is not None else 0.0
        if gaze is None and (self._fault == "closed" or turned_deg < self._settings.enter_deg):
            return self._away.unclear(taken_s), self._fault or "unsure"
        return self._away.take(max(turned_deg, looked_deg), taken_s), ""


class Neutral:
    """Where somebody usually looks: the median of the first seconds, then a creeping one."""

    def __init__(self, settings: AttentionSettings) -> None:
        self._settings = settings
        self._first: list[Angles] = []
        self._began_s = self._learned_s = 0.0
        self.value: Angles | None = None
        """None until enough was seen."""

    def learn(self, angles: Angles, taken_s: float) -> None:
        """Take in a clear frame."""
        settings = self._settings
        if not self._first:
            self._began_s = taken_s
        step_deg = settings.creep_deg_per_s * min(max(taken_s - self._learned_s, 0.0), 0.2)
        self._learned_s = taken_s
        if len(self._first) < settings.quick_samples:
            self._first.append(angles)
            if len(self._first) >= settings.learn_samples and taken_s - self._began_s >= settings.learn_s:
                self.value = self._bounded((_median([a for a, _ in self._first]), _median([b for _, b in self._first])))
        elif self.value is not None:
            self.value = self._bounded(
                (_towards(self.value[0], angles[0], step_deg), _towards(self.value[1], angles[1], step_deg))
            )

    def _bounded(self, angles: Angles) -> Angles:
        yaw, pitch = self._settings.most_neutral_deg
        return max(-yaw, min(yaw, angles[0])), max(-pitch, min(pitch, angles[1]))


class Away:
    """Looking away with hysteresis in angle and in time."""

    def __init__(self, settings: AttentionSettings) -> None:
        self._settings = settings
        self._away: bool | None = None
        self._since_s: float | None = None
        self._clear_s = float("-inf")

    def take(self, apart_deg: float, taken_s: float) -> bool:
        """The state after a clear frame in which head or eyes were so far from neutral."""
        settings = self._settings
        if taken_s - self._clear_s > settings.stale_s:
            self.forget()
        self._clear_s = taken_s
        away = bool(self._away)
        changes = apart_deg < settings.leave_deg if away else apart_deg > settings.enter_deg
        if not changes:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = taken_s
        if self._since_s is not None and taken_s - self._since_s >= (settings.leave_s if away else settings.enter_s):
            away, self._since_s = not away, None
        self._away = away
        return away

    def unclear(self, taken_s: float) -> bool | None:
        """The state in a frame that shows nothing: what it was, for a while."""
        if taken_s - self._clear_s > self._settings.stale_s:
            self.forget()
        self._since_s = None
        return self._away

    def forget(self) -> None:
        """Nothing is known any more."""
        self._away, self._since_s = None, None


class Lids:
    """Blinks and openness beside this person's own open eyes. Closed lids hide the iris: only open ones prove that eyes are seen."""

    def __init__(self, settings: AttentionSettings) -> None:
        self._settings = settings
        self._levels: deque[float] = deque(maxlen=settings.open_window)
        self._iris = 0.0
        """Running mean of iris_seen over frames with open lids."""
        self._taken_s = self._open_s = float("-inf")
        self._shut_s: tuple[float, float, float] | None = None
        """While shut: the last open frame before, the first and the newest shut frame."""
        self._lowest = 1.0
        self.blinks = 0
        self.open: float | None = None
        """0 closed .. 1 as open as usual; None while it cannot be told."""

    def take(self, eyes: EyesMeasured | None, taken_s: float) -> None:
        """Follow the lids by one frame; None when they were not measured."""
        gap_s, self._taken_s = taken_s - self._taken_s, taken_s
        if eyes is None or eyes.lids_seen < self._settings.least_lids:
            self._lose()
            return
        if gap_s > self._settings.most_gap_s:
            self._lose()
        self._levels.append(eyes.openness)
        if len(self._levels) < self._settings.open_samples:
            return
        share = eyes.openness / max(_level(self._levels), 1e-6)
        if share > self._settings.reopened:
            self._iris += 0.2 * (eyes.iris_seen - self._iris)
        proven = self._iris >= self._settings.least_lids
        self.open = min(1.0, share) if proven else None
        self._follow(share, proven, taken_s)

    def _lose(self) -> None:
        self._shut_s, self._open_s, self.open = None, float("-inf"), None

    def _follow(self, share: float, proven: bool, taken_s: float) -> None:
        settings = self._settings
        if share > settings.reopened:
            if self._shut_s is not None and proven and self._lowest < settings.deep and self._may_be_blink(self._shut_s, taken_s):
                self.blinks += 1
            self._shut_s, self._open_s = None, taken_s
        elif share < settings.shut and self._shut_s is None and taken_s - self._open_s <= settings.longest_blink_s:
            self._shut_s, self._lowest = (self._open_s, taken_s, taken_s), share
        elif share < settings.shut and self._shut_s is not None:
            self._shut_s, self._lowest = (*self._shut_s[:2], taken_s), min(self._lowest, share)

    def _may_be_blink(self, shut_s: tuple[float, float, float], open_s: float) -> bool:
        """Frames only bound how long the eye was shut: at least between the shut frames, at most between the open ones around them."""
        before_s, first_s, newest_s = shut_s
        return newest_s - first_s <= self._settings.longest_blink_s and open_s - before_s >= self._settings.shortest_blink_s


def _believed(eyes: EyesMeasured | None, settings: AttentionSettings) -> Gaze | None:
    return eyes.gaze if eyes is not None and eyes.gaze is not None and eyes.gaze.confidence >= settings.least_gaze else None


def _level(openness: deque[float]) -> float:
    """How open the eyes are when open: three in four frames are less so, blinks and glances down among them."""
    return sorted(openness)[3 * (len(openness) - 1) // 4]


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _towards(value: float, target: float, step: float) -> float:
    return value + max(-step, min(step, target - value))


def _apart(a: Angles, b: Angles) -> float:
    return hypot(a[0] - b[0], a[1] - b[1])
