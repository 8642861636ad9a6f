"""One way of looking credentials up, in a process of its own so that its memory can be read. Called by tools.bench.lookup only."""

from __future__ import annotations

import mmap
import os
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import accumulate, pairwise
from pathlib import Path

import msgspec
from msgspec import Struct
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from agent.core.people import Cardholder, Credential, Issued, Known
from agent.core.template8 import unpacked
from agent.records.bundle import give_memory_back
from agent.records.bundle_file import Bundle, Keys, read_bundle
from agent.records.people_file import Codec, Columns, Seal, record_in

CENTRE, DOOR, SEAL = SigningKey(b"c" * 32), PrivateKey(b"d" * 32), b"k" * 32
KEYS = Keys(CENTRE.verify_key, DOOR, "hq", "front")
DATABASE, BUNDLE, NEXT, CHANGED = "people.db", "access.bundle", "next.bundle", "changed.bundle"
SWITCH_S = 0.0005
"""As the door program sets it."""


class Result(Struct, kw_only=True):
    """What a child prints: milliseconds of single lookups, seconds, and megabytes of /proc."""

    known_ms: tuple[float, ...] = ()
    unknown_ms: tuple[float, ...] = ()
    busy_ms: tuple[float, ...] = ()
    """While a whole new bundle was read in another thread."""
    cold_ms: tuple[float, ...] = ()
    load_s: float = 0.0
    reload_s: float = 0.0
    changed_s: float = 0.0
    anonymous_mb: float = 0.0
    """Memory of its own that the people take."""
    replaced_mb: float = 0.0
    """The same after all of them were replaced once."""
    file_mb: float = 0.0
    signal: int = 0


def people(number: int, faces: int, revoked: int = -1, seed: int = 20) -> Iterator[Issued]:
    """So many cardholders with one fob each; every template another random direction."""
    generator = random.Random(seed)  # noqa: S311 - people, no secrets
    for n in range(number):
        holder = Cardholder(id=f"{n:032x}", profiles=("staff",), templates=tuple(_face(generator) for _ in range(faces)),
                            embedder_id="0123456789ab" if faces else "")  # fmt: skip
        state = "revoked" if n == revoked else "active"
        yield Issued(holder, (Credential(key=fob(n), cardholder=holder.id, state=state),))  # type: ignore[arg-type]


def _face(generator: random.Random) -> bytes:
    """192 numbers of a random direction: bytes stretched to length one."""
    return unpacked(generator.randbytes(192))


def fob(number: int) -> str:
    return f"H10301:{number % 256}:{number}"


def make_database(path: Path, number: int, faces: int) -> None:
    """The same people as a person would put them into SQLite."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE cardholder (id TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;"
                         "CREATE TABLE credential (key TEXT PRIMARY KEY, cardholder TEXT, body BLOB) WITHOUT ROWID;")  # fmt: skip
        encode = msgspec.msgpack.Encoder().encode
        for one in people(number, faces):
            db.execute("INSERT INTO cardholder VALUES (?, ?)", (one.cardholder.id, encode(one.cardholder)))
            db.executemany("INSERT INTO credential VALUES (?, ?, ?)", ((c.key, c.cardholder, encode(c)) for c in one.credentials))
        db.commit()


def timed(find: Callable[[str], Known | None], keys: list[str]) -> tuple[float, ...]:
    """Milliseconds of each lookup."""
    taken = []
    for key in keys:
        began = time.perf_counter()
        find(key)
        taken.append((time.perf_counter() - began) * 1e3)
    return tuple(taken)


def anonymous_mb() -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024 / 1e6


def by_bundle(folder: Path, known: list[str], unknown: list[str]) -> Result:
    """As a door does it."""
    before_mb, began_s = anonymous_mb(), time.perf_counter()
    bundle = read_bundle(folder / BUNDLE, KEYS)
    result = Result(load_s=time.perf_counter() - began_s, file_mb=(folder / BUNDLE).stat().st_size / 1e6)
    result.anonymous_mb = anonymous_mb() - before_mb
    result.known_ms, result.unknown_ms = timed(bundle.rules.people.find, known), timed(bundle.rules.people.find, unknown)
    began_s = time.perf_counter()
    read_bundle(folder / CHANGED, KEYS, 1, bundle.held)
    result.changed_s = time.perf_counter() - began_s
    fresh = _while_replaced(folder, bundle, known, result)
    del bundle
    give_memory_back()
    result.replaced_mb = anonymous_mb() - before_mb
    if fresh.rules.version != 2:
        raise SystemExit("the other bundle was not read")
    return result


def _while_replaced(folder: Path, bundle: Bundle, known: list[str], result: Result) -> Bundle:
    """Lookups while a thread reads a bundle of which every part is new."""
    fresh: list[Bundle] = []

    def read() -> None:
        began_s = time.perf_counter()
        fresh.append(read_bundle(folder / NEXT, KEYS, 1, bundle.held))
        result.reload_s = time.perf_counter() - began_s

    reader = threading.Thread(target=read)
    reader.start()
    taken: list[float] = []
    while reader.is_alive():
        taken += timed(bundle.rules.people.find, known[len(taken) % len(known) :][:20])
    reader.join()
    result.busy_ms = tuple(taken)
    return fresh[0]


def by_dict(number: int, faces: int, known: list[str], unknown: list[str]) -> Result:
    """A dictionary of structs in the clear."""
    before_mb = anonymous_mb()
    book = {credential.key: Known(credential, one.cardholder) for one in people(number, faces) for credential in one.credentials}
    return Result(known_ms=timed(book.get, known), unknown_ms=timed(book.get, unknown), anonymous_mb=anonymous_mb() - before_mb)


def by_database(folder: Path, known: list[str], unknown: list[str]) -> Result:
    """SQLite with two primary keys, its file in the page cache."""
    before_mb, began_s = anonymous_mb(), time.perf_counter()
    holders, credentials = msgspec.msgpack.Decoder(Cardholder), msgspec.msgpack.Decoder(Credential)
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        query = "SELECT c.body, h.body FROM credential c JOIN cardholder h ON h.id = c.cardholder WHERE c.key = ?"

        def find(key: str) -> Known | None:
            row = db.execute(query, (key,)).fetchone()
            return Known(credentials.decode(row[0]), holders.decode(row[1])) if row else None

        find(known[0])
        load_s = time.perf_counter() - began_s
        return Result(load_s=load_s, known_ms=timed(find, known), unknown_ms=timed(find, unknown),
                      anonymous_mb=anonymous_mb() - before_mb, file_mb=(folder / DATABASE).stat().st_size / 1e6)  # fmt: skip


class Mapped:
    """The same file, mapped instead of read: what we do not do, and measure to know why."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        bundle = read_bundle(path, KEYS)
        self._places = list(pairwise(accumulate((len(part) for part in bundle.parts), initial=len(bundle.start))))
        self._shift = 64 - (len(self._places).bit_length() - 1)
        self._seal, self._codec = Seal(SEAL), Codec(Columns.HERE)
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._map = memoryview(mmap.mmap(self._file.fileno(), 0, prot=mmap.PROT_READ))

    def find(self, key: str) -> Known | None:
        hashed = self._seal.hash_of(key)
        start, end = self._places[hashed >> self._shift]
        record = record_in(self._map[start:end], hashed)  # type: ignore[arg-type]
        return self._codec.decode(self._seal.open(hashed, bytes(record))) if record is not None else None


def by_map(folder: Path, known: list[str], unknown: list[str]) -> Result:
    """Mapped: first with its pages out of memory, then with all of them there."""
    mapped = Mapped(folder / BUNDLE)
    cold_ms = timed(mapped.find, known[:1000])
    before_mb = anonymous_mb()
    for key in known:
        mapped.find(key)
    result = Result(cold_ms=cold_ms, known_ms=timed(mapped.find, known), unknown_ms=timed(mapped.find, unknown))
    result.anonymous_mb = anonymous_mb() - before_mb
    return result


def cut_short(folder: Path) -> None:
    """Maps a copy of the bundle that is then truncated, as somebody who copies over it would; ends by a signal."""
    copy = folder / "copy.bundle"
    copy.write_bytes((folder / BUNDLE).read_bytes())
    mapped = Mapped(copy)
    os.truncate(copy, 10)
    mapped.find(fob(1))


def main(way: str, folder: str, number: str, faces: str, lookups: str) -> None:
    """Prints a Result as JSON."""
    sys.setswitchinterval(SWITCH_S)
    count, generator = int(number), random.Random(7)  # noqa: S311 - who is asked for
    known = [fob(generator.randrange(count)) for _ in range(int(lookups))]
    unknown = [fob(count + n) for n in range(int(lookups))]
    if way == "cut_short":
        cut_short(Path(folder))
        return
    ways: dict[str, Callable[[], Result]] = {
        "bundle": lambda: by_bundle(Path(folder), known, unknown),
        "dict": lambda: by_dict(count, int(faces), known, unknown),
        "database": lambda: by_database(Path(folder), known, unknown),
        "map": lambda: by_map(Path(folder), known, unknown),
    }
    sys.stdout.buffer.write(msgspec.json.encode(ways[way]()))


if __name__ == "__main__":
    main(*sys.argv[1:])
