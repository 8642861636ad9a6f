"""A page that watches a door, for a real browser: the live room behind a web server of the standard library, signed in as one person.

For the benchmark and the tests; the dashboard has its own page and the centre's own web server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from agent.clock import SystemClock
from central.gateway.asking import Ask, Caller, Endpoint, Unfit

SCRIPT = Path(__file__).with_name("live_page.js")
PAGE = b"<!doctype html><video muted playsinline></video><script src=/live_page.js></script>"


class Page:
    """Serve until `close`."""

    def __init__(self, endpoints: list[Endpoint], caller: Caller) -> None:
        self._endpoints, self._caller = endpoints, caller
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._answer))
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        for endpoint in self._endpoints:
            words = _words(endpoint.path, path.removeprefix("/api"))
            if endpoint.method == method and words is not None:
                try:
                    return 200, endpoint.work(Ask(caller=self._caller, now=SystemClock().wall(), path=words, body=body))
                except Unfit as error:
                    return error.status, {"error": error.code, "sentence": error.sentence}
        return 404, None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _words(pattern: str, path: str) -> dict[str, str] | None:
    wanted, found = pattern.split("/"), path.split("/")
    if len(wanted) != len(found) or any(w != f for w, f in zip(wanted, found, strict=True) if not w.startswith("{")):
        return None
    return {w.strip("{}"): f for w, f in zip(wanted, found, strict=True) if w.startswith("{")}


def _handler(answer: Callable[[str, str, bytes], tuple[int, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            if self.path in ("/", "/live_page.js"):
                kind = "text/html" if self.path == "/" else "text/javascript"
                self._send(200, kind, PAGE if self.path == "/" else SCRIPT.read_bytes())
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, told = answer(self.command, self.path, body)
            self._send(status, "application/json", msgspec.json.encode(told))

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names of http.server

        def _send(self, status: int, kind: str, raw: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    return Handler
