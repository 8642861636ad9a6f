"""Packages at the centre: taken in from a file or a folder, looked at as a door would, cut into parts, served piece by piece.

STATE/updates/NUMBER/content     the files one behind the other, in parts of agent.updates.package.PART_BYTES

What is known of them is in the database. Whoever takes one in answers for it: their name, its hash and its files go on the audit record, and
the centre's key signs what each door is ordered. A program, and a system, bear their maker's signature besides, which root's helper looks at.
"""

from __future__ import annotations

import logging
import os
import shutil
import tarfile
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Engine, delete, insert, select, update

from agent.clock import Clock
from agent.errors import BundleError, ConfigError, DoorwardError, ModelError
from agent.ownership import give_to_owner_of
from agent.records.bundle_parts import digest_of
from agent.records.bundle_pieces import PIECE_BYTES, pieces_in
from agent.updates.checking import check_models
from agent.updates.in_force import RULES_FILE
from agent.updates.order import Package
from agent.updates.overlay import overlay_alone
from agent.updates.package import MOST_B, PART_BYTES, Head, Kind, PackageFile, Version, encode_head, parse_head
from central.database.engine import reading, writing
from central.database.tables_updates import ROLLOUT_DOORS, ROLLOUTS, UPDATE_ORDERS, UPDATE_PACKAGES
from central.gateway.audit import AuditLog
from models_tflite.manifest import EMBEDDER, MANIFEST, load_manifest

log = logging.getLogger(__name__)

FOLDER, CONTENT = "updates", "content"
MOST_OPEN = 4
Note = Annotated[str, Meta(max_length=300)]


class Unfit(DoorwardError, ValueError):
    """A package that no door would take, or one that is still needed; the text says why."""


class Listed(Struct, frozen=True, kw_only=True):
    """A package as people see it."""

    number: int
    kind: str
    version: str
    note: str
    size_b: int
    made: datetime
    who: str
    files: tuple[str, ...] = ()


class Packages:
    """From any thread, but `piece` from one."""

    def __init__(self, engine: Engine, clock: Clock, audit: AuditLog, state: Path) -> None:
        self._engine, self._clock, self._audit, self._folder = engine, clock, audit, state / FOLDER
        self._open: OrderedDict[int, Head] = OrderedDict()
        self._by_part: dict[bytes, tuple[int, int]] = {}
        """Hash -> package and which part of it; of a head the part is -1."""

    # -- taking in

    def add(self, who: str, kind: Kind, source: Path, version: str, note: str = "") -> Listed:
        """Take in a file (rules, program, system) or a folder (models). Raises Unfit naming everything that a door would refuse."""
        files = _files_of(kind, source)
        self._demand_new(kind, _version(version), note)
        made = self._clock.wall()
        with writing(self._engine) as db:
            row = {"kind": kind, "version": version, "note": note, "size_b": 0, "head": b"", "made": made, "who": who}
            number = int(db.execute(insert(UPDATE_PACKAGES).values(row).returning(UPDATE_PACKAGES.c.number)).scalar_one())
        try:
            head = self._write(number, kind, version, made, files)
            raw = encode_head(head)
            with writing(self._engine) as db:
                db.execute(update(UPDATE_PACKAGES).where(UPDATE_PACKAGES.c.number == number).values(head=raw, size_b=head.size_b))
                told = {
                    "version": version,
                    "note": note,
                    "size_b": head.size_b,
                    "head": digest_of(raw).hex(),
                    "files": len(head.files),
                }
                self._audit.write(who, "update.added", f"{kind} {number}", told, connection=db)
        except (OSError, BundleError) as error:
            self._drop(number)
            raise Unfit(f"{source}: cannot be taken in: {error}") from error
        return next(each for each in self.listed() if each.number == number)

    def _demand_new(self, kind: Kind, version: str, note: str) -> None:
        if len(note) > 300:
            raise Unfit("the note: at most 300 characters")
        same = select(UPDATE_PACKAGES.c.number, UPDATE_PACKAGES.c.head).where(UPDATE_PACKAGES.c.kind == kind,
                                                                              UPDATE_PACKAGES.c.version == version)  # fmt: skip
        with reading(self._engine) as db:
            found = db.execute(same).first()
        if found is not None and found.head:
            raise Unfit(f"{kind} {version} is there already, as number {found.number}: what changed gets another version")
        if found is not None:  # whoever took it in was killed in the middle
            self._drop(found.number)

    def _write(self, number: int, kind: Kind, version: str, made: datetime, files: list[tuple[str, Path]]) -> Head:
        folder = self._folder / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        parts, listed = list[bytes](), list[PackageFile]()
        with (folder / CONTENT).open("wb") as content:
            for name, path in files:
                listed.append(PackageFile(path=name, size_b=path.stat().st_size))
            for part in _cut(path for _, path in files):
                content.write(part)
                parts.append(digest_of(part))
            content.flush()
            os.fsync(content.fileno())
        give_to_owner_of(self._folder.parent, self._folder, folder, folder / CONTENT)
        return Head(kind=kind, number=number, version=version, made=made, files=tuple(listed), parts=tuple(parts))

    def _drop(self, number: int) -> None:
        with writing(self._engine) as db:
            db.execute(delete(UPDATE_PACKAGES).where(UPDATE_PACKAGES.c.number == number))
        shutil.rmtree(self._folder / str(number), ignore_errors=True)

    def remove(self, who: str, number: int) -> None:
        """Raises Unfit for one that a door runs or is ordered to run, or that is being rolled out."""
        with reading(self._engine) as db:
            used = db.execute(select(UPDATE_ORDERS.c.door).where(UPDATE_ORDERS.c.package == number).limit(1)).first()
            former = db.execute(select(ROLLOUT_DOORS.c.door).where(ROLLOUT_DOORS.c.before == number).limit(1)).first()
            live = (ROLLOUTS.c.package == number, ROLLOUTS.c.state.in_(("running", "stopped")))
            rolled = db.execute(select(ROLLOUTS.c.id).where(*live)).first()
        listed = self.one(number)
        if used is not None or rolled is not None or former is not None:
            raise Unfit(f"{listed.kind} {listed.version} is in use at doors, or doors may go back to it")
        self._drop(number)
        self._audit.write(who, "update.removed", f"{listed.kind} {number}", {"version": listed.version})

    # -- what there is

    def listed(self) -> list[Listed]:
        """Newest first."""
        with reading(self._engine) as db:
            rows = db.execute(
                select(UPDATE_PACKAGES).where(UPDATE_PACKAGES.c.size_b > 0).order_by(UPDATE_PACKAGES.c.number.desc())
            ).all()
        return [Listed(number=row.number, kind=row.kind, version=row.version, note=row.note, size_b=row.size_b, made=row.made, who=row.who,
                       files=tuple(each.path for each in parse_head(row.head).files)) for row in rows]  # fmt: skip

    def one(self, number: int) -> Listed:
        """Raises Unfit where there is none."""
        found = next((each for each in self.listed() if each.number == number), None)
        if found is None:
            raise Unfit(f"there is no update with the number {number}")
        return found

    def ordered(self, number: int) -> Package:
        """As it stands in an order. Raises Unfit."""
        raw = self._head(number)
        head = parse_head(raw)
        return Package(number=number, version=head.version, head=digest_of(raw), head_length=len(raw), size_b=head.size_b)

    def embedder_of(self, number: int) -> str:
        """Which network compares faces in this package of models. Raises Unfit."""
        head, content = parse_head(self._head(number)), self._folder / str(number) / CONTENT
        at = 0
        for file in head.files:
            if file.path == MANIFEST:
                return _embedder_in(_stretch(content, at, file.size_b))
            at += file.size_b
        raise Unfit(f"number {number} are no models")

    def _head(self, number: int) -> bytes:
        with reading(self._engine) as db:
            raw = db.scalar(select(UPDATE_PACKAGES.c.head).where(UPDATE_PACKAGES.c.number == number))
        if not raw:
            raise Unfit(f"there is no update with the number {number}")
        return bytes(raw)

    # -- serving

    def piece(self, digest: bytes, number: int) -> bytes | None:
        """A stretch of a head or a part; None for what is not here."""
        found = self._by_part.get(digest) or self._looked_for(digest)
        if found is None:
            return None
        package, part = found
        if part < 0:
            return self._head(package)[number * PIECE_BYTES : (number + 1) * PIECE_BYTES] or None
        length = self._open_head(package).length_of(part)
        if number >= pieces_in(length):
            return None
        start = number * PIECE_BYTES
        try:
            return _stretch(self._folder / str(package) / CONTENT, part * PART_BYTES + start, min(PIECE_BYTES, length - start))
        except OSError as error:
            log.error("update content number=%d error=%s", package, error)
            return None

    def _looked_for(self, digest: bytes) -> tuple[int, int] | None:
        for each in self.listed():
            self._open_head(each.number)
        return self._by_part.get(digest)

    def _open_head(self, number: int) -> Head:
        if number not in self._open:
            raw = self._head(number)
            head = parse_head(raw)
            self._open[number] = head
            self._by_part[digest_of(raw)] = number, -1
            self._by_part.update({part: (number, at) for at, part in enumerate(head.parts)})
        return self._open[number]


def _version(told: str) -> str:
    try:
        return msgspec.convert(told, Version)
    except msgspec.ValidationError as error:
        raise Unfit(
            f"version {told[:80]!r}: 1 to 60 of letters, digits and . + _ - are allowed, beginning with a letter or digit"
        ) from error


def _files_of(kind: Kind, source: Path) -> list[tuple[str, Path]]:
    """Name in the package and where it lies. Raises Unfit."""
    try:
        if kind == "models":
            return _models(source)
        if not source.is_file():
            raise Unfit(f"{source}: is no file; {kind} come as one file")
        if source.stat().st_size > MOST_B[kind] or not source.stat().st_size:
            raise Unfit(f"{source}: {source.stat().st_size} bytes; 1 to {MOST_B[kind]} are allowed")
        _CHECKS[kind](source)
        return [({"rules": RULES_FILE}.get(kind, "bundle"), source)]
    except (ConfigError, ModelError, BundleError) as error:
        raise Unfit(str(error)) from error
    except OSError as error:
        raise Unfit(f"{source}: cannot be read: {error}") from error


def _models(source: Path) -> list[tuple[str, Path]]:
    if not (source / MANIFEST).is_file():
        raise Unfit(f"{source}: is no folder with a {MANIFEST}, which says what the networks are")
    manifest = load_manifest(source)
    check_models(source, manifest, new_embedder=True)
    names = {MANIFEST, *(entry.file for entry in manifest.models), *(entry.licence_file for entry in manifest.models)}
    names |= {entry.card for entry in manifest.models if (source / entry.card).is_file()}
    return [(name, source / name) for name in sorted(names)]


def _program(source: Path) -> None:
    """As far as it can be said without the key of whoever made it."""
    wanted = {"install.sh", "manifest.json", "manifest.sig"}
    try:
        with tarfile.open(source, "r:") as tar:
            names = {member.name.removeprefix("./") for member in tar.getmembers()}
    except (tarfile.TarError, EOFError) as error:
        raise Unfit(f"{source}: is no bundle of `make bundle`: {error}") from error
    if missing := sorted(wanted - names):
        raise Unfit(f"{source}: is no bundle of `make bundle`: it has no {', '.join(missing)}")


def _system(source: Path) -> None:
    """A RAUC bundle is a SquashFS with its signature behind it."""
    with source.open("rb") as file:
        if file.read(4) != b"hsqs":
            raise Unfit(f"{source}: is no bundle of RAUC: it does not begin as a SquashFS does")


_CHECKS = {"rules": overlay_alone, "program": _program, "system": _system}


def _cut(paths: Iterator[Path]) -> Iterator[bytes]:
    """The files one behind the other, in parts."""
    held = b""
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(PART_BYTES - len(held)):
                held += piece
                if len(held) == PART_BYTES:
                    yield held
                    held = b""
    if held:
        yield held


def _stretch(content: Path, start: int, length: int) -> bytes:
    with content.open("rb") as file:
        return os.pread(file.fileno(), length, start)


class _Role(Struct):
    role: str
    sha256: str = ""


class _Roles(Struct):
    models: tuple[_Role, ...]


def _embedder_in(manifest: bytes) -> str:
    try:
        roles = msgspec.json.decode(manifest, type=_Roles).models
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unfit(f"{MANIFEST}: {error}") from error
    return next((each.sha256[:12] for each in roles if each.role == EMBEDDER), "")
