"""The door's access bundle on disk: which one is in force, what happens to one that is refused, and how a newer one is noticed.

What is in force lies in memory whole and was checked whole; the file may then be replaced, cut short or lost, and nobody at the door notices.
(A file cut short under a memory map kills the program with SIGBUS, and a page that was put out of memory takes a disk's time to come
back; docs/BENCHMARKS.md has the figures.) A copy of what is in force is kept beside the file, written from memory: its start in a file, its
parts in a folder of the copy's own, so a small change writes little and what is spoilt of the one is whole in the other.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from agent.clock import Clock, SystemClock
from agent.config import Config
from agent.core.access import AccessRules, no_rules
from agent.errors import BundleError, DoorwardError
from agent.files import write_whole
from agent.records.bundle_file import Bundle, Keys, Unfinished, read_bundle, version_of
from agent.records.bundle_parts import PartsFolder
from agent.records.journal import Journal
from agent.records.keys import centre_public, door_private

log = logging.getLogger(__name__)

WATCH_EVERY_S = 1.0
FEW_PARTS = 16
"""What so many leave behind is soon used again; looking through all memory for more takes milliseconds."""

Written = tuple[int, int, int]
"""Which file it is, when it was written last (ns; clocks of files are coarse), and how long it is."""


class Taken(Struct, frozen=True):
    """What a door got when it looked for rules. `refused` says why the file itself was not taken."""

    bundle: Bundle | None
    refused: str = ""
    set_aside: str = ""


def take_bundle(path: Path, keys: Keys, wall: datetime) -> Taken:
    """The rules to start with: those of the file if it is good and not older than the last good one, else the last good one.

    A file that is refused is set aside beside it. Never raises for what is in the files.
    """
    good = last_good(path)
    known = version_of(good, keys)
    try:
        return Taken(read_bundle(path, keys, known - 1 if known is not None else None))
    except BundleError as error:
        refused = str(error)
    try:
        kept = read_bundle(good, keys)
    except BundleError as error:
        return _without_good(path, keys, f"{refused}; {error}" if good.exists() else refused, wall)
    if not path.exists():
        return Taken(kept, f"{path}: is missing; the last good copy is in force")
    return Taken(kept, refused, _set_aside(path, wall))


def _without_good(path: Path, keys: Keys, refused: str, wall: datetime) -> Taken:
    """The last good copy is spoilt, so what its head says about age no longer counts."""
    try:
        return Taken(read_bundle(path, keys), refused)
    except BundleError as error:
        return Taken(None, refused or str(error), _set_aside(path, wall))


def last_good(path: Path) -> Path:
    return path.with_name(path.name + ".good")


def keep(bundle: Bundle, good: Path, folder: PartsFolder | None = None) -> None:
    """Make the last good copy one of this bundle; only what is not there is written. `folder`: the copy's own. Raises BundleError."""
    folder = folder or PartsFolder(good)
    try:
        for digest, part in zip(bundle.digests, bundle.parts, strict=True):
            folder.put(digest, part)
        folder.sync()
        if not good.exists() or good.read_bytes() != bundle.start:
            write_whole(good, bundle.start)
        folder.keep_only(bundle.digests)
    except OSError as error:
        raise BundleError(f"{good}: the last good copy cannot be kept: {error}") from error


class BundleStore:
    """The door's rules on disk. Raises ConfigError when a key of the configuration is missing or can be read by others."""

    def __init__(self, config: Config, journal: Journal, clock: Clock | None = None) -> None:
        self._path = Path(config.records.bundle)
        self._keys = Keys(centre_public(Path(config.records.centre_key)), door_private(Path(config.records.door_key)),
                          config.site, config.door)  # fmt: skip
        self._journal, self._clock = journal, clock or SystemClock()
        self._in_force: Bundle | None = None
        self.folder = PartsFolder(self._path)
        """Where parts lie that came one by one."""
        self._good = PartsFolder(last_good(self._path))
        self._looked_at: Written | None = None
        self._growing: Written | None = None
        """How the file was when it was found unfinished."""
        self.refused = ""
        """Why the file was not taken when it was looked at last."""
        self.renewed = 0
        """How many parts of the bundle in force the one before did not have."""

    def load(self) -> AccessRules:
        """The rules to start with; those that admit nobody when there has never been a good bundle. What was refused is put on record."""
        self._looked_at = self._written()
        taken = take_bundle(self._path, self._keys, self._clock.wall())
        if taken.bundle is None and self._looked_at is None and not last_good(self._path).exists():
            self._tell("bundle.missing", {})  # a door that is new: nothing was refused
        else:
            self._take(taken)
        rules = taken.bundle.rules if taken.bundle is not None else no_rules(self._keys.site, self._keys.name)
        self._tell("bundle.loaded", {"version": rules.version, "credentials": len(rules.people)})
        return rules

    def newer(self, in_force: AccessRules) -> AccessRules | None:
        """Rules that have come since, if they may replace those in force."""
        self.refused = ""
        written = self._written()  # before reading: what is written meanwhile is news
        try:
            taken = Taken(read_bundle(self._path, self._keys, in_force.version, folder=self.folder, before=self._in_force))
        except BundleError as error:
            if isinstance(error, Unfinished) and self._growing != written:
                self._growing = written  # somebody may still be copying it: look again before it is judged
                return None
            taken = Taken(None, str(error), _set_aside(self._path, self._clock.wall()))
        self._looked_at = written
        self._take(taken)
        return taken.bundle.rules if taken.bundle is not None else None

    def keep(self) -> None:
        """Keep a copy of what is in force, for the day the file is spoilt. Takes a disk's time; a failure is put on record."""
        if self._in_force is None:
            return
        try:
            keep(self._in_force, last_good(self._path), self._good)
        except BundleError as error:
            self._tell("bundle.refused", {"error": str(error), "set_aside": ""})

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._path

    @property
    def keys(self) -> Keys:
        """With what this door judges what comes from the centre."""
        return self._keys

    @property
    def held(self) -> dict[bytes, bytes]:
        """The parts in force by their hashes: they need not be fetched."""
        return self._in_force.held if self._in_force is not None else {}

    def tell_refused(self, error: str) -> None:
        """Put on record that something of the centre's was not taken, before it came to a file."""
        self._tell("bundle.refused", {"error": error, "set_aside": ""})

    @property
    def has_news(self) -> bool:
        """Whether there is a file, and another than the one that was looked at last."""
        return self._written() not in (None, self._looked_at)

    def _written(self) -> Written | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _take(self, taken: Taken) -> None:
        if taken.set_aside:
            self._looked_at = None
        if taken.bundle is not None:
            self.renewed = len({*taken.bundle.digests}.difference(self.held))
            self._in_force = taken.bundle
        self.refused = taken.refused
        if taken.refused:
            self._tell("bundle.refused", {"error": taken.refused, "set_aside": taken.set_aside})

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        self._journal.append(kind, data, at=self._clock.wall(), mono_s=self._clock.mono_s())


class BundleWatch:
    """Looks for a newer bundle in a thread of its own: reading one takes longer than a fob may wait. Keeps the last good copy, too."""

    def __init__(
        self, store: BundleStore, in_force: AccessRules, on_newer: Callable[[AccessRules], None], every_s: float = WATCH_EVERY_S,
        on_refused: Callable[[str], None] = lambda why: None,
    ) -> None:  # fmt: skip
        self._store, self._in_force, self._every_s = store, in_force, every_s
        self._on_newer, self._on_refused = on_newer, on_refused
        self._stopping = False
        self._bell = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bundle-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def look_now(self) -> None:
        """A file was just put there. From any thread."""
        self._bell.set()

    def stop(self) -> None:
        self._stopping = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(WATCH_EVERY_S + 1)

    def _run(self) -> None:
        self._store.keep()
        while not self._stopping:
            self._bell.wait(self._every_s)
            self._bell.clear()
            try:
                if self._store.has_news and not self._stopping:
                    self._look()
            except DoorwardError as error:
                log.error("bundle watch error=%s", error)

    def _look(self) -> None:
        newer = self._store.newer(self._in_force)
        if newer is None and self._store.refused:
            self._on_refused(self._store.refused)
        if newer is not None:
            self._in_force = newer
            self._on_newer(newer)
            self._store.keep()  # after it counts: a copy takes a disk's time, and a revoked fob must not
            if self._store.renewed > FEW_PARTS:
                give_memory_back()


def give_memory_back() -> None:
    """Return freed memory to the system: glibc would keep as much as all the people who were replaced. Milliseconds."""
    import ctypes  # only where it is needed: a door that never gets new people does without

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have no such thing
    if trim is not None:
        trim(0)


def _set_aside(path: Path, wall: datetime) -> str:
    target = path.with_name(f"{path.name}.refused-{wall.strftime('%Y%m%dT%H%M%SZ')}")
    try:
        path.rename(target)
    except OSError:
        return ""
    return str(target)
