"""Edges on a reader's two data lines -> bit frames -> CredentialRead and KeyPressed.

Wiegand: a falling edge on D0 is a 0, on D1 a 1, each pulse 20-100 us wide and .2-20 ms after the last (SIA AC-01-1996.10). No end mark
exists: silence ends a frame.

A frame counts only when nothing speaks against it: a length the reader may send, silence before and after it, bits in order and in an even
pace, no edge known to be lost, and its format's parity. Everything else is a ReadFault with its bits, for the installer.
"""

from __future__ import annotations

from statistics import median
from typing import Literal

from agent.core.formats import WiegandFormat, decode
from agent.core.keypad import BURST_BITS, KEY_SILENCE_S, Keypad, key_of
from agent.core.messages import CredentialRead, KeyPressed, ReadFault

LATE_S = 0.15
"""How long, by the clock, an incomplete frame is waited for: on a busy controller edges are handed on late, with the right times. Nobody
notices a refusal that comes this much later, but everybody a fob that has to be held out again."""

MAX_BITS = 128
"""No card format in use is longer; more is noise on the line."""

FRAME_GAP_S = 0.025
"""Silence that ends any frame: longer than the slowest reader's pulse interval (20 ms)."""

QUICK_GAP_MIN_S = 0.002
QUICK_GAP_INTERVALS = 3.0
"""A frame of a length the reader may send ends after three of its own longest intervals: readers pace their bits evenly, so a fourth
silent interval means that no bit follows. Saves about 20 ms a read over waiting for FRAME_GAP_S."""

PACE_SHARE, PACE_LEAST_S = 0.4, 0.00015
"""How far an interval may be from the frame's median. A lost edge leaves about two intervals, a pulse of noise splits one: both are seen
even where lost and invented bits add up to a length that is allowed. A reader's crystal wanders by less than a hundredth, the kernel's
time of an interrupt by some 0.1 ms on a busy controller."""

NO_DIGITS_BELOW_BITS = 16
"""On a reader with a keypad the bits of shorter bursts are kept out of faults: they may be the digits of somebody's PIN."""

NOT_TOLD = "?"
"""Instead of each bit of a burst as long as a key's, on a reader that is not said to have a keypad and may well have one: the installer
sees how long it was, and nobody which key."""

Pace = Literal["even", "any"]
Fault = Literal["parity", "length", "overrun", "framing", "lost"]


class WiegandFramer:
    """Collects the bits of one reader. Feed edges with `before` and `edge`, losses with `lost`; ask `due_s` when to call `flush`.

    Truncated or overlong frames are never turned into a shorter valid one: a frame counts only with silence before and after it.
    """

    def __init__(self, reader: str, formats: tuple[WiegandFormat, ...], keypad: Keypad = "none", pace: Pace = "even") -> None:
        """`formats` in the order that decides between several that hold. `pace` 'any' is for a reader that sends unevenly by itself: a lost
        edge made up for by noise is then caught by parity only."""
        self._reader = reader
        self._formats = formats
        self._keypad: Keypad = keypad
        self._even = pace == "even"
        self._lengths = frozenset(f.length for f in formats)
        self._bits: list[str] = []
        self._gaps_s: list[float] = []
        self._last_s = float("-inf")
        self._silence_before_s = 0.0
        self._poison: Fault | None = None
        """Why the frame under way will be refused, whatever its bits."""
        self._doubted = 0
        """How many frames may not be believed because edges were lost, counting the one under way."""
        self._unconfirmed = False
        """The last thing given was a credential, and no later edge has shown that it was whole."""

    def listening_since(self, at_s: float) -> None:
        """The first edge can be heard from now on: what comes within a silence of it may be the end of a longer frame."""
        self._last_s = at_s

    def edge(self, bit: int, at_s: float) -> ReadFault | None:
        """Take one bit. Returns an 'overrun' without bits when it comes so soon after a flushed frame that it must have belonged to it."""
        gap_s = at_s - self._last_s
        fault = None if self._bits else self._begin(gap_s, at_s)
        if gap_s < 0 or len(self._bits) == MAX_BITS:
            self._poison = self._poison or "overrun"  # bits in the wrong order may still keep their parity
        if len(self._bits) < MAX_BITS:
            self._gaps_s += [gap_s] if self._bits else []
            self._bits.append("1" if bit else "0")
        self._last_s = max(self._last_s, at_s)
        return fault

    def lost(self, at_s: float) -> ReadFault | None:
        """Edges were lost between the last edge and the one at `at_s`, which comes next. Neither the frame around them nor the one after
        is believed. Do not call `before(at_s)` first: silence between two edges proves nothing when there were others between them.

        Returns the frame that they broke off, if one was under way; or an 'overrun' without bits when the last thing given was a
        credential: the lost edges may have been the rest of it.
        """
        fault = None
        if self._bits:
            self._poison = "lost"
            fault = self._take(0.0)
        elif self._unconfirmed:
            fault = self._fault("overrun", at_s)
        self._unconfirmed = False
        self._doubted = 2
        return fault if isinstance(fault, ReadFault) else None

    def before(self, at_s: float) -> CredentialRead | KeyPressed | ReadFault | None:
        """The frame that silence on the wire ended before an edge at `at_s`, however late that edge is handed on. Call it before `edge`."""
        silence_s = at_s - self._last_s
        return self._take(silence_s) if self._bits and silence_s >= FRAME_GAP_S else None

    @property
    def due_s(self) -> float | None:
        """When, by the clock, the bits collected so far become a frame if no further edge comes; None when there are none."""
        if not self._bits:
            return None
        return self._last_s + self._quiet_s()

    def flush(self, now_s: float) -> CredentialRead | KeyPressed | ReadFault | None:
        """The frame, once it is due at `now_s`; None before. Bits that `edge` called an overrun come as one more 'overrun'.

        `now_s` must be a time up to which every edge has been handed on, as far as the driver can tell.
        """
        due_s = self.due_s
        return None if due_s is None or now_s < due_s else self._take(now_s - self._last_s)

    def _begin(self, gap_s: float, at_s: float) -> ReadFault | None:
        self._silence_before_s = gap_s
        self._unconfirmed = False
        if self._doubted:
            self._poison = "lost"
            return None
        if gap_s < FRAME_GAP_S:
            self._poison = "overrun"
            return self._fault("overrun", at_s)
        return None

    def _take(self, silence_after_s: float) -> CredentialRead | KeyPressed | ReadFault:
        bits, gaps_s, poison = "".join(self._bits), self._gaps_s, self._poison
        self._bits, self._gaps_s, self._poison = [], [], None
        self._doubted = max(0, self._doubted - 1)
        if poison is not None:
            return self._fault(poison, self._last_s, bits)
        if len(bits) == BURST_BITS[self._keypad]:
            return self._key(bits, gaps_s, silence_after_s)
        return self._read(bits, gaps_s)

    def _key(self, bits: str, gaps_s: list[float], silence_after_s: float) -> KeyPressed | ReadFault:
        alone = min(self._silence_before_s, silence_after_s) >= KEY_SILENCE_S
        key = key_of(bits) if alone and _evenly(gaps_s) else None
        if key is None:
            return self._fault("length", self._last_s, bits)
        return KeyPressed(reader=self._reader, key=key, at_s=self._last_s)

    def _read(self, bits: str, gaps_s: list[float]) -> CredentialRead | ReadFault:
        decoded = decode(bits, self._formats)
        if isinstance(decoded, str):
            return self._fault(decoded, self._last_s, bits)
        if self._even and not _evenly(gaps_s):
            return self._fault("framing", self._last_s, bits)
        self._unconfirmed = True
        return CredentialRead(reader=self._reader, format=decoded.format, facility=decoded.facility, card=decoded.card,
                              bits=bits, read_s=self._last_s)  # fmt: skip

    def _quiet_s(self) -> float:
        if self._poison is not None or len(self._bits) not in self._lengths:
            return LATE_S
        return min(FRAME_GAP_S, max(QUICK_GAP_MIN_S, QUICK_GAP_INTERVALS * max(self._gaps_s)))

    def _fault(self, fault: Fault, at_s: float, bits: str = "") -> ReadFault:
        if self._keypad != "none" and 0 < len(bits) < NO_DIGITS_BELOW_BITS:
            # An overrun without bits is the first surplus bit and takes an opening back; this is a report afterwards
            bits, fault = "", "length" if fault == "overrun" else fault
        elif len(bits) in BURST_BITS.values():
            bits = NOT_TOLD * len(bits)
        return ReadFault(reader=self._reader, fault=fault, bits=bits, at_s=at_s)


def _evenly(gaps_s: list[float]) -> bool:
    if not gaps_s:
        return False
    middle_s = median(gaps_s)
    slack_s = max(PACE_SHARE * middle_s, PACE_LEAST_S)
    return middle_s - min(gaps_s) <= slack_s and max(gaps_s) - middle_s <= slack_s
