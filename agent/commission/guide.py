"""The person in front of a commissioning: the self-test's installer, who is asked for words too and is shown a picture as text."""

from __future__ import annotations

import select
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from agent.commission.answers import why_not
from agent.errors import ConfigError
from agent.selftest.installer import Installer
from agent.selftest.result import Result

TRIES = 3


class Guide(Installer):
    """`known`: answers that were given before, by key; they are said and not asked for."""

    def __init__(
        self, words: TextIO, machine: TextIO, answers: TextIO, *, json: bool, yes: bool, known: Mapping[str, str]
    ) -> None:
        super().__init__(words, machine, answers, json=json, yes=yes)
        self._known = known
        self._within = self._inner = 0
        self._drawn = 0

    @property
    def colour(self) -> bool:
        return self._ink("1", "") != ""

    @property
    def draws(self) -> bool:
        """Whether lines can be written over."""
        return self._paper.alive

    @property
    def width(self) -> int:
        return self._paper.width

    # -- a session -------------------------------------------------------------------------------------------------------------

    def opens(self, door: str, said: str) -> None:
        self._paper.line(self._ink("1", f"Commissioning of door {door}"))
        self.says(said)
        self.says("Ctrl-C ends it at any moment: the lock is left safe, and what is done is kept.")

    def says(self, text: str) -> None:
        self._paper.wrapped(text, "", 0)

    def notes(self, text: str) -> None:
        """Something to know, within a step."""
        self._paper.wrapped(text, "    ", 4)

    def commission_step(self, number: int, of: int, name: str, title: str) -> None:
        self._within, self._inner = number, 0
        super().step(number, of, name, title)

    def step(self, number: int, of: int, name: str, title: str) -> None:
        """A step of the self-test, within one of ours."""
        self._paper.line()
        self._inner += 1
        self._paper.line(self._ink("2", f"{f'{self._within}.{self._inner}':>6}  ") + self._ink("1", title))
        self._tell({"event": "step", "step": name, "title": title})

    def done(self, record: Mapping[str, Any]) -> None:
        """How a step of ours ended, for a script."""
        self._tell({"event": "done", **record})

    def closes(self, words: str, well: bool, files: Sequence[str]) -> None:
        self._paper.line()
        self._paper.wrapped(words, "", 0)
        for path in files:
            self._paper.line(f"  {path}")
        self._tell({"event": "end", "ok": well, "said": words, "files": list(files)})

    def result_of(self, result: Result) -> None:
        """A step of ours, told as the self-test tells its own; the script hears of it by `done`."""
        self._tells_not = True
        super().result(result)
        self._tells_not = False

    # -- questions -------------------------------------------------------------------------------------------------------------

    def ask_text(self, step: str, key: str, question: str, usual: str = "") -> str:
        """A line of text; Enter, or nobody, takes the usual one. Raises ConfigError when no answer will do."""
        if key in self._known:
            self.notes(f"{question} {self._known[key]} (from the answers file)")
            return self._known[key]
        for _ in range(TRIES):
            self._tell({"event": "ask", "step": step, "key": key, "ask": question, "usual": usual})
            answer = self._line(f"{question}{f' [{usual}]' if usual else ''}") or usual
            if not (why := why_not(answer)):
                return answer
            self.notes(f"{why}: once more")
        raise ConfigError(f"{question} {why}")

    def choose(self, step: str, key: str, question: str, words: Mapping[str, str], usual: str) -> str:
        """One of some words, or its first letter. Raises ConfigError when no answer will do."""
        for word, about in words.items():
            self._paper.wrapped(about, f"    {self._ink('36;1', word)}{' ' * (9 - len(word))}", 13)
        for _ in range(TRIES):
            answer = self.ask_text(step, key, question, usual).lower()
            found = [word for word in words if answer and word.startswith(answer)]
            if len(found) == 1:
                return found[0]
            if key in self._known:
                break
            self.notes(f"one of: {', '.join(words)}")
        raise ConfigError(f"{key}: {answer!r} is none of {', '.join(words)}")

    def agrees(self, step: str, key: str, question: str) -> bool:
        """Whether people agree to something that is about them. Nobody there: no."""
        if key in self._known:
            self.notes(f"{question} {self._known[key]} (from the answers file)")
            return self._known[key].lower() in ("y", "yes")
        return self.confirm(step, question) is True

    def again(self, step: str) -> bool:
        """Whether a step that found something is to be done once more. Nobody there: no."""
        question = "Mended it? Try it once more?"
        self._tell({"event": "ask", "step": step, "key": "again", "ask": question})
        return self._ask(f"{question} [y/N]") is True

    # -- a picture as text -----------------------------------------------------------------------------------------------------

    def draw(self, lines: Sequence[str]) -> None:
        """Lines in the place of those that were drawn last, where that can be."""
        if self._drawn:
            self._paper.stream.write(f"\x1b[{self._drawn}A")
        for line in lines:
            self._paper.stream.write(f"\r\x1b[K{line}\n")
        self._paper.stream.flush()
        self._drawn = len(lines)

    def advice(self, text: str, *, good: bool) -> list[str]:
        """Two lines to be drawn, also where one would do: what is below must not jump."""
        lines = [*textwrap.wrap(text, max(20, self.width - 5)), ""][:2]
        return [
            self._ink("32;1" if good else "33;1", f"{first}{line}") for first, line in zip(("  ➜ ", "    "), lines, strict=True)
        ]

    def over(self, text: str) -> None:
        """A line that the next one takes the place of."""
        self._paper.over(self._ink("33", f"    {text}"[: self.width - 1]))

    def drawn(self) -> None:
        """What was drawn last stays."""
        self._drawn = 0

    def sees(self, record: Mapping[str, Any]) -> None:
        """What the camera shows now, for a script."""
        self._tell({"event": "aim", **record})

    def has_pressed_enter(self) -> bool:
        """Whether a key was pressed meanwhile, at a terminal."""
        if not self._answers.isatty() or not select.select([self._answers], [], [], 0)[0]:
            return False
        self._answers.readline()
        return True

    # -- inside ----------------------------------------------------------------------------------------------------------------

    _tells_not = False

    def _tell(self, record: dict[str, Any]) -> None:
        if not self._tells_not:
            super()._tell(record)

    def _line(self, question: str) -> str:
        self._paper.ask(f"  {self._ink('36;1', '?')} {question}")
        answer = self._answers.readline()
        if not answer or not self._answers.isatty():
            self._paper.line()
        return answer.strip()
