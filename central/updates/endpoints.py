"""What the dashboard asks about updates. Packages come in at the centre's own console (`doorward central update add`): they may be large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from agent.updates.package import KINDS, Kind
from central.gateway.asking import Ask, Endpoint, Role, Unfit
from central.settings import Level
from central.updates import packages, plan
from central.updates.desk import KindSaid, UpdateDesk
from central.updates.plan import Member, Pace, Place
from central.updates.store import Told

SEES: frozenset[Role] = frozenset({"manager", "installer", "auditor"})
DECIDES: frozenset[Role] = frozenset({"manager"})
MOST_DOORS = 20_000
Share = Annotated[float, Meta(gt=0, le=1)]


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A roll-out as somebody asks for it."""

    package: Annotated[int, Meta(ge=1, le=1 << 31)]
    shadow: bool = False
    sites: Annotated[tuple[Level, ...], Meta(max_length=500)] = ()
    """Only these; empty: all that the caller may see."""
    doors: Annotated[tuple[str, ...], Meta(max_length=MOST_DOORS)] = ()
    """SITE/DOOR, in the order in which they are to come; empty: all of the sites."""
    shares: Annotated[tuple[Share, ...], Meta(max_length=8)] = (0.1,)
    """After the first door: up to which share of them each wave goes."""
    pace: Pace = Pace()


class Why(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why somebody stops it, or takes it back."""

    why: Annotated[str, Meta(max_length=300)] = ""


class DoorRow(Struct, frozen=True, kw_only=True):
    """A door in a roll-out."""

    site: str
    door: str
    name: str
    wave: int
    state: str
    detail: str
    since: Any
    parts: int
    parts_missing: int
    hindered: str
    compared: Any


class Row(Struct, frozen=True, kw_only=True):
    """A roll-out."""

    id: int
    kind: str
    package: int
    version: str
    shadow: bool
    state: str
    why: str
    wave: int
    waves: int
    begun: Any
    changed: Any
    who: str
    pace: Pace
    counts: dict[str, int]
    """Doors by their state."""
    beside: str
    """Models beside those in force: what all doors counted together, in a sentence."""
    doors: tuple[DoorRow, ...]


def endpoints(desk: UpdateDesk, doors: Callable[[], Sequence[Place]], name_of: Callable[[str, str], str]) -> list[Endpoint]:
    """`doors`: all that the centre knows."""

    def listed(ask: Ask) -> dict[str, Any]:
        rows = [row_of(desk, told, name_of) for told in desk.rollouts.all() if _sees_all(ask, told)]
        return {
            "packages": desk.packages.listed(),
            "rollouts": rows,
            "may_decide": ask.caller.role in DECIDES,
        }

    def begin(ask: Ask) -> Row:
        wanted = ask.json(Wanted)
        places = _places(wanted, [place for place in doors() if ask.caller.sees(place[0])])
        members = plan.waves_of(places, wanted.shares)
        return _row(desk.rollouts.begin(ask.caller.account, wanted.package, members, wanted.pace, shadow=wanted.shadow))

    def deed(work: Callable[[str, int, str], object]) -> Callable[[Ask], Row]:
        def done(ask: Ask) -> Row:
            number, why = _number(ask), ask.json(Why).why if ask.body else ""
            if not _sees_all(ask, desk.rollouts.one(number)):
                raise Unfit(403, "not_your_site", f"roll-out {number}: you are not there for all of its sites")
            work(ask.caller.account, number, why)
            return _row(desk.rollouts.one(number))

        return done

    def _row(told: Told) -> Row:
        desk.wake()
        return row_of(desk, told, name_of)

    def take_back(who: str, number: int, why: str) -> None:
        kind = desk.rollouts.one(number).kind
        desk.rollouts.take_back(who, number, why, lambda place: (desk.says(place, kind) or KindSaid()).serial)

    def order_one(ask: Ask) -> None:
        site, door, kind = ask.path["site"], ask.path["door"], _kind(ask.path["kind"])
        if not ask.caller.sees(site) or (site, door) not in doors():
            raise Unfit(404, "unknown_door", f"there is no door {site}/{door} among those that this account may see")
        said = desk.says((site, door), kind)
        if said is None or not said.number:
            raise Unfit(
                409, "nothing_to_roll_back", f"{site}/{door} runs what came with its program: there is nothing to go back to"
            )
        desk.rollouts.order_one(ask.caller.account, (site, door), kind, said.former or None, said.serial)
        desk.wake()

    rollouts = desk.rollouts
    deeds = {"go-on": lambda who, number, why: rollouts.go_on(who, number), "stop": rollouts.stop, "roll-back": take_back,
             "end": lambda who, number, why: rollouts.end(who, number)}  # fmt: skip
    return [
        Endpoint(method="GET", path="/updates", allowed=SEES, work=_told(listed)),
        Endpoint(method="POST", path="/updates/rollouts", allowed=DECIDES, work=_told(begin), max_bytes=1 << 20),
        *(Endpoint(method="POST", path=f"/updates/rollouts/{{id}}/{name}", allowed=DECIDES, work=_told(deed(work)))
          for name, work in deeds.items()),
        Endpoint(method="POST", path="/updates/doors/{site}/{door}/{kind}/roll-back", allowed=DECIDES, work=_told(order_one)),
    ]  # fmt: skip


def _told(work: Callable[[Ask], Any]) -> Callable[[Ask], Any]:
    """The room's own refusals, as the gateway tells them."""

    def told(ask: Ask) -> Any:
        try:
            return work(ask)
        except packages.Unfit as error:
            raise Unfit(409, "not_possible", str(error)) from error

    return told


def _places(wanted: Wanted, known: Sequence[Place]) -> list[Place]:
    if wanted.doors:
        named = [(site, door) for site, _, door in (each.partition("/") for each in wanted.doors)]
        if strange := [each for each in named if each not in set(known)]:
            raise Unfit(
                404, "unknown_door", f"there is no door {'/'.join(strange[0])[:90]} among those that this account may see"
            )
        return list(dict.fromkeys(named))
    found = [place for place in known if not wanted.sites or place[0] in wanted.sites]
    if not found:
        raise Unfit(404, "no_doors", "there is no door at these sites")
    return sorted(found)


def _sees_all(ask: Ask, told: Told) -> bool:
    """A roll-out is shown to who may see all of its doors: it tells of each what is wrong there."""
    return all(ask.caller.sees(member.place[0]) for member in told.members)


def row_of(desk: UpdateDesk, told: Told, name_of: Callable[[str, str], str]) -> Row:
    """As people see a roll-out."""
    rows = tuple(_door_row(desk, told, member, name_of) for member in told.members)
    counts: dict[str, int] = {}
    for member in told.members:
        counts[member.state] = counts.get(member.state, 0) + 1
    return Row(
        id=told.id, kind=told.kind, package=told.rollout.package, version=_version(desk, told.rollout.package), shadow=told.rollout.shadow,
        state=told.rollout.state, why=told.rollout.why, wave=told.rollout.wave, waves=max(member.wave for member in told.members) + 1,
        begun=told.begun, changed=told.changed, who=told.who, pace=told.rollout.pace, counts=counts,
        beside=sentence_of(together([row.compared for row in rows])) if told.rollout.shadow else "", doors=rows,
    )  # fmt: skip


def _version(desk: UpdateDesk, number: int) -> str:
    try:
        return desk.packages.one(number).version
    except packages.Unfit:
        return f"number {number}"


def _door_row(desk: UpdateDesk, told: Told, member: Member, name_of: Callable[[str, str], str]) -> DoorRow:
    site, door = member.place
    said = desk.says(member.place, told.kind) or KindSaid()
    compared = said.compared if isinstance(said.compared, dict) and said.compared.get("number") == told.rollout.package else None
    return DoorRow(site=site, door=door, name=name_of(site, door), wave=member.wave, state=member.state, detail=member.detail,
                   since=member.since, parts=said.parts, parts_missing=said.parts_missing, hindered=said.hindered,
                   compared=compared)  # fmt: skip


COUNTED = (
    "pictures",
    "lost",
    "before_ms",
    "after_ms",
    "both",
    "only_before",
    "only_after",
    "neither",
    "margin_before",
    "margin_after",
)


def together(counted: Sequence[Any]) -> dict[str, float]:
    """What doors counted of models beside, added up; what is no number counts nothing."""
    total = dict.fromkeys(COUNTED, 0.0)
    for counts in counted:
        for name in COUNTED if isinstance(counts, dict) else ():
            value = counts.get(name)
            total[name] += value if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    return total


def sentence_of(total: dict[str, float]) -> str:
    """What was counted, for people: 'would have refused 3 of 812 that the old let in, and let in 0 of 5 that it did not'."""
    yes, no = total["both"] + total["only_before"], total["only_after"] + total["neither"]
    if not total["pictures"]:
        return "nobody has been compared yet"
    fobs = "no fob was held up yet"
    if yes + no:
        fobs = (f"at fobs, they would not have known {total['only_before']:.0f} of {yes:.0f} owners that the networks in force knew, and "
                f"have taken {total['only_after']:.0f} of {no:.0f} for the owner that those did not")  # fmt: skip
    cost = f"{total['after_ms'] / total['pictures']:.1f} ms a face against {total['before_ms'] / total['pictures']:.1f}"
    return f"of {total['pictures']:.0f} pictures of faces they lost {total['lost']:.0f}; {fobs}; {cost}"


def _number(ask: Ask) -> int:
    told = ask.path["id"]
    if not (told.isascii() and told.isdigit() and len(told) <= 9):
        raise Unfit(404, "no_such_rollout", f"there is no roll-out {told[:40]!r}: they have numbers")
    return int(told)


def _kind(told: str) -> Kind:
    for kind in KINDS:
        if told == kind:
            return kind
    raise Unfit(404, "no_such_kind", f"{told[:40]!r}: allowed are {', '.join(KINDS)}")
