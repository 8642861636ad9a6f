"""`doorward central people|credential|profile|schedule|calendar|visitor …`. With --json: one object a line on standard output."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.clock import SystemClock
from agent.errors import ConfigError

if TYPE_CHECKING:
    from central.people.importing import Report
    from central.people.people import People
    from central.people.records import Dossier

DONE, FINDING = 0, 1
STATES = {"lost": "lost", "stolen": "stolen", "revoke": "revoked", "found": "active"}
KINDS = ("profile", "schedule", "calendar")


def add_parts(parts: Any) -> None:
    """Adds this room's parts. `parts` is what argparse's `add_subparsers` returns."""
    _add_people(_group(parts, "people", "cardholders: who they are, and files of them"))
    _add_credential(_group(parts, "credential", "fobs and cards: issue, report, take back"))
    for kind in KINDS:
        _add_rule(_group(parts, kind, f"{kind}s: list, put, delete"), kind)
    _add_visitor(_group(parts, "visitor", "somebody whose access ends by itself"))


def _group(parts: Any, name: str, text: str) -> Any:
    return parts.add_parser(name, help=text, description=text).add_subparsers(dest="deed", required=True, metavar="DEED")


def _deed(deeds: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = deeds.add_parser(name, help=text, description=text)
    parser.add_argument("--config", type=Path, metavar="FILE", help="central.toml: names database and keys")
    parser.add_argument("--database", default="", metavar="FILE", help="a file or an address, instead of the configuration's")
    parser.add_argument("--keys", default="", metavar="FOLDER", help="the centre's keys, instead of the configuration's")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=run)
    return parser


def _add_people(deeds: Any) -> None:
    listed = _deed(deeds, "list", "people by name", _list)
    listed.add_argument("--text", default="", help="in their name or id, or the whole name of a credential of theirs")
    listed.add_argument("--limit", type=int, default=500, metavar="N", help="default %(default)s")
    _deed(deeds, "show", "one person", _show).add_argument("id", metavar="ID")
    add = _deed(deeds, "add", "a new person", _add)
    _add_person(add)
    suspend = _deed(deeds, "suspend", "nothing of theirs opens any door", _suspend)
    suspend.add_argument("id", metavar="ID")
    suspend.add_argument("--end", action="store_true", help="let it open again")
    bring = _deed(deeds, "import", "a CSV file; nothing is changed if any row is bad (exit 1)", _import)
    bring.add_argument("file", type=Path, metavar="FILE")
    bring.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    bring.add_argument("--skip-bad", action="store_true", help="bring in the good rows all the same")
    _deed(deeds, "export", "all people as CSV, for `import`; without PINs, templates and consents", _export).add_argument(
        "file", metavar="FILE", help="- for standard output"
    )
    old = _deed(deeds, "retention", "templates whose owner was read nowhere for years (exit 1 if there are any)", _retention)
    old.add_argument("--years", type=float, default=0.0, help="instead of the configuration's people.keep_years; at most 3")
    old.add_argument("--erase", action="store_true", help="erase them, here and at every door")


def _add_person(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--id", default="", help="goes to doors and into events; drawn at random unless given")
    parser.add_argument("--profile", action="append", default=[], metavar="ID", help="may be given again")
    parser.add_argument("--credential", action="append", default=[], metavar="KEY", help="e.g. H10301:1:5283; may be given again")
    parser.add_argument("--notes", default="")


def _add_credential(deeds: Any) -> None:
    issue = _deed(deeds, "issue", "give somebody a fob or card", _issue)
    issue.add_argument("id", metavar="ID")
    issue.add_argument("key", metavar="KEY", help="FORMAT:FACILITY:CARD, e.g. H10301:1:5283")
    issue.add_argument("--until", type=_moment, metavar="TIME", help="with its zone, e.g. 2026-12-31T18:00:00+01:00")
    issue.add_argument("--duress", action="store_true", help="it opens, and calls for help without a sign at the door")
    texts = {"lost": "refused at every door at once", "stolen": "refused at every door at once, and guards are told of each use",
             "revoke": "refused at every door at once", "found": "in use again"}  # fmt: skip
    for name, text in texts.items():
        _deed(deeds, name, text, _mark).add_argument("key", metavar="KEY")
    _deed(deeds, "return", "it came back and is nobody's: it may be issued anew", _return).add_argument("key", metavar="KEY")


def _add_rule(deeds: Any, kind: str) -> None:
    new = f"a {kind}, new or changed, from a JSON file as in docs/PEOPLE.md"
    for name, text, run in (
        ("list", f"all {kind}s", _rules),
        ("put", new, _put),
        ("delete", f"a {kind} that nobody follows", _drop),
    ):
        deed = _deed(deeds, name, text, run)
        deed.set_defaults(kind=kind)
        if name == "put":
            deed.add_argument("file", type=Path, metavar="FILE")
        if name == "delete":
            deed.add_argument("id", metavar="ID")


def _add_visitor(deeds: Any) -> None:
    add = _deed(deeds, "add", "a visitor", _add)
    _add_person(add)
    add.add_argument("--until", type=_moment, required=True, metavar="TIME", help="with its zone, e.g. 2026-12-31T18:00:00+01:00")


# -- people ------------------------------------------------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> int:
    from central.people.listing import page_of

    people = _open(args)
    people.audit.write(_me(), "people.listed", "", {"searched": bool(args.text)})
    for row in page_of(people, args.text, "", max(1, args.limit)):
        _out(args, row, f"{row.id}  {row.name}  {' '.join(row.profiles) or 'no profile'}  {row.credentials} credentials"
                        f"{'  enrolled' if row.enrolled else ''}{'  suspended' if row.suspended else ''}")  # fmt: skip
    return DONE


def _show(args: argparse.Namespace) -> int:
    people = _open(args)
    people.audit.write(_me(), "people.shown", args.id, {})
    return _tell(args, people.person(args.id))


def _add(args: argparse.Namespace) -> int:
    from central.people.records import Held, Person

    people = _open(args)
    until = getattr(args, "until", None)
    person = Person(id=args.id or people.fresh_id(), name=args.name, profiles=tuple(args.profile), notes=args.notes,
                    visitor=until is not None, valid_until=until)  # fmt: skip
    dossier = people.add(_me(), person)
    for key in args.credential:
        dossier = people.issue(_me(), person.id, Held(key=key))
    return _tell(args, dossier)


def _suspend(args: argparse.Namespace) -> int:
    return _tell(args, _open(args).change(_me(), args.id, {"suspended": not args.end}))


def _import(args: argparse.Namespace) -> int:
    from agent.progress import Progress
    from central.people.importing import bring_in
    from central.people.sheet import sheet_at

    people, sheet = _open(args), sheet_at(args.file)
    with args.file.open("rb") as raw:
        progress = Progress(max(0, sum(1 for _ in raw) - 1), "rows", sys.stderr, time.monotonic)
    report = bring_in(people, _me(), sheet, dry_run=args.dry_run, skip_bad=args.skip_bad, step=progress.step)
    progress.finish()
    return _tell_report(args, report)


def _tell_report(args: argparse.Namespace, report: Report) -> int:
    for fault in [] if args.json else report.faults:
        _say(f"row {fault.row}, {fault.column or 'all of it'}{f' {fault.value!r}' if fault.value else ''}: {fault.sentence}")
    if report.bad > len(report.faults):
        _say(f"… and {report.bad - len(report.faults)} more bad rows")
    counts = f"{report.new} new, {report.changed} changed, {report.unchanged} unchanged, {report.bad} bad"
    _out(args, report, f"{report.rows} rows: {counts}; {'changed' if report.applied else 'nothing was changed'}")
    return FINDING if report.bad else DONE


def _export(args: argparse.Namespace) -> int:
    from agent.files import replacing
    from central.people.importing import export

    people = _open(args)
    people.audit.write(_me(), "people.exported", "", {})
    if args.file == "-":
        for piece in export(people):
            sys.stdout.buffer.write(piece.encode())
        return DONE
    try:
        with replacing(Path(args.file)) as file:
            file.writelines(piece.encode() for piece in export(people))
    except OSError as error:
        raise ConfigError(f"{args.file}: cannot be written: {error}") from error
    _say(f"{args.file}: written; it names people, so only you can read it")
    return DONE


def _retention(args: argparse.Namespace) -> int:
    from central.enrolment.erasure import Erasures
    from central.enrolment.retention import outlived

    people, years = _open(args), args.years or _settings(args).people.keep_years
    if not 0 < years <= 3:
        raise ConfigError(f"--years {years:g}: more than 0, at most 3, are allowed")
    erasures = Erasures(people, lambda place: None)
    found = outlived(people, years)
    for each in found:
        if args.erase:
            erasures.revoke(_me(), each.id)
        last = f"read last on {each.last_read:%Y-%m-%d}" if each.last_read else "no read is known"
        _out(args, each, f"{each.id}  {each.name}  made on {each.made:%Y-%m-%d}, {last}{': erased' if args.erase else ''}")
    return FINDING if found and not args.erase else DONE


# -- credentials -------------------------------------------------------------------------------------------------------------------


def _issue(args: argparse.Namespace) -> int:
    from central.people.records import Held

    return _tell(args, _open(args).issue(_me(), args.id, Held(key=args.key, valid_until=args.until, duress=args.duress)))


def _mark(args: argparse.Namespace) -> int:
    state: Any = STATES[args.deed]
    _open(args).mark(_me(), args.key, state)
    _out(args, {"key": args.key, "state": state}, f"{args.key} is {state}; doors hear of it at once")
    return DONE


def _return(args: argparse.Namespace) -> int:
    _open(args).give_back(_me(), args.key)
    _out(args, {"key": args.key}, f"{args.key} is nobody's and may be issued anew")
    return DONE


# -- rules -------------------------------------------------------------------------------------------------------------------------


def _rules(args: argparse.Namespace) -> int:
    book = _open(args).book()
    for id, rule in {"profile": book.profiles, "schedule": book.schedules, "calendar": book.calendars}[args.kind].items():
        _out(args, rule, f"{id}  {msgspec.json.encode(rule).decode()}")
    return DONE


def _put(args: argparse.Namespace) -> int:
    from agent.core.access import AccessProfile
    from agent.core.schedules import Calendar, Schedule

    people = _open(args)
    kind: Any = {"profile": AccessProfile, "schedule": Schedule, "calendar": Calendar}[args.kind]
    try:
        rule = msgspec.json.decode(args.file.read_bytes(), type=kind)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ConfigError(f"{args.file}: {error}") from error
    getattr(people, f"put_{args.kind}")(_me(), rule)
    _say(f"{args.kind} {rule.id} is in force; doors hear of it at once")
    return DONE


def _drop(args: argparse.Namespace) -> int:
    _open(args).drop_rule(_me(), args.kind, args.id)
    _say(f"{args.kind} {args.id} is gone")
    return DONE


# -- what they share ---------------------------------------------------------------------------------------------------------------


def _open(args: argparse.Namespace) -> People:
    """Raises ConfigError, StoreError."""
    from central.accounts_cli import ANCHOR
    from central.database.opening import open_to_write
    from central.gateway.audit import AuditLog
    from central.people.people import People
    from central.people.vault import open_vault

    logging.getLogger("alembic").setLevel(logging.WARNING)  # that the database is up to date is no news
    settings, clock = _settings(args), SystemClock()
    keys = Path(args.keys or settings.keys.folder)
    engine = open_to_write(args.database or settings.database.url)
    return People(engine, clock, AuditLog(engine, clock, keys / ANCHOR), open_vault(keys))


def _settings(args: argparse.Namespace) -> Any:
    from central.settings import CentralConfig, load_settings

    return load_settings(args.config) if args.config else CentralConfig()


def _tell(args: argparse.Namespace, dossier: Dossier) -> int:
    from central.people.endpoints import told

    person, fobs = dossier.person, ", ".join(f"{held.key} ({held.state})" for held in dossier.credentials)
    until = f", until {person.valid_until:%Y-%m-%d %H:%M %Z}" if person.valid_until else ""
    what = f"profiles: {' '.join(person.profiles) or 'none'}; credentials: {fobs or 'none'}; {dossier.templates} templates"
    _out(args, told(dossier), f"{person.id}  {person.name}{until}{', suspended' if person.suspended else ''}; {what}")
    return DONE


def _moment(text: str) -> datetime:
    from agent.core.people import Moment

    try:
        return msgspec.convert(text, Moment)
    except msgspec.ValidationError as error:
        raise argparse.ArgumentTypeError("a time with its zone, such as 2026-12-31T18:00:00+01:00") from error


def _me() -> str:
    """Who is at the terminal, as the audit log calls them."""
    return f"terminal:{os.environ.get('SUDO_USER') or os.environ.get('USER') or os.getuid()}"


def _out(args: argparse.Namespace, value: Any, words: str) -> None:
    if args.json:
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    else:
        print(words)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
