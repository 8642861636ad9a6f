"""floor.toml on disk: read with the lens that the configuration assumes, written whole, the last one kept beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agent.behaviour.floor import FloorFile, FloorPlan, default_plan, marking_of, parse_floor, read_floor
from agent.behaviour.ground import Ground, Pair, assumed_ground
from agent.config import Config
from agent.errors import ConfigError
from agent.files import write_whole
from agent.toml_text import toml_string
from hw.camera_names import lasting_name

HEAD = """\
# The floor before this door's camera: docs/FLOOR.md. Metres: x to the right of the picture, y away from the door, from the middle of
# its threshold. Points are written by `doorward floor mark`; zones and lines are yours: `doorward floor show` draws them.
"""


def read_text(path: Path) -> str:
    """Raises ConfigError; FileNotFoundError where there is no such file."""
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}; it must be a UTF-8 text file that this user may read") from error


def assumed_of(config: Config, frame_px: tuple[int, int] | None = None) -> Ground:
    """The ground of a camera that nobody marked a floor for."""
    lens, vision = config.behaviour, config.vision
    return assumed_ground(frame_px or (vision.width_px, vision.height_px), lens.across_deg, lens.above_floor_m, lens.tilt_deg)


def load_plan(path: Path, assumed: Ground) -> FloorPlan:
    """The plan of a file, or the usual one on the assumed ground where there is none. Raises ConfigError."""
    try:
        return parse_floor(read_text(path), str(path), assumed)
    except FileNotFoundError:
        return default_plan(assumed)


def view_name(camera: str, floor: Path) -> str:
    """What the view that a camera learned is kept under: whoever marks the floor says that the camera hangs right as it hangs now."""
    try:
        marking = marking_of(read_floor(read_text(floor), str(floor)))
    except (ConfigError, FileNotFoundError):
        marking = ""
    return f"{camera} floor {marking}" if marking else camera


def camera_view(config: Config) -> str:
    """The same for the camera and the floor of a configuration; without behaviour no floor counts."""
    camera = lasting_name(config.vision.camera)
    return view_name(camera, Path(config.behaviour.floor)) if config.behaviour.enabled else camera


def keep(path: Path, file: FloorFile) -> Path | None:
    """Writes the file; what was there before is kept as `floor.toml.old`, which is returned. Raises ConfigError."""
    old = path.with_name(path.name + ".old")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.exists() else None
        if before is not None:
            write_whole(old, before)
        write_whole(path, written(file).encode())
        path.chmod(0o644)  # vision runs as another user than the installer
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; run as root, or name another file with --out") from error
    return old if before is not None else None


def written(file: FloorFile) -> str:
    """The file's text."""
    lines = [HEAD]
    if file.camera:
        lines.append(f"camera = {toml_string(file.camera)}")
    if file.frame_px is not None:
        lines.append(f"frame_px = [{file.frame_px[0]}, {file.frame_px[1]}]")
    if file.across_deg is not None:
        lines.append(f"across_deg = {file.across_deg!r}  # the lens, as declared")
    if file.marked_at is not None:
        lines.append(f"marked_at = {file.marked_at.isoformat(timespec='seconds')}")
    lines += [f"\n[[points]]\npx = {_pair(point.px)}\nm = {_pair(point.m)}" for point in file.points]
    for zone in file.zones:
        lines += ["\n[[zones]]", f"name = {toml_string(zone.name)}", f"kind = {toml_string(zone.kind)}"]
        lines += [
            f"{key} = {_pairs(corners)}"
            for key, corners in (("corners_m", zone.corners_m), ("corners_px", zone.corners_px))
            if corners
        ]
        lines += [f"no_linger_s = {zone.no_linger_s!r}"] if zone.no_linger_s is not None else []
        lines += [f"no_linger_hours = [{', '.join(map(toml_string, zone.no_linger_hours))}]"] if zone.no_linger_hours else []
    for line in file.lines:
        lines += ["\n[[lines]]", f"name = {toml_string(line.name)}"]
        lines += [f"{key} = {_pairs(ends)}" for key, ends in (("ends_m", line.ends_m), ("ends_px", line.ends_px)) if ends]
        lines += [f"{key} = {_pair(at)}" for key, at in (("inside_m", line.inside_m), ("inside_px", line.inside_px)) if at]
    if file.map is not None:
        place = file.map
        lines += ["\n[map]", f"plan = {toml_string(place.plan)}", f"origin = {_pair(place.origin)}", f"bearing_deg = {place.bearing_deg!r}",
                  f"units_per_m = {place.units_per_m!r}"]  # fmt: skip
    return "\n".join(lines) + "\n"


def _pair(pair: Pair) -> str:
    return f"[{round(pair[0], 3):g}, {round(pair[1], 3):g}]"


def _pairs(pairs: Iterable[Pair]) -> str:
    return f"[{', '.join(_pair(pair) for pair in pairs)}]"
