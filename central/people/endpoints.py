"""People, credentials and rules over HTTP: docs/PEOPLE.md. Looking at people is on record as changing them is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from agent.core.access import AccessProfile, DoorAccess
from agent.core.people import Moment
from agent.core.schedules import Calendar, Schedule
from central.gateway.asking import Ask, Endpoint, Reply, Role, Unfit
from central.people.importing import Report, bring_in, export
from central.people.listing import page_of
from central.people.people import People
from central.people.records import Dossier, Held, Person, Pins, Row, State
from central.people.rules import field_of
from central.people.sheet import SheetError, sheet_of
from central.people.trouble import PeopleError, nobody

MOST_SHEET_BYTES = 64 << 20
_STATUS = {"not_found": 404, "unfit": 422}
_LOOKERS: frozenset[Role] = frozenset({"guard", "manager", "privacy"})
_MANAGERS: frozenset[Role] = frozenset({"manager"})

T = TypeVar("T", bound=Struct)
Work = Callable[[Ask], Any]
Name = Annotated[str, Meta(max_length=200)]
Pin = Annotated[str, Meta(max_length=12)]


class NewPerson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /people. Without an id one is drawn that says nothing of the person."""

    name: str
    id: str = ""
    profiles: tuple[str, ...] = ()
    visitor: bool = False
    suspended: bool = False
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    extended_opening: bool = False
    passes_lockdown: bool = False
    free_of_passback: bool = False
    notes: str = ""
    pin: Pin | None = None
    duress_pin: Pin | None = None


class PersonChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PATCH /people/{id}: what is left out stays; null takes a moment away, an empty PIN the PIN."""

    name: str | UnsetType = UNSET
    profiles: tuple[str, ...] | UnsetType = UNSET
    visitor: bool | UnsetType = UNSET
    suspended: bool | UnsetType = UNSET
    valid_from: Moment | UnsetType | None = UNSET
    valid_until: Moment | UnsetType | None = UNSET
    extended_opening: bool | UnsetType = UNSET
    passes_lockdown: bool | UnsetType = UNSET
    free_of_passback: bool | UnsetType = UNSET
    notes: str | UnsetType = UNSET
    pin: Pin | UnsetType = UNSET
    duress_pin: Pin | UnsetType = UNSET


class StateChange(Struct, frozen=True, forbid_unknown_fields=True):
    state: State


class Told(Struct, frozen=True, kw_only=True):
    """A person as GET /people/{id} tells them."""

    id: str
    name: str
    profiles: tuple[str, ...]
    visitor: bool
    suspended: bool
    valid_from: Moment | None
    valid_until: Moment | None
    extended_opening: bool
    passes_lockdown: bool
    free_of_passback: bool
    notes: str
    credentials: tuple[Held, ...]
    templates: int
    enrolled: bool
    has_pin: bool
    has_duress_pin: bool
    norms_consent: bool
    added: Moment


def endpoints(people: People) -> list[Endpoint]:
    """Erasing a person is of enrolment's endpoints: it reaches further."""

    def listed(ask: Ask) -> list[Row]:
        text = ask.query.get("text", "")[:100]
        people.audit.write(ask.caller.account, "people.listed", "", {"searched": bool(text)})  # not for whom: that may be a name
        return page_of(people, text, ask.query.get("after", "")[:64], ask.whole("limit", 50, 1, 500), ask.caller.sites)

    def one(ask: Ask) -> Told:
        if ask.caller.sites and not people.is_seen(ask.path["id"], ask.caller.sites):
            raise nobody(ask.path["id"])
        return told(people.person(ask.path["id"]))

    def add(ask: Ask) -> Told:
        new = ask.json(NewPerson)
        fields = {name: getattr(new, name) for name in Person.__struct_fields__}
        person = Person(**{**fields, "id": new.id or people.fresh_id()})
        return told(people.add(ask.caller.account, person, Pins(pin=new.pin, duress_pin=new.duress_pin)))

    def change(ask: Ask) -> Told:
        asked = {name: value for name, value in msgspec.structs.asdict(ask.json(PersonChange)).items() if value is not UNSET}
        pins = Pins(**{name: asked.pop(name) for name in Pins.__struct_fields__ if name in asked})
        return told(people.change(ask.caller.account, ask.path["id"], asked, pins))

    def issue(ask: Ask) -> Told:
        return told(people.issue(ask.caller.account, ask.path["id"], ask.json(Held)))

    def mark(ask: Ask) -> dict[str, str]:
        state = ask.json(StateChange).state
        if state == "active":  # whoever finds a fob lost may bar it, of whatever site they are
            demand_all_sites(ask)
        people.mark(ask.caller.account, ask.path["key"], state)
        return {"key": ask.path["key"], "state": state}

    def give_back(ask: Ask) -> None:
        people.give_back(ask.caller.account, ask.path["key"])

    def bring(ask: Ask) -> Report:
        dry_run, skip_bad = (ask.query.get(name, "") in ("1", "true") for name in ("dry_run", "skip_bad"))
        return bring_in(people, ask.caller.account, sheet_of(ask.body), dry_run=dry_run, skip_bad=skip_bad)

    def take(ask: Ask) -> Reply:
        body = "".join(export(people, ask.caller.sites)).encode()
        return Reply(body=body, content_type="text/csv; charset=utf-8", file_name=f"people-{ask.now:%Y-%m-%d}.csv")

    return [
        _endpoint("GET", "/people", listed, _LOOKERS),
        _endpoint("POST", "/people", of_all_sites(add)),
        _endpoint("GET", "/people/export", take, frozenset({"manager", "privacy"}), recorded=True),
        _endpoint("POST", "/people/import", of_all_sites(bring), max_bytes=MOST_SHEET_BYTES),
        _endpoint("GET", "/people/{id}", one, _LOOKERS, recorded=True),
        _endpoint("PATCH", "/people/{id}", of_all_sites(change)),
        _endpoint("POST", "/people/{id}/credentials", of_all_sites(issue)),
        _endpoint("PATCH", "/credentials/{key}", mark),
        _endpoint("DELETE", "/credentials/{key}", of_all_sites(give_back)),
        *_rule_endpoints(people),
    ]


def _rule_endpoints(people: People) -> list[Endpoint]:
    readers: frozenset[Role] = frozenset({"guard", "manager", "installer", "privacy", "auditor"})

    def profiles(ask: Ask) -> list[AccessProfile]:
        return [_within_sight(each, ask) for each in people.book().profiles.values()]

    def schedules(ask: Ask) -> list[Schedule]:
        return [*people.book().schedules.values()]

    def calendars(ask: Ask) -> list[Calendar]:
        return [*people.book().calendars.values()]

    def put(kind: type[T], keep: Callable[..., None]) -> Work:
        def work(ask: Ask) -> T:
            rule = _rule(ask, kind)
            try:
                keep(ask.caller.account, rule, new=ask.query.get("new") == "1")
            except PeopleError as error:
                field = "id" if error.code == "taken" else field_of(str(error))
                raise Unfit(_STATUS.get(error.code, 409), error.code, str(error), field) from error
            return rule

        return of_all_sites(work)

    def drop(kind: str) -> Work:
        return of_all_sites(lambda ask: people.drop_rule(ask.caller.account, kind, ask.path["id"]))

    def entry(ask: Ask) -> DoorAccess:
        return people.book().entry_of(ask.path["site"], ask.path["door"])

    def put_entry(ask: Ask) -> DoorAccess:
        rules = ask.json(DoorAccess)
        people.put_entry(ask.caller.account, ask.path["site"], ask.path["door"], rules)
        return rules

    return [
        _endpoint("GET", "/profiles", profiles, readers),
        _endpoint("PUT", "/profiles/{id}", put(AccessProfile, people.put_profile)),
        _endpoint("DELETE", "/profiles/{id}", drop("profile")),
        _endpoint("GET", "/schedules", schedules, readers),
        _endpoint("PUT", "/schedules/{id}", put(Schedule, people.put_schedule)),
        _endpoint("DELETE", "/schedules/{id}", drop("schedule")),
        _endpoint("GET", "/calendars", calendars, readers),
        _endpoint("PUT", "/calendars/{id}", put(Calendar, people.put_calendar)),
        _endpoint("DELETE", "/calendars/{id}", drop("calendar")),
        _endpoint("GET", "/doors/{site}/{door}/rules", entry, readers),
        _endpoint("PUT", "/doors/{site}/{door}/rules", put_entry),
    ]


def told(dossier: Dossier) -> Told:
    """Without anything secret."""
    of_person = msgspec.structs.asdict(dossier.person)
    return Told(**of_person, credentials=dossier.credentials, templates=dossier.templates, enrolled=dossier.templates > 0,
                has_pin=dossier.has_pin, has_duress_pin=dossier.has_duress_pin, norms_consent=dossier.norms_consent,
                added=dossier.added)  # fmt: skip


def _within_sight(profile: AccessProfile, ask: Ask) -> AccessProfile:
    """Without doors of sites that the caller does not see."""
    return msgspec.structs.replace(profile, doors=tuple(
        word for word in profile.doors if "/" not in word or ask.caller.sees(word.partition("/")[0])))  # fmt: skip


def demand_all_sites(ask: Ask) -> None:
    """People and rules are of the whole centre: a profile opens doors of any site. Raises Unfit."""
    if ask.caller.sites:
        raise Unfit(403, "not_allowed", "people and rules are of the whole centre: this is for accounts that see every site")


def of_all_sites(work: Work) -> Work:
    def asked(ask: Ask) -> Any:
        demand_all_sites(ask)
        return work(ask)

    return asked


def guarded(work: Work) -> Work:
    """`work` with the errors of people as answers."""

    def asked(ask: Ask) -> Any:
        try:
            return work(ask)
        except PeopleError as error:
            raise Unfit(_STATUS.get(error.code, 409), error.code, str(error)) from error
        except SheetError as error:
            raise Unfit(422, "unreadable", str(error)) from error

    return asked


def _endpoint(
    method: Any,
    path: str,
    work: Work,
    allowed: frozenset[Role] = _MANAGERS,
    *,
    recorded: bool = False,
    max_bytes: int = 64 * 1024,
) -> Endpoint:
    """Changes are put on record with what they changed, in the same transaction, and not once more by the gateway."""
    return Endpoint(method=method, path=path, allowed=allowed, work=guarded(work), max_bytes=max_bytes, recorded=recorded)


def _rule(ask: Ask, kind: type[T]) -> T:
    """The body, whose id is that of the path or left out."""
    body = ask.json(dict[str, Any])
    if body.setdefault("id", ask.path["id"]) != ask.path["id"]:
        raise Unfit(422, "unfit", f"the rule says id {str(body['id'])[:64]!r} and the path {ask.path['id'][:64]!r}")
    known = {*kind.__struct_fields__}
    if unknown := [name for name in body if name not in known]:
        raise Unfit(422, "unfit", f"{unknown[0][:64]!r} is not known; allowed: {', '.join(sorted(known))}")
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise Unfit(422, "unfit", str(error), field_of(str(error))) from error
