"""What a decision, a refusal or a wait means to the person in front of the door (its light and sound: agent.core.feedback)."""

from __future__ import annotations

from collections.abc import Iterable

from agent.core.decide import Case, Decision
from agent.core.feedback import Meaning
from agent.core.reasons import Reason

EXPLAINS = None
"""A reason that stands beside another one and says nothing to the person: an alert to the guards, or why vision was not asked."""

_NO, _AGAIN, _FAULT = Meaning.DENIED, Meaning.TRY_AGAIN, Meaning.OUT_OF_ORDER

MEANING_OF: dict[Reason, Meaning | None] = {
    Reason.FACE_MATCH: Meaning.GRANTED,
    Reason.FOB_ALONE_NO_VISION: Meaning.GRANTED,
    Reason.FOB_ALONE_NO_TEMPLATE: Meaning.GRANTED,
    Reason.LEAVING: Meaning.GRANTED,
    Reason.SECOND_OF_TWO: EXPLAINS,
    Reason.PASSES_LOCKDOWN: EXPLAINS,
    Reason.PASSBACK_TOLD: EXPLAINS,
    Reason.DURESS: EXPLAINS,
    Reason.HELD_FOR_GUARD: EXPLAINS,
    Reason.GUARD_LET_IN: Meaning.GRANTED,
    Reason.UNKNOWN_CREDENTIAL: _NO,
    Reason.CREDENTIAL_LOST: _NO,
    Reason.CREDENTIAL_STOLEN: _NO,
    Reason.CREDENTIAL_REVOKED: _NO,
    Reason.CREDENTIAL_NOT_YET_VALID: _NO,
    Reason.CREDENTIAL_EXPIRED: _NO,
    Reason.CARDHOLDER_SUSPENDED: _NO,
    Reason.CARDHOLDER_NOT_YET_VALID: _NO,
    Reason.CARDHOLDER_EXPIRED: _NO,
    Reason.VISIT_NOT_BEGUN: _NO,
    Reason.VISIT_OVER: _NO,
    Reason.VISIT_WITHOUT_END: _NO,
    Reason.NO_PROFILE_FOR_DOOR: _NO,
    Reason.OUTSIDE_SCHEDULE: _NO,
    Reason.TIME_UNKNOWN: _NO,
    Reason.PIN_NOT_ENTERED: _AGAIN,
    Reason.PIN_WRONG: _AGAIN,
    Reason.PIN_LOCKED_OUT: _NO,
    Reason.PIN_NOT_SET: _NO,
    Reason.NO_KEYPAD: _FAULT,
    Reason.ALREADY_INSIDE: _NO,
    Reason.SECOND_PERSON_NEEDED: Meaning.SECOND_PERSON,
    Reason.OTHER_DOOR_OPEN: _AGAIN,
    Reason.FACE_MISMATCH: _NO,
    Reason.NO_FACE_IN_VIEW: _AGAIN,
    Reason.FACE_NOT_CLEAR: _AGAIN,
    Reason.PRESENTATION_ATTACK: _NO,
    Reason.LIVENESS_UNSURE: _AGAIN,
    Reason.NO_TEMPLATE: _NO,
    Reason.TEMPLATE_OF_OTHER_MODEL: _FAULT,
    Reason.RISK_TOO_HIGH: _NO,
    Reason.GUARD_DENIED: _NO,
    Reason.NO_GUARD_ANSWERED: _NO,
    Reason.VISION_STALE: _FAULT,
    Reason.VISION_MISSING: _FAULT,
    Reason.VISION_OF_OTHER_MODEL: _FAULT,
    Reason.LOCKED_DOWN: _NO,
    Reason.DOOR_BLOCKED: _NO,
}
"""Total over Reason. One meaning for all that a stranger with a found fob must not learn: why exactly the answer is no."""

_FIRST_OF = (Meaning.SECOND_PERSON, Meaning.DENIED, Meaning.OUT_OF_ORDER, Meaning.TRY_AGAIN)
"""Which meaning of several reasons is told: a picture that was shown and taken away is no invitation to try again."""


def meaning_of(decision: Decision) -> Meaning:
    """What the person is told of a decision: GRANTED whenever the door opens, whatever else the guards are told."""
    return Meaning.GRANTED if decision.granted else meaning_of_refusal(decision.reasons)


def meaning_of_wait(case: Case) -> Meaning:
    """What the person is asked for while a case waits."""
    return Meaning.ENTER_PIN if case.pin == "awaited" else Meaning.LOOK_AT_CAMERA


def meaning_of_refusal(reasons: Iterable[Reason]) -> Meaning:
    """What a person is told who is not let in, or not yet."""
    meanings = {MEANING_OF[reason] for reason in reasons}
    return next((meaning for meaning in _FIRST_OF if meaning in meanings), Meaning.DENIED)
