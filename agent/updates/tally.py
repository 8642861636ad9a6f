"""Models beside those in force: what both make of the same picture of somebody who holds a fob, as counts. Nothing of a person is kept.

Of the loop's thread, but for `aim` and `counts`. Compared is one picture with the same template, by the networks in force and by those
beside, each at its own threshold for the site's false match rate: so what is told apart is the networks, and not how many pictures each had.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from agent.core.access import Access
from agent.core.identity import cosine
from agent.core.messages import ShadowSeen
from agent.files import write_whole

log = logging.getLogger(__name__)

FILE = "compared.json"
MOST_TRACKS = 16
FRESH_S = 3.0
"""A picture this old says nothing of who holds a fob now."""
_Count = Annotated[int, Meta(ge=0)]


class Counts(Struct, frozen=True, kw_only=True):
    """What was counted since these models began to run beside. Sums are divided by whoever shows them."""

    number: int = 0
    since: datetime | None = None
    pictures: _Count = 0
    """Faces that both looked at"""
    lost: _Count = 0
    """and that those beside did not find, or did not think clear enough."""
    before_ms: float = 0.0
    after_ms: float = 0.0
    """Sums over those pictures: finding landmarks and embedding."""
    both: _Count = 0
    only_before: _Count = 0
    only_after: _Count = 0
    neither: _Count = 0
    """Fobs held up, by who took the face for their owner's: both, only the models in force, only those beside, neither."""
    margin_before: float = 0.0
    margin_after: float = 0.0
    """Sums of cosine less threshold, over all four."""


_COUNTS = msgspec.json.Decoder(Counts)


class ShadowTally:
    """`aim` says what runs beside; `seen` and `held_up` count."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._counts = self._saved = _load(file)
        self._threshold = 1.0
        self._pictures: dict[int, ShadowSeen] = {}

    @property
    def counts(self) -> Counts | None:
        """None while nothing runs beside."""
        return self._counts if self._counts.number else None

    def aim(self, number: int, threshold: float, now: datetime) -> None:
        """These models run beside from now on; 0: none. Another number begins at nothing."""
        self._threshold = threshold
        if number != self._counts.number:
            self._counts = Counts(number=number, since=now if number else None)

    def save(self) -> None:
        """Raises OSError. Not of the loop's thread."""
        if self._counts is not self._saved:
            counts = self._counts
            write_whole(self._file, msgspec.json.encode(counts))
            self._saved = counts

    def seen(self, picture: ShadowSeen) -> None:
        """Vision has looked at a face with both."""
        counts = self._counts
        if picture.number != counts.number or not (picture.before_ms >= 0 and picture.after_ms >= 0):
            return
        self._counts = replace(
            counts, pictures=counts.pictures + 1, lost=counts.lost + (not picture.after), before_ms=counts.before_ms + picture.before_ms,
            after_ms=counts.after_ms + picture.after_ms,
        )  # fmt: skip
        self._pictures[picture.track] = picture
        while len(self._pictures) > MOST_TRACKS:
            del self._pictures[next(iter(self._pictures))]

    def held_up(self, access: Access, track: int | None, embedder_id: str, threshold: float, now_s: float) -> None:
        """A fob was answered, with this face before it. A picture counts once."""
        picture = self._pictures.pop(track, None) if track is not None else None
        holder = access.cardholder
        if (
            picture is None
            or holder is None
            or not holder.templates
            or holder.embedder_id != embedder_id
            or now_s - picture.at_s > FRESH_S
        ):
            return
        before, after = (max(cosine(template, seen) for template in holder.templates) for seen in (picture.before, picture.after))
        self._counts = _with(self._counts, before - threshold, after - self._threshold)


def _with(counts: Counts, before: float, after: float) -> Counts:
    yes_before, yes_after = before >= 0, after >= 0
    return replace(
        counts,
        both=counts.both + (yes_before and yes_after),
        only_before=counts.only_before + (yes_before and not yes_after),
        only_after=counts.only_after + (yes_after and not yes_before),
        neither=counts.neither + (not yes_before and not yes_after),
        margin_before=counts.margin_before + before,
        margin_after=counts.margin_after + after,
    )


def _load(file: Path) -> Counts:
    try:
        return _COUNTS.decode(file.read_bytes())
    except FileNotFoundError:
        return Counts()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.error("updates counts path=%s begin anew error=%s", file, error)
        return Counts()
