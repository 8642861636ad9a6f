"""Card formats as data: which bits of a frame are facility code and card number, and which parity protects them.

Bits are counted from 0, the first one sent; fields and ranges are half open, most significant bit first. Each format names where its layout
comes from; tests/vectors holds frames of real cards for them.

**Ambiguity.** Formats may share a length (H10302 and H10304 even share their parity), and a frame may be valid in several. Nothing in a
frame tells which is meant, so the order of the reader's own list decides: the first that holds is the answer. `decode_all` shows the
others.

**What parity catches.** Every single wrong bit of a frame under parity, and every odd number within one field. It cannot catch an even
number of wrong bits that fall into the same fields. Formats without parity (W32, raw) catch nothing: for them only length and silence
speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from agent.errors import ConfigError

RAW = "raw"
RAW_LEAST_BITS, RAW_MOST_BITS = 16, 96
"""Shorter ones would be mistaken for keys and pieces of frames; longer ones are in no use on these two wires."""
RAW_CARD_BITS = 48
"""Of a raw frame these last bits are the card number and those before them the facility code, so that both stay below 2**53: JSON readers
keep no larger integer exactly."""


class ParityRule(Struct, frozen=True, gc=False):
    """The parity bit at `bit` makes the count of ones over itself and `covered` even or odd."""

    bit: int
    odd: bool
    covered: range | tuple[int, ...]


class WiegandFormat(Struct, frozen=True, kw_only=True):
    """A card format. Fields as (first bit, bit after the last); an empty field reads as 0."""

    name: str
    length: int
    facility: tuple[int, int]
    card: tuple[int, int]
    parity: tuple[ParityRule, ...]
    source: str
    """Where the layout is published."""
    checks: tuple[tuple[int, int], ...] = ()
    """The parity rules as (mask over the frame as an integer, what the count of its ones is modulo 2); made from `parity`."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "checks", tuple((self._mask(rule), int(rule.odd)) for rule in self.parity))

    def _mask(self, rule: ParityRule) -> int:
        return sum(1 << (self.length - 1 - bit) for bit in {rule.bit, *rule.covered})


class Decoded(Struct, frozen=True, kw_only=True):
    """What a frame says in one format. `facility` is 0 in formats that have none."""

    format: str
    facility: int
    card: int


_PROXMARK = "RfidResearchGroup/proxmark3, client/src/wiegand_formats.c"

H10301 = WiegandFormat(
    name="H10301", length=26, facility=(1, 9), card=(9, 25),
    parity=(ParityRule(0, False, range(1, 13)), ParityRule(25, True, range(13, 25))),
    source="SIA AC-01-1996.10; HID Tech Tip 5",
)  # fmt: skip
"""The open 26-bit format."""

W34 = WiegandFormat(
    name="W34", length=34, facility=(1, 17), card=(17, 33),
    parity=(ParityRule(0, False, range(1, 17)), ParityRule(33, True, range(17, 33))),
    source=f"H10306 and N10002 in {_PROXMARK}; Wiegand34 in ZKTeco's RevFace15 user manual (parity)",
)  # fmt: skip
"""34 bits as HID's H10306. Readers that send a 32-bit serial number under the same parity fit too: its upper half is then the
'facility'. There are 34-bit cards with other parities (RfidResearchGroup/proxmark3, issue 1060, shows one); they are `raw` here."""

C1000_35 = WiegandFormat(
    name="C1000-35", length=35, facility=(2, 14), card=(14, 34),
    parity=(
        ParityRule(1, False, tuple(bit for bit in range(2, 34) if bit % 3 != 1)),
        ParityRule(34, True, tuple(bit for bit in range(1, 33) if bit % 3 != 0)),
        ParityRule(0, True, range(1, 35)),
    ),
    source=f"C1k35s in {_PROXMARK}; jkramarz/TheTick, pull request 20 (bits of a reader)",
)  # fmt: skip
"""HID Corporate 1000, 35 bits: two parities that leave out every third bit, and one over everything."""

W36 = WiegandFormat(
    name="W36", length=36, facility=(1, 19), card=(19, 35),
    parity=(ParityRule(0, False, range(1, 18)), ParityRule(35, True, range(18, 35))),
    source=f"Wiegand36a in ZKTeco's RevFace15 user manual; C15001 in {_PROXMARK} (its OEM and facility code are our 18 bits)",
)  # fmt: skip
"""36 bits, even parity first. From documents only: no frame of a real card was at hand to prove it."""

W36_ODD_EVEN = WiegandFormat(
    name="W36-odd-even", length=36, facility=(1, 17), card=(17, 33),
    parity=(ParityRule(0, True, range(1, 18)), ParityRule(35, False, range(18, 35))),
    source="iceman1001/proxmark3, pull request 285; Wiegand36 in ZKTeco's RevFace15 user manual",
)  # fmt: skip
"""36 bits with the parities swapped. Bits 33 and 34 are the maker's and no part of a card's name."""

_PARITY_37 = (ParityRule(0, False, range(1, 19)), ParityRule(36, True, range(18, 36)))

H10302 = WiegandFormat(
    name="H10302", length=37, facility=(1, 1), card=(1, 36), parity=_PARITY_37, source=f"H10302 in {_PROXMARK}",
)  # fmt: skip
"""37 bits without a facility code. Bit 18 is covered twice."""

H10304 = WiegandFormat(
    name="H10304", length=37, facility=(1, 17), card=(17, 36), parity=_PARITY_37,
    source=f"H10304 in {_PROXMARK}; ooaccess.com, knowledge base, 37 bit card format with facility code",
)  # fmt: skip
"""37 bits with a facility code. Whatever is valid here is valid as H10302 too."""

W32 = WiegandFormat(
    name="W32", length=32, facility=(0, 0), card=(0, 32), parity=(),
    source="leosac/access-control, test/WiegandCard.cpp (whole value as a number)",
)  # fmt: skip
"""The 32-bit serial number of a card, without any check."""

FORMATS: dict[str, WiegandFormat] = {
    form.name: form for form in (H10301, W34, C1000_35, W36, W36_ODD_EVEN, H10302, H10304, W32)
}  # fmt: skip
"""All formats of a known layout. `raw` needs a length: see `raw_format`."""


def raw_format(length: int) -> WiegandFormat:
    """A frame of `length` bits taken as it is. Its name holds the length: 0…016 of 32 bits and of 40 bits are different cards.

    Raises ConfigError for a length outside RAW_LEAST_BITS .. RAW_MOST_BITS.
    """
    if not RAW_LEAST_BITS <= length <= RAW_MOST_BITS:
        raise ConfigError(f"raw frames of {length} bits: {RAW_LEAST_BITS} to {RAW_MOST_BITS} bits are allowed")
    split = max(0, length - RAW_CARD_BITS)
    return WiegandFormat(
        name=f"{RAW}-{length}", length=length, facility=(0, split), card=(split, length), parity=(), source="no layout"
    )


def formats_named(names: Iterable[str], raw_lengths: Sequence[int] = ()) -> tuple[WiegandFormat, ...]:
    """A reader's formats in the order of its list; 'raw' stands for one format for each of `raw_lengths`.

    Raises ConfigError for an unknown name, and when 'raw' comes without lengths or lengths without 'raw'.
    """
    names = tuple(names)
    if (RAW in names) != bool(raw_lengths):
        raise ConfigError(
            f"formats {', '.join(names)} with raw_lengths {tuple(raw_lengths)}: raw_lengths belong to 'raw', and 'raw' needs them"
        )
    found: list[WiegandFormat] = []
    for name in names:
        found += [raw_format(length) for length in raw_lengths] if name == RAW else [_named(name)]
    return tuple(found)


def _named(name: str) -> WiegandFormat:
    if name not in FORMATS:
        raise ConfigError(f"card format {name!r}: allowed are {', '.join([*FORMATS, RAW])}")
    return FORMATS[name]


Refusal = Literal["length", "parity"]
"""Why a frame is no card: no format of this length, or none of them whose parity holds."""


def decode(bits: str, formats: Iterable[WiegandFormat]) -> Decoded | Refusal:
    """What a frame says in the first of `formats` that it is valid in, or which check it failed. `bits` holds only 0 and 1."""
    length, value = len(bits), int(bits, 2) if bits else 0
    refusal: Refusal = "length"
    for form in formats:
        if form.length == length:
            if _holds(value, form):
                return _fields(value, form)
            refusal = "parity"
    return refusal


def decode_all(bits: str, formats: Iterable[WiegandFormat]) -> list[Decoded]:
    """What a frame says in each of `formats` that it is valid in, in their order."""
    found = [decode(bits, (form,)) for form in formats]
    return [decoded for decoded in found if isinstance(decoded, Decoded)]


def _holds(value: int, form: WiegandFormat) -> bool:
    return all((value & mask).bit_count() & 1 == odd for mask, odd in form.checks)


def _fields(value: int, form: WiegandFormat) -> Decoded:
    facility, card = (
        value >> (form.length - end) & ((1 << (end - begin)) - 1) for begin, end in (form.facility, form.card)
    )  # fmt: skip
    return Decoded(format=form.name, facility=facility, card=card)
