"""Names and passwords for a TURN server that hold for a while only, as coturn's REST API wants them.

docs of coturn, 'turnserver --use-auth-secret': the user name is `EXPIRES:NAME` in seconds since 1970, the password is the base64 of
HMAC-SHA1 over that user name with the shared secret. So no password is stored anywhere, and one that leaks is worth minutes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from agent.errors import ConfigError
from central.settings import Live


class IceServer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As a browser's RTCPeerConnection takes it."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""


class IceServers:
    """`given_to` somebody, for a while."""

    def __init__(self, settings: Live) -> None:
        """Raises ConfigError when there is a TURN server without a secret, or the secret cannot be read."""
        self._stun, self._turn, self._valid = settings.stun, settings.turn, timedelta(minutes=settings.turn_valid_min)
        self._secret = _secret(settings) if settings.turn else b""

    def given_to(self, who: str, now: datetime) -> tuple[IceServer, ...]:
        """What a browser or a door may use until `turn_valid_min` from now."""
        servers = [IceServer(urls=self._stun)] if self._stun else []
        return (*servers, credentials(self._turn, self._secret, who, now + self._valid)) if self._turn else tuple(servers)


def credentials(urls: Sequence[str], secret: bytes, who: str, expires: datetime) -> IceServer:
    username = f"{int(expires.timestamp())}:{who}"
    digest = hmac.new(secret, username.encode(), hashlib.sha1).digest()
    return IceServer(urls=tuple(urls), username=username, credential=base64.b64encode(digest).decode())


def _secret(settings: Live) -> bytes:
    if not settings.turn_secret_file:
        raise ConfigError("`$.live.turn_secret_file` is empty: a TURN server needs the secret that it shares with the centre")
    path = Path(settings.turn_secret_file)
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"`$.live.turn_secret_file` {path}: cannot be read: {error}") from error
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"`$.live.turn_secret_file` {path}: others can read this secret; run: chmod 600 {path}")
    if len(secret) < 16:
        raise ConfigError(f"`$.live.turn_secret_file` {path}: holds {len(secret)} characters; a secret has at least 16")
    return secret
