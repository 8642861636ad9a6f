"""What `doorward floor` tells of a floor: how well it is marked, how surely people are placed, and what is probably not meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from agent.behaviour.floor import FloorPlan
from agent.behaviour.ground import FACE_M, Ground, Pair
from agent.behaviour.marking import LEAST_MARKS, Mark, Marked
from agent.config import Config
from agent.errors import ConfigError
from agent.floor_picture import FACE_HIGH_M
from hw.camera_names import lasting_name

AT_M = (1.0, 2.0, 3.0, 5.0)
LENS_UNSURE_DEG = 8.0
FAR_OFF_CM = 8.0


class Report(Struct, frozen=True, kw_only=True):
    """What `--json` says of a floor."""

    floor: str
    kind: str
    points: int
    residual_cm: float | None
    worst_cm: float | None
    worst_point: int | None
    across_deg: float
    across_sigma_deg: float | None
    height_m: float
    tilt_deg: float
    face_sigma_cm: dict[str, float | None]
    """How surely a face is placed, by its distance from the door in metres."""
    zones: tuple[str, ...]
    lines: tuple[str, ...]
    findings: tuple[str, ...]
    wrote: str | None = None


def report_of(path: Path, plan: FloorPlan, marks: Sequence[Mark], found: Marked | None, wrote: str | None) -> Report:
    """Raises ConfigError for a plan without a camera."""
    camera = plan.ground.camera
    if camera is None:
        raise ConfigError(f"{path}: tells nothing of the camera")
    off = (_rounded(found.residual_cm), _rounded(found.worst_cm), found.worst) if found is not None else (None, None, None)
    return Report(
        floor=str(path), kind=plan.ground.kind, points=len(marks), residual_cm=off[0], worst_cm=off[1], worst_point=off[2],
        across_deg=round(camera.across_deg, 1), across_sigma_deg=_rounded(found.across_sigma_deg) if found is not None else None,
        height_m=round(camera.at_m[2], 2), tilt_deg=round(camera.tilt_deg, 1),
        face_sigma_cm={f"{y:g}": _face_cm(plan.ground, y) for y in AT_M}, zones=tuple(zone.name for zone in plan.zones),
        lines=tuple(line.name for line in plan.lines), findings=tuple(_findings(plan, found)), wrote=wrote,
    )  # fmt: skip


def _rounded(value: float) -> float:
    return round(value, 1)


def _face_cm(ground: Ground, away_m: float) -> float | None:
    """How surely a face is placed that is so far before the door; None where it is not told, or is outside the picture."""
    px, camera = ground.to_px((0.0, away_m), FACE_HIGH_M), ground.camera
    if px is None or camera is None or not (0 <= px[0] < ground.frame_px[0] and 0 <= px[1] < ground.frame_px[1]):
        return None
    width = camera.focal_px * FACE_M / camera.depth_m((0.0, away_m), FACE_HIGH_M)
    found = ground.face((px[0] - width / 2, px[1] - width / 2, width, width))
    return round(100 * found.sigma_m, 0) if found is not None else None


def _findings(plan: FloorPlan, found: Marked | None) -> list[str]:
    """What is allowed and probably not meant."""
    told = []
    if found is None:
        told.append("no points are marked: the lens is assumed, and metres are rough; `doorward floor mark` asks for four")
    elif found.across_sigma_deg > LENS_UNSURE_DEG:
        told.append(f"the points say little of the lens ({found.across_deg:.0f} +- {found.across_sigma_deg:.0f} degrees): mark some that are"
                    " nearer and some that are farther, or give --across-deg")  # fmt: skip
    if found is not None and found.worst_cm > FAR_OFF_CM:
        told.append(f"point {found.worst} lies {found.worst_cm:.0f} cm from where it should: measure it again")
    ground = plan.ground
    for zone in plan.zones:
        if zone.corners_m and not any(_is_seen(ground, corner) for corner in (*zone.corners_m, _middle(zone.corners_m))):
            told.append(
                f"zone {zone.name!r}: the camera sees neither its corners nor its middle, at the floor or at a face's height"
            )
        if zone.kind == "restricted" and zone.no_linger_s is None:
            told.append(f"zone {zone.name!r} is restricted and has no no_linger_s: nobody is told of who stays there")
    return told


def against(plan: FloorPlan, config: Config) -> list[str]:
    """What in a plan does not go with a configuration."""
    told = []
    if plan.camera and plan.camera != lasting_name(config.vision.camera):
        told.append(
            f"it was marked for the camera {plan.camera}, and vision.camera is another: mark it anew, metres are assumed until then"
        )
    if plan.ground.scaled((config.vision.width_px, config.vision.height_px)) is None:
        told.append(f"it was marked in pictures of {plan.ground.frame_px[0]} x {plan.ground.frame_px[1]}, and the configuration asks for"
                    " another shape: mark it anew, metres are assumed until then")  # fmt: skip
    if not config.behaviour.enabled:
        told.append("behaviour.enabled = false: nobody reads it")
    return told


def _middle(corners: Sequence[Pair]) -> Pair:
    return sum(x for x, _ in corners) / len(corners), sum(y for _, y in corners) / len(corners)


def _is_seen(ground: Ground, at_m: Pair) -> bool:
    for height_m in (0.0, FACE_HIGH_M):
        px = ground.to_px(at_m, height_m)
        if px is not None and 0 <= px[0] <= ground.frame_px[0] and 0 <= px[1] <= ground.frame_px[1]:
            return True
    return False


def sentence(report: Report) -> str:
    """What the marks say of the camera."""
    lens = f"lens {report.across_deg:.0f} degrees" + (f" +- {report.across_sigma_deg:.0f}" if report.across_sigma_deg else "")
    camera = f"{lens}, camera {report.height_m:.2f} m above the floor, looks {report.tilt_deg:.0f} degrees down"
    if report.residual_cm is None:
        return f"assumed: {camera}"
    off = f"{report.residual_cm:.1f} cm off (point {report.worst_point}: {report.worst_cm:.1f} cm)"
    fit = "which nearly always fit, a fifth would check them" if report.points == LEAST_MARKS else off
    return f"measured by {report.points} points, {fit}; {camera}"


def surely(report: Report) -> str:
    """How well people are placed."""
    known = [f"{value:.0f} cm at {away} m" for away, value in report.face_sigma_cm.items() if value is not None]
    return f"a face is placed to {', '.join(known)}" if known else "no face can be placed"
