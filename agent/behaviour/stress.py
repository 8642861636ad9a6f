"""Signs that somebody may be under stress: what their face shows and how often they blink, each with its uncertainty. Weak evidence.

**Only where the profile allows it**: whoever makes a StressTrack has asked `agent.config.stress_signs_allowed`; in `workplace-eu` none is
made (EU AI Act, Art. 5(1)(f)). No file is opened here.

**What it is worth.** Programmes that judged intent by such signs did little better than chance (GAO-14-159 on SPOT), faces do not show
feelings reliably (Barrett et al., 2019), and the expression networks find fear in 22 of 100 pictures of it (docs/EVALUATION.md). So the
index is made of lower bounds, is `emotional` and soft by its row (agent.core.evidence), and is one measurement among others: never a
reason. Anger and fear become signs of aggression and of panic only as far as the body moves so too; without a movement they are None.

- **Expression**: the chain's probabilities, weighed by confidence and by how little they are spread (entropy), over about `memory_s`. A
  reading tells little new before `independent_s`, so the deviation is that of a share among so many independent readings.
- **Blinks**: a count, so its interval is Poisson's (Garwood, 1936). Adults blink 17 times a minute at rest and 26 in conversation, 4 to 48
  one by one (Bentivoglio et al., 1997): only what lies above `blinks_high` even at the interval's lower end counts, and only above this
  person's own first seconds where these were measured.
- **Not in it**: brows and mouth. What brief movements of them can be measured is in agent.vision.micro_expressions, experimental, and
  weighs nothing.
"""

from __future__ import annotations

from collections import deque
from math import exp, inf, isfinite, log, sqrt

from msgspec import Struct

from agent.behaviour.paths import Motion
from agent.core.messages import EXPRESSIONS, FaceSeen

ANGER, FEAR = EXPRESSIONS.index("anger"), EXPRESSIONS.index("fear")
TENSE = tuple(EXPRESSIONS.index(name) for name in ("anger", "fear", "disgust"))


class StressSettings(Struct, frozen=True, kw_only=True):
    """(nothing, all) for each part: below the first it is no sign, above the second no stronger one."""

    memory_s: float = 6.0
    """After this time a reading counts a third (1/e) of a new one."""
    independent_s: float = 0.7
    """Readings closer together tell the same: the chain smooths over 1 s."""
    most_gap_s: float = 0.5
    window_s: float = 30.0
    """Of blinks."""
    own_s: float = 8.0
    """This person's own first seconds."""
    least_blinks_s: float = 8.0
    """Of measured eyes; with less no rate is told."""
    least_readings: float = 2.0
    """Independent ones; with fewer nothing is said of the face."""
    tense: tuple[float, float] = (0.35, 0.85)
    blinks_high: tuple[float, float] = (26.0, 60.0)
    """A minute."""
    most_by_face: float = 0.6
    most_by_blinks: float = 0.4
    """No part alone makes the whole index."""
    speed: tuple[float, float] = (1.9, 3.0)
    """m/s, of an approach for aggression and of any movement for panic."""
    abrupt: tuple[float, float] = (9.0, 25.0)
    """m/s3."""
    restart_s: float = 60.0


class Stress(Struct, frozen=True, kw_only=True):
    """What was measured of one person. None: could not be, and `abstained` says why."""

    stress_signs: float
    """0..1."""
    confidence: float
    """0..1: how much of it could be measured, never how true it is of a mind."""
    over_s: float
    tense: float | None
    """Lower bound of the share of anger, fear and disgust; one deviation below the mean."""
    entropy: float | None
    """0 sure of one expression .. 1 all alike."""
    blinks_per_min: float | None
    blinks_low: float | None
    blinks_high: float | None
    """Poisson's interval, 90 %."""
    aggression_signs: float | None
    panic_signs: float | None
    """0..1; only together with motion."""
    abstained: tuple[str, ...] = ()


class StressTrack:
    """One person. Times are the frames' own."""

    def __init__(self, settings: StressSettings | None = None) -> None:
        self.settings = settings or StressSettings()
        self._forget()

    def _forget(self) -> None:
        self._shown = _Shown(self.settings)
        self._blinks = _Blinks(self.settings)
        self._began_s, self._seen_s = inf, -inf

    def take(self, at_s: float, face: FaceSeen) -> None:
        """A frame in which the person's face is in view. What is no time or comes out of order is left out."""
        if not isfinite(at_s):
            return
        ahead_s = at_s - self._seen_s
        if self._seen_s > -inf and not -1.0 <= ahead_s <= self.settings.restart_s:
            self._forget()
        elif ahead_s <= 0:
            return
        self._began_s, self._seen_s = min(self._began_s, at_s), at_s
        if face.expression is not None:
            self._shown.take(at_s, face.expression.probabilities, face.expression.confidence)
        attention = face.attention
        can = attention is not None and attention.eyes_open is not None
        self._blinks.take(at_s, attention.blinks if attention is not None and can else None)

    def stress(self, now_s: float, motion: Motion | None = None) -> Stress | None:
        """None where neither the face nor the eyes could be measured."""
        settings = self.settings
        probabilities, readings = self._shown.at(now_s)
        rate = self._blinks.rate()
        shown = probabilities if readings >= settings.least_readings else None
        if shown is None and rate is None:
            return None
        tense = None if shown is None else _low(sum(shown[i] for i in TENSE), readings)
        by_face = settings.most_by_face * _ramp(tense or 0.0, settings.tense)
        by_blinks = settings.most_by_blinks * self._blinks.excess(rate)
        return Stress(
            stress_signs=1 - (1 - by_face) * (1 - by_blinks), confidence=self._confidence(shown, readings, rate),
            over_s=max(min(now_s, self._seen_s) - self._began_s, 0.0), tense=tense,
            entropy=None if shown is None else entropy(shown),
            blinks_per_min=None if rate is None else rate[0], blinks_low=None if rate is None else rate[1],
            blinks_high=None if rate is None else rate[2],
            aggression_signs=_with_motion(shown, readings, ANGER, _approaches(motion, settings)),
            panic_signs=_with_motion(shown, readings, FEAR, _rushes(motion, settings)),
            abstained=_abstained(shown, rate, motion),
        )  # fmt: skip

    def _confidence(self, shown: tuple[float, ...] | None, readings: float, rate: tuple[float, float, float] | None) -> float:
        """At most a half: nothing here is more than weak."""
        face = 0.0 if shown is None else min(readings / 6, 1.0) * (1 - 0.5 * entropy(shown))
        return 0.5 * (self.settings.most_by_face * face + self.settings.most_by_blinks * (rate is not None))


class _Shown:
    """Probabilities, weighed and fading."""

    def __init__(self, settings: StressSettings) -> None:
        self._settings = settings
        self._sums = [0.0] * len(EXPRESSIONS)
        self._weight = self._readings = 0.0
        self._taken_s = -inf

    def take(self, at_s: float, probabilities: tuple[float, ...], confidence: float) -> None:
        """A reading; whatever is no distribution is left out."""
        total = sum(probabilities)
        if len(probabilities) != len(EXPRESSIONS) or not 0.9 < total < 1.1 or min(probabilities) < 0 or not 0 <= confidence <= 1:
            return
        apart_s = at_s - self._taken_s
        fade = exp(-max(apart_s, 0.0) / self._settings.memory_s) if apart_s < inf else 0.0
        worth = min(apart_s / self._settings.independent_s, 1.0)
        weight = worth * confidence * (1.05 - entropy(probabilities))
        self._sums = [fade * old + weight * new / total for old, new in zip(self._sums, probabilities, strict=True)]
        self._weight, self._readings = fade * self._weight + weight, fade * self._readings + worth * confidence
        self._taken_s = at_s

    def at(self, now_s: float) -> tuple[tuple[float, ...], float]:
        """The mean, and how many independent readings it stands for by now."""
        if self._weight <= 0:
            return (), 0.0
        fade = exp(-max(now_s - self._taken_s, 0.0) / self._settings.memory_s)
        return tuple(value / self._weight for value in self._sums), fade * self._readings


class _Blinks:
    """Blinks in the time in which eyes could be seen; and this person's own first seconds."""

    def __init__(self, settings: StressSettings) -> None:
        self._settings = settings
        self._seconds: deque[list[float]] = deque(maxlen=int(settings.window_s) + 1)
        """Begin, measured time, blinks."""
        self._own = [0.0, 0]
        self._last: tuple[float, int] | None = None

    def take(self, at_s: float, blinks: int | None) -> None:
        last, self._last = self._last, None if blinks is None else (at_s, blinks)
        if last is None or blinks is None or at_s - last[0] > self._settings.most_gap_s:
            return
        if not self._seconds or at_s - self._seconds[-1][0] >= 1.0:
            self._seconds.append([at_s, 0.0, 0.0])
        while at_s - self._seconds[0][0] > self._settings.window_s:
            self._seconds.popleft()
        step_s, new = at_s - last[0], max(blinks - last[1], 0)  # a new track begins at 0
        for where, at in ((self._seconds[-1], 1), (self._own, 0)):
            if at == 1 or self._own[0] < self._settings.own_s:
                where[at] += step_s
                where[at + 1] += new

    def rate(self) -> tuple[float, float, float] | None:
        """Blinks a minute and their interval."""
        measured_s = sum(second[1] for second in self._seconds)
        if measured_s < self._settings.least_blinks_s:
            return None
        count = round(sum(second[2] for second in self._seconds))
        low, high = poisson_interval(count)
        return 60 * count / measured_s, 60 * low / measured_s, 60 * high / measured_s

    def excess(self, rate: tuple[float, float, float] | None) -> float:
        """0..1: how far even the lower end lies above what people do; not above this person's own is no excess."""
        if rate is None:
            return 0.0
        own_s, count = self._own
        since_s = sum(second[1] for second in self._seconds)
        if own_s >= self._settings.own_s and since_s > 2 * own_s and rate[0] <= 60 * count / own_s:
            return 0.0
        return _ramp(rate[1], self._settings.blinks_high)


def poisson_interval(count: int) -> tuple[float, float]:
    """The mean's 90 % interval behind a count, by Wilson and Hilferty's cubes for Garwood's chi-squared limits (within 1 % from 2 on)."""
    z = 1.6449
    low = count * (1 - 1 / (9 * count) - z / (3 * sqrt(count))) ** 3 if count else 0.0
    more = count + 1
    return max(low, 0.0), more * (1 - 1 / (9 * more) + z / (3 * sqrt(more))) ** 3


def entropy(probabilities: tuple[float, ...]) -> float:
    """0 for one certain answer, 1 where all are alike."""
    return min(max(-sum(p * log(p) for p in probabilities if p > 0) / log(len(probabilities)), 0.0), 1.0)


def _low(share: float, readings: float) -> float:
    """A share of so many readings, less one deviation (with one reading more for each side: no share is certain)."""
    smoothed = (share * readings + 0.5) / (readings + 1)
    return max(min(share, smoothed) - sqrt(smoothed * (1 - smoothed) / (readings + 2)), 0.0)


def _with_motion(shown: tuple[float, ...] | None, readings: float, which: int, moves: float | None) -> float | None:
    """Both or neither: the weaker of what the face shows and of how the body moves."""
    return None if shown is None or moves is None else min(_ramp(_low(shown[which], readings), (0.2, 0.7)), moves)


def _approaches(motion: Motion | None, settings: StressSettings) -> float | None:
    """A fast or abrupt way towards the door, 0..1."""
    return (
        None
        if motion is None
        else max(_ramp(motion.approach_m_s, settings.speed), _ramp(motion.jerk_m_s3 or 0.0, settings.abrupt))
    )


def _rushes(motion: Motion | None, settings: StressSettings) -> float | None:
    """Running or abrupt movement any way, 0..1."""
    return (
        None
        if motion is None
        else max(_ramp(motion.speed_peak_m_s, settings.speed), _ramp(motion.jerk_m_s3 or 0.0, settings.abrupt))
    )


def _abstained(
    shown: tuple[float, ...] | None, rate: tuple[float, float, float] | None, motion: Motion | None
) -> tuple[str, ...]:
    reasons = (
        (shown, "expression: too few readings"),
        (rate, "blinks: eyes seen for too short"),
        (motion, "motion: not measured"),
    )
    return tuple(reason for value, reason in reasons if value is None)


def _ramp(value: float, limits: tuple[float, float]) -> float:
    return min(max((value - limits[0]) / (limits[1] - limits[0]), 0.0), 1.0)
