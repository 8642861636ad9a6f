"""Whether a lock does what it is told: the order beside what its own monitor contact reads back.

Pure. A monitor is a latch-bolt or strike contact, or a magnet's bond sensor; it follows the relay after some tenths of a second, so only a
disagreement that lasts is a fault. While the leaf is known to stand open nothing can be held, and no lock is blamed for it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Finding = Literal["does_not_hold", "does_not_let_go", "obeys_again"]


class LockFinding(Struct, frozen=True, kw_only=True):
    """News about the lock. `since_s`: when order and read-back began to disagree, or to agree again."""

    finding: Finding
    since_s: float


class LockCheck:
    """One lock. Feed it orders, read-backs and the leaf; ask `settle` when `due_s` has come."""

    def __init__(self, settle_s: float) -> None:
        """`settle_s`: so long the lock may take to follow."""
        self._settle_s = settle_s
        self._ordered: bool | None = None
        self._read: bool | None = None
        self._leaf_open = False
        self._since_s = 0.0
        self._told: Finding = "obeys_again"

    def ordered(self, released: bool, at_s: float) -> None:
        """The relay was told to let go, or to hold."""
        if released != self._ordered:
            self._ordered = released
            self._since_s = at_s

    def read(self, released: bool, at_s: float) -> None:
        """What the monitor says."""
        if released != self._read:
            self._read = released
            self._since_s = at_s

    def leaf(self, is_open: bool | None, at_s: float) -> None:
        """What the door contact says; None: there is none, or it has not spoken."""
        if bool(is_open) != self._leaf_open:
            self._leaf_open = bool(is_open)
            self._since_s = at_s

    @property
    def due_s(self) -> float | None:
        """When something is to be told if nothing changes until then."""
        return None if self._now() == self._told else self._since_s + self._settle_s

    def settle(self, now_s: float) -> LockFinding | None:
        """What has turned out to be so; each thing once."""
        due_s = self.due_s
        if due_s is None or now_s < due_s:
            return None
        self._told = self._now()
        return LockFinding(finding=self._told, since_s=self._since_s)

    def _now(self) -> Finding:
        """What one would say if it stayed like this. Nothing new while one of the two is not known."""
        if self._ordered is None or self._read is None:
            return self._told
        if self._ordered and not self._read:
            return "does_not_let_go"
        if self._read and not self._ordered and not self._leaf_open:
            return "does_not_hold"
        return "obeys_again"
