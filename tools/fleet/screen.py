"""A dashboard that is open all day long: signs in, follows the stream, comes back by the number of the last event it had."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from datetime import datetime, timezone

from msgspec import Struct

SILENCE_S = 30.0
"""The stream says something every fifteen seconds."""
BACK_S = 0.5


class Told(Struct, frozen=True):
    """One message of server-sent events."""

    name: str
    n: int
    data: str


class Screen:
    """`start`, `stop`. Counts in a thread of its own."""

    def __init__(self, port: int, account: str, password: str) -> None:
        self._port, self._account, self._password = port, account, password
        self._stopping = threading.Event()
        self._last = self._newest = 0
        self._cookie = ""
        self.numbers: set[int] = set()
        """Of the events that were shown."""
        self.waits_s: list[float] = []
        """From the door's clock, which is ours, to this screen: of events that were not caught up with."""
        self.connections = 0
        self.missed = 0
        """How often it was told that too much was missed to be told again."""
        self._thread = threading.Thread(target=self._run, name="screen", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """It ends with the stream's next word."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            # the centre is away, or has ended the session: come back
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                self._watch()
            self._stopping.wait(BACK_S)

    def _watch(self) -> None:
        wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SILENCE_S)
        try:
            self._cookie = self._cookie or self._sign_in(wire)
            headers = {"Cookie": self._cookie, **({"Last-Event-ID": str(self._last)} if self._last else {})}
            wire.request("GET", "/api/stream", headers=headers)
            answer = wire.getresponse()
            if answer.status != http.client.OK:
                self._cookie = ""
                answer.read()
                return
            self.connections += 1
            for told in told_in(answer):
                self._take(told)
                if self._stopping.is_set():
                    return
        finally:
            wire.close()

    def _sign_in(self, wire: http.client.HTTPConnection) -> str:
        body = json.dumps({"account": self._account, "password": self._password})
        wire.request("POST", "/api/session", body, {"Content-Type": "application/json"})
        answer = wire.getresponse()
        answer.read()
        return (answer.headers["Set-Cookie"] or "").partition(";")[0]

    def _take(self, told: Told) -> None:
        if told.name == "hello":
            self._greeted(json.loads(told.data))
        elif told.name == "event":
            caught_up = told.n <= self._newest
            self._last = told.n
            self.numbers.add(told.n)
            if not caught_up:
                at = datetime.fromisoformat(json.loads(told.data)["at"].replace("Z", "+00:00"))
                self.waits_s.append((datetime.now(timezone.utc) - at).total_seconds())

    def _greeted(self, hello: dict[str, object]) -> None:
        self._newest = int(str(hello["n"]))
        self.missed += bool(hello["missed"])


def told_in(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[Told]:
    """The messages of a stream; comments and what is not known are left out. WHATWG HTML, 9.2.6."""
    name, n, data = "", 0, ""
    for raw in lines:
        field, _, value = raw.decode("utf-8").rstrip("\r\n").partition(": ")
        if not field:
            if data:
                yield Told(name, n, data)
            name, n, data = "", 0, ""
        elif field == "event":
            name = value
        elif field == "id":
            n = int(value)
        elif field == "data":
            data += value
