"""What reading a card's bits costs the controller: from edges to a credential, and decoding alone beside the way it is usually written."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from agent.core.formats import FORMATS, Decoded, WiegandFormat, decode, formats_named
from agent.core.messages import CredentialRead
from agent.core.wiegand import WiegandFramer
from agent.errors import DoorwardError
from tools.bench.figures import Figure, Section, Setting, median, percentile

FRAMES = 16_000
BATCH = 50
MOST_US = 500.0
"""A twentieth of the budget from a fob's last bit to the relay."""


def decoding(setting: Setting) -> Section:
    """Every format, valid frames and frames with one wrong bit in turn."""
    chance = random.Random(setting.seed)  # noqa: S311 - card numbers, no secrets
    frames = [_frame(form, chance) for form in FORMATS.values() for _ in range(setting.repeats(FRAMES) // len(FORMATS))]
    chance.shuffle(frames)
    ours = _batches(lambda bits: decode(bits, FORMATS.values()), frames)
    usual = _batches(_as_usual, [bits for bits in frames if len(bits) == 26])
    ours_26 = _batches(lambda bits: decode(bits, _H10301), [bits for bits in frames if len(bits) == 26])
    whole_us = [_from_edges(bits) for bits in frames]
    return Section(
        name="decoding", title="A card's bits",
        how=f"{len(frames)} frames of the eight formats, valid and with one wrong bit in turn. Decoding alone is timed in batches of "
            f"{BATCH}. 'As it is usually written' is a 26-bit decoder of string slices and counted characters, as in the scripts that people "
            "start with; it knows that one format. 'Edges to credential' is all that the door's loop does for a frame: the edges of 26 to "
            "37 bits with their times, silence, pace, parity, fields.",
        figures=(
            Figure(what="decode, all eight formats allowed, p50", value=median(ours), unit="us"),
            Figure(what="decode, all eight formats allowed, p99", value=percentile(ours, 0.99), unit="us"),
            Figure(what="decode, 26 bits alone, p50", value=median(ours_26), unit="us"),
            Figure(what="26 bits as it is usually written, p50", value=median(usual), unit="us"),
            Figure(what="edges to credential, p50", value=median(whole_us), unit="us"),
            Figure(what="edges to credential, p99", value=percentile(whole_us, 0.99), unit="us", most=MOST_US),
            Figure(what="26-bit frames on which the two disagree", value=float(_wrong(frames)), unit="", most=0),
        ),
    )  # fmt: skip


_H10301 = formats_named(["H10301"])


def _frame(form: WiegandFormat, chance: random.Random) -> str:
    """Random fields with the parity that the format wants; every second one with a wrong bit, where parity can see it."""
    bits = [chance.choice("01") for _ in range(form.length)]
    for rule in form.parity:
        others = sum(bits[bit] == "1" for bit in rule.covered)
        bits[rule.bit] = str((others + rule.odd) % 2)
    if form.parity and chance.random() < 0.5:
        wrong = chance.randrange(form.length)
        bits[wrong] = "10"[int(bits[wrong])]
    return "".join(bits)


def _batches(work: Callable[[str], object], frames: list[str]) -> list[float]:
    """Microseconds a frame, one sample a batch."""
    samples = []
    for start in range(0, len(frames) - BATCH + 1, BATCH):
        batch = frames[start : start + BATCH]
        began_s = time.perf_counter()
        for bits in batch:
            work(bits)
        samples.append(1e6 * (time.perf_counter() - began_s) / BATCH)
    return samples


def _as_usual(bits: str) -> tuple[int, int] | None:
    if len(bits) != 26:
        return None
    even, odd = bits[0:13].count("1"), bits[13:26].count("1")
    if even % 2 != 0 or odd % 2 != 1:
        return None
    return int(bits[1:9], 2), int(bits[9:25], 2)


def _from_edges(bits: str) -> float:
    """Microseconds for a whole frame; raises DoorwardError when its card does not come out."""
    framer = WiegandFramer("front", tuple(FORMATS.values()))
    edges = [(int(bit), 1.0 + 0.001 * n) for n, bit in enumerate(bits)]
    began_s = time.perf_counter()
    for bit, at_s in edges:
        framer.before(at_s)
        framer.edge(bit, at_s)
    thing = framer.flush(2.0)
    took_us = 1e6 * (time.perf_counter() - began_s)
    if isinstance(thing, CredentialRead) != isinstance(decode(bits, FORMATS.values()), Decoded):
        raise DoorwardError(f"the frame {bits} ended as {thing} on the wires")
    return took_us


def _wrong(frames: list[str]) -> int:
    """26-bit frames on which the two decoders disagree."""
    wrong = 0
    for bits in frames:
        if len(bits) == 26:
            ours = decode(bits, _H10301)
            wrong += ((ours.facility, ours.card) if isinstance(ours, Decoded) else None) != _as_usual(bits)
    return wrong
