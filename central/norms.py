"""What doors like a door show, from the long history of all: the centre's word to each, signed.

Who is like whom is told by the site: doors of one kind ("office", "loading dock"). What a door itself told before counts too, so one whose
disk was replaced does not begin with nothing. A single other door is never passed on alone: it would be that door's habits and nobody else's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from nacl.signing import SigningKey

from agent.behaviour.sketch import Scale, Sketch, Sparse, scale_of
from agent.clock import Clock
from agent.core.evidence import KINDS
from agent.core.norms_word import MOST_BYTES, CentreWord, DoorNorms
from agent.errors import WireError
from agent.link.session import Say
from agent.records.norms_post import MAGIC, SignedWord
from central.norms_store import DoorKey, NormsStore

log = logging.getLogger(__name__)

HISTORY_DAYS = 365
MONTH_DAYS = 28
"""Of each so many days a door's last word counts: what it tells is a decaying memory of weeks already."""
LEAST_OTHERS = 2
MOST_VISITS = 1000.0
"""A busy door weighs no more than this many visits beside others."""
TELL_EVERY_S = 86400.0
LOOK_EVERY_S = 60.0

Kinds = dict[str, Sparse]


class Prior(Struct, frozen=True):
    """Counts of doors alike, and how many doors they are of."""

    doors: int
    kinds: Kinds


def kinds_in(told: DoorNorms) -> dict[str, Sketch]:
    """What a door has told, by kind. Raises WireError for counts that are none; leaves out what this program does not know."""
    try:
        sparse = msgspec.json.decode(told.kinds, type=Kinds)
        return {name: Sketch.decode(each) for name, each in sparse.items() if each.scale == _scale(name)}
    except (msgspec.MsgspecError, ValueError) as error:
        raise WireError(f"norms: {error}") from error


def _scale(name: str) -> Scale | None:
    kind = KINDS.get(name)
    return scale_of(kind.unit) if kind is not None and not kind.emotional else None


def merged(doors: Iterable[Sequence[Mapping[str, Sketch]]]) -> Prior:
    """One histogram a kind, from each door's words over the months: months of a door weigh alike, doors by their visits up to MOST_VISITS."""
    whole: dict[str, Sketch] = {}
    number = 0
    for months in doors:
        number += bool(months)
        for name in sorted({name for month in months for name in month}):
            known = [month[name] for month in months if name in month and month[name].total > 0.0]
            weight = min(MOST_VISITS, max((sketch.total for sketch in known), default=0.0))
            for sketch in known:
                whole.setdefault(name, Sketch(sketch.scale, [0.0] * sketch.scale.bins)).merge(
                    sketch, weight / sketch.total / len(known)
                )
    return Prior(number, {name: sketch.encode() for name, sketch in whole.items()})


def by_month(history: Sequence[DoorNorms]) -> list[DoorNorms]:
    """The last word of each MONTH_DAYS, counted back from the newest."""
    kept: list[DoorNorms] = []
    for told in reversed(history):
        if not kept or kept[-1].made - told.made >= timedelta(days=MONTH_DAYS):
            kept.append(told)
    return kept


def prior_for(door: DoorKey, alike: Iterable[DoorKey], store: NormsStore, now: datetime) -> Prior:
    """What doors like this one show, with what it has told itself; nothing where that would be one other door alone."""
    since = now - timedelta(days=HISTORY_DAYS)
    others = [words for other in sorted(set(alike) - {door}) if (words := _words(store, other, since))]
    return merged([_words(store, door, since), *(others if len(others) >= LEAST_OTHERS else [])])


def _words(store: NormsStore, door: DoorKey, since: datetime) -> list[dict[str, Sketch]]:
    return [kinds_in(told) for told in by_month(store.history(door, since))]


def signed_word(door: DoorKey, prior: Prior, withdrawn: Sequence[str], key: SigningKey, made: datetime) -> bytes:
    """What goes on the wire. `withdrawn`: ids of cardholders who no longer agree to norms of their own, all of the last year."""
    kinds = msgspec.Raw(msgspec.json.encode(prior.kinds))
    word = msgspec.json.encode(
        CentreWord(site=door.site, door=door.door, made=made, doors=prior.doors, kinds=kinds, withdrawn=tuple(withdrawn))
    )
    return msgspec.json.encode(SignedWord(word, key.sign(MAGIC + word).signature))


class NormsDesk:
    """Takes what doors tell and tells each what doors like it show. A handler of agent.link.session, in one thread.

    `kinds` says which doors are alike; `withdrawn` whose norms are to be forgotten everywhere: asked at every turn, and told at once.
    """

    def __init__(self, store: NormsStore, key: SigningKey, clock: Clock, kinds: Mapping[DoorKey, str],
                 withdrawn: Callable[[], Sequence[str]] = tuple) -> None:  # fmt: skip
        self._store, self._key, self._clock, self._kinds, self._withdrawn = store, key, clock, kinds, withdrawn
        self._due_s: float | None = None
        self._told: tuple[str, ...] = ()
        self.unreadable = 0

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/+/+/state/norms")

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        """A door's norms. What is none is counted and left."""
        _, site, door, *_ = topic.split("/")
        try:
            told = told_in(payload)
            kinds_in(told)
        except WireError as error:
            self.unreadable += 1
            log.warning("norms unreadable site=%s door=%s error=%s", site, door, error)
            return
        self._store.take(DoorKey(site, door), told, self._clock.wall())

    def turn(self, say: Say, now_s: float) -> float:
        """A word to each door, once a day and when somebody has withdrawn."""
        withdrawn = tuple(self._withdrawn())
        if self._due_s is None:
            self._due_s = now_s + LOOK_EVERY_S  # what doors have said, retained, comes first
        if now_s >= self._due_s or withdrawn != self._told:
            self._due_s, self._told = now_s + TELL_EVERY_S, withdrawn
            for door in sorted({*self._kinds, *self._store.doors()}):
                self._tell(say, door)
        return min(LOOK_EVERY_S, self._due_s - now_s)

    def leaving(self, say: Say) -> None:
        """Nothing is owed."""

    def _tell(self, say: Say, door: DoorKey) -> None:
        now = self._clock.wall()
        mine = self._kinds.get(door)
        alike = [other for other, kind in self._kinds.items() if kind == mine]
        word = signed_word(door, prior_for(door, alike, self._store, now), self._told, self._key, now)
        say.publish(f"doorward/{door.site}/{door.door}/norms/prior", word, retain=True)


class _State(Struct, frozen=True):
    value: DoorNorms


def told_in(payload: bytes) -> DoorNorms:
    """What a door says on `state/norms`. Raises WireError."""
    if len(payload) > MOST_BYTES:
        raise WireError(f"{len(payload)} bytes of norms; at most {MOST_BYTES}")
    try:
        return msgspec.json.decode(payload, type=_State).value
    except (msgspec.MsgspecError, RecursionError) as error:
        raise WireError(f"norms: {error}") from error
