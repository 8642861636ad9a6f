"""`doorward central bundle …`. With --json: one object a line on standard output. Words for people go to standard error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.clock import SystemClock
from agent.errors import ConfigError

if TYPE_CHECKING:
    from central.access.status import DoorStatus

DONE, FINDING = 0, 1


def add_parts(parts: Any) -> None:
    """Adds `bundle`. `parts` is what argparse's `add_subparsers` returns."""
    text = "what doors know about who may pass"
    bundle = parts.add_parser("bundle", help=text, description=text)
    deeds = bundle.add_subparsers(dest="deed", required=True, metavar="DEED")
    make = _deed(deeds, "make", "write a door's bundle into a file, to be carried there by hand", _make)
    make.add_argument("site", metavar="SITE")
    make.add_argument("door", metavar="DOOR")
    make.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="on the door it replaces records.bundle: renamed, not copied over"
    )
    status = _deed(deeds, "status", "which door has which version, and which are behind (exit 1 if any is)", _status)
    status.add_argument("--json", action="store_true")
    status.add_argument(
        "--wait-s", type=float, default=2.0, metavar="SECONDS", help="so long the broker is listened to (default %(default)g)"
    )


def _deed(deeds: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = deeds.add_parser(name, help=text, description=text)
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="central.toml: names database, keys and broker"
    )
    parser.set_defaults(func=run)
    return parser


def _make(args: argparse.Namespace) -> int:
    from nacl.public import PublicKey

    from agent.records.keys import centre_private
    from central.access.bundles import write_bundle
    from central.database.engine import open_database
    from central.gateway.audit import AuditLog
    from central.people.people import People
    from central.people.vault import open_vault
    from central.settings import load_settings

    settings, clock = load_settings(args.config), SystemClock()
    engine, keys = open_database(settings.database.url), Path(settings.keys.folder)
    people = People(engine, clock, AuditLog(engine, clock), open_vault(keys))
    entry = next((each for each in people.doors() if (each.site, each.door) == (args.site, args.door)), None)
    if entry is None:
        known = ", ".join(f"{each.site}/{each.door}" for each in people.doors()[:20]) or "none"
        raise ConfigError(f"there is no door {args.site}/{args.door}; known: {known}")
    version = max(1, people.revision)
    write_bundle(args.out, people.rules_for(args.site, args.door, version), people.issued_for(args.site, args.door),
                 centre_private(keys / "centre.key"), PublicKey(entry.public_key), clock.wall())  # fmt: skip
    _say(f"{args.out}: version {version} for {args.site}/{args.door}. Only that door can read its people. Carry it there, put it beside "
         f"records.bundle, and rename it over that file: mv NEW access.bundle")  # fmt: skip
    return DONE


def _status(args: argparse.Namespace) -> int:
    from central.access.status import look
    from central.settings import load_settings

    found = look(load_settings(args.config).broker.address(), f"doorward-bundle-status-{os.getpid()}", args.wait_s)
    for each in found:
        if args.json:
            sys.stdout.buffer.write(msgspec.json.encode(each) + b"\n")
        _say(_words(each))
    if not found:
        _say("no door is offered a bundle: is `doorward central run` running, and are doors enrolled?")
    return FINDING if any(each.behind or each.refused for each in found) else DONE


def _words(each: DoorStatus) -> str:
    has = (
        "has never said what it has" if each.version is None else f"has version {each.version} for {each.credentials} credentials"
    )
    withdrawn = f", {each.withdrawn} withdrawn beside it" if each.withdrawn else ""
    since = (
        f"; behind since {each.behind_since:%Y-%m-%d %H:%M:%S} UTC: version {each.offered} is offered"
        if each.behind_since
        else ""
    )
    return f"{each.site}/{each.door} {has}{withdrawn}{since}{f'; refused: {each.refused}' if each.refused else ''}"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
