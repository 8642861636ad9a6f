"""`doorward doctor`: what is missing in software on this controller, why it matters, and the command that mends it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from agent.doctor.finding import Finding, Level
from agent.errors import ConfigError
from agent.paper import Paper
from agent.programs_cli import DEFAULT_CONFIG

DONE, FINDING = 0, 1
MARK: dict[Level, str] = {"well": "✓", "note": "·", "warn": "!", "bad": "✗"}
INK: dict[Level, str] = {"well": "32", "note": "2", "warn": "33;1", "bad": "31;1"}


def add_parser(subparsers: Any) -> None:
    """Adds `doctor` to the program's subcommands."""
    line = "what is missing in software and how to mend it"
    parser = subparsers.add_parser(
        "doctor",
        help=line,
        description=f"{line}; changes nothing",
        epilog="Exit status: 0 nothing to mend, 1 findings, 2 wrong usage. As root it sees more.",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--only", default="", metavar="CHECKS", help="some of the checks, with commas between")
    parser.add_argument("--json", action="store_true", help="one JSON object a finding on standard output, then a summary")
    parser.set_defaults(func=doctor)


def doctor(args: argparse.Namespace) -> int:
    """0 nothing to mend, 1 findings."""
    from agent.doctor.checks import CHECKS, Check
    from agent.doctor.machine import Machine

    wanted = {word.strip() for word in args.only.split(",") if word.strip()}
    if unknown := wanted - {check.name for check in CHECKS}:
        raise ConfigError(f"--only {', '.join(sorted(unknown))}: checks are {', '.join(check.name for check in CHECKS)}")
    machine, paper = Machine(args.config), Paper(sys.stderr)
    counts: dict[Level, int] = {"well": 0, "note": 0, "warn": 0, "bad": 0}

    def examine(check: Check) -> None:
        paper.over(paper.ink("2", f"  … {check.title}"))
        findings = look(check.run, machine)
        paper.clear()
        for finding in findings:
            counts[finding.level] += 1
            if args.json:
                print(msgspec.json.encode({"check": check.name, **msgspec.to_builtins(finding)}).decode(), flush=True)
        if not args.json:
            _write(paper, check.title, findings)

    for check in CHECKS:
        if not wanted or check.name in wanted:
            examine(check)
    if args.json:
        print(msgspec.json.encode({"summary": counts, "ok": not counts["bad"] + counts["warn"]}).decode(), flush=True)
    else:
        _sum_up(paper, counts)
    return FINDING if counts["bad"] or counts["warn"] else DONE


def look(run: Any, machine: Any) -> list[Finding]:
    """A check's findings. One that fails itself is a finding too: the others are still worth hearing."""
    found: list[Finding] = []
    try:
        found.extend(run(machine))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the machine, the doctor's letter must be written
        what = f"this check failed itself: {type(error).__name__}: {error}"
        found.append(Finding(level="bad", what=what, why="it could not look at everything", mend="report it with this line"))
    return found


def _write(paper: Paper, title: str, findings: list[Finding]) -> None:
    if not findings:
        return
    paper.line(paper.ink("1", title))
    write_findings(paper, findings)


def write_findings(paper: Paper, findings: Iterable[Finding]) -> None:
    """Each with its reason and its mend."""
    for finding in findings:
        first = f"  {paper.ink(INK[finding.level], MARK[finding.level])} "
        paper.wrapped(finding.what, first, 4)
        if finding.why:
            paper.wrapped(finding.why, paper.ink("2", "      why   "), 12)
        if finding.mend:
            paper.line(paper.ink("36", "      mend  ") + finding.mend)  # unbroken: it is copied


def _sum_up(paper: Paper, counts: dict[Level, int]) -> None:
    paper.line()
    if not counts["bad"] + counts["warn"]:
        paper.line(paper.ink("32;1", f"Nothing to mend; {counts['well']} things are well."))
        return
    words = f"{counts['bad']} to mend, {counts['warn']} to look at, {counts['well']} well."
    paper.line(paper.ink("31;1" if counts["bad"] else "33;1", words))
