"""What an OSDP reader is told to show."""

from __future__ import annotations

import pytest

from agent.core.feedback import TABLE, Meaning, Signal, shown_at
from agent.core.osdp_feedback import BLACK, COLOURS, Buzzer, Led, Player, Text, display_text


def played(signal: Signal, seconds: float) -> list[tuple[float, Led | Buzzer | Text]]:
    """Every command with the time at which it goes out, as by a thread that is a little late each time."""
    player, now_s = Player(), 0.0
    out = [(0.0, one) for one in player.show(signal, now_s)]
    while player.due_s < seconds:
        now_s = player.due_s + 0.001
        out += [(now_s, one) for one in player.tick(now_s)]
    return out


def test_granted_is_steady_green_and_one_long_beep():
    commands = [one for _, one in played(TABLE[Meaning.GRANTED], 20)]
    assert commands == [Led(COLOURS["green"], 10, 0), Buzzer(6, 0, 1), Text("")]


def test_denied_flashes_by_itself_and_beeps_three_times_from_here():
    commands = played(TABLE[Meaning.DENIED], 20)
    assert commands[0] == (0.0, Led(COLOURS["red"], 2, 2))
    assert [one for _, one in commands if isinstance(one, Buzzer)] == [Buzzer(1, 0, 1)] * 3


def test_a_door_that_should_be_shut_goes_on_beeping_by_itself():
    assert Buzzer(2, 8, 0) in [one for _, one in played(TABLE[Meaning.CLOSE_THE_DOOR], 20)]


def test_the_next_signal_silences_the_one_before():
    player = Player()
    player.show(TABLE[Meaning.CLOSE_THE_DOOR], 0.0)
    assert Buzzer(0, 0, 0) in player.show(TABLE[Meaning.READY], 1.0)
    assert player.due_s == float("inf")


@pytest.mark.parametrize("meaning", [meaning for meaning in Meaning if len(TABLE[meaning].light_s) > 2])
def test_a_rhythm_of_light_is_the_tables(meaning):
    """At any moment away from a change the reader shows what the table says."""
    signal = TABLE[meaning]
    lights = [(at_s, one.colour != BLACK) for at_s, one in played(signal, 12) if isinstance(one, Led)]
    for tenth in range(100):
        at_s = tenth / 10 + 0.04
        now = shown_at(signal, at_s)
        if now.changes_in_s and now.changes_in_s > 0.01 and shown_at(signal, at_s - 0.01).light == now.light:
            assert [on for since_s, on in lights if since_s <= at_s][-1] == now.light, at_s


def test_every_two_meanings_differ_in_light_and_every_two_that_sound_in_sound():
    def light(meaning: Meaning) -> tuple[object, ...]:
        return tuple((round(at_s, 2), one) for at_s, one in played(TABLE[meaning], 6) if isinstance(one, Led))

    def sound(meaning: Meaning) -> tuple[object, ...]:
        return tuple((round(at_s, 2), one) for at_s, one in played(TABLE[meaning], 6) if isinstance(one, Buzzer))

    assert len({light(meaning) for meaning in Meaning}) == len(Meaning)
    assert len({sound(meaning) for meaning in Meaning}) == len(Meaning)


def test_a_late_thread_skips_what_is_over():
    player = Player()
    player.show(TABLE[Meaning.ENTER_PIN], 0.0)
    assert len([one for one in player.tick(60.0) if isinstance(one, Led)]) == 1
    assert player.due_s > 60.0


def test_a_display_gets_letters_that_it_has_and_the_second_line_where_it_begins():
    assert display_text("Einen Moment,\nbitte schließen") == "Einen Moment,   bitte schliessen"
    assert display_text("Réessayez\ns'il vous plaît") == "Reessayez       s'il vous plait"
    assert display_text("") == ""
