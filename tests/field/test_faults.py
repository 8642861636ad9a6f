"""What befalls a door, one thing after the other. Program, units, kernel, broker and historian are real, the far ends of wires are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.field.conftest import FIELD, Tell
from tests.field.machine import RELAY, Machine
from tests.field.site import Site, counted, lacks
from tests.system.brokers import wait_until

JOURNALS = """
import json, pathlib, sqlite3
found = {}
for file in pathlib.Path("/var/lib/doorward").rglob("journal*.db"):
    found |= dict(sqlite3.connect(f"file:{file}?mode=ro", uri=True).execute("SELECT id, high_water FROM journals"))
print(json.dumps(found))
"""
UP_S = 600


def journals(machine: Machine) -> dict[str, int]:
    """How far each journal of the door has counted."""
    return counted(machine.run(f"/usr/bin/python3 -c '{JOURNALS}'"))


def nothing_is_lost(machine: Machine, site: Site) -> str:
    """Waits until the historian holds each number once that the door gave, and says so."""
    wait_until(lambda: not lacks(journals(machine), site.sequences()), 300, f"{lacks(journals(machine), site.sequences())}")
    return f"{sum(journals(machine).values())} events counted at the door, each once at the historian"


def opened_by_exit(machine: Machine) -> None:
    machine.trace()
    machine.press_exit()
    machine.until(lambda: machine.level(RELAY), "the exit button does not open", 60)


def exit_opens(machine: Machine) -> bool:
    """Pressed, open, and shut again by itself."""
    opened_by_exit(machine)
    machine.until(lambda: not machine.level(RELAY), "the pulse does not end", 120)
    return True


def strike(machine: Machine, unit: str, signal: str) -> float:
    """When it was struck, or a moment before, by the machine's own clock."""
    return float(machine.run(f"cut -d' ' -f1 /proc/uptime; kill -{signal} {machine.pid(unit)}"))


def fell_after_s(machine: Machine, struck_s: float) -> float:
    machine.until(lambda: not machine.level(RELAY), "the coil keeps its power", 240)
    return next(at_s - struck_s for at_s, high in reversed(machine.traced()) if not high)


def test_a_door_that_is_killed_in_mid_pulse(installed: Machine, site: Site, tell: Tell) -> None:
    opened_by_exit(installed)
    struck_s = strike(installed, "doorward-door", "KILL")
    fell_s = fell_after_s(installed, struck_s)
    again_s = installed.until(installed.healthy, "the door does not come up again", UP_S)
    tell("door program killed (SIGKILL) while the exit button's pulse runs",
         f"the coil was without power {fell_s:.2f} s later, the door up again after {again_s:.0f} s; {nothing_is_lost(installed, site)}",
         "the coil loses its power before anything is started anew; the door comes up; nothing is lost",
         fell_s < 2.0 and exit_opens(installed))  # fmt: skip


def test_a_door_that_hangs_in_mid_pulse(installed: Machine, site: Site, tell: Tell) -> None:
    opened_by_exit(installed)
    limit_s = float(installed.run("systemctl show doorward-door -p WatchdogUSec --value").rstrip("s"))
    struck_s = strike(installed, "doorward-door", "STOP")
    fell_s = fell_after_s(installed, struck_s)
    again_s = installed.until(installed.healthy, "the door does not come up again", UP_S)
    tell(f"door program stopped (SIGSTOP) in a pulse; WatchdogSec is {limit_s:.0f} s here",
         f"the coil was without power after {fell_s:.1f} s, the door up again {again_s:.0f} s later; {nothing_is_lost(installed, site)}",
         "the watchdog ends it, the coil loses its power, the door comes up; nothing is lost", fell_s < limit_s + 15)  # fmt: skip


def test_a_vision_that_is_killed(installed: Machine, tell: Tell) -> None:
    before = installed.pid("doorward-door")
    strike(installed, "doorward-vision", "KILL")
    opens = exit_opens(installed)
    again_s = installed.until(installed.healthy, "vision does not come up again", UP_S)
    tell("vision program killed", f"the exit button opened meanwhile; vision was up again {again_s:.0f} s after that; the door ran through",
         "the door goes on, vision comes up", opens and installed.pid("doorward-door") == before)  # fmt: skip


def test_a_broker_that_is_away(installed: Machine, site: Site, tell: Tell) -> None:
    site.broker.kill()
    opens = exit_opens(installed)
    told = site.kinds().count("rex.pressed")
    site.broker.start()
    said = nothing_is_lost(installed, site)
    came = site.kinds().count("rex.pressed") - told
    tell("the broker is away while somebody leaves", f"the exit button opened; {came} press came later; {said}",
         "the door opens; what happened comes when the broker does", opens and came == 1)  # fmt: skip


def test_a_disk_that_is_full(installed: Machine, site: Site, tell: Tell) -> None:
    told = site.kinds().count("rex.pressed")
    installed.run("fallocate -l $(df --output=avail -B1 /var/lib/doorward | tail -1) /var/lib/filler; "
                  "cat /dev/zero >>/var/lib/filler 2>/dev/null || true")  # fmt: skip
    free = installed.run("df --output=avail -B1 /var/lib/doorward | tail -1")
    opens = exit_opens(installed)
    runs = installed.unit("doorward-door", "ActiveState")["ActiveState"]
    installed.run("rm /var/lib/filler")
    said = nothing_is_lost(installed, site)
    came = site.kinds().count("rex.pressed") - told
    tell(f"the disk is full ({free.strip()} B free) while somebody leaves",
         f"the exit button opened, the door was {runs}; {came} press at the historian; {said}",
         "the door opens and runs; nothing is lost", opens and runs == "active" and came == 1)  # fmt: skip


def test_power_that_fails_in_mid_pulse(installed: Machine, site: Site, tell: Tell) -> None:
    opened_by_exit(installed)
    installed.cut()
    installed.start()
    level = installed.level(RELAY)
    installed.until(installed.healthy, "the door does not come up", UP_S)
    said = nothing_is_lost(installed, site)
    opens = exit_opens(installed)
    coil = "UNDER POWER" if level else "without power"
    tell("the power fails in a pulse", f"after it came back the coil was {coil}, the door up, the exit button opened; {said}",
         "no power on the coil until somebody is let through; the door comes up; nothing is lost", opens and not level)  # fmt: skip


def test_a_kernel_that_panics(installed: Machine, site: Site, tell: Tell) -> None:
    limit = installed.run("systemctl show --property=RuntimeWatchdogUSec --value")
    boot = installed.run("cat /proc/sys/kernel/random/boot_id")
    opened_by_exit(installed)
    installed.tried("sync; (sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &")
    took_s = installed.until(
        lambda: installed.tried("cat /proc/sys/kernel/random/boot_id").stdout.strip() not in ("", boot), "nobody resets it", UP_S
    )
    level = installed.level(RELAY)
    installed.until(installed.healthy, "the door does not come up", UP_S)
    tell(f"the kernel panics in a pulse and stands still; RuntimeWatchdogSec is {limit} here",
         f"the watchdog reset the machine; it answered {took_s:.0f} s after the panic; {nothing_is_lost(installed, site)}",
         "the machine is reset by its watchdog, the coil without power, the door up", not level)  # fmt: skip


@pytest.fixture
def card(installed: Machine) -> Iterator[Path]:
    """An empty one, of 256 MiB; who comes after may write to the root again."""
    file = FIELD / "data-card"
    file.unlink(missing_ok=True)
    with file.open("wb") as made:
        made.truncate(256 << 20)
    yield file
    installed.tried("mount -o remount,rw /")


def test_a_root_that_is_read_only(installed: Machine, site: Site, card: Path, tell: Tell) -> None:
    nothing_is_lost(installed, site)
    installed.vm("stop", installed.name)
    installed.start("--card", card)
    installed.run("systemctl stop doorward-door doorward-vision; mkfs.ext4 -q /dev/vdb && mount /dev/vdb /mnt && "
                  "cp -a /var/lib/doorward/. /mnt && for of in chown chmod; do $of --reference=/var/lib/doorward /mnt; done; "
                  "umount /mnt")  # fmt: skip
    installed.run("printf '%s\\n' '/dev/vda / ext4 ro,noatime 0 1' '/dev/vdb /var/lib/doorward ext4 noatime,nofail 0 2' "
                  "'tmpfs /tmp tmpfs mode=1777' 'tmpfs /var/log tmpfs mode=0755' 'tmpfs /var/tmp tmpfs mode=1777' >/etc/fstab")  # fmt: skip
    installed.vm("stop", installed.name)
    installed.start("--card", card, "--append", "ro")
    root = installed.run("findmnt -no OPTIONS / | cut -d, -f1")
    installed.until(installed.healthy, "the door does not come up", UP_S)
    opens = exit_opens(installed)
    failed = installed.run("systemctl --failed --plain --no-legend | cut -d' ' -f1").split()
    tell("root read-only, the door's data on a partition of its own", f"root {root}; door and vision up, the exit button opened; "
         f"units that failed: {', '.join(failed) or 'none'}; {nothing_is_lost(installed, site)}",
         "root ro; door and vision run; none of Doorward's units fails",
         root == "ro" and opens and not any("doorward" in unit for unit in failed))  # fmt: skip
