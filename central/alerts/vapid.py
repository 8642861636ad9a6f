"""The key by which push services know this centre (VAPID, RFC 8292). Whoever changes it has every device sign up again."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from py_vapid import Vapid02, VapidException  # type: ignore[import-untyped]

from agent.errors import ConfigError
from agent.ownership import give_to_owner_of

FILE = "vapid.key"
LASTS_S = 12 * 3600
"""RFC 8292 allows a day; a clock that is some hours off still works."""
_RENEW_S = 3600


class Vapid:
    """Signs for one push service after the other. Of any thread."""

    def __init__(self, key: EllipticCurvePrivateKey, contact: str) -> None:
        """`contact`: whom a push service may write to: `mailto:…` or `https:…`."""
        self._signer, self._contact = Vapid02(private_key=key), contact
        self._signed: dict[str, tuple[float, str]] = {}
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = base64.urlsafe_b64encode(point).rstrip(b"=").decode()
        """What browsers subscribe with: 65 bytes in base64url."""

    def authorization(self, endpoint: str) -> str:
        """The header for a push to this address."""
        parts = urlsplit(endpoint)
        service, now_s = f"{parts.scheme}://{parts.netloc}", time.time()
        until_s, header = self._signed.get(service, (0.0, ""))
        if now_s > until_s:
            claims = {"sub": self._contact, "aud": service, "exp": int(now_s) + LASTS_S}
            header = str(self._signer.sign(claims)["Authorization"])
            self._signed[service] = (now_s + _RENEW_S, header)
        return header


def ensure_vapid(folder: Path) -> Path:
    """The key's file; made with mode 0600 if it is not there. Raises ConfigError."""
    path = folder / FILE
    try:
        _write_new(path)
    except FileExistsError:
        return path
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}") from error
    return path


def _write_new(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    give_to_owner_of(path.parent, path)


def load_vapid(path: Path, contact: str) -> Vapid:
    """Raises ConfigError for what is no P-256 key in PEM."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be read as a private key in PEM: {error}") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ConfigError(f"{path}: is no key on the curve P-256, which push services ask for")
    vapid = Vapid(key, contact)
    try:
        vapid.authorization("https://push.example.org/")
    except VapidException as error:
        raise ConfigError(f"alerts.contact {contact!r}: push services take mailto:NAME@HOST or https://HOST: {error}") from error
    return vapid
