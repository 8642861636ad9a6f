"""`doorward central …`. With --json: one object a line on standard output. Words for people go to standard error."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from agent.clock import SystemClock
from agent.core.commands import NAMES, SENTENCES
from agent.link.session import Address
from central import access_cli, accounts_cli, alerts_cli, history_cli, pairing_cli, people_cli, site_cli, updates_cli
from central.config_option import add_config

DONE, FINDING = 0, 1


def add_parser(subparsers: Any) -> None:
    """Adds `central` and its subcommands; each sets `func`, a function of the parsed arguments that returns the exit code.

    `subparsers` is what argparse's `add_subparsers` returns. Errors are raised as DoorwardError, for the caller to tell.
    """
    central = subparsers.add_parser("central", help="the site's server: historian, keys, commands")
    parts = central.add_subparsers(dest="part", required=True, metavar="PART")
    _add_run(parts)
    _add_broker(parts)
    _add_keys(parts)
    _add_events(parts)
    _add_gaps(parts)
    _add_command(parts)
    _add_norms(parts)
    site_cli.add_parts(parts)
    pairing_cli.add_parts(parts)
    history_cli.add_parts(parts)
    accounts_cli.add_parts(parts)
    access_cli.add_parts(parts)
    people_cli.add_parts(parts)
    alerts_cli.add_parts(parts)
    updates_cli.add_parts(parts)


def _part(parts: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=text, description=text)
    parser.set_defaults(func=run)
    return parser


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="broker (default %(default)s)")
    parser.add_argument("--port", type=int, default=1883, help="default %(default)s")
    parser.add_argument("--broker-user", default="", metavar="NAME", help="user name at the broker")
    parser.add_argument("--password-file", default="", metavar="FILE", help="holds the password alone")
    parser.add_argument("--ca-file", default="", metavar="FILE", help="PEM; turns TLS on")
    parser.add_argument("--cert-file", default="", metavar="FILE", help="PEM; own certificate, where the broker asks for one")
    parser.add_argument("--key-file", default="", metavar="FILE", help="PEM; its key")


def _address(args: argparse.Namespace) -> Address:
    return Address(host=args.host, port=args.port, user=args.broker_user, password_file=args.password_file, ca_file=args.ca_file,
                   cert_file=args.cert_file, key_file=args.key_file)  # fmt: skip


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", default="/var/lib/doorward-central/central.db", metavar="FILE",
                        help="the historian's: a file, or postgresql://… (default %(default)s)")  # fmt: skip


def _add_run(parts: Any) -> None:
    parser = _part(
        parts, "run", "the centre: historian, people, bundles, alerts, dashboard; without --config the historian alone", _run
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="central.toml, which `doorward central init` makes; replaces the rest"
    )
    _add_address(parser)
    _add_database(parser)


def _run(args: argparse.Namespace) -> int:
    from central.central_app import run_centre, run_historian

    if args.config is not None:
        return run_centre(args.config)
    return run_historian(_address(args), args.database)


def _add_broker(parts: Any) -> None:
    parser = _part(parts, "broker", "an MQTT broker for this machine alone, to try things out", _broker)
    parser.add_argument("--host", default="127.0.0.1", help="127.0.0.1 or ::1")
    parser.add_argument("--port", type=int, default=1883)


def _broker(args: argparse.Namespace) -> int:
    from central.broker import run_broker

    return run_broker(args.host, args.port, lambda: _say(f"broker listens on {args.host}:{args.port}"))


def _add_keys(parts: Any) -> None:
    parser = _part(parts, "keys", "make the key pair of the centre, or of a door", _keys)
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument(
        "--centre", type=Path, metavar="FOLDER", help="make centre.key and centre.pub here: access bundles are signed with them"
    )
    whose.add_argument(
        "--door", type=Path, metavar="FOLDER", help="make door.key and door.pub here: face templates are sealed for them"
    )
    parser.add_argument("--json", action="store_true")


def _keys(args: argparse.Namespace) -> int:
    from agent.records.keys import make_centre_keys, make_door_keys

    private, public = make_centre_keys(args.centre) if args.centre else make_door_keys(args.door)
    if args.json:
        _put(msgspec.json.encode({"private": str(private), "public": str(public)}))
    _say(f"{private} is private and stays here; {public} may go anywhere")
    return DONE


def _add_events(parts: Any) -> None:
    parser = _part(parts, "events", "what the historian has stored, oldest first", _events)
    _add_database(parser)
    add_config(parser)
    parser.add_argument("--site", default="")
    parser.add_argument("--door", default="")
    parser.add_argument("--kind", default="", help="e.g. access.denied or access.*")
    parser.add_argument("--after", type=int, default=0, help="only rows behind this number")
    parser.add_argument("--limit", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="CloudEvents, one a line")


def _events(args: argparse.Namespace) -> int:
    from central.database.opening import open_to_read
    from central.history.events import EventStore, Wanted
    from central.history.export import as_told

    store = EventStore(open_to_read(args.database))
    for kept in store.stream(Wanted(site=args.site, door=args.door, kind=args.kind, after=args.after, limit=args.limit)):
        told = kept.told
        if args.json:
            _put(as_told(kept))
        else:
            event = told.event
            doubt = " (time not certain)" if event.clock == "unsure" else ""
            when, count = f"{event.at:%Y-%m-%d %H:%M:%S.%f}{doubt}", f"{event.journal}:{event.sequence}"
            _say(f"{when} {told.site}/{told.door} {count} {event.kind} {_words(event.data)}")
    return DONE


def _words(data: dict[str, Any]) -> str:
    """An event's data for people: what it says in sentences, and its plain values. Measurements and the rest come with --json.

    Data is what a door sent, of whatever shape.
    """
    sentences = data.get("sentences")
    if isinstance(sentences, list):
        return "; ".join([*map(str, sentences), str(data.get("cardholder") or "no cardholder")])
    return ", ".join(f"{key} {value}" for key, value in data.items() if isinstance(value, str | int | float) and value != "")


def _add_gaps(parts: Any) -> None:
    parser = _part(parts, "gaps", "events that doors counted and that never came (exit 1 if there are any)", _gaps)
    _add_database(parser)
    add_config(parser)
    parser.add_argument("--all", action="store_true", help="also those that were filled later")
    parser.add_argument("--json", action="store_true")


def _gaps(args: argparse.Namespace) -> int:
    from central.database.opening import open_to_read
    from central.history.events import EventStore

    gaps = EventStore(open_to_read(args.database)).gaps(closed=args.all)
    for gap in gaps:
        if args.json:
            _put(msgspec.json.encode(gap))
        state = f"filled {gap.closed:%Y-%m-%d %H:%M:%S}" if gap.closed else "open"
        _say(
            f"{gap.site}/{gap.door} journal {gap.journal}: {gap.first}..{gap.last} missing since {gap.noticed:%Y-%m-%d %H:%M:%S}, {state}"
        )
    is_open = any(gap.closed is None for gap in gaps)
    if not is_open:
        _say("nothing is missing")
    return FINDING if is_open else DONE


def _add_command(parts: Any) -> None:
    parser = _part(parts, "command", "give a door a command and wait for its answer (exit 1 if it refuses)", _command)
    parser.add_argument("site")
    parser.add_argument("door")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--user", required=True, help="who gives it; the broker's access list checks that")
    parser.add_argument("--why", default="", help="a reason that is kept with the event")
    parser.add_argument(
        "--valid-s", type=float, default=10.0, metavar="SECONDS", help="it expires, and so does waiting (default %(default)g)"
    )
    parser.add_argument("--json", action="store_true")
    _add_address(parser)


def _command(args: argparse.Namespace) -> int:
    from central.commands import NO_ANSWER, Commander

    logging.getLogger("agent.link").setLevel(logging.ERROR)  # the answer says whether the broker was reached, and why not
    commander = Commander(_address(args), SystemClock(), f"doorward-command-{args.user}-{os.getpid()}")
    try:
        answer = commander.give(args.site, args.door, args.user, args.name, args.why, args.valid_s)
        reached, trouble = commander.is_connected, commander.last_error
    finally:
        commander.close()
    if args.json:
        _put(msgspec.json.encode(answer))
    if answer.reason == NO_ANSWER:
        _say(
            f"{args.site}/{args.door} did not answer"
            if reached
            else f"the broker {args.host}:{args.port} cannot be reached: {trouble}"
        )
    else:
        _say(f"{args.site}/{args.door}: {SENTENCES.get(answer.reason, answer.reason)}")
    return DONE if answer.ok else FINDING


def _add_norms(parts: Any) -> None:
    parser = _part(parts, "norms", "keep what is usual at doors, and tell each what doors like it show", _norms)
    _add_address(parser)
    parser.add_argument(
        "--database", type=Path, default=Path("/var/lib/doorward-central/norms.db"), metavar="FILE", help="default %(default)s"
    )
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="centre.key, which doors know the public part of")
    parser.add_argument(
        "--alike", action="append", default=[], metavar="KIND=SITE/DOOR,…", help="doors of one kind; may be given again"
    )
    parser.add_argument("--withdrawn", type=Path, metavar="FILE",
                        help="ids of cardholders who no longer agree to norms of their own, one a line; read again and again")  # fmt: skip


def _norms(args: argparse.Namespace) -> int:
    from central.norms_app import doors_alike, run_norms

    return run_norms(_address(args), args.database, args.key, doors_alike(args.alike), args.withdrawn)


def _put(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
