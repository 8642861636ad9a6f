"""`doorward central update …`. With --json: one object a line on standard output. Words for people go to standard error."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.errors import ConfigError

if TYPE_CHECKING:
    from central.updates.packages import Packages
    from central.updates.store import Rollouts, Told

DONE, FINDING = 0, 1
KINDS = ("rules", "models", "program", "system")


def add_parts(parts: Any) -> None:
    """Adds `update`. `parts` is what argparse's `add_subparsers` returns."""
    text = "models, rules, programs and systems for doors: take them in, roll them out, take them back"
    deeds = parts.add_parser("update", help=text, description=text).add_subparsers(dest="deed", required=True, metavar="DEED")
    add = _deed(deeds, "add", "take in a package: rules.toml, a folder of models, a bundle of a program or a system", _add)
    add.add_argument("kind", choices=KINDS)
    add.add_argument("source", type=Path, metavar="FILE")
    add.add_argument("--version", required=True, metavar="VERSION", help="as people call it; each one once")
    add.add_argument("--note", default="", metavar="TEXT", help="what changed, for whoever decides")
    _deed(deeds, "list", "which packages there are", _list)
    remove = _deed(deeds, "remove", "take a package away that no door runs or may go back to", _remove)
    remove.add_argument("number", type=int, metavar="NUMBER")
    out = _deed(deeds, "roll-out", "begin a roll-out: one door first, then shares of them, then the rest", _roll_out)
    out.add_argument("number", type=int, metavar="NUMBER", help="of the package")
    out.add_argument(
        "--door", action="append", default=[], metavar="SITE/DOOR", help="this one, before the next; default: all doors"
    )
    out.add_argument("--site", action="append", default=[], metavar="SITE", help="the doors of this site alone")
    out.add_argument(
        "--share", action="append", type=float, default=[], metavar="SHARE", help="a wave up to this share (default .1)"
    )
    out.add_argument("--shadow", action="store_true", help="models: run them beside those in force, and compare")
    out.add_argument(
        "--watch-min", type=float, default=30.0, metavar="MINUTES", help="how long each door is watched (default %(default)g)"
    )
    out.add_argument("--at-once", type=int, default=20, metavar="DOORS", help="doors under way at once (default %(default)d)")
    out.add_argument(
        "--silent-min", type=float, default=10.0, metavar="MINUTES", help="a door away so long has failed (default %(default)g)"
    )
    status = _deed(deeds, "status", "how far roll-outs are (exit 1 if one is stopped)", _status)
    status.add_argument("id", type=int, nargs="?", metavar="ROLLOUT", help="this one, with each door")
    for name, words in (("go-on", "leave out the doors that failed, and go on"), ("stop", "order nothing more"),
                        ("end", "be done with it: doors that were not reached stay as they are"),
                        ("roll-back", "every door that was ordered goes back to what it ran before")):  # fmt: skip
        deed = _deed(deeds, name, words, _decide)
        deed.add_argument("id", type=int, metavar="ROLLOUT")
        deed.add_argument("--why", default="", metavar="TEXT", help="goes on record")
    order = _deed(deeds, "order", "order one door a package, an older one too", _order)
    order.add_argument("door", metavar="SITE/DOOR")
    order.add_argument("kind", choices=KINDS)
    which = order.add_mutually_exclusive_group(required=True)
    which.add_argument("--number", type=int, metavar="NUMBER", help="of the package")
    which.add_argument("--none", action="store_true", help="what came with the program, and what the door's own file says")


def _deed(deeds: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = deeds.add_parser(name, help=text, description=text)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="central.toml")
    parser.add_argument("--json", action="store_true", help="one object a line on standard output")
    parser.set_defaults(func=run)
    return parser


def _open(args: argparse.Namespace) -> tuple[Packages, Rollouts, Any]:
    from agent.clock import SystemClock
    from central.accounts_cli import ANCHOR
    from central.central_app import state_folder
    from central.database.opening import open_to_write
    from central.gateway.audit import AuditLog
    from central.settings import load_settings
    from central.updates.packages import Packages
    from central.updates.store import Rollouts

    config, clock = load_settings(args.config), SystemClock()
    engine = open_to_write(config.database.url)
    audit = AuditLog(engine, clock, Path(config.keys.folder) / ANCHOR)
    packages = Packages(engine, clock, audit, state_folder(config))
    return packages, Rollouts(engine, clock, audit, packages), config


def _who() -> str:
    """Whose console this is: it goes on the audit record."""
    try:
        return f"console:{getpass.getuser()}"[:40]
    except (KeyError, OSError):
        return "console"


def _add(args: argparse.Namespace) -> int:
    packages, _, _ = _open(args)
    added = packages.add(_who(), args.kind, args.source, args.version, args.note)
    _put(args, added)
    _say(f"{added.kind} {added.version} is number {added.number}, {added.size_b} bytes. Roll it out: doorward central update roll-out "
         f"{added.number} --config {args.config}")  # fmt: skip
    return DONE


def _list(args: argparse.Namespace) -> int:
    listed = _open(args)[0].listed()
    for each in listed:
        _put(args, each)
        note = f": {each.note}" if each.note else ""
        _say(
            f"{each.number} {each.kind} {each.version}, {each.size_b} bytes, taken in {each.made:%Y-%m-%d %H:%M} UTC by {each.who}{note}"
        )
    if not listed:
        _say("nothing was taken in yet: doorward central update add")
    return DONE


def _remove(args: argparse.Namespace) -> int:
    _open(args)[0].remove(_who(), args.number)
    return DONE


def _roll_out(args: argparse.Namespace) -> int:
    from central.updates.plan import Pace, waves_of

    _, rollouts, config = _open(args)
    pace = {"watch_min": args.watch_min, "at_once": args.at_once, "silent_min": args.silent_min}
    try:
        checked = msgspec.convert(pace, Pace)
    except msgspec.ValidationError as error:
        raise ConfigError(f"roll-out: {error}") from error
    if any(not 0 < share <= 1 for share in args.share):
        raise ConfigError("--share: more than 0 and at most 1 is allowed")
    members = waves_of(_places(args, config), args.share or [0.1])
    told = rollouts.begin(_who(), args.number, members, checked, shadow=args.shadow)
    _put(args, told)
    _say(_words(told))
    return DONE


def _places(args: argparse.Namespace, config: Any) -> list[tuple[str, str]]:
    from central.site.registry import DoorRegistry

    known = [(each.site, each.door) for each in DoorRegistry(Path(config.keys.folder).parent).doors()]
    named = [(site, door) for site, _, door in (each.partition("/") for each in args.door)]
    if strange := [each for each in named if each not in known]:
        raise ConfigError(
            f"there is no door {'/'.join(strange[0])}; known: {', '.join('/'.join(each) for each in known[:20]) or 'none'}"
        )
    return named or [place for place in known if not args.site or place[0] in args.site]


def _status(args: argparse.Namespace) -> int:
    rollouts = _open(args)[1]
    found = [rollouts.one(args.id)] if args.id is not None else rollouts.all()
    for told in found:
        _put(args, told)
        _say(_words(told))
        for member in told.members if args.id is not None else ():
            detail = f": {member.detail}" if member.detail else ""
            _say(f"  wave {member.wave + 1} {'/'.join(member.place)} {member.state.replace('_', ' ')}{detail}")
    if not found:
        _say("nothing was rolled out yet")
    return FINDING if any(told.rollout.state == "stopped" for told in found) else DONE


def _decide(args: argparse.Namespace) -> int:
    rollouts = _open(args)[1]
    deeds: dict[str, Callable[[], object]] = {
        "go-on": lambda: rollouts.go_on(_who(), args.id), "stop": lambda: rollouts.stop(_who(), args.id, args.why),
        "end": lambda: rollouts.end(_who(), args.id), "roll-back": lambda: rollouts.take_back(_who(), args.id, args.why),
    }  # fmt: skip
    deeds[args.deed]()
    told = rollouts.one(args.id)
    _put(args, told)
    _say(_words(told))
    return DONE


def _order(args: argparse.Namespace) -> int:
    _, rollouts, config = _open(args)
    site, _, door = args.door.partition("/")
    args.door, args.site = [args.door], []
    _places(args, config)
    ordered = rollouts.order_one(_who(), (site, door), args.kind, args.number)
    _put(args, ordered)
    _say(f"{site}/{door} is ordered; it says itself, in state/update, when that counts")
    return DONE


def _words(told: Told) -> str:
    counts: dict[str, int] = {}
    for member in told.members:
        counts[member.state] = counts.get(member.state, 0) + 1
    doors = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in counts.items())
    waves = max(member.wave for member in told.members) + 1
    why = f": {told.rollout.why}" if told.rollout.why else ""
    beside = " beside those in force" if told.rollout.shadow else ""
    return (f"roll-out {told.id}, {told.kind} number {told.rollout.package}{beside}: {told.rollout.state.replace('_', ' ')}{why}; wave "
            f"{min(told.rollout.wave + 1, waves)} of {waves}; doors: {doors}")  # fmt: skip


def _put(args: argparse.Namespace, told: Any) -> None:
    if args.json:
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        sys.stdout.buffer.flush()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
