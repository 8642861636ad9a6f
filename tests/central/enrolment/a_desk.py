"""A centre that enrols, with the networks that doors use and real photographs."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import msgspec

from central.database import tables_events
from central.database.metadata import METADATA
from central.enrolment.consent import Consents, load_text
from central.enrolment.desk import EnrolmentDesk, Networks, Seen
from central.enrolment.endpoints import endpoints
from central.enrolment.erasure import Erasures, Place
from central.gateway.asking import Ask, Caller, Role
from demo.people import fetch_people
from tests.central.people.a_centre import Centre

PICTURES = {"front": "owner_enrolment", "left": "owner_approach", "right": "owner_speaking"}
"""Photographs of one person, by how the head is turned."""
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)


class Office:
    """Where people are enrolled; `at_doors` is what each door says that its rules follow."""

    def __init__(self, folder: Path, networks: Networks) -> None:
        self.centre = Centre(folder)
        METADATA.create_all(self.centre.engine, [tables_events.EVENTS])
        self.people = self.centre.people
        self.consents = Consents(self.people, load_text(""))
        self.desk = EnrolmentDesk(self.people, lambda: networks, lambda: self.consents.text.edition)
        self.at_doors: dict[Place, int] = {}
        self.erasures = Erasures(self.people, self.at_doors.get)
        found = endpoints(self.people, self.consents, self.desk, self.erasures, 3.0)
        self._endpoints = {(each.method, each.path): each for each in found}

    def ask(self, method: str, path: str, body: Any = None, *, role: Role = "manager", query: dict[str, str] | None = None,
            kind: str = "application/json", **words: str) -> Any:  # fmt: skip
        """One request as the gateway would hand it over."""
        endpoint = self._endpoints[method, path]
        assert role in endpoint.allowed
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        return endpoint.work(
            Ask(caller=Caller("mary", role), now=NOW, path=words, query=query or {}, body=raw, content_type=kind)
        )

    def sign(self, id: str, **how: Any) -> None:
        signed = {"edition": self.consents.text.edition, "signed_name": "Ada Lovelace", **how}
        self.ask("POST", "/people/{id}/consent", signed, id=id)

    def begin(self, id: str) -> str:
        return str(self.ask("POST", "/people/{id}/enrolment", id=id)["session"])

    def show(self, session: str, name: str) -> Seen:
        return self.ask("POST", "/enrolment/{session}/pictures", photograph(name), kind="image/jpeg", session=session)

    def enrol(self, id: str, *poses: str, anyway: str = "") -> None:
        """Sign, show the owner's pictures, finish."""
        self.sign(id)
        session = self.begin(id)
        for pose in poses or PICTURES:
            assert self.show(session, PICTURES[pose]).fit
        self.ask("POST", "/enrolment/{session}/finish", {"anyway": anyway}, session=session)


@cache
def photograph(name: str) -> bytes:
    """As a browser would send it."""
    (path,) = [Path(each.file) for each in fetch_people() if Path(each.file).stem == name]
    return bytes(cv2.imencode(".jpg", cv2.imread(str(path)))[1])
