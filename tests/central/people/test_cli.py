"""People on the command line: what somebody types, and what they are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli import main


class Terminal:
    """Somebody at the centre's machine."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capfd = folder, capfd
        (folder / "always.json").write_text(
            '{"id": "always", "zone": "UTC", "intervals": [{"days": [0, 1, 2, 3, 4], "from_min": 0, "until_min": 1440}]}'
        )
        (folder / "staff.json").write_text('{"id": "staff", "doors": ["front"], "schedule": "always"}')
        self.type("schedule", "put", str(folder / "always.json"))
        self.type("profile", "put", str(folder / "staff.json"))

    def type(self, *words: str, code: int = 0) -> str:
        """What comes back, on both outputs."""
        places = ["--database", str(self.folder / "central.db"), "--keys", str(self.folder / "keys")]
        assert main(["central", *words, *places]) == code
        return "".join(self._capfd.readouterr())

    def forget(self) -> None:
        """What was told so far."""
        self._capfd.readouterr()


@pytest.fixture
def terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, capfd)


def test_a_fob_is_issued_stolen_and_given_back(terminal: Terminal) -> None:
    terminal.type("people", "add", "Ada Lovelace", "--id", "holder-1", "--profile", "staff", "--credential", "H10301:1:1")
    assert "H10301:1:2 (active)" in terminal.type("credential", "issue", "holder-1", "H10301:1:2")
    assert "is stolen" in terminal.type("credential", "stolen", "H10301:1:1")
    assert "H10301:1:1 (stolen)" in terminal.type("people", "show", "holder-1")
    terminal.type("credential", "return", "H10301:1:1")
    assert "suspended" in terminal.type("people", "suspend", "holder-1")
    assert json.loads(terminal.type("people", "list", "--json"))["credentials"] == 1


def test_a_visitor_must_have_an_end(terminal: Terminal) -> None:
    with pytest.raises(SystemExit):
        terminal.type("visitor", "add", "Mary Somerville", "--until", "tomorrow")
    terminal.forget()
    told = json.loads(
        terminal.type("visitor", "add", "Mary Somerville", "--until", "2026-12-31T18:00:00+01:00", "--json").splitlines()[-1]
    )
    assert (told["visitor"], told["valid_until"]) == (True, "2026-12-31T17:00:00Z")


def test_a_file_goes_out_and_comes_in_and_bad_rows_are_named(terminal: Terminal) -> None:
    terminal.type("people", "add", "Ada Lovelace", "--id", "holder-1", "--profile", "staff", "--credential", "H10301:1:1")
    path = terminal.folder / "people.csv"
    terminal.type("people", "export", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert "1 unchanged, 0 bad" in terminal.type("people", "import", str(path))
    path.write_text("id,name,profiles\nholder-2,Mary,pilots\nholder-3,Zoe,staff\n")
    told = terminal.type("people", "import", str(path), code=1)
    assert "row 2, profiles 'pilots'" in told
    assert "nothing was changed" in told
    assert "1 new" in terminal.type("people", "import", str(path), "--skip-bad", code=1)


def test_a_rule_that_somebody_follows_stays(terminal: Terminal) -> None:
    assert "follows schedule 'always'" in terminal.type("schedule", "delete", "always", code=1)


def test_the_key_of_templates_is_for_its_owner_alone(terminal: Terminal) -> None:
    key = terminal.folder / "keys" / "people.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    assert "chmod 600" in terminal.type("people", "list", code=2)
