"""`doorward explain EVENT`: why a door did what it did, in words. With --json one object on standard output; words go to standard error."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from agent.core.event_time import said_time
from agent.core.explain import Explanation, explain, lines_of
from agent.core.messages import Event
from agent.errors import ConfigError, DoorwardError, WireError
from agent.link.cloudevents import Told, from_cloudevent
from central.config_option import add_config

DONE, FINDING = 0, 1
DATABASE = "/var/lib/doorward-central/central.db"
LEAST_OF_AN_ID = 4
LAST = "last"
EXPLAINED = ("access.*", "risk.*")
BATCH = 500


class UnknownEventError(DoorwardError, KeyError):
    """There is no such event, or there are several."""

    def __str__(self) -> str:
        return str(self.args[0])


def add_parser(subparsers: Any) -> None:
    """Adds `explain`. `subparsers` is what argparse's `add_subparsers` returns."""
    parser = subparsers.add_parser("explain", help="why a door did what it did: rule, evidence, norms, versions, in words",
                                   description=__doc__)  # fmt: skip
    parser.add_argument("event", metavar="EVENT", help=f"its id, or how that begins, or '{LAST}': the newest decision or risk")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--database", default=DATABASE, metavar="FILE", help="the historian's, or its address (default %(default)s)"
    )
    add_config(where)
    where.add_argument("--records", type=Path, metavar="FOLDER", help="a door's own folder: what it has not delivered yet")
    where.add_argument(
        "--events", type=Path, metavar="FILE", help="CloudEvents, one a line, as `doorward central events --json` writes them"
    )
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=_explain)


def _explain(args: argparse.Namespace) -> int:
    told = find(args.event, _source(args))
    event = told.event
    found = explain(event.id, event.kind, said_time(event.at, event.clock), f"{told.site}/{told.door}".strip("/"), event.data)
    _say(found, args.json)
    return DONE


def _say(found: Explanation, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()
        return
    for line in lines_of(found):
        print(line, file=sys.stderr, flush=True)


def find(wanted: str, told: Callable[[str], Iterator[Told]]) -> Told:
    """The event of an id, of the beginning of one, or the newest that has something to explain. Raises UnknownEventError."""
    if wanted == LAST:
        newest = max((each for each in told("") if each.event.kind.startswith(("access.", "risk."))), default=None,
                     key=lambda each: each.event.at)  # fmt: skip
        if newest is None:
            raise UnknownEventError("there is no decision and no risk here yet")
        return newest
    if len(wanted) < LEAST_OF_AN_ID:
        raise ConfigError(f"EVENT is {wanted!r}: at least the first {LEAST_OF_AN_ID} characters of an id, or '{LAST}'")
    found = {each.event.id: each for each in told(wanted)}
    if not found:
        raise UnknownEventError(f"no event here has an id that begins with {wanted!r}")
    if len(found) > 1 and wanted not in found:
        raise UnknownEventError(f"{len(found)} events have an id that begins with {wanted!r}: {', '.join(sorted(found)[:5])} …")
    return found.get(wanted) or next(iter(found.values()))


# -- where events are ----------------------------------------------------------------------------------------------------------


def _source(args: argparse.Namespace) -> Callable[[str], Iterator[Told]]:
    if args.records is not None:
        return lambda begins: _of_journal(args.records, begins)
    if args.events is not None:
        return lambda begins: _of_file(args.events, begins)
    return lambda begins: _of_database(args.database, begins)


def _of_database(path: str, begins: str) -> Iterator[Told]:
    from central.database.opening import opened_to_read
    from central.history.events import EventStore

    with opened_to_read(path) as engine:
        store = EventStore(engine)
        newest = store.newest(*EXPLAINED) if not begins else None
        for kept in store.by_id(begins) if begins else [newest] if newest else []:
            yield kept.told


def _of_journal(folder: Path, begins: str) -> Iterator[Told]:
    """A journal knows its door by its folder alone."""
    from agent.records.journal_db import JournalDb

    path = folder / "journal.db"
    if not path.is_file():
        raise ConfigError(f"{path}: no such journal; --records names the door's `records.folder`")
    with closing(JournalDb(path, reader=True)) as journal:
        position = -1
        while rows := journal.read(position, BATCH):
            position = rows[-1].position
            for row in rows:
                event = msgspec.json.decode(row.body, type=Event) if row.sound else None
                if event is not None and event.id.startswith(begins):
                    yield Told("", "", event)


def _of_file(path: Path, begins: str) -> Iterator[Told]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        try:
            told = from_cloudevent(line)
        except WireError as error:
            raise WireError(f"{path}, line {number}: {error}") from error
        if told.event.id.startswith(begins):
            yield told
