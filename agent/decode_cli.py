"""`doorward decode wiegand BITS`: what a reader's bits mean, one JSON line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from agent.core.formats import FORMATS, RAW, RAW_LEAST_BITS, RAW_MOST_BITS, WiegandFormat, decode_all, formats_named
from agent.core.keypad import key_of
from agent.core.rdm6300 import decode_rdm6300
from agent.errors import ConfigError, WireError


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("decode", help="what a reader's bits mean")
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    wiegand = kinds.add_parser("wiegand", help="a frame of a Wiegand reader, first bit first",
                               description=f"Formats: {_known(FORMATS.values())}, raw (any other length).")  # fmt: skip
    wiegand.add_argument("bits", metavar="BITS", help="zeros and ones, e.g. 00000000100010100101000110")
    wiegand.add_argument("--format", choices=[*FORMATS, RAW], metavar="NAME", help="this format only (default: each that fits)")
    wiegand.set_defaults(func=_wiegand)
    rdm6300 = kinds.add_parser("rdm6300", help="a frame of an RDM6300 or ID-12 serial reader, without STX and ETX")
    rdm6300.add_argument("frame", metavar="HEX", help="ten digits of tag and two of checksum")
    rdm6300.set_defaults(func=_rdm6300)


def _wiegand(args: argparse.Namespace) -> int:
    """The first format that fits, and the others beside it under `also`: a reader's own list decides between them."""
    bits: str = args.bits
    if not bits or set(bits) - {"0", "1"}:
        return _refuse(f"BITS is {bits!r}: only 0 and 1 are allowed", usage=True)
    try:
        formats = formats_named([args.format] if args.format else FORMATS, [len(bits)] if args.format == RAW else ())
    except ConfigError as error:
        return _refuse(str(error))
    found = [msgspec.to_builtins(decoded) for decoded in decode_all(bits, formats)]
    if not found:
        return _refuse(_why(bits, formats))
    print(msgspec.json.encode({**found[0], **({"also": found[1:]} if found[1:] else {})}).decode())
    return 0


def _why(bits: str, formats: tuple[WiegandFormat, ...]) -> str:
    """Which check the frame failed, its bits in hex, and what to try next."""
    failed = [form for form in formats if form.length == len(bits)]
    what = f"{len(bits)} bits, {int(bits, 2):#x}"
    if failed:
        return f"{what}: fail the parity check of {_known(failed)}; {_hint(bits)}"
    return f"{what}: fail the length check of every format asked for: {_known(formats)}; {_hint(bits)}"


def _hint(bits: str) -> str:
    if key_of(bits) is not None:
        return f'this is what a keypad sends for the key {key_of(bits)}: set keypad = "{len(bits)}-bit" for this reader'
    if len(bits) < RAW_LEAST_BITS:
        return "too short for a card: a frame that was cut short, or noise; look at the wires and the common ground"
    if len(bits) > RAW_MOST_BITS:
        return "too long for a card: noise, or two frames in one; look at the wires and the common ground"
    return ("present the card again: other bits mean a bad wire; the same bits mean a format that is not among these, which "
            f'formats = ["{RAW}"] with raw_lengths = [{len(bits)}] takes as it is, unchecked (here: --format {RAW})')  # fmt: skip


def _known(formats: Iterable[WiegandFormat]) -> str:
    return ", ".join(f"{form.name} ({form.length} bits)" for form in formats)


def _rdm6300(args: argparse.Namespace) -> int:
    try:
        decoded = decode_rdm6300(args.frame)
    except WireError as error:
        return _refuse(str(error))
    print(msgspec.json.encode(decoded).decode())
    return 0


def _refuse(text: str, usage: bool = False) -> int:
    print(f"doorward decode: {text}", file=sys.stderr)
    return 2 if usage else 1
