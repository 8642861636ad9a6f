"""What the door tells the person in front of it: one table from meanings to light, sound and text.

Every meaning can be told apart by ear alone and by eye alone, and without telling red from green: each has a rhythm of its own, in light and
in sound, and its colour only repeats what the rhythm says (tests/core/test_feedback.py measures it). A door gives no sign to the touch.

What we go by:

- Who uses a card must hear as well as see that it was taken (CNIB, Clearing Our Path, 'Card, keypad and other security systems').
- Nothing flashes more than three times a second, for people with photosensitive epilepsy (WCAG 2.2, success criterion 2.3.1).
- A signal for the public that a security system acts is visible and audible (the same guide; 2010 ADA Standards, 407.2.2.1, for lifts).
- A duress alarm shows nothing: the door does exactly what it does for everybody who may pass.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

Colour = Literal["off", "red", "green", "amber", "blue"]

MAX_FLASHES_PER_S = 3
"""WCAG 2.3.1."""

COLUMNS, LINES = 16, 2
"""Of the smallest display that is sold for doors."""


class Meaning(enum.Enum):
    """What a person at a door needs to know."""

    READY = "ready"
    LOOK_AT_CAMERA = "look_at_camera"
    ENTER_PIN = "enter_pin"
    SECOND_PERSON = "second_person"
    GRANTED = "granted"
    DENIED = "denied"
    TRY_AGAIN = "try_again"
    HELP_IS_COMING = "help_is_coming"
    CLOSE_THE_DOOR = "close_the_door"
    OUT_OF_ORDER = "out_of_order"
    ENROLLING = "enrolling"


class Signal(Struct, frozen=True, kw_only=True):
    """How a meaning is shown. Times in seconds; a pattern is on, off, on, off … and is repeated `repeats` times (0: until the next)."""

    meaning: Meaning
    colour: Colour
    light_s: tuple[float, ...]
    """On and off times; (1.0, 0.0) is steady."""
    sound_s: tuple[float, ...] = ()
    """On and off times of the buzzer; empty is silence."""
    repeats: int = 1
    """How often the sound pattern is played; light goes on until the next signal."""
    text: str = ""
    """At most two lines of 16 characters."""
    lasts_s: float | None = None
    """After this the door shows READY again; None: until something else happens."""


S, M, L = 0.12, 0.25, 0.6
"""Seconds of a short beep, of the pause in a group, and of a long beep: five times a short one, so that nobody needs both to compare."""


def _signal(meaning: Meaning, colour: Colour, light_s: tuple[float, ...], sound_s: tuple[float, ...] = (), *,
            repeats: int = 1, lasts_s: float | None = None) -> Signal:  # fmt: skip
    return Signal(meaning=meaning, colour=colour, light_s=light_s, sound_s=sound_s, repeats=repeats, lasts_s=lasts_s)


TABLE: dict[Meaning, Signal] = {
    signal.meaning: signal
    for signal in (
        # A short wink now and then, and silence: here is a reader, and it works
        _signal(Meaning.READY, "blue", (0.15, 2.85)),
        # Half on, half off: please do something. One short beep: the fob was read
        _signal(Meaning.LOOK_AT_CAMERA, "blue", (0.5, 0.5), (S, 0.0), lasts_s=12.0),
        _signal(Meaning.ENTER_PIN, "blue", (0.2, 0.25, 0.2, 1.35), (S, M, S, 0.0), lasts_s=30.0),
        _signal(Meaning.SECOND_PERSON, "blue", (0.2, 0.25, 0.8, 0.75), (S, M, L, 0.0), lasts_s=30.0),
        # Steady light and one long beep: go
        _signal(Meaning.GRANTED, "green", (1.0, 0.0), (L, 0.0), lasts_s=3.0),
        # Quick light and three short beeps: no
        _signal(Meaning.DENIED, "red", (0.17, 0.17), (S, S, S, S, S, 0.0), lasts_s=3.0),
        _signal(Meaning.TRY_AGAIN, "amber", (0.2, 0.25, 0.2, 0.25, 0.2, 0.9), (L, M, S, 0.0), lasts_s=4.0),
        # Slow and calm
        _signal(Meaning.HELP_IS_COMING, "amber", (2.0, 2.0), (L, M, L, 0.0), lasts_s=60.0),
        # Goes on until the door is shut
        _signal(Meaning.CLOSE_THE_DOOR, "amber", (0.8, 0.2), (M, 0.75), repeats=0),
        _signal(Meaning.OUT_OF_ORDER, "red", (0.8, 0.2, 0.2, 0.8), (L, M, L, M, L, 0.0), lasts_s=6.0),
        # Long on, short off, as long as the camera takes a face for good
        _signal(Meaning.ENROLLING, "blue", (2.4, 0.6), (S, M, S, M, L, 0.0)),
    )
}
"""What each meaning looks and sounds like; its text is added by `signal_for`."""

TEXTS: dict[str, dict[Meaning, str]] = {
    "en": {
        Meaning.READY: "Hold your fob\nto the reader",
        Meaning.LOOK_AT_CAMERA: "Look at\nthe camera",
        Meaning.ENTER_PIN: "Enter your PIN\nthen press #",
        Meaning.SECOND_PERSON: "Second person:\nyour fob please",
        Meaning.GRANTED: "Come in",
        Meaning.DENIED: "No entry\nAsk reception",
        Meaning.TRY_AGAIN: "Please try\nonce more",
        Meaning.HELP_IS_COMING: "Please wait\nHelp is coming",
        Meaning.CLOSE_THE_DOOR: "Please close\nthe door",
        Meaning.OUT_OF_ORDER: "Out of order\nAsk reception",
        Meaning.ENROLLING: "Your face is\nbeing enrolled",
    },
    "de": {
        Meaning.READY: "Schlüssel an den\nLeser halten",
        Meaning.LOOK_AT_CAMERA: "Bitte in die\nKamera schauen",
        Meaning.ENTER_PIN: "PIN eingeben,\ndann # drücken",
        Meaning.SECOND_PERSON: "Zweite Person:\nbitte Schlüssel",
        Meaning.GRANTED: "Bitte eintreten",
        Meaning.DENIED: "Kein Zutritt\nEmpfang fragen",
        Meaning.TRY_AGAIN: "Bitte noch\neinmal versuchen",
        Meaning.HELP_IS_COMING: "Bitte warten,\nHilfe kommt",
        Meaning.CLOSE_THE_DOOR: "Bitte die Tür\nschließen",
        Meaning.OUT_OF_ORDER: "Außer Betrieb\nEmpfang fragen",
        Meaning.ENROLLING: "Ihr Gesicht wird\naufgenommen",
    },
    "fr": {
        Meaning.READY: "Présentez\nvotre badge",
        Meaning.LOOK_AT_CAMERA: "Regardez\nla caméra",
        Meaning.ENTER_PIN: "Tapez votre code\npuis #",
        Meaning.SECOND_PERSON: "2e personne:\nvotre badge",
        Meaning.GRANTED: "Entrez",
        Meaning.DENIED: "Accès refusé\nVoir l'accueil",
        Meaning.TRY_AGAIN: "Veuillez\nréessayer",
        Meaning.HELP_IS_COMING: "Patientez,\non vous aide",
        Meaning.CLOSE_THE_DOOR: "Fermez la porte\ns'il vous plaît",
        Meaning.OUT_OF_ORDER: "Hors service\nVoir l'accueil",
        Meaning.ENROLLING: "Votre visage est\nenregistré",
    },
}
"""A language is one more entry; a test holds each to two lines of sixteen characters that a display's character set has."""


class FeedbackRules(Struct, frozen=True, kw_only=True):
    """What a site wants of its doors' signals."""

    language: str = "en"
    sound: Literal["all", "answers", "off"] = "all"
    """`answers`: only what follows something that a person did, each once; no reminder goes on sounding."""
    quiet_from_min: int | None = None
    """Minute of the local day from which `quiet_sound` holds; None: never."""
    quiet_until_min: int | None = None
    quiet_sound: Literal["all", "answers", "off"] = "answers"


def signal_for(meaning: Meaning, rules: FeedbackRules, local: datetime, *, lasts_s: float | None = None) -> Signal:
    """The signal to show now. `local` is the time at the building; `lasts_s` instead of the table's, e.g. as long as the lock is released."""
    signal = TABLE[meaning]
    texts = TEXTS.get(rules.language, TEXTS["en"])
    return replace(_as_loud_as(signal, _sound_at(rules, local)), text=texts[meaning],
                   lasts_s=signal.lasts_s if lasts_s is None else lasts_s)  # fmt: skip


def _sound_at(rules: FeedbackRules, local: datetime) -> Literal["all", "answers", "off"]:
    start, end = rules.quiet_from_min, rules.quiet_until_min
    if start is None or end is None:
        return rules.sound
    minute = local.hour * 60 + local.minute
    quiet = start <= minute < end if start <= end else not end <= minute < start
    return rules.quiet_sound if quiet else rules.sound


def _as_loud_as(signal: Signal, sound: Literal["all", "answers", "off"]) -> Signal:
    if sound == "off":
        return replace(signal, sound_s=(), repeats=1)
    return replace(signal, repeats=1) if sound == "answers" else signal


# -- a signal in time ----------------------------------------------------------------------------------------------------------


class Shown(NamedTuple):
    """What is on at a moment, and for how long that stays so (None: until the next signal)."""

    light: bool
    sound: bool
    changes_in_s: float | None


def shown_at(signal: Signal, elapsed_s: float) -> Shown:
    """Light and sound of a signal so long after it began. Pure, so that a late player catches up instead of drifting."""
    light, light_in_s = _level(signal.light_s, elapsed_s, 0)
    sound, sound_in_s = _level(signal.sound_s, elapsed_s, signal.repeats)
    changes = [change for change in (light_in_s, sound_in_s) if change is not None]
    return Shown(light and signal.colour != "off", sound, min(changes, default=None))


def _level(pattern_s: tuple[float, ...], elapsed_s: float, repeats: int) -> tuple[bool, float | None]:
    """Whether a pattern is on, and seconds until that changes. Parts of no length are never stopped at."""
    cycle_s = sum(pattern_s)
    if cycle_s <= 0:
        return False, None
    if repeats and elapsed_s >= repeats * cycle_s:
        return False, None
    if not sum(pattern_s[1::2]) and not repeats:
        return True, None
    into_s = elapsed_s % cycle_s
    ends_s = 0.0
    for number, part_s in enumerate(pattern_s):
        ends_s += part_s
        if into_s < ends_s:
            return number % 2 == 0, ends_s - into_s
    return False, cycle_s - into_s + MIN_STEP_S  # the remainder of a division fell on the cycle's end


MIN_STEP_S = 1e-3


class Showing:
    """Which signal stands now, and when the door goes back to the resting one. Time is passed in."""

    def __init__(self, resting: Signal) -> None:
        self._resting = resting
        self.current = resting
        self.due_s: float | None = None
        """When `tick` is next worth calling."""

    def show(self, signal: Signal, now_s: float) -> Signal:
        self.current = signal
        self.due_s = None if signal.lasts_s is None else now_s + signal.lasts_s
        return signal

    def rest(self, signal: Signal) -> Signal | None:
        """What is shown when nothing else is. Returns it when it is to be shown at once."""
        resting, self._resting = self._resting, signal
        if self.current is not resting or signal == resting:
            return None
        self.current = signal
        return signal

    def tick(self, now_s: float) -> Signal | None:
        """The resting signal, once the present one has lasted long enough."""
        return None if self.due_s is None or now_s < self.due_s else self.end()

    def end(self) -> Signal | None:
        """The resting signal, unless it stands already."""
        self.due_s = None
        if self.current is self._resting:
            return None
        self.current = self._resting
        return self._resting
