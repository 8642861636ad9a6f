"""What the dashboard asks about maps."""

from __future__ import annotations

import msgspec

from central.gateway.asking import EVERYBODY, Ask, Endpoint, Reply, Role, Unfit
from central.places.maps import Layout, Map, Name, Places, no_map
from central.places.picture import MOST_BYTES, taken_in
from central.settings import Level

DRAWS: frozenset[Role] = frozenset({"manager", "installer"})
MOST_LAYOUT_BYTES = 1024 * 1024


def endpoints(places: Places, site: str) -> list[Endpoint]:
    """`site` is that of a map whose upload names none."""

    def maps(ask: Ask) -> list[Map]:
        return [each for each in places.maps() if ask.caller.sees(each.site)]

    def picture(ask: Ask) -> Reply:
        _demand_sight(ask, places)
        data, kind = places.picture(_number(ask))
        return Reply(body=data, content_type=kind, cache="private, max-age=86400, immutable")

    def add(ask: Ask) -> Map:
        name, of = _told(ask.query.get("name", "").strip(), Name, "name"), _told(ask.query.get("site", site), Level, "site")
        if not ask.caller.sees(of):
            raise Unfit(403, "not_your_site", f"site {of}: you are not there for it")
        return places.add(of, name, taken_in(ask.body), ask.caller.account)

    def lay_out(ask: Ask) -> Map:
        _demand_sight(ask, places)
        return places.lay_out(_number(ask), ask.json(Layout), ask.caller.account)

    def remove(ask: Ask) -> None:
        _demand_sight(ask, places)
        places.remove(_number(ask))

    return [
        Endpoint(method="GET", path="/maps", allowed=EVERYBODY, work=maps),
        Endpoint(method="POST", path="/maps", allowed=DRAWS, work=add, max_bytes=MOST_BYTES),
        Endpoint(method="GET", path="/maps/{id}/picture", allowed=EVERYBODY, work=picture),
        Endpoint(method="PUT", path="/maps/{id}", allowed=DRAWS, work=lay_out, max_bytes=MOST_LAYOUT_BYTES),
        Endpoint(method="DELETE", path="/maps/{id}", allowed=DRAWS, work=remove),
    ]


def _demand_sight(ask: Ask, places: Places) -> None:
    """A map of a site that the caller is not there for is none to them."""
    number = _number(ask)
    if not ask.caller.sees(places.site_of(number)):
        raise no_map(number)


def _number(ask: Ask) -> int:
    told = ask.path["id"]
    if not (told.isascii() and told.isdigit() and len(told) <= 9):
        raise Unfit(404, "no_such_map", f"there is no map {told[:40]!r}: maps have numbers")
    return int(told)


def _told(value: str, kind: object, what: str) -> str:
    try:
        found: str = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Unfit(400, "malformed", f"{what}={value[:40]!r}: {error}") from error
    return found
