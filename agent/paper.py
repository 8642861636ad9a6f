"""Words for people on a terminal: ink where it shows colour, lines of a readable width."""

from __future__ import annotations

import os
import textwrap
from typing import TextIO

WIDTH = 96


class Paper:
    """Writes to one stream. NO_COLOR and FORCE_COLOR are obeyed (no-color.org)."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.alive = stream.isatty()
        """Whether a line can be written over."""
        shows = self.alive and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")
        self._passing = False
        self._colour = shows or bool(os.environ.get("FORCE_COLOR"))
        self.width = min(WIDTH, _columns(stream)) if self.alive else WIDTH
        """Columns that lines are wrapped at: a telephone's terminal is narrow."""

    def ink(self, code: str, text: str) -> str:
        """`code` as in SGR, e.g. '31;1'."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def line(self, text: str = "") -> None:
        self.clear()
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def ask(self, text: str) -> None:
        """A question; the answer is typed behind it."""
        self.clear()
        self.stream.write(f"{text} ")
        self.stream.flush()

    def wrapped(self, text: str, first: str, indent: int) -> None:
        """A paragraph behind `first`, whose further lines begin at column `indent`."""
        room = max(20, self.width - indent)
        for number, line in enumerate(textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False)):
            self.line((first if number == 0 else " " * indent) + line)

    def over(self, text: str) -> None:
        """A line that the next one takes the place of; nothing where that cannot be."""
        if self.alive:
            self.stream.write(f"\r\x1b[K{text}")
            self.stream.flush()
            self._passing = bool(text)

    def clear(self) -> None:
        """Wipes such a line away."""
        if self._passing:
            self.over("")


def _columns(stream: TextIO) -> int:
    """Of a terminal; WIDTH where it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or WIDTH
    except OSError:
        return WIDTH
