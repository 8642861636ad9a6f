"""The person in front of a self-test: told what to do, asked for consent, shown what was found. A terminal or a script, one interface."""

from __future__ import annotations

from typing import Any, TextIO

import msgspec

from agent.paper import Paper
from agent.selftest.result import Fault, Result, Status

MARK: dict[Status, str] = {"ok": "✓", "fault": "✗", "unsure": "?", "skipped": "–", "absent": "·"}
INK: dict[Status, str] = {"ok": "32", "fault": "31;1", "unsure": "33", "skipped": "33", "absent": "2"}
WORD: dict[Status, str] = {"ok": "well", "fault": "fault", "unsure": "not known", "skipped": "left out", "absent": "not fitted"}


class Installer:
    """Words go to `words` (standard error); with `json` also one object a line to `machine` (standard output).

    `answers` are lines of y or n from a keyboard or a script; its end means that nobody answers.
    """

    def __init__(self, words: TextIO, machine: TextIO, answers: TextIO, *, json: bool, yes: bool) -> None:
        self._machine, self._answers = machine, answers
        self._json, self._yes = json, yes
        self._paper = Paper(words)
        self._ink = self._paper.ink

    # -- a self-test as a whole ------------------------------------------------------------------------------------------------

    def begins(self, door: str, steps: int) -> None:
        self._paper.line(
            self._ink("1", f"Self-test of door {door}")
            + self._ink("2", f"   {steps} steps; Ctrl-C ends it, the lock is left safe")
        )

    def ends(self, well: bool, findings: int, files: list[str]) -> None:
        words = "Everything is well." if well else f"{findings} finding{'s' if findings != 1 else ''}: see above."
        self._paper.line()
        self._paper.line(self._ink("32;1" if well else "31;1", words))
        for path in files:
            self._paper.line(self._ink("2", f"  report  {path}"))
        self._tell({"event": "report", "ok": well, "findings": findings, "files": files})

    # -- a step ----------------------------------------------------------------------------------------------------------------

    def step(self, number: int, of: int, name: str, title: str) -> None:
        self._paper.line()
        self._paper.line(self._ink("2", f"{number:>2}/{of}  ") + self._ink("1", title))
        self._tell({"event": "step", "step": name, "title": title, "number": number, "of": of})

    def do(self, name: str, text: str) -> None:
        """Something that the installer shall do now."""
        self._paper.wrapped(text, self._ink("36;1", "  ➜ "), 4)
        self._tell({"event": "do", "step": name, "do": text})

    def consent(self, name: str, question: str) -> bool:
        """Whether something that moves may be done. Nobody there: no."""
        self._tell({"event": "consent", "step": name, "ask": question, "given": self._yes})
        if self._yes:
            self._paper.wrapped(f"{question} (yes, by --yes)", "    ", 4)
            return True
        return self._ask(f"{question} [y/N]") is True

    def confirm(self, name: str, question: str) -> bool | None:
        """What the installer saw; None when nobody says."""
        self._tell({"event": "ask", "step": name, "ask": question})
        return self._ask(f"{question} [y/n, Enter: don't know]")

    def waiting(self, left_s: float) -> None:
        self._paper.over(self._ink("2", f"    waiting, {left_s:.0f} s left"))

    def result(self, result: Result) -> None:
        mark = self._ink(INK[result.status], f"  {MARK[result.status]} {WORD[result.status]}")
        if result.said:
            self._paper.wrapped(result.said, f"{mark}  ", len(WORD[result.status]) + 6)
        else:
            self._paper.line(mark)
        for fault in result.faults:
            self._fault(fault)
        self._tell({"event": "result", **msgspec.to_builtins(result)})

    # -- words -----------------------------------------------------------------------------------------------------------------

    def _fault(self, fault: Fault) -> None:
        self._paper.wrapped(fault.what, self._ink("31", "    what    "), 12)
        if fault.likely:
            self._paper.wrapped(fault.likely, self._ink("33", "    likely  "), 12)
        if fault.mend:
            self._paper.wrapped(fault.mend, self._ink("36", "    mend    "), 12)

    def _ask(self, question: str) -> bool | None:
        self._paper.ask(f"  {self._ink('36;1', '?')} {question}")
        answer = self._answers.readline()
        if not answer or not self._answers.isatty():
            self._paper.line()
        return {"y": True, "n": False}.get(answer.strip().lower()[:1])

    def _tell(self, record: dict[str, Any]) -> None:
        if self._json:
            self._machine.write(msgspec.json.encode(record).decode() + "\n")
            self._machine.flush()
