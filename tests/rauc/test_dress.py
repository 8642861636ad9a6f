"""What becomes of a root file system that shall be one of two, for each board, and of a boot partition that RAUC has written."""

from __future__ import annotations

import configparser
import os
import subprocess
from pathlib import Path

import pytest

from tests.rauc.test_cards import STOCK_WORDS
from tests.rauc.test_keys_and_bundles import bundle, keys

pytestmark = pytest.mark.system
TOOLS = Path(__file__).parents[2] / "tools/rauc"
BOARDS = {"pi5": "boot-pi", "pi4": "boot-pi", "jetson-orin-nano": "boot-jetson", "rehearsal": ""}


@pytest.fixture
def root(folder: Path) -> Path:
    """As little of Debian as dress.sh asks for."""
    made = folder / "root"
    for path in (
        "lib/systemd/systemd",
        "usr/bin/rauc",
        "lib/systemd/system/rauc.service",
        "etc/cloud/cloud.cfg",
        "usr/sbin/init",
    ):
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).touch(mode=0o755)
    return made


def dress(board: str, root: Path, keyring: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / "dress.sh", board, root, keyring, "0.7.0"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("board", "backend"), BOARDS.items())
def test_each_board_has_rauc_s_settings_and_its_own_boot_loader(board: str, backend: str, root: Path, folder: Path) -> None:
    own = keys(folder / "keys")
    done = dress(board, root, own / "keyring.pem")
    assert done.returncode == 0, done.stderr
    conf = configparser.ConfigParser(strict=True)
    conf.read(root / "etc/rauc/system.conf")
    assert conf["system"]["compatible"] == f"doorward-{board}"
    assert conf["system"]["bootloader"] == ("custom" if backend else "grub")
    said = conf["handlers"].get("bootloader-custom-backend", "")
    assert said == (f"/usr/lib/doorward-system/{backend}" if backend else "")
    for handler in conf["handlers"].values():
        assert os.access(root / handler.lstrip("/"), os.X_OK)
    assert {conf[f"slot.rootfs.{n}"]["bootname"] for n in (0, 1)} == {"A", "B"}
    made = bundle(folder, own)
    words: list[str | Path] = [
        "rauc",
        "--conf",
        root / "etc/rauc/system.conf",
        "--keyring",
        own / "keyring.pem",
        "extract",
        made,
        folder / "out",
    ]
    subprocess.run(words, check=True, capture_output=True)
    assert "@" not in (root / "etc/fstab").read_text() + (root / "etc/rauc/system.conf").read_text()


def test_only_the_judge_says_that_a_start_was_good(root: Path, folder: Path) -> None:
    assert dress("pi5", root, keys(folder / "keys") / "keyring.pem").returncode == 0
    units = root / "etc/systemd/system"
    for other in ("rauc-mark-good.service", "nv_update_verifier.service"):
        assert os.readlink(units / other) == "/dev/null"
    wanted = os.readlink(units / "multi-user.target.wants/doorward-mark-good.service")
    assert (root / wanted.lstrip("/")).is_file()
    assert not (units / "doorward-mark-good.service").exists(), "a bundle of the program removes units there that are not its own"


def test_a_keyring_with_a_private_key_in_it_goes_into_no_system(root: Path, folder: Path) -> None:
    own = keys(folder / "keys")
    (own / "keyring.pem").write_text((own / "ca.pem").read_text() + (own / "ca.key").read_text())
    done = dress("pi5", root, own / "keyring.pem")
    assert done.returncode == 1
    assert "private key" in done.stderr


def hook(folder: Path, **about: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RAUC_SLOT_MOUNT_POINT": str(folder), **about}
    return subprocess.run([TOOLS / "hook.sh", "slot-post-install"], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("slot", "number", "letter"), [("boot.0", "05", "A"), ("boot.1", "06", "B")])
def test_a_written_boot_partition_names_its_own_root(folder: Path, slot: str, number: str, letter: str) -> None:
    (folder / "cmdline.txt").write_text(STOCK_WORDS + "\n")
    for _ in range(2):
        done = hook(folder, RAUC_SLOT_CLASS="boot", RAUC_SLOT_NAME=slot)
        assert done.returncode == 0, done.stderr
    words = (folder / "cmdline.txt").read_text().split()
    assert [word for word in words if word.startswith(("root=", "rauc.", "panic="))] == [
        f"root=PARTUUID=d00d0a0b-{number}", f"rauc.slot={letter}", "panic=10",
    ]  # fmt: skip
    assert words.count("rw") == 1
    assert "console=serial0,115200" in words


def test_a_jetson_without_a_second_partition_is_told_so(folder: Path) -> None:
    (folder / "boot/extlinux").mkdir(parents=True)
    (folder / "boot/extlinux/extlinux.conf").write_text("      APPEND ${cbootargs} root=/dev/mmcblk0p1 rw rootwait\n")
    done = hook(folder, RAUC_SLOT_CLASS="rootfs", RAUC_SLOT_NAME="rootfs.1", RAUC_SLOT_DEVICE="/dev/null")
    assert done.returncode == 1
    assert "ROOTFS_AB=1" in done.stderr


def test_the_scripts_are_clean() -> None:
    scripts = [path for path in [*TOOLS.glob("*.sh"), *TOOLS.glob("on_board/*")] if path.read_text().startswith("#!")]
    assert len(scripts) > 10
    subprocess.run(["shellcheck", "-x", "-P", TOOLS.parents[1], *scripts], check=True)
