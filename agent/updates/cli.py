"""`doorward update status|roll-back|install`: what a controller runs, and the way back, from its own console."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from agent.errors import ConfigError, Refused
from agent.ownership import give_to_owner_of
from agent.programs_cli import DEFAULT_CONFIG
from agent.updates.in_force import Choice, Chosen, read_chosen, updates_folder, write_chosen

DONE, FINDING = 0, 1
WAIT_S = 10.0
OWN = ("rules", "models")


def add_parser(subparsers: Any) -> None:
    """Adds `update`."""
    text = "updates of this controller: what runs, back to what ran before"
    deeds = subparsers.add_parser("update", help=text, description=text).add_subparsers(
        dest="deed", required=True, metavar="DEED"
    )
    status = _deed(
        deeds,
        "status",
        "which models, rules, program and system run here (exit 1 if any was refused)",
        _status,
    )
    status.add_argument("--json", action="store_true")
    back = _deed(deeds, "roll-back", "run what ran before, at once; models beside those in force end", _roll_back)
    back.add_argument("kind", choices=OWN)
    _deed(
        deeds,
        "install",
        "root's part: install a received program or system (run by doorward-update.service)",
        _install,
    )


def _deed(deeds: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = deeds.add_parser(name, help=text, description=text)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")
    parser.set_defaults(func=run)
    return parser


def _folder(args: argparse.Namespace) -> Path:
    from agent.config import load_config

    return updates_folder(load_config(args.config))


def _status(args: argparse.Namespace) -> int:
    chosen = read_chosen(_folder(args))
    if args.json:
        print(msgspec.json.encode(chosen).decode(), flush=True)
    for kind in ("rules", "models", "program", "system"):
        print(f"{kind}: {words(chosen.of(kind))}", file=sys.stderr)
    return FINDING if any(chosen.of(kind).refused for kind in ("rules", "models", "program", "system")) else DONE


def words(choice: Choice) -> str:
    """One line for people."""
    told = [choice.version or "what came with the program"]
    told += ["on trial"] if choice.trial else []
    told += [f"{choice.shadow_version} runs beside it"] if choice.shadow else []
    told += [f"before it: {choice.former_version or 'what came with the program'}"] if choice.number else []
    told += [f"refused: {choice.refused}"] if choice.refused else []
    return "; ".join(told)


def _roll_back(args: argparse.Namespace) -> int:
    folder = _folder(args)
    before = read_chosen(folder).of(args.kind)
    if not before.number and not before.shadow:
        raise Refused(f"{args.kind}: what came with the program runs; there is nothing to go back to")
    asked = folder / "asked" / args.kind
    asked.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    asked.touch(mode=0o600)
    give_to_owner_of(folder, asked.parent, asked)
    until_s = time.monotonic() + WAIT_S
    while asked.exists() and time.monotonic() < until_s:
        time.sleep(0.1)
    if asked.exists():  # the door program does not run: it finds the former version when it starts
        chosen = read_chosen(folder)
        write_chosen(folder, chosen.having(args.kind, taken_back(chosen, args.kind)))
        give_to_owner_of(folder, folder / "chosen.json")
        asked.unlink(missing_ok=True)
    print(f"{args.kind}: {words(read_chosen(folder).of(args.kind))}", file=sys.stderr)
    return DONE


def taken_back(chosen: Chosen, kind: str) -> Choice:
    """The former version in force, as the door program would put it."""
    choice = chosen.of(kind)
    if choice.shadow:
        return replace(choice, shadow=0, shadow_version="", refused="no longer runs beside: ended at the door itself")
    return Choice(number=choice.former, version=choice.former_version, serial=choice.serial,
                  refused=f"{choice.version} was rolled back: asked for at the door itself")  # fmt: skip


def _install(args: argparse.Namespace) -> int:
    from agent.config import load_config
    from agent.records.keys import centre_public
    from agent.updates.root_helper import Places, install_all

    if os.geteuid() != 0:
        raise ConfigError("doorward update install: this is root's part; doorward-update.service runs it")
    config = load_config(args.config)
    results = install_all(Places(updates=updates_folder(config), site=config.site, door=config.door,
                                 centre=centre_public(Path(config.records.centre_key))))  # fmt: skip
    for result in results:
        print(f"{result.kind} {result.version}: {result.sentence}", file=sys.stderr)
    return DONE if all(result.ok for result in results) else FINDING
