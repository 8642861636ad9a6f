"""What a run found, as a struct for JSON and as words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from tools.fleet.meter import Cost


class Waits(Struct, frozen=True):
    count: int
    median_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float

    def __str__(self) -> str:
        if not self.count:
            return "none"
        return f"{self.median_ms:g} ms (median), {self.p95_ms:g} (p95), {self.p99_ms:g} (p99), {self.most_ms:g} (most) of {self.count}"


class Moment(Struct, frozen=True):
    """A second of the day."""

    at_s: float
    events_per_s: float
    """Acknowledged."""
    present: int
    """Doors that are connected."""
    waiting: int
    """Events that nobody has acknowledged."""


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


class Orders(Struct, frozen=True):
    """What a guard ordered doors to do."""

    answered: Waits
    unanswered: int
    """Nothing was heard within the order's ten seconds."""
    wrong: int


class Screens(Struct, frozen=True):
    """Dashboards that were open all day."""

    open: int
    connections: int
    shown: int
    """Events that the one that saw the fewest was shown."""
    missed: int
    """How often one was told to load anew because it had missed too much."""
    waits: Waits
    """From the door's clock to the screen."""


class Report(Struct, frozen=True, kw_only=True):
    doors: int
    day_s: float
    events: int
    """What doors made."""
    messages: int
    """With an event in it, repetitions included."""
    committed: int
    """Of these in the database."""
    lost: int
    strange: int
    """Events in the database that no door made, and conflicts."""
    wrong_states: int
    """Retained states, `online` included, that stood otherwise at the end than the door had said."""
    wills_unsaid: int
    """Doors that went without a word, and of which the broker did not say so."""
    event_bytes: float
    """Of a CloudEvent, on average."""
    wire_bytes: float
    """All that went over the doors' connections in the day, for each event: states, acknowledgements, orders and MQTT itself included."""
    database_bytes: float | None
    """By which the database grew for each event of the day, indexes included; None when there was none."""
    calm: Waits
    """From the moment in which something happens until its door knows that it is in the database; outside storms."""
    stormy: Waits
    orders: Orders
    screens: Screens
    storms: list[Storm]
    moments: list[Moment]
    all_there_s: float
    """From nothing to all doors connected."""
    all_heard_s: float
    """… and to the first acknowledgement of each, the centre's own start included."""
    saturation_per_s: float | None
    """Events a second from door to acknowledgement, when all doors have more to say than goes through."""
    costs: dict[str, Cost]
    """Of broker, central and the fleet itself, while the day lasted."""
    day_events: int
    """Made in that time."""
    saturation_costs: dict[str, Cost]
    saturation_events: int
    others_percent: float
    """Share of all cores' time that went to programs that are none of ours."""
    load_average: float
    """When it began."""
    machine: dict[str, str]
    options: dict[str, str]

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing invented, nothing said that is not so."""
        return not (self.lost or self.strange or self.wrong_states or self.wills_unsaid or self.orders.wrong)


def waits(values_s: Sequence[float]) -> Waits:
    if not values_s:
        return Waits(0, 0.0, 0.0, 0.0, 0.0)
    ordered = sorted(values_s)
    return Waits(len(ordered), *(round(1000 * _share(ordered, share), 1) for share in (0.5, 0.95, 0.99, 1.0)))


def _share(ordered: Sequence[float], share: float) -> float:
    """Nearest rank."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def words(report: Report) -> str:
    rows = [*_kept(report), *_times(report), *_storms(report), *_costs("the day", report.costs, report.day_events)]
    if report.saturation_per_s is not None:
        rows.append(("at most", f"{report.saturation_per_s:.0f} events a second ({report.saturation_events} at once)"))
        rows += _costs("at most", report.saturation_costs, report.saturation_events)
    rows.append(("the machine", f"{report.machine['processor']}; other programs took {report.others_percent:.0f} % of its cores' time, "
                                f"load average {report.load_average:.1f} before"))  # fmt: skip
    return "\n".join(f"{name:<22}{text}" for name, text in rows)


def _kept(report: Report) -> list[tuple[str, str]]:
    grown = "" if report.database_bytes is None else f", {report.database_bytes:.0f} in the database"
    return [
        ("doors", f"{report.doors}, a day in {report.day_s:.0f} s; all there after {report.all_there_s:.1f} s, "
                  f"all heard by the centre after {report.all_heard_s:.1f} s"),
        ("events", f"{report.events}, of them {report.committed} in the database; {report.lost} lost, {report.strange} strange"),
        ("messages", f"{report.messages}: {report.messages / max(1, report.events) - 1:.1%} said again"),
        ("bytes an event", f"{report.event_bytes:.0f} alone, {report.wire_bytes:.0f} on the wire with all that goes with it{grown}"),
        ("retained", f"{report.wrong_states} states wrong at the end; {report.wills_unsaid} last wills unsaid"),
    ]  # fmt: skip


def _times(report: Report) -> list[tuple[str, str]]:
    orders, screens = report.orders, report.screens
    return [
        ("event to commit", f"{report.calm}"),
        ("… in storms", f"{report.stormy}"),
        ("order to answer", f"{orders.answered}; {orders.unanswered} unanswered, {orders.wrong} wrong"),
        ("event to screen", f"{screens.waits} on {screens.open}; {screens.shown} events shown to the last of them, "
                            f"{screens.connections} connections, {screens.missed} times too much missed"),
    ]  # fmt: skip


def _storms(report: Report) -> list[tuple[str, str]]:
    return [
        (f"storm: {storm.what}", f"at {storm.at_s:.0f} s; {storm.away} doors away, all back after {storm.all_back_s:.2f} s, "
                                 f"nothing waits after {storm.caught_up_s:.2f} s") for storm in report.storms
    ]  # fmt: skip


def _costs(what: str, costs: Mapping[str, Cost], events: int) -> list[tuple[str, str]]:
    return [
        (f"{what}: {name}", f"{cost.core_percent:g} % of a core, {1e6 * cost.cpu_s / max(1, events):.0f} us an event; "
                            f"at most {cost.most_mb:.0f} MB") for name, cost in costs.items()
    ]  # fmt: skip
