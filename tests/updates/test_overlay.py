"""Which settings may be changed from afar: a list that names real keys, and refuses everything else with a sentence."""

from __future__ import annotations

import contextlib

import msgspec.inspect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import parse_config
from agent.errors import BundleError, ConfigError
from agent.sections import Config
from agent.updates.overlay import ALLOWED, ONLY, laid_over, parse_overlay, with_overlay
from agent.updates.package import parse_head

OWN = {"site": "hq", "door": "front", "timing": {"held_open_s": 50.0, "rex_pulse_s": 7.0}}


def keys_of(table: str) -> set[str]:
    field = next(each for each in msgspec.inspect.type_info(Config).fields if each.name == table)  # type: ignore[attr-defined]
    return {each.encode_name for each in field.type.fields}


def test_every_key_on_the_list_is_one_of_the_configuration():
    for table, keys in ALLOWED.items():
        assert keys <= keys_of(table), table
    assert all(key in ALLOWED[table] for table, key in ONLY)


@pytest.mark.parametrize("text", [
    "site = 'lab'", "[lock]\npulse_s = 9.0", "[board]\npins = 'sim'", "[link]\nhost = 'evil'", "[records]\ncentre_key = '/tmp/mine'",
    "[deployment]\nprofile = 'standard'", "[timing]\nrex_pulse_s = 0.5", "[vision]\ncamera = 'file:loop.mp4'", "[vision]\nmodels = '/tmp'",
    "[[readers]]\nkind = 'wiegand'", "[inputs]\nrex_pin = 'none'", "[live]\nclips = true", "[behaviour]\nfloor = '/tmp/floor'",
])  # fmt: skip
def test_what_was_wired_measured_or_signed_at_a_door_is_not_changed_from_afar(text: str):
    with pytest.raises(ConfigError, match="may not be changed from afar"):
        parse_overlay(text.encode())


@pytest.mark.parametrize("text", [
    "[risk]\ndeny_on_behaviour_alone = true", "[behaviour]\nstress_signs = true", "[behaviour]\nnorms = 'door_and_cardholders'",
    "[vision]\nenrol = true",
])  # fmt: skip
def test_what_stands_for_somebodys_word_is_only_taken_back(text: str):
    with pytest.raises(ConfigError, match="from afar, and to nothing else"):
        parse_overlay(text.encode())


def test_what_an_update_does_not_say_stays_as_the_doors_own_file_has_it():
    config = with_overlay(OWN, b"[timing]\npropped_s = 400.0\n[policy]\nface_wait_s = 3.0\n")
    assert (config.timing.held_open_s, config.timing.rex_pulse_s, config.timing.propped_s) == (50.0, 7.0, 400.0)
    assert config.policy.face_wait_s == 3.0


def test_one_key_that_does_not_go_with_the_doors_own_refuses_the_whole():
    with pytest.raises(ConfigError, match=r"timing.propped_s"):
        with_overlay(OWN, b"[timing]\npropped_s = 40.0\n[policy]\nface_wait_s = 3.0\n")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_rubbish_is_an_error_in_words(raw: bytes):
    with contextlib.suppress(ConfigError):
        with_overlay(OWN, raw)


@given(st.binary(max_size=300))
def test_no_head_is_taken_that_nobody_made(raw: bytes):
    with pytest.raises(BundleError):
        parse_head(raw)


@given(st.dictionaries(st.sampled_from(sorted(ALLOWED["policy"])), st.floats(0, 5) | st.text(max_size=5), max_size=4))
def test_nothing_but_what_the_update_names_is_different(policy: dict):
    try:
        config = parse_config(laid_over(OWN, {"policy": policy}))
    except ConfigError:
        return
    before = parse_config(OWN)
    for key in keys_of("policy") - policy.keys():
        assert getattr(config.policy, key) == getattr(before.policy, key)
    assert config.lock == before.lock
