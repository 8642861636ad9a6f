"""What is usual at this door, per kind of evidence and hour of the week, and of cardholders who have agreed; and how odd a value is.

A value is judged by up to `JUDGED_BY` earlier visits, taken from the nearest that there are: the cardholder's own, this hour of the week, the
hours beside it and the same hour of other days, the door at all hours, doors like this one, and what Doorward supposes of a door that it
does not know. With w of them, k of which showed as much,

    p = (1 + k) / (1 + w)

so that of ordinary visits no more than a share p shows so small a p, and few visits can call nothing very odd. A value beyond all of those
is told apart further by the door's whole history: p is multiplied by (1 + K(x)) / (1 + K(u)), the share of visits to the door that showed
x of those that showed u, the value from which on the judging visits have less than one; never below one in all visits that there were.

A visit loses half of its weight in `HALF_LIFE_S` (G. Cormode et al., Forward decay, ICDE 2009: what is new weighs more, so that nothing old
need be touched). What is kept are counts of values: no picture, no name, no order in which people came. docs/PRIVACY.md says what they tell.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache, reduce
from operator import add, neg, sub
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from agent.behaviour.sketch import Scale, Sketch, Sparse, as_little, as_much, quantiles, scale_of
from agent.core.conduct import Usual
from agent.core.evidence import KINDS, Kind

DAY_S = 86400.0
HALF_LIFE_S = 42 * DAY_S
JUDGED_BY = 300.0
SUPPOSED_WORTH = 50.0
"""Visits: what a supposition weighs. So a door that knows nothing finds nothing odder than 1 in 51."""
SIMILAR_WORTH = 150.0
"""At most so many visits of other doors."""
ODD_P = 0.01
"""A value that so few visits to this door at any hour show is learned within a budget:"""
ODD_SHARE = 0.03
"""of all that is learned so much, which is three times what ordinary visits need,"""
ODD_AT_ONCE = 5.0
"""and this many at once: an hour of strange visits makes nothing usual."""
FULL_AN_HOUR = 40.0
"""Visits within one hour that weigh fully; the nth after them weighs 40 / n."""
MOST_PERSONS = 2000
MOST_CARDHOLDERS = 300
FORGET_AFTER_S = 180 * DAY_S
LONGEST_STEP_S = 7 * DAY_S
"""A clock that leaps forward makes what was learned at most so much older."""
BELIEVED_S = (-3600.0, 14 * DAY_S)
"""A visit that is further than this from the one before, by the clock, counts for the door and for no hour: the clock may be wrong."""
PUT_BACK_S = DAY_S
"""A clock that is put back by more begins to count from there; by less, what was learned grows no older until it has caught up."""
EARLIEST_YEAR = 2024
"""A clock that shows less was never set."""
CELLS = 168
FROM_FLOOR = frozenset({"dwell", "no_linger", "running", "speed", "abruptness", "inconsistency", "turned_back", "pacing", "following",
                        "crowding", "blocked"})  # fmt: skip
"""Kinds that are measured in metres or by zones: known no longer when the camera was moved or the floor is marked anew."""
NOT_FROM_FLOOR = frozenset({"glances", "away_share", "came_again", "denied_reads", "stress_signs", "aggression_signs", "panic_signs",
                            "micro_expressions"})  # fmt: skip
MAGIC = b"doorward norms 1\n"
_DIGEST_BYTES = 16
_MOST_BYTES = 64 << 20
_MOST_WEIGHT = 64.0
_Whose = Literal["hour", "door", "cardholder", "similar_doors", "nothing_yet"]


Row = Sequence[float]
"""Weights by bin."""


class NormsError(ValueError):
    """What was read is no norms."""


class Moment(NamedTuple):
    """When it happens, and to whom as far as they have agreed."""

    wall: datetime
    """Local time, with its zone."""
    norm_key: str = ""


class Measure(Struct, frozen=True):
    """A kind of evidence that has a norm."""

    name: str
    scale: Scale
    bins: int
    odd_is_high: bool
    supposed: tuple[float, ...]
    """How a visit is supposed to fall into the bins; sums to `SUPPOSED_WORTH`."""


@lru_cache(maxsize=2)
def measures(emotional: bool) -> dict[str, Measure]:
    """All kinds that have a norm; emotional ones only where the deployment's profile has them."""
    kinds = {name: kind for name, kind in KINDS.items() if kind.tail != "fact" and kind.supposed is not None}
    return {name: _measure(name, kind) for name, kind in kinds.items() if emotional or not kind.emotional}


def _measure(name: str, kind: Kind) -> Measure:
    scale, median, end = scale_of(kind.unit), *(kind.supposed or (0.0, 0.0))
    above = [_supposed_above(scale, number, median, end) for number in range(scale.bins)] + [0.0]
    return Measure(name, scale, scale.bins, kind.tail == "high",
                   tuple(SUPPOSED_WORTH * (above[number] - above[number + 1]) for number in range(scale.bins)))  # fmt: skip


def _supposed_above(scale: Scale, number: int, median: float, end: float) -> float:
    """The share of visits supposed to be in this bin or a higher one, when half exceed `median` and one in twenty is beyond `end`.

    Log-normal; for a median of 0 geometric (counts), or half at zero and the rest exponential.
    """
    if number == 0:
        return 1.0
    low = scale.low_of(number) - (0.5 if scale.counts else 0.0)
    if median > 0.0:
        spread = math.log(end / median) / 1.645
        return 0.5 * math.erfc(math.log(low / median) / (abs(spread) * math.sqrt(2)))
    if scale.counts:
        return float(0.05 ** ((low + 0.5) / (end + 1)))
    return 0.5 * math.exp(-math.log(10) * low / end)


class _Own(Struct):
    """What one cardholder shows at this door."""

    weights: array[float]
    age_s: float = 0.0
    """Of the norms, when they came last; kept to the day."""


class _Judgement(NamedTuple):
    usual: Usual
    p: list[float]
    """By bin."""


class _Written(Struct, frozen=True):
    """As it lies in a file."""

    place: str
    age_s: float
    unit_age_s: float
    latest_s: float | None
    visits: int
    kinds: dict[str, tuple[Scale, bytes]]
    order: tuple[str, ...] = ()
    own: dict[str, tuple[float, bytes]] = {}
    similar: dict[str, Sparse] = {}


class Norms:
    """The norms of one door. `place` names the camera's view and the floor's marking, as the caller knows them.

    Nothing here reads a clock; moments need a time zone.
    """

    def __init__(self, place: str = "", *, emotional: bool = False, cardholders: bool = False, learns: bool = True) -> None:
        """`learns` false: everything is judged by what was supposed or told, for ever."""
        self._place, self._cardholders, self._learns = place, cardholders, learns
        self._measures = measures(emotional)
        self._grids = {name: _zeros((1 + CELLS) * m.bins) for name, m in self._measures.items()}
        """Row 0 is the door, row 1 + cell an hour of the week. A visit weighs `_unit` more than one at age 0."""
        self._own: dict[str, _Own] = {}
        self._similar: dict[str, list[float]] = {}
        self._tokens = dict.fromkeys(self._measures, ODD_AT_ONCE)
        self._age_s = self._unit_age_s = 0.0
        self._latest_s: float | None = None
        self._visits = self._changes = 0
        self._persons: dict[str, int] = {}
        self._day: date | None = None
        self._hour: tuple[date, int] | None = None
        self._in_hour = 0
        self._judged: dict[tuple[str, int | None, str], _Judgement] = {}

    @property
    def place(self) -> str:
        return self._place

    @property
    def visits(self) -> int:
        """How many visits were learned from, ever."""
        return self._visits

    @property
    def edition(self) -> str:
        """Which norms these are, for explanations: the place and how many visits taught them."""
        return f"{self._place or 'door'}/{self._visits}"

    @property
    def changes(self) -> int:
        """Counts whatever was learned, told or forgotten since these norms were read: if it stands still, there is nothing to save."""
        return self._changes

    @property
    def cardholders(self) -> tuple[str, ...]:
        """The keys under which norms of cardholders are kept."""
        return tuple(self._own)

    # -- judging -------------------------------------------------------------------------------------------------------------

    def judge(self, kind: str, value: float, moment: Moment) -> tuple[Usual | None, float | None]:
        """What is usual, and the share of ordinary visits that show as much (as little, where that is odd); (None, None) for a kind without
        a norm and for what is no number. Raises ValueError for a moment without a zone."""
        measure = self._measures.get(kind)
        if measure is None or not math.isfinite(value):
            return None, None
        judged = self._judgement(measure, _cell(moment.wall), moment.norm_key if moment.norm_key in self._own else "")
        return judged.usual, judged.p[measure.scale.bin_of(value)]

    def _judgement(self, measure: Measure, cell: int | None, norm_key: str) -> _Judgement:
        key = (measure.name, cell, norm_key)
        known = self._judged.get(key)
        if known is None:
            known = self._judged[key] = self._judge(measure, cell, norm_key)
        return known

    def _judge(self, measure: Measure, cell: int | None, norm_key: str) -> _Judgement:
        door = self._row(measure, 0)
        near, weights = self._near(measure, door, cell, norm_key)
        whose = max(weights, key=lambda each: weights[each])
        low, median, high = quantiles(measure.scale, near, (0.05, 0.5, 0.95))
        learned = sum(weights.values()) - weights["nothing_yet"]
        usual = Usual(median=median, low=low, high=high, visits=round(learned, 1), of=whose)
        return _Judgement(usual, _p_by_bin(near, door, 1 / self._unit, measure.odd_is_high))

    def _near(self, measure: Measure, door: Row, cell: int | None, norm_key: str) -> tuple[list[float], dict[_Whose, float]]:
        """The visits that judge, by bin, and how many of them come from where."""
        whole = [0.0] * measure.bins
        weights: dict[_Whose, float] = {"cardholder": 0.0, "hour": 0.0, "door": 0.0, "similar_doors": 0.0, "nothing_yet": 0.0}
        similar = self._similar.get(measure.name, [])
        # A cardholder's own visits are among the hour's and the door's: together they are no more than there were
        missing = min(JUDGED_BY, sum(door) / self._unit + sum(similar) + SUPPOSED_WORTH)
        for whose, level, unit in self._levels(measure, door, cell, norm_key, similar):
            there = sum(level) / unit
            weight = min(there, missing)
            if weight > 0.0:
                share = weight / (there * unit)
                whole = [mine + share * theirs for mine, theirs in zip(whole, level, strict=True)]
                weights[whose] += weight
                missing -= weight
            if missing <= 0.0:
                break
        return whole, weights

    def _levels(
        self, measure: Measure, door: Row, cell: int | None, norm_key: str, similar: Row
    ) -> Iterator[tuple[_Whose, Row, float]]:
        """From the nearest visits to the farthest, with what one visit weighs there; each visit is in one level, but for the cardholder's."""
        unit, rest = self._unit, door
        if norm_key:
            yield "cardholder", self._own_row(measure, norm_key), unit
        if cell is not None:
            hour = self._row(measure, 1 + cell)
            yield "hour", hour, unit
            around = _sum((hour, *(self._row(measure, 1 + other) for other in _neighbours(cell))))
            yield "hour", list(map(sub, around, hour)), unit
            rest = [max(0.0, all_ - near) for all_, near in zip(door, around, strict=True)]
        yield "door", rest, unit
        yield "similar_doors", similar, 1.0
        yield "nothing_yet", measure.supposed, 1.0

    def _row(self, measure: Measure, number: int) -> Row:
        """Weights by bin; a visit of now weighs `_unit`."""
        return self._grids[measure.name][number * measure.bins : (number + 1) * measure.bins]

    def _own_row(self, measure: Measure, norm_key: str) -> Row:
        start = self._start_of(measure)
        return self._own[norm_key].weights[start : start + measure.bins]

    def _start_of(self, measure: Measure) -> int:
        start = 0
        for other in self._measures.values():
            if other is measure:
                break
            start += other.bins
        return start

    @property
    def _unit(self) -> float:
        """What a visit of now weighs in the grids."""
        return float(2.0 ** ((self._age_s - self._unit_age_s) / HALF_LIFE_S))

    # -- learning ------------------------------------------------------------------------------------------------------------

    def learn(self, values: Mapping[str, float], moment: Moment, person: str = "") -> None:
        """Take in what an ordinary visit showed, when it is over. Visits that ended in an alert or a denial are not to be given.

        `person` is who it was, as far as the caller can tell two visits of one person apart ("" when not): kept in memory until midnight.
        Kinds without a norm and what is no number are left out. Raises ValueError for a moment without a zone.
        """
        if not self._learns:
            return
        believed = self._pass_time(moment.wall)
        cell = _cell(moment.wall) if believed else None
        weight = self._share_of_person(person, moment.wall)
        own = self._own_of(moment.norm_key) if moment.norm_key and self._cardholders else None
        share = weight * self._share_of_hour(moment.wall)
        for kind, value in values.items():
            measure = self._measures.get(kind)
            if measure is not None and math.isfinite(value):
                self._learn(measure, measure.scale.bin_of(value), cell, share)
                if own is not None:  # theirs alone, and they have agreed: what is odd for the door may be usual for them
                    own.weights[self._start_of(measure) + measure.scale.bin_of(value)] += weight * self._unit
        self._visits += 1
        self._changed()

    def _learn(self, measure: Measure, bin_: int, cell: int | None, share: float) -> None:
        """Odd values have a budget."""
        tokens = min(ODD_AT_ONCE, self._tokens[measure.name] + ODD_SHARE * share)
        door = self._row(measure, 0)
        as_odd = sum(door[bin_:] if measure.odd_is_high else door[: bin_ + 1])
        is_odd = self._unit + as_odd <= ODD_P * (self._unit + sum(door))
        learned = not is_odd or tokens >= share
        self._tokens[measure.name] = tokens - share if is_odd and learned else tokens
        if learned:
            grid, weight = self._grids[measure.name], share * self._unit
            grid[bin_] += weight
            if cell is not None:
                grid[(1 + cell) * measure.bins + bin_] += weight

    def _own_of(self, norm_key: str) -> _Own:
        own = self._own.pop(norm_key, None) or _Own(_zeros(sum(m.bins for m in self._measures.values())))
        own.age_s = self._age_s
        self._own[norm_key] = own  # last in the order: the first is who was not here for longest
        while len(self._own) > MOST_CARDHOLDERS:
            del self._own[next(iter(self._own))]
        return own

    def _share_of_person(self, person: str, wall: datetime) -> float:
        """The nth visit of a person on a day weighs 1 / n: one who passes 500 times weighs as much as seven."""
        if wall.date() != self._day:
            self._day = wall.date()
            self._persons.clear()
            self._forget_old()
        if not person:
            return 1.0
        came = self._persons.pop(person, 0) + 1
        self._persons[person] = came
        if len(self._persons) > MOST_PERSONS:
            del self._persons[next(iter(self._persons))]
        return 1.0 / came

    def _share_of_hour(self, wall: datetime) -> float:
        hour = (wall.date(), wall.hour)
        self._in_hour = self._in_hour + 1 if hour == self._hour else 1
        self._hour = hour
        return min(1.0, FULL_AN_HOUR / self._in_hour)

    def _pass_time(self, wall: datetime) -> bool:
        """Let what was learned grow older; whether the clock can be believed."""
        now_s = _utc_s(wall)
        passed = 0.0 if self._latest_s is None else now_s - self._latest_s
        if self._latest_s is None or passed > 0.0 or passed < -PUT_BACK_S:
            self._latest_s = now_s
        self._age_s += min(LONGEST_STEP_S, max(0.0, passed))
        if self._unit > _MOST_WEIGHT:
            self._settle()
        return BELIEVED_S[0] <= passed <= BELIEVED_S[1]

    def _settle(self) -> None:
        """Count weights from now on as those of now, before they grow beyond what single precision adds up."""
        share = 1.0 / self._unit
        for name, grid in self._grids.items():
            self._grids[name] = array("f", [weight * share for weight in grid])
        for own in self._own.values():
            own.weights = array("f", [weight * share for weight in own.weights])
        self._unit_age_s = self._age_s

    # -- forgetting ----------------------------------------------------------------------------------------------------------

    def moved(self, place: str) -> bool:
        """The camera's view or the floor's marking are those of `place`: what rests on others is forgotten. Whether it was so."""
        if place == self._place:
            return False
        for name in FROM_FLOOR & self._measures.keys():
            measure = self._measures[name]
            self._grids[name] = _zeros((1 + CELLS) * measure.bins)
            start = self._start_of(measure)
            for own in self._own.values():
                own.weights[start : start + measure.bins] = _zeros(measure.bins)
        self._place = place
        self._changed()
        return True

    def forget(self, norm_key: str) -> bool:
        """A cardholder has withdrawn: whether there was something to forget. Their share in the door's counts cannot be told apart."""
        known = self._own.pop(norm_key, None) is not None
        if known:
            self._changed()
        return known

    def _changed(self) -> None:
        self._changes += 1
        self._judged.clear()

    def _forget_old(self) -> None:
        old = [key for key, own in self._own.items() if self._age_s - own.age_s > FORGET_AFTER_S]
        for key in old:
            del self._own[key]

    # -- other doors ---------------------------------------------------------------------------------------------------------

    def export(self) -> dict[str, Sparse]:
        """What the door shows at all hours, for doors like it; nothing of cardholders, nothing emotional."""
        unit, told = self._unit, {name: measure for name, measure in self._measures.items() if not KINDS[name].emotional}
        rows = {name: [weight / unit for weight in self._row(measure, 0)] for name, measure in told.items()}
        return {name: Sketch(self._measures[name].scale, row).encode() for name, row in rows.items() if sum(row) > 0.0}

    def prior(self, similar: Mapping[str, Sparse]) -> None:
        """What doors like this one show; replaces what was told before. Raises NormsError for what is none; then nothing is replaced."""
        read = {name: _read_similar(self._measures[name], sparse) for name, sparse in similar.items() if name in self._measures}
        self._similar = {name: row for name, row in read.items() if row}
        self._changed()

    # -- keeping -------------------------------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """All of it, to be kept over a restart; who came today is left out."""
        similar = {name: Sketch(self._measures[name].scale, row).encode() for name, row in self._similar.items()}
        # By key and to the day: who came before whom is nobody's business
        own = {key: (own.age_s // DAY_S * DAY_S, own.weights.tobytes()) for key, own in sorted(self._own.items())}
        kinds = {name: (self._measures[name].scale, grid.tobytes()) for name, grid in self._grids.items()}
        written = _Written(
            self._place, self._age_s, self._unit_age_s, self._latest_s, self._visits, kinds, tuple(self._measures), own, similar
        )
        body = zlib.compress(msgspec.msgpack.encode(written), 1)
        return MAGIC + _digest(body) + body

    @classmethod
    def decode(cls, raw: bytes, *, emotional: bool = False, cardholders: bool = False) -> Norms:
        """What was kept. What the settings no longer allow is left out, and what another program counted otherwise. Raises NormsError."""
        written = _read(raw)
        norms = cls(written.place, emotional=emotional, cardholders=cardholders)
        norms._age_s, norms._unit_age_s, norms._latest_s = written.age_s, written.unit_age_s, written.latest_s
        norms._visits = written.visits
        for name, measure in norms._measures.items():
            scale, weights = written.kinds.get(name, (None, b""))
            if scale == measure.scale:
                norms._grids[name] = _weights(weights, (1 + CELLS) * measure.bins)
        if cardholders and written.order == tuple(norms._measures):
            own = {key: _own(norms._measures, *each) for key, each in written.own.items()}
            norms._own = dict(sorted(own.items(), key=lambda each: each[1].age_s))
        norms.prior(written.similar)
        kept = {*norms._own, *norms._measures}
        norms._changes = int(not {*written.own, *written.kinds} <= kept)  # what was left out is to leave the disk too
        return norms


# -- inside --------------------------------------------------------------------------------------------------------------------


def _p_by_bin(near: Row, door: Row, per_unit: float, odd_is_high: bool) -> list[float]:
    beyond = as_much if odd_is_high else as_little
    judging = beyond(near)
    whole = max(judging[0], judging[-1])
    p = [(1 + k) / (1 + whole) for k in judging]
    odd = range(bisect_left(judging, -1.0, key=neg), len(p)) if odd_is_high else range(bisect_left(judging, 1.0) - 1, -1, -1)
    return _told_apart(p, odd, [1 + per_unit * k for k in beyond(door)], whole) if odd else p


def _told_apart(p: list[float], odd: range, door: Sequence[float], whole: float) -> list[float]:
    """`odd`: the bins that the judging visits have less than one in, or beyond; `door`: 1 + visits to the door there or beyond."""
    at_u, least = door[odd[0]], 1 / (1 + max(whole, *door))
    for number in odd:
        p[number] = max(least, p[number] * door[number] / at_u)
    return p


def _cell(wall: datetime) -> int | None:
    if wall.tzinfo is None:
        raise ValueError(f"{wall}: a moment needs a time zone")
    return wall.weekday() * 24 + wall.hour if wall.year >= EARLIEST_YEAR else None


def _neighbours(cell: int) -> tuple[int, ...]:
    """The hours before and after, and the same hour of the other days."""
    return ((cell - 1) % CELLS, (cell + 1) % CELLS, *((cell + 24 * days) % CELLS for days in range(1, 7)))


def _utc_s(wall: datetime) -> float:
    """Seconds that pass evenly, whatever clocks are put forward in spring."""
    if wall.tzinfo is None:
        raise ValueError(f"{wall}: a moment needs a time zone")
    return wall.timestamp()


def _sum(rows: Sequence[Row]) -> Row:
    held = [row for row in rows if any(row)]  # at night most hold nothing
    return reduce(lambda one, other: list(map(add, one, other)), held) if held else rows[0]


def _zeros(count: int) -> array[float]:
    return array("f", bytes(4 * count))


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()


def _read(raw: bytes) -> _Written:
    start = len(MAGIC) + _DIGEST_BYTES
    if not raw.startswith(MAGIC):
        raise NormsError("is damaged, or no norms of this program's format 1")
    body = raw[start:]
    if _digest(body) != raw[len(MAGIC) : start]:
        raise NormsError("is damaged: what it holds is not what was written")
    try:
        whole = zlib.decompressobj().decompress(body, _MOST_BYTES)
        written = msgspec.msgpack.decode(whole, type=_Written)
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NormsError(f"is damaged: {error}") from error
    times = (written.age_s, written.unit_age_s, written.latest_s or 0.0)
    if not all(map(math.isfinite, times)) or not 0.0 <= written.age_s - written.unit_age_s <= 100 * HALF_LIFE_S:
        raise NormsError(f"is damaged: times {times}")
    return written


def _weights(raw: bytes, count: int) -> array[float]:
    if len(raw) != 4 * count:
        raise NormsError(f"is damaged: {len(raw)} bytes of weights, not {4 * count}")
    weights = array("f", raw)
    if not (min(weights) >= 0.0 and math.isfinite(sum(weights))):
        raise NormsError("is damaged: weights that are no numbers from 0 on")
    return weights


def _own(known: Mapping[str, Measure], age_s: float, raw: bytes) -> _Own:
    return _Own(_weights(raw, sum(measure.bins for measure in known.values())), age_s)


def _read_similar(measure: Measure, sparse: Sparse) -> list[float]:
    """Scaled to what other doors may weigh at most; empty when it was counted on another scale."""
    if sparse.scale != measure.scale:
        return []
    try:
        sketch = Sketch.decode(sparse)
    except ValueError as error:
        raise NormsError(f"{measure.name}: {error}") from error
    share = min(1.0, SIMILAR_WORTH / sketch.total) if sketch.total > 0.0 else 0.0
    return [weight * share for weight in sketch.weights] if share else []
