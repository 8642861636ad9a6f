"""What the door tells the person in front of it: one table from meanings to light, sound and text.

Every meaning can be told apart by ear alone and by eye alone, and without telling red from green (see TABLE).
"""

from __future__ import annotations

import enum
from typing import Literal

from msgspec import Struct

Colour = Literal["off", "red", "green", "amber", "blue"]


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
