"""What is done with a head, a print or a screen over time: each kind of attempt as a pure function of time and of a few random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from msgspec import Struct

from tools.attacks.living import Look
from tools.attacks.sheet import Hold


class Temper(Struct, frozen=True, kw_only=True):
    """What differs between two attempts of one kind."""

    phase: float
    hz: float
    reach: float
    """0.6..1.4: small and large gestures."""
    distance_m: float
    side_m: float
    blinks_s: tuple[float, ...]
    """When the lids close."""


def temper(chance: np.random.Generator, distance_m: float) -> Temper:
    return Temper(phase=float(chance.uniform(0, 2 * math.pi)), hz=float(chance.uniform(0.35, 0.7)), reach=float(chance.uniform(0.6, 1.4)),
                  distance_m=distance_m, side_m=float(chance.uniform(-0.08, 0.08)),
                  blinks_s=tuple(float(at) for at in np.cumsum(chance.exponential(2.2, 4)) + 0.2))  # fmt: skip


def tremble(own: Temper, t_s: float, metres: float) -> tuple[float, float]:
    """A hand that holds something: slow sway and some tremor, sideways and up."""
    p = own.phase
    x = math.sin(2.1 * t_s + p) + 0.5 * math.sin(5.3 * t_s + 2 * p) + 0.15 * math.sin(31 * t_s + p)
    y = math.sin(1.7 * t_s + 3 * p) + 0.5 * math.sin(4.6 * t_s + p) + 0.15 * math.sin(37 * t_s)
    return metres * x, metres * y


def _wave(own: Temper, t_s: float, times: float = 1.0) -> float:
    return math.sin(2 * math.pi * own.hz * times * t_s + own.phase)


def _held(own: Temper, t_s: float, tremor_m: float = 0.003, **more: float) -> Hold:
    x, y = tremble(own, t_s, tremor_m)
    base = {"x_m": own.side_m + x, "y_m": y, "z_m": own.distance_m, "roll_deg": 2 * math.sin(own.phase) + 0.4 * math.sin(1.9 * t_s),
            "yaw_deg": 0.6 * math.sin(1.3 * t_s + own.phase), "pitch_deg": 0.6 * math.cos(1.1 * t_s + own.phase)}  # fmt: skip
    for name, value in more.items():
        base[name] = base.get(name, 0.0) + value
    return Hold(**base)


def still(own: Temper, t_s: float) -> Hold:
    return _held(own, t_s)


def fixed(own: Temper, t_s: float) -> Hold:
    """On a stand."""
    del t_s
    return Hold(x_m=own.side_m, z_m=own.distance_m, roll_deg=math.sin(own.phase))


def waved(own: Temper, t_s: float) -> Hold:
    return _held(
        own, t_s, x_m=0.07 * own.reach * _wave(own, t_s), y_m=0.02 * _wave(own, t_s, 1.7), yaw_deg=4 * _wave(own, t_s, 0.8)
    )


def tilted(own: Temper, t_s: float) -> Hold:
    return _held(own, t_s, pitch_deg=16 * own.reach * _wave(own, t_s), yaw_deg=6 * _wave(own, t_s, 0.7))


def turned(own: Temper, t_s: float) -> Hold:
    return _held(own, t_s, yaw_deg=20 * own.reach * _wave(own, t_s), x_m=0.01 * _wave(own, t_s))


def brought(own: Temper, t_s: float) -> Hold:
    """Carried towards the camera, bobbing with the steps."""
    return _held(own, t_s, z_m=0.9 - 0.45 * t_s * own.reach if t_s < 2.5 else -0.2, y_m=0.01 * abs(math.sin(6 * t_s)),
                 yaw_deg=3 * _wave(own, t_s), x_m=0.03 * _wave(own, t_s, 0.5))  # fmt: skip


def bent(own: Temper, t_s: float) -> Hold:
    """Bent about the upright axis, more and less, and turned as a head would be."""
    return _held(own, t_s, curvature_per_m=4.0 + 3.0 * own.reach * _wave(own, t_s, 0.6), yaw_deg=14 * own.reach * _wave(own, t_s),
                 bend_deg=8 * math.sin(own.phase))  # fmt: skip


def rolled(own: Temper, t_s: float) -> Hold:
    """Kept bent as a half tube of about 15 cm radius, turned and waved."""
    return _held(own, t_s, curvature_per_m=6.5, yaw_deg=18 * own.reach * _wave(own, t_s), x_m=0.02 * _wave(own, t_s, 0.5))


def nodding_bend(own: Temper, t_s: float) -> Hold:
    """Bent about the level axis and tilted."""
    return _held(
        own, t_s, curvature_per_m=3.0 + 2.5 * _wave(own, t_s, 0.7), bend_deg=90.0, pitch_deg=12 * own.reach * _wave(own, t_s)
    )


PRINT_MOTIONS: dict[str, Callable[[Temper, float], Hold]] = {
    "print_still": still, "print_waved": waved, "print_tilted": tilted, "print_turned": turned, "print_brought": brought,
    "bent_print_turned": bent, "bent_print_rolled": rolled, "bent_print_nodding": nodding_bend,
}  # fmt: skip


def _closed(own: Temper, t_s: float) -> float:
    """A blink shuts in 80 ms, stays shut for 40 and opens in 160 (measures of spontaneous blinks lie about these)."""
    for at_s in own.blinks_s:
        after_s = t_s - at_s
        if 0 <= after_s < 0.28:
            return min(1.0, after_s / 0.08, (0.28 - after_s) / 0.16)
    return 0.0


def _talk(t_s: float, own: Temper) -> float:
    syllables = math.sin(2 * math.pi * 3.1 * t_s + own.phase) + 0.6 * math.sin(2 * math.pi * 1.3 * t_s)
    return max(0.0, 0.45 * syllables)


def standing(own: Temper, t_s: float) -> Look:
    return Look(yaw_deg=1.5 * own.reach * _wave(own, t_s), pitch_deg=1.0 * _wave(own, t_s, 1.3), closed=_closed(own, t_s))


def turning(own: Temper, t_s: float) -> Look:
    return Look(yaw_deg=13 * own.reach * _wave(own, t_s), pitch_deg=4 * _wave(own, t_s, 0.7), closed=_closed(own, t_s))


def nodding(own: Temper, t_s: float) -> Look:
    return Look(yaw_deg=4 * _wave(own, t_s, 0.6), pitch_deg=9 * own.reach * _wave(own, t_s), closed=_closed(own, t_s))


def talking(own: Temper, t_s: float) -> Look:
    return Look(yaw_deg=4 * own.reach * _wave(own, t_s), pitch_deg=2.5 * _wave(own, t_s, 1.6), closed=_closed(own, t_s),
                mouth=_talk(t_s, own))  # fmt: skip


LOOKS: dict[str, Callable[[Temper, float], Look]] = {
    "live_standing": standing, "live_turning": turning, "live_nodding": nodding, "live_talking": talking,
    "live_walking": turning,
}  # fmt: skip
