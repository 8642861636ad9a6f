"""What is told while a bundle is made: on standard error, so that --json has standard output for itself."""

from __future__ import annotations

import sys
from typing import TextIO

BAR = 25


def human(size_b: int) -> str:
    """As disks are sold: thousands, not 1024s."""
    return f"{size_b / 1e6:.1f} MB" if size_b >= 1e6 else f"{size_b / 1e3:.1f} kB"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Progress:
    """A bar where somebody looks; where nobody does, a line at the beginning and one at the end."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out = out
        self._files, self._size_b = 0, 0
        self._done, self._done_b = 0, 0

    def start(self, files: int, size_b: int) -> None:
        self._files, self._size_b, self._done, self._done_b = files, size_b, 0, 0
        if files:
            say(f"   {files} wheels to download, {human(size_b)}")

    def at(self, file: str) -> None:
        self._draw(file)

    def got(self, size_b: int) -> None:
        self._done, self._done_b = self._done + 1, self._done_b + size_b

    def end(self) -> None:
        if self._files:
            self._draw("")
            print(file=self._out, flush=True)

    def _draw(self, file: str) -> None:
        share = self._done_b / self._size_b
        line = f"   [{'#' * round(share * BAR):<{BAR}}] {self._done}/{self._files}  {human(self._done_b):>8}  {file[:48]}"
        if self._out.isatty():
            print(f"\r{line:<110}", end="", file=self._out, flush=True)
        elif not file:
            print(line, end="", file=self._out, flush=True)
