"""What a site writes into [alerts]."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import ConfigError
from central.alerts.options import name_of, options_of
from central.settings import load_settings


def read(folder: Path, text: str) -> object:
    path = folder / "central.toml"
    path.write_text(text)
    return options_of(load_settings(path).alerts)


def test_the_example_of_the_documents_is_taken(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "ALERTS.md").read_text("utf-8")
    options = read(tmp_path, page.split("```toml")[1].split("```")[0])
    assert [route.to for route in options.routes] == [("patrol-1", "managers"), ()]  # type: ignore[attr-defined]
    assert [route.off for route in options.routes] == [False, True]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[alerts]\ntimezone = "Mars/Olympus"\n[[alerts.routes]]\nbegin = "20:00"', "number 1: .*Mars/Olympus"),
        ('[alerts]\n[[alerts.routes]]\nkinds = ["duress"]\noff = true', "`off` is not for"),
        ('[alerts]\n[[alerts.routes]]\nbegin = "25:00"', "alerts.routes"),
        ('[alerts]\n[[alerts.routes]]\ndoors = ["front"]', "alerts.routes"),
        ('[alerts]\ncontact = "somebody"', "alerts.contact"),
        ("[alerts]\na_door = 0", "alerts.a_door"),
        ("[alerts]\nnonsense = 1", "nonsense"),
    ],
)
def test_what_would_not_work_stops_the_start_and_says_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(tmp_path, text)


def test_addresses_with_passwords_are_known_by_a_name_that_tells_nothing() -> None:
    name = name_of("mailtos://user:secret@mail.example.org")
    assert name.startswith("apprise-")
    assert "secret" not in name
    assert len(name) <= 40
