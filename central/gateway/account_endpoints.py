"""Accounts and the audit log, for whoever may see and change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from central.gateway.accounts import Account, AccountError, Accounts, Pending
from central.gateway.asking import EVERYBODY, Ask, Endpoint, Reply, Role, Unfit
from central.gateway.audit import AuditLog, Head, Record

MANAGES: frozenset[Role] = frozenset(("manager",))
READS: frozenset[Role] = frozenset(("manager", "auditor", "privacy"))
READS_AUDIT: frozenset[Role] = frozenset(("auditor", "privacy"))
MOST_RECORDS = 500

T = TypeVar("T")
Word = Annotated[str, Meta(max_length=200)]
Sites = Annotated[tuple[Word, ...], Meta(max_length=200)]
Secret = Annotated[str, Meta(max_length=500)]
Code = Annotated[str, Meta(max_length=20)]


class NewAccount(Struct, frozen=True, forbid_unknown_fields=True):
    account: Word
    role: Word
    password: Secret
    name: Word = ""
    sites: Sites = ()
    own_password: Secret = ""
    """Of whoever makes it: a page that somebody left open makes no accounts."""


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not told stays."""

    role: Word | UnsetType = UNSET
    name: Word | UnsetType = UNSET
    sites: Sites | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    password: Secret | UnsetType = UNSET
    totp: bool | UnsetType = UNSET
    """True makes a new second factor, which is told in the answer and never again; False takes it away."""
    own_password: Secret = ""
    """Needed for all but a name and locking somebody out, which may be in a hurry."""


class OwnPassword(Struct, frozen=True, forbid_unknown_fields=True):
    old: Secret
    new: Secret


class Own(Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks shows that it is they; `code` where they have a second factor."""

    password: Secret
    code: Code = ""


class FirstCode(Struct, frozen=True, forbid_unknown_fields=True):
    pending: Annotated[str, Meta(max_length=1000)]
    code: Code


class Changed(Struct, frozen=True):
    account: Account
    totp_secret: str = ""
    totp_uri: str = ""


class AuditPage(Struct, frozen=True):
    """Newest first."""

    records: list[Record]
    more: bool
    head: Head


def endpoints(accounts: Accounts, audit: AuditLog) -> list[Endpoint]:
    """Accounts write their own records, in the transaction that changes them."""

    def listed(ask: Ask) -> list[Account]:
        _demand_all_sites(ask)
        return accounts.all()

    def add(ask: Ask) -> Reply:
        _demand_all_sites(ask)
        told = ask.json(NewAccount)
        accounts.demand_password(ask.caller.account, told.own_password, "own_password")
        _fit(lambda: accounts.add(ask.caller.account, told.account, told.role, told.password, shown=told.name, sites=told.sites))
        return Reply(status=201, body=b"null")

    def change(ask: Ask) -> Changed:
        _demand_all_sites(ask)
        account, told = ask.path["account"], ask.json(Change)
        _must(accounts, account)
        if not _is_harmless(told):
            accounts.demand_password(ask.caller.account, told.own_password, "own_password")
        return _fit(lambda: _change(accounts, ask.caller.account, account, told))

    def own_password(ask: Ask) -> None:
        told = ask.json(OwnPassword)
        accounts.demand_password(ask.caller.account, told.old, "old")
        _fit(lambda: accounts.reset(ask.caller.account, ask.caller.account, told.new))

    def begin_totp(ask: Ask) -> Pending:
        told = ask.json(Own)
        return accounts.begin_totp(ask.caller.account, told.password, told.code)

    def confirm_totp(ask: Ask) -> None:
        told = ask.json(FirstCode)
        accounts.confirm_totp(ask.caller.account, told.pending, told.code)

    def end_totp(ask: Ask) -> None:
        told = ask.json(Own)
        accounts.end_totp(ask.caller.account, told.password, told.code)

    def records(ask: Ask) -> AuditPage:
        _demand_all_sites(ask)
        limit = ask.whole("limit", 100, 1, MOST_RECORDS)
        found = audit.rows(ask.whole("before", 0, 0, 2**62), limit + 1)
        return AuditPage(found[:limit], len(found) > limit, audit.head())

    return [
        Endpoint(method="GET", path="/accounts", allowed=READS, work=listed),
        Endpoint(method="POST", path="/accounts", allowed=MANAGES, work=add, max_bytes=16 * 1024, recorded=False),
        Endpoint(method="PATCH", path="/accounts/{account}", allowed=MANAGES, work=change, max_bytes=16 * 1024, recorded=False),
        Endpoint(method="POST", path="/session/password", allowed=EVERYBODY, work=own_password, max_bytes=4096, recorded=False),
        Endpoint(
            method="GET", path="/session/totp", allowed=EVERYBODY, work=lambda ask: {"on": accounts.has_totp(ask.caller.account)}
        ),
        Endpoint(method="POST", path="/session/totp", allowed=EVERYBODY, work=begin_totp, max_bytes=4096, recorded=False),
        Endpoint(method="PUT", path="/session/totp", allowed=EVERYBODY, work=confirm_totp, max_bytes=4096, recorded=False),
        Endpoint(method="DELETE", path="/session/totp", allowed=EVERYBODY, work=end_totp, max_bytes=4096, recorded=False),
        Endpoint(method="GET", path="/audit", allowed=READS_AUDIT, work=records, recorded=True),
    ]


def _demand_all_sites(ask: Ask) -> None:
    """Accounts and the log are of the whole centre: who may see one site only could else let themselves see all."""
    if ask.caller.sites:
        raise Unfit(403, "not_allowed", "this is for accounts that see every site")


def _is_harmless(told: Change) -> bool:
    """A name, or an account that is locked out: nobody may do more by it than before."""
    return told.disabled is not False and all(each is UNSET for each in (told.role, told.sites, told.password, told.totp))


def _change(accounts: Accounts, by: str, account: str, told: Change) -> Changed:
    fields: dict[str, Any] = {"role": told.role, "shown": told.name, "sites": told.sites, "disabled": told.disabled}
    given = {key: value for key, value in fields.items() if value is not UNSET}
    if told.password is not UNSET:
        accounts.reset(by, account, told.password)
    if given:
        accounts.change(by, account, **given)
    secret, uri = accounts.new_totp(by, account) if told.totp is True else ("", "")
    if told.totp is False:
        accounts.no_totp(by, account)
    return Changed(_must(accounts, account), secret, uri)


def _must(accounts: Accounts, account: str) -> Account:
    found = next((each for each in accounts.all() if each.account == account), None)
    if found is None:
        raise Unfit(404, "unknown_account", f"there is no account {account[:60]!r}")
    return found


def _fit(work: Callable[[], T]) -> T:
    try:
        return work()
    except AccountError as error:
        raise Unfit(422, "unfit", str(error), error.field) from error
