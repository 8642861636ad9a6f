"""Two systems on one disk, in a machine: UEFI, GRUB, kernel, systemd and RAUC as they are, and Doorward out of its own bundle.

As root, a quarter of an hour: the processor is emulated. docs/UPDATES.md keeps the last result.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rauc.machine import Machine

pytestmark = [pytest.mark.field, pytest.mark.timeout(3600)]
REPOSITORY = Path(__file__).parents[2]
MADE = REPOSITORY / "var/rauc"
PACKAGES = [
    "rauc", "grub-efi-amd64-bin", "grub-common", "ovmf", "qemu-system-x86", "qemu-utils",
    "mmdebstrap", "mtools", "dosfstools", "e2fsprogs", "fdisk", "squashfs-tools",
]  # fmt: skip
CUTS = int(os.environ.get("DOORWARD_CUTS", "5"))
"""How often the power fails during an installation. Each takes about a minute."""
LASTS_S = 60.0
"""About what an installation takes here; cuts fall anywhere in it, and some after it."""

RUNS = r"sed -n 's/.*rauc\.slot=\([AB]\).*/\1/p' /proc/cmdline"
RELEASE = "cat /usr/lib/doorward-system/release"
PRESS = "/opt/doorward/current/bin/python /usr/local/lib/rig.py press"


@pytest.fixture(scope="session", autouse=True)
def made() -> None:
    bundle = next(Path(os.environ.get("DOORWARD_DIST", REPOSITORY / "dist")).glob("doorward-*-rehearsal.tar"), None)
    assert bundle, "there is no dist/doorward-VERSION-rehearsal.tar: make bundle BOARD=rehearsal"
    subprocess.run([REPOSITORY / "tools/system_packages.sh", *PACKAGES], check=True)
    subprocess.run([REPOSITORY / "tools/rauc/rehearse.sh", bundle], check=True)


@pytest.fixture(scope="session")
def proven(made: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk of a controller whose first system was found good."""
    folder = tmp_path_factory.mktemp("first")
    machine = Machine(folder, MADE / "disk.img", MADE / "parcels.img")
    try:
        machine.power_on()
        machine.up()
        found_good(machine, "A")
        machine.ask("sync")
    finally:
        machine.power_off()
    return machine.disk


@pytest.fixture
def controller(proven: Path, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, proven, MADE / "parcels.img", "qcow2")
    machine.power_on()
    try:
        machine.up()
        yield machine
    finally:
        machine.power_off()


def found_good(machine: Machine, slot: str) -> None:
    """Waits for doorward-mark-good.service's word."""
    machine.ask(
        f"until grep -q '^{slot} ' /data/system/proven 2>/dev/null && ! systemctl is-active -q doorward-mark-good; do sleep 1; done"
    )


def door_works(machine: Machine) -> None:
    """Its own word, and the exit button frees the door."""
    machine.ask("/opt/doorward/bin/doorward health --wait 300")
    assert machine.ask(PRESS) == "open"


def install(machine: Machine, name: str) -> None:
    machine.ask(f"doorward-system install /parcels/{name}.raucb")


def restarted(machine: Machine) -> None:
    """Asked to restart, it goes down and comes up by itself."""
    before = machine.ask("cat /proc/sys/kernel/random/boot_id")
    machine.begin("doorward-system restart")
    came_back(machine, before)


def came_back(machine: Machine, before: str) -> None:
    """Waits until it is another start than `before`."""
    while True:
        machine.up()
        with contextlib.suppress(TimeoutError):  # it went down between two questions
            if machine.ask("cat /proc/sys/kernel/random/boot_id", 15) != before:
                return


def test_an_update_is_installed_tried_and_kept(controller: Machine) -> None:
    identity = controller.ask("cat /etc/machine-id")
    controller.ask("touch /var/lib/doorward/of-the-door")
    install(controller, "two")
    assert controller.ask(RUNS) == "A", "nothing changes before the restart"
    restarted(controller)
    assert controller.ask(f"{RUNS}; {RELEASE}").split() == ["B", "two"]
    found_good(controller, "B")
    door_works(controller)
    assert controller.ask("cat /etc/machine-id") == identity
    controller.ask("test -e /var/lib/doorward/of-the-door")
    controller.power_off()
    controller.power_on()
    controller.up()
    assert controller.ask(RUNS) == "B", "from then on it is what starts"


@pytest.mark.parametrize("name", ["mute", "stuck", "dead"])
def test_a_system_that_does_not_come_up_is_left_by_itself(controller: Machine, name: str) -> None:
    before = controller.ask("cat /proc/sys/kernel/random/boot_id")
    install(controller, name)
    controller.begin("doorward-system restart")
    while True:
        came_back(controller, before)
        if controller.ask(RUNS) == "A":
            break
        before = controller.ask("cat /proc/sys/kernel/random/boot_id")
    assert "Doorward starts B" in controller.console.read_text(errors="replace"), "it was tried"
    door_works(controller)


def test_a_bundle_with_a_foreign_byte_leaves_the_door_as_it_was(controller: Machine) -> None:
    status, said = controller.run("doorward-system install /parcels/forged.raucb")
    assert status != 0, said
    restarted(controller)
    assert controller.ask(RUNS) == "A"
    door_works(controller)


def test_the_power_may_fail_at_any_moment_of_an_installation(controller: Machine) -> None:
    chance, good = random.Random(os.environ.get("DOORWARD_CUTS_SEED", "")), "A"
    for number in range(1, CUTS + 1):
        controller.begin("doorward-system install /parcels/two.raucb; echo; echo inst''alled-$?")
        after_s = chance.uniform(0, LASTS_S)
        reached = controller.cut_after(after_s)
        controller.power_on()
        controller.up()
        runs = controller.ask(RUNS)
        print(f"cut {number}, {after_s:.1f} s after the beginning, at {reached!r}: {runs} starts", flush=True)
        assert runs == good or "installed-0" in reached
        if runs != good:  # the power failed after the last word: it is on trial, and is kept
            found_good(controller, runs)
            good = runs
    door_works(controller)
    found_good(controller, good)
    install(controller, "two")
    restarted(controller)
    assert controller.ask(RUNS) != good, "the next attempt is none the worse for it"
