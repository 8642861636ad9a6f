"""What a run found, as structs for JSON and as words."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tools.bench.figures import percentile, plain


class Audit(Struct, frozen=True, kw_only=True):
    """Of the whole run, when everything had ended."""

    events: int
    """In the database."""
    lost: int
    """Events that a door has put on record and that are not in the database."""
    strange: int
    """Events in the database that no journal has counted."""
    twice: int
    conflicts: int
    unreadable: int
    waiting: int
    """Still in journals."""
    gaps: int
    """That the historian ever noticed, filled later or not."""
    gaps_open: int
    openings: int
    """How often a lock let go."""
    openings_off_record: int
    orders: int
    """Of the guard, of which the centre said that the door obeyed."""
    orders_off_record: int
    audit_rows: int
    audit_broken: str
    """Where the chain of the audit log breaks; empty: nowhere."""
    forced: int
    """Doors that were forced: each has to be in an alert."""
    alerts_wrong: int
    """Forced doors that are in no alert or in more than one."""
    alerts_behind: int

    @property
    def faults(self) -> list[str]:
        """In words; [] when nothing was lost."""
        names = ("lost", "strange", "twice", "conflicts", "unreadable", "waiting", "gaps_open", "openings_off_record", "orders_off_record",
                 "alerts_wrong", "alerts_behind")  # fmt: skip
        found = [f"{name.replace('_', ' ')}: {getattr(self, name)}" for name in names if getattr(self, name)]
        return [*found, *([f"audit log: {self.audit_broken}"] if self.audit_broken else [])]


KINDS = {
    "broker": "the broker", "central": "the centre", "door": "a door", "talker": "a door without devices",
    "several": "another while one was coming back",
}  # fmt: skip


class Kill(Struct, frozen=True, kw_only=True):
    """One, and when all was well again. Seconds from the kill; None where the next kill came before that on purpose."""

    victim: str
    """broker, central, or the name of a door."""
    kind: str
    """One of KINDS."""
    at_s: float
    events_s: float | None
    """Until of every door an event that it made after the kill was in the database."""
    screen_s: float | None
    """Until a guard's page showed every door as there, too."""


class Report(Struct, frozen=True, kw_only=True):
    seed: int
    database: str
    """sqlite or postgresql."""
    doors: int
    talkers: int
    lasted_s: float
    kills: list[Kill]
    audit: Audit
    stuck: list[str]
    """Kills after which not everything flowed again in time."""
    others_percent: float
    load_average: float
    machine: dict[str, str]

    @property
    def faults(self) -> list[str]:
        return [*self.audit.faults, *self.stuck]

    def again_s(self, kind: str, what: str = "events_s") -> list[float]:
        """How long it took, of each kill of a kind that was waited for."""
        return [found for kill in self.kills if kill.kind == kind and (found := getattr(kill, what)) is not None]

    def struck(self, kind: str) -> int:
        """How often."""
        return sum(kill.kind == kind for kill in self.kills)


def words(report: Report) -> str:
    audit = report.audit
    lines = [
        f"{len(report.kills)} kills in {report.lasted_s:.0f} s; {report.database}; {report.doors} doors and {report.talkers} without devices",
        f"{audit.events} events, {audit.lost} lost, {audit.strange} strange, {audit.twice} twice, {audit.waiting} still wait",
        f"{audit.gaps} gaps noticed, {audit.gaps_open} still open; {audit.openings} openings, {audit.openings_off_record} off record; "
        f"{audit.orders} orders, {audit.orders_off_record} off record",
        f"{audit.audit_rows} rows of the audit log, {audit.audit_broken or 'chain whole'}; {audit.forced} forced doors, "
        f"{audit.alerts_wrong} in no alert or in two",
    ]  # fmt: skip
    for kind, name in KINDS.items():
        lines.append(f"{name}: {report.struck(kind)} kills; all doors' events flow again after {_three(report.again_s(kind))}; "
                     f"and a page shows all doors after {_three(report.again_s(kind, 'screen_s'))}")  # fmt: skip
    lines += [f"FAULT: {fault}" for fault in report.faults]
    lines.append(f"other programs took {report.others_percent:.0f} % of the cores' time; load average {report.load_average:.1f}")
    return "\n".join(lines)


def _three(values_s: Sequence[float]) -> str:
    names = (("p50", 0.5), ("p95", 0.95), ("worst", 1.0))
    return ", ".join(f"{plain(percentile(values_s, share))} s ({name})" for name, share in names)
