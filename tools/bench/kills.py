"""The site's programs killed at random while people come and go: what is lost, and how soon everything flows again."""

from __future__ import annotations

from tools.bench.figures import Figure, Section, Setting, percentile
from tools.kills.report import KINDS, Report
from tools.kills.run import Options, run_kills

KILLS = 100
NONE = {
    "lost": "events on record at a door and not in the database",
    "strange": "events in the database that no door has on record",
    "twice": "events that are in the database twice",
    "waiting": "events that still wait at a door",
    "gaps_open": "gaps in a journal's numbers that were not filled",
    "openings_off_record": "openings without an event that says why",
    "orders_off_record": "orders called obeyed that the door's events or the audit log do not know",
    "alerts_wrong": "forced doors that are in no alert, or in two",
    "alerts_behind": "events that the alert desk has not looked at",
}


def kills(setting: Setting) -> Section:
    """A hundred, of a house with three doors and two that only talk."""
    folder = setting.folder / "kills"
    folder.mkdir()
    report = run_kills(Options(kills=setting.repeats(KILLS), seed=setting.seed), folder)
    audit = report.audit
    return Section(
        name="kills", title="Everything killed at random",
        how=f"Mosquitto, the whole centre on SQLite, {report.doors} doors (the door program with its journal and its link; people at "
            f"simulated pins: fobs that pass, unknown ones, doors forced open) and {report.talkers} doors without devices that say a "
            "hundred events a second, each a process of its own that is started again 0.2 s after its end. A guard at the dashboard "
            f"looks and gives orders. {len(report.kills)} times one of them gets SIGKILL, as often the broker as the centre as a door; "
            "every fifth comes while something is still coming back. 'Again' is when every door has something in the database that "
            "happened after the kill; 'seen' is when a page that was asked for after that shows every door as there.",
        figures=(
            Figure(what="kills", value=float(len(report.kills)), unit=""),
            Figure(what="events", value=float(audit.events), unit=""),
            *(Figure(what=what, value=float(getattr(audit, name)), unit="", most=0) for name, what in NONE.items()),
            Figure(what="breaks in the chain of the audit log", value=float(bool(audit.audit_broken)), unit="", most=0),
            Figure(what="kills after which not all came back within a minute", value=float(len(report.stuck)), unit="", most=0),
            *(figure for kind in KINDS for figure in _again(report, kind)),
        ),
        notes=(f"On record meanwhile: {audit.openings} openings, {audit.orders} orders, {audit.audit_rows} rows of the audit log, "
               f"{audit.forced} forced doors; {audit.gaps} gaps in the order of numbers were noticed and filled by what was said again.",),
    )  # fmt: skip


def _again(report: Report, kind: str) -> tuple[Figure, ...]:
    again_s, seen_s = report.again_s(kind), report.again_s(kind, "screen_s")
    name = f"{KINDS[kind]} ({report.struck(kind)})"
    if not again_s:
        return ()
    return (
        Figure(what=f"{name}: again, p50", value=percentile(again_s, 0.5), unit="s"),
        Figure(what=f"{name}: again, p95", value=percentile(again_s, 0.95), unit="s"),
        Figure(what=f"{name}: again, worst", value=max(again_s), unit="s"),
        Figure(what=f"{name}: seen, p95", value=percentile(seen_s, 0.95), unit="s"),
    )
