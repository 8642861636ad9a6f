"""A reader on a bad wire and a controller without time, a hundred thousand frames of it.

What counts as **wrong**: a CredentialRead whose bits are not exactly the bits of a frame that was sent at that moment. A refusal is never
wrong: somebody holds the card out again. One trouble at a time must never end wrong: bits late or early, a piece cut off, edges lost (said
by the kernel or not), one bit on the wrong wire, pulses of noise, a second frame close behind, a frame of another length. Each reader
allows one length; where several are allowed, a frame cut short to another of them is as good as sent, if its parity holds by chance.

What no receiver of these wires can see, and is therefore counted and not forbidden (`BEYOND`): two wrong bits under the same parity; an
edge lost and another invented where a reader would have sent one. Formats without parity (W32, raw) see no wrong bit at all.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

from msgspec import Struct

from agent.core.formats import FORMATS
from agent.core.messages import CredentialRead, KeyPressed, ReadFault
from agent.core.wiegand import LATE_S, Pace, WiegandFramer
from tests.core.frames import BUILDERS, PARITY_PROTECTED, flipped

Edge = tuple[int, float]
Chance = random.Random

SILENCE_S = 0.2


class Sent(Struct):
    """One presentation of a card: what the reader meant, and what is left of it on the wire."""

    frames: list[str]
    """Bits of the frames that were meant."""
    edges: list[Edge]
    lost_before: list[float]
    """Times of the edges before which the kernel says that some are missing."""


class Tally(Struct):
    """How the frames of one kind of trouble ended."""

    sent: int = 0
    read: int = 0
    """Given as the card that was sent."""
    refused: int = 0
    taken_back: int = 0
    """Given as something else, and denounced by the very next edge."""
    wrong: int = 0


def on_the_wire(bits: str, chance: Chance, start_s: float) -> list[Edge]:
    """A frame at a pace of the standard, each bit up to 15 % early or late."""
    interval_s = 10 ** chance.uniform(-3.7, -1.71)
    at_s, edges = start_s, []
    for bit in bits:
        edges.append((int(bit), at_s))
        at_s += interval_s * chance.uniform(0.85, 1.15)
    return edges


def clean(bits: str, chance: Chance) -> Sent:
    return Sent([bits], on_the_wire(bits, chance, 1.0), [])


def cut_short(bits: str, chance: Chance) -> Sent:
    edges = on_the_wire(bits, chance, 1.0)
    kept = chance.randrange(1, len(bits))
    return Sent([], edges[:kept] if chance.random() < 0.5 else edges[-kept:], [])


def edges_lost_unseen(bits: str, chance: Chance) -> Sent:
    edges = on_the_wire(bits, chance, 1.0)
    kept = sorted(chance.sample(range(len(edges)), len(edges) - chance.randrange(1, 6)))
    return Sent([], [edges[n] for n in kept], [])


def edges_lost_and_said(bits: str, chance: Chance) -> Sent:
    """As when the queue was full; the edges around the hole may add up to a whole frame of the length."""
    edges = on_the_wire(bits + bits, chance, 1.0)
    first = chance.randrange(1, len(bits))
    rest = edges[len(bits) + first :] if chance.random() < 0.5 else edges[first + chance.randrange(1, 4) :]
    return Sent([], edges[:first] + rest, [rest[0][1]])


def one_bit_on_the_wrong_wire(bits: str, chance: Chance) -> Sent:
    return Sent([bits], on_the_wire(flipped(bits, chance.randrange(len(bits))), chance, 1.0), [])


def noise(bits: str, chance: Chance) -> Sent:
    """Pulses on either line, in the frame and around it."""
    edges = on_the_wire(bits, chance, 1.0)
    pulses = [(chance.randrange(2), chance.uniform(0.95, edges[-1][1] + 0.05)) for _ in range(chance.randrange(1, 5))]
    return Sent([bits], sorted(edges + pulses, key=lambda edge: edge[1]), [])


def storm(bits: str, chance: Chance) -> Sent:
    """Nothing but noise."""
    edges = [(chance.randrange(2), 1.0 + chance.uniform(0.0, 0.2)) for _ in range(chance.randrange(1, 160))]
    return Sent([], sorted(edges, key=lambda edge: edge[1]), [])


def two_frames_in_one(bits: str, chance: Chance) -> Sent:
    first = on_the_wire(bits, chance, 1.0)
    other = bits[chance.randrange(len(bits)) :] + bits
    second = on_the_wire(other[: len(bits)], chance, first[-1][1] + chance.uniform(0.0002, 0.0249))
    return Sent([bits], first + second, [])


def another_length(bits: str, chance: Chance) -> Sent:
    """A longer card whose first or last bits are somebody's valid card."""
    more = "".join(chance.choice("01") for _ in range(chance.randrange(1, 30)))
    return Sent([], on_the_wire(bits + more if chance.random() < 0.5 else more + bits, chance, 1.0), [])


def two_bits_on_the_wrong_wire(bits: str, chance: Chance) -> Sent:
    return Sent([bits], on_the_wire(flipped(bits, *chance.sample(range(len(bits)), 2)), chance, 1.0), [])


def lost_and_made_up_for(bits: str, chance: Chance) -> Sent:
    """As many edges lost as pulses of noise come, so that the length is right again."""
    edges = on_the_wire(bits, chance, 1.0)
    count = chance.randrange(1, 4)
    pulses = [(chance.randrange(2), chance.uniform(0.98, edges[-1][1] + 0.02)) for _ in range(count)]
    kept = sorted(chance.sample(range(len(edges)), len(edges) - count))
    return Sent([bits], sorted([edges[n] for n in kept] + pulses, key=lambda edge: edge[1]), [])


Harm = Callable[[str, Chance], Sent]
WITHIN: tuple[Harm, ...] = (
    clean, cut_short, edges_lost_unseen, edges_lost_and_said, one_bit_on_the_wrong_wire, noise, storm, two_frames_in_one, another_length,
)  # fmt: skip
"""Troubles of one kind at a time: none may end wrong."""
BEYOND: tuple[Harm, ...] = (two_bits_on_the_wrong_wire, lost_and_made_up_for)


def handed_on(sent: Sent, chance: Chance) -> Iterator[tuple[float, list[Edge]]]:
    """When a controller's loop gets a turn, and the edges that it is handed in it: its threads stand still for up to 0.4 s at a time."""
    waiting, now_s = list(sent.edges), 1.0
    while waiting:
        stall_s = chance.choice((0.0, 0.0005, 0.003)) if chance.random() < 0.9 else chance.uniform(0.0, 0.4)
        now_s = max(now_s, waiting[0][1]) + stall_s
        ready = [edge for edge in waiting if edge[1] <= now_s]
        waiting = waiting[len(ready) :]
        yield now_s, ready


Thing = CredentialRead | KeyPressed | ReadFault


def received(sent: Sent, framer: WiegandFramer, chance: Chance, knows_the_queue: bool) -> list[Thing]:
    """What a door's loop makes of it. `knows_the_queue`: the driver says up to when everything was handed on (hw.reader_gpiod); otherwise the
    loop, awake before the driver's thread, takes its own standing still for silence."""
    out: list[Thing | None] = []
    framer.listening_since(sent.edges[0][1] - SILENCE_S)
    losses = set(sent.lost_before)
    for now_s, edges in handed_on(sent, chance):
        if not knows_the_queue:
            out.append(framer.flush(now_s))
        for bit, at_s in edges:
            out += [framer.lost(at_s) if at_s in losses else framer.before(at_s), framer.edge(bit, at_s)]
        out.append(framer.flush(now_s))
    out.append(framer.flush(sent.edges[-1][1] + LATE_S + 1.0))
    return [thing for thing in out if thing is not None]


def judge(sent: Sent, things: list[Thing], tally: Tally) -> None:
    tally.sent += 1
    before = (tally.read, tally.taken_back, tally.wrong)
    for thing, after in zip(things, [*things[1:], None], strict=True):
        if not isinstance(thing, CredentialRead):
            continue
        if thing.bits in sent.frames:
            tally.read += 1
        elif isinstance(after, ReadFault) and after.fault == "overrun" and not after.bits:
            tally.taken_back += 1
        else:
            tally.wrong += 1
    tally.refused += before == (tally.read, tally.taken_back, tally.wrong)


def frame(name: str, chance: Chance) -> str:
    facility_bits, card_bits, build = BUILDERS[name]
    return str(build(chance.getrandbits(facility_bits) if facility_bits else 0, chance.getrandbits(card_bits)))


def fuzz(
    count: int, seed: int, harms: tuple[Harm, ...] = WITHIN, names: tuple[str, ...] = PARITY_PROTECTED, *,
    allowed: tuple[str, ...] = (), knows_the_queue: bool = True, pace: Pace = "even",
) -> dict[str, Tally]:  # fmt: skip
    """Sends `count` frames, formats and troubles in turn, each to a reader of its format, or of all that are `allowed`; harm -> how they
    ended."""
    chance = Chance(seed)
    tallies = {harm.__name__: Tally() for harm in harms}
    for number in range(count):
        name, harm = names[number % len(names)], harms[number // len(names) % len(harms)]
        formats = tuple(FORMATS[allowed_name] for allowed_name in allowed or (name,))
        sent = harm(frame(name, chance), chance)
        judge(sent, received(sent, WiegandFramer("front", formats, pace=pace), chance, knows_the_queue), tallies[harm.__name__])
    return tallies


def table(tallies: dict[str, Tally]) -> str:
    columns = ("sent", "read", "refused", "taken_back", "wrong")
    total = Counter[str]()
    lines = [f"{'':28}" + "".join(f"{column:>12}" for column in columns)]
    for harm, tally in tallies.items():
        lines.append(f"{harm.replace('_', ' '):28}" + "".join(f"{getattr(tally, column):>12,}" for column in columns))
        total.update({column: getattr(tally, column) for column in columns})
    return "\n".join([*lines, f"{'together':28}" + "".join(f"{total[column]:>12,}" for column in columns)])
