"""`doorward central export`, `replay` and `database`: events into files and back, and the state of the database."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from agent.clock import SystemClock
from agent.errors import ConfigError
from central.config_option import add_config

DONE, FINDING = 0, 1
DATABASE = "/var/lib/doorward-central/central.db"
TELL_EVERY = 50_000


def add_parts(parts: Any) -> None:
    """Adds the subcommands; each sets `func`."""
    _add_export(parts)
    _add_replay(parts)
    _add_database(parts)


def _part(parts: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=text, description=text)
    parser.add_argument("--database", default=DATABASE, metavar="FILE",
                        help="the centre's: a file, or postgresql://… (default %(default)s)")  # fmt: skip
    add_config(parser)
    parser.set_defaults(func=run)
    return parser


# -- into files and back -------------------------------------------------------------------------------------------------------


def _add_export(parts: Any) -> None:
    parser = _part(
        parts, "export", "write events to a file: CloudEvents one a line, or CSV; the audit log keeps that it was done", _export
    )
    parser.add_argument(
        "--format", choices=("jsonl", "csv"), default="jsonl", help="default %(default)s; only jsonl can be replayed"
    )
    parser.add_argument(
        "--from", dest="begin", default="", metavar="TIME", help="by doors' clocks: 2026-03-02 or 2026-03-02T08:30; UTC"
    )
    parser.add_argument("--to", dest="end", default="", metavar="TIME", help="up to here; a day alone is within")
    parser.add_argument("--site", default="")
    parser.add_argument("--door", default="")
    parser.add_argument("--kind", default="", help="e.g. access.denied or access.*")
    parser.add_argument("--person", default="", metavar="ID", help="a cardholder's")
    parser.add_argument("--output", type=Path, metavar="FILE", help="instead of standard output; only its owner may read it")


def _export(args: argparse.Namespace) -> int:
    from central.database.opening import opened_to_read
    from central.history.events import EventStore, Wanted
    from central.history.export import moment_of, write_events

    wanted = Wanted(site=args.site, door=args.door, kind=args.kind, person=args.person, begin=moment_of(args.begin),
                    end=moment_of(args.end, end=True))  # fmt: skip
    with opened_to_read(args.database) as engine:
        _put_on_record(args)
        with _output(args.output) as out:
            count = write_events(EventStore(engine), wanted, args.format, out, lambda count: _say(f"{count} events …"))
    _say(f"{count} events written")
    return DONE


def _put_on_record(args: argparse.Namespace) -> None:
    """Before the first line: nobody takes a copy of people's movements unseen."""
    from central.database.opening import open_as_it_is
    from central.gateway.audit import AuditLog

    asked = {
        name: getattr(args, name) for name in ("format", "begin", "end", "site", "door", "kind", "person") if getattr(args, name)
    }
    engine = open_as_it_is(args.database)
    AuditLog(engine, SystemClock()).write(f"os:{_login()}", "history.exported", "events", asked)
    engine.dispose()


def _login() -> str:
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return "-"


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    from agent.files import replacing

    if path is None:
        yield sys.stdout.buffer
        return
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise ConfigError(f"--output: {path} cannot be written: {error}") from error


def _add_replay(parts: Any) -> None:
    parser = _part(parts, "replay", "take exported events into a database; twice is no harm", _replay)
    parser.add_argument(
        "file", metavar="FILE", help="CloudEvents, one a line, as `doorward central export` writes them; - is standard input"
    )
    parser.add_argument(
        "--time-zone", default="UTC", metavar="ZONE", help="as [history] time_zone in central.toml (default %(default)s)"
    )
    parser.add_argument("--json", action="store_true")


def _replay(args: argparse.Namespace) -> int:
    from central.database.opening import open_to_write
    from central.history.events import EventStore
    from central.history.replay import Replayed, replay

    zone = _zone(args.time_zone)
    told = 0

    def tell(so_far: Replayed) -> None:
        nonlocal told
        lines = so_far.new + so_far.repeated + so_far.conflicts
        if lines - told >= TELL_EVERY:
            told = lines
            _say(f"{lines} events …")

    with _input(args.file) as file:
        engine = open_to_write(args.database)
        done = replay(EventStore(engine, zone), file, args.file, SystemClock().wall(), tell)
        engine.dispose()
    if args.json:
        _put(msgspec.json.encode(done))
    _say(f"{done.new} new, {done.repeated} were there, {done.conflicts} conflicts, {done.gaps} gaps opened on the way")
    return FINDING if done.conflicts else DONE


def _zone(name: str) -> Any:
    from central.settings import History

    try:
        return History(time_zone=name).zone
    except ValueError as error:
        raise ConfigError(f"--time-zone: {error}") from error


@contextmanager
def _input(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115  # closed below; only opening it may be the caller's fault
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error}") from error
    with file:
        yield file


# -- the database --------------------------------------------------------------------------------------------------------------


def _add_database(parts: Any) -> None:
    parser: argparse.ArgumentParser = parts.add_parser("database", help="the state of the centre's database, and its upgrade")
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    status = _part(tasks, "status", "revision, rows, size, what was removed (exit 1 if it must be upgraded)", _status)
    status.add_argument("--json", action="store_true")
    _part(tasks, "upgrade", "make or renew every table; rows of an older Doorward are taken over", _upgrade)


def _status(args: argparse.Namespace) -> int:
    from central.database.opening import open_to_look
    from central.history.state import state_of

    engine = open_to_look(args.database)
    state = state_of(engine)
    engine.dispose()
    if args.json:
        _put(msgspec.json.encode(state))
    _say(
        f"{state.database}: revision {state.revision or 'none'}, this program's is {state.newest}; {state.size_bytes / 1e6:.1f} MB"
    )
    if state.up_to_date:
        _say(
            ", ".join(f"{count} {name}" for name, count in state.rows.items())
            + f", {state.doors} doors, {state.open_gaps} open gaps"
        )
        _say(f"events from {state.oldest or '-'} to {state.latest or '-'}")
    if state.active is not None:
        _say(
            f"active: {state.active.who} (machine and process) since {state.active.since:%Y-%m-%d %H:%M:%S}, term {state.active.term}"
        )
    for gone in state.removed:
        _say(f"{gone.ran_at:%Y-%m-%d %H:%M} removed {gone.rows} {gone.what} {gone.kind} of {gone.oldest:%Y-%m-%d} to {gone.newest:%Y-%m-%d}:"
             f" kept {gone.keep_days} days")  # fmt: skip
    return DONE if state.up_to_date else FINDING


def _upgrade(args: argparse.Namespace) -> int:
    from central.database.opening import name_of, open_to_write
    from central.history.state import state_of

    engine = open_to_write(args.database)
    state = state_of(engine)
    engine.dispose()
    _say(f"{name_of(engine)}: revision {state.revision}, {state.rows['events']} events")
    return DONE


def _put(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
