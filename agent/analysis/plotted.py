"""From what was measured in a film to its figure, and onto the disk."""

from __future__ import annotations

from pathlib import Path

from agent.analysis.conducted import Behaviour
from agent.analysis.figure import Drawing, figure
from agent.analysis.floor_figure import Crossed, Marked
from agent.analysis.measuring import Measuring
from agent.analysis.summary import Summary
from agent.analysis.words import stood_out
from agent.behaviour.floor import FloorPlan
from agent.errors import ConfigError, FilmError
from agent.evaluation import canvas

NO_METRES = {"moved": "the camera was moved since its floor was marked", "none": "no floor is known"}


def require_plot(plot: Path, films: int) -> Path:
    """What `--plot` names: a file for one film, a folder for several. Raises ConfigError before the long work."""
    if plot.is_dir() or not plot.suffix:
        if plot.is_file():
            raise ConfigError(
                f"--plot {plot}: is a file without an ending; a figure's name ends in {' or '.join(canvas.SUFFIXES)}"
            )
        return plot
    if films > 1:
        raise ConfigError(f"--plot {plot}: {films} films do not fit into one figure; name a folder for them")
    return canvas.require_plot_name(plot)


def write_plot(plot: Path, name: str, summary: Summary, measuring: Measuring) -> Path:
    """The figure of one film; returns where it is. Raises FilmError when it cannot be written."""
    is_file = bool(plot.suffix) and not plot.is_dir()
    path = plot if is_file else plot / f"{name}.png"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FilmError(f"--plot {plot}: cannot be made a folder of figures: {error.strerror}") from error
    size, shapes = figure(drawing_of(summary, measuring))
    try:
        canvas.write(path, size, shapes, f"What people did in {Path(summary.film).name}")
    except canvas.PlotError as error:
        raise FilmError(f"--plot {error}") from error
    return path


def drawing_of(summary: Summary, measuring: Measuring) -> Drawing:
    behaviour, plan = summary.behaviour, measuring.plan
    if behaviour is None or plan is None:
        raise ValueError("nothing to draw: behaviour was not measured")
    return Drawing(
        title=Path(summary.film).name, facts=(_fact(summary, behaviour), f"Metres {behaviour.floor_says}."), seconds=summary.seconds,
        traces=measuring.traces(), zones=_zones(plan), no_metres=NO_METRES.get(behaviour.floor, ""),
        lines=tuple(Crossed(line.name, line.from_m, line.to_m) for line in plan.lines), stood_out=tuple(stood_out(behaviour)),
    )  # fmt: skip


def _fact(summary: Summary, behaviour: Behaviour) -> str:
    people = len(behaviour.people)
    seen = "1 person" if people == 1 else f"{people} people, at most {behaviour.most_people} at once"
    return f"{summary.seconds:.1f} s, {seen}; {behaviour.crossed_in} went in, {behaviour.crossed_out} out"


def _zones(plan: FloorPlan) -> tuple[Marked, ...]:
    return tuple(Marked(zone.name, zone.kind, zone.corners_m) for zone in plan.zones)
