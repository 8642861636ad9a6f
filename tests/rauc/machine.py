"""A controller with two systems, in QEMU: real UEFI, GRUB, kernel, systemd and RAUC, with a shell on its second serial line.

Not tools/field/vm.sh: GRUB's start wants UEFI, which hangs under some hosts' KVM, and an emulated processor is too slow for SSH.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

STARTS_WITHIN_S = 600.0
"""A machine that is busy with other tests may need minutes for what takes 40 s alone."""


class Machine:
    """One disk that outlives its power cuts. `parcels`: an image with bundles, at /parcels inside."""

    def __init__(self, folder: Path, disk: Path, parcels: Path, kind: str = "raw") -> None:
        """Writes nothing to `disk`, an image of this kind."""
        self.folder = folder
        self.disk = folder / "disk.qcow2"
        self._parcels = parcels
        self._wire: socket.socket | None = None
        self._qemu: subprocess.Popen[bytes] | None = None
        _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, "-b", disk.resolve(), self.disk)

    def power_on(self) -> None:
        line = self.folder / "line"
        line.unlink(missing_ok=True)
        words = [
            "-name",
            self.folder.name,
            "-machine",
            "pc,accel=tcg",
            "-cpu",
            "qemu64",
            "-smp",
            "1",
            "-m",
            "640",
            "-display",
            "none",
        ]
        words += ["-no-user-config", "-nodefaults", "-bios", "/usr/share/ovmf/OVMF.fd", "-serial", f"file:{self.console}"]
        words += [
            "-serial",
            f"unix:{line},server=on,wait=off",
            "-drive",
            f"file={self.disk},format=qcow2,if=virtio,cache=writeback",
        ]
        words += ["-drive", f"file={self._parcels},format=raw,if=virtio,readonly=on", "-device", "virtio-rng-pci"]
        with self.console.open("ab") as console:
            console.write(b"\n---- power on ----\n")
        self._qemu = subprocess.Popen(["qemu-system-x86_64", *words], stderr=subprocess.DEVNULL)
        _until(line.exists, 20, "qemu does not start")
        self._wire = socket.socket(socket.AF_UNIX)
        self._wire.connect(str(line))

    @property
    def console(self) -> Path:
        return self.folder / "console"

    def power_off(self) -> None:
        """The power fails, now: what the machine had not handed to its disk is lost."""
        if self._qemu is not None:
            os.kill(self._qemu.pid, signal.SIGKILL)
            self._qemu.wait()
        if self._wire is not None:
            self._wire.close()
        self._qemu = self._wire = None

    def up(self, within_s: float = STARTS_WITHIN_S) -> None:
        """Until its shell answers."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            with contextlib.suppress(TimeoutError):
                if self.ask("echo here", within_s=5) == "here":
                    return
        raise TimeoutError(f"the machine does not come up; its console: {self.console}")

    def begin(self, command: str) -> None:
        """Type it, and do not wait for what comes of it."""
        assert self._wire is not None
        self._wire.sendall(f"{command}\n".encode())

    def ask(self, command: str, within_s: float = STARTS_WITHIN_S) -> str:
        """What a command says. Raises AssertionError with it when its status is not 0, TimeoutError."""
        status, said = self.run(command, within_s)
        assert status == 0, f"{command}: {status}\n{said}"
        return said

    def run(self, command: str, within_s: float = STARTS_WITHIN_S) -> tuple[int, str]:
        """(exit status, output). Each answer stands between two marks, so that words of an older one are passed by."""
        mark = os.urandom(6).hex()
        self.begin(f"echo; echo be''gin-{mark}; ( {command} ) 2>&1; echo e''nd-{mark}-$?-")
        heard = self._hear(f"end-{mark}-", within_s)
        said = heard.split(f"begin-{mark}", 1)[-1]
        text, _, status = said.rpartition(f"end-{mark}-")
        return int(status.split("-")[0]), text.strip()

    def _hear(self, mark: str, within_s: float) -> str:
        assert self._wire is not None
        heard, until_s = "", time.monotonic() + within_s
        while mark not in heard or not heard.split(mark, 1)[1].count("-"):
            self._wire.settimeout(max(0.01, until_s - time.monotonic()))
            data = self._wire.recv(65536)
            if not data or time.monotonic() > until_s:
                raise TimeoutError(heard)
            heard += data.decode(errors="replace").replace("\r", "")
        return heard

    def cut_after(self, seconds: float) -> str:
        """The power fails so much later; returns the last line that was heard until then."""
        assert self._wire is not None
        heard, until_s = "", time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._wire.settimeout(left_s)
            with contextlib.suppress(TimeoutError):
                heard += self._wire.recv(65536).decode(errors="replace")
        self.power_off()
        return heard.strip().rsplit("\n", 1)[-1]


def _until(true: object, within_s: float, otherwise: str) -> None:
    until_s = time.monotonic() + within_s
    while not true():  # type: ignore[operator]
        if time.monotonic() > until_s:
            raise TimeoutError(otherwise)
        time.sleep(0.05)


def _run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True)
