"""What was seen in pictures already, so that an evaluation that was stopped goes on where it stood.

An SQLite file, a row for each picture and chain. The picture is named by the hash of its bytes, the chain by the hash of everything that
decides what is seen in it: after a change of a network or of a stage nothing old is taken. The file holds embeddings, which
are biometric data where the pictures show real people: only its owner may read it, and it should be deleted afterwards.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from agent.errors import ConfigError
from agent.evaluation.report import USED
from models_tflite.manifest import Manifest

T = TypeVar("T")

COMMIT_EVERY = 32
"""Pictures: losing so many to a kill costs a second of work; a commit for each would cost more."""
_TABLE = "CREATE TABLE IF NOT EXISTS look (picture TEXT, chain TEXT, outcome BLOB NOT NULL, PRIMARY KEY (picture, chain)) WITHOUT ROWID"


class ResumeError(ConfigError):
    """The resume file cannot be used: the text names it."""


class Memory(Generic[T]):
    """Looks of this run only."""

    def __init__(self) -> None:
        self._looks: dict[str, T] = {}

    def get(self, picture: str) -> T | None:
        return self._looks.get(picture)

    def put(self, picture: str, look: T) -> None:
        self._looks[picture] = look

    def close(self) -> None:
        """Nothing to do."""


class ResumeFile(Generic[T]):
    """Looks of one `kind` that outlive the run. Raises ResumeError when the file is none of ours."""

    def __init__(self, path: Path, chain: str, kind: type[T]) -> None:
        self._path, self._chain, self._kind, self._pending = path, chain, kind, 0
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._database = sqlite3.connect(path)
            self._database.execute(_TABLE)
        except (OSError, sqlite3.Error) as cause:
            raise ResumeError(f"{path}: cannot serve as a resume file ({cause}); allowed is a new name or a file that this command"
                              " made") from cause  # fmt: skip

    def get(self, picture: str) -> T | None:
        try:
            row = self._database.execute(
                "SELECT outcome FROM look WHERE picture = ? AND chain = ?", (picture, self._chain)
            ).fetchone()
            return None if row is None else msgspec.msgpack.decode(row[0], type=self._kind)
        except (sqlite3.Error, msgspec.MsgspecError, UnicodeDecodeError) as cause:
            raise ResumeError(f"{self._path}: is damaged ({cause}); delete it and begin again") from cause

    def put(self, picture: str, look: T) -> None:
        """Raises ResumeError when it cannot be written, for instance on a full disk."""
        try:
            self._database.execute(
                "INSERT OR REPLACE INTO look VALUES (?, ?, ?)", (picture, self._chain, msgspec.msgpack.encode(look))
            )
            self._pending += 1
            if self._pending >= COMMIT_EVERY:
                self._commit()
        except sqlite3.Error as cause:
            raise ResumeError(f"{self._path}: cannot be written ({cause})") from cause

    def close(self) -> None:
        try:
            self._commit()
        except sqlite3.Error as cause:
            raise ResumeError(f"{self._path}: cannot be written ({cause})") from cause
        finally:
            self._database.close()

    def _commit(self) -> None:
        self._database.commit()
        self._pending = 0


def chain_id(manifest: Manifest, extra: Iterable[str]) -> str:
    """Names the chain: the networks' hashes, the text of every module it runs through, and what else the caller adds (versions)."""
    here = Path(__file__).parent
    modules = sorted([*(here.parent / "vision").glob("*.py"), here / "still.py"])
    digest = hashlib.sha256()
    for part in [*(manifest.model(role).sha256 for role in USED), *(module.read_text("utf-8") for module in modules), *extra]:
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()[:16]
