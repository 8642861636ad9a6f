"""What stands before everything the web server answers: for whom it listens at all, and what browsers are told to refuse.

Host is checked because a name that an attacker owns may be made to point at 127.0.0.1 (DNS rebinding); Origin because a page of somebody
else's may send requests, too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.errors import ConfigError
from central.settings import Gateway

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; connect-src 'self';"
    " media-src blob:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), payment=(), usb=(), microphone=(self), display-capture=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
}
HSTS = "max-age=31536000"


class Origins(Struct, frozen=True, kw_only=True):
    """Under which addresses browsers may reach us."""

    public_url: str
    """What links begin with, without a slash at the end."""
    origins: frozenset[str]
    """As browsers say them: scheme, name and port."""

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(urlsplit(each).netloc for each in self.origins)


def origins_of(settings: Gateway, port: int) -> Origins:
    """`port` is the one that was bound. Raises ConfigError where browsers could not be answered safely, and says the mend."""
    _demand_cover(settings)
    scheme = "https" if settings.cert_file else "http"
    known = [f"{scheme}://{name}:{port}" for name in LOOPBACK_NAMES]
    own = f"{scheme}://{_bracketed(settings.host)}:{port}"
    public = _public(settings) or (own if not _is_any(settings.host) else known[0])
    return Origins(public_url=public, origins=frozenset(map(_as_browsers_say, (*known, own, public))))


def _demand_cover(settings: Gateway) -> None:
    if bool(settings.cert_file) != bool(settings.key_file):
        raise ConfigError("gateway: cert_file and key_file belong together: name both, or none")
    if settings.behind_proxy and not settings.public_url.startswith("https://"):
        raise ConfigError("gateway.behind_proxy: set gateway.public_url to the address that the proxy serves, https://…")
    if settings.behind_proxy and not is_loopback(settings.host):
        raise ConfigError(f"gateway.host {settings.host!r} behind a proxy on this machine: set it to 127.0.0.1")
    if not (is_loopback(settings.host) or settings.cert_file):
        raise ConfigError(
            f"gateway.host {settings.host!r} can be reached by others, and passwords would go unencrypted: set gateway.cert_file and"
            " gateway.key_file, or leave gateway.host at 127.0.0.1 and put a proxy with TLS before it (gateway.behind_proxy = true)"
        )
    if _is_any(settings.host) and not settings.public_url:
        raise ConfigError(f"gateway.host {settings.host!r}: set gateway.public_url, too: the name that browsers use, https://…")


def _public(settings: Gateway) -> str:
    url = settings.public_url.rstrip("/")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        fits = (
            parts.scheme in ("http", "https")
            and parts.hostname
            and not (parts.path or parts.query or parts.fragment or parts.username)
        )
        _ = parts.port
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(
            f"gateway.public_url {settings.public_url!r}: scheme, name and port alone are allowed, as https://doors.example.org"
        )
    if settings.cert_file and not url.startswith("https://"):
        raise ConfigError(f"gateway.public_url {settings.public_url!r}: with gateway.cert_file it begins with https://")
    return url


def _as_browsers_say(url: str) -> str:
    """In small letters and without the port that goes without saying."""
    parts = urlsplit(url.lower())
    usual = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def is_ours(headers: Mapping[str, str], origins: Origins) -> bool:
    """Whether a request that changes something was made by our own page, or by a program that is no browser."""
    origin, fetch = headers.get("origin"), headers.get("sec-fetch-site")
    return (origin is None or origin in origins.origins) and fetch in (None, "same-origin", "none")


class Fence:
    """ASGI: refuses other names, and puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        extra = {"strict-transport-security": HSTS} if origins.secure else {}
        self._app, self._hosts = app, origins.hosts
        self._headers = [(name.encode(), value.encode()) for name, value in {**HEADERS, **extra}.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_fenced(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._headers]
            await send(message)

        hosts = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and hosts[0] in self._hosts:
            await self._app(scope, receive, send_fenced)
        else:
            await _refuse(send_fenced)


async def _refuse(send: Send) -> None:
    sentence = "this centre does not answer under this name: use gateway.public_url of central.toml, or set it"
    body = msgspec.json.encode({"error": "unknown_host", "sentence": sentence})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})
