"""Enrolment at this door's camera: takes the centre's word, has vision look, and sends on what it says. Of the loop's thread.

Nothing of it is kept: no picture is made, a template is sealed for the centre and sent the moment it comes, and whatever ends in between (the
time, the link, the camera program, this one, the centre) ends the whole of it. Fobs are answered meanwhile as always: all of this runs
behind them, and vision tells of faces as it does without.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct
from nacl.public import PrivateKey

from agent.core.messages import EnrolOrder, EnrolSeen, EnrolStop, EnrolTemplate, ToVision
from agent.core.poses import POSES
from agent.local_socket import Sender, encode
from agent.records.enrol_word import ENDS, REFUSALS, Answer, Begin, Declined, End, Feedback, Sealed, sealed

AGAIN_S = 0.8
"""So often vision is told to go on: it forgets everything after agent.vision.enrol_at_door.LEASE_S without a word."""
SILENT_S = 3.0
"""Vision says something four times a second."""
NO_LINK_S = 5.0
MOST_WAITING = 16
UNANSWERED = ("retained", "repeated")
"""Somebody else's session may bear this name: it is not spoken to."""

Announce = Callable[[str, dict[str, Any]], object]


class Uplink(Protocol):
    """The part of a link that is needed here; none of it waits."""

    @property
    def is_connected(self) -> bool: ...

    def ask(self, name: str, payload: bytes) -> None: ...

    def tell(self, name: str, payload: bytes) -> None: ...


class EnrolRules(Struct, frozen=True, kw_only=True):
    """What this door allows and expects."""

    allowed: bool
    liveness: Literal["off", "alert", "deny_attack", "require_live"]
    """Its policy for whoever wants to pass."""
    embedder_id: str


class _Session(Struct, kw_only=True):
    begin: Begin
    began_s: float
    until_s: float
    heard_s: float
    said_s: float = -1e9
    linked_s: float
    vision_began_s: float | None = None
    templates: int = 0


class EnrolDesk:
    """`word` and `end` for what the centre says, `heard` for what vision says, `turn` in each turn of the loop; `close` at the end."""

    def __init__(self, rules: EnrolRules, door_key: PrivateKey, link: Uplink, to_vision: Sender) -> None:
        self._rules, self._key, self._link, self._to_vision = rules, door_key, link, to_vision
        self._words: deque[Begin | Declined] = deque(maxlen=MOST_WAITING)
        self._over: deque[str] = deque(maxlen=MOST_WAITING)
        self._said: deque[EnrolSeen | EnrolTemplate] = deque(maxlen=MOST_WAITING)
        self._session: _Session | None = None

    def take_rules(self, rules: EnrolRules) -> None:
        """While nobody is being enrolled."""
        self._rules = rules

    @property
    def is_on(self) -> bool:
        """Somebody is being enrolled."""
        return self._session is not None

    def word(self, word: Begin | Declined) -> None:
        self._words.append(word)

    def end(self, session: str) -> None:
        """The centre says that it is over."""
        self._over.append(session)

    def heard(self, message: EnrolSeen | EnrolTemplate) -> None:
        self._said.append(message)

    def turn(self, now_s: float, sees: bool, announce: Announce) -> None:
        """`sees`: the camera program lives."""
        while self._words:
            self._take(self._words.popleft(), now_s, sees, announce)
        while self._said:
            self._pass_on(self._said.popleft(), now_s)
        while self._over:
            session = self._over.popleft()
            if self._session is not None and self._session.begin.session == session:
                self._finish(self._session, "left", now_s, announce)
        if self._session is not None:
            self._go_on(self._session, now_s, announce)

    def close(self, now_s: float, announce: Announce) -> None:
        """The door's program ends."""
        if self._session is not None:
            self._finish(self._session, "stopped", now_s, announce)

    # -- the beginning

    def _take(self, word: Begin | Declined, now_s: float, sees: bool, announce: Announce) -> None:
        if isinstance(word, Begin) and (why_not := self._why_not(word, sees)):
            word = Declined(word.session, why_not)
        if isinstance(word, Begin):
            self._session = _Session(begin=word, began_s=now_s, until_s=now_s + word.for_s, heard_s=now_s, linked_s=now_s)
            announce("enrolment.began", {"session": word.session, "who": word.who, "for_s": word.for_s})
            self._answer(word.session, Answer(ok=True))
        else:
            announce("enrolment.refused", {"session": word.session, "reason": word.reason, "error": REFUSALS[word.reason]})
            if word.session and word.reason not in UNANSWERED:
                self._answer(word.session, Answer(ok=False, reason=word.reason, sentence=REFUSALS[word.reason]))

    def _why_not(self, begin: Begin, sees: bool) -> str:
        rules = self._rules
        if not rules.allowed:
            return "off"
        if self._session is not None:
            return "busy"
        if not sees:
            return "no_vision"
        return "" if begin.embedder_id == rules.embedder_id else "other_model"

    def _answer(self, session: str, answer: Answer) -> None:
        self._link.tell(f"enrol/{session}/answer", msgspec.json.encode(answer))

    # -- while it lasts

    def _pass_on(self, said: EnrolSeen | EnrolTemplate, now_s: float) -> None:
        session = self._session
        if session is None or session.begin.session != said.session:
            return
        if session.vision_began_s is None:
            session.vision_began_s = said.began_s
        if session.vision_began_s != said.began_s:  # another program, which knows nothing of what was done
            session.heard_s = float("-inf")
            return
        session.heard_s = now_s
        if isinstance(said, EnrolSeen):
            self._link.ask(f"enrol/{said.session}/seen", _feedback(said, max(0.0, session.until_s - now_s)))
        elif session.templates < len(POSES):
            self._send(session, said)

    def _send(self, session: _Session, template: EnrolTemplate) -> None:
        fields = {name: getattr(template, name) for name in Sealed.__struct_fields__}
        box = sealed(Sealed(**fields), self._key, session.begin.key)
        session.templates += 1
        self._link.tell(f"enrol/{template.session}/template", box)

    def _go_on(self, session: _Session, now_s: float, announce: Announce) -> None:
        if self._link.is_connected:
            session.linked_s = now_s
        reason = _why_over(session, now_s)
        if reason:
            self._finish(session, reason, now_s, announce)
        elif now_s - session.said_s >= AGAIN_S:
            session.said_s = now_s
            order = EnrolOrder(session=session.begin.session, until_s=session.until_s, liveness=self._rules.liveness)
            self._say(order)

    def _finish(self, session: _Session, reason: str, now_s: float, announce: Announce) -> None:
        self._session = None
        name, count = session.begin.session, session.templates
        self._say(EnrolStop(session=name))
        announce("enrolment.ended", {"session": name, "who": session.begin.who, "reason": reason, "templates": count,
                                     "seconds": round(now_s - session.began_s, 1)})  # fmt: skip
        end = End(by="door", reason=reason, sentence=ENDS[reason], templates=count)
        self._link.tell(f"enrol/{name}/end", msgspec.json.encode(end))

    def _say(self, message: ToVision) -> None:
        self._to_vision.send(encode(message))


def _why_over(session: _Session, now_s: float) -> str:
    if session.templates >= len(POSES):
        return "done"
    if now_s >= session.until_s:
        return "expired"
    if now_s - session.linked_s > NO_LINK_S:
        return "no_link"
    return "vision_lost" if now_s - session.heard_s > SILENT_S else ""


def _feedback(seen: EnrolSeen, left_s: float) -> bytes:
    told = {name: getattr(seen, name) for name in Feedback.__struct_fields__ if name != "left_s"}
    return msgspec.json.encode(Feedback(**told, left_s=round(left_s, 1)))
