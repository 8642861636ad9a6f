"""A quarter of a million credentials on one door: looking one up, and what they weigh."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

import msgspec

from agent.core.access import AccessProfile, AccessRules, Interval, Schedule
from agent.core.people import Roll
from agent.errors import DoorwardError
from agent.progress import Progress
from central.access.bundles import write_bundle
from tools.bench.figures import Figure, Section, Setting, distribution, percentile
from tools.bench.lookup_child import BUNDLE, CENTRE, CHANGED, DATABASE, DOOR, NEXT, SEAL, Result, make_database, people

CREDENTIALS = 250_000
LOOKUPS = 50_000
LOOKUP_MS, LOAD_S, CHANGED_S = 1.0, 2.0, 0.5
MADE = datetime(2026, 1, 1, tzinfo=timezone.utc)


def lookup(setting: Setting) -> Section:
    """Bundles of many people, looked up in processes of their own."""
    number = CREDENTIALS // 10 if setting.quick else CREDENTIALS
    folder = setting.folder / "lookup"
    (folder / "faceless").mkdir(parents=True)
    write_s = _write(folder / BUNDLE, 1, number, faces=1)
    _write(folder / NEXT, 2, number, faces=1, key=b"n" * 32)
    _write(folder / CHANGED, 2, number, faces=1, revoked=number // 2)
    _write(folder / "faceless" / BUNDLE, 1, number, faces=0)
    make_database(folder / DATABASE, number, 1)
    ways = {way: _child(way, folder, number, setting.repeats(LOOKUPS)) for way in ("bundle", "dict", "database", "map")}
    return Section(
        name="lookup", title=f"{number:,} credentials on one door",
        how=f"{number:,} cardholders with one fob and one template each, in a bundle that a child process reads as a door does; then "
            f"{setting.repeats(LOOKUPS):,} lookups of fobs picked at random, and as many of unknown ones, each timed by itself, from the "
            "credential's name to the opened record with its template. The same people in a dictionary of structs, in SQLite and in a mapped "
            "file, for comparison. Memory is RssAnon of /proc before and after.",
        figures=(*_door(ways["bundle"], write_s), *_faceless(folder), *_others(ways)),
        notes=("A dictionary is faster and holds every template and PIN in the clear for as long as the door runs.",
               "A map's pages come from the disk again when memory was wanted for something else (here a fast one; a card takes longer), and "
               f"a file cut short under a map kills the program: this one ended by signal {_cut_short(folder, number)} (7 is SIGBUS).",
               "The file's pages stay in the page cache after reading, as long as nobody else wants the memory: as much as the file again, "
               "and free to be taken. While all people are replaced a door holds both bundles."),
        samples={"lookup": ways["bundle"].known_ms[:5000], "lookup_while_reading": ways["bundle"].busy_ms[:5000]},
    )  # fmt: skip


def _door(by: Result, write_s: float) -> tuple[Figure, ...]:
    return (
        *distribution("lookup of a known fob", by.known_ms, LOOKUP_MS),
        *distribution("lookup of an unknown fob", by.unknown_ms, LOOKUP_MS),
        *distribution("lookup after lookup while a thread reads a whole new bundle", by.busy_ms),
        Figure(what="bundle, with one template each", value=by.file_mb, unit="MB"),
        Figure(what="reading and checking it at start", value=by.load_s, unit="s", most=LOAD_S),
        Figure(what="memory that its people take (RssAnon)", value=by.anonymous_mb, unit="MB"),
        Figure(what="the same after every one of them was replaced", value=by.replaced_mb, unit="MB"),
        Figure(what="reading a bundle in which all is new, while fobs are looked up", value=by.reload_s, unit="s"),
        Figure(what="reading a bundle in which one fob was withdrawn", value=by.changed_s, unit="s", most=CHANGED_S),
        Figure(what="writing it at the centre", value=write_s, unit="s"),
    )


def _faceless(folder: Path) -> tuple[Figure, ...]:
    return (Figure(what="bundle, without templates", value=(folder / "faceless" / BUNDLE).stat().st_size / 1e6, unit="MB"),)


def _others(ways: dict[str, Result]) -> tuple[Figure, ...]:
    names = {"dict": "dictionary of structs", "database": "SQLite, its file in memory", "map": "mapped file, its pages in memory"}
    figures = [
        figure
        for way, name in names.items()
        for figure in (
            Figure(what=f"{name}: lookup, p50", value=percentile(ways[way].known_ms, 0.5), unit="ms"),
            Figure(what=f"{name}: lookup, p99", value=percentile(ways[way].known_ms, 0.99), unit="ms"),
            Figure(what=f"{name}: memory of its own", value=ways[way].anonymous_mb, unit="MB"),
        )
    ]
    cold = ways["map"].cold_ms
    return (
        *figures,
        Figure(what="SQLite: its file", value=ways["database"].file_mb, unit="MB"),
        Figure(what="mapped file, its pages out of memory: lookup, p50", value=percentile(cold, 0.5), unit="ms"),
        Figure(what="mapped file, its pages out of memory: lookup, p99", value=percentile(cold, 0.99), unit="ms"),
        Figure(what="mapped file, its pages out of memory: lookup, max", value=percentile(cold, 1.0), unit="ms"),
    )


def _write(path: Path, version: int, number: int, faces: int, revoked: int = -1, key: bytes = SEAL) -> float:
    always = Schedule(id="always", zone="UTC", intervals=(Interval(days=tuple(range(7)), from_min=0, until_min=1440),))
    rules = AccessRules(version=version, site="hq", door="front", people=Roll(), schedules={"always": always},
                        profiles={"staff": AccessProfile(id="staff", doors=("front",), schedule="always")})  # fmt: skip
    progress = Progress(number, f"credentials sealed for {path.name}", sys.stderr, time.monotonic)
    began_s = time.monotonic()
    write_bundle(path, rules, people(number, faces, revoked), CENTRE, DOOR.public_key, MADE, key, progress.step)
    progress.finish()
    return time.monotonic() - began_s


def _run(way: str, folder: Path, number: int, lookups: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tools.bench.lookup_child", way, str(folder), str(number), "1", str(lookups)]
    return subprocess.run(command, capture_output=True, timeout=300, check=False)


def _child(way: str, folder: Path, number: int, lookups: int) -> Result:
    done = _run(way, folder, number, lookups)
    if done.returncode:
        last = list(islice(reversed(done.stderr.decode("utf-8", "replace").splitlines()), 1))
        raise DoorwardError(f"lookup by {way} ended with {done.returncode}: {' '.join(last)}")
    return msgspec.json.decode(done.stdout, type=Result)


def _cut_short(folder: Path, number: int) -> int:
    """The signal that ends a program under whose map the file was cut short; 0 when none did."""
    return max(0, -_run("cut_short", folder, number, 1).returncode)
