"""People with each other and with the door: more went through than were let in, a crowd, a follower, somebody held, refusals in a row.

`Passages.take` is called with each observation and answers what stands now. It is pure and bounded; time is an argument. What cannot be
measured (no floor, frames that did not come, an opening without a known cause) is not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from agent.behaviour.company import Company, CompanySettings
from agent.behaviour.openings import DoorLog, LetIn, Opening, OpeningSettings
from agent.behaviour.walkers import Subject, Walker, Walkers, WalkerSettings
from agent.core.conduct import DoorNews, Evidence

__all__ = ["PassageSettings", "Passages", "Subject", "head_height_m"]

Children = Literal["told", "counted"]


class PassageSettings(Struct, frozen=True, kw_only=True):
    """When what people do together is told."""

    walkers: WalkerSettings = WalkerSettings()
    openings: OpeningSettings = OpeningSettings()
    company: CompanySettings = CompanySettings()
    children: Children = "told"
    """Whether a child beside somebody who was let in is only told, or counted as anybody."""
    child_behind_s: float = 3.0
    lone_child_s: float = 3.0
    """A child that went through is counted as anybody so much later: whoever leads it by the hand may be seen to go through after it."""
    news_s: float = 0.4
    """The door's news may be so late: nothing is told of a crossing before."""
    stands_s: float = 20.0
    """Evidence of a passage is told for so long."""
    least_sure: float = 0.35
    close_behind_s: float = 3.0
    """Later than this behind somebody who was let in, the door was held for them."""
    no_contact: float = 0.7
    """Confidence where a pulse stands for a door contact."""
    unseen_s: float = 0.5
    """Whoever vanished longer before the door opened is counted only where they hold a read: they may have gone aside."""
    gap_s: float = 1.0
    """Frames that come later than this left a gap."""
    refused_within_s: float = 120.0
    refused_least: int = 2


class _Crossing(NamedTuple):
    walker: Walker
    opening: Opening
    let_in: LetIn | None


class Passages:
    """One per door; not thread-safe."""

    def __init__(self, settings: PassageSettings | None = None) -> None:
        self._settings = settings or PassageSettings()
        self._log = DoorLog(self._settings.openings)
        self._walkers = Walkers(self._settings.walkers)
        self._company = Company(self._settings.company)
        self._holders: dict[LetIn, Walker] = {}
        self._taken_s = -1e18
        self._blind_s = -1e18

    def take(self, now_s: float, subjects: Sequence[Subject], news: Sequence[DoorNews]) -> tuple[Evidence, ...]:
        """What stands now; evidence with a `track` is about that body, the rest about the place.

        `news` is what came since the last call, in any order; late or twice does no harm.
        """
        self._watch(now_s)
        self._log.take(now_s, news)
        self._walkers.take(now_s, subjects, self._was_open, self._blind_s)
        while self._walkers.through and now_s - self._walkers.through[0].seen_s > self._settings.openings.remember_s:
            self._walkers.through.popleft()
        return (*self._tailgating(now_s), *self._company.take(now_s, self._walkers.present), *self._refused(now_s))

    def _watch(self, now_s: float) -> None:
        """A clock that went back begins anew; after a gap nobody knows where those have gone who are not in view."""
        if now_s < self._taken_s - 1.0:
            self._walkers.clear()
            self._company = Company(self._settings.company)
        if abs(now_s - self._taken_s) > self._settings.gap_s:
            self._blind_s = now_s
        self._taken_s = now_s

    def _was_open(self, from_s: float, until_s: float) -> bool:
        return any(opening.holds(from_s, until_s) for opening in self._log.openings)

    # -- who went through --------------------------------------------------------------------------------------------------------

    def _tailgating(self, now_s: float) -> tuple[Evidence, ...]:
        told: list[Evidence] = []
        crossings = self._crossings(now_s) if self._walkers.through and self._log.openings else []
        for opening in dict.fromkeys(crossing.opening for crossing in crossings):
            told += self._of_opening(now_s, opening, [crossing for crossing in crossings if crossing.opening == opening])
        return tuple(told)

    def _crossings(self, now_s: float) -> list[_Crossing]:
        """Everybody who went through a door that was not free, with the read that let them in: their own, else what is left of others'.
        The one that ends first is used first, so that as few as can be are left without."""
        self._attribute(now_s)
        left = {entry: entry.persons for entry in self._log.let_in}
        own: dict[int, LetIn] = {}
        for entry, walker in self._holders.items():
            if walker in self._walkers.through and id(walker) not in own and walker.crossed_s <= entry.until_s + 1.0:
                own[id(walker)] = entry
                left[entry] -= 1
            elif self._is_kept(entry, walker, now_s):
                left[entry] = 0
        found: list[_Crossing] = []
        for walker in sorted(self._walkers.through, key=lambda walker: walker.crossed_s):
            mine = own.get(id(walker))
            opening = self._opening_of(walker, mine)
            if opening is not None and opening.why != "free":
                found.append(_Crossing(walker, opening, mine or self._other(walker, left)))
        return found

    def _other(self, walker: Walker, left: dict[LetIn, int]) -> LetIn | None:
        """A read that nobody holds who went through."""
        if self._is_child(walker):
            return None
        valid = [entry for entry, count in left.items() if count > 0 and entry.from_s <= walker.crossed_s <= entry.until_s + 1.0]
        entry = min(valid, key=lambda entry: entry.until_s, default=None)
        if entry is not None:
            left[entry] -= 1
        return entry

    def _attribute(self, now_s: float) -> None:
        """Each read to whoever held it out: whose face was compared, else who was nearest to the door."""
        holders = {}
        for entry in self._log.let_in:
            walker = self._holders.get(entry)
            if walker is None and entry.face is not None:
                walker = self._walkers.of_face(entry.face)
            if walker is None and now_s >= entry.at_s + self._settings.news_s:
                walker = self._walkers.at_threshold(entry.at_s)
            if walker is not None:
                holders[entry] = walker
        self._holders = holders

    def _is_kept(self, entry: LetIn, walker: Walker, now_s: float) -> bool:
        """Whether the one whose face was compared still stands before the door: nobody else goes in on their read."""
        line_m = self._settings.walkers.line_m + 0.2
        in_view = walker.gone == "no" and now_s - walker.seen_s < 0.5 and walker.last.y_m > line_m
        return in_view and entry.persons == 1 and entry.face is not None and entry.face == walker.face

    def _opening_of(self, walker: Walker, entry: LetIn | None) -> Opening | None:
        """The opening they went through by; with a read of their own, the one that it brought about."""
        for opening in self._log.openings:
            if opening.holds(walker.seen_s - 0.3, max(walker.crossed_s, walker.seen_s + self._settings.unseen_s)):
                return opening
            if entry is not None and opening.holds(entry.at_s, entry.until_s):
                return opening
        return None

    def _is_child(self, walker: Walker) -> bool:
        return self._settings.children == "told" and self._walkers.is_child(walker)

    def _of_opening(self, now_s: float, opening: Opening, crossings: list[_Crossing]) -> list[Evidence]:
        last_s = max(max(each.walker.crossed_s, each.walker.seen_s) for each in crossings)
        if not last_s + self._settings.news_s <= now_s <= last_s + self._settings.stands_s:
            return []
        adults = [each for each in crossings if not self._is_child(each.walker)]
        beside = [each for each in crossings if each not in adults and self._has_adult(each, adults)]
        lone_s = self._settings.lone_child_s
        adults += [
            each for each in crossings if each not in adults and each not in beside and now_s - each.walker.crossed_s >= lone_s
        ]
        told = [self._child(each, now_s) for each in beside]
        extra = [each for each in adults if each.let_in is None]
        count, sure = self._how_many(adults, len(adults) - len(extra), opening)
        if count > 0:
            told.append(self._tailgaters(opening, adults, extra[-count:], sure))
        return told

    def _has_adult(self, child: _Crossing, adults: Iterable[_Crossing]) -> bool:
        near_s = self._settings.child_behind_s
        return any(each.let_in is not None and abs(each.walker.crossed_s - child.walker.crossed_s) <= near_s for each in adults)

    def _how_many(self, adults: Sequence[_Crossing], let_in: int, opening: Opening) -> tuple[int, float]:
        """How many more went through than were let in, as far as so many surely went through, and how sure that is."""
        factor = 1.0 if opening.by_contact else self._settings.no_contact
        sure = sorted((factor * each.walker.sure for each in adults), reverse=True)[let_in:]
        sure = [each for each in sure if each >= self._settings.least_sure]
        return len(sure), min(sure, default=0.0)

    def _tailgaters(self, opening: Opening, adults: Sequence[_Crossing], extra: Sequence[_Crossing], sure: float) -> Evidence:
        last = extra[-1].walker
        return Evidence(
            kind="tailgating", value=float(len(extra)), over_s=round(max(0.0, last.crossed_s - opening.began_s), 2),
            confidence=round(sure, 2), detail=self._how(opening, adults, extra), track=last.body, face=last.face, at_s=last.crossed_s,
        )  # fmt: skip

    def _how(self, opening: Opening, adults: Sequence[_Crossing], extra: Sequence[_Crossing]) -> str:
        """In a guard's words: forced, past somebody leaving, let in by somebody who held the door, or close behind."""
        through = f"{len(adults)} went through, {len(adults) - len(extra)} let in"
        if opening.why == "forced":
            return f"the door was forced, {through}"
        at_s = extra[0].walker.crossed_s
        before = [each.walker.crossed_s for each in adults if each.let_in is not None and each.walker.crossed_s <= at_s]
        if not before and len(extra) < len(adults):
            return f"ahead of somebody let in, {through}"
        if not before:
            return f"{'went in while somebody left' if opening.why == 'leaving' else 'somebody let in stayed outside'}, {through}"
        behind_s = at_s - max(before)
        if behind_s > self._settings.close_behind_s:
            return f"the door was held open for {behind_s:.1f} s after somebody let in, {through}"
        return f"{behind_s:.1f} s behind somebody let in, {through}"

    def _child(self, crossing: _Crossing, now_s: float) -> Evidence:
        walker = crossing.walker
        return Evidence(kind="with_child", value=1.0, confidence=0.3, detail=f"about {walker.height_m or 0.0:.1f} m tall",
                        track=walker.body, face=walker.face, at_s=walker.crossed_s)  # fmt: skip

    # -- who was refused ---------------------------------------------------------------------------------------------------------

    def _refused(self, now_s: float) -> tuple[Evidence, ...]:
        """Refusals in a row, as far as one person's: by the face that was compared, else together."""
        rows: dict[int | None, list[float]] = {}
        for said in self._log.news:
            if said.what == "denied" and now_s - said.at_s <= self._settings.refused_within_s:
                rows.setdefault(said.face, []).append(said.at_s)
            elif said.what == "granted":
                rows.pop(said.face, None)
        return tuple(self._row(face, times) for face, times in rows.items() if len(times) >= self._settings.refused_least)

    def _row(self, face: int | None, times_s: Sequence[float]) -> Evidence:
        walker = next((walker for walker in self._walkers.present if face is not None and walker.face == face), None)
        return Evidence(kind="denied_reads", value=float(len(times_s)), over_s=round(times_s[-1] - times_s[0], 2),
                        confidence=1.0 if face is not None else 0.5, track=walker.body if walker else None, face=face,
                        at_s=times_s[-1])  # fmt: skip


class _Upright(Protocol):
    """What turns floor positions into the picture's (agent.behaviour.ground.Ground)."""

    def to_px(self, at_m: tuple[float, float], height_m: float = 0.0) -> tuple[float, float] | None: ...


def head_height_m(ground: _Upright, at_m: tuple[float, float], top_px: float, most_m: float = 2.4) -> float | None:
    """How high above the floor the picture's row `top_px` is over somebody who stands at `at_m`: their crown, if that row is the upper
    edge of their body's box. None where the camera does not see that far."""
    low_m, high_m = 0.0, most_m
    for _ in range(12):
        middle_m = (low_m + high_m) / 2
        seen = ground.to_px(at_m, middle_m)
        if seen is None:
            return None
        low_m, high_m = (middle_m, high_m) if seen[1] > top_px else (low_m, middle_m)
    return None if high_m == most_m or low_m == 0.0 else (low_m + high_m) / 2
