"""What is known beforehand, and what the centre tells: strict files, laid over a configuration without losing a word of it."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.commission.answers import ANSWERS, load_answers
from agent.commission.door_toml import laid_over
from agent.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOOR = """# the front door
site = "hq"                # the house
door = "front"

[[readers]]
kind = "wiegand"
name = "front"

[link]                     # the broker
host = "127.0.0.1"
port = 1883

[records]
folder = "/srv/doorward"   # on the large disk
"""
LINK = """site = "hq"
door = "front"

[link]
host = "broker.example"
port = 8883
ca_file = "/etc/doorward/link/ca.crt"
other_hosts = ["b.example", "c.example"]

[live]
cert_file = "/etc/doorward/link/media.crt"

[records]
door_key = "/etc/doorward/door.key"
"""


def test_what_the_centre_tells_is_laid_over_and_all_else_stays():
    made = laid_over(DOOR, LINK)
    table = tomllib.loads(made)
    assert table["link"] == tomllib.loads(LINK)["link"]
    assert table["records"] == {"folder": "/srv/doorward", "door_key": "/etc/doorward/door.key"}
    assert table["live"]["cert_file"].endswith("media.crt")
    assert "# on the large disk" in made
    assert table["readers"] == [{"kind": "wiegand", "name": "front"}]


def test_laid_over_twice_is_the_same_as_once():
    once = laid_over(DOOR, LINK)
    assert laid_over(once, LINK) == once


def test_a_file_that_is_written_otherwise_is_left_to_a_person():
    with pytest.raises(ConfigError, match="by hand"):
        laid_over('site = "hq"\ndoor = "front"\nlink = { host = "a" }\n', LINK)


names = st.sampled_from(("link", "live", "records", "vision"))
keys = st.sampled_from(("host", "port", "folder", "key", "cert_file"))
values = st.text(max_size=20) | st.integers(-(2**40), 2**40) | st.booleans() | st.lists(st.text(max_size=8), max_size=3)
tables = st.dictionaries(names, st.dictionaries(keys, values, min_size=1, max_size=4), max_size=4)


def toml(table) -> str:
    """Written by other hands than those under test."""
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in keys.items()) for name, keys in table.items()
    )


def _value(value) -> str:
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, list) else str(value).lower()


@given(tables, tables)
def test_every_key_that_is_told_holds_and_no_other_changes(old, new):
    table = tomllib.loads(laid_over(toml(old), toml(new)))
    for name in {*old, *new}:
        assert table[name] == old.get(name, {}) | new.get(name, {})


# -- answers ---------------------------------------------------------------------------------------------------------------------


def test_answers_are_read(tmp_path):
    file = tmp_path / "answers.toml"
    file.write_text('customer = "Ada Lovelace & Co"\npicture = "yes"\n')
    assert load_answers(file) == {"customer": "Ada Lovelace & Co", "picture": "yes"}
    assert load_answers(None) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [("custommer = 'x'", "there is no such answer; allowed: place, customer"), ("customer = 3", "is no text"),
     ("customer = 'a\\u001bb'", ""), ('customer = "a\\u001bb"', "cannot be printed"), (f"note = '{'x' * 121}'", "121 letters; 120 at most"),
     ("customer =", "cannot be read"), ("code = '1234'", "there is no such answer")],
)  # fmt: skip
def test_answers_that_will_not_do_say_why(tmp_path, text, why):
    file = tmp_path / "answers.toml"
    file.write_text(text)
    if not why:
        assert load_answers(file)
        return
    with pytest.raises(ConfigError, match=why):
        load_answers(file)


def test_nothing_that_only_eyes_can_say_and_no_code_is_among_them():
    assert not {"code", "again", "lock", "signals"} & set(ANSWERS)
