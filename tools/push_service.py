"""A push service on loopback for tests and benchmarks (RFC 8030): checks the centre's key (RFC 8292), decrypts as browsers do (RFC 8291)."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import http_ece  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MOST_BYTES = 4096
"""That a service has to take (RFC 8030, section 7.2)."""


class Got:
    """One push that came."""

    def __init__(self, path: str, headers: dict[str, str], told: dict[str, Any]) -> None:
        self.path, self.headers, self.told, self.at_s = path, headers, told, time.monotonic()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _demand(is_so: bool, fault: str) -> None:
    if not is_so:
        raise ValueError(fault)


class PushService:
    """`status_of` says what it answers to a path."""

    def __init__(self) -> None:
        self.key, self.secret = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
        self.got: list[Got] = []
        self.unfit: list[str] = []
        self.status_of: Callable[[str], int] = lambda path: 201
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = service.status_of(self.path)
                try:
                    got = service.read(self.path, dict(self.headers), body)
                    if status < 300:
                        service.got.append(got)
                except Exception as error:  # noqa: BLE001 - whatever is wrong with a push is what tests ask for
                    service.unfit.append(f"{type(error).__name__}: {error}")
                    status = 400
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def read(self, path: str, headers: dict[str, str], body: bytes) -> Got:
        """Raises for a wrong key, a wrong service, or a body that is not for this browser."""
        words = headers["Authorization"].removeprefix("vapid ")
        parts = dict(part.strip().split("=", 1) for part in words.split(","))
        signed, _, signature = parts["t"].rpartition(".")
        raw = unb64(signature)
        encoded = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(parts["k"]))
        public.verify(encoded, signed.encode(), ec.ECDSA(SHA256()))
        claims = json.loads(unb64(signed.split(".")[1]))
        _demand(claims["aud"] == f"http://127.0.0.1:{self.port}", f"for another service: {claims}")
        _demand(time.time() < claims["exp"] < time.time() + 86400, f"not valid now, or for longer than a day: {claims}")
        _demand(claims["sub"].startswith(("mailto:", "https:")), f"nobody to write to: {claims}")
        _demand(len(body) <= MOST_BYTES, f"{len(body)} bytes")
        told = http_ece.decrypt(body, private_key=self.key, auth_secret=self.secret, version="aes128gcm")
        return Got(path, headers, json.loads(told))

    def subscription(self, name: str = "phone") -> dict[str, Any]:
        """As a browser's PushSubscription."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"endpoint": f"http://127.0.0.1:{self.port}/{name}", "expirationTime": None,
                "keys": {"p256dh": b64(point), "auth": b64(self.secret)}}  # fmt: skip

    @contextmanager
    def running(self) -> Iterator[PushService]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
