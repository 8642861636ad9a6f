"""A door in a machine without a right clock, and with a TPM: what its events say of their time, and what its disk says to another board."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from central.database.opening import opened_to_read
from central.history.events import EventStore
from central.history.kept import Kept
from tests.field.conftest import FIELD, Tell, bundle_of, give_keys, unpack, wire
from tests.field.machine import Machine
from tests.field.site import Site

IN_1970 = "1970-01-02 00:00:00"
SYNCHRONISE = """
import ctypes, struct
timex = bytearray(256)
struct.pack_into("I", timex, 0, 0x10 | 0x4 | 0x8)
struct.pack_into("qq", timex, 24, 1000, 1000)
struct.pack_into("i", timex, 40, 1)
print(ctypes.CDLL(None).adjtimex((ctypes.c_char * 256).from_buffer(timex)))
"""
"""What a time daemon tells the kernel (adjtimex(2)): status STA_PLL, and how small its error is."""
DOORWARD = "/opt/doorward/bin/doorward"


@pytest.fixture(scope="module")
def board(site: Site) -> Iterator[Machine]:
    """A door that starts in 1970, on a board with a TPM."""
    machine = Machine("identity")
    machine.remove()
    machine.start("--tpm")
    unpack(machine, bundle_of("rehearsal"), "/root/bundle")
    machine.run(f"sh /root/bundle/install.sh --no-start; rm -rf /root/bundle; timedatectl set-ntp false; date -s '{IN_1970}'")
    wire(machine)
    give_keys(machine, site.keys)
    machine.run("chown -R doorward:doorward /etc/doorward/door.key /etc/doorward/link")
    machine.run("systemctl start field-camera && systemctl enable -q --now doorward.target")
    machine.until(machine.healthy, "door and vision do not come up", 600)
    yield machine
    machine.remove()


def kept(site: Site) -> list[Kept]:
    with opened_to_read(site.database) as engine:
        return EventStore(engine).events()


def of_kind(site: Site, kind: str) -> list[Kept]:
    return [each for each in kept(site) if each.told.event.kind == kind]


def test_a_door_that_starts_in_1970_is_heard_marked_and_corrected(board: Machine, site: Site, tell: Tell) -> None:
    board.until(lambda: bool(of_kind(site, "door.started")), "its events do not come", 200)
    first = of_kind(site, "door.started")[0]
    assert first.told_at is not None
    tell("a door starts in 1970, its broker's certificate is of today", f"its link comes up, its events are marked {first.told.event.clock}",
         "the link comes up; events are 'unsure'", first.told.event.clock == "unsure")  # fmt: skip
    board.run(f"date -s @{time.time():.3f}")
    board.run(f"python3 -c '{SYNCHRONISE}'")
    board.until(lambda: bool(of_kind(site, "clock.synchronised")), "it does not say that it knows the time", 200)
    again, late = of_kind(site, "door.started")[0], time.time()
    off_s = late - again.told.event.at.timestamp()
    tell("its clock is set and synchronised", f"its first event is {again.told.event.clock}: {off_s:.0f} s ago",
         "'corrected', to when the machine started", again.told.event.clock == "corrected" and 0 < off_s < 3600)  # fmt: skip


def test_keys_sealed_to_the_tpm_are_nothing_to_another_board(board: Machine, tell: Tell) -> None:
    board.run(f"{DOORWARD} identity seal")
    left = board.run("find /etc/doorward -name '*.key*' | wc -l")
    tell("doorward identity seal", f"door and vision run, {left} key files are left in /etc/doorward", "0 files; healthy",
         left == "0" and board.healthy())  # fmt: skip
    board.cut()
    board.start()
    took_s = board.until(board.healthy, "the door does not come up with sealed keys", 600)
    tell("the power is cut, and comes back", f"the door runs with sealed keys after {took_s:.0f} s", "it runs", True)
    board.vm("stop", board.name)
    tpm = FIELD / "run" / board.name / "tpm"
    aside = tpm.rename(Path(f"{tpm}.aside"))
    board.start()  # the same disk, another TPM
    opened = board.tried(
        "for key in /etc/doorward/sealed/* /etc/doorward/link/sealed/*; do systemd-creds decrypt $key - >/dev/null && echo $key; done"
    )
    tell(
        "the same disk in another board",
        f"opened there: {opened.stdout.strip() or 'no key'}",
        "no key",
        opened.stdout.strip() == "",
    )
    board.vm("stop", board.name)
    for file in tpm.iterdir():
        file.unlink()
    tpm.rmdir()
    aside.rename(tpm)
    board.start()
    board.until(board.healthy, "back in its own board the door does not come up", 600)
