"""The units under a real systemd, with a program in the door's place that ends as it is told: what no test outside can see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.field.conftest import Tell
from tests.field.machine import ROOT, Machine

PROGRAM = """\
#!/usr/bin/python3 -ISE
import os, socket, sys, time
if sys.argv[1] != "door":
    sys.exit(print(sys.argv[1], flush=True))
if open("/etc/doorward/ends").read() == "at once":
    sys.exit(2)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
    wire.connect(os.environ["NOTIFY_SOCKET"])
    wire.send(b"READY=1")
    while True:
        wire.send(b"WATCHDOG=1")
        time.sleep(0.5)
"""
PLACES = {
    "doorward-sysusers.conf": "/etc/sysusers.d/doorward.conf", "doorward-tmpfiles.conf": "/etc/tmpfiles.d/doorward.conf",
    "70-doorward.rules": "/etc/udev/rules.d/70-doorward.rules", "doorward-door.service": "/etc/systemd/system/doorward-door.service",
    "doorward-safe.service": "/etc/systemd/system/doorward-safe.service",
}  # fmt: skip


def _furnish(machine: Machine, folder: Path) -> None:
    machine.start("--from", "booted")
    program = folder / "doorward"
    program.write_text(PROGRAM)
    machine.run("mkdir -p /opt/doorward/bin /etc/sysusers.d /etc/tmpfiles.d /etc/udev/rules.d")
    machine.copy(program, "/opt/doorward/bin/doorward")
    for name, path in PLACES.items():
        machine.copy(ROOT / "systemd" / name, path)
    machine.run("chmod 755 /opt/doorward/bin/doorward && systemd-sysusers && systemd-tmpfiles --create doorward.conf && "
                "udevadm control --reload && systemctl daemon-reload")  # fmt: skip


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Debian with the door's units and a stand-in."""
    machine = Machine("services")
    machine.remove()
    try:
        _furnish(machine, tmp_path_factory.mktemp("program"))
        yield machine
    finally:
        machine.remove()


def active(machine: Machine, unit: str) -> str:
    return machine.unit(f"doorward-{unit}", "ActiveState")["ActiveState"]


def rest(machine: Machine) -> None:
    """The door ends at each start, until it rests."""
    machine.run("printf 'at once' >/etc/doorward/ends; systemctl reset-failed; systemctl restart --no-block doorward-door")
    machine.until(
        lambda: active(machine, "safe") == "activating" and active(machine, "door") == "failed", "it does not rest", 300
    )


def test_a_door_that_does_not_come_up_rests_without_power_and_is_up_once_it_is_mended(machine: Machine, tell: Tell) -> None:
    rest(machine)
    machine.until(
        lambda: "safe-state" in machine.run("journalctl -u doorward-safe -o cat"), "the lock is not made safe once more", 120
    )
    machine.run("printf never >/etc/doorward/ends")
    took_s = machine.until(lambda: active(machine, "door") == "active", "it is not tried again", 300)
    tell("A door whose configuration is wrong, mended later", f"five starts, a rest, up by itself {took_s:.0f} s after it was mended",
         "it rests in its safe state, never reboots, and comes up when it can", active(machine, "door") == "active")  # fmt: skip


def test_who_stops_a_door_that_rests_has_stopped_it(machine: Machine, tell: Tell) -> None:
    rest(machine)
    machine.run("systemctl stop doorward-door; printf never >/etc/doorward/ends; sleep 40")
    seen = active(machine, "door")
    tell(
        "A door stopped by hand while it rests",
        f"40 s later it is {seen}",
        "nobody starts it again behind the installer's back",
        seen == "failed",
    )


def test_a_reader_that_is_plugged_in_later_has_a_lasting_name_and_the_doors_group(machine: Machine, tell: Tell) -> None:
    machine.run("modprobe dummy_hcd && modprobe g_serial")
    line = "ls /dev/doorward/reader-at-* 2>/dev/null"
    machine.until(lambda: machine.tried(line).returncode == 0, "udev gives it no name", 120)
    seen = machine.run("stat -L -c '%G %a' /dev/doorward/reader-at-*")
    known = machine.run("grep -c -E 'ttyACM|ttyUSB' /proc/devices")
    tell("A USB serial adapter plugged in while the door runs", f"/dev/doorward/reader-at-…, {seen}; {known} classes known to the unit",
         "a lasting name, dialout 660, and its class was allowed beforehand", (seen, known) == ("dialout 660", "2"))  # fmt: skip


def test_the_door_starts_although_its_data_partition_cannot_be_mounted(machine: Machine, tell: Tell) -> None:
    machine.run("systemctl stop doorward-door doorward-safe; systemctl reset-failed; printf never >/etc/doorward/ends; "
                "printf '[Mount]\\nWhat=/dev/no-such-card\\nWhere=/var/lib/doorward\\nType=ext4\\n' "
                ">/etc/systemd/system/var-lib-doorward.mount; systemctl daemon-reload; systemctl start doorward-door")  # fmt: skip
    seen = active(machine, "door")
    machine.run("rm /etc/systemd/system/var-lib-doorward.mount; systemctl daemon-reload")
    tell(
        "A card whose data partition is gone", f"the door is {seen}", "the door runs, and hears its exit button", seen == "active"
    )
