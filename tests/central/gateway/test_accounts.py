"""Who may sign in, and for how long."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from agent.errors import ConfigError
from central.alerts.store import Device, add_device, devices
from central.database.engine import reading, writing
from central.database.tables_accounts import ACCOUNTS, SESSIONS
from central.gateway.accounts import AccountError, Accounts, Limits, csrf_of
from central.gateway.asking import Unfit
from central.gateway.audit import AuditLog
from central.gateway.passwords import Passwords, Seal, hasher, seal_in, why_weak
from central.gateway.throttle import MOST_KEYS, Bucket, Patience, Throttle
from tests.central.gateway.house import CHEAP, NOW, PASSWORD, HandClock, accounts_of, database


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return database(tmp_path)


@pytest.fixture
def audit(engine: Engine, clock: HandClock) -> AuditLog:
    return AuditLog(engine, clock)


@pytest.fixture
def accounts(engine: Engine, clock: HandClock, audit: AuditLog) -> Accounts:
    accounts = accounts_of(engine, clock, audit, Limits(idle=timedelta(minutes=30), longest=timedelta(hours=2)))
    accounts.add("test", "ada", "manager", PASSWORD, shown="Ada Lovelace")
    accounts.add("test", "charles", "guard", PASSWORD, sites=("hq",))
    return accounts


def refusal(accounts: Accounts, account: str, password: str, code: str = "", address: str = "192.0.2.1") -> tuple[int, str]:
    with pytest.raises(Unfit) as caught:
        accounts.sign_in(account, password, code, address)
    return caught.value.status, caught.value.code


def test_the_right_password_begins_a_session(accounts: Accounts) -> None:
    begun = accounts.sign_in("charles", PASSWORD, "", "192.0.2.1")
    caller = accounts.caller_of(begun.token)
    assert caller is not None
    assert (caller.account, caller.role, caller.sites) == ("charles", "guard", ("hq",))
    assert caller.sees("hq")
    assert not caller.sees("lab")


def test_nobody_is_there_who_was_not_added(engine: Engine, clock: HandClock, audit: AuditLog) -> None:
    assert accounts_of(engine, clock, audit).all() == []


def test_wrong_passwords_unknown_and_disabled_accounts_get_one_answer(accounts: Accounts) -> None:
    accounts.change("test", "charles", disabled=True)
    assert (
        refusal(accounts, "ada", "wrong")
        == refusal(accounts, "nobody", PASSWORD)
        == refusal(accounts, "charles", PASSWORD)
        == (401, "wrong")
    )


def test_the_database_holds_neither_password_nor_token(accounts: Accounts, engine: Engine) -> None:
    token = accounts.sign_in("ada", PASSWORD, "", "").token
    with reading(engine) as connection:
        whole = f"{connection.execute(select(ACCOUNTS)).all()} {connection.execute(select(SESSIONS)).all()}"
    assert PASSWORD not in whole
    assert token not in whole
    assert csrf_of(token) not in whole
    assert "$argon2id$" in whole


def test_a_session_that_nobody_uses_ends_and_so_does_a_long_one(accounts: Accounts, clock: HandClock) -> None:
    idle, used = accounts.sign_in("ada", PASSWORD, "", "").token, accounts.sign_in("ada", PASSWORD, "", "").token
    for _ in range(5):
        clock.turn(20 * 60)
        assert accounts.caller_of(used) is not None
    assert accounts.caller_of(idle) is None
    clock.turn(21 * 60)
    assert accounts.caller_of(used) is None, "two hours are over"


def test_a_session_that_began_while_the_clock_was_years_ahead_does_not_last_for_years(
    accounts: Accounts, clock: HandClock
) -> None:
    clock.turn(10 * 365 * 86400)
    token = accounts.sign_in("ada", PASSWORD, "", "").token
    clock.turn(-60)
    assert accounts.caller_of(token) is not None, "a clock that is set right by a minute ends nobody's shift"
    clock.turn(-10 * 365 * 86400)
    assert accounts.caller_of(token) is None


def test_a_stream_alone_keeps_no_session_awake(accounts: Accounts, clock: HandClock) -> None:
    token = accounts.sign_in("ada", PASSWORD, "", "").token
    for _ in range(2):
        clock.turn(16 * 60)
        found = accounts.caller_of(token, used=False)
    assert found is None


@pytest.mark.parametrize("deed", ["reset", "disable", "totp", "sign_out"])
def test_sessions_end_at_once(accounts: Accounts, deed: str) -> None:
    token, rung = accounts.sign_in("charles", PASSWORD, "", "").token, []
    accounts.on_end(lambda: rung.append(deed))
    {
        "reset": lambda: accounts.reset("test", "charles", "another warm roof"),
        "disable": lambda: accounts.change("test", "charles", disabled=True),
        "totp": lambda: accounts.new_totp("test", "charles"),
        "sign_out": lambda: accounts.sign_out(token),
    }[deed]()
    assert accounts.caller_of(token) is None
    assert rung == [deed]


@pytest.mark.parametrize(("by", "left"), [("grace", 0), ("charles", 1)])
def test_no_alert_goes_to_a_stolen_telephone_once_somebody_has_set_another_password(
    accounts: Accounts, engine: Engine, by: str, left: int
) -> None:
    """Who changes their own keeps their devices: alerts may not fall silent by that."""
    for account in ("charles", "ada"):
        device = Device(id=0, account=account, endpoint=f"https://push.example.org/{account}", p256dh="", auth="")
        with writing(engine) as connection:
            add_device(connection, device, NOW)
    accounts.reset(by, "charles", "three dogs on a cold floor")
    with reading(engine) as connection:
        assert len(devices(connection, ["charles"])) == left
    accounts.change("grace", "charles", disabled=True)
    with reading(engine) as connection:
        assert [each.account for each in devices(connection)] == ["ada"]


def test_a_role_that_is_changed_counts_at_once(accounts: Accounts) -> None:
    token = accounts.sign_in("charles", PASSWORD, "", "").token
    accounts.change("test", "charles", role="auditor", sites=())
    caller = accounts.caller_of(token)
    assert caller is not None
    assert (caller.role, caller.sites) == ("auditor", ())


def test_the_last_manager_cannot_be_lost(accounts: Accounts) -> None:
    with pytest.raises(AccountError, match="last manager"):
        accounts.change("test", "ada", disabled=True)
    with pytest.raises(AccountError, match="last manager"):
        accounts.change("test", "ada", role="guard")
    accounts.add("test", "grace", "manager", PASSWORD)
    accounts.change("test", "ada", role="guard")


@pytest.mark.parametrize("name", ["", "Ada", "a/b", "a+b", "#", "a" * 41, "ada lovelace", "ada\n"])
def test_an_accounts_name_can_be_a_topic_level(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError, match="topic level"):
        accounts.add("test", name, "guard", PASSWORD)


def test_guessing_waits_longer_and_longer_and_the_right_one_ends_it(accounts: Accounts, clock: HandClock) -> None:
    for _ in range(5):
        assert refusal(accounts, "ada", "wrong") == (401, "wrong")
    waits = []
    for _ in range(3):
        assert refusal(accounts, "ada", PASSWORD)[0] == 429
        seconds = 0
        while refusal(accounts, "ada", "wrong", address=f"192.0.2.{seconds}")[0] == 429:
            clock.turn(1)
            seconds += 1
        waits.append(seconds)
    assert waits == sorted(waits)
    assert waits[2] > waits[0]
    clock.turn(61)
    accounts.sign_in("ada", PASSWORD, "", "192.0.2.1")
    assert refusal(accounts, "ada", "wrong") == (401, "wrong"), "five tries are free again"


def test_one_address_that_tries_many_accounts_has_to_wait(accounts: Accounts) -> None:
    answers = [refusal(accounts, f"guess-{number}", "wrong")[0] for number in range(25)]
    assert answers[:20] == [401] * 20
    assert answers[20:] == [429] * 5
    accounts.sign_in("ada", PASSWORD, "", "192.0.2.200")


# -- second factor -----------------------------------------------------------------------------------------------------------------


def test_with_a_second_factor_the_password_alone_is_not_enough(accounts: Accounts, clock: HandClock, engine: Engine) -> None:
    secret, uri = accounts.new_totp("test", "ada")
    assert uri.startswith("otpauth://totp/Doorward:ada?secret=")
    assert refusal(accounts, "ada", PASSWORD) == (403, "code_needed")
    assert refusal(accounts, "ada", PASSWORD, "000000" if pyotp.TOTP(secret).at(clock.now) != "000000" else "000001") == (
        401,
        "wrong",
    )
    accounts.sign_in("ada", PASSWORD, pyotp.TOTP(secret).at(clock.now), "")
    with reading(engine) as connection:
        assert secret not in str(connection.execute(select(ACCOUNTS)).all())


def test_no_code_works_twice_nor_one_of_last_week(accounts: Accounts, clock: HandClock) -> None:
    secret, _ = accounts.new_totp("test", "ada")
    code = pyotp.TOTP(secret).at(clock.now)
    accounts.sign_in("ada", PASSWORD, code, "")
    assert refusal(accounts, "ada", PASSWORD, code) == (401, "wrong")
    clock.turn(95)
    assert refusal(accounts, "ada", PASSWORD, code) == (401, "wrong")
    accounts.sign_in("ada", PASSWORD, pyotp.TOTP(secret).at(clock.now - timedelta(seconds=30)), "")


def test_guessing_codes_is_guessing(accounts: Accounts) -> None:
    accounts.new_totp("test", "ada")
    answers = []
    for number in range(8):
        refusal(accounts, "ada", PASSWORD, address=f"192.0.2.{number}")  # asking for the code is no way to begin anew
        answers.append(refusal(accounts, "ada", PASSWORD, f"{number:06}", f"192.0.2.{number}")[0])
    assert answers == [401] * 5 + [429] * 3


def test_a_secret_opens_only_with_its_own_key() -> None:
    sealed = Seal(bytes(32)).shut("JBSWY3DPEHPK3PXP")
    assert Seal(bytes(32)).open(sealed) == "JBSWY3DPEHPK3PXP"
    with pytest.raises(ConfigError, match=r"accounts\.key"):
        Seal(b"\1" * 32).open(sealed)


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    sealed = seal_in(tmp_path / "keys").shut("secret")
    assert seal_in(tmp_path / "keys").open(sealed) == "secret"
    path = tmp_path / "keys" / "accounts.key"
    assert path.stat().st_mode & 0o777 == 0o600
    os.chmod(path, 0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        seal_in(tmp_path / "keys")


# -- passwords ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password", ["short", "a" * 201, "charles", "charlescharles", "charles-123456", "passwordpassword", "password12345", "aaaaaaaaaaaaaaa",
                 "123456789012",
                 "warm\0roof and cats", "Welcome123456"]
)  # fmt: skip
def test_what_is_tried_first_is_no_password(password: str) -> None:
    assert why_weak(password, "charles")


@pytest.mark.parametrize("password", [PASSWORD, "türen öffnen sich leise", "Xk9#mQ2$vL7@"])
def test_what_nobody_would_guess_is(password: str) -> None:
    assert why_weak(password, "charles") == ""


def test_passwords_are_kept_as_argon2id_with_the_parameters_of_the_rfc() -> None:
    assert Passwords(hasher()).keep(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_password_kept_with_older_parameters_is_renewed_when_it_is_used(
    engine: Engine, clock: HandClock, audit: AuditLog
) -> None:
    accounts_of(engine, clock, audit).add("test", "ada", "manager", PASSWORD)
    newer = Passwords(PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    accounts = Accounts(engine, clock, audit, Seal(bytes(32)), passwords=newer)
    accounts.sign_in("ada", PASSWORD, "", "")
    with reading(engine) as connection:
        assert "t=2" in str(connection.scalar(select(ACCOUNTS.c.password)))
    accounts.sign_in("ada", PASSWORD, "", "")


def test_an_account_that_is_not_there_costs_a_hash_too() -> None:
    passwords = Passwords(CHEAP)
    assert not passwords.fits(None, "nobody's password, for accounts that are not there")


# -- throttle ----------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.text(max_size=3), st.floats(0, 100)), max_size=60))
def test_no_wait_is_longer_than_the_longest_and_none_is_negative(tries: list[tuple[str, float]]) -> None:
    throttle, now_s = Throttle(Patience(free=3, longest_s=60.0)), 0.0
    for key, pause_s in tries:
        now_s += pause_s
        assert 0.0 <= throttle.wait_s(key, now_s) <= 60.0
        throttle.tried(key, now_s)


def test_a_flood_of_names_is_forgotten_oldest_first() -> None:
    throttle = Throttle(Patience(free=1, longest_s=60.0))
    for number in range(MOST_KEYS + 100):
        throttle.tried(str(number), 0.0)
    assert throttle.wait_s("0", 0.0) == 0.0
    assert throttle.wait_s(str(MOST_KEYS + 99), 0.0) > 0.0


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(3.0, 1.0, 3.0, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]
    assert bucket.take(1.0) == 0.0


def test_a_guard_who_watches_all_night_stays_signed_in_while_somebody_moves_a_hand_now_and_then(
    accounts: Accounts, clock: HandClock
) -> None:
    token = accounts.sign_in("charles", PASSWORD, "", "").token
    for minute in range(115):
        clock.turn(60)
        left = accounts.stay_awake(token, timedelta(minutes=minute % 40))
        assert left > timedelta(0)
    clock.turn(6 * 60)
    assert accounts.caller_of(token) is None, "two hours are the longest here, whoever watches"


def test_a_guard_who_is_gone_is_signed_out_when_the_time_for_watching_is_over(
    clock: HandClock, engine: Engine, audit: AuditLog
) -> None:
    accounts = accounts_of(engine, clock, audit, Limits(watch=timedelta(minutes=60)))
    accounts.add("test", "emmy", "guard", PASSWORD)
    token = accounts.sign_in("emmy", PASSWORD, "", "").token
    for minute in range(1, 57):
        clock.turn(60)
        assert accounts.stay_awake(token, timedelta(minutes=minute)) == timedelta(minutes=60 - minute)
    clock.turn(4 * 60)
    with pytest.raises(Unfit, match="ended"):
        accounts.stay_awake(token, timedelta(minutes=60))


def test_a_page_that_is_closed_ends_a_watch_no_later_than_any_other_session(
    clock: HandClock, engine: Engine, audit: AuditLog
) -> None:
    accounts = accounts_of(engine, clock, audit, Limits())
    accounts.add("test", "emmy", "guard", PASSWORD)
    token = accounts.sign_in("emmy", PASSWORD, "", "").token
    clock.turn(25 * 60)
    accounts.stay_awake(token, timedelta(minutes=1))
    clock.turn(31 * 60)
    assert accounts.caller_of(token) is None


def test_of_others_only_a_hand_that_moved_counts_as_use(accounts: Accounts, clock: HandClock) -> None:
    token = accounts.sign_in("ada", PASSWORD, "", "").token
    clock.turn(20 * 60)
    assert accounts.stay_awake(token, timedelta(minutes=20)) == timedelta(minutes=10)
    clock.turn(11 * 60)
    with pytest.raises(Unfit, match="ended"):
        accounts.stay_awake(token, timedelta(minutes=31))
