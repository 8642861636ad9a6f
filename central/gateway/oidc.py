"""Single sign-on: the house's provider says who somebody is (OpenID Connect Core 1.0, authorization code with PKCE, RFC 7636).

It says only who: the account must be here already, with its role, and not be disabled. What is under way lies in a sealed cookie of the
browser that began it, so nobody can be signed in by somebody else's link, and nothing has to be kept here.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Struct
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from agent.clock import Clock
from agent.errors import ConfigError
from central.database.types import to_us
from central.gateway.asking import Unfit
from central.gateway.fence import is_loopback
from central.settings import Oidc

CALLBACK = "/api/session/oidc/callback"
UNDER_WAY_S = 600
LEEWAY_S = 60
"""So far the provider's clock may be off."""
ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519")
"""Signatures by a key that only the provider has; never 'none', never a shared secret."""
WAIT_S = 5.0
MOST_BYTES = 256 * 1024

T = TypeVar("T")


class UnderWay(Struct, frozen=True):
    """What the browser that began brings back."""

    state: str
    verifier: str
    nonce: str
    begun_us: int


class _Provider(Struct, frozen=True):
    """What is needed of its discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Tokens(Struct, frozen=True):
    id_token: str


class _Keys(Struct, frozen=True):
    keys: list[dict[str, str | list[str]]]


class SingleSignOn:
    """`begin`, then `finish`; both talk to the provider and belong into a thread."""

    def __init__(self, settings: Oidc, public_url: str, clock: Clock) -> None:
        """Raises ConfigError."""
        self._settings, self._clock = settings, clock
        self._redirect = public_url + CALLBACK
        self._secret = _secret(settings)
        self._box = SecretBox(secrets.token_bytes(SecretBox.KEY_SIZE))
        if not _is_safe(settings.issuer):
            raise ConfigError(f"gateway.oidc.issuer {settings.issuer!r}: an address that begins with https:// is allowed")

    @property
    def shown(self) -> str:
        return self._settings.shown

    def begin(self) -> tuple[str, str]:
        """Where the browser goes, and the cookie that it keeps meanwhile. Raises Unfit."""
        state, verifier, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        way = UnderWay(state, verifier, nonce, to_us(self._clock.wall()))
        asked = {
            "response_type": "code", "client_id": self._settings.client_id, "redirect_uri": self._redirect, "scope": "openid profile",
            "state": way.state, "nonce": way.nonce, "code_challenge": _challenge(way.verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        end = self._provider().authorization_endpoint
        url = end + ("&" if "?" in end else "?") + urlencode(asked)
        return url, base64.urlsafe_b64encode(self._box.encrypt(msgspec.msgpack.encode(way))).decode()

    def finish(self, cookie: str, state: str, code: str) -> str:
        """The account's name, by the provider's signed word. Raises Unfit."""
        way = self._under_way(cookie)
        if not state or not secrets.compare_digest(state.encode(), way.state.encode()):
            raise Unfit(403, "other_state", "this sign-in was begun in another browser, or twice: begin again")
        provider = self._provider()
        return self._name_in(self._id_token(provider, code, way.verifier), provider, way.nonce)

    def _under_way(self, cookie: str) -> UnderWay:
        try:
            way = msgspec.msgpack.decode(self._box.decrypt(base64.urlsafe_b64decode(cookie)), type=UnderWay)
        except (CryptoError, ValueError, msgspec.MsgspecError) as error:
            raise Unfit(403, "not_begun", "no sign-in was begun in this browser: begin again") from error
        if not 0 <= to_us(self._clock.wall()) - way.begun_us <= UNDER_WAY_S * 1_000_000:
            raise Unfit(403, "too_late", "the sign-in took too long: begin again")
        return way

    def _provider(self) -> _Provider:
        """Asked for each time: people sign in rarely, and keys are renewed."""
        url = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = _decoded(_asked(lambda: requests.get(url, timeout=WAIT_S, stream=True, allow_redirects=False)), _Provider)
        if found.issuer != self._settings.issuer:
            raise Unfit(502, "provider", "the provider calls itself otherwise than gateway.oidc.issuer does")
        if not all(map(_is_safe, (found.authorization_endpoint, found.token_endpoint, found.jwks_uri))):
            raise Unfit(502, "provider", "the provider names an address without TLS")
        return found

    def _id_token(self, provider: _Provider, code: str, verifier: str) -> str:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect, "code_verifier": verifier,
                "client_id": self._settings.client_id}  # fmt: skip
        by = (self._settings.client_id, self._secret) if self._secret else None
        raw = _asked(
            lambda: requests.post(provider.token_endpoint, form, auth=by, timeout=WAIT_S, stream=True, allow_redirects=False)
        )
        return _decoded(raw, _Tokens).id_token

    def _name_in(self, token: str, provider: _Provider, nonce: str) -> str:
        keys = _decoded(
            _asked(lambda: requests.get(provider.jwks_uri, timeout=WAIT_S, stream=True, allow_redirects=False)), _Keys
        )
        now = int(self._clock.wall().timestamp())
        rules = jwt.JWTClaimsRegistry(
            now=now, leeway=LEEWAY_S, iss={"essential": True, "value": self._settings.issuer}, exp={"essential": True},
            aud={"essential": True, "value": self._settings.client_id}, nonce={"essential": True, "value": nonce}, sub={"essential": True},
        )  # fmt: skip
        try:
            claims = jwt.decode(token, KeySet.import_key_set({"keys": keys.keys}), algorithms=ALGORITHMS).claims
            rules.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Unfit(403, "not_believed", f"the provider's word is not believed: {type(error).__name__}") from error
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self._settings.client_id:
            raise Unfit(403, "not_believed", "the provider's word is for somebody else")
        return str(claims.get(self._settings.claim, ""))


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _secret(settings: Oidc) -> str:
    if not settings.client_id:
        raise ConfigError("gateway.oidc.client_id: the name under which the provider knows this centre is missing")
    try:
        return Path(settings.secret_file).read_text("utf-8").strip() if settings.secret_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"gateway.oidc.secret_file {settings.secret_file}: cannot be read: {error}") from error


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError:
        return False


def _asked(ask: Callable[[], requests.Response]) -> bytes:
    try:
        with ask() as answer:
            raw = answer.raw.read(MOST_BYTES + 1, decode_content=True)
            if answer.status_code != 200 or len(raw) > MOST_BYTES:
                raise Unfit(502, "provider", f"the provider answered {answer.status_code}")
            return bytes(raw)
    except (requests.RequestException, OSError) as error:
        raise Unfit(502, "provider", f"the provider cannot be reached: {type(error).__name__}") from error


def _decoded(raw: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unfit(502, "provider", f"the provider's answer cannot be read: {error}") from error
