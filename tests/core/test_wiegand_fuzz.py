"""Bad wires and a controller without time: whatever one trouble does to a frame, it is read as what it was, or not at all."""

from __future__ import annotations

import pytest

from agent.core.formats import FORMATS
from tests.core.frames import PARITY_PROTECTED
from tests.core.test_formats import UNDETECTED_PAIRS
from tests.wiegand_fuzz import (
    BEYOND,
    Tally,
    clean,
    cut_short,
    edges_lost_unseen,
    fuzz,
    lost_and_made_up_for,
    one_bit_on_the_wrong_wire,
    table,
    two_bits_on_the_wrong_wire,
)

FEW, MANY = 6_000, 100_000
SEED = 20


def promises_hold(tallies: dict[str, Tally], count: int) -> None:
    assert sum(tally.sent for tally in tallies.values()) == count
    assert {harm: tally.wrong for harm, tally in tallies.items()} == dict.fromkeys(tallies, 0)
    assert {harm: tally.taken_back for harm, tally in tallies.items()} == dict.fromkeys(tallies, 0)
    well = tallies[clean.__name__]
    assert well.read == well.sent, "and whoever holds out a card is let in, however busy the controller"
    assert tallies["one_bit_on_the_wrong_wire"].read == 0


def test_no_single_trouble_makes_another_card_out_of_a_frame():
    promises_hold(fuzz(FEW, SEED), FEW)


@pytest.mark.system
def test_none_of_a_hundred_thousand_troubled_frames_is_read_as_another_card(capsys):
    tallies = fuzz(MANY, SEED + 1)
    with capsys.disabled():
        print(f"\n{MANY:,} frames, a reader on the kernel's queue, stalls of up to 0.4 s\n{table(tallies)}")
    promises_hold(tallies, MANY)


@pytest.mark.system
def test_nor_where_the_driver_cannot_say_what_it_has_not_handed_on_yet(capsys):
    """Then a stall may pass for silence: cards are refused for it, and a card cut out of a longer frame is taken back by its next bit."""
    tallies = fuzz(MANY, SEED + 2, knows_the_queue=False)
    with capsys.disabled():
        print(f"\n{MANY:,} frames, a driver that cannot say what waits, stalls of up to 0.4 s\n{table(tallies)}")
    assert sum(tally.wrong for tally in tallies.values()) == 0
    assert 0 < sum(tally.taken_back for tally in tallies.values()) < MANY // 500
    assert tallies[clean.__name__].taken_back == 0


def test_two_wrong_bits_pass_as_often_as_the_parity_rules_say_and_no_more_often():
    """Not a promise but a limit, and known: 29 to 52 in a hundred, as the format goes."""
    for name in PARITY_PROTECTED:
        length = FORMATS[name].length
        share = UNDETECTED_PAIRS[name] / (length * (length - 1) / 2)
        tally = fuzz(1_000, SEED + 3, (two_bits_on_the_wrong_wire,), (name,))[two_bits_on_the_wrong_wire.__name__]
        assert tally.wrong / tally.sent == pytest.approx(share, abs=0.065), name


@pytest.mark.system
def test_what_no_receiver_can_see_is_counted(capsys):
    even, other = (fuzz(20_000, SEED + 4, BEYOND, pace=pace) for pace in ("even", "any"))
    with capsys.disabled():
        print(f"\n20,000 frames beyond what can be seen\n{table(even)}\n\nthe same without looking at the pace\n{table(other)}")
    seen, unseen = even[lost_and_made_up_for.__name__], other[lost_and_made_up_for.__name__]
    assert seen.wrong < seen.sent / 1000, "a lost edge and an invented one"
    assert unseen.wrong > 100 * seen.wrong, "which is why the pace is looked at"


def test_a_reader_that_may_send_several_lengths_can_be_deceived_by_a_cut_at_the_end_but_hardly_by_a_hole():
    """Why a reader's list should name the formats that are in use and no more: 35 bits cut to 34 are 34 bits."""
    allowed = ("C1000-35", "W34", "H10301")
    tallies = fuzz(4_000, SEED + 6, (cut_short, edges_lost_unseen), ("C1000-35",), allowed=allowed)
    cut, holes = tallies[cut_short.__name__], tallies[edges_lost_unseen.__name__]
    assert 0 < cut.wrong < cut.sent / 20, "1 in 17 has one of the two other lengths, and of those 1 in 4 its parity"
    assert holes.wrong < holes.sent / 200, "the first or the last edge, and no other"


def test_a_format_without_parity_reads_a_wrong_bit_as_another_card_and_a_cut_frame_not_at_all():
    """Why W32 and raw are for readers that offer nothing else."""
    wrong_bit = fuzz(500, SEED + 5, (one_bit_on_the_wrong_wire,), ("W32",))[one_bit_on_the_wrong_wire.__name__]
    assert wrong_bit.wrong == wrong_bit.sent
    cut = fuzz(500, SEED + 5, (cut_short,), ("W32",))[cut_short.__name__]
    assert (cut.wrong, cut.refused) == (0, 500)
