"""A bundle, from locks, wheels, units and a key."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from models_tflite.manifest import load_manifest
from tools.bundle.boards import TARGETS, Board, Target
from tools.bundle.errors import BundleError
from tools.bundle.fetch import fill, sha256_of
from tools.bundle.locks import BUILD, HERE, Locked, lock_path, read_lock, title_of
from tools.bundle.manifest import MANIFEST, SIGNATURE, describe, encode
from tools.bundle.pack import pack
from tools.bundle.relock import OLDEST, missing
from tools.bundle.say import Progress, human, say
from tools.bundle.sbom import metadata_of, sbom_of
from tools.bundle.signing import public_half, sign
from tools.bundle.source import OF_DOOR, Source, copy_tracked

INSTALL = Path(__file__).with_name("install.sh")


class Bundle(Struct, frozen=True):
    """One that was made."""

    board: str
    version: str
    build: str
    """The release's folder on a controller is VERSION+BUILD."""
    build_source: str
    pythons: tuple[str, ...]
    file: Path
    size_b: int
    sha256: str


def tool(name: str, pool: Path, progress: Progress) -> Path:
    """A wheel of the build lock, in the pool. Raises BundleError."""
    package = next((package for package in read_lock(HERE / f"{BUILD}.txt") if package.name == name), None)
    if package is None:
        raise BundleError(f"locks/{BUILD}.txt misses {name}; make bundle-locks")
    fill(pool, {package: OLDEST}, progress)
    return pool / package.file


def fetch(boards: Iterable[Board], pool: Path, progress: Progress) -> Mapping[str, tuple[Locked, ...]]:
    """All wheels of these boards into the pool; target's name -> its lock. Raises BundleError."""
    targets = [target for target in TARGETS if any(target in board.targets for board in boards)]
    locks = {target.name: read_lock(lock_path(target)) for target in targets}
    fill(pool, {package: target for target in targets for package in locks[target.name]}, progress)
    return locks


def make_bundle(
    board: Board,
    source: Source,
    own: Path,
    installer: Path,
    locks: Mapping[str, tuple[Locked, ...]],
    pool: Path,
    key: Path,
    into: Path,
) -> Bundle:
    """Put one together. `own` is doorward's wheel, `installer` pip's. Raises BundleError, also when it grows over its limit."""
    version = str(metadata_of(own)["Version"])
    for target in board.targets:
        _check_whole(target, locks[target.name], own, pool)
    with tempfile.TemporaryDirectory(dir=pool.parent) as work:
        folder = Path(work)
        wheels = _place_wheels(folder / "wheels", [own, installer], board, locks, pool)
        _place_locks(folder / "locks", board, locks, own, version)
        copy_tracked(source, folder, *OF_DOOR)
        shutil.copyfile(INSTALL, folder / INSTALL.name)
        (folder / "release.pub").write_bytes(public_half(key))
        (folder / "sbom.cdx.json").write_bytes(sbom_of(version, wheels, load_manifest().models, source.epoch_s, board.name))
        (folder / MANIFEST).write_bytes(encode(describe(folder, version, source.build_source, board.name, board.pythons)))
        (folder / SIGNATURE).write_bytes(sign(key, folder / MANIFEST))
        file = pack(folder, into / f"doorward-{version}-{board.name}.tar", source.epoch_s)
        made = Bundle(board.name, version, sha256_of(folder / MANIFEST)[:8], source.build_source, board.pythons,
                      file, file.stat().st_size, sha256_of(file))  # fmt: skip
        return _weighed(made, board.limit_b)


def _check_whole(target: Target, lock: Iterable[Locked], own: Path, pool: Path) -> None:
    """Nothing may be missed on a controller that has no network."""
    asks = [(f"doorward[{','.join(target.extras)}]", own), *((package.name, pool / package.file) for package in lock)]
    absent = missing(target, [(name, metadata_of(wheel).get_all("Requires-Dist", [])) for name, wheel in asks])
    if absent:
        raise BundleError(f"locks/{target.name}.txt misses {', '.join(absent)}; make bundle-locks")


def _place_wheels(
    folder: Path, extra: Iterable[Path], board: Board, locks: Mapping[str, tuple[Locked, ...]], pool: Path
) -> list[Path]:
    folder.mkdir()
    wheels = {pool / package.file for target in board.targets for package in locks[target.name]} | set(extra)
    for wheel in wheels:
        try:
            (folder / wheel.name).hardlink_to(wheel)
        except OSError:
            shutil.copyfile(wheel, folder / wheel.name)
    return sorted(folder / wheel.name for wheel in wheels)


def _place_locks(folder: Path, board: Board, locks: Mapping[str, tuple[Locked, ...]], own: Path, version: str) -> None:
    folder.mkdir()
    doorward = Locked("doorward", version, sha256_of(own), own.name, own.stat().st_size)
    for target in board.targets:
        lines = [package.line for package in sorted((*locks[target.name], doorward))]
        (folder / f"py{target.digits}.txt").write_text(f"# {title_of(target)}\n" + "\n".join(lines) + "\n")


def _weighed(bundle: Bundle, limit_b: int) -> Bundle:
    say(f"   {human(bundle.size_b):>9}  {bundle.file}  {bundle.version}+{bundle.build}, Python {' and '.join(bundle.pythons)}")
    if bundle.size_b > limit_b:
        bundle.file.unlink()
        raise BundleError(f"{bundle.file}: {human(bundle.size_b)}, and at most {human(limit_b)} may be carried to a door")
    return bundle
