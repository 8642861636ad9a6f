"""Files of the site's folder: whole at every moment, and readable for exactly those who need them."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import ConfigError
from agent.files import write_whole

OWNER_ONLY = 0o600
FOR_ALL = 0o644
FOR_GROUP = 0o640


def put(path: Path, raw: bytes, mode: int = OWNER_ONLY, group: str = "") -> None:
    """Replace a file. `group` gets it when root writes; others cannot give files away. Raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, raw)
        path.chmod(mode)
        give(path, group=group)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}") from error


def folder(path: Path, mode: int, group: str = "") -> None:
    """Make a folder, or set the mode of one that is there. Raises ConfigError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        give(path, group=group)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be made: {error}; name a folder that you may write, or run this as root") from error


def give(path: Path, user: str = "", group: str = "") -> None:
    """For root alone. Raises OSError, and ConfigError for somebody whom this machine does not know."""
    if os.geteuid() == 0 and (user or group):
        os.chown(path, pwd.getpwnam(user).pw_uid if user else -1, grp.getgrgid(group_of(group)).gr_gid if group else -1)


def group_of(user: str) -> int:
    """Raises ConfigError."""
    try:
        return pwd.getpwnam(user).pw_gid
    except KeyError as error:
        raise ConfigError(
            f"--broker-user {user}: this machine has no such user; install Mosquitto first (apt-get install mosquitto)"
        ) from error


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """One program at a time changes the folder; the next one waits. Raises ConfigError."""
    try:
        file = (root / ".lock").open("w")
    except OSError as error:
        raise ConfigError(
            f"{root}: cannot be written: {error}; run `doorward central init` first, or run this as root"
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
