"""Edges on a reader's two data lines -> bit frames -> CredentialRead. Formats are data.

Wiegand: a falling edge on D0 is a 0, on D1 a 1, each pulse 20-100 us wide and .2-20 ms after the last (SIA AC-01-1996.10). No end mark
exists: silence ends a frame.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from agent.core.messages import CredentialRead, ReadFault

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


class ParityRule(Struct, frozen=True, gc=False):
    """The parity bit at `bit` makes the count of ones over itself and `covered` even or odd."""

    bit: int
    odd: bool
    covered: range | tuple[int, ...]


class WiegandFormat(Struct, frozen=True, kw_only=True):
    """A card format: where facility code and card number lie and what protects them. Bit 0 is sent first; ranges are half open."""

    name: str
    length: int
    facility: tuple[int, int]
    card: tuple[int, int]
    parity: tuple[ParityRule, ...]


H10301 = WiegandFormat(
    name="H10301", length=26, facility=(1, 9), card=(9, 25),
    parity=(ParityRule(0, False, range(1, 13)), ParityRule(25, True, range(13, 25))),
)  # fmt: skip
"""The open 26-bit format."""

FORMATS: dict[str, WiegandFormat] = {H10301.name: H10301}


class Decoded(Struct, frozen=True, kw_only=True):
    format: str
    facility: int
    card: int


def decode(bits: str, formats: Iterable[WiegandFormat]) -> Decoded | str:
    """Facility and card of a frame, or which check it failed ('length', 'parity'). `bits` holds only 0 and 1."""
    fault = "length"
    for form in formats:
        if len(bits) != form.length:
            continue
        if all(_parity_holds(bits, rule) for rule in form.parity):
            return Decoded(format=form.name, facility=int(bits[slice(*form.facility)], 2), card=int(bits[slice(*form.card)], 2))
        fault = "parity"
    return fault


def _parity_holds(bits: str, rule: ParityRule) -> bool:
    ones = (bits[rule.bit] == "1") + sum(bits[i] == "1" for i in rule.covered)
    return ones % 2 == rule.odd


class WiegandFramer:
    """Collects the bits of one reader. Feed edges with `edge`, ask `due_s` when to call `flush`.

    Truncated or overlong frames are never turned into a shorter valid one: a frame counts only with silence before and after it.
    """

    def __init__(self, reader: str, formats: tuple[WiegandFormat, ...]) -> None:
        self._reader = reader
        self._formats = formats
        self._lengths = frozenset(f.length for f in formats)
        self._bits: list[str] = []
        self._last_s = float("-inf")
        self._longest_gap_s = 0.0
        self._poisoned = False

    def listening_since(self, at_s: float) -> None:
        """The first edge can be heard from now on: what comes within a silence of it may be the end of a longer frame."""
        self._last_s = at_s

    def edge(self, bit: int, at_s: float) -> ReadFault | None:
        """Take one bit. Returns an 'overrun' when it comes so soon after a flushed frame that it must have belonged to it."""
        fault = None
        gap_s = at_s - self._last_s
        if self._bits:
            self._longest_gap_s = max(self._longest_gap_s, gap_s)
        elif gap_s < FRAME_GAP_S and not self._poisoned:
            self._poisoned = True
            fault = self._fault("overrun", at_s)
        if gap_s < 0:
            self._poisoned = True  # bits in the wrong order may still keep their parity
        self._last_s = max(self._last_s, at_s)
        self._bits.append("1" if bit else "0")
        if len(self._bits) > MAX_BITS:
            self._bits = self._bits[:MAX_BITS]
            self._poisoned = True
        return fault

    def before(self, at_s: float) -> CredentialRead | ReadFault | None:
        """The frame that silence on the wire ended before an edge at `at_s`, however late that edge is handed on. Call it before `edge`."""
        return self._take() if self._bits and at_s - self._last_s >= FRAME_GAP_S else None

    @property
    def due_s(self) -> float | None:
        """When, by the clock, the bits collected so far become a frame if no further edge comes; None when there are none."""
        if not self._bits:
            return None
        return self._last_s + self._quiet_s()

    def flush(self, now_s: float) -> CredentialRead | ReadFault | None:
        """The frame, once it is due at `now_s`; None before. Bits that `edge` called an overrun come as one more 'overrun'."""
        due_s = self.due_s
        return None if due_s is None or now_s < due_s else self._take()

    def _take(self) -> CredentialRead | ReadFault:
        bits, poisoned = "".join(self._bits), self._poisoned
        self._bits, self._longest_gap_s, self._poisoned = [], 0.0, False
        if poisoned:
            return self._fault("overrun", self._last_s, bits)
        decoded = decode(bits, self._formats)
        if isinstance(decoded, str):
            return self._fault(decoded, self._last_s, bits)
        return CredentialRead(reader=self._reader, format=decoded.format, facility=decoded.facility, card=decoded.card,
                              bits=bits, read_s=self._last_s)  # fmt: skip

    def _quiet_s(self) -> float:
        if self._poisoned or len(self._bits) not in self._lengths:
            return LATE_S
        return min(FRAME_GAP_S, max(QUICK_GAP_MIN_S, QUICK_GAP_INTERVALS * self._longest_gap_s))

    def _fault(self, fault: str, at_s: float, bits: str = "") -> ReadFault:
        return ReadFault(reader=self._reader, fault=fault, bits=bits, at_s=at_s)
