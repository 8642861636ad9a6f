"""What came over a Wiegand reader's two wires -> what is wrong with them. Pure.

A wire that is off takes all its bits with it, swapped wires invert every bit, a missing ground or a long cable loses or invents some: each
leaves its own mark in the frames.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from agent.core.formats import FORMATS, Decoded, WiegandFormat, decode
from agent.selftest.result import Fault, Judged

KEY_LENGTHS = (4, 8)
"""Bits of a key press on a keypad."""

INVERTED = str.maketrans("01", "10")


class WiegandSeen(Struct, frozen=True, kw_only=True):
    """What was heard while a fob was held to the reader."""

    reader: str
    d0_pin: str
    d1_pin: str
    frames: tuple[str, ...]
    """Bits between silences, in order."""
    d0_rests_high: bool = True
    d1_rests_high: bool = True
    has_keypad: bool = False


def judge_wiegand(seen: WiegandSeen, formats: Sequence[WiegandFormat]) -> Judged:
    """The first explanation that fits all frames. `formats` are those the reader may send."""
    frames = tuple(bits for bits in seen.frames if not (seen.has_keypad and len(bits) in KEY_LENGTHS))
    reads = [read for bits in frames if isinstance(read := decode(bits, formats), Decoded)]
    measured = {"frames": str(len(frames)), "reads": str(len(reads)), "lengths": _lengths(frames)}
    if reads and len(reads) == len(frames):
        return Judged(said=f"{reads[0].format}, card {_card(reads[0])}", measured=measured)
    for explain in (_nothing, _one_wire, _swapped, _other_format, _keys, _length, _noise):
        if (fault := explain(seen, frames, formats)) is not None:
            return Judged(faults=(fault,), measured=measured)
    return Judged(faults=(_some_lost(frames, len(reads)),), measured=measured)


def _card(read: Decoded) -> str:
    return f"{read.facility}:{read.card}"


def _lengths(frames: Sequence[str]) -> str:
    return ", ".join(f"{length} bits" for length in sorted({len(bits) for bits in frames})) or "none"


def _nothing(seen: WiegandSeen, frames: Sequence[str], _formats: Sequence[WiegandFormat]) -> Fault | None:
    if frames:
        return None
    low = [
        f"{name} ({colour}, pin {pin})"
        for name, colour, pin, high in (
            ("D0", "green", seen.d0_pin, seen.d0_rests_high),
            ("D1", "white", seen.d1_pin, seen.d1_rests_high),
        )
        if not high
    ]
    if low:
        return Fault(
            what=f"nothing came from reader {seen.reader}; {' and '.join(low)} lies at 0 V while the reader rests",
            likely="that wire touches ground, or the level shifter has no supply on its reader side",
            mend="pull it off the terminal and measure: a reader's data lines rest at about 5 V, behind the shifter at 3.3 V",
        )
    return Fault(
        what=f"nothing came from reader {seen.reader}",
        likely=(
            "the reader has no 12 V, D0 (green) and D1 (white) are both off, or its ground (black) is not joined with the "
            "controller's"
        ),
        mend="does the reader's own light or beep answer the fob? Yes: look at green, white and black. No: at red and black",
    )


def _one_wire(seen: WiegandSeen, frames: Sequence[str], _formats: Sequence[WiegandFormat]) -> Fault | None:
    kinds = set("".join(frames))
    if len(kinds) != 1 or max(map(len, frames)) < 2:
        return None
    heard, lost = ("D0", "D1") if kinds == {"0"} else ("D1", "D0")
    colour, pin = ("white", seen.d1_pin) if lost == "D1" else ("green", seen.d0_pin)
    return Fault(
        what=f"reader {seen.reader}: only {heard} is heard, {_lengths(frames)} of it alone",
        likely=f"{lost} ({colour}) at pin {pin} is loose, broken, or on another pin",
        mend=f"push the {colour} wire home at the reader, the level shifter and pin {pin}; is `{lost.lower()}_pin` right?",
    )


def _swapped(seen: WiegandSeen, frames: Sequence[str], formats: Sequence[WiegandFormat]) -> Fault | None:
    checked = [form for form in formats if form.parity]
    turned = [decode(bits.translate(INVERTED), checked) for bits in frames]
    straight = [decode(bits, checked) for bits in frames]
    if not all(isinstance(read, Decoded) for read in turned) or any(isinstance(read, Decoded) for read in straight):
        return None
    return Fault(
        what=f"reader {seen.reader}: every frame fails its parity, and is right when each bit is turned over",
        likely="D0 (green) and D1 (white) are swapped",
        mend=f"swap the two wires, or write d0_pin = {seen.d1_pin} and d1_pin = {seen.d0_pin}",
    )


def _other_format(seen: WiegandSeen, frames: Sequence[str], formats: Sequence[WiegandFormat]) -> Fault | None:
    mine = {form.name for form in formats}
    fits = [form for form in FORMATS.values() if form.name not in mine and all(_fits(bits, form) for bits in frames)]
    if not fits:
        return None
    names = " or ".join(form.name for form in fits)
    return Fault(
        what=f"reader {seen.reader} sends {_lengths(frames)}, which fits {names}; it may send {', '.join(mine)}",
        likely="the wires are right: the cards are of another format",
        mend=f'write formats = ["{fits[0].name}"] for this reader, when the cards\' supplier says so too',
    )


def _fits(bits: str, form: WiegandFormat) -> bool:
    return isinstance(decode(bits, (form,)), Decoded)


def _keys(seen: WiegandSeen, frames: Sequence[str], _formats: Sequence[WiegandFormat]) -> Fault | None:
    if not all(len(bits) in KEY_LENGTHS for bits in frames):
        return None
    kind = f"{len(frames[0])}-bit"
    return Fault(
        what=f"reader {seen.reader} sends groups of {len(frames[0])} bits",
        likely="its keypad was pressed, or it sends cards key by key",
        mend=f'hold a fob to it; for PINs write keypad = "{kind}" for this reader',
    )


def _length(seen: WiegandSeen, frames: Sequence[str], formats: Sequence[WiegandFormat]) -> Fault | None:
    lengths = {len(bits) for bits in frames}
    allowed = {form.length for form in formats}
    if lengths & allowed:
        return None
    if len(lengths) == 1 and len(frames) > 1:
        return Fault(
            what=f"reader {seen.reader} sends {_lengths(frames)} each time: {frames[-1]}",
            likely="the cards are of a format that is not known here",
            mend=(
                'ask the cards\' supplier for the format with these bits; until then formats = ["raw"] and raw_lengths '
                "take them as they are"
            ),
        )
    return Fault(
        what=f"reader {seen.reader} sends {_lengths(frames)}, expected {_these(allowed)}: bits get lost or are invented",
        likely="a loose D0 or D1, a missing common ground, or a data cable beside a mains or lock cable",
        mend="push both wires home, join the grounds, keep the cable apart from the lock's; then hold the fob to it again",
    )


def _noise(seen: WiegandSeen, frames: Sequence[str], formats: Sequence[WiegandFormat]) -> Fault | None:
    if any(isinstance(decode(bits, formats), Decoded) for bits in frames):
        return None
    return Fault(
        what=f"reader {seen.reader}: the length is right and the parity is not, also with each bit turned over: {frames[-1]}",
        likely=(
            "noise: a missing common ground, a cable without screen or beside the lock's, or another format of the same length"
        ),
        mend="join the grounds, ground the screen at one end, keep away from the lock's cable; ask for the cards' format",
    )


def _these(lengths: set[int]) -> str:
    return " or ".join(map(str, sorted(lengths)))


def _some_lost(frames: Sequence[str], reads: int) -> Fault:
    return Fault(
        what=f"{len(frames) - reads} of {len(frames)} reads were spoilt: {_lengths(frames)}",
        likely="a loose contact, or noise on a long cable",
        mend="push D0 (green) and D1 (white) home, join the grounds, keep the cable away from the lock's",
    )
