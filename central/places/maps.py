"""Floor plans of a site: which there are, what lies where on them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from agent.clock import Clock
from central.database.engine import reading, writing
from central.database.tables_places import MAPS
from central.gateway.asking import Unfit
from central.places.picture import Picture
from central.settings import Level

MOST_MAPS = 500
Name = Annotated[str, Meta(min_length=1, max_length=80)]
Pixel = Annotated[float, Meta(ge=0, le=100_000)]
DoorPlace = Annotated[str, Meta(pattern="^[a-z0-9_-]{1,40}/[a-z0-9_-]{1,40}$")]


class PlacedDoor(Struct, frozen=True, forbid_unknown_fields=True):
    """A door on a map; `x` and `y` in pixels of the picture, from its upper left corner."""

    site: Level
    door: Level
    x: Pixel
    y: Pixel


class Zone(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a map. It takes the colour of the worst risk among `doors` (as SITE/DOOR)."""

    id: Level
    name: Name
    points: Annotated[list[tuple[Pixel, Pixel]], Meta(min_length=3, max_length=100)]
    doors: Annotated[list[DoorPlace], Meta(max_length=500)] = []


class Layout(Struct, frozen=True, forbid_unknown_fields=True):
    """What a PUT brings: everything on the map, and the edition that it was drawn on."""

    name: Name
    doors: Annotated[list[PlacedDoor], Meta(max_length=2000)]
    zones: Annotated[list[Zone], Meta(max_length=200)]
    edition: int


class Map(Struct, frozen=True, kw_only=True):
    """A floor plan without its picture, which lies at /maps/{id}/picture."""

    id: int
    name: str
    site: str
    width_px: int
    height_px: int
    doors: list[PlacedDoor]
    zones: list[Zone]
    edition: int
    changed: datetime
    changed_by: str


class Places:
    """Maps in the database. From any thread."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def maps(self) -> list[Map]:
        with reading(self._engine) as connection:
            rows = connection.execute(select(*_TOLD).order_by(MAPS.c.site, MAPS.c.name, MAPS.c.id))
            return [_map(row) for row in rows]

    def site_of(self, number: int) -> str:
        """Raises Unfit 404."""
        with reading(self._engine) as connection:
            return _one(connection, number).site

    def picture(self, number: int) -> tuple[bytes, str]:
        """Bytes and content type. Raises Unfit 404."""
        with reading(self._engine) as connection:
            row = connection.execute(select(MAPS.c.picture, MAPS.c.picture_type).where(MAPS.c.id == number)).first()
        if row is None:
            raise no_map(number)
        return bytes(row.picture), row.picture_type

    def add(self, site: str, name: str, picture: Picture, by: str) -> Map:
        """A new map with nothing on it. Raises Unfit 409 when there are too many."""
        with writing(self._engine) as connection:
            if (connection.scalar(select(func.count()).select_from(MAPS)) or 0) >= MOST_MAPS:
                raise Unfit(409, "too_many", f"there are {MOST_MAPS} maps already; delete one first")
            values = {"site": site, "name": name, "width_px": picture.width_px, "height_px": picture.height_px,
                      "picture_type": picture.content_type, "picture": picture.data, "doors": [], "zones": [],
                      "edition": 1, "changed": self._clock.wall(), "changed_by": by}  # fmt: skip
            made = connection.execute(insert(MAPS).values(values)).inserted_primary_key
            return _one(connection, int(made[0]) if made else 0)

    def lay_out(self, number: int, layout: Layout, by: str) -> Map:
        """Raises Unfit: 404; 409 when somebody else has changed it since; 422 for what lies beside the picture or twice on it."""
        with writing(self._engine) as connection:
            found = _one(connection, number)
            if found.edition != layout.edition:
                told = f"{found.changed_by} changed this map at {found.changed:%H:%M:%S} UTC: load it again, then draw"
                raise Unfit(409, "changed_meanwhile", told)
            _check(layout, found)
            values = {"name": layout.name, "doors": layout.doors, "zones": layout.zones, "edition": found.edition + 1,
                      "changed": self._clock.wall(), "changed_by": by}  # fmt: skip
            connection.execute(update(MAPS).where(MAPS.c.id == number).values(values))
            return _one(connection, number)

    def remove(self, number: int) -> None:
        """Raises Unfit 404."""
        with writing(self._engine) as connection:
            if connection.execute(delete(MAPS).where(MAPS.c.id == number)).rowcount == 0:
                raise no_map(number)


_TOLD = [column for column in MAPS.c if column.name not in ("picture", "picture_type")]


def _one(connection: Connection, number: int) -> Map:
    row = connection.execute(select(*_TOLD).where(MAPS.c.id == number)).first()
    if row is None:
        raise no_map(number)
    return _map(row)


def _map(row: Row[tuple[object, ...]]) -> Map:
    return msgspec.convert({str(key): value for key, value in row._mapping.items()}, Map)


def no_map(number: int) -> Unfit:
    return Unfit(404, "no_such_map", f"there is no map {number}")


def _check(layout: Layout, found: Map) -> None:
    _check_once(f"{each.site}/{each.door}" for each in layout.doors)
    _check_once(each.id for each in layout.zones)
    points = [(each.door, each.x, each.y) for each in layout.doors]
    points += [(zone.name, x, y) for zone in layout.zones for x, y in zone.points]
    for what, x, y in points:
        if x > found.width_px or y > found.height_px:
            told = f"{what}: {x:g}, {y:g} lies beside the picture, which has {found.width_px} x {found.height_px} px"
            raise Unfit(422, "beside_the_picture", told)


def _check_once(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Unfit(422, "twice", f"{name} is on this map twice")
        seen.add(name)
