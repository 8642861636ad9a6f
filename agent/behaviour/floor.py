"""The plan of one camera's floor: its zones and lines in metres, from the file that an installer writes (docs/FLOOR.md).

A plan holds for one camera as it hung when the floor was marked. `FloorValidity` remembers that it was moved since.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import cos, isfinite, radians, sin
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from agent.behaviour.ground import Ground, Pair
from agent.behaviour.shapes import area, border_m, contains, crossing_edges, side_of
from agent.core.schedules import Interval
from agent.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ZoneKind = Literal["public", "approach", "threshold", "restricted"]
ORDER: tuple[ZoneKind, ...] = ("restricted", "threshold", "approach", "public")
"""Where zones overlap the first of these counts."""
ELSEWHERE = "public"
"""The zone that is everywhere where there is no other."""
FARTHEST_M = 50.0
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Zone(Struct, frozen=True, kw_only=True):
    """A part of the floor. Without corners it is everywhere."""

    name: str
    kind: ZoneKind
    corners_m: tuple[Pair, ...] = ()
    no_linger_s: float | None = None
    """Whoever stays longer lingers where nobody may;"""
    no_linger_hours: tuple[Interval, ...] = ()
    """in these hours of local time, or always where there are none."""

    def contains(self, at_m: Pair) -> bool:
        return not self.corners_m or contains(self.corners_m, at_m)

    def border_m(self, at_m: Pair) -> float:
        """How far a place is from its edge, inside or outside."""
        return border_m(self.corners_m, at_m) if self.corners_m else float("inf")

    def lingers_after_s(self, wall: datetime) -> float | None:
        """So long anybody may stay here at this time of the local clock; None: as long as they like."""
        if self.no_linger_s is None or not self.no_linger_hours:
            return self.no_linger_s
        minute = wall.hour * 60 + wall.minute
        held = any(wall.weekday() in hours.days and hours.from_min <= minute < hours.until_min for hours in self.no_linger_hours)
        return self.no_linger_s if held else None


class Line(Struct, frozen=True, kw_only=True):
    """A line on the floor that people cross inwards or outwards."""

    name: str
    from_m: Pair
    to_m: Pair
    inside: Literal["left", "right"]
    """Of somebody who walks along it from `from_m` to `to_m`."""

    def inside_m(self, at_m: Pair) -> float:
        """How far a place lies inside the line (negative: outside), were the line without ends."""
        left_m = side_of(self.from_m, self.to_m, at_m)
        return left_m if self.inside == "left" else -left_m


class MapPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the floor lies on a plan of the building."""

    plan: Annotated[str, Meta(min_length=1, max_length=80)]
    """Name of the plan."""
    origin: Pair
    """The middle of the door's threshold in the plan's own units, x to the right and y up."""
    bearing_deg: Annotated[float, Meta(ge=-360, le=360)]
    """Where people come from who walk up to the door: 0 is up on the plan, 90 to its right."""
    units_per_m: Annotated[float, Meta(gt=0, le=10000)] = 1.0

    def place(self, at_m: Pair) -> Pair:
        """A place on the floor, on the plan."""
        turned, times = radians(self.bearing_deg), self.units_per_m
        # Somebody who looks away from the door has the picture's right on their right.
        x = self.origin[0] + times * (at_m[0] * cos(turned) + at_m[1] * sin(turned))
        y = self.origin[1] + times * (-at_m[0] * sin(turned) + at_m[1] * cos(turned))
        return x, y


class FloorPlan(Struct, frozen=True, kw_only=True):
    """A camera's floor. The last zone is everywhere."""

    ground: Ground
    zones: tuple[Zone, ...]
    lines: tuple[Line, ...]
    camera: str = ""
    """The lasting name (hw.camera_names) of the camera it was marked for; empty: any."""
    place: MapPlace | None = None
    marking: str = ""
    """Changes when the floor is marked anew; empty where it was not marked."""

    def zone_at(self, at_m: Pair) -> Zone:
        """The zone of a place; of several the most guarded one."""
        return next(zone for zone in self.zones if zone.contains(at_m))

    def zone(self, name: str) -> Zone | None:
        return next((zone for zone in self.zones if zone.name == name), None)


def default_plan(ground: Ground) -> FloorPlan:
    """What holds where nobody drew zones: the threshold 1.8 m wide and 1.2 m deep, the approach to 3 m, and a line at the door."""
    return FloorPlan(ground=ground, zones=DEFAULT_ZONES, lines=DEFAULT_LINES)


DEFAULT_ZONES = (
    Zone(name="threshold", kind="threshold", corners_m=((-0.9, -0.5), (0.9, -0.5), (0.9, 1.2), (-0.9, 1.2))),
    Zone(name="approach", kind="approach", corners_m=((-3.0, -0.5), (3.0, -0.5), (3.0, 3.0), (-3.0, 3.0))),
    Zone(name=ELSEWHERE, kind="public"),
)
DEFAULT_LINES = (Line(name="door", from_m=(-0.9, 0.5), to_m=(0.9, 0.5), inside="right"),)


class FloorValidity:
    """Whether the camera still hangs as it did when the floor was marked. Said once, it stays said until the floor is marked anew."""

    def __init__(self, marking: str, moved: str = "") -> None:
        """`marking`: the plan's; `moved`: the marking that was declared invalid, as it was kept over a restart."""
        self._marking = marking
        self._moved = moved
        self._sign = False

    @property
    def valid(self) -> bool:
        return not self._sign and (not self._marking or self._moved != self._marking)

    @property
    def moved(self) -> str:
        """What to keep over a restart."""
        return self._moved

    def take(self, signs: Sequence[str]) -> bool:
        """Signs of agent.vision.scene_watch. True when there is something new to keep."""
        self._sign = "moved" in signs
        if not self._sign or not self._marking or self._moved == self._marking:
            return False
        self._moved = self._marking
        return True


# -- the file ------------------------------------------------------------------------------------------------------------------

Metres = Annotated[float, Meta(ge=-FARTHEST_M, le=FARTHEST_M)]
PointM = tuple[Metres, Metres]
PointPx = tuple[float, float]
FloorName = Annotated[str, Meta(pattern=r"^[^\W_][\w \-]{0,39}\Z", description="1 to 40 letters, digits, spaces, _ and -")]
MOST = 64
"""Zones, lines, corners of a zone."""


class Point(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A point on the floor: where it is seen, and where it is."""

    px: PointPx
    m: PointM


class ZoneTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: FloorName
    kind: ZoneKind
    corners_m: tuple[PointM, ...] = ()
    corners_px: tuple[PointPx, ...] = ()
    no_linger_s: Annotated[float, Meta(ge=1, le=86400)] | None = None
    no_linger_hours: tuple[str, ...] = ()


class LineTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: FloorName
    ends_m: tuple[PointM, PointM] | None = None
    ends_px: tuple[PointPx, PointPx] | None = None
    inside_m: PointM | None = None
    inside_px: PointPx | None = None


class FloorFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """floor.toml."""

    camera: str = ""
    frame_px: tuple[Annotated[int, Meta(ge=64, le=8192)], Annotated[int, Meta(ge=64, le=8192)]] | None = None
    across_deg: Annotated[float, Meta(ge=10, le=150)] | None = None
    marked_at: datetime | None = None
    points: tuple[Point, ...] = ()
    zones: Annotated[tuple[ZoneTable, ...], Meta(max_length=MOST)] = ()
    lines: Annotated[tuple[LineTable, ...], Meta(max_length=MOST)] = ()
    map: MapPlace | None = None


TABLES: dict[str, type[Struct]] = {"": FloorFile, "points": Point, "zones": ZoneTable, "lines": LineTable, "map": MapPlace}


def parse_floor(text: str, where: str, assumed: Ground | None = None) -> FloorPlan:
    """The plan in a file's text; raises ConfigError that says what, where and what is allowed. `where`: the file's name.

    `assumed` is the ground of a file that draws zones and marks no points.
    """
    file = read_floor(text, where)
    ground = _ground(file, where, assumed)
    zones = tuple(_zone(table, ground, f"{where}: `$.zones[{n}]") for n, table in enumerate(file.zones))
    lines = tuple(_line(table, ground, f"{where}: `$.lines[{n}]") for n, table in enumerate(file.lines))
    for what, names in (("zones", [zone.name for zone in zones]), ("lines", [line.name for line in lines])):
        _demand_once(names, f"{where}: `$.{what}")
    return FloorPlan(ground=ground, zones=_ordered(zones) if zones else DEFAULT_ZONES, lines=lines or DEFAULT_LINES, camera=file.camera,
                     place=file.map, marking=marking_of(file))  # fmt: skip


def read_floor(text: str, where: str) -> FloorFile:
    """The file's tables as they are written; raises ConfigError."""
    try:
        table = tomllib.loads(text)
        _demand_finite(table, where)
        return msgspec.convert(table, FloorFile)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}{_allowed(str(error))}") from error


def _ground(file: FloorFile, where: str, assumed: Ground | None) -> Ground:
    if file.points:
        from agent.behaviour.marking import solve  # numpy, which nobody needs who reads a plan without points

        if file.frame_px is None:
            raise ConfigError(
                f"{where}: `$.frame_px` is missing: the width and height of the picture that the points were read from"
            )
        try:
            return solve([(point.px, point.m) for point in file.points], file.frame_px, file.across_deg).ground
        except ConfigError as error:
            raise ConfigError(f"{where}: `$.points`: {error}") from error
    if assumed is None:
        raise ConfigError(f"{where}: `$.points` is missing: four points of the floor at least, each with px and m; `doorward floor mark` asks"
                          " for them")  # fmt: skip
    scaled = assumed if file.frame_px is None else assumed.scaled(file.frame_px)
    if scaled is None:
        raise ConfigError(f"{where}: `$.frame_px` is {list(file.frame_px or ())}: the camera's pictures are {list(assumed.frame_px)}, of"
                          " another shape; read the pixels from a picture of this camera")  # fmt: skip
    return scaled


def _zone(table: ZoneTable, ground: Ground, where: str) -> Zone:
    if table.name == ELSEWHERE and table.kind != "public":
        raise ConfigError(
            f"{where}.name` is {table.name!r}: that is the name of what is no zone, a {table.kind} zone needs another"
        )
    corners, key = _corners(table, ground, where)
    if len(corners) < 3 or len(corners) > MOST:
        raise ConfigError(f"{where}.{key}` has {len(corners)} corners: a zone has 3 to {MOST}")
    crossed = crossing_edges(corners)
    if crossed is not None:
        first, second = (f"{n + 1} to {(n + 1) % len(corners) + 1}" for n in crossed)
        raise ConfigError(f"{where}.{key}`: the edge from corner {first} meets that from corner {second}: tell the corners in the order in"
                          " which one walks around the zone")  # fmt: skip
    if area(corners) < 0.01:
        raise ConfigError(f"{where}.{key}` encloses {area(corners) * 1e4:.0f} cm2: a zone is at least 100 cm2 large")
    hours = tuple(
        interval for n, words in enumerate(table.no_linger_hours) for interval in _hours(words, f"{where}.no_linger_hours[{n}]`")
    )
    if hours and table.no_linger_s is None:
        raise ConfigError(f"{where}.no_linger_hours`: given with no_linger_s, and only then")
    return Zone(name=table.name, kind=table.kind, corners_m=corners, no_linger_s=table.no_linger_s, no_linger_hours=hours)


def _corners(table: ZoneTable, ground: Ground, where: str) -> tuple[tuple[Pair, ...], str]:
    if bool(table.corners_m) == bool(table.corners_px):
        raise ConfigError(f"{where}`: corners_m (metres) or corners_px (pixels of the picture): one of the two")
    if table.corners_m:
        return table.corners_m, "corners_m"
    return tuple(_metres(px, ground, f"{where}.corners_px[{n}]`") for n, px in enumerate(table.corners_px)), "corners_px"


def _line(table: LineTable, ground: Ground, where: str) -> Line:
    if (table.ends_m is None) == (table.ends_px is None):
        raise ConfigError(f"{where}`: ends_m (metres) or ends_px (pixels of the picture): one of the two")
    if (table.inside_m is None) == (table.inside_px is None):
        raise ConfigError(
            f"{where}`: inside_m (metres) or inside_px (pixels of the picture), a place on the side that is in: one of the two"
        )
    ends = table.ends_m or tuple(_metres(px, ground, f"{where}.ends_px[{n}]`") for n, px in enumerate(table.ends_px or ()))
    inner = table.inside_m or _metres(table.inside_px or (0.0, 0.0), ground, f"{where}.inside_px`")
    start, end = ends[0], ends[1]
    if abs(start[0] - end[0]) + abs(start[1] - end[1]) < 0.1:
        raise ConfigError(f"{where}`: its ends lie on one place: a line is at least 10 cm long")
    left_m = side_of(start, end, inner)
    if abs(left_m) < 0.05:
        raise ConfigError(
            f"{where}`: the place that says which side is in lies on the line itself: name one at least 5 cm beside it"
        )
    return Line(name=table.name, from_m=start, to_m=end, inside="left" if left_m > 0 else "right")


def _metres(px: Pair, ground: Ground, where: str) -> Pair:
    """A pixel's place on the floor."""
    width, height = ground.frame_px
    if not (0 <= px[0] <= width and 0 <= px[1] <= height):
        raise ConfigError(f"{where} is {list(px)}: outside the picture, which is {width} x {height}")
    found = ground.foot(px)
    if found is None:
        raise ConfigError(f"{where} is {list(px)}: no floor is seen there, or so far away that metres would be guessed; give the place in"
                          " metres, or one that is nearer (lower in the picture)")  # fmt: skip
    return found.x_m, found.y_m


HOURS = re.compile(r"(?:(?P<days>[a-z, -]+) )?(?P<h0>\d\d):(?P<m0>\d\d)-(?P<h1>\d\d):(?P<m1>\d\d)\Z")


def _hours(words: str, where: str) -> Iterable[Interval]:
    """Of "mon-fri 22:00-06:00": a night belongs to the day on which it begins."""
    allowed = 'hours are "22:00-06:00" on each day, "mon-fri 18:00-24:00" or "sat,sun 00:00-24:00"'
    match = HOURS.match(words.strip().lower())
    days = _days((match["days"] or "mon-sun").replace(" ", "")) if match else None
    if match is None or days is None:
        raise ConfigError(f"{where} is {words!r}: {allowed}")
    begin, end = int(match["h0"]) * 60 + int(match["m0"]), int(match["h1"]) * 60 + int(match["m1"])
    if begin >= 1440 or end > 1440 or begin == end or int(match["m0"]) > 59 or int(match["m1"]) > 59:
        raise ConfigError(f"{where} is {words!r}: {allowed}")
    if begin < end:
        return (Interval(days=days, from_min=begin, until_min=end),)
    next_days = tuple(sorted((day + 1) % 7 for day in days))
    night = (Interval(days=days, from_min=begin, until_min=1440), Interval(days=next_days, from_min=0, until_min=end))
    return night if end else night[:1]


def _days(words: str) -> tuple[int, ...] | None:
    found: set[int] = set()
    for part in words.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            return None
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, end + 1 + (7 if end < begin else 0))}
    return tuple(sorted(found))


def _ordered(zones: Iterable[Zone]) -> tuple[Zone, ...]:
    """The most guarded first, and at the end the zone that is everywhere."""
    drawn = sorted(zones, key=lambda zone: ORDER.index(zone.kind))
    return (*drawn, Zone(name=ELSEWHERE, kind="public"))


def _demand_once(names: Sequence[str], where: str) -> None:
    for n, name in enumerate(names):
        if name in names[:n]:
            raise ConfigError(f"{where}[{n}].name` is {name!r}: each has a name of its own")


def _demand_finite(value: Any, where: str, place: str = "$") -> None:
    """TOML knows `inf` and `nan`, which are no places."""
    if isinstance(value, dict):
        for key, each in value.items():
            _demand_finite(each, where, f"{place}.{key}")
    elif isinstance(value, list):
        for n, each in enumerate(value):
            _demand_finite(each, where, f"{place}[{n}]")
    elif isinstance(value, float) and not isfinite(value):
        raise ConfigError(f"{where}: `{place}` is {value}: numbers are finite")


def marking_of(file: FloorFile) -> str:
    """Of what says where metres are: zones may be drawn anew without marking anew."""
    if not file.points:
        return ""
    told = msgspec.json.encode([file.camera, file.frame_px, file.across_deg, file.marked_at, file.points])
    return hashlib.sha256(told).hexdigest()[:16]


def _allowed(complaint: str) -> str:
    """The keys of the table that msgspec complains about, or the words of a choice."""
    place = re.search(r" - at `\$\.?(\w*)", complaint)
    table = TABLES.get(place[1] if place else "", FloorFile)
    if "unknown field" in complaint or "missing required field" in complaint:
        return f"; allowed: {', '.join(table.__struct_fields__)}"
    if "enum value" in complaint:
        return f"; allowed: {', '.join(repr(kind) for kind in ORDER)}"
    if "matching regex" in complaint:
        return "; allowed: 1 to 40 letters, digits, spaces, _ and -, beginning with a letter or digit"
    return ""
