"""How much a controller writes to its disk: cards wear out by being written, and one that does so too fast is found before it fails. Pure.

Counted by hours of running time, not by days of the calendar: a controller without a clock must count, too. A day is the last 24 of them.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

HOUR_S = 3600.0
MOST_HOURS = 24
LEAST_S = 600.0
"""A figure for a day from less than this would be a guess."""
DAYS_A_YEAR = 365.0


class Counters(Struct, frozen=True, kw_only=True):
    """What the kernel says at one moment."""

    boot: str
    """Names this start of the machine: counters of another one began at zero again."""
    up_s: float
    """Since it started."""
    disk_b: int | None
    """Written to the disk that holds the records, by everybody, since it started; None where that is no disk."""


class Hour(Struct, frozen=True, kw_only=True):
    """What was written in an hour of running time, or in the part of it that has passed."""

    s: float = 0.0
    disk_b: int = 0
    programs_b: int = 0


class Wear(Struct, frozen=True, kw_only=True):
    """All that is counted; kept over restarts."""

    hours: tuple[Hour, ...] = (Hour(),)
    """The newest last; at most MOST_HOURS, and the one that is being filled."""
    disk_b: int = 0
    """Since counting began."""
    programs_b: int = 0
    s: float = 0.0
    """Running time since counting began."""
    last: Counters | None = None


def count(wear: Wear, now: Counters, programs_b: int) -> Wear:
    """With what was written since the last look. `programs_b`: by our programs, since then (proc(5): write_bytes)."""
    before = wear.last
    same = before is not None and before.boot == now.boot and now.up_s >= before.up_s
    passed_s = now.up_s - before.up_s if same and before is not None else now.up_s
    was_b = before.disk_b if same and before is not None else 0
    disk_b = max(0, now.disk_b - was_b) if now.disk_b is not None and was_b is not None else 0
    return _add(replace(wear, last=now), Hour(s=max(0.0, passed_s), disk_b=disk_b, programs_b=max(0, programs_b)))


def _add(wear: Wear, more: Hour) -> Wear:
    *full, filling = wear.hours or (Hour(),)
    filling = Hour(s=filling.s + more.s, disk_b=filling.disk_b + more.disk_b, programs_b=filling.programs_b + more.programs_b)
    hours = (*full, filling, Hour()) if filling.s >= HOUR_S else (*full, filling)
    return replace(
        wear, hours=hours[-MOST_HOURS - 1 :], disk_b=wear.disk_b + more.disk_b, programs_b=wear.programs_b + more.programs_b,
        s=wear.s + more.s,
    )  # fmt: skip


class Figures(Struct, frozen=True, kw_only=True):
    """For people and for the centre; bytes a day of running time, None where it is too early to say or there is no disk."""

    disk_b_a_day: int | None = None
    programs_b_a_day: int | None = None
    disk_b: int = 0
    """Since counting began."""
    hours: int = 0
    """Of running time that were counted."""
    rewrites_a_year: float | None = None
    """How often the whole disk is written anew in a year at this pace."""
    life_used: int | None = None
    """Percent of its life that an eMMC says it has used, in steps of ten; a card says nothing."""


def figures(wear: Wear, capacity_b: int | None, life_used: int | None) -> Figures:
    """What is published."""
    s = sum(hour.s for hour in wear.hours)
    told = s >= LEAST_S
    has_disk = wear.last is not None and wear.last.disk_b is not None
    disk = _a_day(sum(hour.disk_b for hour in wear.hours), s) if told and has_disk else None
    return Figures(
        disk_b_a_day=disk, programs_b_a_day=_a_day(sum(hour.programs_b for hour in wear.hours), s) if told else None,
        disk_b=wear.disk_b, hours=int(wear.s // HOUR_S), life_used=life_used,
        rewrites_a_year=round(disk * DAYS_A_YEAR / capacity_b, 2) if disk is not None and capacity_b else None,
    )  # fmt: skip


def _a_day(written_b: int, s: float) -> int:
    return round(written_b / s * 24 * HOUR_S)


def life_used(text: str) -> int | None:
    """From /sys/block/mmcblk*/device/life_time: two hexadecimal numbers, of which the worse counts. 1 is up to 10 % used, 11 is more than
    its life; 0 is not told (JEDEC JESD84-B51, DEVICE_LIFE_TIME_EST_TYP_A and _B)."""
    try:
        steps = max(int(word, 16) for word in text.split())
    except ValueError:
        return None
    return 10 * steps if 0 < steps <= 11 else None
