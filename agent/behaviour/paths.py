"""How somebody moves over the floor: speed, abruptness, detours, turning back, pacing, running, standing. Metres and seconds.

A position on the floor shakes by centimetres (a face's width at 3 m by 5 to 10), and each derivative multiplies that. So every figure
here comes with its own noise, and is not told where noise alone would show as much:

- **One polynomial over the last 1.2 s**, five times a second, by orthogonal polynomials on the samples' own times (Forsythe, 1957; it is
  what Savitzky and Golay do, for times that are not even). Each sample counts by 1 / sigma^2. Its terms are independent: velocity comes
  from the line and the parabola, acceleration from the parabola, jerk from the cubic, each with the deviation that follows from the same
  sums. A Kalman filter would need a model of how people accelerate, and its jerk would be that model's.
- **How much a position shakes** is measured, for each axis: a sigma also holds what is constant (whose face is 14 cm wide), which no
  derivative feels. What the cubics leave over holds movement that they cannot follow, and what a sample is beside the line between its
  neighbours holds none of what shakes slowly: the less of both counts, and never less than `shake_floor` of sigma.
- **At 15 samples a second of deviation s** that is .7 s of speed, 4.4 s of acceleration and 43 s of jerk: for 2 cm .9 m/s3, for 5 cm 2,
  for 10 cm 4. One sample in ten shows twice that in noise alone: jerk is told up to about 4 cm, and abstained from above.
- **Lengths and turns** are taken from points of the smoothed path that lie apart: who stands and shakes goes nowhere and turns nowhere.

Time is an argument. Samples that are no numbers, come late or out of order are left out; nothing raises. Memory is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from math import atan2, degrees, hypot, inf, isfinite, log, pi, remainder, sqrt
from operator import mul
from typing import NamedTuple, Protocol

from msgspec import Struct


class Point(Protocol):
    """A place on the floor (agent.behaviour.ground.FloorPoint)."""

    @property
    def x_m(self) -> float: ...
    @property
    def y_m(self) -> float: ...
    @property
    def sigma_m(self) -> float: ...


class PathSettings(Struct, frozen=True, kw_only=True):
    """Limits of what is concluded."""

    window_s: float = 30.0
    """What is told is of so long; turning back is also counted over the whole visit."""
    fit_s: float = 1.2
    fit_every_s: float = 0.2
    least_samples: int = 6
    """In one fit: bodies are looked for five times a second."""
    most_gap_s: float = 0.7
    """Nobody knows where somebody went in a longer gap: the path begins anew behind it."""
    most_speed_m_s: float = 9.0
    most_acceleration_m_s2: float = 15.0
    """Sprinters start with 8 to 10. A sample that needs more speed or more acceleration than these is an outlier; a second one beside it
    says that places come from elsewhere now (feet instead of a face, another ground), and the step is no movement."""
    restart_s: float = 60.0
    """A clock that leaps further than this ahead, or 1 s back, tells of another time: everything is forgotten."""
    least_sigma_m: float = 0.01
    shake_floor: float = 0.1
    """A share of sigma that a position is taken to shake by, however smooth it looks."""
    least_over_s: float = 0.6
    """Nothing is told of less."""
    most_speed_noise_m_s: float = 0.4
    most_acceleration_noise_m_s2: float = 1.5
    most_jerk_noise_m_s3: float = 6.0
    """What one sample in ten would show though nothing happened; above it the figure is abstained from."""
    run_m_s: float = 2.5
    run_leave_m_s: float = 2.1
    """People walk at up to 2 m/s and change to running at about that (Hreljac, 1993); 2.5 is no walk."""
    stand_m_s: float = 0.2
    stand_leave_m_s: float = 0.4
    step_m: float = 0.4
    """The path is measured from point to point so far apart, or `step_noises` of the point's own deviation."""
    step_noises: float = 8.0
    turn_deg: float = 30.0
    """A heading is held until it differs by so much: a body sways by a few degrees with each step."""
    back_m: float = 0.7
    """Turned back: so far there, and so far back again."""
    pace_s: float = 15.0
    """Turns back that follow each other within this belong to one pacing."""


class Motion(Struct, frozen=True, kw_only=True):
    """How somebody moved in the last `window_s`. None: could not be measured, and `abstained` says why."""

    over_s: float
    """Seconds in which the movement could be followed."""
    confidence: float
    """0..1: how much of the window was followed, and how far the speed stands out of its noise."""
    speed_m_s: float
    """The newest, about half a second old."""
    speed_noise_m_s: float
    """One standard deviation of it."""
    approach_m_s: float
    """How fast towards the door; one sample in twenty is faster. 0 for who only went away from it."""
    speed_median_m_s: float
    """While walking; 0 for who only stood."""
    speed_peak_m_s: float
    """While walking or running one sample in twenty is faster."""
    speed_spread_m_s: float | None
    """Robust deviation (1.48 x median absolute deviation) while walking; None with less than 1 s of it."""
    acceleration_m_s2: float | None
    """While moving: one sample in ten shows more, what noise adds taken off; 0 for who stands."""
    jerk_m_s3: float | None
    """The same of jerk over 1.2 s: what is shorter is smoothed away."""
    jerk_noise_m_s3: float
    """What one sample in ten would show though nothing happened."""
    path_m: float
    net_m: float
    """From begin to end, of each piece that could be followed without a gap."""
    straightness: float | None
    """Net by path, 0..1; None where the path is shorter than two steps."""
    heading_deg_per_m: float | None
    """Changes of direction on each metre; None where the path is shorter than two steps."""
    turned_back: int
    turned_back_visit: int
    pacing_legs: int
    """Ways in the longest back and forth: two turns back within `pace_s` of each other make three."""
    running_s: float
    standing_s: float
    abstained: tuple[str, ...] = ()
    """What is None and why, e.g. "jerk: noise 12.0 m/s3"."""


class _Sample(NamedTuple):
    at_s: float
    x_m: float
    y_m: float
    sigma_m: float


class _Fit(NamedTuple):
    """The path in the middle of one polynomial."""

    at_s: float
    lasts_s: float
    """How much time it stands for."""
    x_m: float
    y_m: float
    place_noise_m: float
    approach: float
    speed: float
    speed_noise: float
    acceleration: float
    acceleration_noise: float
    jerk: float
    jerk_noise: float
    """Noises: one deviation, both axes together (root of the summed variances)."""
    gait: str


class _Axis(NamedTuple):
    """One axis' terms: place, velocity, half the acceleration, a sixth of the jerk; each with its variance in samples' variances."""

    place: float
    velocity: float
    half_acceleration: float
    sixth_jerk: float
    chi2: float


class PathTrack:
    """One person's way over the floor. About 15 us a sample and 60 us a `motion` of half a minute, on an x86-64 core."""

    def __init__(self, settings: PathSettings | None = None) -> None:
        self.settings = settings or PathSettings()
        self._forget()

    def _forget(self) -> None:
        settings = self.settings
        self._samples: deque[_Sample] = deque(maxlen=64)
        self._fits: deque[_Fit] = deque(maxlen=int(settings.window_s / settings.fit_every_s) + 1)
        self._way = _Way(settings)
        self._shake = _Shake()
        self._fit_s, self._gait = -inf, ""
        self._suspect: _Sample | None = None
        """The outlier that was left out last."""
        self._told: Motion | None = None
        self._is_told = False

    def take(self, at_s: float, point: Point | None) -> None:
        """A sample; None where the person was not seen. Whatever is no number or comes out of order is left out."""
        if point is None or not _is_sound(at_s, point):
            return
        settings = self.settings
        sample = _Sample(at_s, point.x_m, point.y_m, max(point.sigma_m, settings.least_sigma_m))
        if self._samples:
            ahead_s = at_s - self._samples[-1].at_s
            if ahead_s < -1.0 or ahead_s > settings.restart_s:
                self._forget()
            elif ahead_s <= 0:
                return
            elif ahead_s > settings.most_gap_s:
                self._break()
            elif self._is_outlier(sample, ahead_s):
                return
        self._samples.append(sample)
        self._shake.take(self._samples)
        while at_s - self._samples[0].at_s > settings.fit_s:
            self._samples.popleft()
        self._fit_when_due(at_s)

    def cut(self) -> None:
        """From here on places come from another source (feet instead of a face): the step between them is no movement."""
        self._break()

    def motion(self, now_s: float) -> Motion | None:
        """What is known at a time; None while the movement cannot be followed."""
        if not self._fits or not isfinite(now_s):
            return None
        if not self._is_told:
            self._told, self._is_told = self._measured(self._fits[-1].at_s), True
        # The newest middle of a fit is half a fit old; later than that the person is not seen any more.
        return self._told if now_s - self._fits[-1].at_s <= self.settings.fit_s + self.settings.most_gap_s else None

    def _break(self) -> None:
        """What came before goes on counting, and nothing is supposed of the gap."""
        self._samples.clear()
        self._gait, self._suspect = "", None
        self._way.lift()

    def _is_outlier(self, sample: _Sample, ahead_s: float) -> bool:
        """Whether a sample is left out. The second of two that agree begins the path anew there."""
        suspect, self._suspect = self._suspect, None
        last = self._samples[-1]
        if suspect is not None and _between(sample, suspect) < min(_between(sample, last), self._most_way(sample, suspect)):
            self._break()
            self._samples.append(suspect)
            return False
        if _between(sample, last) <= self._most_way(sample, last) and not self._leaps(sample, ahead_s):
            return False
        self._suspect = sample
        return True

    def _most_way(self, sample: _Sample, since: _Sample) -> float:
        return self.settings.most_speed_m_s * (sample.at_s - since.at_s) + 3 * self._shake_of(sample)

    def _leaps(self, sample: _Sample, ahead_s: float) -> bool:
        """Whether the last three samples bend more than a body can: only told of samples that follow each other closely."""
        if not self._shake.fits or len(self._samples) < 2:
            return False
        before, last = self._samples[-2], self._samples[-1]
        share = ahead_s / (last.at_s - before.at_s)
        if ahead_s > 0.15 or not 0.4 < share < 2.5:
            return False
        x_m, y_m = last.x_m + share * (last.x_m - before.x_m), last.y_m + share * (last.y_m - before.y_m)
        bent_m = hypot(sample.x_m - x_m, sample.y_m - y_m)
        return bent_m > self.settings.most_acceleration_m_s2 * ahead_s * ahead_s + 4 * (1 + share) * self._shake_of(sample)

    def _shake_of(self, sample: _Sample) -> float:
        """How much places shake, as far as that is known, else the whole sigma; metres."""
        return sample.sigma_m * (self._shake.both(self.settings.shake_floor) if self._shake.fits else 1.0)

    def _fit_when_due(self, at_s: float) -> None:
        settings, samples = self.settings, self._samples
        if len(samples) < settings.least_samples or at_s - samples[0].at_s < settings.least_over_s:
            return
        if at_s - self._fit_s < settings.fit_every_s - 0.01:
            return
        follows = self._fits and at_s - self._fit_s <= settings.most_gap_s
        lasts_s = at_s - self._fit_s if follows else settings.fit_every_s
        self._fit_s = at_s
        fit = self._fitted(samples, lasts_s)
        if fit is None:
            return
        self._gait = fit.gait
        self._fits.append(fit)
        self._way.take(fit)
        while fit.at_s - self._fits[0].at_s > settings.window_s:
            self._fits.popleft()
        self._is_told = False

    def _fitted(self, samples: Sequence[_Sample], lasts_s: float) -> _Fit | None:
        weights = [1 / (sample.sigma_m * sample.sigma_m) for sample in samples]
        basis = _basis([sample.at_s for sample in samples], weights)
        if basis is None:
            return None
        x, y = (_axis(basis, values) for values in ([s.x_m for s in samples], [s.y_m for s in samples]))
        self._shake.fitted(x.chi2, y.chi2, max(len(samples) - 4, 1))
        both = self._shake.both(self.settings.shake_floor)
        place, line, parabola, cubic = (both / sqrt(norm) for norm in basis.norms)
        bend = basis.bend
        speed = hypot(x.velocity, y.velocity)
        speed_noise = hypot(line, bend * parabola)
        return _Fit(
            basis.middle_s, lasts_s, x.place, y.place, hypot(place, parabola * basis.sag),
            -y.velocity, sqrt(max(speed * speed - speed_noise * speed_noise, 0.0)), speed_noise,
            2 * hypot(x.half_acceleration, y.half_acceleration), 2 * parabola,
            6 * hypot(x.sixth_jerk, y.sixth_jerk), 6 * cubic, self._gait_at(speed, speed_noise),
        )  # fmt: skip

    def _gait_at(self, speed: float, noise: float) -> str:
        """Running, standing or walking, with hysteresis; nothing where the speed is too noisy."""
        settings = self.settings
        if noise > settings.most_speed_noise_m_s:
            return ""
        if speed - noise > (settings.run_leave_m_s if self._gait == "running" else settings.run_m_s):
            return "running"
        return (
            "standing"
            if speed < (settings.stand_leave_m_s if self._gait == "standing" else settings.stand_m_s) + noise
            else "walking"
        )

    def _measured(self, until_s: float) -> Motion | None:
        settings = self.settings
        fits = [fit for fit in self._fits if fit.speed_noise <= settings.most_speed_noise_m_s]
        over_s = sum(fit.lasts_s for fit in fits)
        if over_s < settings.least_over_s - 0.25:
            return None
        newest = fits[-1]
        moving = [fit for fit in fits if fit.gait != "standing"]
        walking = sorted([fit.speed for fit in moving])
        peak = _quantile(walking, 0.95) if walking else max([fit.speed for fit in fits])
        approach = _quantile(sorted([fit.approach for fit in moving or fits]), 0.95)
        abstained: list[str] = []
        enough = len(moving) >= LEAST_MOVING
        acceleration, _ = _beyond_noise([(fit.acceleration, fit.acceleration_noise) for fit in moving or fits], enough,
                                        settings.most_acceleration_noise_m_s2, "acceleration", "m/s2", abstained)  # fmt: skip
        jerk, jerk_noise = _beyond_noise([(fit.jerk, fit.jerk_noise) for fit in moving or fits], enough,
                                         settings.most_jerk_noise_m_s3, "jerk", "m/s3", abstained)  # fmt: skip
        way = self._way.told(until_s)
        spread = _spread(walking) if len(walking) * settings.fit_every_s >= 1.0 else None
        return Motion(
            over_s=over_s, confidence=self._confidence(over_s, newest), speed_m_s=newest.speed, speed_noise_m_s=newest.speed_noise,
            approach_m_s=max(approach, 0.0), speed_median_m_s=_quantile(walking, 0.5) if walking else 0.0,
            speed_peak_m_s=peak, speed_spread_m_s=spread,
            acceleration_m_s2=acceleration, jerk_m_s3=jerk, jerk_noise_m_s3=jerk_noise,
            path_m=way.path_m, net_m=way.net_m, straightness=way.straightness, heading_deg_per_m=way.heading_deg_per_m,
            turned_back=way.turned_back, turned_back_visit=self._way.turned_back, pacing_legs=way.pacing_legs,
            running_s=_spent(fits, "running"), standing_s=_spent(fits, "standing"), abstained=tuple(abstained),
        )  # fmt: skip

    def _confidence(self, over_s: float, newest: _Fit) -> float:
        return min(over_s / 3.0, 1.0) * (1 - min(newest.speed_noise / (2 * self.settings.most_speed_noise_m_s), 1.0))


class _Shake:
    """How much the two axes shake, in sigmas, averaged over the last two seconds or so."""

    def __init__(self) -> None:
        self._over, self._beside = [0.0, 0.0], [0.0, 0.0]
        """What cubics leave over; what samples are beside their neighbours."""
        self.fits = self._samples = 0

    def fitted(self, chi2_x: float, chi2_y: float, spare: int) -> None:
        self.fits += 1
        share = max(1 / self.fits, 0.1)
        for i, chi2 in enumerate((chi2_x, chi2_y)):
            self._over[i] += share * (min(sqrt(chi2 / spare), 3.0) - self._over[i])

    def take(self, samples: deque[_Sample]) -> None:
        """The newest sample's neighbour, beside the line between it and the one before; mean deviations, which outliers move little."""
        if len(samples) < 3:
            return
        a, b, c = samples[-3], samples[-2], samples[-1]
        if c.at_s - a.at_s > 0.5:
            return
        along = (b.at_s - a.at_s) / (c.at_s - a.at_s)
        noise_m = b.sigma_m * sqrt(1 + along * along + (1 - along) * (1 - along))
        self._samples += 1
        share = max(1 / self._samples, 0.03)
        for i, beside_m in ((0, b.x_m - a.x_m - along * (c.x_m - a.x_m)), (1, b.y_m - a.y_m - along * (c.y_m - a.y_m))):
            self._beside[i] += share * (min(1.2533 * abs(beside_m) / noise_m, 3.0) - self._beside[i])

    def both(self, floor: float) -> float:
        """Root of both axes' summed variances."""
        return hypot(*(max(min(over, beside), floor) for over, beside in zip(self._over, self._beside, strict=True)))


class _WayTold(NamedTuple):
    path_m: float
    net_m: float
    straightness: float | None
    heading_deg_per_m: float | None
    turned_back: int
    pacing_legs: int


class _Leg(NamedTuple):
    """From one point of the path to the next that lies apart."""

    at_s: float
    from_m: tuple[float, float]
    to_m: tuple[float, float]
    turned_deg: float


class _Way:
    """The smoothed path as a line through points that lie apart, and where it turned back."""

    def __init__(self, settings: PathSettings) -> None:
        self._settings = settings
        self._legs: deque[_Leg] = deque(maxlen=256)
        self._backs: deque[float] = deque(maxlen=64)
        """When it turned back."""
        self._last: tuple[float, float] | None = None
        self._heading: float | None = None
        self._from: tuple[float, float] | None = None
        """Where the way there began, and the farthest point of it."""
        self._far: tuple[float, float] = (0.0, 0.0)
        self.turned_back = 0
        """Over the whole visit."""

    def lift(self) -> None:
        """The path is broken off: it goes on elsewhere."""
        self._last = self._heading = self._from = None

    def take(self, fit: _Fit) -> None:
        here, settings = (fit.x_m, fit.y_m), self._settings
        if fit.speed_noise > settings.most_speed_noise_m_s:
            return
        if self._last is None or self._from is None:
            self._last, self._from, self._far = here, here, here
            return
        self._look_back(self._from, here, fit)
        step_m = _apart(self._last, here)
        if step_m >= max(settings.step_m, settings.step_noises * fit.place_noise_m):
            self._legs.append(_Leg(fit.at_s, self._last, here, self._turned(self._last, here)))
            self._last = here

    def _turned(self, there: tuple[float, float], here: tuple[float, float]) -> float:
        """Degrees by which the heading left the one that it held."""
        heading = atan2(here[1] - there[1], here[0] - there[0])
        if self._heading is None:
            self._heading = heading
            return 0.0
        turned_deg = degrees(abs(remainder(heading - self._heading, 2 * pi)))
        if turned_deg < self._settings.turn_deg:
            return 0.0
        self._heading = heading
        return turned_deg

    def _look_back(self, began: tuple[float, float], here: tuple[float, float], fit: _Fit) -> None:
        """Hysteresis in metres: there by `back_m`, and back by as much against the way there."""
        back_m = max(self._settings.back_m, 6 * fit.place_noise_m)
        far = self._far
        out_m = _apart(began, far)
        if _apart(began, here) >= out_m:
            self._far = here
            return
        back = ((far[0] - here[0]) * (far[0] - began[0]) + (far[1] - here[1]) * (far[1] - began[1])) / out_m
        if back < back_m:
            return
        if out_m >= back_m:
            self.turned_back += 1
            self._backs.append(fit.at_s)
        self._from, self._far = far, here

    def told(self, until_s: float) -> _WayTold:
        settings = self._settings
        since_s = until_s - settings.window_s
        legs = [leg for leg in self._legs if leg.at_s >= since_s]
        backs = [at_s for at_s in self._backs if at_s >= since_s]
        path_m = sum(_apart(leg.from_m, leg.to_m) for leg in legs)
        net_m = _net(legs)
        enough = path_m >= 2 * settings.step_m
        return _WayTold(
            path_m, net_m, min(net_m / path_m, 1.0) if enough else None,
            sum(leg.turned_deg for leg in legs) / path_m if enough else None, len(backs), _pacing_legs(backs, settings.pace_s),
        )  # fmt: skip


class _Basis(NamedTuple):
    """Monic polynomials 1, p1, p2, p3 that are orthogonal on the samples; and what they are in the middle."""

    weighted: tuple[list[float], list[float], list[float], list[float]]
    """Each at the samples, times their weights."""
    norms: tuple[float, float, float, float]
    """Weighted sums of squares: 1 / norm is a term's variance."""
    middle_s: float
    bend: float
    """p2' in the middle."""
    sag: float
    """p2 in the middle."""


def _basis(times: Sequence[float], weights: list[float]) -> _Basis | None:
    """None where the times are too few or too close together for a cubic."""
    first_s, total = times[0], sum(weights)
    t = [time - first_s for time in times]
    middle = _dot(weights, t) / total
    p1 = [u - middle for u in t]
    w1 = list(map(mul, weights, p1))
    n1 = _dot(w1, p1)
    if n1 <= 1e-9 * total:
        return None
    a2, b2 = _dot(w1, map(mul, p1, p1)) / n1, n1 / total
    p2 = [(p - a2) * p - b2 for p in p1]
    w2 = list(map(mul, weights, p2))
    n2 = _dot(w2, p2)
    if n2 <= 1e-9 * total:
        return None
    a3, b3 = _dot(w2, map(mul, p2, p1)) / n2, n2 / n1
    p3 = [(p - a3) * q - b3 * p for p, q in zip(p1, p2, strict=True)]
    w3 = list(map(mul, weights, p3))
    n3 = _dot(w3, p3)
    if n3 <= 1e-9 * total:
        return None
    return _Basis((weights, w1, w2, w3), (total, n1, n2, n3), first_s + middle, -a2, -b2)


def _axis(basis: _Basis, values: Sequence[float]) -> _Axis:
    """The terms of one axis; what is left over is the whole less what each term explains (Parseval), exact enough about the first value."""
    begin = values[0]
    off = [value - begin for value in values]
    terms = [_dot(weighted, off) / norm for weighted, norm in zip(basis.weighted, basis.norms, strict=True)]
    explained = sum(term * term * norm for term, norm in zip(terms, basis.norms, strict=True))
    chi2 = max(_dot(basis.weighted[0], map(mul, off, off)) - explained, 0.0)
    c0, c1, c2, c3 = terms
    return _Axis(begin + c0 + basis.sag * c2, c1 + basis.bend * c2, c2, c3, chi2)


def _dot(a: Iterable[float], b: Iterable[float]) -> float:
    return float(sum(map(mul, a, b)))


NINE_IN_TEN = sqrt(log(10.0))
"""A Rayleigh deviate's 90 % quantile, in roots of its summed variances: what one sample in ten of pure noise on two axes exceeds."""


def _beyond_noise(shown: Sequence[tuple[float, float]], moved: bool, most: float, what: str, unit: str,
                  abstained: list[str]) -> tuple[float | None, float]:  # fmt: skip
    """What one sample in ten exceeds, less what it would in noise alone; and that noise. Who hardly `moved` shows nothing.

    A polynomial over less than its whole time, where a path begins, has many times the noise: it is left out.
    """
    typical = _quantile(sorted([noise for _, noise in shown]), 0.5)
    noise = NINE_IN_TEN * typical
    if noise > most:
        abstained.append(f"{what}: noise {noise:.1f} {unit}")
        return None, noise
    high = _quantile(sorted([value for value, noise in shown if noise <= 2 * typical]), 0.9) if moved else 0.0
    return sqrt(max(high * high - noise * noise, 0.0)), noise


LEAST_MOVING = 3
"""Fits, a fifth of a second apart."""


def _net(legs: Sequence[_Leg]) -> float:
    """From begin to end of each unbroken piece, added."""
    net_m, begin = 0.0, 0
    for i, leg in enumerate(legs):
        if i + 1 == len(legs) or legs[i + 1].from_m != leg.to_m:
            net_m += _apart(legs[begin].from_m, leg.to_m)
            begin = i + 1
    return net_m


def _pacing_legs(backs: Sequence[float], within_s: float) -> int:
    """Ways in the longest row of turns back, each soon after the other; a single turn back is no pacing."""
    longest = row = 0
    last_s = -inf
    for at_s in backs:
        row = row + 1 if at_s - last_s <= within_s else 1
        last_s, longest = at_s, max(longest, row)
    return longest + 1 if longest >= 2 else 0


def _spent(fits: Iterable[_Fit], gait: str) -> float:
    return sum(fit.lasts_s for fit in fits if fit.gait == gait)


def _spread(ordered: Sequence[float]) -> float:
    middle = _quantile(ordered, 0.5)
    return 1.4826 * _quantile(sorted(abs(value - middle) for value in ordered), 0.5)


def _quantile(ordered: Sequence[float], share: float) -> float:
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def _between(a: _Sample, b: _Sample) -> float:
    return hypot(a.x_m - b.x_m, a.y_m - b.y_m)


def _apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    return hypot(a[0] - b[0], a[1] - b[1])


MOST_M = 1000.0
"""Further from the door than this is nobody: a line of sight that meets the floor at the horizon."""


def _is_sound(at_s: float, point: Point) -> bool:
    """Comparisons with what is no number are all false."""
    return isfinite(at_s) and abs(point.x_m) < MOST_M and abs(point.y_m) < MOST_M and 0 <= point.sigma_m < MOST_M
