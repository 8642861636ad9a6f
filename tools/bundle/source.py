"""What the bundle is made from: a commit, its date, and whether the files are really the commit's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from msgspec import Struct

from tools.bundle.errors import BundleError

OF_WHEEL = ("agent", "hw", "central", "models_tflite", "demo", "tools", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
OF_DOOR = ("systemd",)
NOT_AT_A_DOOR = ("systemd/doorward-central.service", "systemd/doorward-issuer.service")


class Source(Struct, frozen=True):
    """A checkout."""

    root: Path
    commit: str
    epoch_s: int
    """The commit's date: what every file of the bundle is dated."""
    dirty: bool
    """Some file that git knows is not as it was committed."""

    @property
    def build_source(self) -> str:
        return f"{self.commit}-dirty" if self.dirty else self.commit


def read_source(root: Path) -> Source:
    """What git says of a checkout. Raises BundleError."""
    commit, epoch_s = _git(root, "log", "-1", "--format=%H %ct").split()
    dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no", "--", *OF_WHEEL, *OF_DOOR))
    return Source(root, commit, int(epoch_s), dirty)


def tracked(source: Source, *under: str) -> list[str]:
    """Files that git knows and that are there, sorted. What was never added is in no bundle, and what a build left behind neither."""
    listed = _git(source.root, "ls-files", "-z", "--", *under).split("\0")
    return sorted(path for path in listed if path and path not in NOT_AT_A_DOOR and (source.root / path).is_file())


def copy_tracked(source: Source, into: Path, *under: str) -> list[Path]:
    """Copy them with rights that go by no umask; returns where they lie now, relative to `into`."""
    paths = [Path(path) for path in tracked(source, *under)]
    for path in paths:
        place = into / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.root / path, place)
        place.chmod(0o644)
    return paths


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BundleError(
            f"git {words[0]}: {done.stderr.strip()} (a bundle is made from a git checkout, which says what is in it)"
        )
    return done.stdout.strip() if words[0] != "ls-files" else done.stdout
