"""What a benchmark hands back: figures with their goals, how they were come by, and the samples behind them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct


class Figure(Struct, frozen=True, kw_only=True):
    """One measured number. `most` or `least` is the goal; without either the number only informs."""

    what: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool | None:
        """None where there is no goal. A number that is none (NaN) meets nothing."""
        if self.most is not None:
            return self.value <= self.most
        if self.least is not None:
            return self.value >= self.least
        return None

    @property
    def goal(self) -> str:
        if self.most is not None:
            return f"at most {plain(self.most)} {self.unit}".rstrip()
        if self.least is not None:
            return f"at least {plain(self.least)} {self.unit}".rstrip()
        return ""


class Picture(Struct, frozen=True, kw_only=True):
    """A drawing that goes with a section."""

    file: str
    """Its name in docs/pictures."""
    title: str
    svg: str


class Section(Struct, frozen=True, kw_only=True):
    """One benchmark's result."""

    name: str
    title: str
    how: str
    """In a few plain sentences."""
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    """Printed instead of the figures where they form rows and columns; the first row names the columns."""
    others_percent: float = 0.0
    """Share of all cores' time that other programs on the machine took meanwhile."""
    loads: tuple[float, float] = (0.0, 0.0)
    """Load averages when it began and when it ended."""
    samples: dict[str, tuple[float, ...]] = {}
    """Every single measurement of the distributions worth drawing, in milliseconds."""
    picture: Picture | None = None


class Setting(Struct, frozen=True, kw_only=True):
    """What every benchmark is handed."""

    folder: Path
    """Where files of the run may lie; big enough for a few hundred megabytes."""
    quick: bool
    """A tenth of the repeats: to see that everything runs, not to be believed."""
    seed: int
    faces: Path | None = None
    """A folder of portraits to measure detection with, one face in the middle of each; None for the demo's own few."""
    say: Callable[[str], None]
    """Tells the person who waits how far it has come."""

    def repeats(self, full: int) -> int:
        return max(5, full // 10) if self.quick else full


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least this share (0 < share <= 1) of all samples does not exceed (nearest rank); NaN of none."""
    if not samples:
        return math.nan
    return sorted(samples)[max(0, math.ceil(share * len(samples) - 1e-9) - 1)]


def median(samples: Sequence[float]) -> float:
    """The middle sample, or the mean of the two in the middle; NaN of none."""
    if not samples:
        return math.nan
    ordered, half = sorted(samples), len(samples) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def distribution(what: str, samples_ms: Sequence[float], p99_most_ms: float | None = None) -> tuple[Figure, ...]:
    """Half, 95 and 99 in a hundred, and the worst; the goal, if any, is on the 99."""
    shares = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    return tuple(
        Figure(
            what=f"{what}, {name}", value=percentile(samples_ms, share), unit="ms", most=p99_most_ms if name == "p99" else None
        )
        for name, share in shares
    )


def plain(value: float) -> str:
    """A number with three digits that count, without a needless point: 3.41, 12.3, 156, 14200."""
    if not math.isfinite(value):
        return "none"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
