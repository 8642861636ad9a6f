"""`doorward decode wiegand BITS`: what a reader's bits mean, one JSON line."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from agent.core.credentials import FORMATS, decode
from agent.core.rdm6300 import decode_rdm6300
from agent.errors import WireError


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("decode", help="what a reader's bits mean")
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    wiegand = kinds.add_parser("wiegand", help="a frame of a Wiegand reader, first bit first")
    wiegand.add_argument("bits", metavar="BITS", help="zeros and ones, e.g. 00000000100010100101000110")
    wiegand.set_defaults(func=_wiegand)
    rdm6300 = kinds.add_parser("rdm6300", help="a frame of an RDM6300 or ID-12 serial reader, without STX and ETX")
    rdm6300.add_argument("frame", metavar="HEX", help="ten digits of tag and two of checksum")
    rdm6300.set_defaults(func=_rdm6300)


def _wiegand(args: argparse.Namespace) -> int:
    bits: str = args.bits
    if not bits or set(bits) - {"0", "1"}:
        return _refuse(f"BITS is {bits!r}: only 0 and 1 are allowed", usage=True)
    decoded = decode(bits, FORMATS.values())
    if isinstance(decoded, str):
        known = ", ".join(f"{f.name} ({f.length} bits)" for f in FORMATS.values())
        return _refuse(f"{len(bits)} bits fail the {decoded} check of every known format: {known}")
    print(msgspec.json.encode(decoded).decode())
    return 0


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
