"""Enrolment over HTTP: consent, pictures, taking it back, erasure, and everything that is held on a person; docs/ENROLMENT.md."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from central.enrolment.at_door import AtDoor, DoorCameras
from central.enrolment.consent import Consents, Signed
from central.enrolment.desk import EnrolmentDesk, Finished, Seen
from central.enrolment.erasure import Erasures, Proof
from central.enrolment.everything import collect, page
from central.enrolment.picture import MOST_BYTES, pixels_of
from central.enrolment.retention import Outlived, outlived
from central.gateway.asking import Ask, Endpoint, Reply, Role, Unfit
from central.people.endpoints import Work, guarded, of_all_sites
from central.people.people import People
from central.settings import Level

_MANAGERS: frozenset[Role] = frozenset({"manager"})
_PRIVACY: frozenset[Role] = frozenset({"manager", "privacy"})
_BY_OFFICER: frozenset[Role] = frozenset({"privacy"})


class Finish(Struct, frozen=True, forbid_unknown_fields=True):
    anyway: Annotated[str, Meta(max_length=500)] = ""
    """Why this is nobody who is enrolled already."""


class Where(Struct, frozen=True, forbid_unknown_fields=True):
    """Which door's camera."""

    site: Level
    door: Level


def at_door_endpoints(cameras: DoorCameras) -> list[Endpoint]:
    """Enrolment at a door's camera, within a session that was begun as for photographs."""

    def begin(ask: Ask) -> AtDoor:
        where = ask.json(Where)
        return cameras.begin(ask.caller, ask.path["session"], where.site, where.door)

    def news(ask: Ask) -> AtDoor:
        return cameras.news(ask.caller.account, ask.path["session"], ask.whole("after", -1, -1, 2**62))

    def leave(ask: Ask) -> None:
        cameras.end(ask.caller.account, ask.path["session"])

    return [
        _endpoint("POST", "/enrolment/{session}/door", begin, waits=True),
        _endpoint("GET", "/enrolment/{session}/door", news, waits=True),
        _endpoint("DELETE", "/enrolment/{session}/door", leave),
    ]


def endpoints(people: People, consents: Consents, desk: EnrolmentDesk, erasures: Erasures, keep_years: float) -> list[Endpoint]:
    def text(ask: Ask) -> dict[str, str]:
        return {"edition": consents.text.edition, "text": consents.text.text}

    def sign(ask: Ask) -> None:
        consents.give(ask.caller.account, ask.path["id"], ask.json(Signed))

    def withdraw_norms(ask: Ask) -> None:
        consents.withdraw_norms(ask.caller.account, ask.path["id"])

    def begin(ask: Ask) -> dict[str, str]:
        return {"session": desk.begin(ask.caller.account, ask.path["id"])}

    def look(ask: Ask) -> Seen:
        if ask.content_type.partition(";")[0].strip() not in ("image/jpeg", "image/png"):
            raise Unfit(415, "no_picture", "Content-Type: image/jpeg or image/png is allowed")
        return desk.look(ask.caller.account, ask.path["session"], pixels_of(ask.body))

    def finish(ask: Ask) -> Finished:
        asked = ask.json(Finish) if ask.body else Finish()
        return desk.finish(ask.caller.account, ask.path["session"], asked.anyway)

    def end(ask: Ask) -> None:
        desk.end(ask.caller.account, ask.path["session"])

    def revoke(ask: Ask) -> Proof:
        return erasures.revoke(ask.caller.account, ask.path["id"])

    def erase(ask: Ask) -> Proof:
        return erasures.erase(ask.caller.account, ask.path["id"])

    def proofs(ask: Ask) -> list[Proof]:
        return erasures.proofs("".join(filter(str.isprintable, ask.query.get("id", "")[:64])))

    def everything(ask: Ask) -> Reply:
        found, as_json = collect(people, ask.path["id"]), _form(ask) == "json"
        body = msgspec.json.format(msgspec.json.encode(found)) if as_json else page(found).encode()
        kind, suffix = ("application/json", "json") if as_json else ("text/html; charset=utf-8", "html")
        return Reply(body=body, content_type=kind, file_name=f"everything-{ask.path['id']}.{suffix}")

    def stale(ask: Ask) -> list[Outlived]:
        return outlived(people, keep_years)

    return [
        _endpoint("GET", "/consent", text, _PRIVACY),
        _endpoint("POST", "/people/{id}/consent", sign, max_bytes=512 * 1024),
        _endpoint("DELETE", "/people/{id}/consent/norms", withdraw_norms, _PRIVACY),
        _endpoint("POST", "/people/{id}/enrolment", begin),
        _endpoint("POST", "/enrolment/{session}/pictures", look, max_bytes=MOST_BYTES),
        _endpoint("POST", "/enrolment/{session}/finish", finish),
        _endpoint("DELETE", "/enrolment/{session}", end),
        _endpoint("DELETE", "/people/{id}/template", revoke, _PRIVACY),
        _endpoint("DELETE", "/people/{id}", erase, _PRIVACY),
        _endpoint("POST", "/people/{id}/erase", erase, _PRIVACY),
        _endpoint("GET", "/erasures", proofs, frozenset({"manager", "privacy", "auditor"})),
        _endpoint("GET", "/people/{id}/everything", everything, _BY_OFFICER, recorded=True),
        _endpoint("GET", "/retention", stale, _PRIVACY, recorded=True),
    ]


def _form(ask: Ask) -> str:
    form = ask.query.get("format", "html")
    if form not in ("html", "json"):
        raise Unfit(400, "malformed", f"format={form[:40]!r}: html or json are allowed")
    return form


def _endpoint(
    method: Any,
    path: str,
    work: Work,
    allowed: frozenset[Role] = _MANAGERS,
    *,
    recorded: bool = False,
    max_bytes: int = 64 * 1024,
    waits: bool = False,
) -> Endpoint:
    """Changes are put on record with what they changed, in the same transaction, and not once more by the gateway."""
    work = guarded(of_all_sites(work))
    return Endpoint(method=method, path=path, allowed=allowed, work=work, max_bytes=max_bytes, recorded=recorded, waits=waits)
