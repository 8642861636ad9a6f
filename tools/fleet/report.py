"""What a run found, as a struct for JSON and as words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from tools.fleet.site import Cost


class Waits(Struct, frozen=True):
    """From the moment in which something happens until its door knows that it is in the database."""

    count: int
    median_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float


class Storm(Struct, frozen=True, kw_only=True):
    """Times count from the cut or the kill."""

    what: str
    """connections, broker or central"""
    at_s: float
    away: int
    """Doors that lost their connection."""
    all_back_s: float
    """Until every door was connected and subscribed again."""
    caught_up_s: float
    """… and until everything that was made by then was acknowledged."""


class Report(Struct, frozen=True, kw_only=True):
    doors: int
    day_s: float
    events: int
    """What doors made."""
    messages: int
    """With an event in it, repetitions included."""
    committed: int
    lost: int
    strange: int
    """Events in the database that no door made, and conflicts."""
    bytes_an_event: float
    database_bytes_an_event: float | None
    """Of a SQLite file, indexes and what the other rooms keep included."""
    calm: Waits
    """Of events without a storm meanwhile."""
    stormy: Waits
    storms: list[Storm]
    first_all_there_s: float
    """From nothing to all doors connected, the centre's own start included."""
    saturation_events: int
    saturation_per_s: float | None
    """Events a second from door to acknowledgement, when all doors have more to say than goes through."""
    costs: dict[str, Cost]
    """Of broker, central and the fleet itself, while the day lasted."""
    saturation_costs: dict[str, Cost]
    others_percent: float
    """Share of all cores' time that went to programs that are none of ours."""
    load_average: float
    machine: dict[str, str]
    options: dict[str, str]


def waits(values_s: Sequence[float]) -> Waits:
    if not values_s:
        return Waits(0, 0.0, 0.0, 0.0, 0.0)
    ordered = sorted(values_s)
    return Waits(len(ordered), *(round(1000 * _share(ordered, share), 1) for share in (0.5, 0.95, 0.99, 1.0)))


def _share(ordered: Sequence[float], share: float) -> float:
    """Nearest rank."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def words(report: Report) -> str:
    calm, stormy = report.calm, report.stormy
    lines = [
        f"{report.doors} doors, a day in {report.day_s:.0f} s, all there after {report.first_all_there_s:.1f} s",
        f"{report.events} events, {report.messages} messages with one, {report.committed} in the database, {report.lost} lost, "
        f"{report.strange} strange",
        f"acknowledged in {calm.median_ms} ms (median), {calm.p95_ms} ms (p95), {calm.p99_ms} ms (p99) of {calm.count} outside storms; "
        f"in storms {stormy.median_ms}, {stormy.p95_ms}, {stormy.p99_ms} ms of {stormy.count}",
    ]
    lines += [
        f"storm at {storm.at_s:.0f} s ({storm.what}): {storm.away} doors away, all back after {storm.all_back_s:.2f} s, "
        f"nothing waits after {storm.caught_up_s:.2f} s"
        for storm in report.storms
    ]
    if report.saturation_per_s is not None:
        lines.append(f"saturation: {report.saturation_per_s:.0f} events a second ({report.saturation_events} at once)")
    for what, costs in (("the day", report.costs), ("saturation", report.saturation_costs)):
        lines += [
            f"{what}: {name} {cost.core_percent} % of a core, at most {cost.most_mb} MB" for name, cost in costs.items()
        ]  # fmt: skip
    lines.append(f"other programs took {report.others_percent:.0f} % of the cores' time; load average {report.load_average:.1f}")
    return "\n".join(lines)
