"""Edges that were lost, invented or late: what a framer refuses although length and parity hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.formats import H10301, formats_named
from agent.core.messages import CredentialRead, KeyPressed, ReadFault
from agent.core.wiegand import FRAME_GAP_S, LATE_S, MAX_BITS, WiegandFramer
from tests.core.frames import Edge, evenly, paced
from tests.core.vectors import WIEGAND_26, WIEGAND_FORMATS

ONE, TWO, THREE, FOUR = (row["raw_bits"] for row in WIEGAND_26[:4])
CORPORATE = next(row["raw_bits"] for row in WIEGAND_FORMATS if row["format"] == "C1000-35")

Thing = CredentialRead | KeyPressed | ReadFault


class Wire:
    """Feeds a framer as the door's loop does, and keeps what comes out."""

    def __init__(self, formats=(H10301,), pace="even") -> None:
        self.framer = WiegandFramer("front", formats, pace=pace)
        self.out: list[Thing] = []

    def send(self, edges: list[Edge]) -> None:
        for bit, at_s in edges:
            self._keep(self.framer.flush(at_s), self.framer.before(at_s), self.framer.edge(bit, at_s))

    def lose(self, at_s: float) -> None:
        self._keep(self.framer.lost(at_s))

    def wait(self, until_s: float) -> None:
        self._keep(self.framer.flush(until_s))

    def _keep(self, *things: Thing | None) -> None:
        self.out += [thing for thing in things if thing is not None]

    @property
    def cards(self) -> list[str]:
        return [thing.bits for thing in self.out if isinstance(thing, CredentialRead)]

    @property
    def faults(self) -> list[str]:
        return [thing.fault for thing in self.out if isinstance(thing, ReadFault)]


# -- edges that the kernel says it lost ----------------------------------------------------------------------------------------


@given(st.integers(1, 25))
def test_a_loss_inside_a_frame_refuses_it_and_the_next_and_no_more(at):
    """Even where the edges on both sides of it add up to a whole, valid frame."""
    wire, edges = Wire(), evenly(ONE)
    wire.send(edges[:at])
    wire.lose(edges[at][1])
    wire.send(edges[at:] + evenly(TWO, 2.0) + evenly(THREE, 3.0))
    wire.wait(4.0)
    assert wire.cards == [THREE]
    assert wire.faults == ["lost", "lost", "lost"], "both pieces, and the next"


def test_a_loss_while_the_line_was_silent_refuses_what_follows_and_the_next():
    wire = Wire()
    wire.lose(1.0)
    wire.send(evenly(ONE) + evenly(TWO, 2.0) + evenly(THREE, 3.0))
    wire.wait(4.0)
    assert (wire.cards, wire.faults) == ([THREE], ["lost", "lost"])


@given(st.floats(FRAME_GAP_S, 10.0))
def test_a_frame_is_not_believed_because_of_a_silence_in_which_edges_were_lost(gap_s):
    """Those 26 may be the first of 34."""
    wire, edges = Wire(), evenly(ONE)
    for bit, at_s in edges:
        wire.framer.edge(bit, at_s)
    wire.lose(1.025 + gap_s)
    assert (wire.cards, wire.faults) == ([], ["lost"])


def test_a_loss_after_a_card_that_was_already_given_takes_it_back():
    wire = Wire()
    wire.send(evenly(ONE))
    wire.wait(1.03)
    assert wire.cards == [ONE]
    wire.lose(1.04)
    assert wire.out[-1] == ReadFault(reader="front", fault="overrun", bits="", at_s=1.04)
    wire.lose(1.05)
    assert wire.faults == ["overrun"], "once"


def test_a_card_that_a_later_edge_confirmed_is_not_taken_back():
    wire = Wire()
    wire.send([*evenly(ONE), (1, 2.0)])
    assert wire.cards == [ONE]
    wire.lose(2.1)
    assert wire.faults == ["lost"]


@given(st.lists(st.tuples(st.sampled_from([ONE, TWO, THREE, FOUR]), st.integers(0, 26)), min_size=1, max_size=6), st.data())
def test_wherever_edges_are_lost_no_card_is_read_that_was_not_sent_whole(sent, data):
    """Some edges of each frame vanish, and the kernel says so, in place."""
    wire, whole = Wire(), []
    for n, (bits, lost) in enumerate(sent):
        edges = evenly(bits, 1.0 + n)
        first = data.draw(st.integers(0, 26 - lost))
        wire.send(edges[:first])
        rest = edges[first + lost :]
        if lost:
            wire.lose(rest[0][1] if rest else 1.9 + n)
        else:
            whole.append(bits)
        wire.send(rest)
        wire.wait(1.95 + n)
    assert [card for card in wire.cards if card not in whole] == []
    assert len(wire.cards) <= len(whole)


# -- edges that nobody missed: the pace ----------------------------------------------------------------------------------------


@given(st.integers(1, 33), st.floats(0.0005, 0.01))
def test_a_lost_bit_inside_a_frame_is_seen_by_the_pause_it_leaves(lost, interval_s):
    """35 bits less one are 34, which this reader may send too: parity alone lets one in four of them pass."""
    wire = Wire(formats_named(["C1000-35", "W34"]))
    edges = evenly(CORPORATE, interval_s=interval_s)
    del edges[lost]
    wire.send(edges)
    wire.wait(9.0)
    assert wire.cards == []
    assert set(wire.faults) <= {"framing", "parity"}


@given(st.integers(1, 24), st.integers(0, 24), st.floats(0.2, 0.8), st.integers(0, 1))
def test_a_lost_bit_made_up_for_by_a_pulse_of_noise_is_no_card(lost, after, share, bit):
    edges = evenly(ONE)
    noise = (bit, edges[after][1] + share * 0.001)
    edges = sorted(edges[:lost] + edges[lost + 1 :] + [noise], key=lambda edge: edge[1])
    wire = Wire()
    wire.send(edges)
    wire.wait(9.0)
    straight = abs(noise[1] - (1.0 + lost * 0.001)) < 0.0004 and bit == int(ONE[lost])
    assert wire.cards == ([ONE] if straight else [])


def test_a_reader_that_sends_unevenly_by_itself_can_be_said_to():
    gaps_s = [0.001] * 12 + [0.004] + [0.001] * 12
    for pace, cards, faults in (("even", [], ["framing"]), ("any", [ONE], [])):
        wire = Wire(pace=pace)
        wire.send(paced(ONE, gaps_s))
        wire.wait(9.0)
        assert (wire.cards, wire.faults) == (cards, faults)


def test_an_uneven_frame_shows_its_bits_to_the_installer():
    wire = Wire()
    wire.send(paced(ONE, [0.001] * 12 + [0.004] + [0.001] * 12))
    wire.wait(9.0)
    (fault,) = wire.out
    assert fault == ReadFault(reader="front", fault="framing", bits=ONE, at_s=pytest.approx(1.028))


@given(st.floats(0.0002, 0.02), st.lists(st.floats(-0.00005, 0.00005), min_size=26, max_size=26))
def test_the_kernels_own_wobble_refuses_nobody(interval_s, wobbles_s):
    edges = [(bit, at_s + wobble_s) for (bit, at_s), wobble_s in zip(evenly(ONE, interval_s=interval_s), wobbles_s, strict=True)]
    wire = Wire()
    wire.send(edges)
    wire.wait(9.0)
    assert wire.cards == [ONE]


# -- several formats on one reader ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", WIEGAND_FORMATS, ids=lambda row: f"{row['format']} {row['facility']}-{row['card']}")
def test_every_card_of_the_world_is_read_from_the_wires(row):
    wire = Wire(formats_named([row["format"]]))
    wire.send(evenly(row["raw_bits"], interval_s=0.002))
    wire.wait(1.0 + 40 * 0.002 + LATE_S)
    (read,) = wire.out
    assert isinstance(read, CredentialRead)
    assert (read.format, read.facility, read.card) == (row["format"], int(row["facility"]), int(row["card"]))


def test_an_unknown_length_shows_its_bits_to_the_installer():
    wire = Wire()
    wire.send(evenly("0110" * 12))
    wire.wait(9.0)
    (fault,) = wire.out
    assert isinstance(fault, ReadFault)
    assert (fault.fault, fault.bits) == ("length", "0110" * 12)


def test_an_endless_frame_is_kept_in_bounds_with_its_gaps():
    wire = Wire()
    wire.send(evenly("01" * 3000))
    wire.wait(99.0)
    (fault,) = wire.out
    assert isinstance(fault, ReadFault)
    assert (fault.fault, len(fault.bits)) == ("overrun", MAX_BITS)
