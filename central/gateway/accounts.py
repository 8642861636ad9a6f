"""Who may sign in, and who is signed in. All SQL about accounts and sessions is in this file.

There are no accounts but those that somebody made. An account is never deleted, only disabled: events and the audit log name it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NoReturn

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Engine, Row, Select, delete, insert, select, update

from agent.clock import Clock
from agent.errors import ConfigError, DoorwardError
from central.database.engine import reading, writing
from central.database.tables_accounts import ACCOUNTS, SESSIONS
from central.database.tables_alerts import SUBSCRIPTIONS
from central.gateway.asking import ROLES, Caller, Role, Unfit
from central.gateway.audit import AuditLog
from central.gateway.passwords import Passwords, Seal, new_secret, step_of, uri_of, why_weak
from central.gateway.promptly import Promptly
from central.gateway.throttle import Patience, Throttle, retry_after

NAME = re.compile(r"[a-z0-9_-]{1,40}")
LEVEL = NAME
MOST_SITES = 200
MOST_SHOWN = 120
MOST_SESSIONS = 50
"""Of one account at once; the one that was used longest ago ends."""
SEEN_EVERY = timedelta(minutes=1)
"""Use of a session is written down no more often than this."""
CONFIRM_WITHIN = timedelta(minutes=10)
"""So long a new second factor waits for its first code."""
CLOCK_SLACK = timedelta(minutes=5)
"""A session that began later than so far ahead began under a wrong clock: it would last until then."""
BY_ACCOUNT = Patience(free=5, longest_s=60.0)
"""Short: somebody else's guesses must not keep a guard out for long. Against twelve characters a guess a minute is nothing."""
BY_ADDRESS = Patience(free=20, longest_s=900.0)


class AccountError(DoorwardError, ValueError):
    """An account cannot be made or changed so; the sentence says why and what is allowed, `field` what it is about."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class TooMany(Unfit):
    """Tried too often; `wait_s` says until when."""

    def __init__(self, wait_s: float) -> None:
        self.retry_after_s = retry_after(wait_s)
        super().__init__(429, "too_many", f"too many attempts: try again in {self.retry_after_s} s")


class Account(Struct, frozen=True, kw_only=True):
    """What may be told of an account."""

    account: str
    name: str
    role: Role
    sites: tuple[str, ...]
    """Empty: every site."""
    totp: bool
    disabled: bool
    made: datetime
    changed: datetime
    sessions: int = 0


class SignedIn(Struct, frozen=True):
    """A session that has begun. `token` is known to nobody else; the database keeps its digest."""

    token: str
    caller: Caller


class Pending(Struct, frozen=True):
    """A second factor that was begun: the secret, as text and as what an app's camera reads, and what to say with its first code."""

    secret: str
    uri: str
    pending: str
    """Sealed: whose, which secret, until when. So nothing is kept of one that nobody confirms."""


class _Begun(Struct, frozen=True):
    account: str
    secret: str
    until: datetime


class Limits(Struct, frozen=True, kw_only=True):
    """How long sessions last."""

    idle: timedelta = timedelta(minutes=30)
    watch: timedelta = timedelta(minutes=120)
    """Of a guard who has the dashboard open and in view: watching is their work, and moves no hand."""
    longest: timedelta = timedelta(hours=12)

    def idle_of(self, role: str) -> timedelta:
        """How long nobody may have moved a hand before a page that is in view."""
        return max(self.idle, self.watch) if role == "guard" else self.idle


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def csrf_of(token: str) -> str:
    """What a page must say beside the cookie with every change; derived, so that nothing has to be kept."""
    return hashlib.blake2b(b"csrf", key=hashlib.sha256(token.encode()).digest(), digest_size=24).hexdigest()


class Accounts:
    """From any thread, and beside other programs that use the same database."""

    def __init__(self, engine: Engine, clock: Clock, audit: AuditLog, seal: Seal, *, limits: Limits | None = None,
                 passwords: Passwords | None = None) -> None:  # fmt: skip
        self._engine, self._clock, self._audit, self._seal = engine, clock, audit, seal
        self._limits, self._passwords = limits or Limits(), passwords or Passwords()
        self._lock, self._promptly = threading.Lock(), Promptly()
        self._by_account, self._by_address = Throttle(BY_ACCOUNT), Throttle(BY_ADDRESS)
        self._on_end: Callable[[], None] = lambda: None

    def on_end(self, callback: Callable[[], None]) -> None:
        """Rings, in any thread, when sessions have ended: streams look then whether theirs is still there."""
        self._on_end = callback

    # -- accounts ----------------------------------------------------------------------------------------------------------------

    def add(self, by: str, account: str, role: str, password: str, *, shown: str = "", sites: tuple[str, ...] = ()) -> None:
        """Raises AccountError, StoreError."""
        if not NAME.fullmatch(account):
            raise AccountError(
                f"account {account[:60]!r}: 1 to 40 of a-z, 0-9, _ and - are allowed, for commands carry it as a topic level",
                "account",
            )
        _check(role, shown, sites)
        kept, now = self._kept(account, password), self._clock.wall()
        row = {"name": account, "shown": shown or account, "role": role, "sites": list(sites), "password": kept, "totp": "",
               "totp_step": 0, "disabled": False, "made": now, "changed": now}  # fmt: skip
        with writing(self._engine) as connection:
            if _row(connection, account) is not None:
                raise AccountError(f"account {account!r} is there already: `account reset` gives it another password", "account")
            connection.execute(insert(ACCOUNTS).values(row))
            self._audit.write(by, "account.added", account, {"role": role, "sites": list(sites)}, connection=connection)

    def change(self, by: str, account: str, *, role: str | None = None, shown: str | None = None, sites: tuple[str, ...] | None = None,
               disabled: bool | None = None) -> None:  # fmt: skip
        """What is None stays. Sessions of an account that is disabled end. Raises AccountError, StoreError."""
        asked: dict[str, Any] = {
            "role": role,
            "shown": shown,
            "sites": None if sites is None else list(sites),
            "disabled": disabled,
        }
        new = {key: value for key, value in asked.items() if value is not None}
        with writing(self._engine) as connection:
            row = self._must(connection, account)
            _check(new.get("role", row.role), new.get("shown", row.shown), tuple(new.get("sites", row.sites)))
            if row.role == "manager" and not row.disabled and (disabled or new.get("role", "manager") != "manager"):
                _another_manager(connection, account)
            self._renew(connection, account, new)
            if disabled:
                connection.execute(delete(SESSIONS).where(SESSIONS.c.account == account))
                connection.execute(delete(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.account == account))
            self._audit.write(by, "account.changed", account, new, connection=connection)
        self._on_end()

    def reset(self, by: str, account: str, password: str) -> None:
        """Another password; all sessions end, and set by somebody else it silences every device: it may be in a thief's pocket.

        A device that is still theirs is told of again when they sign in there. Raises AccountError, StoreError.
        """
        kept = self._kept(account, password)
        with writing(self._engine) as connection:
            self._must(connection, account)
            self._renew(connection, account, {"password": kept})
            connection.execute(delete(SESSIONS).where(SESSIONS.c.account == account))
            if by != account:
                connection.execute(delete(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.account == account))
            self._audit.write(by, "account.password", account, {}, connection=connection)
        with self._lock:
            self._by_account.forget(account)
        self._on_end()

    def new_totp(self, by: str, account: str) -> tuple[str, str]:
        """A new second factor: its secret and its URI, told this once. Sessions end. Raises AccountError, StoreError."""
        secret = new_secret()
        self._set_totp(by, account, self._seal.shut(secret), "account.totp_on")
        return secret, uri_of(secret, account)

    def no_totp(self, by: str, account: str) -> None:
        self._set_totp(by, account, "", "account.totp_off")

    # -- one's own second factor -------------------------------------------------------------------------------------------------

    def has_totp(self, account: str) -> bool:
        with reading(self._engine) as connection:
            return bool(self._must(connection, account).totp)

    def begin_totp(self, account: str, password: str, code: str) -> Pending:
        """A secret that counts when `confirm_totp` has seen a code of it. Whoever has a second factor shows it. Raises Unfit, StoreError."""
        self._demand_both(account, password, code)
        secret, until = new_secret(), self._clock.wall() + CONFIRM_WITHIN
        self._audit.write(account, "account.totp_begun", account, {})
        sealed = self._seal.shut(msgspec.json.encode(_Begun(account, secret, until)).decode())
        return Pending(secret, uri_of(secret, account), sealed)

    def confirm_totp(self, account: str, pending: str, code: str) -> None:
        """From now on codes of this secret are asked for; all sessions end. Raises Unfit, StoreError."""
        begun = self._begun(pending)
        if begun is None or begun.account != account or begun.until < self._clock.wall():
            raise Unfit(409, "begin_again", f"it took longer than {CONFIRM_WITHIN.seconds // 60} minutes: begin again")
        self._count(account, "")
        if step_of(code, begun.secret, self._clock.wall(), 0) is None:
            self._audit.write(account, "session.refused", account, {"why": "code of the new second factor"})
            raise Unfit(422, "wrong", "this is not the code that the app shows now: is the clock of the phone right?", "code")
        with self._lock:
            self._by_account.forget(account)
        self._set_totp(account, account, self._seal.shut(begun.secret), "account.totp_on")

    def end_totp(self, account: str, password: str, code: str) -> None:
        """Without a second factor from now on; all sessions end. Raises Unfit, StoreError."""
        self._demand_both(account, password, code)
        self.no_totp(account, account)

    def _begun(self, pending: str) -> _Begun | None:
        try:
            return msgspec.json.decode(self._seal.open(pending), type=_Begun)
        except (ConfigError, msgspec.DecodeError):
            return None

    def _demand_both(self, account: str, password: str, code: str) -> None:
        """The password again, and a code that was not used yet where there is a second factor. Raises Unfit, StoreError."""
        self.demand_password(account, password)
        with writing(self._engine) as connection:
            row = _row(connection, account, for_update=True)
            if row is None or not row.totp:
                return
            step = step_of(code, self._seal.open(row.totp), self._clock.wall(), row.totp_step)
            if step is not None:
                connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.name == account).values(totp_step=step))
        if step is None:
            self._count(account, "")
            self._audit.write(account, "session.refused", account, {"why": "code"})
            raise Unfit(403, "wrong", "the code of the second factor is wrong, or was used already: wait for the next", "code")

    def _set_totp(self, by: str, account: str, sealed: str, what: str) -> None:
        with writing(self._engine) as connection:
            self._must(connection, account)
            self._renew(connection, account, {"totp": sealed, "totp_step": 0})
            connection.execute(delete(SESSIONS).where(SESSIONS.c.account == account))
            self._audit.write(by, what, account, {}, connection=connection)
        self._on_end()

    def all(self) -> list[Account]:
        """By name. Raises StoreError."""
        with reading(self._engine) as connection:
            open_ones = [row.account for row in connection.execute(select(SESSIONS)) if self._lasts(row)]
            rows = connection.execute(select(ACCOUNTS).order_by(ACCOUNTS.c.name)).all()
        return [_account(row, open_ones.count(row.name)) for row in rows]

    def _kept(self, account: str, password: str) -> str:
        weak = why_weak(password, account)
        if weak:
            raise AccountError(weak, "password")
        return self._passwords.keep(password)

    def _must(self, connection: Connection, account: str) -> Row[Any]:
        row = _row(connection, account)
        if row is None:
            raise AccountError(f"there is no account {account[:60]!r}")
        return row

    def _renew(self, connection: Connection, account: str, values: dict[str, Any]) -> None:
        connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.name == account).values(**values, changed=self._clock.wall()))

    # -- signing in --------------------------------------------------------------------------------------------------------------

    def sign_in(self, account: str, password: str, code: str, address: str) -> SignedIn:
        """Raises Unfit: 401 wrong, 403 code_needed, 429 too_many (with `retry_after_s`); StoreError."""
        self._count(account, address)
        with reading(self._engine) as connection:
            row = _row(connection, account)
        fits = self._passwords.fits(row.password if row else None, password)
        if row is None or row.disabled or not fits:
            self._refuse(account, address, "password")
        step = self._second_factor(row, code, address) if row.totp else None
        renewed = {} if not self._passwords.is_old(row.password) else {"password": self._passwords.keep(password)}
        return self._begin(row, renewed | ({} if step is None else {"totp_step": step}), address)

    def sign_in_known(self, account: str, address: str) -> SignedIn:
        """For somebody whom a provider vouches for: no password, no code, and no account that is not here. Raises Unfit, StoreError."""
        with reading(self._engine) as connection:
            row = _row(connection, account)
        if row is None or row.disabled:
            self._audit.write("-", "session.refused", account, {"address": address, "why": "no such account", "by": "oidc"})
            raise Unfit(
                403, "no_account", f"the provider knows {account[:60]!r}, and there is no such account here: ask a manager"
            )
        return self._begin(row, {}, address, "oidc")

    def _count(self, account: str, address: str) -> None:
        now_s = self._clock.mono_s()
        with self._lock:
            wait_s = max(self._by_account.wait_s(account, now_s), self._by_address.wait_s(address, now_s) if address else 0.0)
            if wait_s > 0:
                raise TooMany(wait_s)
            self._by_account.tried(account, now_s)
            if address:
                self._by_address.tried(address, now_s)

    def _refuse(self, account: str, address: str, why: str) -> NoReturn:
        """One answer for everything, so that nobody learns which accounts there are."""
        shown = account if NAME.fullmatch(account) else "(no name)"
        self._audit.write("-", "session.refused", shown, {"address": address, "why": why})
        raise Unfit(401, "wrong", "account, password or code is wrong")

    def _second_factor(self, row: Row[Any], code: str, address: str) -> int:
        if not code:
            with self._lock:
                self._by_account.excuse(row.name)
                self._by_address.excuse(address)
            raise Unfit(403, "code_needed", "this account asks for the code of its authenticator app, too")
        step = step_of(code, self._seal.open(row.totp), self._clock.wall(), row.totp_step)
        if step is None:
            self._refuse(row.name, address, "code")
        return step

    def _begin(self, row: Row[Any], renewed: dict[str, Any], address: str, by: str = "password") -> SignedIn:
        token, now = secrets.token_urlsafe(32), self._clock.wall()
        with writing(self._engine) as connection:
            again = _row(connection, row.name, for_update=True)
            if again is None or again.disabled or again.password != row.password or again.totp_step != row.totp_step:
                raise Unfit(401, "wrong", "the account was changed, or the code used, at this very moment: sign in again")
            if renewed:
                connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.name == row.name).values(**renewed))
            self._make_room(connection, row.name)
            values = {"digest": digest_of(token), "account": row.name, "born": now, "seen": now, "address": address[:64]}
            connection.execute(insert(SESSIONS).values(values))
            self._audit.write(row.name, "session.begun", row.name, {"address": address, "by": by}, connection=connection)
        with self._lock:
            self._by_account.forget(row.name)
            self._by_address.excuse(address)
        return SignedIn(token, _caller(row))

    def _make_room(self, connection: Connection, account: str) -> None:
        """Ended sessions of anybody go, and this account's oldest if it has too many."""
        now = self._clock.wall()
        ended = (SESSIONS.c.seen < now - self._limits.idle) | (SESSIONS.c.born < now - self._limits.longest)
        connection.execute(delete(SESSIONS).where(ended))
        ask = (
            select(SESSIONS.c.digest)
            .where(SESSIONS.c.account == account)
            .order_by(SESSIONS.c.seen.desc())
            .offset(MOST_SESSIONS - 1)
        )
        surplus = list(connection.scalars(ask.limit(MOST_SESSIONS)))
        connection.execute(delete(SESSIONS).where(SESSIONS.c.digest.in_(surplus)))

    def demand_password(self, account: str, password: str, field: str = "password") -> None:
        """For what an open session alone may not do. Counts as a try to sign in. Raises Unfit: 403 wrong, 429; StoreError."""
        self._count(account, "")
        with reading(self._engine) as connection:
            row = _row(connection, account)
        if not self._passwords.fits(row.password if row else None, password):
            self._audit.write(account, "session.refused", account, {"why": "own password"})
            raise Unfit(403, "wrong", "your own password is wrong", field)
        with self._lock:
            self._by_account.forget(account)

    def sign_out(self, token: str) -> None:
        with writing(self._engine) as connection:
            account = connection.scalar(select(SESSIONS.c.account).where(SESSIONS.c.digest == digest_of(token)))
            if account is not None:
                connection.execute(delete(SESSIONS).where(SESSIONS.c.digest == digest_of(token)))
                self._audit.write(account, "session.ended", account, {}, connection=connection)
        self._on_end()

    # -- sessions ----------------------------------------------------------------------------------------------------------------

    def caller_of(self, token: str, *, used: bool = True) -> Caller | None:
        """Who a session belongs to; None when there is none, or it has ended. `used`: somebody did something, so it stays awake."""
        with reading(self._engine) as connection:
            row = connection.execute(_session_of(token)).one_or_none()
        if row is None or row.disabled or not self._lasts(row):
            return None
        now = self._clock.wall()
        if used and now - row.seen >= SEEN_EVERY:
            # who they are is known by reading: a full disk must not keep a guard from locking a door down
            self._promptly.write(lambda: self._note_use(token, now), f"use of a session of {row.name}")
        return _caller(row)

    def _note_use(self, token: str, now: datetime) -> None:
        with writing(self._engine) as connection:
            connection.execute(update(SESSIONS).where(SESSIONS.c.digest == digest_of(token)).values(seen=now))

    def stay_awake(self, token: str, quiet: timedelta) -> timedelta:
        """A page that is in view says for how long nobody has moved a hand before it. Returns how long the session lasts from now if nobody
        does, and the page goes on saying so; without the page it ends sooner. Raises Unfit when it has ended, StoreError."""
        now, quiet = self._clock.wall(), max(quiet, timedelta(0))
        with writing(self._engine) as connection:
            row = connection.execute(_session_of(token)).one_or_none()
            if row is None or row.disabled or not self._lasts(row):
                raise Unfit(401, "signed_out", "the session has ended: sign in")
            allowed = self._limits.idle_of(row.role)
            seen = max(row.seen, now - min(quiet / allowed, 1.0) * self._limits.idle)
            connection.execute(update(SESSIONS).where(SESSIONS.c.digest == digest_of(token)).values(seen=seen))
        quiet_left: timedelta = max(allowed - quiet, seen + self._limits.idle - now)
        longest_left: timedelta = row.born + self._limits.longest - now
        return max(timedelta(0), min(quiet_left, longest_left))

    def _lasts(self, row: Row[Any]) -> bool:
        now = self._clock.wall()
        return bool(now - row.seen < self._limits.idle and -CLOCK_SLACK < now - row.born < self._limits.longest)


def _session_of(token: str) -> Select[Any]:
    """The session, with its account."""
    both = select(ACCOUNTS, SESSIONS.c.born, SESSIONS.c.seen).join(SESSIONS, SESSIONS.c.account == ACCOUNTS.c.name)
    return both.where(SESSIONS.c.digest == digest_of(token))


def _check(role: str, shown: str, sites: tuple[str, ...]) -> None:
    if role not in ROLES:
        raise AccountError(f"role {role[:40]!r}: allowed are {', '.join(ROLES)}", "role")
    if len(shown) > MOST_SHOWN or any(ord(each) < 32 for each in shown):
        raise AccountError(f"name: up to {MOST_SHOWN} characters, none of them a control character", "name")
    if len(sites) > MOST_SITES or not all(LEVEL.fullmatch(site) for site in sites):
        raise AccountError(f"sites: up to {MOST_SITES} names of 1 to 40 of a-z, 0-9, _ and -", "sites")


def _another_manager(connection: Connection, account: str) -> None:
    ask = select(ACCOUNTS.c.name).where(ACCOUNTS.c.role == "manager", ACCOUNTS.c.disabled.is_(False), ACCOUNTS.c.name != account)
    if connection.scalar(ask.limit(1)) is None:
        raise AccountError(f"{account!r} is the last manager: make another one first")


def _row(connection: Connection, account: str, *, for_update: bool = False) -> Row[Any] | None:
    ask = select(ACCOUNTS).where(ACCOUNTS.c.name == account)
    return connection.execute(ask.with_for_update() if for_update else ask).one_or_none()


def _caller(row: Row[Any]) -> Caller:
    return Caller(account=row.name, role=row.role, name=row.shown, sites=tuple(row.sites))


def _account(row: Row[Any], sessions: int) -> Account:
    return Account(account=row.name, name=row.shown, role=row.role, sites=tuple(row.sites), totp=bool(row.totp), disabled=row.disabled,
                   made=row.made, changed=row.changed, sessions=sessions)  # fmt: skip
