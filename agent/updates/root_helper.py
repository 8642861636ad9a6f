"""Root's part: a program or a system that the door program has received is looked at again from the beginning, and installed.

The folder that it comes from belongs to a user who hears the network, so nothing in it is believed: it is copied to a place of root's own
first, without following links; then the centre's order, the hash that it names, and the maker's signature are looked at there
(manifest.sig, by openssl with /etc/doorward/release.pub; a system's by RAUC with its own keyring). Only then is anything of it run. Each
order is carried out once: its serial is written down before, so one that is put there again does nothing. What a power cut ends is gone on
with once.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from nacl.signing import VerifyKey

from agent.errors import BundleError, DoorwardError
from agent.files import write_whole
from agent.records.bundle_parts import digest_of
from agent.updates.fetch import demand_same
from agent.updates.handover import BUNDLE, HEAD, ORDER, READY, Result
from agent.updates.order import MOST_BYTES, Order, checked_order
from agent.updates.package import MOST_B, MOST_HEAD_BYTES, Kind, parse_head

log = logging.getLogger(__name__)

OWN = Path("/var/lib/doorward-update")
"""Root's own folder: `work`, `results`, `serials.json`. /var/lib is on the same disk as the door's own folder, and survives a restart."""
RELEASE_KEY = Path("/etc/doorward/release.pub")
SERIALS, WORK, RESULTS, AGAIN = "serials.json", "work", "results", "again"
INSTALL_S, RAUC_S = 900.0, 1800.0
MOST_TOLD = 600
HANDED_ON: tuple[Kind, ...] = ("program", "system")


class ReleaseFile(Struct, frozen=True):
    """A file of a bundle of `make bundle`."""

    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    size_b: Annotated[int, Meta(ge=0, le=MOST_B["program"])]


class ReleaseManifest(Struct, frozen=True):
    """manifest.json of such a bundle, as far as it matters here."""

    format: Literal[1]
    version: Annotated[str, Meta(max_length=60)]
    files: dict[str, ReleaseFile]


class Places(Struct, frozen=True, kw_only=True):
    """Where things lie."""

    updates: Path
    """The door program's folder of updates."""
    own: Path = OWN
    release_key: Path = RELEASE_KEY
    site: str
    door: str
    centre: VerifyKey


Run = Callable[[Sequence[str], Path, float], "subprocess.CompletedProcess[str]"]


def run(command: Sequence[str], folder: Path, longest_s: float) -> subprocess.CompletedProcess[str]:
    """Output and errors together, as text. Raises OSError and subprocess.TimeoutExpired."""
    plain = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, cwd=folder, env=plain, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=longest_s, check=False, errors="replace")  # fmt: skip


def install_all(places: Places, execute: Run = run) -> list[Result]:
    """Everything that is ready. Whatever goes wrong is a result that the door program reads, and is on record at the centre."""
    return [result for kind in HANDED_ON if (result := _install(places, kind, execute)) is not None]


def _install(places: Places, kind: Kind, execute: Run) -> Result | None:
    work = places.own / WORK / kind
    is_fresh = os.path.lexists(places.updates / READY / kind)
    if not is_fresh and not (work / ORDER).exists():
        return None
    order: Order | None = None
    try:
        order = _taken(places, kind, work) if is_fresh else _gone_on_with(places, kind, work)
        sentence = _INSTALLERS[kind](places, order, work, execute)
        result = _result(order, kind, True, sentence)
    except (
        DoorwardError,
        OSError,
        subprocess.SubprocessError,
        tarfile.TarError,
        msgspec.MsgspecError,
        UnicodeDecodeError,
    ) as error:
        log.error("update kind=%s not installed error=%s", kind, error)
        result = _result(order, kind, False, str(error))
    folder = places.own / RESULTS
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_whole(folder / f"{kind}.json", msgspec.json.encode(result))
    (folder / f"{kind}.json").chmod(0o644)
    shutil.rmtree(work, ignore_errors=True)
    return result


def _result(order: Order | None, kind: Kind, ok: bool, sentence: str) -> Result:
    package = order.package if order is not None else None
    return Result(kind=kind, serial=order.serial if order else 0, number=package.number if package else 0,
                  version=package.version if package else "", ok=ok, sentence=sentence[-1500:])  # fmt: skip


# -- from the door program's hands ------------------------------------------------------------------------------------------------------


def _taken(places: Places, kind: Kind, work: Path) -> Order:
    """Copies what is ready to root's own folder, takes it away there, and looks at the centre's order. Raises BundleError, OSError."""
    ready = places.updates / READY / kind
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700, parents=True)
    try:
        folder = os.open(ready, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        os.unlink(ready)  # a link or a file: whatever it is, it is not ours
        raise BundleError(f"what is ready is no folder: {error}") from error
    try:
        _copy(folder, ORDER, work, MOST_BYTES)
        _copy(folder, HEAD, work, MOST_HEAD_BYTES)
        _copy(folder, BUNDLE, work, MOST_B[kind])
    finally:
        _clear(ready, folder)
        os.close(folder)
    order = _checked(places, kind, work)
    _demand_once(places, order)
    return order


def _gone_on_with(places: Places, kind: Kind, work: Path) -> Order:
    """What a power cut ended. It is begun anew once: what ends the machine twice is no update. Raises BundleError, OSError."""
    order = _checked(places, kind, work)
    if (work / AGAIN).exists():
        raise BundleError("the machine stopped in the middle of it twice")
    write_whole(work / AGAIN, b"")
    return order


def _checked(places: Places, kind: Kind, work: Path) -> Order:
    """The centre's order, and that head and bundle are what it names. Raises BundleError, OSError."""
    order = checked_order((work / ORDER).read_bytes(), places.centre, places.site, places.door)
    if order.kind != kind or order.package is None:
        raise BundleError(f"the order is about {order.kind}, and lies where one about a {kind} belongs")
    raw = (work / HEAD).read_bytes()
    if digest_of(raw) != order.package.head:
        raise BundleError("its head is not the one that the centre ordered")
    demand_same(work / BUNDLE, parse_head(raw))
    return order


def _copy(folder: int, name: str, work: Path, most_b: int) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(source, "rb") as file:
        told = os.fstat(file.fileno())
        if not stat.S_ISREG(told.st_mode) or told.st_size > most_b:
            raise BundleError(f"{name}: is no file of at most {most_b} bytes")
        with os.fdopen(os.open(work / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as fresh:
            shutil.copyfileobj(file, fresh, 1 << 20)


def _clear(ready: Path, folder: int) -> None:
    """By names in the folder that was opened: a link that was put in its place leads nowhere."""
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):  # a folder in it is nobody's: it stays, and is told below
            os.unlink(name, dir_fd=folder)
    try:
        os.rmdir(ready)
    except OSError as error:
        log.warning("update folder=%s stays: %s", ready, error)


def _demand_once(places: Places, order: Order) -> None:
    """Raises BundleError for an order that was carried out, or an older one: what lies in that folder may have been put there again."""
    file = places.own / SERIALS
    try:
        serials = msgspec.json.decode(file.read_bytes(), type=dict[str, int])
    except FileNotFoundError:
        serials = {}
    if order.serial <= serials.get(order.kind, 0):
        raise BundleError("this order was carried out before")
    write_whole(file, msgspec.json.encode({**serials, order.kind: order.serial}))


# -- programs ---------------------------------------------------------------------------------------------------------------------------


def _program(places: Places, order: Order, work: Path, execute: Run) -> str:
    """Verifies the maker's signature and every file, then runs install.sh, which switches back by itself when the door does not come up."""
    key = _demand_ours(places.release_key)
    release = work / "release"
    shutil.rmtree(release, ignore_errors=True)
    release.mkdir(mode=0o700)
    with tarfile.open(work / BUNDLE, "r:") as tar:
        _unpack(tar, release, ("manifest.json", "manifest.sig"))
        verified = execute(("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(key), "-rawin", "-sigfile", "manifest.sig", "-in",
                            "manifest.json"), release, 60.0)  # fmt: skip
        if verified.returncode != 0:
            raise BundleError(f"it is not signed by the key in {key}: {verified.stdout.strip()[-MOST_TOLD:]}")
        manifest = msgspec.json.decode((release / "manifest.json").read_bytes(), type=ReleaseManifest)
        _unpack(tar, release, tuple(manifest.files))
    for name, file in manifest.files.items():
        if (release / name).stat().st_size != file.size_b or _sha256(release / name) != file.sha256:
            raise BundleError(f"{name} is not what its manifest says")
    if "install.sh" not in manifest.files:
        raise BundleError("its manifest knows no install.sh")
    done = execute(("sh", "./install.sh"), release, INSTALL_S)
    if done.returncode != 0:
        raise BundleError(f"install.sh ended with {done.returncode}, what ran before runs: {done.stdout.strip()[-MOST_TOLD:]}")
    return f"{manifest.version} is installed"


def _demand_ours(key: Path) -> Path:
    """Raises BundleError for a key that somebody else could have put there."""
    try:
        told = key.lstat()
    except OSError as error:
        raise BundleError(f"{key}: there is no key to believe a release by; the installer puts it there: {error}") from error
    if told.st_uid != os.geteuid() or told.st_mode & 0o022 or not stat.S_ISREG(told.st_mode):
        raise BundleError(
            f"{key}: must be a file that belongs to root and that nobody else may write: chown root {key}; chmod 644 {key}"
        )
    return key


def _unpack(tar: tarfile.TarFile, folder: Path, names: Sequence[str]) -> None:
    """Plain files of these names and no others, whatever else the archive holds. Raises BundleError."""
    members = {member.name.removeprefix("./"): member for member in tar.getmembers()}
    for name in names:
        parts = Path(name).parts
        member = members.get(name)
        if member is None or not member.isreg() or member.size > MOST_B["program"] or name.startswith("/") or ".." in parts:
            raise BundleError(f"{name[:100]}: is no file in it")
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        source = tar.extractfile(member)
        if source is None:
            raise BundleError(f"{name[:100]}: cannot be read")
        with source, path.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)


def _sha256(path: Path) -> str:
    summed = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            summed.update(piece)
    return summed.hexdigest()


# -- systems ----------------------------------------------------------------------------------------------------------------------------


def _system(places: Places, order: Order, work: Path, execute: Run) -> str:
    """RAUC looks at the signature with its own keyring, writes the other slot, and has it tried at the next start (docs/UPDATES.md)."""
    bundle = work / "system.raucb"
    bundle.unlink(missing_ok=True)
    bundle.hardlink_to(work / BUNDLE)
    done = execute(("rauc", "install", str(bundle)), work, RAUC_S)
    if done.returncode != 0:
        raise BundleError(f"rauc install ended with {done.returncode}: {done.stdout.strip()[-MOST_TOLD:]}")
    return "the other slot is written; it is tried at the next start of the machine, and left again if the door does not come up in it"


_INSTALLERS: dict[Kind, Callable[[Places, Order, Path, Run], str]] = {"program": _program, "system": _system}
