"""What a fleet of some size needs, by arithmetic from measured figures: `python -m tools.fleet.sizing` prints the tables of docs/SCALE.md."""

from __future__ import annotations

from msgspec import Struct

SIZES = (1_000, 10_000, 100_000)
KEPT_DAYS = 90
"""As [history] keep_days has it by default."""


class Assumed(Struct, frozen=True):
    """What hangs on people and buildings. Nobody has measured it here."""

    reads_a_day: float = 100.0
    """Of one door."""
    busiest_hour: float = 0.126
    """Its share of a day's reads: tools/fleet/day.py."""
    within_hour: float = 3.0
    """The busiest minute above the mean of its hour."""
    wrapping: float = 2.0
    """TCP, IP and TLS around small packets: bytes on the cable for each byte of MQTT."""
    outage_h: float = 1.0
    """The centre is away for so long, in the busiest hour."""


class Measured(Struct, frozen=True):
    """Per event and per door: docs/SCALE.md says where from, on which machine and under which load."""

    events_a_read: float = 2.94
    wire_bytes: float = 730.0
    """Between a door and its broker, for an event with the states and acknowledgements that go with it."""
    sqlite_bytes: float = 575.0
    postgres_bytes: float = 950.0
    broker_us: float = 160.0
    """Of processor time for an event with its states, one by one."""
    centre_us: float = 1250.0
    """… one by one …"""
    centre_bulk_us: float = 200.0
    """… and when many come at once."""
    centre_per_s: float = 2000.0
    """Events a second that went through while other programs had four fifths of two cores."""
    broker_base_mb: float = 10.0
    broker_door_kb: float = 9.0
    tls_door_kb: float = 20.0
    """A TLS connection's more."""
    centre_base_mb: float = 255.0
    centre_door_kb: float = 6.0
    handshake_ms: float = 1.3
    """The broker's side of a mutual TLS 1.3 handshake with P-256."""


class Need(Struct, frozen=True):
    """Of a fleet."""

    doors: int
    events_a_day: float
    mean_per_s: float
    peak_per_s: float
    wire_mbit_s: float
    sqlite_gb: float
    postgres_gb: float
    sqlite_gb_a_year: float
    broker_cores: float
    centre_cores: tuple[float, float]
    """At the peak: if all come in bulk, and if all come one by one."""
    broker_mb: float
    centre_mb: float
    handshakes_s: float
    """Of one core of the broker when all doors come back at once."""
    backlog: float
    """Events that wait after the outage."""
    caught_up_min: float
    """Until they are in the database, while as much comes on as before; infinite when more comes than goes through."""


def need(doors: int, assumed: Assumed, measured: Measured) -> Need:
    a_day = doors * assumed.reads_a_day * measured.events_a_read
    hour = a_day * assumed.busiest_hour
    peak = hour / 3600 * assumed.within_hour
    left_per_s = measured.centre_per_s - hour / 3600
    backlog = hour * assumed.outage_h
    return Need(
        doors=doors, events_a_day=a_day, mean_per_s=a_day / 86400, peak_per_s=peak,
        wire_mbit_s=peak * measured.wire_bytes * assumed.wrapping * 8 / 1e6,
        sqlite_gb=a_day * KEPT_DAYS * measured.sqlite_bytes / 1e9, postgres_gb=a_day * KEPT_DAYS * measured.postgres_bytes / 1e9,
        sqlite_gb_a_year=a_day * 365 * measured.sqlite_bytes / 1e9, broker_cores=peak * measured.broker_us / 1e6,
        centre_cores=(peak * measured.centre_bulk_us / 1e6, peak * measured.centre_us / 1e6),
        broker_mb=measured.broker_base_mb + doors * (measured.broker_door_kb + measured.tls_door_kb) / 1000,
        centre_mb=measured.centre_base_mb + doors * measured.centre_door_kb / 1000, handshakes_s=doors * measured.handshake_ms / 1000,
        backlog=backlog, caught_up_min=backlog / left_per_s / 60 if left_per_s > 0 else float("inf"),
    )  # fmt: skip


def table(needs: list[Need]) -> str:
    """Markdown."""
    rows: list[tuple[str, list[str]]] = [
        ("events a day", [f"{each.events_a_day:,.0f}" for each in needs]),
        ("events a second: mean, busiest minute", [f"{each.mean_per_s:,.1f}, {each.peak_per_s:,.0f}" for each in needs]),
        ("network at the broker, busiest minute", [f"{each.wire_mbit_s:,.1f} Mbit/s" for each in needs]),
        (f"database after {KEPT_DAYS} days: SQLite", [f"{each.sqlite_gb:,.0f} GB" for each in needs]),
        (f"database after {KEPT_DAYS} days: PostgreSQL", [f"{each.postgres_gb:,.0f} GB" for each in needs]),
        ("a whole year, SQLite", [f"{each.sqlite_gb_a_year:,.0f} GB" for each in needs]),
        ("broker, busiest minute", [f"{each.broker_cores:,.2f} cores" for each in needs]),
        ("centre, busiest minute: in bulk to one by one", ["{:,.2f} to {:,.2f} cores".format(*each.centre_cores) for each in needs]),
        ("broker's memory", [f"{each.broker_mb:,.0f} MB" for each in needs]),
        ("centre's memory", [f"{each.centre_mb:,.0f} MB" for each in needs]),
        ("TLS when all doors come back", [f"{each.handshakes_s:,.1f} s of a core" for each in needs]),
        ("events that wait after an hour without the centre", [f"{each.backlog:,.0f}" for each in needs]),
        ("… until they are committed", [f"{each.caught_up_min:,.1f} min" for each in needs]),
    ]  # fmt: skip
    head = [f"| | {' | '.join(f'{each.doors:,} doors' for each in needs)} |", "|---" * (len(needs) + 1) + "|"]
    return "\n".join([*head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)])


if __name__ == "__main__":
    print(table([need(doors, Assumed(), Measured()) for doors in SIZES]))
