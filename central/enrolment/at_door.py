"""Enrolment at a door's own camera: the door is asked over the broker, says how somebody stands, and sends one sealed template a pose.

The templates go the way of uploads from there (central.enrolment.desk): in memory until somebody finishes, compared with all others,
dropped with the session. A key is made for each visit to a camera and lives in memory alone, so what was recorded on the way is never read
again. It ends when the page looks no more, the consent is gone, the door says so or falls silent; on record are its beginning and its end.
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections import deque
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from agent.clock import Clock
from agent.errors import BundleError
from agent.link.session import Address, Say, Session
from agent.records.enrol_word import Answer, Begin, End, Feedback, Sealed, read, signed_begin, unsealed
from agent.vision.enrol import Template
from central.database.engine import StoreError
from central.enrolment.desk import EnrolmentDesk, Seen
from central.gateway.asking import Caller, Unfit
from central.people.people import People
from central.people.records import DoorEntry

log = logging.getLogger(__name__)

FOR_S = 120.0
"""So long a door's camera may be used for one person: three poses take a quarter of a minute."""
VALID_S, ANSWER_S = 10.0, 6.0
SILENT_S = 5.0
"""A door says something four times a second."""
UNWATCHED_S = 15.0
"""The page asks each second; where it was closed the camera is left in peace."""
CHECK_S = 0.5
KEPT_S = 600.0
"""So long it is still told why it is over."""
MOST_WAIT_S = 5.0
"""Of one question for news."""
MOST_TEMPLATES = 50
"""That wait for the desk."""


class AtDoor(Struct, frozen=True, kw_only=True):
    """How it goes at a door."""

    n: int
    """Grows with every news."""
    site: str
    door: str
    running: bool
    sentence: str = ""
    """Why it is over."""
    left_s: float = 0.0
    seen: Seen | None = None


class _Visit(Struct, kw_only=True):
    """One session's time at one camera."""

    name: str
    """Of the visit: what the topic says. The browser's name of the session never leaves the centre."""
    session: str
    caller: Caller
    person: str
    place: DoorEntry
    key: PrivateKey | None
    """Gone when it is over: what was recorded on the way stays unread."""
    until_s: float
    heard_s: float
    asked_s: float
    answer: Answer | None = None
    n: int = 0
    over: str = ""
    feedback: Feedback | None = None
    templates: int = 0

    @property
    def base(self) -> str:
        return f"doorward/{self.place.site}/{self.place.door}/enrol/{self.name}"


class DoorCameras:
    """`start`, then `begin`, `news` and `end` from any thread, and `stop`."""

    def __init__(
        self,
        desk: EnrolmentDesk,
        people: People,
        address: Address,
        clock: Clock,
        centre: SigningKey,
        client_id: str = "doorward-enrol",
    ) -> None:
        self._desk, self._people, self._clock, self._centre = desk, people, clock, centre
        self._changed = threading.Condition()
        self._checked_s = 0.0
        self._visits: dict[str, _Visit] = {}
        """By session: the newest of each."""
        self._out: deque[tuple[str, bytes]] = deque()
        self._boxes: queue.Queue[tuple[_Visit, bytes] | None] = queue.Queue(MOST_TEMPLATES)
        self._check_s = 0.0
        self._session = Session(address, client_id, self, clean=True)
        self._worker = threading.Thread(target=self._work, name="enrol", daemon=True)

    def start(self) -> None:
        self._worker.start()
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        for visit in self._running():
            self._over(visit, "left", "the centre's program ends", tell=True)
        self._session.stop(timeout_s)
        self._boxes.put(None)
        if self._worker.is_alive():
            self._worker.join(timeout_s)

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    # -- for the page

    def begin(self, caller: Caller, session: str, site: str, door: str) -> AtDoor:
        """On record first, then the door is asked; returns when it has begun. Raises Unfit when it may not, or will not; StoreError."""
        person = self._desk.whose(caller.account, session)
        place = self._place(caller, site, door)
        if not self._session.is_connected:
            raise Unfit(503, "no_broker", "the centre has no connection to its broker: try again in a moment")
        self.end(caller.account, session)
        key = PrivateKey.generate()
        visit = self._new_visit(caller, session, person, place, key)
        word = self._word(visit, bytes(key.public_key))
        self._people.audit.write(caller.account, "enrolment.at_door", person, {"door": f"{site}/{door}"})
        with self._changed:
            self._visits[session] = visit
        self._say(visit, "begin", signed_begin(word, self._centre))
        with self._changed:
            self._changed.wait_for(lambda: visit.answer is not None or visit.over, ANSWER_S)
        if visit.answer is None or not visit.answer.ok:
            self._refused(visit)
        return self._told(visit)

    def news(self, account: str, session: str, after: int) -> AtDoor:
        """What is new since number `after`, at once or within a few seconds. Raises Unfit (404) where no door was asked."""
        visit = self._of(account, session)
        visit.asked_s = self._clock.mono_s()
        with self._changed:
            self._changed.wait_for(lambda: visit.n > after or visit.over, MOST_WAIT_S)
        return self._told(visit)

    def end(self, account: str, session: str) -> None:
        """Leave the door in peace; what is over is over."""
        self._desk.whose(account, session)
        visit = self._visits.get(session)
        if visit is not None:
            self._over(visit, "left", "it was ended here", tell=True)

    def _of(self, account: str, session: str) -> _Visit:
        visit = self._visits.get(session)
        if visit is None or visit.caller.account != account:
            self._desk.whose(account, session)
            raise Unfit(404, "no_door", "no door was asked in this enrolment")
        return visit

    def _place(self, caller: Caller, site: str, door: str) -> DoorEntry:
        found = [each for each in self._people.doors() if (each.site, each.door) == (site, door)]
        if not found or not caller.sees(site):
            raise Unfit(404, "unknown_door", f"there is no door {site}/{door} that is enrolled here")
        return found[0]

    def _new_visit(self, caller: Caller, session: str, person: str, place: DoorEntry, key: PrivateKey) -> _Visit:
        now_s = self._clock.mono_s()
        return _Visit(name=str(uuid.uuid4()), session=session, caller=caller, person=person, place=place, key=key,
                      until_s=now_s + FOR_S, heard_s=now_s, asked_s=now_s)  # fmt: skip

    def _word(self, visit: _Visit, key: bytes) -> Begin:
        now = self._clock.wall()
        return Begin(session=visit.name, site=visit.place.site, door=visit.place.door, who=visit.caller.account,
                     key=key, embedder_id=self._desk.embedder_id, issued=now,
                     expires=now + timedelta(seconds=VALID_S), for_s=FOR_S)  # fmt: skip

    def _refused(self, visit: _Visit) -> None:
        answer = visit.answer
        sentence = (
            answer.sentence if answer is not None else f"the door did not answer within {ANSWER_S:g} s: it is offline, or too old"
        )
        self._over(visit, "refused", sentence, tell=answer is None)  # it may answer yet
        if answer is None:
            raise Unfit(504, "no_answer", sentence)
        raise Unfit(409, answer.reason or "refused", sentence or "the door refused")

    def _told(self, visit: _Visit) -> AtDoor:
        done = self._desk.progress(visit.session)  # not under our lock: the desk may be comparing with everybody
        with self._changed:
            told, over = visit.feedback, visit.over
            seen = None if told is None else Seen(fit=told.fit, reason=told.reason, sentence=told.sentence, pose=told.pose,
                                                  quality=told.quality, yaw_deg=told.yaw_deg, pitch_deg=told.pitch_deg, **done)  # fmt: skip
            left_s = 0.0 if over else round(max(0.0, visit.until_s - self._clock.mono_s()), 1)
            return AtDoor(n=visit.n, site=visit.place.site, door=visit.place.door, running=not over, sentence=over, left_s=left_s,
                          seen=seen)  # fmt: skip

    def _running(self) -> list[_Visit]:
        with self._changed:
            return [visit for visit in self._visits.values() if not visit.over]

    def _over(self, visit: _Visit, reason: str, sentence: str, *, tell: bool = False) -> None:
        with self._changed:
            if visit.over:
                return
            visit.over, visit.key, visit.n = sentence, None, visit.n + 1
            self._changed.notify_all()
        if tell:
            self._say(visit, "end", msgspec.json.encode(End(by="centre", reason="left")))
        self._record(visit, reason)

    def _record(self, visit: _Visit, reason: str) -> None:
        details = {"door": f"{visit.place.site}/{visit.place.door}", "reason": reason, "templates": visit.templates}
        try:
            self._people.audit.write(visit.caller.account, "enrolment.at_door_ended", visit.person, details)
        except StoreError as error:
            log.error("enrolment its end at a door is not on record: %s", error)

    def _say(self, visit: _Visit, what: str, payload: bytes) -> None:
        self._out.append((f"{visit.base}/{what}", payload))
        self._session.wake()

    # -- the session's thread

    def connected(self, say: Say) -> None:
        say.subscribe(*(f"doorward/+/+/enrol/+/{what}" for what in ("answer", "seen", "template", "end")))

    def turn(self, say: Say, now_s: float) -> float:
        while self._out:
            say.publish(*self._out.popleft())
        if now_s >= self._check_s:
            self._check_s = now_s + CHECK_S
            self._check_all(self._clock.mono_s())
        return CHECK_S if not self._out else 0.0

    def _check_all(self, now_s: float) -> None:
        """After we ourselves were held up, what doors have said meanwhile is still to be heard: silence counts from the next time on."""
        punctual, self._checked_s = now_s - self._checked_s < 4 * CHECK_S, now_s
        for visit in self._running():
            self._check(visit, now_s, punctual)
        self._tidy(now_s)

    def _tidy(self, now_s: float) -> None:
        with self._changed:
            self._visits = {name: each for name, each in self._visits.items() if not each.over or now_s - each.asked_s < KEPT_S}

    def _check(self, visit: _Visit, now_s: float, punctual: bool) -> None:
        if now_s - visit.asked_s > UNWATCHED_S:
            self._over(visit, "unwatched", "nobody looked any more", tell=True)
        elif punctual and (now_s >= visit.until_s + SILENT_S or (visit.answer is not None and now_s - visit.heard_s > SILENT_S)):
            self._over(visit, "silent", "the door says nothing any more: look whether it is online, and begin again", tell=True)
        else:
            self._check_consent(visit)

    def _check_consent(self, visit: _Visit) -> None:
        try:
            self._desk.whose(visit.caller.account, visit.session)
        except Unfit as error:
            if error.code in ("no_consent", "old_consent"):
                self._desk.drop(visit.session)
            self._over(visit, error.code, error.sentence, tell=True)
        except StoreError as error:
            log.error("enrolment consent cannot be looked up: %s", error)

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        levels = topic.split("/")
        if retained or len(levels) != 6:
            return
        visit = next((each for each in self._running() if f"{each.base}/{levels[5]}" == topic), None)
        if visit is None:  # another door may not speak in this one's name
            return
        visit.heard_s = self._clock.mono_s()
        {"answer": self._hear_answer, "seen": self._hear_seen, "template": self._hear_template, "end": self._hear_end}[levels[5]](
            visit, payload
        )

    def _hear_answer(self, visit: _Visit, payload: bytes) -> None:
        with self._changed:
            visit.answer = visit.answer or read(payload, Answer)
            self._changed.notify_all()

    def _hear_seen(self, visit: _Visit, payload: bytes) -> None:
        feedback = read(payload, Feedback)
        with self._changed:
            if feedback is not None and visit.answer is not None:
                visit.feedback, visit.n = feedback, visit.n + 1
                self._changed.notify_all()

    def _hear_template(self, visit: _Visit, payload: bytes) -> None:
        try:
            self._boxes.put_nowait((visit, payload))
        except queue.Full:
            log.warning("enrolment templates wait: one was dropped door=%s/%s", visit.place.site, visit.place.door)

    def _hear_end(self, visit: _Visit, payload: bytes) -> None:
        end = read(payload, End)
        if end is None or end.by != "door":
            return
        if end.reason == "done":  # behind its templates, which are still being compared
            self._hear_template(visit, b"")
        else:
            self._over(visit, end.reason or "left", end.sentence or "the door ended it")

    def leaving(self, say: Say) -> None:
        while self._out:
            say.publish(*self._out.popleft())

    # -- a thread of its own: comparing with a quarter of a million others takes a second

    def _work(self) -> None:
        while (waiting := self._boxes.get()) is not None:
            visit, box = waiting
            if visit.over:
                continue
            try:
                self._take(visit, box)
            except Unfit as error:
                self._over(visit, error.code, error.sentence, tell=True)
            except (BundleError, StoreError) as error:
                log.error("enrolment template refused door=%s/%s error=%s", visit.place.site, visit.place.door, error)
                self._over(visit, "unreadable", "what the door sent cannot be taken; begin again", tell=True)

    def _take(self, visit: _Visit, box: bytes) -> None:
        key = visit.key
        if not box or key is None:
            self._over(visit, "done", "all pictures are there")
            return
        sealed = unsealed(box, key, visit.place.public_key, visit.name)
        where: dict[str, Any] = {"door": f"{visit.place.site}/{visit.place.door}", "alive": sealed.alive}
        seen = self._desk.take(visit.caller.account, visit.session, _template(sealed), where)
        with self._changed:
            visit.templates += seen.fit
            visit.n += 1
            if visit.feedback is not None and not seen.fit and seen.reason != "pose_done":
                visit.feedback = replace(visit.feedback, fit=False, reason=seen.reason, sentence=seen.sentence)
            self._changed.notify_all()
        if seen.reason == "somebody_else":
            self._over(visit, seen.reason, seen.sentence, tell=True)


def _template(sealed: Sealed) -> Template:
    return Template(embedding=sealed.embedding, embedder_id=sealed.embedder_id, quality=sealed.quality, face_px=sealed.face_px,
                    head=sealed.head)  # fmt: skip
