"""A summary in words, for a terminal 80 or more columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from agent.analysis.conducted import Behaved, Behaviour
from agent.analysis.summary import FaceTrack, PersonTrack, Summary


def in_words(summary: Summary) -> str:
    """Several lines, without the last line's end."""
    width, height = summary.frame_px
    head = (
        f"{summary.film}: {summary.seconds:.1f} s, {summary.frames} frames of {width} x {height} px, "
        f"{len(summary.faces)} faces, {len(summary.persons)} persons"
    )
    parts = [head, *_table(_FACE_HEADS, map(_face_row, summary.faces)), *_table(_PERSON_HEADS, map(_person_row, summary.persons)),
             *_behaviour(summary.behaviour), *_costs(summary),
             *(f"  fault in {count} frames: {what}" for what, count in summary.faults.items())]  # fmt: skip
    return "\n".join(parts)


_FACE_HEADS = ("face", "from s", "to s", "frames", "embedded", "px", "quality", "blinks", "away s", "liveness", "expression")
_PERSON_HEADS = ("person", "from s", "to s", "frames", "faces")


def _face_row(face: FaceTrack) -> tuple[str, ...]:
    away_s = sum(span.to_s - span.from_s for span in face.away)
    live = "-" if face.liveness is None else f"{face.liveness.verdict} {face.liveness.score:.2f} ({face.liveness.reason})"
    strongest = max(face.expressions.items(), key=lambda item: item[1], default=None) if face.expressions else None
    embedded = "never" if face.embedded_s is None else f"at {face.embedded_s:.2f} s"
    return (f"{face.track}", f"{face.first_s:.2f}", f"{face.last_s:.2f}", f"{face.frames}", embedded, f"{face.widest_px:.0f}",
            f"{face.best_quality:.2f}", f"{face.blinks}" if face.measured_share else "-", f"{away_s:.1f}" if face.measured_share else "-",
            live, "-" if strongest is None else f"{strongest[0]} {strongest[1]:.2f}")  # fmt: skip


def _person_row(person: PersonTrack) -> tuple[str, ...]:
    faces = ", ".join(map(str, person.faces)) or "-"
    return f"{person.track}", f"{person.first_s:.2f}", f"{person.last_s:.2f}", f"{person.frames}", faces


_VISIT_HEADS = ("visit", "from s", "to s", "path m", "m/s", "peak", "glances", "risk", "seconds in zones")
MOST_SENTENCES = 6


def _behaviour(behaviour: Behaviour | None) -> list[str]:
    if behaviour is None or not behaviour.people:
        return []
    crossed = f"at most {behaviour.most_people} at once, {behaviour.crossed_in} in, {behaviour.crossed_out} out"
    told = [f"    {sentence}" for sentence in stood_out(behaviour)]
    return [*_table(_VISIT_HEADS, map(_visit_row, behaviour.people)), *told, f"  {crossed}; metres {behaviour.floor_says}"]


def stood_out(behaviour: Behaviour) -> list[str]:
    """What adds to a risk, the heaviest first, with the number of whom it is about."""
    told = [(item.points, f"{person.number}: {item.sentence}") for person in behaviour.people for item in person.evidence]
    told += [(item.points, item.sentence) for item in behaviour.scene]
    heaviest = sorted(told, key=lambda pair: -pair[0])
    return [sentence for points, sentence in heaviest if points > 0][:MOST_SENTENCES]


def _visit_row(person: Behaved) -> tuple[str, ...]:
    zones = ", ".join(f"{zone} {seconds:.1f}" for zone, seconds in person.dwell_s.items()) or "-"
    looks = person.glances
    sides = f"{looks.count} ({looks.left} L, {looks.right} R, {looks.back} B)" if looks.measured_s else "not measured"
    risk = "-" if person.risk is None else f"{person.risk.score:.2f} {person.risk.band}"
    way = (_number(person.path_m), _number(person.speed_median_m_s, 2), _number(person.speed_peak_m_s, 2))
    return f"{person.number}", f"{person.first_s:.2f}", f"{person.last_s:.2f}", *way, sides, risk, zones


def _number(value: float | None, places: int = 1) -> str:
    return "-" if value is None else f"{value:.{places}f}"


def _table(heads: Sequence[str], rows: object) -> list[str]:
    lines = [tuple(heads), *rows]  # type: ignore[misc]
    if len(lines) == 1:
        return []
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _costs(summary: Summary) -> list[str]:
    stages = sorted(summary.stages_ms.items(), key=lambda item: -item[1].p50 * item[1].frames)
    costly = ", ".join(f"{name} {ms.p50:.1f}/{ms.p95:.1f}" for name, ms in stages)
    return [
        f"  {summary.real_time_factor:.1f} times real time; ms a frame, median/95 %: {summary.chain_ms.p50:.1f}/{summary.chain_ms.p95:.1f}",
        f"  where a stage ran: {costly}",
        f"  {summary.engine.partition(' (')[0]}; profile {summary.profile}",
    ]
