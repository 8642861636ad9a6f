"""`doorward central account` and `verify-audit`: what people type, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from agent.cli import main
from central.database.engine import open_database, sqlite_url, writing
from central.database.tables_accounts import AUDIT
from tests.central.gateway.house import PASSWORD


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    return ["--database", str(tmp_path / "central.db"), "--keys", str(tmp_path / "keys")]


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o600)
    return path


def add(places: list[str], password_file: Path, name: str = "ada", role: str = "manager") -> int:
    return main(["central", "account", "add", name, "--role", role, "--password-file", str(password_file), *places])


def test_an_account_is_added_listed_and_disabled(
    places: list[str], password_file: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert add(places, password_file) == 0
    assert add(places, password_file, "charles", "guard") == 0
    assert main(["central", "account", "disable", "charles", *places]) == 0
    capfdbinary.readouterr()
    assert main(["central", "account", "list", "--json", *places]) == 0
    told = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [(each["account"], each["role"], each["disabled"]) for each in told] == [
        ("ada", "manager", False),
        ("charles", "guard", True),
    ]
    assert main(["central", "account", "enable", "charles", *places]) == 0
    assert main(["central", "verify-audit", *places]) == 0


def test_what_cannot_be_is_told(places: list[str], password_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert add(places, password_file) == 0
    assert add(places, password_file) == 1
    assert "is there already" in capfd.readouterr().err
    assert main(["central", "account", "disable", "ada", *places]) == 1
    assert "last manager" in capfd.readouterr().err
    password_file.write_text("ada-ada-ada-ada")
    assert main(["central", "account", "reset", "ada", "--password-file", str(password_file), *places]) == 1
    assert "account's name" in capfd.readouterr().err
    password_file.chmod(0o644)
    assert main(["central", "account", "reset", "ada", "--password-file", str(password_file), *places]) == 2
    assert "chmod 600" in capfd.readouterr().err


def test_without_a_terminal_nobody_waits_for_a_password(places: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "account", "add", "ada", "--role", "guard", *places]) == 2
    assert "--password-file" in capfd.readouterr().err


def test_a_second_factor_is_told_once(places: list[str], password_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    add(places, password_file)
    capfd.readouterr()
    assert main(["central", "account", "totp", "ada", *places]) == 0
    assert capfd.readouterr().out.startswith("otpauth://totp/Doorward:ada?")
    assert main(["central", "account", "totp", "ada", "--off", *places]) == 0


def test_an_audit_log_that_was_changed_is_found(
    places: list[str], password_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add(places, password_file)
    add(places, password_file, "charles", "guard")
    assert main(["central", "verify-audit", *places]) == 0
    assert "it agrees with" in capfd.readouterr().err
    assert (tmp_path / "keys" / "audit.head").stat().st_mode & 0o077 == 0
    with writing(open_database(sqlite_url(tmp_path / "central.db"))) as connection:
        connection.execute(update(AUDIT).where(AUDIT.c.n == 1).values(about="grace"))
    assert main(["central", "verify-audit", *places]) == 1
    assert "BROKEN at row 1" in capfd.readouterr().err


def test_a_database_that_was_put_back_from_an_old_copy_is_found(
    places: list[str], password_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add(places, password_file)
    with closing(sqlite3.connect(tmp_path / "central.db")) as database, closing(sqlite3.connect(tmp_path / "old.db")) as copy:
        database.backup(copy)
    add(places, password_file, "charles", "guard")
    places[1] = str(tmp_path / "old.db")
    assert main(["central", "verify-audit", *places]) == 1
    assert "rows were cut off" in capfd.readouterr().err


def test_a_head_on_a_piece_of_paper_counts(places: list[str], password_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    add(places, password_file)
    assert main(["central", "verify-audit", "--head", f"1:{'0' * 64}", *places]) == 1
    assert "counted anew" in capfd.readouterr().err
    assert main(["central", "verify-audit", "--head", "1", *places]) == 2


def test_the_configuration_names_database_and_keys(tmp_path: Path, password_file: Path) -> None:
    config = tmp_path / "central.toml"
    config.write_text(f'[database]\nurl = "{sqlite_url(tmp_path / "central.db")}"\n[keys]\nfolder = "{tmp_path / "keys"}"\n')
    command = [
        "central",
        "account",
        "add",
        "ada",
        "--role",
        "manager",
        "--password-file",
        str(password_file),
        "--config",
        str(config),
    ]
    assert main(command) == 0
    assert os.path.exists(tmp_path / "central.db")
