"""One push to one browser: which addresses are allowed, what is sent, what the service's answer means (RFC 8030, 8188, 8291, 8292)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from msgspec import Struct
from pywebpush import WebPusher  # type: ignore[import-untyped]

from central.alerts.severity import Severity
from central.alerts.vapid import Vapid

HOSTS = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    ".push.services.mozilla.com",
    ".notify.windows.com",
    ".push.apple.com",
)
"""Of Chrome, Edge on Android, Firefox, Edge on Windows and Safari. A dot in front: hosts that end so."""
MOST_ENDPOINT = 1000
CONNECT_S, ANSWER_S = 5.0, 10.0

Result = Literal["sent", "again", "gone", "refused"]

URGENCY: dict[str, str] = {"critical": "high", "high": "high", "warning": "normal"}
TTL_S: dict[str, int] = {"critical": 4 * 3600, "high": 4 * 3600, "warning": 3600}
"""How long a service keeps what a telephone that is off has not got; the list at the centre keeps everything."""


class Answer(Struct, frozen=True, kw_only=True):
    """What became of a push."""

    result: Result
    status: int = 0
    sentence: str
    retry_after_s: float = 0.0


def fault_of_endpoint(endpoint: str, hosts: Sequence[str] = HOSTS, loopback: bool = False) -> str:
    """Why nothing is sent to this address; empty: it is a push service's. The centre calls it, so a browser may not name just any."""
    try:
        parts = urlsplit(endpoint)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "endpoint: is no address"
    if len(endpoint) > MOST_ENDPOINT or not endpoint.isascii() or any(each <= " " for each in endpoint):
        return f"endpoint: at most {MOST_ENDPOINT} ASCII characters without spaces are allowed"
    if loopback and _is_loopback(host) and parts.scheme in ("http", "https"):
        return ""
    if parts.scheme != "https" or parts.username is not None or port not in (None, 443):
        return "endpoint: https on port 443 without a user is allowed"
    if not any(host.endswith(allowed) if allowed.startswith(".") else host == allowed for allowed in hosts):
        return f"endpoint: {host[:100]!r} is no push service known here; allowed: {', '.join(hosts)} (`alerts.push_hosts`)"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def fault_of_keys(p256dh: str, auth: str) -> str:
    """Why a push cannot be encrypted for a browser: its point on P-256 has 65 bytes, its secret 16, both in base64url."""
    try:
        point, secret = (base64.urlsafe_b64decode(each + "=" * (-len(each) % 4)) for each in (p256dh, auth))
    except (binascii.Error, ValueError):
        return "keys: p256dh and auth in base64url are wanted"
    if len(point) != 65 or point[0] != 4 or len(secret) != 16:
        return "keys: p256dh has 65 bytes and begins with 4, auth has 16"
    return ""


class PushClient:
    """Sends. One for each thread: it keeps connections open."""

    def __init__(self, vapid: Vapid) -> None:
        self._vapid, self._session = vapid, requests.Session()

    def send(self, endpoint: str, p256dh: str, auth: str, payload: bytes, severity: Severity, topic: str = "") -> Answer:
        """Never raises: what goes wrong is an answer. `topic`: takes the place of what waits at the service under the same one."""
        try:
            body = WebPusher({"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}}).encode(payload)["body"]
            reply = self._session.post(endpoint, data=body, headers=self._headers(endpoint, severity, topic),
                                       timeout=(CONNECT_S, ANSWER_S), allow_redirects=False, stream=True)  # fmt: skip
        except requests.RequestException as error:
            return Answer(result="again", sentence=f"cannot be reached: {type(error).__name__}")
        except Exception as error:  # noqa: BLE001 - keys of a browser are of whatever shape: one that breaks the library may end no thread
            return Answer(result="refused", sentence=f"cannot be encrypted for this device: {type(error).__name__}")
        with reply:
            return answer_of(reply.status_code, reply.headers.get("Retry-After", ""))

    def _headers(self, endpoint: str, severity: Severity, topic: str) -> dict[str, Any]:
        headers = {"Authorization": self._vapid.authorization(endpoint), "TTL": str(TTL_S.get(severity, 600)),
                   "Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream",
                   "Urgency": URGENCY.get(severity, "low")}  # fmt: skip
        return headers | ({"Topic": topic} if topic else {})

    def close(self) -> None:
        self._session.close()


def answer_of(status: int, retry_after: str = "") -> Answer:
    """What a push service's status means (RFC 8030, sections 5 and 7)."""
    if status in (200, 201, 202, 204):
        return Answer(result="sent", status=status, sentence="the push service has taken it")
    if status in (404, 410):
        return Answer(result="gone", status=status, sentence="this device no longer takes pushes; it was taken off the list")
    if status in (401, 403):
        return Answer(
            result="refused", status=status, sentence="the push service does not know this centre's key: sign the device up again"
        )
    if status == 413:
        return Answer(result="refused", status=status, sentence="the push service finds it too long")
    if status == 429 or status >= 500:
        wait_s = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
        return Answer(
            result="again", status=status, sentence=f"the push service answered {status}", retry_after_s=min(wait_s, 3600.0)
        )
    return Answer(result="refused", status=status, sentence=f"the push service answered {status}")
