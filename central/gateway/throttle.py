"""How often a thing may be tried: pure, bounded, time is an argument."""

from __future__ import annotations

import math
from collections import OrderedDict

from msgspec import Struct

MOST_KEYS = 10_000
FORGOTTEN_AFTER_S = 3600.0


class Patience(Struct, frozen=True, kw_only=True):
    """So many tries in a row are free; after each further one the wait doubles, from 1 s up to `longest_s`."""

    free: int
    longest_s: float

    def wait_s(self, tries: int) -> float:
        return 0.0 if tries < self.free else min(self.longest_s, 2.0 ** min(30, tries - self.free))


class _Tries(Struct):
    count: int = 0
    last_s: float = 0.0


class Throttle:
    """Tries by key. Of more than MOST_KEYS keys the one that was tried longest ago is forgotten. Used under its owner's lock."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def wait_s(self, key: str, now_s: float) -> float:
        """Seconds until the next try is allowed; 0: now."""
        tries = self._tries.get(key)
        if tries is None:
            return 0.0
        if now_s - tries.last_s > FORGOTTEN_AFTER_S:
            del self._tries[key]
            return 0.0
        return max(0.0, tries.last_s + self._patience.wait_s(tries.count) - now_s)

    def tried(self, key: str, now_s: float) -> None:
        """Counted before it is known how it ends: a hundred tries at once are a hundred tries."""
        tries = self._tries.setdefault(key, _Tries())
        tries.count, tries.last_s = tries.count + 1, now_s
        self._tries.move_to_end(key)
        if len(self._tries) > MOST_KEYS:
            self._tries.popitem(last=False)

    def excuse(self, key: str) -> None:
        """The last try was no wrong one, and no right one either."""
        if key in self._tries:
            self._tries[key].count = max(0, self._tries[key].count - 1)

    def forget(self, key: str) -> None:
        """A try was right."""
        self._tries.pop(key, None)


class Bucket(Struct):
    """So many requests at once, and so many a second after that."""

    burst: float
    per_s: float
    left: float
    at_s: float

    def take(self, now_s: float) -> float:
        """Take one; returns 0, or the seconds until there is one again."""
        self.left = min(self.burst, self.left + (now_s - self.at_s) * self.per_s)
        self.at_s = now_s
        if self.left >= 1.0:
            self.left -= 1.0
            return 0.0
        return (1.0 - self.left) / self.per_s


def retry_after(wait_s: float) -> int:
    """Whole seconds, as the header wants them."""
    return max(1, math.ceil(wait_s))
