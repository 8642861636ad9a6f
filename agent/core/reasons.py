"""Why a door did what it did: one code each, and the sentence a guard reads."""

from __future__ import annotations

import enum


class Reason(enum.Enum):
    """Reason codes of decisions; the value is what is published."""

    # granted
    FACE_MATCH = "face_match"
    FOB_ALONE_NO_VISION = "fob_alone_no_vision"
    FOB_ALONE_NO_TEMPLATE = "fob_alone_no_template"
    LEAVING = "leaving"
    # told beside a decision
    SECOND_OF_TWO = "second_of_two"
    PASSES_LOCKDOWN = "passes_lockdown"
    PASSBACK_TOLD = "passback_told"
    DURESS = "duress"
    HELD_FOR_GUARD = "held_for_guard"
    GUARD_LET_IN = "guard_let_in"
    # denied: the fob
    UNKNOWN_CREDENTIAL = "unknown_credential"
    CREDENTIAL_LOST = "credential_lost"
    CREDENTIAL_STOLEN = "credential_stolen"
    CREDENTIAL_REVOKED = "credential_revoked"
    CREDENTIAL_NOT_YET_VALID = "credential_not_yet_valid"
    CREDENTIAL_EXPIRED = "credential_expired"
    CARDHOLDER_SUSPENDED = "cardholder_suspended"
    CARDHOLDER_NOT_YET_VALID = "cardholder_not_yet_valid"
    CARDHOLDER_EXPIRED = "cardholder_expired"
    VISIT_NOT_BEGUN = "visit_not_begun"
    VISIT_OVER = "visit_over"
    VISIT_WITHOUT_END = "visit_without_end"
    NO_PROFILE_FOR_DOOR = "no_profile_for_door"
    OUTSIDE_SCHEDULE = "outside_schedule"
    TIME_UNKNOWN = "time_unknown"
    # denied: the PIN
    PIN_NOT_ENTERED = "pin_not_entered"
    PIN_WRONG = "pin_wrong"
    PIN_LOCKED_OUT = "pin_locked_out"
    PIN_NOT_SET = "pin_not_set"
    NO_KEYPAD = "no_keypad"
    # denied: the rules of the door
    ALREADY_INSIDE = "already_inside"
    SECOND_PERSON_NEEDED = "second_person_needed"
    OTHER_DOOR_OPEN = "other_door_open"
    # denied: the person
    FACE_MISMATCH = "face_mismatch"
    NO_FACE_IN_VIEW = "no_face_in_view"
    FACE_NOT_CLEAR = "face_not_clear"
    PRESENTATION_ATTACK = "presentation_attack"
    LIVENESS_UNSURE = "liveness_unsure"
    NO_TEMPLATE = "no_template"
    TEMPLATE_OF_OTHER_MODEL = "template_of_other_model"
    # denied: the risk
    RISK_TOO_HIGH = "risk_too_high"
    GUARD_DENIED = "guard_denied"
    NO_GUARD_ANSWERED = "no_guard_answered"
    # denied or explained: the equipment
    VISION_STALE = "vision_stale"
    VISION_MISSING = "vision_missing"
    VISION_OF_OTHER_MODEL = "vision_of_other_model"
    LOCKED_DOWN = "locked_down"
    DOOR_BLOCKED = "door_blocked"


SENTENCES: dict[Reason, str] = {
    Reason.FACE_MATCH: "the face is the cardholder's",
    Reason.FOB_ALONE_NO_VISION: "vision does not answer; this door's policy lets the fob pass alone",
    Reason.FOB_ALONE_NO_TEMPLATE: "no face is enrolled; this door's policy lets the fob pass alone",
    Reason.LEAVING: "somebody leaves; leaving is never refused",
    Reason.SECOND_OF_TWO: "the second of two people who must come together",
    Reason.PASSES_LOCKDOWN: "the door is locked down; this cardholder is one of the few who pass all the same",
    Reason.PASSBACK_TOLD: "the cardholder is inside already, as far as this door knows; it lets them in and tells",
    Reason.DURESS: "the code for being forced to open was used: send help, give no sign",
    Reason.HELD_FOR_GUARD: "the risk is high: a guard decides",
    Reason.GUARD_LET_IN: "a guard has looked and lets them in",
    Reason.UNKNOWN_CREDENTIAL: "this fob is not known here",
    Reason.CREDENTIAL_LOST: "this fob was reported lost",
    Reason.CREDENTIAL_STOLEN: "this fob was reported stolen",
    Reason.CREDENTIAL_REVOKED: "this fob was withdrawn",
    Reason.CREDENTIAL_NOT_YET_VALID: "this fob is not valid yet",
    Reason.CREDENTIAL_EXPIRED: "this fob has expired",
    Reason.CARDHOLDER_SUSPENDED: "the cardholder is suspended",
    Reason.CARDHOLDER_NOT_YET_VALID: "the cardholder's time has not begun",
    Reason.CARDHOLDER_EXPIRED: "the cardholder's time is over",
    Reason.VISIT_NOT_BEGUN: "the visit has not begun",
    Reason.VISIT_OVER: "the visit is over",
    Reason.VISIT_WITHOUT_END: "a visitor without an end of the visit passes nowhere: say until when it lasts",
    Reason.NO_PROFILE_FOR_DOOR: "the cardholder's access profiles do not include this door",
    Reason.OUTSIDE_SCHEDULE: "the cardholder may pass here, but not at this hour",
    Reason.TIME_UNKNOWN: "the cardholder is bound to days or hours, and this door does not know what time it is",
    Reason.PIN_NOT_ENTERED: "no PIN was entered in time",
    Reason.PIN_WRONG: "the PIN is wrong",
    Reason.PIN_LOCKED_OUT: "too many wrong PINs: this cardholder's PIN is refused for a while",
    Reason.PIN_NOT_SET: "the access profile asks for a PIN, and the cardholder has none",
    Reason.NO_KEYPAD: "the access profile asks for a PIN, and this reader has no keypad",
    Reason.ALREADY_INSIDE: "the cardholder is inside already, as far as this door knows",
    Reason.SECOND_PERSON_NEEDED: "one of two people has been checked; a second cardholder has to follow now",
    Reason.OTHER_DOOR_OPEN: "the other door of the lobby is open: close it and try again",
    Reason.FACE_MISMATCH: "the face is not the cardholder's",
    Reason.NO_FACE_IN_VIEW: "nobody's face is in view",
    Reason.FACE_NOT_CLEAR: "a face is in view, but too small or unclear to compare",
    Reason.PRESENTATION_ATTACK: "the cardholder's face was shown as a picture or on a screen",
    Reason.LIVENESS_UNSURE: "it did not become clear in time that the face is a person's and no picture of one",
    Reason.NO_TEMPLATE: "no face is enrolled for this cardholder",
    Reason.TEMPLATE_OF_OTHER_MODEL: "the enrolled face was made with another network: enrol again",
    Reason.RISK_TOO_HIGH: "the risk is too high, by this door's policy",
    Reason.GUARD_DENIED: "a guard has looked and lets nobody in",
    Reason.NO_GUARD_ANSWERED: "the risk is high and no guard answered in time",
    Reason.VISION_STALE: "vision has stopped telling what it sees",
    Reason.VISION_MISSING: "vision has not answered since the door started",
    Reason.VISION_OF_OTHER_MODEL: "vision runs another network than this door expects: restart both programs",
    Reason.LOCKED_DOWN: "the door is locked down",
    Reason.DOOR_BLOCKED: "the door is blocked",
}
