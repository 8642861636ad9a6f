"""What a rehearsal needs: root, bundles, Debian in virtual machines; and where what was seen is told (docs/REHEARSAL.md)."""

from __future__ import annotations

import os
import platform
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.field.machine import INSIDE, ROOT, Machine, is_slow
from tests.field.site import Site
from tools.field.results import Row, write

DIST = ROOT / "dist"
FIELD = ROOT / "var" / "field"
DOCUMENT = ROOT / "docs" / "REHEARSAL.md"
SUITE = os.environ.get("SUITE", "bookworm")
STATE = "door"

Tell = Callable[[str, str, str, bool | None], None]
"""what was done, what was seen, what must hold, whether it held"""

_rows: list[Row] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/field/" in item.nodeid:
            item.add_marker(pytest.mark.field)
            item.add_marker(pytest.mark.timeout(3600))


def _where() -> str:
    commit = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    kind = "TCG" if is_slow() else "KVM"
    return f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M}, {commit or 'no commit'}, {platform.machine()} {os.cpu_count()} cores, {kind}"


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Says a row at once, keeps it for the document, and fails the test that it did not hold in."""

    def told(what: str, seen: str, must: str, ok: bool | None) -> None:
        _rows.append(Row(what, seen, must, ok, _where()))
        with capsys.disabled():
            print(f"\n  { ({True: 'yes', False: 'NO ', None: ' - '}[ok]) } {what}: {seen}", flush=True)
        assert ok is not False, f"{what}: {seen}; must hold: {must}"

    return told


def pytest_sessionfinish() -> None:
    if _rows:
        write(DOCUMENT, _rows)
        print(f"\n{len(_rows)} rows of {DOCUMENT.relative_to(ROOT)} written")


@pytest.fixture(scope="session", autouse=True)
def root_only() -> None:
    if os.geteuid() != 0:
        pytest.exit("a rehearsal makes root file systems and machines: sudo make test-field", returncode=2)


def bundle_of(board: str) -> Path:
    """What `make bundle` has made; the newest where there are several."""
    found = sorted(DIST.glob(f"doorward-*-{board}.tar"), key=lambda file: file.stat().st_mtime)
    assert found, f"no bundle for {board} in dist/: make bundle BOARD={board}"
    return found[-1]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    site.start()
    yield site
    site.close()


def wire(machine: Machine) -> None:
    """Pins and camera, before there is a door."""
    machine.run("mkdir -p /opt/field")
    for name in ("pins.sh", "camera.py", "trace.py", "field-door.sh"):
        machine.copy(INSIDE / name, f"/opt/field/{name}")
    machine.copy(FIELD / "vm" / SUITE / "doorward-gpio-sim.ko", "/opt/field/doorward-gpio-sim.ko")
    machine.run("sh /opt/field/field-door.sh")


def give_keys(machine: Machine, keys: Path) -> None:
    """/etc/doorward as the archive's README and commissioning leave it."""
    with tarfile.open(keys) as archive:
        member = archive.extractfile("link.toml")
        assert member is not None
        link = member.read().replace(b"[live]\n", b"[live]\nenabled = false\n")  # the machine has no media program running
    machine.copy(keys, "/root/keys.tar")
    machine.run("mkdir -p /etc/doorward && tar -xf /root/keys.tar -C /etc/doorward --no-same-owner && rm /root/keys.tar")
    told = keys.with_name("door.toml")
    told.write_bytes(link + (INSIDE / "door.toml").read_bytes())
    machine.copy(told, "/etc/doorward/door.toml")
    if is_slow():
        slow_down(machine)


def slow_down(machine: Machine) -> None:
    """Without KVM a start that takes half a second takes half a minute: systemd is told to wait longer, here and nowhere else."""
    for unit, words in (
        ("door", "TimeoutStartSec=300s\nWatchdogSec=40s\nTimeoutStopSec=60s"),
        ("vision", "TimeoutStartSec=300s\nWatchdogSec=80s\nTimeoutStopSec=60s"),
    ):
        folder = f"/etc/systemd/system/doorward-{unit}.service.d"
        machine.run(f"mkdir -p {folder} && printf '[Service]\\n{words}\\n' >{folder}/field.conf".replace("\n", "\\n"))
    conf = "/etc/systemd/system.conf.d"
    machine.run(
        f"mkdir -p {conf} && printf '[Manager]\\nRuntimeWatchdogSec=60\\n' >{conf}/zz-field.conf && systemctl daemon-reexec"
    )


def unpack(machine: Machine, bundle: Path, folder: str) -> None:
    machine.copy(bundle, f"{folder}.tar")
    machine.run(f"rm -rf {folder} && mkdir -p {folder} && tar -xf {folder}.tar -C {folder} --no-same-owner && rm {folder}.tar")


@pytest.fixture(scope="session")
def installed(site: Site) -> Iterator[Machine]:
    """A door that runs in a machine, installed from the bundle without a network; kept, so that each fault begins there."""
    machine = Machine("rehearsal")
    machine.remove()
    machine.start("--from", "booted")
    unpack(machine, bundle_of("rehearsal"), "/root/bundle")
    machine.run("sh /root/bundle/install.sh --no-start")
    wire(machine)
    give_keys(machine, site.keys)
    machine.run("chown -R doorward:doorward /etc/doorward/door.key /etc/doorward/link && rm -rf /root/bundle/wheels")
    machine.run("systemctl start field-camera && systemctl enable -q --now doorward.target")
    machine.until(machine.healthy, "door and vision do not come up", 600)
    machine.keep(STATE)
    yield machine
    machine.remove()
