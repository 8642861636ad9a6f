"""`doorward health`: whether door and vision are up, by their own words. Scripts ask it before they keep a release or a system."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from agent.clock_kernel import boot_id
from agent.config import load_config
from agent.doctor.machine import Machine
from agent.doctor_cli import write_findings
from agent.errors import ConfigError
from agent.health import UNITS, Seen, UnitNow, Verdict, judge
from agent.health_word import HealthWord, read_word
from agent.paper import Paper
from agent.programs_cli import DEFAULT_CONFIG

UP, NOT_UP = 0, 1
DEFAULT_RUN = "/run/doorward"
LONGEST_WAIT_S = 3600.0
LOOK_EVERY_S = 1.0
PROPERTIES = "Id,LoadState,UnitFileState,ActiveState,SubState,Result,ExecMainStatus,NRestarts"


def add_parser(subparsers: Any) -> None:
    """Adds `health` to the program's subcommands."""
    line = "whether door and vision are up, by their own words"
    parser = subparsers.add_parser(
        "health", help=line, description=f"{line}; changes nothing", epilog="Exit status: 0 both are up, 1 not, 2 wrong usage."
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--wait", type=_wait_s, default=0.0, metavar="S", help="so many seconds until both are up")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(func=health)


def _wait_s(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from error
    if not 0 <= seconds <= LONGEST_WAIT_S:
        raise argparse.ArgumentTypeError(f"{text}: 0 to {LONGEST_WAIT_S:.0f} s are allowed")
    return seconds


def health(args: argparse.Namespace) -> int:
    """0 both are up, 1 not."""
    machine, run = Machine(args.config), _run_folder(args.config)
    until_s = time.monotonic() + args.wait
    verdict = judge(look(machine, run))
    while not verdict.ok and time.monotonic() < until_s:
        time.sleep(max(0.0, min(LOOK_EVERY_S, until_s - time.monotonic())))
        verdict = judge(look(machine, run))
    if args.json:
        print(as_json(verdict, read(run)[0]))
    else:
        write_findings(Paper(sys.stdout), verdict.findings)
    return UP if verdict.ok else NOT_UP


def look(machine: Machine, run: Path) -> Seen:
    """How things are at this moment."""
    word, hidden = read(run)
    return Seen(
        word=word, hidden=hidden, boot=boot_id(), now_s=time.monotonic(), alive=word is not None and Path(f"/proc/{word.pid}").is_dir(),
        units=units(machine),
    )  # fmt: skip


def read(run: Path) -> tuple[HealthWord | None, bool]:
    """The door's word, and whether it is hidden from this user."""
    try:
        return read_word(run), False
    except PermissionError:
        return None, True


def units(machine: Machine) -> dict[str, UnitNow]:
    """By name; {} where no systemd runs."""
    said = machine.run("systemctl", "show", *UNITS, f"--property={PROPERTIES}")
    if said.status != 0:
        return {}
    shown = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in said.output.split("\n\n")]
    return {unit.get("Id", ""): _unit(unit) for unit in shown}


def _unit(shown: dict[str, str]) -> UnitNow:
    return UnitNow(
        load=shown.get("LoadState", ""), enabled=shown.get("UnitFileState", ""), active=shown.get("ActiveState", ""),
        sub=shown.get("SubState", ""), result=shown.get("Result", ""), status=_number(shown, "ExecMainStatus"),
        restarts=_number(shown, "NRestarts"),
    )  # fmt: skip


def _number(shown: dict[str, str], key: str) -> int:
    text = shown.get(key, "")
    return int(text) if text.isdigit() else 0


def _run_folder(config: Path) -> Path:
    """A configuration that is wrong keeps the door from starting, and is no reason not to say so."""
    try:
        return Path(load_config(config).run_folder)
    except ConfigError as error:
        print(f"doorward: {error}", file=sys.stderr)
        return Path(DEFAULT_RUN)


def as_json(verdict: Verdict, word: HealthWord | None) -> str:
    """{"ok", "door_up", "vision_up", "findings", "word": what the door said, or null}."""
    told = {
        "ok": verdict.ok, "door_up": verdict.door_up, "vision_up": verdict.vision_up,
        "findings": [msgspec.to_builtins(finding) for finding in verdict.findings],
        "word": None if word is None else msgspec.to_builtins(word),
    }  # fmt: skip
    return msgspec.json.encode(told).decode()
