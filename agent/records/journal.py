"""The journal: every event of this door, until the historian has it.

`append` is called between two turns of the door's loop: it counts, writes to the black box and returns; a thread commits to SQLite behind
it. What the disk does (full, locked, slow, read-only, damaged) is a fault that is reported, and never a reason to lose an event or to stop
the door. Black box first, SQLite second: a program killed in between finds the event in the box when it starts again.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import msgspec
from msgspec import Struct

from agent.clock import Clock
from agent.core.clock_watch import UNMARKED, Mark
from agent.core.messages import Event
from agent.errors import JournalError
from agent.records.blackbox import BlackBox
from agent.records.ids import event_id, journal_id
from agent.records.journal_db import CorruptError, DiskTroubleError, JournalDb, Row, Waiting, saved_from, set_aside

log = logging.getLogger(__name__)

BATCH = 500
RETRY_MIN_S = 0.1
RETRY_MAX_S = 5.0
SLOW_S = 30.0
"""A worn card may take seconds; after this somebody should look at it."""

_encoder = msgspec.json.Encoder(enc_hook=repr)
_decoder = msgspec.json.Decoder(Event)


class Pending(Struct, frozen=True):
    """An event that waits for the historian. Positions order the events of all journals of this door."""

    position: int
    event: Event


class Journal:
    """Opens, or makes, the journal in a folder. Raises JournalError only when another program has it."""

    def __init__(self, folder: Path, clock: Clock, mark: Callable[[], Mark] = lambda: UNMARKED) -> None:
        """`mark`: what is to stand on an event of now about its time."""
        self._folder, self._mark = folder, mark
        self._path = folder / "journal.db"
        self._clock = clock
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self._queue: deque[Waiting] = deque()
        self._acks: deque[tuple[str, int, int]] = deque()
        self._damaged: deque[int] = deque()
        self._faults: dict[str, str] = {}
        self._listener: Callable[[], None] = _nobody
        self._journal, self._sequence, self._committed = journal_id(), 0, 0
        self._generations: dict[str, int] = {}
        self._stalled_since_s: float | None = None
        self._busy_since_s: float | None = None
        self._only_in_memory = 0
        self._db: JournalDb | None = None
        self._reader: JournalDb | None = None
        self._reader_lock = threading.RLock()
        self._bell = _Bell()
        self._closing = False
        self._lock_file = self._own(folder)
        self._box = self._open_box()
        self._start()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()
        self._bell.ring()  # what the black box held is committed before anything new comes

    # -- what the door uses --------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Which journal counts now."""
        return self._journal

    @property
    def committed(self) -> int:
        """Every event of this journal up to this sequence is in the database, or was and is acknowledged."""
        return self._committed

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong at this moment, in words. A disk that takes nothing costs nobody the door: what happens waits in the black box."""
        since_s = self._busy_since_s
        slow_s = self._clock.mono_s() - since_s if since_s is not None else 0.0
        slow = (f"journal: the disk has taken nothing for {slow_s:.0f} s",) if slow_s > SLOW_S else ()
        with self._lock:
            return (*self._faults.values(), *slow)

    def append(self, kind: str, data: dict[str, Any], at: datetime, mono_s: float) -> Event:
        """Put an event on record. Returns in microseconds, touches no disk, never raises for what is in `data`."""
        identity, (boot, standing) = event_id(at), self._mark()
        with self._lock:
            sequence = self._sequence + 1
            event = Event(sequence=sequence, journal=self._journal, id=identity, kind=kind, at=at, mono_s=mono_s, data=data, boot=boot,
                          clock=standing)  # fmt: skip
            event, body = _plain(event)
            self._sequence = sequence
            slots = self._box.put(body) if self._box else ()
            self._remember_number()
            if not slots:
                self._note_unprotected()
            self._queue.append(Waiting(self._journal, sequence, body, slots))
        self._bell.ring()
        return event

    def pending(self, after: int = 0, limit: int = 100) -> list[Pending]:
        """Committed events behind a position that nobody has acknowledged, in order. [] while the disk cannot be read."""
        with self._reader_lock:
            try:
                if self._reader is None:
                    if not self._path.exists():
                        return []
                    self._reader = JournalDb(self._path, reader=True)
                rows = self._reader.read(after, limit)
            except JournalError as error:
                self._note_fault("read", f"journal cannot be read: {error}")
                self._drop_reader()
                return []
        self._clear_fault("read")
        return [pending for row in rows if (pending := self._pending(row)) is not None]

    def acknowledge(self, ranges: Sequence[tuple[int, int]], journal: str | None = None) -> None:
        """The historian has committed these sequences (both ends included), of this journal or of an earlier one."""
        with self._lock:
            self._acks.extend((journal or self._journal, first, last) for first, last in ranges)
        self._bell.ring()

    def listen(self, listener: Callable[[], None]) -> None:
        """Be told, in the journal's thread, that something was committed. The listener must not wait."""
        self._listener = listener

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was appended and acknowledged is on the disk; False when time ran out first."""
        with self._settled:
            return self._settled.wait_for(lambda: not (self._queue or self._acks or self._damaged), timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Commit what waits, for as long as this, and let go of the files. What is not committed stays in the black box."""
        self._closing = True
        self.flush(timeout_s)
        self._bell.ring()
        self._thread.join(timeout_s)
        with self._reader_lock:
            self._drop_reader()
        for part in (self._db, self._box, self._lock_file):
            if part is not None:
                with contextlib.suppress(JournalError, OSError):
                    part.close()

    # -- start ---------------------------------------------------------------------------------------------------------------

    def _own(self, folder: Path) -> Any:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / "journal.lock").open("w")
        except OSError as error:
            self._note_fault("lock", f"{folder}: cannot be written: {error}")
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise JournalError(
                f"{folder}: another door program has this journal; stop it, or give this one its own folder"
            ) from error
        return file

    def _open_box(self) -> BlackBox | None:
        try:
            return BlackBox(self._folder / "blackbox")
        except JournalError as error:
            self._note_fault("blackbox", f"no black box: {error}")
            return None

    def _start(self) -> None:
        notices: list[tuple[str, dict[str, Any]]] = []
        torn = self._recover_box()
        box_replaced = self._box is not None and self._box.was_replaced
        try:
            notice = self._open_or_set_aside()
            if notice:
                notices.append(("journal.set_aside", notice))
        except DiskTroubleError as error:
            self._note_fault("disk", f"journal cannot be opened: {error}")
        if torn or box_replaced:
            notices.append(("journal.torn", {"slots": torn, "replaced": box_replaced}))
        for kind, data in notices:
            self._tell(kind, data)

    def _recover_box(self) -> int:
        if self._box is None:
            return 0
        torn = self._box.torn
        for record in self._box.found:
            try:
                event = _decoder.decode(record.payload)
            except (msgspec.DecodeError, UnicodeDecodeError):
                torn += 1
                self._box.free(record.slots)
                continue
            self._queue.append(Waiting(event.journal, event.sequence, record.payload, record.slots))
        return torn

    def _open_or_set_aside(self) -> dict[str, Any] | None:
        """Open the file; what is no journal any more gives way to a new one. Returns what to tell, if that happened."""
        try:
            db = JournalDb(self._path)
            self._continue(db)
        except CorruptError as error:
            return self._replace(error)
        return None

    def _continue(self, db: JournalDb) -> None:
        """Go on with the file's count, unless this program has already begun one of its own."""
        if db.current is not None and self._sequence == 0 and db.current not in self._generations:
            self._journal = db.current
            waiting = (event.sequence for event in self._queue if event.journal == self._journal)
            self._committed = db.high_water[self._journal]
            self._sequence = max(self._committed, self._number_given(), *waiting)
        self._take_over(db)

    def _take_over(self, db: JournalDb) -> None:
        """Make the journals of everything that waits known to the file, this one last."""
        for journal in dict.fromkeys(event.journal for event in self._queue):
            if journal != self._journal and journal not in db.generations:
                db.adopt(journal, self._generations.get(journal))
        db.begin_journal(self._journal)
        self._generations.update(db.generations)
        self._db = db

    def _replace(self, error: CorruptError) -> dict[str, Any]:
        with self._reader_lock:
            self._drop_reader()
            aside = set_aside(self._path, self._clock.wall())
            db = JournalDb(self._path)
        log.error("journal set-aside path=%s error=%s", aside, error)
        with self._lock:
            self._journal, self._sequence, self._committed = journal_id(), 0, 0
        for journal, generation in sorted(self._generations.items(), key=lambda known: known[1]):
            db.adopt(journal, generation)
        saved = db.inherit(saved_from(aside))
        self._take_over(db)
        return {"path": str(aside), "error": str(error), "events_saved": saved}

    # -- the writer's thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s: float | None = None
        while True:
            self._bell.wait(pause_s)
            try:
                done = self._work()
            except Exception as error:  # whatever it is, the door keeps its events in memory and says so
                log.exception("journal writer failed")
                self._stall(f"journal writer: {type(error).__name__}: {error}")
                done = False
            self._busy_since_s = None
            pause_s = None if done else min(RETRY_MAX_S, (pause_s or RETRY_MIN_S / 2) * 2)
            if self._closing and (done or pause_s == RETRY_MAX_S):
                return
            if not done and not self._closing:
                time.sleep(RETRY_MIN_S)  # a bell that rings for every new event must not hammer a sick disk

    def _work(self) -> bool:
        """Commit everything that waits. False: not now."""
        while True:
            self._busy_since_s = self._clock.mono_s()
            with self._lock:
                batch, acks, damaged = list(islice(self._queue, BATCH)), list(self._acks), list(self._damaged)
            if not (batch or acks or damaged):
                return True
            if not self._commit(batch, acks, damaged):
                return False
            self._settle(batch, acks, damaged)

    def _commit(self, batch: list[Waiting], acks: list[tuple[str, int, int]], damaged: list[int]) -> bool:
        try:
            if self._db is None:
                self._reopen()
            if self._db is None:
                return False
            self._db.write(batch, acks)
            for position in damaged:
                self._db.put_aside(position)
        except DiskTroubleError as error:
            self._stall(f"journal cannot be written: {error}")
            return False
        except CorruptError as error:
            return self._give_up(error)
        return True

    def _reopen(self) -> None:
        with self._reader_lock:  # the writer is opened while nothing else in this program has the file open
            self._drop_reader()
            notice = self._open_or_set_aside()
        if notice:
            self._tell("journal.set_aside", notice)

    def _give_up(self, error: CorruptError) -> bool:
        """The open file went bad: a new one takes its place."""
        if self._db is not None:
            with contextlib.suppress(JournalError):
                self._db.close()
            self._db = None
        try:
            notice = self._replace(error)
        except JournalError as trouble:
            self._stall(f"journal is damaged and cannot be set aside: {trouble}")
            return False
        self._tell("journal.set_aside", notice)
        return False

    def _settle(self, batch: list[Waiting], acks: list[Any], damaged: list[int]) -> None:
        with self._settled:
            for event in batch:
                self._queue.popleft()
                if event.journal == self._journal:
                    self._committed = event.sequence
                if event.slots and self._box is not None:
                    self._box.free(event.slots)
            for done, waiting in ((acks, self._acks), (damaged, self._damaged)):
                for _ in done:
                    waiting.popleft()
            if self._db is not None:
                self._generations = dict(self._db.generations)
            self._settled.notify_all()
        self._recovered()
        if batch:
            self._listener()

    def _stall(self, text: str) -> None:
        self._note_fault("disk", text)
        if self._stalled_since_s is None:
            self._stalled_since_s = self._clock.mono_s()
            log.error("journal stalled error=%s", text)
            self._tell("journal.fault", {"error": text})

    def _recovered(self) -> None:
        self._clear_fault("disk")
        if self._stalled_since_s is None:
            return
        stalled_s = self._clock.mono_s() - self._stalled_since_s
        self._stalled_since_s = None
        with self._lock:
            unprotected, self._only_in_memory = self._only_in_memory, 0
            if self._box is not None:
                self._faults.pop("blackbox", None)
        self._tell("journal.recovered", {"stalled_s": round(stalled_s, 3), "only_in_memory": unprotected})

    # -- small things --------------------------------------------------------------------------------------------------------

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        self.append(kind, data, at=self._clock.wall(), mono_s=self._clock.mono_s())

    def _remember_number(self) -> None:
        if self._box is not None:
            self._box.set_mark(b"%s %d" % (self._journal.encode(), self._sequence))

    def _number_given(self) -> int:
        """The last number of this journal that was given, even if its event had no room in the black box and is lost."""
        journal, _, number = (self._box.mark if self._box is not None else b"").partition(b" ")
        return int(number) if journal == self._journal.encode() and number.isdigit() else 0

    def _note_unprotected(self) -> None:
        self._only_in_memory += 1
        if self._box is not None:
            self._faults["blackbox"] = "the black box is full: new events wait in memory only"

    def _note_fault(self, name: str, text: str) -> None:
        with self._lock:
            self._faults[name] = text

    def _clear_fault(self, name: str) -> None:
        if name in self._faults:
            with self._lock:
                self._faults.pop(name, None)

    def _drop_reader(self) -> None:
        if self._reader is not None:
            with contextlib.suppress(JournalError):
                self._reader.close()
            self._reader = None

    def _pending(self, row: Row) -> Pending | None:
        if row.sound:
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                return Pending(row.position, _decoder.decode(row.body))
        self._tell("journal.row_damaged", {"position": row.position})
        with self._lock:
            self._damaged.append(row.position)
        self._bell.ring()
        return None


class _Bell:
    """Wakes the journal's thread. A third of the price of threading.Event for the one who rings, and the door's loop rings."""

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        if self._rings.empty():
            self._rings.put(None)

    def wait(self, timeout_s: float | None) -> None:
        with contextlib.suppress(Empty):
            self._rings.get(timeout=timeout_s)


def _nobody() -> None:
    """Nobody listens yet."""


def _plain(event: Event) -> tuple[Event, bytes]:
    """The event as JSON carries it, and that JSON. What cannot be carried is told in words rather than lost."""
    try:
        body = _encoder.encode(event)
        return _decoder.decode(body), body
    except Exception as error:  # noqa: BLE001 - an event must not be lost for what somebody put into it
        told = {"unreadable": repr(event.data)[:2000], "error": f"{type(error).__name__}: {error}"}
        event = msgspec.structs.replace(event, data=told)
        return event, _encoder.encode(event)
