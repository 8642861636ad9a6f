"""The demo's centre as a site would have it: a door that is enrolled, people, accounts, a floor plan, and a dashboard at an address.

Everything goes the way that it goes at a site: the owner signs, is enrolled from photographs, and reaches the door in a bundle.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from msgspec import Struct
from sqlalchemy import Engine

from agent.clock import SystemClock
from agent.core.access import AccessProfile
from agent.errors import DoorwardError
from agent.records.keys import door_public
from central.accounts_cli import ANCHOR
from central.alerts.routing import Duty
from central.alerts.store import save_duty
from central.database.engine import writing
from central.database.opening import open_to_write
from central.enrolment.consent import Consents, Signed, load_text
from central.enrolment.desk import EnrolmentDesk, open_networks
from central.gateway.accounts import Accounts
from central.gateway.audit import AuditLog
from central.gateway.passwords import seal_in
from central.people.people import People
from central.people.records import Held, Person
from central.people.vault import open_vault
from central.places.maps import Layout, PlacedDoor, Places, Zone
from central.places.picture import taken_in
from central.site.registry import DoorEntry, DoorRegistry
from demo.stage import ALWAYS, DOOR, SITE, Stage, free_port

ROLES = ("guard", "manager", "auditor")
OWNER = "cardholder-1"
PLAN_PX = (900, 560)
DOOR_PX = (450.0, 470.0)
BY = "demo"


class Invitation(Struct, frozen=True):
    """Where the dashboard answers, and with which password each of ROLES signs in under its own name."""

    url: str
    password: str


def furnish(stage: Stage, pictures: Sequence[Path]) -> Invitation:
    """Make the site before its programs start; the stage has its keys already. Raises DoorwardError for a picture that is refused."""
    clock = SystemClock()
    entry = DoorEntry(site=SITE, door=DOOR, name="Front door", public_key=bytes(door_public(stage.keys / "door.pub")))
    DoorRegistry(stage.folder).put(entry, clock.wall())
    port, password = free_port(), secrets.token_urlsafe(9)
    stage.central.write_text(_central_toml(stage, port), "utf-8")
    engine = open_to_write(stage.database)
    try:
        audit = AuditLog(engine, clock, stage.keys / ANCHOR)
        accounts = Accounts(engine, clock, audit, seal_in(stage.keys))
        for role in ROLES:
            accounts.add(BY, role, role, password, shown=f"The {role}")
        people = People(engine, clock, audit, open_vault(stage.keys), DoorRegistry(stage.folder))
        people.sync_doors(BY, [entry])
        _enrol(people, pictures)
        _draw_plan(engine)
        with writing(engine) as connection:
            save_duty(connection, Duty(account="guard", switch="on"), BY, clock.wall())
    finally:
        engine.dispose()
    return Invitation(f"http://127.0.0.1:{port}", password)


def _enrol(people: People, pictures: Sequence[Path]) -> None:
    people.put_schedule(BY, ALWAYS)
    people.put_profile(BY, AccessProfile(id="staff", doors=(DOOR,), schedule=ALWAYS.id))
    people.add(BY, Person(id=OWNER, name="The owner", profiles=("staff",)))
    people.issue(BY, OWNER, Held(key="H10301:1:5283"))
    text = load_text("")
    Consents(people, text).give(BY, OWNER, Signed(edition=text.edition, signed_name="The owner"))
    desk = EnrolmentDesk(people, open_networks)
    session = desk.begin(BY, OWNER)
    for path in pictures:
        pixels = cv2.imread(str(path))
        if pixels is None:
            raise DoorwardError(f"{path}: no picture that can be read")
        desk.look(BY, session, pixels.astype("uint8", copy=False))
    desk.finish(BY, session, "")


def _draw_plan(engine: Engine) -> None:
    """A lobby with its street door, so that there is something to see on the map."""
    width, height = PLAN_PX
    plan = np.full((height, width, 3), 250, np.uint8)
    wall, thin = (70, 60, 50), (170, 160, 150)
    for corner, other in (((60, 60), (840, 470)), ((60, 60), (330, 260)), ((570, 60), (840, 260))):
        cv2.rectangle(plan, corner, other, wall, 6)
    cv2.rectangle(plan, (400, 464), (500, 476), (250, 250, 250), -1)
    cv2.rectangle(plan, (380, 200), (520, 240), thin, 2)
    for text, at in (("Office", (150, 170)), ("Store", (670, 170)), ("Reception", (395, 226)), ("Street", (415, 530))):
        cv2.putText(plan, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.7, wall, 1, cv2.LINE_AA)
    _, png = cv2.imencode(".png", plan)
    places = Places(engine, SystemClock())
    made = places.add(SITE, "Ground floor", taken_in(png.tobytes()), BY)
    zone = Zone(id="entrance", name="Entrance", points=[(360, 300), (540, 300), (540, 540), (360, 540)], doors=[f"{SITE}/{DOOR}"])
    placed = PlacedDoor(site=SITE, door=DOOR, x=DOOR_PX[0], y=DOOR_PX[1])
    places.lay_out(made.id, Layout(name=made.name, doors=[placed], zones=[zone], edition=made.edition), BY)


def _central_toml(stage: Stage, port: int) -> str:
    return f"""\
site = "{SITE}"

[broker]
port = {stage.port}

[database]
url = "sqlite:///{stage.database.absolute()}"

[gateway]
port = {port}

[alerts]
# A visitor looks around: nobody else is called meanwhile
critical_s = 600
high_s = 600

[keys]
folder = "{stage.keys.absolute()}"
"""
