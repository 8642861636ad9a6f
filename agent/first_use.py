"""Every type that is decoded anywhere, made ready while one thread runs.

msgspec (0.22) looks into a type when it is decoded for the first time; two threads that do so at the same moment with the same type kill the
whole program with SIGSEGV. So a program of many threads calls `ready` before it starts them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct


def ready() -> int:
    """How many types there are. Those of modules that are loaded later are looked at when it is called again; it takes milliseconds."""
    count = 0
    for kind in {*_below(Struct)}:
        with contextlib.suppress(TypeError, NameError, AttributeError):  # a type that cannot be decoded never is
            msgspec.json.Decoder(kind)
            count += 1
    return count


def _below(kind: type[Struct]) -> Iterator[type[Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
