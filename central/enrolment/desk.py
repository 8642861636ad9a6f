"""Sessions of enrolment: pictures become templates in memory, and only finished templates reach the database.

No picture is kept, not even for the time of a session. Nothing begins without a signature that counts. Pictures are looked at one after
the other: the networks use their buffers again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from sqlalchemy import Connection, delete, insert

from agent.core.identity import cosine
from agent.core.messages import Pose
from agent.core.poses import ASK, POSES, ask_next, correction, next_wanted, pose_of
from agent.vision.enrol import Template, TemplateRefused
from central.database.tables_people import TEMPLATES
from central.enrolment.consent import editions_signed
from central.enrolment.likeness import Alike, Search, search
from central.gateway.asking import Unfit
from central.people.people import Change, People
from central.people.rows import dossier
from central.people.trouble import nobody
from hw.interfaces import Pixels

SESSION_S = 900.0
"""A session that nobody uses for so long is forgotten, with the templates in it."""
MOST_SESSIONS = 50
MOST_PICTURES = 400
"""In one session: a camera that shows two pictures a second for three minutes."""
SAME_FMR, ALIKE_FMR = 0.001, 0.0001
"""Pictures of one session are of one person at the first; somebody else may be the same person at the second (models_tflite/manifest)."""


class Judge(Protocol):
    """Makes templates, as agent.vision.enrol.Enroller does."""

    def template_from_picture(self, pixels: Pixels) -> Template | TemplateRefused: ...


class Networks(Struct, frozen=True):
    """A judge, the name of the network whose templates it makes, and the cosines at which two of them match."""

    judge: Judge
    same: float
    alike: float
    embedder_id: str = ""


class Seen(Struct, frozen=True, kw_only=True):
    """What to tell somebody in front of the camera."""

    fit: bool
    reason: str = ""
    """A word for programs where it is not fit."""
    sentence: str
    pose: str = ""
    quality: float | None = None
    yaw_deg: float | None = None
    pitch_deg: float | None = None
    poses_done: tuple[Pose, ...]
    poses_wanted: tuple[Pose, ...]
    duplicate: tuple[Alike, ...] = ()
    by_chance: float = 0.0
    """So many people would be as alike by chance, among all who are enrolled."""


class Finished(Struct, frozen=True, kw_only=True):
    templates: int
    duplicate: tuple[Alike, ...] = ()


class _Session(Struct, kw_only=True):
    person: str
    account: str
    until_s: float
    taken: dict[Pose, Template] = {}
    pictures: int = 0
    alike: Search | None = None
    at_doors: dict[Pose, dict[str, Any]] = {}
    """Which door's camera made a template, and whether it held the face for alive."""


class EnrolmentDesk:
    """Thread-safe. `open_networks` is called with the first picture: a centre where nobody is enrolled loads none."""

    def __init__(self, people: People, open_networks: Callable[[], Networks], in_force: Callable[[], str] | None = None) -> None:
        """`in_force`: the edition of the text that must have been signed; without it any will do."""
        self._people, self._open, self._in_force = people, open_networks, in_force
        self._networks: Networks | None = None
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def begin(self, account: str, id: str) -> str:
        """A session's name. Raises Unfit (409) before there is a signature, PeopleError for nobody."""
        with self._people.view() as connection:
            self._demand_consent(connection, id)
        with self._lock:
            self._forget_old()
            if len(self._sessions) >= MOST_SESSIONS:
                raise Unfit(429, "too_many", f"{MOST_SESSIONS} enrolments are under way: finish or wait")
            name = secrets.token_urlsafe(18)
            self._sessions[name] = _Session(person=id, account=account, until_s=self._people.clock.mono_s() + SESSION_S)
            return name

    def look(self, account: str, name: str, pixels: Pixels) -> Seen:
        """Judge a picture and keep the template of one that fits a pose. Raises Unfit."""
        with self._lock:
            session = self._session(account, name)
            session.pictures += 1
            if session.pictures > MOST_PICTURES:
                raise Unfit(429, "too_many", f"{MOST_PICTURES} pictures in one session: finish it, or begin another")
            with self._people.view() as connection:
                self._demand_consent(connection, session.person)
                made = self._ready().judge.template_from_picture(pixels)
                return _told(session, made.reason, made.advice, made) if isinstance(made, TemplateRefused) else self._take(
                    connection, session, made)  # fmt: skip

    @property
    def embedder_id(self) -> str:
        """The network whose templates are wanted. Opens the networks. Raises ModelError."""
        with self._lock:
            return self._ready().embedder_id

    def whose(self, account: str, name: str) -> str:
        """The person who is enrolled in a session. Raises Unfit: 404 for no session of this account, 409 where no consent counts any more."""
        with self._lock:
            session = self._session(account, name)
            with self._people.view() as connection:
                self._demand_consent(connection, session.person)
            return session.person

    def take(self, account: str, name: str, made: Template, where: dict[str, Any]) -> Seen:
        """A template that a door has made at its camera, as `look` takes one from a picture. Raises Unfit."""
        with self._lock:
            session = self._session(account, name)
            session.pictures += 1
            with self._people.view() as connection:
                self._demand_consent(connection, session.person)
                _demand_sound(made, self._ready().embedder_id)
                seen = self._take(connection, session, made)
            if seen.fit and (pose := pose_of(made.head)) is not None:
                session.at_doors[pose] = where
            return seen

    def progress(self, name: str) -> dict[str, Any]:
        """The fields of Seen that tell what a session has; of none that it has nothing."""
        with self._lock:
            session = self._sessions.get(name)
            return _progress(session) if session is not None else {"poses_done": (), "poses_wanted": POSES}

    def drop(self, name: str) -> None:
        """Forget a session with everything in it, whosever it is."""
        with self._lock:
            self._sessions.pop(name, None)

    def finish(self, account: str, name: str, anyway: str) -> Finished:
        """Keep the templates of a session instead of those there were. Raises Unfit (409 duplicate, unless `anyway` says why)."""
        with self._lock:
            session = self._session(account, name)
            if "front" not in session.taken:
                raise Unfit(409, "pose_missing", f"a picture from the front is missing: {ASK['front']}")
            with self._people.changing(account) as change:
                self._demand_consent(change.connection, session.person)
                found = self._search(change.connection, session)
                if found.found and not anyway.strip():
                    raise Unfit(409, "duplicate", _sentence(found))
                self._keep(change, session, found, anyway.strip()[:500])
            del self._sessions[name]
            return Finished(templates=len(session.taken), duplicate=found.found)

    def end(self, account: str, name: str) -> None:
        """Forget a session with everything in it."""
        with self._lock:
            self._session(account, name)
            del self._sessions[name]

    def _take(self, connection: Connection, session: _Session, made: Template) -> Seen:
        pose = pose_of(made.head)
        if pose is None:
            return _told(session, "turned_away", correction(made.head), made)
        others = session.taken.values()
        if others and max(cosine(made.embedding, other.embedding) for other in others) < self._ready().same:
            return _told(session, "somebody_else", "this is not the person of the pictures before", made)
        before = session.taken.get(pose)
        if before is not None and before.quality >= made.quality:
            return _told(session, "pose_done", ask_next(session.taken), made, pose)
        session.taken[pose] = made
        if session.alike is None:
            session.alike = self._search(connection, session)
        return _told(session, "", ask_next(session.taken), made, pose)

    def _search(self, connection: Connection, session: _Session) -> Search:
        mine = [made.embedding for made in session.taken.values()]
        embedder = next(iter(session.taken.values())).embedder_id
        return search(connection, self._people.vault, mine, embedder, session.person, self._ready().alike, ALIKE_FMR)

    def _keep(self, change: Change, session: _Session, found: Search, anyway: str) -> None:
        id, table = session.person, TEMPLATES
        change.connection.execute(delete(table).where(table.c.cardholder == id))
        for pose in POSES:
            if (made := session.taken.get(pose)) is not None:
                sealed = self._people.vault.seal("template", id, made.embedding)
                change.connection.execute(insert(table).values(cardholder=id, sealed=sealed, embedder_id=made.embedder_id,
                                                               quality=made.quality, pose=pose, made=change.now))  # fmt: skip
        change.for_people([id])
        details: dict[str, Any] = {"poses": [*session.taken], "pictures_looked_at": session.pictures}
        if session.at_doors:
            details["at_door"] = session.at_doors
        if found.found:
            details |= {"alike": [[each.id, each.score] for each in found.found], "anyway": anyway}
        change.on_record("enrolment.finished", id, details)

    def _demand_consent(self, connection: Connection, id: str) -> None:
        if dossier(connection, id) is None:
            raise nobody(id)
        signed = editions_signed(connection, id, "face")
        if not signed:
            raise Unfit(409, "no_consent", "nothing is signed: show the consent text and let it be signed before any picture")
        if self._in_force is not None and self._in_force() not in signed:
            raise Unfit(409, "old_consent", f"what was signed is edition {', '.join(sorted(signed))}; in force is {self._in_force()}: show "
                                            "the new text and let it be signed before any picture")  # fmt: skip

    def _session(self, account: str, name: str) -> _Session:
        self._forget_old()
        session = self._sessions.get(name)
        if session is None or session.account != account:
            raise Unfit(404, "no_session", "this enrolment is over: begin again")
        session.until_s = self._people.clock.mono_s() + SESSION_S
        return session

    def _forget_old(self) -> None:
        now_s = self._people.clock.mono_s()
        self._sessions = {name: each for name, each in self._sessions.items() if each.until_s > now_s}

    def _ready(self) -> Networks:
        if self._networks is None:
            self._networks = self._open()
        return self._networks


def open_networks() -> Networks:
    """Those that doors use, of this program's own manifest. Raises ModelError."""
    from agent.vision.build import build_enroller
    from agent.vision.engine import open_engine
    from models_tflite.manifest import load_manifest

    manifest = load_manifest()
    return Networks(build_enroller(open_engine("auto", 1), manifest), manifest.threshold_at_fmr(SAME_FMR),
                    manifest.threshold_at_fmr(ALIKE_FMR), manifest.embedder_id)  # fmt: skip


def _told(session: _Session, reason: str, sentence: str, made: Template | TemplateRefused, pose: str = "") -> Seen:
    head = made.head if isinstance(made, Template) else None
    return Seen(
        fit=not reason, reason=reason, sentence=sentence, pose=pose, quality=None if made.quality is None else round(made.quality, 3),
        yaw_deg=round(head.yaw_deg, 1) if head else None, pitch_deg=round(head.pitch_deg, 1) if head else None,
        **_progress(session),
    )  # fmt: skip


def _progress(session: _Session) -> dict[str, Any]:
    return {
        "poses_done": tuple(pose for pose in POSES if pose in session.taken), "poses_wanted": next_wanted(session.taken),
        "duplicate": session.alike.found if session.alike else (), "by_chance": session.alike.by_chance if session.alike else 0.0,
    }  # fmt: skip


def _demand_sound(made: Template, embedder_id: str) -> None:
    """What a door sends is compared with everybody: numbers that are none, or no direction, would match anything or nothing."""
    if made.embedder_id != embedder_id:
        raise Unfit(
            409, "other_model", f"the door made a template of {made.embedder_id[:80]}, the centre's network is {embedder_id}"
        )
    numbers = np.frombuffer(made.embedding, "<f4") if len(made.embedding) % 4 == 0 else np.empty(0, np.float32)
    length = float(np.linalg.norm(numbers.astype(np.float64))) if numbers.size else 0.0
    if not abs(length - 1.0) <= 1e-3:  # so put, it refuses NaN too
        raise Unfit(409, "unsound", "what the door sent is no template: bring door and centre to one version")


def _sentence(found: Search) -> str:
    who = ", ".join(f"{each.name} ({each.id}, {each.score:.2f})" for each in found.found)
    return (f"this may be somebody who is enrolled already: {who}. Among {found.others} others {found.by_chance:.2g} would be "
            "as alike by chance. If it is somebody else, finish with `anyway` and say why you know")  # fmt: skip
