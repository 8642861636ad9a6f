"""A small bundle with everything in it, and a folder that install.sh takes for a controller: offline, without root, in seconds."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import zipfile
from importlib.metadata import distribution
from pathlib import Path

from tools.bundle.build import INSTALL
from tools.bundle.locks import Locked
from tools.bundle.manifest import MANIFEST, SIGNATURE, describe, encode
from tools.bundle.signing import public_half, sign

SYSTEM_PYTHON = "/usr/bin/python3"
HEALTH = """import sys
def main():
    print(__VERSION__)
    return 0 if sys.argv[1:2] != ["health"] or __UP__ else 1
"""
UNIT = "[Unit]\nDescription=Doorward {version}\n[Service]\nExecStart=/opt/doorward/bin/doorward door\n"
SETTINGS = (
    "doorward-sysusers.conf",
    "doorward-tmpfiles.conf",
    "doorward-watchdog.conf",
    "doorward-journald.conf",
    "70-doorward.rules",
)


def board_here() -> str:
    return {"x86_64": "rehearsal", "aarch64": "pi5"}[platform.machine()]


def python_here() -> str:
    say = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([SYSTEM_PYTHON, "-c", say], capture_output=True, text=True, check=True).stdout.strip()


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """A wheel with these files; enough of one for pip."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    whole = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense-Expression: Apache-2.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    whole[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*whole, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in whole.items():
            wheel.writestr(file, text)
    return path


def program(folder: Path, version: str, up: bool) -> Path:
    """Doorward as install.sh sees it: `doorward health` says whether it is up."""
    text = HEALTH.replace("__VERSION__", repr(version)).replace("__UP__", str(up))
    entry = {f"doorward-{version}.dist-info/entry_points.txt": "[console_scripts]\ndoorward = doorward_program:main\n"}
    return write_wheel(folder, "doorward", version, {"doorward_program.py": text, **entry})


def pips_wheel(folder: Path) -> Path:
    """The pip of this environment, as the wheel that it came from."""
    pip = distribution("pip")
    path = folder / f"pip-{pip.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in pip.files or ():
            if file.suffix != ".pyc" and not str(file).startswith(".."):
                wheel.write(str(file.locate()), str(file))
    return path


def make_key(path: Path) -> Path:
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
    path.chmod(0o600)
    return path


def small_bundle(
    folder: Path,
    key: Path,
    version: str,
    *,
    up: bool = True,
    board: str = "",
    pythons: tuple[str, ...] = (),
    unit: str = "doorward-door",
) -> Path:
    """Unpacked, whole and signed."""
    (folder / "wheels").mkdir(parents=True)
    pips_wheel(folder / "wheels")
    own = program(folder / "wheels", version, up)
    (folder / "locks").mkdir()
    locked = Locked("doorward", version, hashlib.sha256(own.read_bytes()).hexdigest(), own.name, own.stat().st_size)
    (folder / "locks" / f"py{python_here().replace('.', '')}.txt").write_text(locked.line + "\n")
    (folder / "systemd").mkdir()
    for name in SETTINGS:
        (folder / "systemd" / name).write_text(f"# {version}\n")
    for name in {unit, "doorward-door"}:
        (folder / "systemd" / f"{name}.service").write_text(UNIT.format(version=version))
    shutil.copyfile(INSTALL, folder / "install.sh")
    (folder / "sbom.cdx.json").write_text("{}\n")
    seal(folder, key, version, board or board_here(), pythons or (python_here(),))
    return folder


def seal(folder: Path, key: Path, version: str, board: str, pythons: tuple[str, ...]) -> None:
    (folder / "release.pub").write_bytes(public_half(key))
    (folder / MANIFEST).write_bytes(encode(describe(folder, version, "0" * 40, board, pythons)))
    (folder / SIGNATURE).write_bytes(sign(key, folder / MANIFEST))


class Controller:
    """A folder that install.sh takes for the whole system (`--root`)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.opt = root / "opt" / "doorward"
        self.etc = root / "etc" / "doorward"
        self.etc.mkdir(parents=True, exist_ok=True)
        self.boots("boot-1")

    def boots(self, boot: str) -> None:
        """Another start of the controller."""
        file = self.root / "proc" / "sys" / "kernel" / "random" / "boot_id"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(boot + "\n")

    def commissioned(self) -> str:
        text = '[door]\nname = "front"\n'
        (self.etc / "door.toml").write_text(text)
        return text

    def command(self, script: Path, *words: str) -> list[str]:
        return ["sh", str(script / "install.sh"), "--root", str(self.root), *words]

    def run(self, script: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(script, *words), capture_output=True, text=True, check=False)

    def settles(self) -> subprocess.CompletedProcess[str]:
        """What doorward-settle.service does at each start."""
        return self.run(self.opt / "current", "--settle") if self.trial else subprocess.CompletedProcess([], 0, "", "")

    @property
    def trial(self) -> bool:
        """Whether an installation is under way, or was cut off."""
        return (self.opt / "trial").exists()

    def runs(self) -> str:
        """The version of the program that would start now, as it says itself."""
        return subprocess.run([self.opt / "bin" / "doorward"], capture_output=True, text=True, check=True).stdout.strip()

    def units(self) -> str:
        """The version whose units are in place."""
        return (
            (self.root / "etc/systemd/system/doorward-door.service").read_text().split("Description=Doorward ")[1].split("\n")[0]
        )

    def releases(self) -> set[str]:
        return {path.name.split("+")[0] for path in (self.opt / "releases").iterdir()}
