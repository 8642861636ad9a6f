"""One file per controller: what is wrong in it is named before the door moves."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Config, load_config, micro_expressions_allowed, parse_config, stress_signs_allowed
from agent.errors import ConfigError
from agent.local_socket import VISION_SOCKET

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LEAST: dict[str, Any] = {"site": "hq", "door": "front"}


def refusal(**tables: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config({**LEAST, **tables})
    return str(caught.value)


def written(folder: Path, text: str) -> Path:
    path = folder / "door.toml"
    path.write_text(text, "utf-8")
    return path


# -- what may be left out ------------------------------------------------------------------------------------------------------


def test_a_door_needs_a_site_and_a_name_and_is_strict_by_default(tmp_path):
    config = load_config(written(tmp_path, 'site = "hq"\ndoor = "front"\n'))
    assert (config.site, config.door) == ("hq", "front")
    assert (config.policy.without_vision, config.policy.without_template) == ("deny", "deny")
    assert (config.lock.kind, config.lock.fail) == ("strike", "secure")
    assert config.board.pins != "sim", "nothing is simulated unless somebody asks for it"
    assert config.deployment.profile == "workplace-eu"
    assert not config.deployment.expression


def test_every_table_can_be_written(tmp_path):
    text = """
    site = "hq"
    door = "front"
    run_folder = "/tmp/run"
    [board]
    pins = "sim"
    rig = "/tmp/rig.sock"
    [[readers]]
    kind = "wiegand"
    d0_pin = 5
    d1_pin = 6
    [[readers]]
    kind = "osdp"
    name = "lobby"
    leads = "out"
    device = "/dev/serial/by-id/usb-rs485"
    [lock]
    kind = "maglock"
    fail = "safe"
    hardware_release = true
    [inputs]
    fire_pin = 12
    [policy]
    without_vision = "fob_alone"
    face_wait_s = 2
    [link]
    host = "broker.hq"
    [vision]
    camera = "0"
    """
    config = load_config(written(tmp_path, text))
    assert (config.lock.fail, config.inputs.fire_pin, config.policy.face_wait_s) == ("safe", 12, 2.0)


# -- what is refused, and in which words ---------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: .*door\.example\.toml.*--config"):
        load_config(tmp_path / "absent.toml")


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    assert load_config(written(tmp_path, '\ufeffsite = "hq"\ndoor = "front"\n')).site == "hq"


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "door.toml"
    path.write_bytes(b'site = "\xff\xfe"')
    with pytest.raises(ConfigError, match=r"door\.toml: cannot be read"):
        load_config(path)


def test_bad_toml_names_file_and_line(tmp_path):
    with pytest.raises(ConfigError, match=r"door\.toml: not valid TOML: .*line 2"):
        load_config(written(tmp_path, 'site = "hq"\ndoor = front\n'))


def test_a_wrong_value_names_file_key_and_what_is_allowed(tmp_path):
    with pytest.raises(ConfigError, match=r"door\.toml: .*>= 1.*\$\.link\.port"):
        load_config(written(tmp_path, 'site = "hq"\ndoor = "front"\n[link]\nport = 0\n'))


def test_a_site_must_be_given():
    with pytest.raises(ConfigError, match="`site`"):
        parse_config({"door": "front"})


@pytest.mark.parametrize(
    ("tables", "key", "place", "allowed"),
    [
        ({"colour": "red"}, "`colour`", "", "run_folder"),
        ({"lock": {"pulse": 3.0}}, "`pulse`", "`$.lock`", "pulse_s"),
        ({"policy": {"without-vision": "deny"}}, "`without-vision`", "`$.policy`", "without_vision"),
    ],
)
def test_an_unknown_key_is_named_with_those_that_are_known(tables, key, place, allowed):
    text = refusal(**tables)
    assert key in text
    assert place in text
    assert allowed in text.split("allowed:")[1]


@pytest.mark.parametrize(
    ("tables", "place", "choices"),
    [
        ({"lock": {"kind": "bolt"}}, "`$.lock.kind`", "'strike', 'maglock'"),
        ({"policy": {"without_vision": "allow"}}, "`$.policy.without_vision`", "'deny', 'fob_alone'"),
        ({"policy": {"liveness": "on"}}, "`$.policy.liveness`", "'off', 'alert', 'deny_attack', 'require_live'"),
        ({"vision": {"stages": ["expression"]}}, "`$.vision.stages[0]`", "'attention', 'liveness', 'persons'"),
        ({"readers": [{"kind": "wiegand", "keypad": "yes"}]}, "`$.readers[0].keypad`", "'none', '4-bit', '8-bit'"),
        ({"readers": [{"kind": "nfc"}]}, "`$.readers[0].kind`", "kind = 'osdp', kind = 'serial', kind = 'wiegand'"),
        ({"readers": [{"d0_pin": 17}]}, "`$.readers[0]`", "kind = 'osdp', kind = 'serial', kind = 'wiegand'"),
        (
            {"readers": [{"kind": "wiegand", "formats": ["H1"]}]},
            "`$.readers[0].formats[0]`",
            "'H10301', 'W34', 'C1000-35', 'W36', 'W36-odd-even', 'H10302', 'H10304', 'W32', 'raw'",
        ),
        ({"board": {"pins": "pigpio"}}, "`$.board.pins`", "'gpiod', 'lgpio', 'rpigpio', 'native', 'sim'"),
    ],
)
def test_a_choice_that_does_not_exist_is_named_with_those_that_do(tables, place, choices):
    text = refusal(**tables)
    assert place in text
    assert sorted(text.split("allowed:")[1].strip().split(", ")) == sorted(choices.split(", "))


@pytest.mark.parametrize(
    ("section", "key", "value", "allowed"),
    [
        ("lock", "pulse_s", 0.4, ">= 0.5"),
        ("lock", "pulse_s", 31, "<= 30"),
        ("lock", "pulse_s", float("nan"), ">= 0.5"),
        ("lock", "pulse_s", float("inf"), "<= 30"),
        ("lock", "relay_pin", 54, "<= 53"),
        ("lock", "relay_pin", -1, ">= 0"),
        ("lock", "relay_pin", 22.5, "int"),
        ("lock", "relay_active_high", 1, "bool"),
        ("inputs", "debounce_s", 0, ">= 0.001"),
        ("timing", "held_open_s", 1, ">= 5"),
        ("timing", "rex_pulse_s", 60, "<= 30"),
        ("policy", "fmr", 0, "> 0"),
        ("policy", "fmr", 0.5, "<= 0.01"),
        ("policy", "vision_wait_s", 2, "<= 1"),
        ("policy", "face_wait_s", "long", "float"),
        ("link", "port", 65536, "<= 65535"),
        ("link", "keepalive_s", 1, ">= 2"),
        ("vision", "camera", "webcam", "regex"),
        ("vision", "frames_per_s", 0, ">= 1"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(section, key, value, allowed):
    text = refusal(**{section: {key: value}})
    assert f"`$.{section}.{key}`" in text
    assert allowed in text


@pytest.mark.parametrize("name", ["", "Front", "front door", "front/1", "front+", "#", "é", "a" * 41, "front\n"])
def test_a_name_that_cannot_be_a_topic_level_is_refused(name):
    text = refusal(door=name)
    assert "`$.door`" in text
    assert "allowed: 1 to 40 of a-z" in text


@pytest.mark.parametrize("camera", ["webcam", 0])
def test_a_camera_that_is_none_is_told_in_words_what_there_is(camera):
    assert 'allowed: "picamera2", "rpicam:0" (Raspberry Pi), "csi:0" (Jetson), a number in quotes' in refusal(
        vision={"camera": camera}
    )


def test_a_run_folder_too_deep_for_a_socket_is_refused_before_the_start():
    assert "`$.run_folder`" in refusal(run_folder="/" + 95 * "r")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as longest, pytest.raises(FileNotFoundError):
        longest.bind(str(Path(parse_config({**LEAST, "run_folder": "/" + 94 * "r"}).run_folder) / VISION_SOCKET))


@pytest.mark.parametrize(
    ("tables", "key", "why"),
    [
        ({"lock": {"kind": "maglock", "hardware_release": True}}, "lock.fail", "'safe' by nature"),
        ({"lock": {"kind": "maglock", "fail": "safe"}}, "lock.hardware_release", "cut in hardware"),
        ({"lock": {"fire_door": True, "fail": "safe"}}, "lock.fail", "latch of a fire door"),
        ({"lock": {"pulse_s": 5.0, "extended_pulse_s": 4.0}}, "lock.extended_pulse_s", "at least lock.pulse_s (5.0)"),
        ({"lock": {"one_shot_s": 9.0}}, "lock.one_shot_s", "more than lock.extended_pulse_s (10.0)"),
        ({"lock": {"one_shot_s": 30.0, "fail": "safe"}}, "lock.one_shot_s", "would let it go"),
        ({"lock": {"relay_pin": 17}}, "lock.relay_pin", "already readers[0].d0_pin"),
        ({"inputs": {"contact_pin": 24}}, "inputs.rex_pin", "already inputs.contact_pin"),
        ({"inputs": {"tamper_pin": 27}}, "inputs.tamper_pin", "already readers[0].d1_pin"),
        ({"board": {"pins": "sim"}}, "board.rig", "given with board.pins = 'sim'"),
        ({"board": {"rig": "/tmp/rig.sock"}}, "board.rig", "and only then"),
        ({"deployment": {"expression": True}}, "deployment.expression", "workplace-eu"),
        ({"behaviour": {"stress_signs": True}}, "behaviour.stress_signs", "workplace-eu"),
        ({"behaviour": {"micro_expressions": True}}, "behaviour.micro_expressions", "workplace-eu"),
        (
            {"policy": {"liveness": "require_live"}, "vision": {"stages": ["persons"]}},
            "policy.liveness",
            "must include 'liveness'",
        ),
        ({"policy": {"liveness": "require_live", "face_wait_s": 0.5}}, "policy.face_wait_s", "at least 1.0 with liveness"),
        (
            {"readers": [{"kind": "wiegand"}, {"kind": "wiegand", "d0_pin": 5, "d1_pin": 6}]},
            "readers[1].name",
            "a name of its own",
        ),
        (
            {
                "readers": [
                    {"kind": "serial", "name": "in", "device": "/dev/ttyS0"},
                    {"kind": "osdp", "name": "out", "device": "/dev/ttyS0"},
                ]
            },
            "readers[1].device",
            "a line of its own; this one is in's",
        ),
        ({"policy": {"liveness": "deny_attack", "face_wait_s": 0.9}}, "policy.face_wait_s", "at least 1.0 with liveness"),
        (
            {"lock": {"kind": "maglock", "fail": "safe", "hardware_release": True, "fire_door": True}},
            "lock.own_latch",
            "a magnet is no latch",
        ),
        ({"lock": {"second_role": "alarm"}}, "lock.second_role", "given with lock.second_pin"),
        (
            {"lock": {"second_pin": 5, "second_role": "shunt"}, "inputs": {"contact_pin": "none"}},
            "lock.second_role",
            "follows the door contact",
        ),
        (
            {"lock": {"second_pin": 5, "second_role": "opener", "fire_door": True}},
            "lock.second_role",
            "must stand still in a fire (NFPA 80)",
        ),
        ({"lock": {"second_pin": 22}}, "lock.second_pin", "already lock.relay_pin"),
        ({"lock": {"second_pin": "GPIO24"}}, "inputs.rex_pin", "already lock.second_pin"),
        ({"supervision": {"contact_channel": 0}}, "supervision.contact_channel", "already inputs.contact_pin"),
        (
            {"supervision": {"fire_channel": 1, "tamper_channel": 1}},
            "supervision.tamper_channel",
            "already supervision.fire_channel",
        ),
        ({"supervision": {"fire_channel": 1}, "lock": {"second_pin": 9}}, "supervision.spi_port", "already lock.second_pin"),
        ({"readers": [{"kind": "wiegand", "formats": ["raw"]}]}, "readers[0].raw_lengths", "given with 'raw' among the formats"),
        ({"readers": [{"kind": "wiegand", "formats": ["W34", "W34"]}]}, "readers[0].formats", "each format once"),
        ({"readers": [{"kind": "wiegand", "led_pin": 22}]}, "lock.relay_pin", "already readers[0].led_pin"),
        ({"feedback": {"quiet_from": "22:00"}}, "feedback.quiet_until", "give both or neither"),
        ({"feedback": {"display": "sim:/tmp/x"}}, "feedback.display", "goes with board.pins = 'sim' alone"),
        ({"feedback": {"buzzer_pin": 23}}, "feedback.buzzer_pin", "already inputs.contact_pin"),
        ({"timing": {"propped_s": 20.0}}, "timing.propped_s", "at least timing.held_open_s (30.0)"),
        ({"timing": {"warn_before_s": 30.0}}, "timing.warn_before_s", "less than timing.held_open_s (30.0)"),
        ({"policy": {"mismatch_wait_s": 2.0}}, "policy.mismatch_wait_s", "at most policy.face_wait_s (1.5)"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_reason(tables, key, why):
    text = refusal(**tables)
    assert text.startswith(f"`$.{key}` is ")
    assert why in text


def test_resistors_that_cannot_be_told_apart_are_refused_with_ones_that_can():
    text = refusal(supervision={"fire_channel": 0, "pull_up_ohm": 100, "series_ohm": 5000, "parallel_ohm": 5000})
    assert text.startswith("`$.supervision`: ")
    assert "take 2200, 1000 and 3300" in text


def test_an_input_may_hang_on_the_converter_instead_of_a_pin():
    config = parse_config({**LEAST, "inputs": {"contact_pin": "none"}, "supervision": {"contact_channel": 0}})
    assert config.wired == {"contact", "rex"}


def test_what_the_law_of_the_site_allows_may_be_switched_on():
    assert parse_config({**LEAST, "deployment": {"profile": "standard", "expression": True}}).deployment.expression
    both = {"stress_signs": True, "micro_expressions": True}
    config = parse_config({**LEAST, "deployment": {"profile": "standard"}, "behaviour": both})
    assert stress_signs_allowed(config)
    assert micro_expressions_allowed(config)


def test_an_object_that_passed_no_check_still_measures_nothing_emotional_in_the_eu():
    config = msgspec.convert({**LEAST, "behaviour": {"stress_signs": True, "micro_expressions": True}}, Config)
    assert not stress_signs_allowed(config)
    assert not micro_expressions_allowed(config)


def test_a_fire_door_may_have_a_fail_secure_strike_and_any_door_a_fail_safe_one():
    assert parse_config({**LEAST, "lock": {"fire_door": True}}).lock.fire_door
    assert parse_config({**LEAST, "lock": {"fail": "safe"}}).lock.fail == "safe"


def test_absent_sensors_take_no_pin(tmp_path):
    config = parse_config({**LEAST, "lock": {"relay_pin": 25}, "inputs": {"rex_pin": 22}})
    assert config.inputs.wired() == {"contact": 23, "rex": 22}


def test_a_door_without_contact_and_button_can_be_told(tmp_path):
    """TOML has no null, and leaving a key out gives its default: an unwired contact would read as an open door."""
    config = load_config(written(tmp_path, 'site = "hq"\ndoor = "front"\n[inputs]\ncontact_pin = "none"\nrex_pin = "none"\n'))
    assert config.inputs.wired() == {}


def test_a_pin_that_is_neither_number_nor_none_is_told_what_may_stand_there():
    assert '"none" where there is none' in refusal(inputs={"rex_pin": "off"})
    assert 'a BCM number from 0 to 53, a name of the board like "GPIO17"' in refusal(lock={"relay_pin": "off"})


# -- the example ---------------------------------------------------------------------------------------------------------------

EXAMPLE = Path(__file__).parent.parent / "systemd" / "door.example.toml"


def test_the_example_states_every_default():
    assert load_config(EXAMPLE) == parse_config(LEAST)


def test_the_example_leaves_out_no_key():
    table = tomllib.loads(EXAMPLE.read_text("utf-8"))
    known = msgspec.to_builtins(parse_config(LEAST))
    assert {name: sorted(section) if isinstance(section, dict) else None for name, section in table.items()} == {
        name: sorted(section) if isinstance(section, dict) else None for name, section in known.items()
    }
    assert sorted(table["readers"][0]) == sorted(known["readers"][0])


toml_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(Config.__struct_fields__), toml_values)
def test_any_value_is_a_configuration_or_a_config_error(key, value):
    with contextlib.suppress(ConfigError):
        assert isinstance(parse_config({**LEAST, key: value}), Config)
