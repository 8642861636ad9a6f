"""`doorward commission`: from a door that is wired to a door that is handed over, step by step."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.config import load_config
from agent.errors import ConfigError, Refused
from agent.programs_cli import DEFAULT_CONFIG

if TYPE_CHECKING:
    from agent.commission.desk import Desk
    from agent.commission.session import Session

DONE, FINDING = 0, 1
EXITS = "Exit status: 0 all is well, 1 findings or something left out, 2 wrong usage, or the door program runs."
HEALTH = "doorward health --wait 60"
"""Says whether all came up."""
PUBLIC = "door.pub"
"""Beside the configuration."""


def add_parser(subparsers: Any) -> None:
    """Adds `commission`, with `status` and `verify` below it."""
    from agent.commission.session import STEPS

    line = "hand over a door: pair, aim, mark, test, learn, and a signed report"
    parser = subparsers.add_parser("commission", help=line, description=f"{line}; docs/COMMISSIONING.md shows it", epilog=EXITS)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--only", default="", metavar="STEPS",
                        help=f"these once more, with commas between: {', '.join(STEPS)}, or steps of the self-test")  # fmt: skip
    parser.add_argument("--fresh", action="store_true", help="begin anew; what an earlier session has done is forgotten")
    parser.add_argument(
        "--answers", type=Path, metavar="FILE", help="answers that are known before, as TOML: docs/COMMISSIONING.md"
    )
    parser.add_argument("--yes", action="store_true", help="consent to what moves: the relay is switched for seconds")
    parser.add_argument(
        "--timeout", type=float, default=45.0, metavar="S", help="how long hands are waited for (default: %(default)s)"
    )
    parser.add_argument(
        "--hold", type=float, default=4.0, metavar="S", help="how long a held door is pulled at (default: %(default)s)"
    )
    parser.add_argument(
        "--scene", type=float, default=45.0, metavar="S", help="how long the empty view is learned (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where the report goes (default: this folder)")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line on standard output; answers are read from standard input"
    )
    parser.set_defaults(func=commission)
    kinds = parser.add_subparsers(metavar="[WHAT]", required=False)
    status = kinds.add_parser("status", help="what is done and what is next; changes nothing")
    status.set_defaults(func=show_status)
    check = kinds.add_parser("verify", help="whether a handover report is as the door signed it")
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--door-key", default="", metavar="KEY", help="the door's public key, 64 digits or a file of them; default: door.pub"
                       " beside the configuration, if there is one")  # fmt: skip
    check.add_argument("--json", action="store_true", help="what the report says, as JSON on standard output")
    check.set_defaults(func=verify_report)


# -- the walk --------------------------------------------------------------------------------------------------------------------


def commission(args: argparse.Namespace) -> int:
    """0 all well. Raises ConfigError while the door or the vision program runs."""
    from agent.commission.answers import load_answers
    from agent.commission.guide import Guide
    from agent.commission.session import chosen
    from agent.commission.session_file import SessionFile
    from agent.door_at_rest import at_rest

    only, tests = chosen(args.only)
    _demand_sense(args)
    known, config = load_answers(args.answers), load_config(args.config)
    with at_rest(config, "the commissioning"):
        from agent.commission.desk import Desk, Options

        store, now = SessionFile(config), datetime.now(timezone.utc)
        session = None if args.fresh else store.load()
        guide = Guide(sys.stderr, sys.stdout, sys.stdin, json=args.json, yes=args.yes, known=known)
        guide.opens(f"{config.site}/{config.door}", _where(session))
        options = Options(timeout_s=args.timeout, hold_s=args.hold, scene_s=args.scene, out=args.out, named=only, tests=tests,
                          anew="test" in only and not tests)  # fmt: skip
        return _walk(Desk(args.config, config, guide, options, store, session or store.begin(now)), only)


def _demand_sense(args: argparse.Namespace) -> None:
    if not args.out.is_dir():
        raise ConfigError(f"--out {args.out}: there is no such folder")
    for name, least, most in (("timeout", 1, 600), ("hold", 0.1, 60), ("scene", 15, 600)):
        if not least <= getattr(args, name) <= most:
            raise ConfigError(f"--{name} {getattr(args, name):g}: {least:g} to {most:g} seconds")


def _walk(desk: Desk, only: tuple[str, ...]) -> int:
    from agent.commission.session import complete, upcoming
    from agent.commission.walk import walk
    from agent.door_at_rest import START

    walk(desk, only)
    left, report = upcoming(desk.session), desk.session.done.get("report")
    words = (
        f"Not done yet: `doorward commission` goes on with '{left}'."
        if left
        else "Done. Start the door, and see whether all comes up:"
    )
    well = complete(desk.session) and not left
    after = [] if left else [START, HEALTH]
    if report is not None and not report.doubt and (file := report.facts.get("file")):
        after.append(f"report: {file}")
    desk.guide.closes(words, well, after)
    return DONE if well else FINDING


def _where(session: Session | None) -> str:
    """Where a session stands, in a sentence."""
    from agent.commission.session import STEPS, upcoming

    if session is None:
        return f"{len(STEPS)} steps, some ten minutes."
    if session.running:
        return f"It was cut off in '{session.running}': on it goes."
    left = upcoming(session)
    return (
        f"Begun {session.began_at.astimezone():%d %B, %H:%M}; next is '{left}'."
        if left
        else "All is done; --only STEP repeats a step."
    )


def show_status(args: argparse.Namespace) -> int:
    """0 when all is done and well."""
    from agent.commission.session import STEPS, TITLES, complete
    from agent.commission.session_file import SessionFile
    from agent.selftest.installer import MARK

    session = SessionFile(load_config(args.config)).load()
    print(_where(session), file=sys.stderr)
    for step in STEPS if session is not None else ():
        done = session.done.get(step) if session is not None else None
        words = "not done" if done is None else done.doubt or done.said or "; ".join(fault.what for fault in done.faults)
        print(f"  {MARK[done.status] if done else ' '} {TITLES[step]:26} {words}")
    return DONE if session is not None and complete(session) else FINDING


# -- a report --------------------------------------------------------------------------------------------------------------------


def verify_report(args: argparse.Namespace) -> int:
    """0 when nothing was changed and the expected door signed it. Raises Refused, ConfigError."""
    from agent.commission.door_signature import fingerprint
    from agent.commission.sealed_page import MOST_BYTES, verify

    try:
        if args.file.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{args.file}: is larger than any report")
        found = verify(args.file.read_bytes())
    except Refused as error:  # is an OSError itself
        raise Refused(f"{args.file}: {error}") from error
    except OSError as error:
        raise ConfigError(f"{args.file}: cannot be read: {error.strerror}") from error
    data, print_ = found.data, fingerprint(found.public)
    expected = _expected(args)
    if expected is not None and expected != found.public:
        raise Refused(f"{args.file}: is signed by another door, fingerprint {print_}; expected was {fingerprint(expected)}")
    if args.json:
        print(msgspec.json.encode(data).decode())
    print(f"{args.file}: as it was signed, door {data.get('site')}/{data.get('door')}, {data.get('made_at')}", file=sys.stderr)
    if expected is None:
        print(
            f"Signed with a key whose fingerprint is {print_}; whether that is this door's says its door.pub (--door-key)",
            file=sys.stderr,
        )
    return DONE


def _expected(args: argparse.Namespace) -> bytes | None:
    """The key that the report should be signed with, where one is known."""
    from agent.records.keys import door_public

    beside = args.config.parent / PUBLIC
    if not args.door_key:
        return bytes(door_public(beside)) if beside.exists() else None
    try:
        if len(raw := bytes.fromhex(args.door_key)) == 32:
            return raw
    except ValueError:
        pass
    return bytes(door_public(Path(args.door_key)))
