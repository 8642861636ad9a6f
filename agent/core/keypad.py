"""Keys of a reader's keypad: bursts of 4 or 8 bits -> KeyPressed -> a PIN.

A key is sent at once, as a burst of its own on the two data lines. 4 bits: the key's number, most significant bit first. 8 bits: the same
number after its complement, so that a wrong bit is noticed. The keys 0 to 9 are their digit, * is 10 and # is 11. Sources: Rosslare
AYC-Qx4 installation manual, 4.2.3.9 (4 bits) and option 3 (8 bits); HID Wiegand PINPad rev. C installation guide, table 1 (8 bits; its
line for the 7 has a misprint).

A piece of a card's frame may look like a key, above all among 4 bits, where 12 of 16 values are keys. So a burst counts only on a reader
that is said to have such a keypad, only with a silence before and after it that no frame has inside, and only in an even pace
(agent.core.wiegand).
"""

from __future__ import annotations

from typing import Literal, cast

from agent.core.messages import KeyPressed

Keypad = Literal["none", "4-bit", "8-bit"]
Key = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"]

BURST_BITS: dict[Keypad, int] = {"none": 0, "4-bit": 4, "8-bit": 8}
KEYS = "0123456789*#"

KEY_SILENCE_S = 0.075
"""Silence before and after a key. Pieces of one broken frame lie closer: 26 bits of a usual reader (1 to 2 ms a bit) last 25 to 50 ms.
Fingers are slower: five keys a second leave 200 ms."""

LEAST_DIGITS, MOST_DIGITS = 4, 8
TIME_OUT_S = 5.0
"""What keypads use themselves (Rosslare AYC-Qx4, 4.2.3.8)."""


def key_of(bits: str) -> Key | None:
    """The key of a burst of 4 or 8 bits; None for anything else, a value that is no key, or 8 bits that do not complement each other."""
    if len(bits) not in (4, 8):
        return None
    code = int(bits[-4:], 2)
    if len(bits) == 8 and int(bits[:4], 2) != 15 - code:
        return None
    return cast("Key", KEYS[code]) if code < len(KEYS) else None


class PinPad:
    """Collects keys into a PIN. '*' begins anew, '#' ends it, silence of `time_out_s` forgets it. Holds digits no longer than needed and
    shows them to nobody: neither repr nor any message of this class has them.
    """

    def __init__(self, most: int = MOST_DIGITS, time_out_s: float = TIME_OUT_S) -> None:
        self._most, self._time_out_s = most, time_out_s
        self._digits: list[str] = []
        self._spoilt = False
        """A digit too many: what follows is no PIN of this door until the entry ends. A longer entry may not pass as its beginning."""
        self._last_s = 0.0

    def __repr__(self) -> str:
        return f"<PinPad, {'under way' if self.under_way else 'empty'}>"

    @property
    def under_way(self) -> bool:
        """Whether somebody is typing."""
        return bool(self._digits) or self._spoilt

    @property
    def due_s(self) -> float | None:
        """When a half-typed PIN is to be forgotten by `expire`; None when there is none."""
        return self._last_s + self._time_out_s if self.under_way else None

    def press(self, pressed: KeyPressed) -> str | None:
        """Take a key. Returns the PIN, of 1 to `most` digits, when this key ended it; None otherwise."""
        self.expire(pressed.at_s)
        self._last_s = pressed.at_s
        if pressed.key == "#":
            return self._end()
        if pressed.key == "*":
            self.clear()
        elif len(self._digits) < self._most:
            self._digits.append(pressed.key)
        else:
            self._spoilt = True
        return None

    def expire(self, now_s: float) -> bool:
        """Forget a PIN whose last key is too long ago; True when there was one."""
        due_s = self.due_s
        if due_s is None or now_s < due_s:
            return False
        self.clear()
        return True

    def clear(self) -> None:
        """Forget what was typed: at '*', when the case it was asked for is closed, when the reader reports a fault."""
        self._digits.clear()
        self._spoilt = False

    def _end(self) -> str | None:
        pin = None if self._spoilt else "".join(self._digits)
        self.clear()
        return pin or None
