"""Looking at a controller. Nothing here changes anything, and what is not there is an answer, no error."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from agent.config import Config, load_config
from agent.errors import ConfigError

COMMAND_TIMEOUT_S = 20.0
SERVICE_USER = "doorward"
"""Of the units in systemd/."""
UNITS = ("doorward-door.service", "doorward-vision.service")


class Ran(NamedTuple):
    """What a command said. `status` None: there is no such command, or it did not end in time."""

    status: int | None
    output: str


class Installed(Struct, frozen=True):
    """A Python package: its version, and why it cannot be imported."""

    version: str | None
    error: str = ""

    @property
    def usable(self) -> bool:
        return self.version is not None and not self.error


class FileSeen(Struct, frozen=True, kw_only=True):
    """A file or a device."""

    path: str
    exists: bool
    mode: int = 0
    owner: str = ""
    group: str = ""
    private: bool = True
    """Whether nobody but its owner may read it."""
    hidden: bool = False
    """It lies where this user may not look."""

    def open_to(self, user: str, groups: frozenset[str], bits: int) -> bool:
        """Whether a user may use it: `bits` 4 to read, 6 to read and write."""
        if user == "root":
            return True
        shift = 6 if self.owner == user else 3 if self.group in groups else 0
        return (self.mode >> shift) & bits == bits


class UserSeen(Struct, frozen=True):
    """The user that the programs run as; None groups: there is no such user."""

    name: str
    groups: frozenset[str] | None


class Machine:
    """One controller. `root` is where its file system begins, so that a test can build a small one."""

    def __init__(self, config_path: Path, root: Path = Path("/")) -> None:
        self.config_path, self._root = config_path, root

    @cached_property
    def read_config(self) -> tuple[Config | None, str]:
        """The configuration, or what is wrong with it."""
        try:
            return load_config(self.config_path), ""
        except ConfigError as error:
            return None, str(error)

    @property
    def config(self) -> Config:
        """The configuration; where there is none that can be read, the defaults, so that the rest can still be looked at."""
        return self.read_config[0] or Config(site="unknown", door="unknown")

    def path(self, name: str) -> Path:
        return self._root / name.lstrip("/")

    def text(self, name: str) -> str:
        """A file's text; empty when it cannot be read."""
        try:
            return self.path(name).read_text("utf-8", "replace").rstrip("\0\n")
        except OSError:
            return ""

    def file(self, name: str) -> FileSeen:
        try:
            seen = self.path(name).stat()
        except PermissionError:
            return FileSeen(path=name, exists=False, hidden=True)
        except OSError:
            return FileSeen(path=name, exists=False)
        return FileSeen(
            path=name,
            exists=True,
            mode=stat.S_IMODE(seen.st_mode),
            owner=_user_name(seen.st_uid),
            group=_group_name(seen.st_gid),
            private=not seen.st_mode & 0o077,
        )

    def user(self) -> UserSeen:
        """Who runs the programs."""
        try:
            found = pwd.getpwnam(SERVICE_USER)
        except KeyError:
            return UserSeen(SERVICE_USER, None)
        groups = {group.gr_name for group in grp.getgrall() if found.pw_name in group.gr_mem} | {_group_name(found.pw_gid)}
        return UserSeen(SERVICE_USER, frozenset(groups | self.unit_groups))

    @cached_property
    def unit_groups(self) -> frozenset[str]:
        """Groups that the installed units add to their programs (SupplementaryGroups)."""
        said = self.run("systemctl", "show", *UNITS, "--property=SupplementaryGroups", "--value")
        return frozenset(said.output.split()) if said.status == 0 else frozenset()

    def run(self, *command: str) -> Ran:
        if shutil.which(command[0]) is None:
            return Ran(None, "")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return Ran(None, str(error))
        return Ran(done.returncode, (done.stdout + done.stderr).strip())

    def package(self, distribution: str, module: str) -> Installed:
        """Whether it is there and lets itself be imported: in a process of its own, which a broken library may take down with it."""
        try:
            found = version(distribution)
        except PackageNotFoundError:
            found = None
        done = self.run(sys.executable, "-c", f"import {module}")
        if done.status == 0:
            return Installed(found or "?")
        last = done.output.splitlines()[-1] if done.output else "it ended without a word"
        return Installed(found, last if found else "")

    def is_root(self) -> bool:
        return os.geteuid() == 0


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
