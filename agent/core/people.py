"""Cardholders and their credentials, and where a door looks them up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct

Moment = Annotated[datetime, Meta(tz=True)]
"""A point in time. Without a zone it could not be compared with now, so rules that hold such a one are not read at all."""


class Cardholder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person to whom credentials are issued. Names stay at the centre: a door needs none."""

    id: str
    profiles: tuple[str, ...] = ()
    templates: tuple[bytes, ...] = ()
    """Unit-length float32 little-endian embeddings; opened from their seal in memory only."""
    embedder_id: str = ""
    """Which network made the templates; those of another network cannot be compared."""
    extended_opening: bool = False
    suspended: bool = False
    visitor: bool = False
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    """A visitor's badge, and everybody's contract, ends by itself."""
    passes_lockdown: bool = False
    """Named by the site: the few who may still pass while a door is locked down."""
    free_of_passback: bool = False
    pin: str = ""
    """Digits to enter where a profile asks for them; sealed like a template."""
    duress_pin: str = ""
    """Opens as the PIN does, and tells the guards without a sign at the door."""
    norms_consent: bool = False
    """Has agreed that doors keep what is usual of them, beside what is usual of everybody (docs/PRIVACY.md)."""


class Credential(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fob, card or number issued to one cardholder."""

    key: str
    cardholder: str
    state: Literal["active", "lost", "stolen", "revoked"] = "active"
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    duress: bool = False
    """A fob kept for the day somebody is forced to open: it opens, and tells the guards without a sign at the door."""


class Known(Struct, frozen=True):
    """A credential and whose it is."""

    credential: Credential
    cardholder: Cardholder


class Issued(Struct, frozen=True):
    """A cardholder with everything that was issued to them: what bundles are made of, one after the other."""

    cardholder: Cardholder
    credentials: tuple[Credential, ...]


class Directory(Protocol):
    """Where a door looks credentials up; from a handful to a quarter of a million of them."""

    def find(self, key: str) -> Known | None:
        """The credential of that name with its cardholder; None when nobody here has it. Takes microseconds, never a disk's time."""
        ...

    def __len__(self) -> int:
        """How many credentials there are."""
        ...


class Roll:
    """A directory in memory, for few people; goes through them cardholder by cardholder.

    Raises ValueError for a credential whose cardholder is not on it, and for a credential or a cardholder that is on it twice.
    """

    def __init__(self, cardholders: Iterable[Cardholder] = (), credentials: Iterable[Credential] = ()) -> None:
        self._holders: dict[str, Cardholder] = {}
        self._known: dict[str, Known] = {}
        for holder in cardholders:
            if holder.id in self._holders:
                raise ValueError(f"cardholder {holder.id!r} is here twice")
            self._holders[holder.id] = holder
        for credential in credentials:
            self._add(credential)

    def _add(self, credential: Credential) -> None:
        holder = self._holders.get(credential.cardholder)
        if holder is None:
            raise ValueError(f"credential {credential.key!r} belongs to cardholder {credential.cardholder!r}, who is not here")
        if credential.key in self._known:
            raise ValueError(f"credential {credential.key!r} is here twice")
        self._known[credential.key] = Known(credential, holder)

    def find(self, key: str) -> Known | None:
        return self._known.get(key)

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Issued]:
        issued: dict[str, list[Credential]] = {holder: [] for holder in self._holders}
        for known in self._known.values():
            issued[known.cardholder.id].append(known.credential)
        return (Issued(self._holders[holder], tuple(credentials)) for holder, credentials in issued.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Roll) and (self._holders, self._known) == (other._holders, other._known)

    __hash__ = None  # type: ignore[assignment]
