"""Signals for a person -> commands to the light, sounder and display of an OSDP reader.

The reader itself repeats one on-off pair, in steps of 100 ms. A rhythm of more parts is played from here, a command for each part.
Colours and units: IEC 60839-11-5, osdp_LED, osdp_BUZ and osdp_TEXT.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from agent.core.feedback import Signal

COLOURS = {"off": 0, "red": 1, "green": 2, "amber": 3, "blue": 4}
BLACK = COLOURS["off"]
STEP_S = 0.1
MOST_STEPS = 255
COLUMNS = 16
LONGEST_TEXT = 32


class Led(Struct, frozen=True, tag="led"):
    """From now on: `on` steps of the colour, `off` steps dark; steady when `off` is 0."""

    colour: int
    on: int
    off: int


class Buzzer(Struct, frozen=True, tag="buzzer"):
    """`times` times `on` steps of sound and `off` steps of silence; times 0: for ever; on 0: silence now."""

    on: int
    off: int
    times: int


class Text(Struct, frozen=True, tag="text"):
    """ASCII, at most 32 characters: the second line begins with the 17th."""

    text: str


Shown = Led | Buzzer | Text


def steps(seconds: float) -> int:
    """At least one: what is on shall be seen and heard."""
    return min(MOST_STEPS, max(1, round(seconds / STEP_S)))


def pause_steps(seconds: float) -> int:
    return steps(seconds) if seconds > 0 else 0


def display_text(text: str) -> str:
    """Letters that a reader's display has: accents fall away, lines are filled up to sixteen characters."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return "".join(line[:COLUMNS].ljust(COLUMNS) for line in plain.split("\n"))[:LONGEST_TEXT].rstrip()


class Player:
    """Turns one signal after the other into commands. Time is passed in; a late call skips what is over."""

    def __init__(self) -> None:
        self._colour = BLACK
        self._light = self._sound = _Track((), 0, 0.0)

    def show(self, signal: Signal, now_s: float) -> list[Shown]:
        """What to send at once. `tick` gives the rest, when `due_s` says so."""
        self._colour = COLOURS[signal.colour]
        self._light = _Track(signal.light_s if _has_rhythm(signal.light_s) else (), 0, now_s)
        self._sound = _Track(signal.sound_s if _has_rhythm(signal.sound_s) else (), signal.repeats, now_s)
        first: list[Shown] = [] if _has_rhythm(signal.light_s) else [_steady(self._colour, signal.light_s)]
        first += [Buzzer(0, 0, 0)] if not signal.sound_s else []
        first += [_beeps(signal)] if signal.sound_s and not _has_rhythm(signal.sound_s) else []
        return first + self.tick(now_s) + [Text(display_text(signal.text))]

    @property
    def due_s(self) -> float:
        return min(self._light.due_s, self._sound.due_s)

    def tick(self, now_s: float) -> list[Shown]:
        found: list[Shown] = []
        if (part := self._light.part(now_s)) is not None:
            found.append(Led(self._colour if part[0] else BLACK, 1, 0))
        if (part := self._sound.part(now_s)) is not None and part[0]:
            found.append(Buzzer(steps(part[1]), 0, 1))
        return found


def _has_rhythm(pattern_s: tuple[float, ...]) -> bool:
    return len(pattern_s) > 2


def _steady(colour: int, light_s: tuple[float, ...]) -> Led:
    if not light_s or light_s[0] <= 0:
        return Led(BLACK, 1, 0)
    return Led(colour, steps(light_s[0]), pause_steps(light_s[1]) if len(light_s) > 1 else 0)


def _beeps(signal: Signal) -> Buzzer:
    off_s = signal.sound_s[1] if len(signal.sound_s) > 1 else 0.0
    return Buzzer(steps(signal.sound_s[0]), pause_steps(off_s), min(MOST_STEPS, signal.repeats))


class _Track:
    """The parts of a rhythm in time."""

    def __init__(self, pattern_s: tuple[float, ...], repeats: int, start_s: float) -> None:
        self._parts = _parts(pattern_s, repeats, start_s)
        self._next = next(self._parts, None)

    @property
    def due_s(self) -> float:
        return self._next[0] if self._next else float("inf")

    def part(self, now_s: float) -> tuple[bool, float] | None:
        """Whether the part that has begun by `now_s` is on, and how long it lasts; None when none has begun since the last call."""
        found = None
        while self._next is not None and self._next[0] <= now_s:
            found, self._next = self._next, next(self._parts, None)
        return found[1:] if found else None


def _parts(pattern_s: tuple[float, ...], repeats: int, start_s: float) -> Iterator[tuple[float, bool, float]]:
    """When each part begins, whether it is on, its length; for ever when `repeats` is 0."""
    played = 0
    while sum(pattern_s) > 0 and (not repeats or played < repeats):
        for number, length_s in enumerate(pattern_s):
            if length_s > 0:
                yield start_s, number % 2 == 0, length_s
            start_s += length_s
        played += 1
