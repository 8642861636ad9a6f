"""What each stage costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter


@dataclass
class StageTimes:
    """Seconds spent in each stage since `clear`, and how often it ran."""

    total_s: dict[str, float] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start_s = perf_counter()
        try:
            yield
        finally:
            self.total_s[name] = self.total_s.get(name, 0.0) + perf_counter() - start_s
            self.count[name] = self.count.get(name, 0) + 1

    def mean_ms(self, *names: str) -> float:
        """What these stages take together, each as a mean of its runs."""
        return sum(1000 * self.total_s[name] / self.count[name] for name in names if self.count.get(name))

    def clear(self) -> None:
        self.total_s.clear()
        self.count.clear()
