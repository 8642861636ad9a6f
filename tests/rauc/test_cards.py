"""A card with room for two systems, written on an image file: what the firmware finds on it, and what is refused before a byte is written."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rauc.boards import boot_partition, run
from tests.rauc.test_keys_and_bundles import keys

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
LAY_OUT = ROOT / "tools/rauc/lay_out.sh"
MB = 1 << 20
STOCK_WORDS = "console=serial0,115200 root=PARTUUID=4d3ee428-02 rootfstype=ext4 fsck.repair=yes rootwait resize cfg80211.ieee80211_regdom=DE"
"""As Raspberry Pi OS's cmdline.txt has them."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keys(tmp_path_factory.mktemp("signer") / "keys")


@pytest.fixture(scope="module")
def system(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("system"), own, "pi5")


def made(folder: Path, own: Path, board: str) -> Path:
    """A small system in a real bundle: two file systems with next to nothing on them."""
    inside, root, boot = folder / "inside", folder / "root", folder / "boot"
    for made_folder in (inside, root / "etc", boot):
        made_folder.mkdir(parents=True)
    (root / "etc/hostname").write_text("controller\n")
    (root / "noise").write_bytes(random.Random(3).randbytes(MB))
    (boot / "cmdline.txt").write_text(STOCK_WORDS + "\n")
    (boot / "config.txt").write_text("arm_64bit=1\n")
    with (inside / "boot.vfat").open("wb") as image:
        image.truncate(16 * MB)
    run("mkfs.vfat", inside / "boot.vfat")
    run("mcopy", "-i", inside / "boot.vfat", *boot.iterdir(), "::")
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", root, inside / "rootfs.ext4", "24M")
    (inside / "manifest.raucm").write_text(
        f"[update]\ncompatible=doorward-{board}\nversion=0.7.0\n[bundle]\nformat=verity\n"
        "[image.rootfs]\nfilename=rootfs.ext4\n[image.boot]\nfilename=boot.vfat\n"
    )
    words: list[str | Path] = [
        "--cert",
        own / "signer.pem",
        "--key",
        own / "signer.key",
        "--signing-keyring",
        own / "keyring.pem",
    ]
    run("rauc", "bundle", *words, inside, folder / "system.raucb")
    return folder / "system.raucb"


def card(folder: Path, size_mb: int = 1400) -> Path:
    disk = folder / "card.img"
    with disk.open("wb") as image:
        image.truncate(size_mb * MB)
    return disk


def laid_out(system: Path, own: Path, disk: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    words = [LAY_OUT, "--system", system, "--keyring", own / "keyring.pem", "--disk", disk, *more]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def partitions(disk: Path) -> dict[int, tuple[int, int]]:
    """Number -> first byte, length."""
    table = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    assert table["id"] == "0xd00d0a0b"
    return {int(part["node"].removeprefix(str(disk))): (part["start"] * 512, part["size"] * 512) for part in table["partitions"]}


def part_of(disk: Path, number: int, folder: Path) -> Path:
    start, length = partitions(disk)[number]
    taken = folder / f"part-{number}"
    with disk.open("rb") as image, taken.open("wb") as out:
        image.seek(start)
        out.write(image.read(length))
    return taken


def test_the_firmware_finds_the_system_on_a_new_card(system: Path, own: Path, folder: Path) -> None:
    etc, boot_files = folder / "etc", folder / "boot-files"
    etc.mkdir()
    boot_files.mkdir()
    (etc / "release.pub").write_text("a key\n")
    (boot_files / "user-data").write_text("#cloud-config\n")
    disk = card(folder)
    done = laid_out(system, own, disk, "--etc", etc, "--boot-files", boot_files)
    assert done.returncode == 0, done.stderr
    select = part_of(disk, 1, folder)
    autoboot = run("mtype", "-i", select, "::autoboot.txt")
    assert boot_partition(autoboot, tryboot=False) == 2
    assert boot_partition(autoboot, tryboot=True) == 3
    boot = part_of(disk, 2, folder)
    words = run("mtype", "-i", boot, "::cmdline.txt").split()
    assert {"root=PARTUUID=d00d0a0b-05", "rauc.slot=A", "rw", "panic=10", "rootwait", "cfg80211.ieee80211_regdom=DE"} <= set(
        words
    )
    assert not {"resize", "root=PARTUUID=4d3ee428-02"} & set(words)
    assert run("mtype", "-i", boot, "::user-data") == "#cloud-config\n"
    root = f"{disk}?offset={partitions(disk)[5][0]}"
    assert run("debugfs", "-R", "cat /etc/hostname", root) == "controller\n"
    data = f"{disk}?offset={partitions(disk)[7][0]}"
    assert run("debugfs", "-R", "cat /doorward/etc/release.pub", data) == "a key\n"
    for filesystem in (root, data):
        run("e2fsck", "-fn", filesystem)
    for fat in (select, boot):
        run("fsck.vfat", "-n", fat)


def test_the_second_slot_is_as_large_as_the_first_and_empty(system: Path, own: Path, folder: Path) -> None:
    disk = card(folder)
    assert laid_out(system, own, disk).returncode == 0
    parts = partitions(disk)
    assert parts[2][1] == parts[3][1]
    assert parts[5][1] == parts[6][1]
    assert not any(part_of(disk, 3, folder).read_bytes())


def digest(disk: Path) -> str:
    with disk.open("rb") as image:
        return (
            hashlib.file_digest(image, "sha256").hexdigest()
            if hasattr(hashlib, "file_digest")
            else hashlib.sha256(image.read()).hexdigest()
        )


def refused(system: Path, own: Path, disk: Path) -> str:
    """Its words; the disk is as it was."""
    before = digest(disk)
    done = laid_out(system, own, disk)
    assert done.returncode == 1
    assert "mend: " in done.stderr
    assert digest(disk) == before
    return done.stderr


def test_a_card_that_is_too_small_is_refused(system: Path, own: Path, folder: Path) -> None:
    assert "has 600 MB, and two of this system need 1141" in refused(system, own, card(folder, 600))


def test_a_system_that_somebody_changed_is_refused(system: Path, own: Path, folder: Path) -> None:
    data = bytearray(system.read_bytes())
    data[len(data) // 3] ^= 1
    forged = folder / "forged.raucb"
    forged.write_bytes(data)
    assert "is not what its signer made" in refused(forged, own, card(folder, 40))


def test_a_stranger_s_system_is_refused(system: Path, folder: Path) -> None:
    assert "not by this keyring" in refused(system, keys(folder / "keys"), card(folder, 40))


def test_another_board_s_system_is_refused(own: Path, folder: Path) -> None:
    assert "is doorward-jetson-orin-nano" in refused(made(folder / "made", own, "jetson-orin-nano"), own, card(folder, 40))


# -- by flash.sh, as an installer does it ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of keys that a centre makes for its door hq/front."""
    folder = tmp_path_factory.mktemp("centre")
    for words in (["init", folder / "site", "--site", "hq", "--host", "127.0.0.1"],
                  ["enrol-door", folder / "site", "hq", "front", "--out", folder]):  # fmt: skip
        subprocess.run([sys.executable, "-m", "agent.cli", "central", *map(str, words)], check=True, capture_output=True)
    return folder / "front.doorward"


@pytest.fixture(scope="module")
def release_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    run("openssl", "genpkey", "-algorithm", "ed25519", "-out", folder / "release.key")
    run("openssl", "pkey", "-in", folder / "release.key", "-pubout", "-out", folder / "release.pub")
    return folder / "release.pub"


def flashed(system: Path, own: Path, disk: Path, release_key: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    words: list[str | Path] = [
        ROOT / "flash.sh", "--board", "pi5", "--system", system, "--keyring", own / "keyring.pem", "--device", disk, "--site", "hq",
        "--door", "front", "--release-key", release_key, "--room-mb", "1100", "--log", disk.parent / "flash.log",
        "--yes", f"{disk.name} 1.5GB", *more,
    ]  # fmt: skip
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_flash_lays_out_a_card_with_two_places_and_this_doors_keys(
    system: Path, own: Path, front: Path, release_key: Path, folder: Path
) -> None:
    disk = card(folder)
    done = flashed(system, own, disk, release_key, "--keys", front)
    assert done.returncode == 0, done.stderr
    data = f"{disk}?offset={partitions(disk)[7][0]}"

    def told(command: str) -> str:
        return run("debugfs", "-R", command, data)

    assert told("cat /doorward/etc/release.pub") == release_key.read_text()
    door = told("cat /doorward/etc/door.toml")
    assert 'door = "front"' in door
    assert 'camera = "rpicam:0"' in door
    owners = {
        name: told(f"stat /doorward/etc/{name}").split("User:")[1].split()[0]
        for name in ("door.key", "link/door.key", "door.toml")
    }
    assert owners == {"door.key": "880", "link/door.key": "880", "door.toml": "0"}
    boot = part_of(disk, 2, folder)
    user_data = run("mtype", "-i", boot, "::user-data")
    assert "hostname: doorward-front" in user_data
    assert "first-boot" not in user_data, "program and system are there already"
    assert "PRIVATE" not in (folder / "flash.log").read_text()


def test_flash_looks_at_a_system_before_it_asks_for_the_disk(system: Path, own: Path, release_key: Path, folder: Path) -> None:
    disk = card(folder)
    for other, keyring, board, why in (
        (system, keys(folder / "keys"), "pi5", "is not signed by anybody of"),
        (system, own, "pi4", "is for 'pi5', not for pi4"),
        (folder / "none.raucb", own, "pi5", "is no file that can be read"),
    ):
        done = flashed(other, keyring, disk, release_key, "--board", board)
        assert (done.returncode, why in done.stderr) == (3, True), done.stderr
    small = flashed(system, own, card(folder, 600), release_key)
    assert (small.returncode, "are needed" in small.stderr) == (3, True), small.stderr
    assert not disk.read_bytes().strip(b"\0")


def test_flash_on_paper_writes_no_system(system: Path, own: Path, release_key: Path, folder: Path) -> None:
    disk = card(folder)
    done = flashed(system, own, disk, release_key, "--dry-run")
    assert (done.returncode, "would part" in done.stderr) == (0, True), done.stderr
    assert not disk.read_bytes().strip(b"\0")
