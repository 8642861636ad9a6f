"""Frames built from the published layouts, written out by hand: never by what they shall prove."""

from __future__ import annotations

from itertools import accumulate

Edge = tuple[int, float]


def parity(ones: int, odd: bool) -> str:
    return str((ones + odd) % 2)


def even_then_odd(data: str, half: int) -> str:
    """Even parity over the first `half` data bits in front, odd parity over the last `half` behind."""
    return parity(data[:half].count("1"), False) + data + parity(data[-half:].count("1"), True)


def odd_then_even(data: str, half: int) -> str:
    return parity(data[:half].count("1"), True) + data + parity(data[-half:].count("1"), False)


def corporate_1000(facility: int, card: int) -> str:
    """Position 2 even over 3 4 6 7 … 33 34, position 35 odd over 2 3 5 6 … 32 33, position 1 odd over all others; counted from 1."""
    data = f"{facility:012b}{card:020b}"
    at = dict(enumerate(data, start=3))
    at[2] = parity(sum(at[p] == "1" for p in range(3, 35) if p % 3 != 2), False)
    at[35] = parity(sum(at[p] == "1" for p in range(2, 34) if p % 3 != 1), True)
    rest = "".join(at[p] for p in range(2, 36))
    return parity(rest.count("1"), True) + rest


BUILDERS = {
    "H10301": (8, 16, lambda f, c: even_then_odd(f"{f:08b}{c:016b}", 12)),
    "W34": (16, 16, lambda f, c: even_then_odd(f"{f:016b}{c:016b}", 16)),
    "C1000-35": (12, 20, corporate_1000),
    "W36": (18, 16, lambda f, c: even_then_odd(f"{f:018b}{c:016b}", 17)),
    "W36-odd-even": (16, 16, lambda f, c: odd_then_even(f"{f:016b}{c:016b}00", 17)),
    "H10302": (0, 35, lambda f, c: even_then_odd(f"{c:035b}", 18)),
    "H10304": (16, 19, lambda f, c: even_then_odd(f"{f:016b}{c:019b}", 18)),
    "W32": (0, 32, lambda f, c: f"{c:032b}"),
}
"""Format -> bits of the facility code, bits of the card number, builder of a frame."""

PARITY_PROTECTED = tuple(name for name in BUILDERS if name != "W32")


def flipped(bits: str, *at: int) -> str:
    """The frame with the bits at these places turned over."""
    return "".join("10"[int(bit)] if n in at else bit for n, bit in enumerate(bits))


def evenly(bits: str, start_s: float = 1.0, interval_s: float = 0.001) -> list[Edge]:
    return [(int(bit), start_s + n * interval_s) for n, bit in enumerate(bits)]


def paced(bits: str, gaps_s: list[float], start_s: float = 1.0) -> list[Edge]:
    """A frame whose bits come after the given gaps, one fewer than bits."""
    return [(int(bit), at_s) for bit, at_s in zip(bits, accumulate(gaps_s, initial=start_s), strict=True)]
