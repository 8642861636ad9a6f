"""A fob that lies on a reader is one read, however often the reader says so."""

from __future__ import annotations


class Presence:
    """Which credentials lie on a reader: one counts as away when nothing was seen of it for `gone_after_s`."""

    def __init__(self, gone_after_s: float) -> None:
        self._gone_after_s = gone_after_s
        self._seen_s: dict[str, float] = {}

    def arrives(self, key: str, now_s: float) -> bool:
        """Whether a credential seen at `now_s` has just come. Remembers only those that are still there."""
        self._seen_s = {known: at_s for known, at_s in self._seen_s.items() if now_s - at_s < self._gone_after_s}
        new = key not in self._seen_s
        self._seen_s[key] = now_s
        return new
