"""Roll-outs and orders in the database. A change and its line in the audit log are one transaction: a killed centre goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from agent.clock import Clock
from agent.updates.package import Kind
from central.database.engine import reading, writing
from central.database.tables_people import TEMPLATES
from central.database.tables_updates import ROLLOUT_DOORS, ROLLOUTS, UPDATE_ORDERS
from central.database.types import to_us
from central.gateway.audit import AuditLog
from central.updates import plan
from central.updates.packages import Packages, Unfit
from central.updates.plan import Member, Pace, Place, Rollout, Said, Step

ACTIVE = ("running", "stopped", "rolled_back")


class Ordered(Struct, frozen=True, kw_only=True):
    """What a door was ordered last, of one kind."""

    place: Place
    kind: Kind
    serial: int
    made: datetime
    package: int | None
    shadow: bool
    back: bool
    new_embedder: bool


class Told(Struct, frozen=True, kw_only=True):
    """A roll-out as people see it."""

    id: int
    kind: Kind
    rollout: Rollout
    members: tuple[Member, ...]
    begun: datetime
    changed: datetime
    who: str


class Rollouts:
    """From any thread and any program."""

    def __init__(self, engine: Engine, clock: Clock, audit: AuditLog, packages: Packages) -> None:
        self._engine, self._clock, self._audit, self._packages = engine, clock, audit, packages

    # -- what there is

    def one(self, id: int) -> Told:
        """Raises Unfit."""
        with reading(self._engine) as db:
            return self._one(db, id)

    def all(self, limit: int = 50) -> list[Told]:
        """Newest first."""
        with reading(self._engine) as db:
            ids = db.scalars(select(ROLLOUTS.c.id).order_by(ROLLOUTS.c.id.desc()).limit(limit)).all()
            return [self._one(db, id) for id in ids]

    def active(self) -> list[int]:
        """Those that may have something to do."""
        with reading(self._engine) as db:
            going = select(ROLLOUT_DOORS.c.rollout).where(ROLLOUT_DOORS.c.state.in_((*plan.UNDER_WAY, "going_back")))
            asked = (
                select(ROLLOUTS.c.id).where((ROLLOUTS.c.state == "running") | ROLLOUTS.c.id.in_(going)).order_by(ROLLOUTS.c.id)
            )
            return list(db.scalars(asked))

    def orders(self) -> list[Ordered]:
        """Of every door, what counts now."""
        with reading(self._engine) as db:
            return [_ordered(row) for row in db.execute(select(UPDATE_ORDERS))]

    def _one(self, db: Connection, id: int, *, for_update: bool = False) -> Told:
        asked = select(ROLLOUTS).where(ROLLOUTS.c.id == id)
        row = db.execute(asked.with_for_update() if for_update else asked).first()
        if row is None:
            raise Unfit(f"there is no roll-out {id}")
        rollout = Rollout(package=row.package, shadow=row.shadow, pace=msgspec.convert(row.pace, Pace), state=row.state, wave=row.wave,
                          why=row.why)  # fmt: skip
        rows = db.execute(select(ROLLOUT_DOORS).where(ROLLOUT_DOORS.c.rollout == id).order_by(
            ROLLOUT_DOORS.c.wave, ROLLOUT_DOORS.c.site, ROLLOUT_DOORS.c.door))  # fmt: skip
        return Told(
            id=id,
            kind=row.kind,
            rollout=rollout,
            members=tuple(map(_member, rows)),
            begun=row.begun,
            changed=row.changed,
            who=row.who,
        )

    # -- beginning

    def begin(self, who: str, package: int, members: Sequence[Member], pace: Pace, *, shadow: bool = False) -> Told:
        """Raises Unfit: nothing of it has begun then."""
        listed = self._packages.one(package)
        if shadow and listed.kind != "models":
            raise Unfit(f"{listed.kind} cannot run beside those in force: only models can")
        if not members:
            raise Unfit("no door is in it")
        if listed.kind == "models":
            self._demand_comparable(package)
        now = self._clock.wall()
        with writing(self._engine) as db:
            self._demand_free(db, listed.kind, {member.place for member in members})
            row = {"kind": listed.kind, "package": package, "shadow": shadow, "state": "running", "why": "", "wave": 0, "begun": now,
                   "pace": msgspec.to_builtins(pace), "changed": now, "who": who}  # fmt: skip
            id = int(db.execute(insert(ROLLOUTS).values(row).returning(ROLLOUTS.c.id)).scalar_one())
            db.execute(insert(ROLLOUT_DOORS), [{"rollout": id, **_row(member)} for member in members])
            self._write(db, who, "update.begun", id, {"kind": listed.kind, "version": listed.version, "package": package, "shadow": shadow,
                                                      "doors": len(members), "pace": msgspec.to_builtins(pace)})  # fmt: skip
            return self._one(db, id)

    def _demand_free(self, db: Connection, kind: str, places: set[Place]) -> None:
        """Two roll-outs of one kind would undo each other's work."""
        live = select(ROLLOUT_DOORS.c.site, ROLLOUT_DOORS.c.door, ROLLOUTS.c.id).join(
            ROLLOUTS, ROLLOUTS.c.id == ROLLOUT_DOORS.c.rollout
        )
        for row in db.execute(live.where(ROLLOUTS.c.kind == kind, ROLLOUTS.c.state.in_(("running", "stopped")))):
            if (row.site, row.door) in places:
                raise Unfit(
                    f"{row.site}/{row.door} is in roll-out {row.id} of {kind}, which is not over: end it or roll it back first"
                )

    def _demand_comparable(self, package: int) -> None:
        """Templates name the network that made them, and no other can compare them."""
        mine = self._packages.embedder_of(package)
        with reading(self._engine) as db:
            others = set(db.scalars(select(TEMPLATES.c.embedder_id).distinct())) - {mine}
            people = (
                db.execute(select(TEMPLATES.c.cardholder).where(TEMPLATES.c.embedder_id != mine).distinct()).all()
                if others
                else []
            )
        if people:
            raise Unfit(f"{len(people)} people are enrolled with another network ({', '.join(sorted(others))[:60]}) than the one in these "
                        f"models ({mine}), and the pictures that their templates were made of are not kept: doors could not tell who they "
                        "are. Keep the embedder and change the other networks, or enrol these people anew once nobody needs the old "
                        "templates")  # fmt: skip

    # -- going on

    def advance(self, id: int, said: Mapping[Place, Said], known: Callable[[Place], int] = lambda place: 0) -> list[Ordered]:
        """One step. `known`: the highest serial that a door has told. Returns what is to be said to doors."""
        return self._change(id, "centre", lambda told, now: plan.step(told.rollout, told.members, said, now), known)

    def go_on(self, who: str, id: int) -> None:
        """Doors that failed are left out, and the others go on. Raises Unfit."""
        self._demand(id, ("stopped",), "go on with")
        self._change(id, who, lambda told, now: plan.gone_on(told.rollout, told.members, now), what="update.continued")

    def stop(self, who: str, id: int, why: str) -> None:
        self._demand(id, ("running",), "stop")
        self._change(
            id,
            who,
            lambda told, now: Step(plan.stopped(told.rollout, why or f"stopped by {who}"), told.members),
            what="update.stopped",
        )

    def end(self, who: str, id: int) -> None:
        """Whoever is away, or not reached, stays as it is. Raises Unfit."""
        self._demand(id, ("running", "stopped"), "end")
        self._change(id, who, lambda told, now: Step(replace(told.rollout, state="ended"), told.members), what="update.ended")

    def take_back(self, who: str, id: int, why: str, known: Callable[[Place], int] = lambda place: 0) -> list[Ordered]:
        """Every door that was ordered goes back to what it ran before. Raises Unfit."""
        self._demand(id, ("running", "stopped", "done", "ended"), "roll back")
        why = why or f"rolled back by {who}"
        return self._change(
            id, who, lambda told, now: plan.taken_back(told.rollout, told.members, now, why), known, what="update.rolled_back"
        )

    def order_one(self, who: str, place: Place, kind: Kind, package: int | None, known: int = 0) -> Ordered:
        """Orders one door, an older version too; for whoever stands before that door. Raises Unfit."""
        if package is not None and self._packages.one(package).kind != kind:
            raise Unfit(f"number {package} is no update of {kind}")
        if package is not None and kind == "models":
            self._demand_comparable(package)
        with writing(self._engine) as db:
            self._demand_free(db, kind, {place})
            ordered = self._put(db, place, kind, package, known, back=True, shadow=False)
            self._audit.write(
                who,
                "update.ordered",
                "/".join(place),
                {"kind": kind, "package": package, "serial": ordered.serial},
                connection=db,
            )
        return ordered

    def _demand(self, id: int, states: tuple[str, ...], what: str) -> None:
        state = self.one(id).rollout.state
        if state not in states:
            raise Unfit(f"roll-out {id} is {state.replace('_', ' ')}: there is nothing to {what}")

    def _change(self, id: int, who: str, work: Callable[[Told, datetime], Step], known: Callable[[Place], int] = lambda place: 0,
                what: str = "") -> list[Ordered]:  # fmt: skip
        with reading(self._engine) as db:
            told = self._one(db, id)
        if not what and _same(told, work(told, self._clock.wall())):
            return []
        with writing(self._engine) as db:
            told = self._one(db, id, for_update=True)
            now = self._clock.wall()
            after = work(told, now)
            orders = [self._order(db, told, after, place, known(place)) for place in after.order]
            serials = {order.place: order.serial for order in orders}
            members = [replace(member, serial=serials.get(member.place, member.serial)) for member in after.members]
            self._save(db, told, after.rollout, members, now)
            self._record(db, who, what, told, after, members)
            return orders

    def _order(self, db: Connection, told: Told, after: Step, place: Place, known: int) -> Ordered:
        member = next(each for each in after.members if each.place == place)
        if member.state != "going_back":
            return self._put(db, place, told.kind, told.rollout.package, known, back=False, shadow=told.rollout.shadow)
        return self._put(db, place, told.kind, member.before or None, known, back=True, shadow=False)

    def _put(
        self, db: Connection, place: Place, kind: Kind, package: int | None, known: int, *, back: bool, shadow: bool
    ) -> Ordered:
        mine = (UPDATE_ORDERS.c.site == place[0], UPDATE_ORDERS.c.door == place[1], UPDATE_ORDERS.c.kind == kind)
        before = db.scalar(select(UPDATE_ORDERS.c.serial).where(*mine)) or 0
        now = self._clock.wall()
        ordered = Ordered(place=place, kind=kind, serial=max(to_us(now), before + 1, known + 1), made=now, package=package, shadow=shadow,
                          back=back, new_embedder=kind == "models")  # fmt: skip
        db.execute(delete(UPDATE_ORDERS).where(*mine))
        row = {name: getattr(ordered, name) for name in ("kind", "serial", "made", "package", "shadow", "back", "new_embedder")}
        db.execute(insert(UPDATE_ORDERS).values(site=place[0], door=place[1], **row))
        return ordered

    def _save(self, db: Connection, told: Told, rollout: Rollout, members: Iterable[Member], now: datetime) -> None:
        values = {"state": rollout.state, "why": rollout.why, "wave": rollout.wave, "changed": now}
        db.execute(update(ROLLOUTS).where(ROLLOUTS.c.id == told.id).values(values))
        known = {member.place: member for member in told.members}
        for member in members:
            if member != known.get(member.place):
                mine = (
                    ROLLOUT_DOORS.c.rollout == told.id,
                    ROLLOUT_DOORS.c.site == member.place[0],
                    ROLLOUT_DOORS.c.door == member.place[1],
                )
                db.execute(update(ROLLOUT_DOORS).where(*mine).values(_row(member)))

    def _record(self, db: Connection, who: str, what: str, told: Told, after: Step, members: Sequence[Member]) -> None:
        if what:
            self._write(db, who, what, told.id, {"why": after.rollout.why[:300]})
        elif after.rollout.state != told.rollout.state:
            self._write(db, who, f"update.{after.rollout.state}", told.id, {"why": after.rollout.why[:300]})
        ordered = ["/".join(place) for place in after.order]
        if ordered:
            self._write(
                db, who, "update.ordered", told.id, {"wave": after.rollout.wave, "doors": ordered[:200], "count": len(ordered)}
            )

    def _write(self, db: Connection, who: str, what: str, id: int, details: dict[str, Any]) -> None:
        self._audit.write(who, what, f"roll-out {id}", details, connection=db)


def _same(told: Told, after: Step) -> bool:
    return not after.order and after.rollout == told.rollout and tuple(after.members) == told.members


def _member(row: Row[Any]) -> Member:
    return Member(place=(row.site, row.door), wave=row.wave, state=row.state, detail=row.detail, serial=row.serial, since=row.since,
                  before=row.before, faults=tuple(row.faults))  # fmt: skip


def _row(member: Member) -> dict[str, Any]:
    return {"site": member.place[0], "door": member.place[1], "wave": member.wave, "state": member.state, "detail": member.detail,
            "serial": member.serial, "since": member.since, "before": member.before, "faults": list(member.faults)}  # fmt: skip


def _ordered(row: Row[Any]) -> Ordered:
    return Ordered(place=(row.site, row.door), kind=row.kind, serial=row.serial, made=row.made, package=row.package, shadow=row.shadow,
                   back=row.back, new_embedder=row.new_embedder)  # fmt: skip
