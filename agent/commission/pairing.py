"""A controller without keys joins its centre by a short code that a person reads to it: docs/PAIRING.md.

It makes its private keys itself, and they never leave it. The centre's own certificate is not known here yet, so TLS proves nothing at this
moment and is not asked to: both sides prove to each other that they know the code, and all that counts travels sealed with what came of it.
"""

from __future__ import annotations

import hmac
import http.client
import os
import pwd
import shutil
import ssl
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from nacl.public import PrivateKey

from agent import files
from agent.clock import Clock, SystemClock
from agent.errors import ConfigError, WireError
from agent.identity.openssl import new_key, request_for
from agent.pairing import code as codes
from agent.pairing import messages
from agent.pairing.messages import FILES, Grant, PairingError, Refusal
from agent.pairing.spake2 import Agreed, Begun, begin, finish
from agent.records.keys import door_private

PLACE = Path("/etc/doorward")
USER = "doorward"
"""Whose the files become, where there is such a user and we are root."""
STAGED, BEING_STAGED = ".paired", ".paired.part"
"""Inside the place: all of the files, whole, on their way to where they belong; and on their way there."""
SECRET = frozenset(("door.key", "link/door.key", "link/media.key"))
ANSWER_S = 20.0
REPEATS = 3
REFUSED = (
    "the centre does not take this code: it was mistyped, used, or older than 15 minutes, or its three tries are over. Compare it with "
    "the dashboard, or ask for another one"
)

CLOCK_SLACK_S = 60.0

T = TypeVar("T")


def _put_clock(forward_s: float) -> None:
    time.clock_settime(time.CLOCK_REALTIME, time.time() + forward_s)


class Paired(Struct, frozen=True, kw_only=True):
    """What came of it. The files lie where the archive of `doorward central enrol-door` would have put them."""

    site: str
    door: str
    name: str
    """As people call it."""
    files: tuple[str, ...]
    """Relative to the place; `link.toml` is to be copied into door.toml, over the tables of the same name."""
    valid_until: datetime
    """When the certificates end."""
    replaces: bool
    """There was a controller for this door before: its certificates are revoked as soon as this one is heard at the broker."""
    centre_at: datetime
    """The centre's clock when it answered: a hint for a door that has no time of its own yet."""
    clock_off_s: float
    """So much the centre's clock is ahead of ours."""


def pair(url: str, code: str, place: Path = PLACE, *, expects: str = "", clock: Clock | None = None) -> Paired:
    """`url`: of the centre's dashboard; https without checking whose certificate that is, or http. `expects`: SITE/DOOR, where this
    controller was told before which door it is. Nothing is changed here until all of it has come. Raises ConfigError for what was typed
    wrongly, PairingError for what a person at the door must know."""
    typed, centre = codes.read(code), _Centre(url)
    settle(place)
    _make_room(place)
    try:
        grant, own = _asked(centre, typed, _Own(place), expects)
        _put(place, grant, own)
    except WireError as error:
        raise PairingError(str(error)) from error
    finally:
        shutil.rmtree(place / BEING_STAGED, ignore_errors=True)
    return _paired(grant, (clock or SystemClock()).wall())


def _asked(centre: _Centre, code: str, own: _Own, expects: str) -> tuple[Grant, dict[str, bytes]]:
    label, begun = codes.label(code), begin("door", code)
    met = centre.asks(messages.HELLO, messages.Hello(label=label, share=begun.share), messages.Met)
    agreed = _agreed(begun, met, label)
    asked = messages.Request(
        link=request_for(own.files["link/door.key"]),
        media=request_for(own.files["link/media.key"]),
        public_key=own.public,
        expects=expects,
    )
    proof = messages.Proof(session=met.session, confirms=agreed.door_confirms, sealed=messages.seal(agreed.door_seals, asked))
    return _granted(centre.asks(messages.PROOF, proof, messages.Granted), agreed), own.files


def settle(place: Path = PLACE) -> bool:
    """Finish what a power cut interrupted; whether there was anything. Harmless at any time. Raises PairingError."""
    staged = place / STAGED
    try:
        shutil.rmtree(place / BEING_STAGED, ignore_errors=True)
        if not staged.is_dir():
            return False
        _move_in(staged, place)
    except OSError as error:
        raise PairingError(f"{place}: the files of the pairing cannot be put in place: {error}") from error
    return True


def take_time(paired: Paired, synchronised: bool | None, put: Callable[[float], None] = _put_clock) -> str:
    """A door without a time server and a battery stands in the past, and believes no broker's certificate there: put its clock forward to
    the centre's, never back, and only where nobody else keeps it (`synchronised`: agent.clock_kernel). Returns what to tell; '' for nothing.
    """
    off_s = paired.clock_off_s
    if abs(off_s) < CLOCK_SLACK_S:
        return ""
    ours = f"{paired.centre_at - timedelta(seconds=off_s):%Y-%m-%d %H:%M}"
    if synchronised or off_s < 0:
        return (
            f"The clock here says {ours} UTC, the centre's {paired.centre_at:%Y-%m-%d %H:%M}: one of them is wrong. timedatectl"
        )
    try:
        put(off_s)
    except OSError as error:
        return f"The clock here stands at {ours} UTC and cannot be put forward ({error}): date -s '{paired.centre_at:%Y-%m-%d %H:%M:%S} UTC'"
    return f"The clock here stood at {ours} UTC: it is at the centre's time now. It needs a time server, or a battery, to stay right."


def _agreed(begun: Begun, met: messages.Met, label: str) -> Agreed:
    try:
        return finish(begun, met.share, messages.bound_by(label, met.session))
    except WireError as error:
        raise PairingError(f"what answers there is no centre: {error}") from error


def _granted(granted: messages.Granted, agreed: Agreed) -> Grant:
    if not hmac.compare_digest(granted.confirms, agreed.centre_confirms):
        raise PairingError(
            "what answers there does not know the code, so it is not your centre, or somebody stands between: nothing was taken from it. "
            "Compare the address, and ask for another code"
        )
    told: Grant | Refusal = messages.unseal(agreed.centre_seals, granted.sealed, Grant | Refusal, "the centre's answer")  # type: ignore[arg-type]
    if isinstance(told, Refusal):
        raise PairingError(f"the centre knows the code, and refuses: {told.sentence}")
    if set(told.files) != set(FILES):
        raise PairingError("the centre's answer lacks files, or has others than a door knows: do both run the same version?")
    return told


def _paired(grant: Grant, now: datetime) -> Paired:
    return Paired(
        site=grant.site, door=grant.door, name=grant.name, files=(*sorted(SECRET), "door.pub", *FILES), valid_until=grant.valid_until,
        replaces=grant.replaces, centre_at=grant.at, clock_off_s=(grant.at - now).total_seconds(),
    )  # fmt: skip


# -- keys ------------------------------------------------------------------------------------------------------------------------


class _Own:
    """The door's own keys. One for templates that is there stays, for what lies on this disk is sealed for it."""

    def __init__(self, place: Path) -> None:
        known = place / "door.key"
        key = door_private(known) if known.exists() else PrivateKey.generate()
        self.public = bytes(key.public_key)
        self.files = {
            "door.key": f"{bytes(key).hex()}\n".encode("ascii"),
            "door.pub": f"{self.public.hex()}\n".encode("ascii"),
            "link/door.key": new_key(),
            "link/media.key": new_key(),
        }


# -- files -----------------------------------------------------------------------------------------------------------------------


def _make_room(place: Path) -> None:
    """Before the centre is asked: what cannot be written here must not cost a code."""
    try:
        (place / BEING_STAGED / "link").mkdir(mode=0o755, parents=True)
    except OSError as error:
        raise PairingError(f"{place}: cannot be written: {error}; run this as root") from error


def _put(place: Path, grant: Grant, own: dict[str, bytes]) -> None:
    """Whole beside where they belong first, then each to its place: a power cut leaves none of them, or what `settle` finishes."""
    public = {name: text.replace(f'"{PLACE}/', f'"{place}/').encode("utf-8") for name, text in grant.files.items()}
    being, staged = place / BEING_STAGED, place / STAGED
    try:
        for name, raw in {**public, **own}.items():
            files.write_whole(being / name, raw)
            (being / name).chmod(0o600 if name in SECRET else 0o644)
        _demand_match(being)
        files.sync_folder(being)
        being.rename(staged)
        files.sync_folder(place)
        _move_in(staged, place)
    except OSError as error:
        raise PairingError(f"{place}: the centre has let this door in, and its files cannot be written: {error}") from error


def _demand_match(folder: Path) -> None:
    for program in ("door", "media"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(folder / "link" / "ca.crt")
            context.load_cert_chain(folder / "link" / f"{program}.crt", folder / "link" / f"{program}.key")
        except ssl.SSLError as error:
            raise PairingError(f"the centre sent a certificate that does not fit this door's key ({program}): {error}") from error


def _move_in(staged: Path, place: Path) -> None:
    owner = _owner()
    (place / "link").mkdir(mode=0o755, exist_ok=True)
    for path in sorted(path for path in staged.rglob("*") if path.is_file()):
        name = path.relative_to(staged)
        if owner is not None and (name.parts[0] == "link" or name.name == "door.key"):
            os.chown(path, *owner)
        path.replace(place / name)
    if owner is not None:
        os.chown(place / "link", *owner)
    files.sync_folder(place / "link")
    files.sync_folder(place)
    shutil.rmtree(staged)


def _owner() -> tuple[int, int] | None:
    try:
        found = pwd.getpwnam(USER)
    except KeyError:
        return None
    return (found.pw_uid, found.pw_gid) if os.geteuid() == 0 else None


# -- the way to the centre ---------------------------------------------------------------------------------------------------------


class _Centre:
    """Its web server, by the address that a person typed."""

    def __init__(self, url: str) -> None:
        told = url.strip() if "://" in url else f"https://{url.strip()}"
        try:
            parts = urlsplit(told)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError as error:
            raise ConfigError(f"{url[:100]!r}: {error}") from error
        if parts.scheme not in ("http", "https") or not self._host or parts.path.strip("/") or parts.query or parts.username:
            raise ConfigError(
                f"{url[:100]!r}: the dashboard's address is wanted, as https://doors.example.org or https://10.0.0.5:8443"
            )
        self._tls = parts.scheme == "https"
        self._shown = f"{parts.scheme}://{parts.netloc}"

    def asks(self, path: str, told: Struct, kind: type[T]) -> T:
        """The same bytes again where the answer was lost: the centre knows them again. Raises PairingError."""
        raw = msgspec.json.encode(told)
        for left in reversed(range(REPEATS)):
            try:
                return self._once(path, raw, kind)
            except (OSError, http.client.HTTPException) as error:
                if not left or isinstance(error, ConnectionRefusedError | ssl.SSLError):
                    raise PairingError(f"{self._shown} does not answer: {error or type(error).__name__}") from error
        raise AssertionError("unreachable")

    def _once(self, path: str, raw: bytes, kind: type[T]) -> T:
        connection = self._connection()
        try:
            connection.request("POST", path, raw, {"content-type": "application/json"})
            answer = connection.getresponse()
            body = answer.read(messages.MOST_BYTES + 1)
        finally:
            connection.close()
        if answer.status != 200:
            raise PairingError(_refusal(answer.status, body, self._shown))
        try:
            return messages.read(body, kind, f"{self._shown}{path}")
        except WireError as error:
            raise PairingError(f"what answers there is no centre: {error}") from error

    def _connection(self) -> http.client.HTTPConnection:
        if not self._tls:
            return http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_S)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = (
            False,
            ssl.CERT_NONE,
        )  # whose it is, the code proves, and nothing else can yet
        return http.client.HTTPSConnection(self._host, self._port, timeout=ANSWER_S, context=context)


def _refusal(status: int, body: bytes, where: str) -> str:
    if status == 403:
        return REFUSED
    try:
        sentence = msgspec.json.decode(body, type=dict[str, str])["sentence"][:300]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
        sentence = f"is that the centre's dashboard? It answers {status}"
    return f"{where}: {sentence}"
