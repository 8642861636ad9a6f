"""One program that owns a door's pins at a time: a lock on a file in the run folder, which ends with the process that holds it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import ConfigError
from agent.ownership import give_to_owner_of

LOCK_FILE = "door.lock"


@contextmanager
def only_one(run: Path) -> Iterator[None]:
    """Holds the lock for as long as the block lasts. Raises ConfigError when another program holds it, or the folder cannot be written.

    Enter it after a dead man's fork: the child must not inherit the descriptor.
    """
    path = run / LOCK_FILE
    try:
        file = path.open("w")
    except OSError as error:
        raise ConfigError(f"{run}: cannot be written: {error}; `run_folder` must be a folder this user may write") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"{run}: another door program runs here; stop it or use another `run_folder`") from error
        give_to_owner_of(run, path)
        yield
