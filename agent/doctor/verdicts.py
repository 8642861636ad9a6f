"""What was seen on a controller -> findings. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from agent.doctor.finding import Finding, bad, note, warn, well
from agent.doctor.machine import FileSeen, Installed, UserSeen
from agent.wear import Figures

OLDEST_PYTHON = (3, 10)


def judge_python(found: tuple[int, int], venv: bool) -> Iterator[Finding]:
    words = f"Python {found[0]}.{found[1]}"
    if found < OLDEST_PYTHON:
        yield bad(f"{words}: at least 3.10 is needed", "the programs do not start", "sudo apt install python3.11 python3.11-venv")
    else:
        yield well(f"{words}{' in a virtual environment' if venv else ''}")


class Package(Struct, frozen=True, kw_only=True):
    """A Python package that some part of a controller needs."""

    distribution: str
    module: str
    why: str
    mend: str


def judge_package(package: Package, found: Installed) -> Finding:
    if found.usable:
        return well(
            f"{package.distribution} {found.version}" if found.version != "?" else f"{package.module} (not installed by pip)"
        )
    if found.error:
        return bad(f"{package.distribution} {found.version} does not import: {found.error}", package.why, package.mend)
    return bad(f"{package.distribution} is not installed", package.why, package.mend)


class Need(Struct, frozen=True, kw_only=True):
    """A group of the system, and what it is for."""

    group: str
    why: str


def judge_user(user: UserSeen, needs: tuple[Need, ...]) -> Iterator[Finding]:
    if user.groups is None:
        yield bad(
            f"there is no user {user.name}",
            "the services run as this user and do not start",
            f"sudo useradd --system --home /var/lib/doorward --shell /usr/sbin/nologin {user.name}",
        )
        return
    yield well(f"user {user.name} is there")
    for need in needs:
        if need.group in user.groups:
            yield well(f"{user.name} is in the group {need.group}")
        else:
            yield warn(f"{user.name} is not in the group {need.group}", need.why, f"sudo usermod -aG {need.group} {user.name}")


def judge_device(device: FileSeen, user: UserSeen, why: str, mend: str) -> Finding:
    if not device.exists:
        return bad(f"{device.path} is not there", why, mend)
    if user.groups is not None and not device.open_to(user.name, user.groups, 6):
        return bad(
            f"{device.path} belongs to {device.owner}:{device.group} ({device.mode:o}), {user.name} may not use it",
            why,
            f"sudo usermod -aG {device.group} {user.name}; then restart the services",
        )
    return well(f"{device.path} ({device.owner}:{device.group})")


class KeyFile(Struct, frozen=True, kw_only=True):
    """A key that the door reads."""

    key: str
    """Its name in the configuration."""
    private: bool
    why: str
    mend: str


def judge_key(wanted: KeyFile, file: FileSeen, user: UserSeen) -> Finding:
    if file.hidden:
        return note(f"{wanted.key}: only root may look at {file.path}", "run it as root: sudo doorward doctor")
    if not file.exists:
        return bad(f"{wanted.key}: {file.path} is not there", wanted.why, wanted.mend)
    if wanted.private and not file.private:
        return bad(
            f"{wanted.key}: others may read {file.path} ({file.mode:o})",
            "whoever has it can open what was sealed for this door",
            f"sudo chmod 600 {file.path}",
        )
    if user.groups is not None and not file.open_to(user.name, user.groups, 4):
        return bad(
            f"{wanted.key}: {file.path} belongs to {file.owner} ({file.mode:o}), {user.name} cannot read it",
            wanted.why,
            f"sudo chown {user.name}:{user.name} {file.path}",
        )
    return well(f"{wanted.key}: {file.path}")


def judge_owned(files: tuple[FileSeen, ...], user: UserSeen, folder: str) -> Finding:
    """Files that root left in the door's folder, e.g. by `sudo doorward …`."""
    foreign = [file.path for file in files if file.owner != user.name]
    if user.groups is None or not foreign:
        return well(f"{folder}: {len(files)} files, all of {user.name}")
    return bad(
        f"{len(foreign)} files in {folder} are not {user.name}'s: {', '.join(sorted(foreign)[:3])}",
        "the door cannot read or replace them",
        f"sudo chown -R {user.name}:{user.name} {folder}",
    )


LEAST_FREE_BYTES, FULL_SHARE = 200 << 20, 0.1


def judge_disk(folder: str, free: int, total: int) -> Finding:
    words = f"{folder}: {free / 2**30:.1f} GB of {total / 2**30:.1f} GB free"
    if free < LEAST_FREE_BYTES:
        return bad(
            words,
            "a journal that cannot be written loses events at the next power cut",
            "sudo journalctl --vacuum-size=50M; sudo apt clean",
        )
    if free < FULL_SHARE * total:
        return warn(words, "the disk fills up", "sudo journalctl --vacuum-size=50M; sudo apt clean")
    return well(words)


IN_MEMORY = ("tmpfs", "ramfs", "overlay")
"""File systems whose files may go with the power; an overlay's lie wherever its upper layer lies, of a read-only root in memory."""


def judge_place(folder: str, kind: str) -> Iterator[Finding]:
    """Whether a power cut takes the records along."""
    if kind in IN_MEMORY:
        yield (warn if kind == "overlay" else bad)(
            f"{folder} lies on {kind}",
            "what lies in memory is gone with the power: events that the centre has not yet, and who is inside",
            "mount a partition of its own there (docs/SERVICES.md, Read-only root)",
        )


MANY_REWRITES_A_YEAR = 30.0
"""Of a whole card. Assumed: 500 to 1,000 rewrites of each cell, and some five times as much written inside as was asked for."""
OLD_PERCENT, SPENT_PERCENT = 80, 100


def judge_wear(told: Figures) -> Iterator[Finding]:
    """How soon a card is worn out."""
    mend = "sudo journalctl --disk-usage; sudo iotop -ao shows who writes; a larger card, or one for surveillance, lasts longer"
    if told.life_used is not None and told.life_used >= OLD_PERCENT:
        spent = told.life_used >= SPENT_PERCENT
        yield (bad if spent else warn)(
            f"this eMMC has used {told.life_used} % of its life", "a worn one fails for good", "plan its exchange"
        )
    if told.disk_b_a_day is None:
        yield note("what is written to this disk a day is not known yet", "the door counts it while it runs")
        return
    of_it = f", {told.programs_b_a_day / 1e6:.0f} MB of it by Doorward" if told.programs_b_a_day is not None else ""
    words = f"{told.disk_b_a_day / 1e6:.0f} MB a day are written to this disk{of_it}"
    if (told.rewrites_a_year or 0.0) > MANY_REWRITES_A_YEAR:
        yield warn(f"{words}: all of it {told.rewrites_a_year:.0f} times a year", "a card wears out by being written", mend)
    else:
        yield well(words)


MANY_WAIT = 5000


def judge_journal(path: str, exists: bool, waiting: int, damaged: int, error: str) -> Iterator[Finding]:
    if not exists:
        yield note(f"{path}: no journal yet", "the door makes it when it starts")
    elif error:
        yield bad(
            f"{path}: {error}", "the door sets it aside at its next start and counts anew", "sudo systemctl restart doorward-door"
        )
    else:
        if damaged:
            yield warn(
                f"{path}: {damaged} damaged rows were put aside",
                "a card or disk that begins to fail",
                "replace the SD card; the rows are kept",
            )
        if waiting > MANY_WAIT:
            yield warn(
                f"{path}: {waiting} events wait for the centre",
                "nobody has acknowledged them: broker or historian is away",
                "doorward doctor --only broker",
            )
        else:
            yield well(f"{path}: sound, {waiting} events wait for the centre")


def judge_watchdog(device: bool, armed: Literal["yes", "no", "unknown"]) -> Finding:
    why = "a kernel that hangs with the relay on leaves the door open until somebody comes"
    if not device:
        return warn(
            "there is no /dev/watchdog",
            why,
            "on a Raspberry Pi write dtparam=watchdog=on into /boot/firmware/config.txt and restart",
        )
    if armed == "no":
        return warn(
            "the hardware watchdog is not armed",
            why,
            "write RuntimeWatchdogSec=15 into /etc/systemd/system.conf; sudo systemctl daemon-reexec",
        )
    return (
        well("the hardware watchdog is armed")
        if armed == "yes"
        else note("there is a hardware watchdog; systemd does not say whether it is armed")
    )


class UnitSeen(Struct, frozen=True, kw_only=True):
    """What systemd says of a unit."""

    name: str
    loaded: bool
    active: str
    enabled: str
    restarts: int = 0


MANY_RESTARTS = 3


def judge_unit(unit: UnitSeen) -> Finding:
    if not unit.loaded:
        return bad(
            f"{unit.name} is not installed",
            "nothing starts the door after a power cut",
            f"sudo cp systemd/{unit.name} /etc/systemd/system/; sudo systemctl daemon-reload; sudo systemctl enable "
            f"--now {unit.name}",
        )
    if unit.name.endswith(".target") and unit.enabled != "enabled":
        return bad(
            f"{unit.name} is not enabled", "nothing starts the door after a power cut", f"sudo systemctl enable --now {unit.name}"
        )
    if unit.active != "active":
        return warn(
            f"{unit.name} is {unit.active}",
            "nobody is let in while it does not run",
            f"sudo systemctl start {unit.name}; journalctl -u {unit.name} -n 50 says why it ended",
        )
    if unit.restarts > MANY_RESTARTS:
        return warn(
            f"{unit.name} was started anew {unit.restarts} times",
            "something ends it again and again",
            f"journalctl -u {unit.name} -n 200",
        )
    return well(f"{unit.name} is active")


SOON_DAYS = 30.0


def judge_certificate(name: str, days: float | None) -> Finding:
    """`days` it is still good for; None: could not be read."""
    if days is None:
        return bad(
            f"{name}: no certificate can be read in it",
            "the door cannot speak to its broker",
            "fetch it anew from the site's server",
        )
    if days < 0:
        return bad(
            f"{name} ended {-days:.0f} days ago",
            "the broker is not believed, and events stay on the door",
            "renew it at the site's server",
        )
    if days < SOON_DAYS:
        return warn(f"{name} ends in {days:.0f} days", "then events stay on the door", "renew it at the site's server")
    return well(f"{name} is good for {days:.0f} more days")


UNDER_VOLTAGE, UNDER_VOLTAGE_WAS, THROTTLED = 1 << 0, 1 << 16, 1 << 2


def judge_supply(throttled: int | None) -> Iterator[Finding]:
    """Bits of `vcgencmd get_throttled` (Raspberry Pi documentation, vcgencmd)."""
    if throttled is None:
        return
    why = "readers, locks and accelerators fail in ways that look like loose wires"
    if throttled & (UNDER_VOLTAGE | UNDER_VOLTAGE_WAS):
        yield warn(
            f"the supply was too weak{' and is so now' if throttled & UNDER_VOLTAGE else ' since the start'}",
            why,
            "a supply of 5.1 V and 3 A (Pi 4) or 5 A (Pi 5), and a short, thick cable; the lock has its own",
        )
    elif throttled & THROTTLED:
        yield warn("the processor is slowed down by heat", "decisions come late", "a heat sink, or a vent in the enclosure")
    else:
        yield well("supply and temperature were fine since the start")
