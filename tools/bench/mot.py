"""How well tracks follow people whose places are known: CLEAR MOT (Bernardin and Stiefelhagen, 2008).

Misses, false tracks and switches over all that there was to follow; a switch is a person under another id than when last followed,
a fragment a person who is followed again, whatever the id, after having been in view and lost. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct


class Tally(Struct, frozen=True, kw_only=True):
    """Counts over frames. Sums of tallies are tallies."""

    there: int = 0
    """People in view, summed over the frames."""
    missed: int = 0
    false: int = 0
    switches: int = 0
    fragments: int = 0

    @property
    def mota(self) -> float:
        """Multiple object tracking accuracy, at most 1."""
        return 1 - (self.missed + self.false + self.switches) / max(self.there, 1)

    @property
    def found(self) -> float:
        return 1 - self.missed / max(self.there, 1)

    def __add__(self, other: Tally) -> Tally:
        return Tally(there=self.there + other.there, missed=self.missed + other.missed, false=self.false + other.false,
                     switches=self.switches + other.switches, fragments=self.fragments + other.fragments)  # fmt: skip


@dataclass
class Score:
    """Counts frame by frame."""

    tally: Tally = field(default_factory=Tally)
    _id_of: dict[str, int] = field(default_factory=dict)
    _lost: set[str] = field(default_factory=set)

    def known(self, who: str) -> int | None:
        """Under which id somebody was last followed: who can still be that track is, before any other is tried (as CLEAR MOT has it)."""
        return self._id_of.get(who)

    def frame(self, in_view: set[str], followed: Mapping[str, int], false: int) -> None:
        """`in_view`: who can be seen; `followed`: under which id each is reported, hidden people too; `false`: tracks of nobody."""
        switched = [who for who, id_ in followed.items() if self._id_of.get(who, id_) != id_]
        found_again = [who for who in followed if who in self._lost]
        missed = in_view - followed.keys()
        self._lost = (self._lost - followed.keys()) | {who for who in missed if who in self._id_of}
        self._id_of.update(followed)
        self.tally += Tally(
            there=len(in_view), missed=len(missed), false=false, switches=len(switched), fragments=len(found_again)
        )
