"""Every listed picture through the chain once; those that cannot be read are named, counted and passed over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import cv2
import numpy as np

from agent.evaluation.lists import ListError
from agent.progress import Progress
from hw.interfaces import Pixels

T = TypeVar("T")


class Looks(Protocol[T]):
    """Where what was seen is remembered, by the hash of the picture."""

    def get(self, picture: str) -> T | None: ...

    def put(self, picture: str, look: T) -> None: ...


@dataclass(frozen=True)
class Gathered(Generic[T]):
    """A look for each picture that could be read, and the others with the reason."""

    looks: dict[str, T]
    unreadable: dict[str, str]


class Unreadable(Exception):
    """A picture that is not there or is none."""


def gather(paths: Sequence[str], root: Path, look: Callable[[Pixels], T], memory: Looks[T], progress: Progress) -> Gathered[T]:
    """Raises ListError when not one of the pictures can be read: then `root` is wrong."""
    looks: dict[str, T] = {}
    unreadable: dict[str, str] = {}
    for path in paths:
        try:
            looks[path], worked = _look_at(root / path, look, memory)
        except Unreadable as cause:
            unreadable[path], worked = str(cause), False
            progress.note(f"{root / path}: left out, {cause}")
        progress.step(worked=worked)
    progress.finish()
    if not looks:
        raise ListError(f"{root}: none of the list's {len(paths)} pictures can be read below it; --root is the folder that the paths"
                        f" of the list begin at (first: {paths[0]})")  # fmt: skip
    return Gathered(looks, unreadable)


def read_picture(content: bytes) -> Pixels:
    """BGR. Raises Unreadable."""
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error as cause:
        raise Unreadable(f"no picture ({cause.err or cause})") from cause
    if pixels is None:
        raise Unreadable("no picture that OpenCV can read" if content else "an empty file")
    return np.asarray(pixels, np.uint8)


def _look_at(path: Path, look: Callable[[Pixels], T], memory: Looks[T]) -> tuple[T, bool]:
    """The look, and whether it had to be taken."""
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise Unreadable(cause.strerror or str(cause)) from cause
    name = hashlib.sha256(content).hexdigest()
    known = memory.get(name)
    if known is not None:
        return known, False
    taken = look(read_picture(content))
    memory.put(name, taken)
    return taken, True
