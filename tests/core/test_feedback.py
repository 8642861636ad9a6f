"""What the person at the door is told: everybody can tell it, by ear alone, by eye alone, and without telling red from green."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.core.access import Access
from agent.core.decide import Case, Decision, Seen
from agent.core.feedback import (
    COLUMNS,
    LINES,
    MAX_FLASHES_PER_S,
    TABLE,
    TEXTS,
    FeedbackRules,
    Meaning,
    Showing,
    Signal,
    shown_at,
    signal_for,
)  # fmt: skip
from agent.core.meanings import MEANING_OF, meaning_of, meaning_of_refusal, meaning_of_wait
from agent.core.messages import CredentialRead
from agent.core.reasons import Reason

NOON, NIGHT = datetime(2026, 11, 23, 12, 0), datetime(2026, 11, 23, 23, 30)
STEP_S = 0.02
PAIRS = list(itertools.combinations(Meaning, 2))


def decision(*reasons: Reason, granted: bool = False) -> Decision:
    read = CredentialRead(reader="front", format="H10301", facility=1, card=2, bits="", read_s=1.0)
    seen = Seen(status="fresh", age_s=0.1, frame=1, taken_s=1.0, faces=1, at_door=1)
    return Decision(granted=granted, reasons=reasons, read=read, cardholder="c", profile="", schedule="", match=None, seen=seen,
                    waited_s=0.1, pulse_s=3.0 if granted else 0.0)  # fmt: skip


def light(signal: Signal, seconds: float = 12.0) -> list[bool]:
    return [shown_at(signal, step * STEP_S).light for step in range(round(seconds / STEP_S))]


def beeps(signal: Signal) -> tuple[str, ...]:
    """What an ear keeps of a sound: how many beeps, each short or long, and whether it goes on for ever."""
    ons = ["long" if on_s > 0.4 else "short" for on_s in signal.sound_s[::2]]
    return (*ons, *(["for ever"] if signal.sound_s and not signal.repeats else []))


def flashes(signal: Signal) -> list[float]:
    levels = light(signal)
    return [step * STEP_S for step in range(1, len(levels)) if levels[step] and not levels[step - 1]]


# -- telling them apart ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda meaning: meaning.value)
def test_no_two_meanings_look_alike_in_black_and_white(one, other):
    """However a glance falls into the rhythms, a tenth of the time one lamp is lit and the other dark."""
    first, second = light(TABLE[one]), light(TABLE[other])
    length = len(first)
    differ = min(
        sum(a != b for a, b in zip(first, second[shift:] + second[:shift], strict=True)) for shift in range(0, length // 2, 2)
    )
    assert differ / length > 0.1


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda meaning: meaning.value)
def test_no_two_meanings_sound_alike(one, other):
    assert beeps(TABLE[one]) != beeps(TABLE[other])


def test_only_a_door_at_rest_is_silent():
    assert [meaning for meaning in Meaning if not TABLE[meaning].sound_s] == [Meaning.READY]


@pytest.mark.parametrize("meaning", Meaning, ids=lambda meaning: meaning.value)
def test_long_is_long_and_short_is_short(meaning):
    for on_s in TABLE[meaning].sound_s[::2]:
        assert on_s <= 0.25 or on_s >= 0.6
    for pause_s in TABLE[meaning].sound_s[1:-1:2]:
        assert pause_s >= 0.1, "an ear needs a pause to count"


@pytest.mark.parametrize("meaning", Meaning, ids=lambda meaning: meaning.value)
def test_nothing_flashes_more_than_three_times_a_second(meaning):
    times = flashes(TABLE[meaning])
    assert all(sum(start <= t < start + 1.0 for t in times) <= MAX_FLASHES_PER_S for start in times)


@pytest.mark.parametrize("meaning", Meaning, ids=lambda meaning: meaning.value)
def test_every_meaning_is_lit_and_told_within_three_seconds(meaning):
    assert any(light(TABLE[meaning], 3.0))
    if TABLE[meaning].repeats:
        assert sum(TABLE[meaning].sound_s) <= 3.0


# -- text ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", TEXTS)
def test_a_language_says_everything_in_the_room_that_a_display_has(language):
    texts = TEXTS[language]
    assert set(texts) == set(Meaning)
    assert len(set(texts.values())) == len(texts)
    for text in texts.values():
        lines = text.split("\n")
        assert len(lines) <= LINES
        assert all(0 < len(line) <= COLUMNS for line in lines)


def test_a_language_that_is_not_there_is_english():
    assert signal_for(Meaning.GRANTED, FeedbackRules(language="eo"), NOON).text == TEXTS["en"][Meaning.GRANTED]


# -- what decisions mean -----------------------------------------------------------------------------------------------------------


def test_every_reason_has_its_meaning():
    assert set(MEANING_OF) == set(Reason)


@given(st.lists(st.sampled_from(Reason), min_size=1, max_size=4))
def test_whoever_is_not_let_in_is_never_told_to_come_in(reasons):
    assert meaning_of_refusal(reasons) in (Meaning.SECOND_PERSON, Meaning.DENIED, Meaning.TRY_AGAIN, Meaning.OUT_OF_ORDER)


def test_whoever_was_not_seen_clearly_may_try_again():
    assert meaning_of_refusal([Reason.NO_FACE_IN_VIEW]) is Meaning.TRY_AGAIN
    assert meaning_of_refusal([Reason.FACE_NOT_CLEAR]) is Meaning.TRY_AGAIN


def test_a_picture_that_was_shown_and_taken_away_is_no_invitation_to_try_again():
    assert meaning_of_refusal([Reason.FACE_NOT_CLEAR, Reason.PRESENTATION_ATTACK]) is Meaning.DENIED


def test_a_camera_that_is_away_is_no_fault_of_the_person():
    assert meaning_of_refusal([Reason.VISION_MISSING]) is Meaning.OUT_OF_ORDER
    assert meaning_of_refusal([Reason.FACE_MISMATCH, Reason.VISION_STALE]) is Meaning.DENIED


def test_the_first_of_two_is_asked_for_the_second_whatever_else_is_told():
    assert meaning_of_refusal([Reason.SECOND_PERSON_NEEDED, Reason.VISION_MISSING]) is Meaning.SECOND_PERSON


def test_a_stolen_fob_and_one_for_another_hour_look_the_same_to_who_holds_them():
    assert meaning_of_refusal([Reason.CREDENTIAL_STOLEN]) is meaning_of_refusal([Reason.OUTSIDE_SCHEDULE])


@given(st.lists(st.sampled_from([reason for reason in Reason if reason is not Reason.DURESS]), min_size=1, max_size=3))
def test_duress_shows_nothing_at_the_door(reasons):
    assert meaning_of_refusal([*reasons, Reason.DURESS]) is meaning_of_refusal(reasons)


@pytest.mark.parametrize("granted", [True, False])
def test_a_decision_under_duress_looks_and_sounds_like_any_other(granted):
    usual = decision(Reason.FACE_MATCH if granted else Reason.FACE_NOT_CLEAR, granted=granted)
    forced = replace(usual, reasons=(*usual.reasons, Reason.DURESS), duress=True)
    assert signal_for(meaning_of(forced), QUIET, NOON) == signal_for(meaning_of(usual), QUIET, NOON)


def test_who_waits_is_told_what_for():
    case = Case(read=decision(Reason.FACE_MATCH).read, access=Access(refused=None), started_s=1.0)
    assert meaning_of_wait(case) is Meaning.LOOK_AT_CAMERA
    assert meaning_of_wait(replace(case, pin="awaited")) is Meaning.ENTER_PIN


# -- quiet hours -----------------------------------------------------------------------------------------------------------------

QUIET = FeedbackRules(quiet_from_min=22 * 60, quiet_until_min=6 * 60)


def test_by_night_a_door_answers_and_does_not_nag():
    assert signal_for(Meaning.CLOSE_THE_DOOR, QUIET, NIGHT).repeats == 1
    assert signal_for(Meaning.CLOSE_THE_DOOR, QUIET, NOON).repeats == 0
    assert signal_for(Meaning.GRANTED, QUIET, NIGHT).sound_s


@pytest.mark.parametrize(
    ("minute", "quiet"), [(22 * 60 - 1, False), (22 * 60, True), (0, True), (6 * 60 - 1, True), (6 * 60, False)]
)
def test_quiet_hours_may_go_over_midnight(minute, quiet):
    at = datetime(2026, 11, 23, minute // 60, minute % 60)
    silent = FeedbackRules(quiet_from_min=22 * 60, quiet_until_min=6 * 60, quiet_sound="off")
    assert (signal_for(Meaning.DENIED, silent, at).sound_s == ()) == quiet


def test_a_silent_door_still_shows_everything():
    silent = [signal_for(meaning, FeedbackRules(sound="off"), NOON) for meaning in Meaning]
    assert all(not signal.sound_s and signal.light_s == TABLE[signal.meaning].light_s for signal in silent)


def test_who_needs_longer_sees_the_light_as_long_as_the_door_is_open():
    assert signal_for(Meaning.GRANTED, FeedbackRules(), NOON, lasts_s=10.0).lasts_s == 10.0


# -- in time ---------------------------------------------------------------------------------------------------------------------


@given(st.sampled_from(Meaning), st.floats(0, 1e5))
def test_what_is_said_to_change_changes_then_and_not_before(meaning, elapsed_s):
    signal = TABLE[meaning]
    now = shown_at(signal, elapsed_s)
    if now.changes_in_s is None:
        assert shown_at(signal, elapsed_s + 1e3)[:2] == now[:2]
        return
    assert 0 < now.changes_in_s < 4
    if now.changes_in_s < 1e-6:
        return  # less than a float of this size can tell
    before = shown_at(signal, elapsed_s + now.changes_in_s * 0.5)
    assert before[:2] == now[:2]


def test_a_sound_is_played_as_often_as_it_says_and_then_never_again():
    denied = TABLE[Meaning.DENIED]
    heard = [shown_at(denied, step * 0.01).sound for step in range(1000)]
    assert sum(now and not before for before, now in itertools.pairwise([False, *heard])) == 3
    assert not any(heard[100:])


def test_a_door_goes_back_to_rest_by_itself_and_only_once():
    showing = Showing(TABLE[Meaning.READY])
    showing.show(TABLE[Meaning.DENIED], 10.0)
    assert showing.tick(12.9) is None
    assert showing.tick(13.0) == TABLE[Meaning.READY]
    assert showing.tick(14.0) is None


def test_what_stands_at_rest_can_change_behind_what_is_shown():
    showing = Showing(TABLE[Meaning.READY])
    showing.show(TABLE[Meaning.GRANTED], 0.0)
    assert showing.rest(TABLE[Meaning.OUT_OF_ORDER]) is None
    assert showing.tick(3.0) == TABLE[Meaning.OUT_OF_ORDER]


def test_a_reminder_stands_until_it_is_ended():
    showing = Showing(TABLE[Meaning.READY])
    showing.show(TABLE[Meaning.CLOSE_THE_DOOR], 0.0)
    assert showing.due_s is None
    assert showing.end() == TABLE[Meaning.READY]
    assert showing.end() is None
