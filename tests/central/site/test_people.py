"""Accounts of people's programs at the broker."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from central.gateway.asking import ROLES
from central.site.mosquitto import access_list, rights_of_person
from central.site.people import BROKER_ROLES, COMMANDS, READS, People, Person, fresh_password, hashed

PASSWORD = "correct horse battery staple"
BY_MOSQUITTO = "$7$101$5r0JZAPz7gMX9lOw$WWaLVIozGxMal2I+sLYGYb+sCYsLrwhqGyU0HTB39ofI2VomFMEWA+PgPJpUrelrvgLUM5DFGuAkDDs1DTgPYg=="
"""What mosquitto_passwd 2.0.11 wrote for that password."""


def test_a_password_is_hashed_as_mosquittos_own_tool_does() -> None:
    _, _, iterations, salt, _ = BY_MOSQUITTO.split("$")
    assert hashed(PASSWORD, base64.b64decode(salt), int(iterations)) == BY_MOSQUITTO


def test_the_same_password_is_never_hashed_to_the_same_line() -> None:
    assert hashed(PASSWORD) != hashed(PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "x" * 201, "twelve chars\nand a line"])
def test_a_password_that_is_too_short_too_long_or_no_line_is_refused_and_not_told(password: str) -> None:
    with pytest.raises(ConfigError) as told:
        hashed(password)
    assert not password or password not in str(told.value)


def test_a_password_that_we_make_is_allowed() -> None:
    assert len({hashed(fresh_password()) for _ in range(3)}) == 3


def test_accounts_are_kept_replaced_and_removed(tmp_path: Path) -> None:
    people = People(tmp_path / "people.json")
    assert not people.add("grace", "manager", PASSWORD)
    assert not people.add("ada", "guard", PASSWORD, "hq")
    assert people.add("ada", "installer", PASSWORD)
    assert [(person.name, person.role, person.site) for person in people.all()] == [
        ("ada", "installer", ""),
        ("grace", "manager", ""),
    ]
    assert people.remove("ada")
    assert not people.remove("ada")
    assert (tmp_path / "people.json").stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in (tmp_path / "people.json").read_text()


@pytest.mark.parametrize("name", ["", "Ada", "a/b", "+", "#", "centre", "broker-check", "x" * 41])
def test_a_name_that_is_no_topic_level_or_taken_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        People(tmp_path / "people.json").add(name, "guard", PASSWORD)


def test_every_role_of_the_dashboard_has_one_at_the_broker() -> None:
    assert set(ROLES) < set(BROKER_ROLES)
    assert set(READS) == set(BROKER_ROLES)


names = st.from_regex(r"[a-z0-9_-]{1,40}", fullmatch=True)


@given(
    st.lists(
        st.builds(Person, name=names, role=st.sampled_from(BROKER_ROLES), password=st.just("$7$x")), unique_by=lambda p: p.name
    )
)
def test_nobody_may_give_a_command_under_anothers_name_whoever_else_there_is(people: list[Person]) -> None:
    user = ""
    for line in access_list([("hq", "front")], people).splitlines():
        word, _, rest = line.partition(" ")
        user = rest if word == "user" else user
        if line.startswith("topic write") and "/cmd/" in line and user != "centre":
            levels = line.split("/")
            assert levels[levels.index("cmd") + 1] == user
            role = next((person.role for person in people if person.name == user), "guard")
            assert levels[-1] in COMMANDS[role]


def test_home_assistant_of_one_site_opens_no_door_of_another() -> None:
    locks = [topic for topic in rights_of_person("hass", "home-assistant", "hq")[1] if topic.endswith("/lock")]
    assert locks == ["homeassistant/doorward/hq/+/lock"]
    assert "homeassistant/doorward/+/+/lock" in rights_of_person("hass", "home-assistant", "")[1]
