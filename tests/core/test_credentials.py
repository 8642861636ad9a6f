"""What a reader's edges mean: whole frames become credentials, anything else opens nothing."""

from __future__ import annotations

from itertools import cycle, islice, pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.core.credentials import FORMATS, FRAME_GAP_S, H10301, LATE_S, MAX_BITS, QUICK_GAP_MIN_S, Decoded, WiegandFramer, decode
from agent.core.messages import CredentialRead, ReadFault
from tests.core.vectors import WIEGAND_26

Edge = tuple[int, float]
KNOWN = WIEGAND_26[0]["raw_bits"]


def frame_26(facility: int, card: int) -> str:
    """The frame of a number by the published layout: even parity over the first 12 data bits, odd over the last 12."""
    data = f"{facility:08b}{card:016b}"
    return f"{data[:12].count('1') % 2}{data}{1 - data[12:].count('1') % 2}"


def evenly(bits: str, start_s: float = 1.0, interval_s: float = 0.001) -> list[Edge]:
    return [(int(bit), start_s + n * interval_s) for n, bit in enumerate(bits)]


def paced(bits: str, gaps_s: list[float], start_s: float = 1.0) -> list[Edge]:
    """A frame whose bits come after the given gaps, one fewer than bits."""
    times = [start_s]
    for gap_s in gaps_s:
        times.append(times[-1] + gap_s)
    return [(int(bit), at_s) for bit, at_s in zip(bits, times, strict=True)]


def framer() -> WiegandFramer:
    return WiegandFramer("front", (H10301,))


def play(edges: list[Edge], target: WiegandFramer | None = None) -> list[CredentialRead | ReadFault]:
    """All that comes out when the edges go in as an unhurried door's loop feeds them, with silence at the end."""
    target = target or framer()
    out: list[CredentialRead | ReadFault | None] = []
    for bit, at_s in edges:
        out += [target.flush(at_s), target.before(at_s), target.edge(bit, at_s)]
    out.append(target.flush(edges[-1][1] + LATE_S) if edges else None)
    return [thing for thing in out if thing is not None]


def play_late(edges: list[Edge]) -> list[CredentialRead | ReadFault]:
    """The same from a loop that was held up: it finds all edges at once, each with its own time."""
    target = framer()
    out = [thing for bit, at_s in edges for thing in (target.before(at_s), target.edge(bit, at_s))]
    out.append(target.flush(edges[-1][1] + LATE_S) if edges else None)
    return [thing for thing in out if thing is not None]


def credentials(things: list[CredentialRead | ReadFault]) -> list[str]:
    return [thing.bits for thing in things if isinstance(thing, CredentialRead)]


def faults(things: list[CredentialRead | ReadFault]) -> list[str]:
    return [thing.fault for thing in things if isinstance(thing, ReadFault)]


frames_26 = st.builds(frame_26, st.integers(0, 255), st.integers(0, 65535))
bit_strings = st.text("01", min_size=1, max_size=60)


# -- formats -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", WIEGAND_26, ids=lambda row: f"{row['facility']}-{row['card']}")
def test_cards_of_the_world_are_read_as_their_owners_say(row):
    expected = Decoded(format="H10301", facility=int(row["facility"]), card=int(row["card"]))
    assert decode(row["raw_bits"], FORMATS.values()) == expected


@pytest.mark.parametrize("row", WIEGAND_26, ids=lambda row: f"{row['facility']}-{row['card']}")
def test_one_wrong_bit_anywhere_in_a_card_of_the_world_is_refused(row):
    bits = row["raw_bits"]
    for n, bit in enumerate(bits):
        flipped = bits[:n] + ("1" if bit == "0" else "0") + bits[n + 1 :]
        assert decode(flipped, FORMATS.values()) == "parity"


@given(frames_26, st.integers(0, 25))
def test_one_wrong_bit_anywhere_is_refused(bits, n):
    flipped = bits[:n] + ("1" if bits[n] == "0" else "0") + bits[n + 1 :]
    assert decode(flipped, FORMATS.values()) == "parity"


@given(bit_strings)
def test_no_other_length_is_a_26_bit_card(bits):
    assume(len(bits) != 26)
    assert decode(bits, (H10301,)) == "length"


@given(st.integers(0, 255), st.integers(0, 65535))
def test_every_number_that_can_be_printed_on_a_card_can_be_read(facility, card):
    assert decode(frame_26(facility, card), FORMATS.values()) == Decoded(format="H10301", facility=facility, card=card)


# -- a frame on the wires ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", WIEGAND_26, ids=lambda row: f"{row['facility']}-{row['card']}")
def test_a_frame_on_the_wires_becomes_the_credential_it_was(row):
    (read,) = play(evenly(row["raw_bits"]))
    assert read == CredentialRead(
        reader="front",
        format="H10301",
        facility=int(row["facility"]),
        card=int(row["card"]),
        bits=row["raw_bits"],
        read_s=evenly(row["raw_bits"])[-1][1],
    )


@pytest.mark.parametrize("interval_s", [0.0002, 0.001, 0.002, 0.008, 0.02])
def test_slow_and_fast_readers_of_the_standard_are_understood(interval_s):
    assert credentials(play(evenly(KNOWN, interval_s=interval_s))) == [KNOWN]


@given(frames_26, st.data())
def test_jitter_does_not_lose_a_frame(bits, data):
    interval_s = data.draw(st.floats(0.0002, 0.0165))
    gaps_s = [interval_s * f for f in data.draw(st.lists(st.floats(0.85, 1.15), min_size=25, max_size=25))]
    assert credentials(play(paced(bits, gaps_s))) == [bits]


def test_a_credential_waits_for_three_silent_intervals_and_no_longer():
    target = framer()
    for bit, at_s in evenly(KNOWN, interval_s=0.001):
        assert target.flush(at_s) is None
        target.edge(bit, at_s)
    due_s = target.due_s
    assert due_s == pytest.approx(1.025 + 0.003)
    assert target.flush(due_s - 1e-6) is None
    assert isinstance(target.flush(due_s), CredentialRead)
    assert target.due_s is None
    assert target.flush(due_s + 1) is None


def test_a_very_fast_reader_still_gets_two_milliseconds():
    target = framer()
    for bit, at_s in evenly(KNOWN, interval_s=0.0002):
        target.edge(bit, at_s)
    assert target.due_s == pytest.approx(1.005 + QUICK_GAP_MIN_S)


def test_an_unfinished_frame_waits_for_the_longest_gap_a_reader_may_leave():
    target = framer()
    for bit, at_s in evenly(KNOWN[:25]):
        target.edge(bit, at_s)
    assert target.due_s == pytest.approx(1.024 + LATE_S)
    assert target.before(1.024 + FRAME_GAP_S - 1e-6) is None
    assert isinstance(target.before(1.024 + FRAME_GAP_S + 1e-6), ReadFault)


@given(frames_26, st.lists(st.floats(0.0, 0.14), min_size=26, max_size=26))
def test_edges_that_a_busy_controller_hands_on_late_are_still_one_frame(bits, late_s):
    """The times on the edges are the wire's; when the program gets to see them is another matter."""
    target, seen_s, out = framer(), 0.0, []
    for (bit, at_s), lateness_s in zip(evenly(bits), late_s, strict=True):
        seen_s = max(seen_s, at_s + lateness_s)
        out += [target.before(at_s), target.edge(bit, at_s)]
        if len(out) < 52:  # the loop asks after every turn; the last bit is followed by silence
            out.append(target.flush(min(seen_s, at_s + 0.14)))
    out.append(target.flush(seen_s + LATE_S))
    assert [thing.bits for thing in out if isinstance(thing, CredentialRead)] == [bits]


@given(frames_26, bit_strings, st.floats(0.0002, 0.0249))
def test_a_loop_that_was_held_up_reads_no_frame_that_bits_followed(bits, rest, gap_s):
    things = play_late(evenly(bits) + evenly(rest, start_s=1.025 + gap_s))
    assert credentials(things) == []


def test_nothing_on_the_wires_means_nothing_due():
    assert framer().due_s is None
    assert framer().flush(1e9) is None


@given(st.integers(1, 25), frames_26)
def test_a_truncated_frame_opens_nothing(kept, bits):
    told = "?" * kept if kept in (4, 8) else bits[:kept]  # as long as a key: it may be one
    assert play(evenly(bits[:kept])) == [
        ReadFault(reader="front", fault="length", bits=told, at_s=pytest.approx(1.0 + (kept - 1) / 1000))
    ]


@given(st.integers(0, 25), frames_26)
def test_a_lost_edge_opens_nothing(lost, bits):
    edges = evenly(bits)
    del edges[lost]
    assert faults(play(edges)) == ["length"]


@given(frames_26, st.text("01", min_size=1, max_size=150), st.data())
def test_a_longer_frame_is_never_read_as_its_first_26_bits(bits, rest, data):
    """For instance a 34-bit card whose first 26 bits happen to be somebody's valid fob."""
    interval_s = data.draw(st.floats(0.0002, 0.016))
    count = len(bits + rest) - 1
    gaps_s = [interval_s * f for f in data.draw(st.lists(st.floats(0.6, 1.5), min_size=count, max_size=count))]
    things = play(paced(bits + rest, gaps_s))
    assert credentials(things) == []
    assert faults(things) == ["overrun" if len(bits + rest) > MAX_BITS else "length"]


@given(frames_26, bit_strings)
def test_a_longer_frame_is_never_read_as_its_last_26_bits(bits, before):
    assert credentials(play(evenly(before + bits))) == []


@given(frames_26, bit_strings, st.floats(0.0031, 0.0249))
def test_bits_that_follow_a_frame_too_soon_are_reported_so_that_the_opening_can_be_taken_back(bits, rest, gap_s):
    """Bits that pause longer than any reader does: the first 26 were taken, and the very next edge says that they were wrong."""
    target = framer()
    first, second = evenly(bits), evenly(rest, start_s=1.025 + gap_s)
    things = play(first + second[:1], target)
    assert credentials(things) == [bits]
    assert faults(things)[0] == "overrun"
    assert isinstance(things[1], ReadFault)
    assert things[1].at_s == second[0][1]


@given(frames_26, frames_26)
def test_a_second_frame_close_behind_the_first_opens_nothing(one, two):
    things = play(evenly(one) + evenly(two, start_s=1.025 + 0.010))
    assert credentials(things) == [one]
    assert set(faults(things)) == {"overrun"}


def test_two_fobs_one_after_the_other_are_two_reads():
    other = WIEGAND_26[1]["raw_bits"]
    assert credentials(play(evenly(KNOWN) + evenly(other, start_s=1.025 + 1.001 * FRAME_GAP_S))) == [KNOWN, other]


def test_a_good_frame_after_noise_and_silence_is_read():
    assert credentials(play([*evenly("0110"), *evenly("01" * 200, 2.0), *evenly(KNOWN, 3.0)])) == [KNOWN]


def test_a_line_that_chatters_for_ever_takes_no_memory():
    target = framer()
    play([(n % 2, n * 0.001) for n in range(5000)], target)
    for bit, at_s in evenly("01" * 5000, 100.0):
        target.edge(bit, at_s)
    fault = target.flush(1e6)
    assert isinstance(fault, ReadFault)
    assert (fault.fault, len(fault.bits)) == ("overrun", MAX_BITS)


@given(frames_26, st.integers(1, 25), st.floats(1e-6, 0.02))
def test_a_frame_whose_edges_come_out_of_order_opens_nothing(bits, at, back_s):
    """Two exchanged bits keep the parity: order that is in doubt is no order."""
    edges = evenly(bits)
    edges[at] = (edges[at][0], edges[at - 1][1] - back_s)
    assert credentials(play(edges)) == []


bursts = st.lists(
    st.tuples(
        st.one_of(frames_26, bit_strings, st.builds(str.__add__, frames_26, bit_strings)),
        st.lists(st.floats(0.00005, 0.0249), min_size=1, max_size=30),
    ),
    max_size=4,
)


@given(bursts)
def test_whatever_the_edges_no_credential_comes_that_was_not_sent_whole(sent):
    """The oracle knows silence only: a credential is a whole burst, or the next edge of its burst denounces it."""
    edges: list[Edge] = []
    for bits, gaps_s in sent:
        start_s = edges[-1][1] + FRAME_GAP_S * 1.01 if edges else 1.0
        edges += paced(bits, list(islice(cycle(gaps_s), len(bits) - 1)), start_s)
    things = play(edges)
    for thing, after in pairwise([*things, None]):
        if isinstance(thing, CredentialRead) and thing.bits not in [bits for bits, _ in sent]:
            assert isinstance(after, ReadFault)
            assert after.fault == "overrun"
            assert after.at_s - thing.read_s < FRAME_GAP_S
    assert all(isinstance(decode(bits, (H10301,)), Decoded) for bits in credentials(things))
    assert len(credentials(things)) <= len(sent)


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0.00005, 0.05)), max_size=120), st.data())
def test_it_does_not_matter_how_often_the_loop_asks(noise, data):
    edges, last_s = [], 1.0
    for bit, gap_s in noise:
        last_s += gap_s
        edges.append((bit, last_s))
    often, out = framer(), []
    for (bit, at_s), (_, next_s) in pairwise([*edges, (0, last_s + 1.0)]):
        out += [often.flush(at_s), often.before(at_s), often.edge(bit, at_s)]
        between = sorted(data.draw(st.lists(st.floats(at_s, next_s), max_size=2)))
        out += [often.flush(moment_s) for moment_s in between if moment_s < next_s]
    out.append(often.flush(last_s + 1.0))
    assert [thing for thing in out if thing is not None] == play(edges)


def test_a_framer_that_opens_onto_a_frame_under_way_reads_it_as_noise():
    """The door program starts while a 34-bit card is being sent: its last 26 bits are not a fob."""
    target = framer()
    target.listening_since(0.999)
    assert credentials(play(evenly(KNOWN), target)) == []
    assert credentials(play(evenly(KNOWN, 2.0), target)) == [KNOWN]
