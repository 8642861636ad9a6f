"""Each opening of the door: when it stood open, why, and how many people were let in.

Computed anew from the last minutes' news, in the order of when it happened: so it does not matter in which order news arrives, nor how
often. What went through an opening whose cause is not known is not judged: the news may have been lost.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from agent.core.conduct import DoorNews

Why = Literal["let_in", "leaving", "forced", "free"]
"""`free`: opened by command, schedule or fire, or for a reason that is not known: nobody is counted."""

FOREVER_S = float("inf")


class OpeningSettings(Struct, frozen=True, kw_only=True):
    """Times of the door."""

    pulse_s: float = 5.0
    """How long the lock lets go after a grant, at least; without a contact the door counts as open for so long."""
    walk_s: float = 2.0
    """And people are on their way through for so much longer."""
    carry_s: float = 1.0
    """A contact may be seen so long after the lock held again."""
    grace_s: float = 3.0
    """A read that comes so long after somebody went through still lets them in."""
    remember_s: float = 600.0
    """News older than this is forgotten, and with it a door that has stood open since."""
    most_news: int = 96


class Opening(NamedTuple):
    """One opening; `ended_s` is infinite while the door stands open."""

    began_s: float
    ended_s: float
    why: Why
    by_contact: bool
    """False where no contact says so, and a grant's pulse stands for it."""

    def holds(self, from_s: float, until_s: float) -> bool:
        """Whether it was open at some time of a span."""
        return self.began_s <= until_s and from_s <= self.ended_s


class LetIn(NamedTuple):
    """Somebody was let in: any crossing between the two times may be theirs."""

    at_s: float
    credential: str
    from_s: float
    until_s: float
    persons: int
    face: int | None
    """The face that was compared."""


class DoorLog:
    """The last news of a door, its openings and who was let in."""

    def __init__(self, settings: OpeningSettings | None = None) -> None:
        self._settings = settings or OpeningSettings()
        self._news: list[tuple[float, str, str, DoorNews]] = []
        self.openings: tuple[Opening, ...] = ()
        self.let_in: tuple[LetIn, ...] = ()

    @property
    def news(self) -> list[DoorNews]:
        """Oldest first."""
        return [entry[3] for entry in self._news]

    def take(self, now_s: float, news: Iterable[DoorNews]) -> None:
        """News in any order; what came before, or claims to be of another time, is dropped."""
        changed = self._forget(now_s)
        for said in news:
            changed |= self._keep(now_s, said)
        if changed:
            told = self.news
            self.openings = openings(told, self._settings)
            self.let_in = let_in(told, self.openings, self._settings)

    def _keep(self, now_s: float, said: DoorNews) -> bool:
        if not now_s - self._settings.remember_s < said.at_s < now_s + self._settings.carry_s:
            return False
        entry = (said.at_s, said.what, said.credential)
        if any(known[:3] == entry for known in self._news):
            return False
        insort(self._news, (*entry, said), key=lambda known: known[:3])
        del self._news[: -self._settings.most_news]
        return True

    def _forget(self, now_s: float) -> bool:
        """Also what lies ahead: a clock that went back."""
        since_s, until_s = now_s - self._settings.remember_s, now_s + self._settings.carry_s
        if not self._news or (since_s < self._news[0][0] and self._news[-1][0] < until_s):
            return False
        self._news = [entry for entry in self._news if since_s < entry[0] < until_s]
        return True


def openings(news: Sequence[DoorNews], settings: OpeningSettings) -> tuple[Opening, ...]:
    """The openings that news, oldest first, tells of."""
    by_contact = any(said.what in ("opened", "closed", "forced") for said in news)
    spans = _spans(news, settings) if by_contact else _pulses(news, settings)
    return tuple(
        Opening(began_s, ended_s, _why(news, spans[i - 1][1] if i else -FOREVER_S, began_s, ended_s, settings), by_contact)
        for i, (began_s, ended_s) in enumerate(spans)
    )


def _spans(news: Sequence[DoorNews], settings: OpeningSettings) -> list[tuple[float, float]]:
    """As the contact tells. A door that opens twice has closed meanwhile: that news was lost."""
    spans: list[tuple[float, float]] = []
    for said in news:
        is_open = bool(spans) and spans[-1][1] == FOREVER_S
        if said.what in ("opened", "forced") and not (is_open and said.at_s - spans[-1][0] < settings.carry_s):
            if is_open:
                spans[-1] = (spans[-1][0], said.at_s)
            spans.append((said.at_s, FOREVER_S))
        elif said.what == "closed" and is_open:
            spans[-1] = (spans[-1][0], said.at_s)
    return spans


def _pulses(news: Sequence[DoorNews], settings: OpeningSettings) -> list[tuple[float, float]]:
    """Without a contact: from each cause until its pulse is over; those that overlap are one."""
    spans: list[tuple[float, float]] = []
    for said in news:
        if said.what not in ("granted", "leaving", "released"):
            continue
        until_s = said.at_s + _lets_go_s(said, settings) + settings.walk_s
        if spans and said.at_s <= spans[-1][1]:
            spans[-1] = (spans[-1][0], until_s)
        else:
            spans.append((said.at_s, until_s))
    return spans


def _why(news: Sequence[DoorNews], closed_s: float, began_s: float, ended_s: float, settings: OpeningSettings) -> Why:
    """The strongest cause since the last opening, or within a pulse before this one, while that may still have been open."""
    since_s = min(max(closed_s, began_s - 60.0), began_s - settings.pulse_s - settings.carry_s)
    causes = {
        said.what
        for said in news
        if min(since_s, began_s - _lets_go_s(said, settings) - settings.carry_s) <= said.at_s <= ended_s
    }
    if "released" in causes:
        return "free"
    if any(said.what == "forced" and abs(said.at_s - began_s) < settings.carry_s for said in news):
        return "forced"
    if "granted" in causes:
        return "let_in"
    return "leaving" if "leaving" in causes else "free"


def let_in(news: Sequence[DoorNews], known: Sequence[Opening], settings: OpeningSettings) -> tuple[LetIn, ...]:
    """Who was let in, and for which time. One credential that is read twice on one opening lets in once."""
    entries: dict[tuple[str, float], LetIn] = {}
    first_s = -FOREVER_S
    for said in news:
        if said.what == "first_of_two":
            first_s = said.at_s
        if said.what != "granted":
            continue
        pair, first_s = said.at_s - first_s < 60.0, -FOREVER_S
        until_s = _until_s(said, known, settings)
        entry = LetIn(said.at_s, said.credential, said.at_s - settings.grace_s, until_s,
                      max(1, said.persons, 2 if pair else 1), said.face)  # fmt: skip
        name = (said.credential, until_s) if said.credential else (f" {said.at_s}", until_s)
        entries.setdefault(name, entry)
    return tuple(entries.values())


def _until_s(said: DoorNews, known: Sequence[Opening], settings: OpeningSettings) -> float:
    """Until the end of the opening it was read on, or of the next one, if that begins while the lock lets go."""
    pulse_s = _lets_go_s(said, settings)
    ends = [o.ended_s for o in known if o.holds(said.at_s, said.at_s + pulse_s + settings.carry_s)]
    return max([said.at_s + pulse_s + settings.walk_s, *ends])


def _lets_go_s(said: DoorNews, settings: OpeningSettings) -> float:
    """Longer for whoever needs the door for longer."""
    return max(settings.pulse_s, said.pulse_s)
