"""What a driver must do, device or simulator. Small on purpose: a new device is a file with three or four methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from agent.core.feedback import Signal
from agent.core.messages import ReaderNews

Pixels = NDArray[np.uint8]


class Frame(NamedTuple):
    """One picture. `pixels` is height x width x 3, BGR (OpenCV's order), read-only by agreement; `taken_s` is CLOCK_MONOTONIC."""

    pixels: Pixels
    taken_s: float


class Camera(Protocol):
    """Gives frames, newest first: a frame that waited in a queue is worth less than none."""

    @property
    def name(self) -> str: ...

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame not yet given, or None when none came in time. Raises CameraError when the device is gone."""
        ...

    def close(self) -> None: ...


class Lock(Protocol):
    """An output with a dead man's hand: it can be asked to let go for a while, never for good."""

    def pulse(self, seconds: float) -> None:
        """Release the door now for `seconds`; a longer pulse under way is not shortened."""
        ...

    def secure(self) -> None:
        """End a pulse now: the door is held again."""
        ...

    def close(self) -> None:
        """Safe state (coil without power) and no further pulses."""
        ...

    def hung(self) -> str:
        """What does not move in it and would after a new start, in words; '' when all does. Never waits."""
        ...

    @property
    def released(self) -> bool: ...


class WiegandLines(Protocol):
    """The two data lines of a reader."""

    def start(self, on_edge: Callable[[int, float], None], on_lost: Callable[[float], None]) -> None:
        """Call `on_edge(bit, at_s)` for each falling edge: bit 0 for D0, 1 for D1. May be called from another thread.

        `on_lost(at_s)`, in its place among the edges, says that edges were lost before `at_s`: neither the frame around it nor
        the next may be believed. A driver that cannot notice never calls it.
        """
        ...

    def heard_until_s(self, now_s: float) -> float:
        """The time up to which every edge has been handed on: `now_s`, or earlier while some still wait in the kernel.

        Ask it first, then take what was handed on, then believe in the silence.
        """
        ...

    def hung(self) -> str:
        """What does not move in it and would after a new start, in words; '' when all does. Never waits."""
        ...

    def close(self) -> None: ...


class Reader(Protocol):
    """A reader that frames for itself: serial or OSDP. It looks after its own wire and comes back by itself after being unplugged."""

    @property
    def name(self) -> str: ...

    def start(self, tell: Callable[[ReaderNews], None]) -> None:
        """Begin to listen; `tell` is called from a thread of the reader. Does not raise for a device that is not there yet: that is
        a ReaderStatus."""
        ...

    def show(self, signal: Signal) -> None:
        """Light and sound on the reader itself, where it has them. Never waits, never raises."""
        ...

    def hung(self) -> str:
        """What does not move in it and would after a new start, in words; '' when all does. Never waits."""
        ...

    def close(self) -> None: ...


class Signaller(Protocol):
    """Light, sound or text for the person at the door."""

    def show(self, signal: Signal) -> None:
        """Show this from now on. Never waits, never raises."""
        ...

    def close(self) -> None: ...


class DoorInputs(Protocol):
    """Door contact, request to exit, fire release, tamper: levels with a name. Debouncing is the caller's (agent.core.debounce)."""

    def start(self, on_change: Callable[[str, bool, float], None]) -> None:
        """Call `on_change(name, active, at_s)` once per input with its present level, then on each edge, from any thread."""
        ...

    def look(self) -> None:
        """Call it once more per input with its present level: an edge may have been lost."""
        ...

    def hung(self) -> str:
        """What does not move in it and would after a new start, in words; '' when all does. Never waits."""
        ...

    def close(self) -> None: ...
