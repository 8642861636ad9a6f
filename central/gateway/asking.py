"""What an endpoint is: a function from a question to an answer. It knows no web server; every room brings its own list of them.

The gateway finds the caller, checks role, size and form, calls `work` in a thread, and puts changes on record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from agent.errors import DoorwardError

Role = Literal["guard", "manager", "installer", "privacy", "auditor"]
ROLES: tuple[Role, ...] = ("guard", "manager", "installer", "privacy", "auditor")
EVERYBODY: frozenset[Role] = frozenset(ROLES)

_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)

T = TypeVar("T")


class Unfit(DoorwardError, ValueError):
    """A request that is not carried out: HTTP status, a word for programs, and a sentence that says what, where and what is allowed.

    `field`: of the request's body, where the sentence is about one; a page shows it beside that field.
    """

    def __init__(self, status: int, code: str, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence, self.field = status, code, sentence, field


class Caller(Struct, frozen=True):
    """Who asks."""

    account: str
    """The account's name; also the level USER in command topics, so of a-z, 0-9, _ and -."""
    role: Role
    name: str = ""
    """As people call them."""
    sites: tuple[str, ...] = ()
    """The only sites that they may see; empty: all."""

    def sees(self, site: str) -> bool:
        """Whether anything of this site may be shown to them. Every endpoint that tells of sites filters by it."""
        return not self.sites or site in self.sites


class Ask(Struct, frozen=True, kw_only=True):
    """One request."""

    caller: Caller
    now: datetime
    path: Mapping[str, str] = {}
    """The {words} of the endpoint's path."""
    query: Mapping[str, str] = {}
    body: bytes = b""
    content_type: str = ""

    def json(self, kind: type[T]) -> T:
        """The body as `kind`, strictly. Raises Unfit."""
        try:
            return msgspec.json.decode(self.body, type=kind, strict=True)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unfit(400, "malformed", f"the request's body: {error}") from error

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number of the query. Raises Unfit."""
        told = self.query.get(key, str(default))
        if not _WHOLE.fullmatch(told) or not least <= int(told) <= most:
            raise Unfit(400, "malformed", f"{key}={told[:40]!r}: a whole number from {least} to {most} is allowed")
        return int(told)


class Reply(Struct, frozen=True, kw_only=True):
    """An answer that is not JSON, or not 200."""

    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200
    file_name: str = ""
    """Not empty: the browser saves it under this name."""
    cache: str = "no-store"


class Endpoint(Struct, frozen=True, kw_only=True):
    """One thing that can be asked. `work` returns a Struct, dict, list or None, told as JSON, or a Reply; it raises Unfit."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    """Below /api, as `/people/{id}`."""
    allowed: frozenset[Role]
    work: Callable[[Ask], Any]
    max_bytes: int = 64 * 1024
    recorded: bool | None = None
    """Whether it goes into the audit log; None: whatever is no GET does."""
    waits: bool = False
    """It may wait for a door or another machine: it gets a thread of those that may be kept, so that nothing else has to wait for one."""
