"""What goes on in the house while it is killed: people at each door, and a guard at the dashboard who looks and gives orders."""

from __future__ import annotations

import http.client
import itertools
import random
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import msgspec

from demo.stage import CONTACT_PIN, D0_PIN, D1_PIN, OWNER_FOB, RELAY_PIN, UNKNOWN_FOB
from hw.rig import Rig
from tools.fleet.site import SITE
from tools.kills.house import GUARD, PASSWORD, HouseDoor

LOOKS_EVERY_S, ORDERS_EVERY_S = 0.05, 1.0
ANSWERS_WITHIN_S = 15.0


class Passers:
    """People at one door, one after the other: of ten six have a fob that passes, three one that does not, one pulls the door open."""

    def __init__(self, door: HouseDoor, seed: int) -> None:
        self._rig: Rig = door.rig
        self._random = random.Random(seed)  # noqa: S311 - makes traffic, hides nothing
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"people {door.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        acts = (
            self._pass,
            self._try,
            self._pass,
            self._open_and_shut,
            self._pass,
            self._try,
            self._pass,
            self._pass,
            self._try,
            self._pass,
        )
        for act in itertools.cycle(acts):
            if self._over.wait(self._random.uniform(0.02, 0.12)):
                return
            act()

    def _pass(self) -> None:
        before = len(self._rig.outputs)
        self._rig.wiegand(OWNER_FOB, D0_PIN, D1_PIN)
        self._await(before, high=True)
        self._open_and_shut()
        self._await(before, high=False)

    def _try(self) -> None:
        self._rig.wiegand(UNKNOWN_FOB, D0_PIN, D1_PIN)

    def _open_and_shut(self) -> None:
        self._rig.set(CONTACT_PIN, True)
        self._over.wait(0.05)
        self._rig.set(CONTACT_PIN, False)
        self._over.wait(0.05)

    def _await(self, before: int, high: bool) -> None:
        """A door that is dead answers nobody."""
        self._rig.wait_for(lambda seen: any(o.pin == RELAY_PIN and o.high is high for o in seen[before:]), 0.6)


class GuardAtDesk:
    """Signs in, looks at all doors again and again, and lets somebody in now and then. Notes what the centre promised."""

    def __init__(self, url: str, doors: list[str], orders: list[str], seed: int) -> None:
        """`orders`: the doors that take orders."""
        self._url, self._doors, self._orders = url, set(doors), orders
        self._random = random.Random(seed)  # noqa: S311
        self._cookie = self._csrf = ""
        self.all_there_s = float("-inf")
        """When a question was asked last, of which the answer was that every door is there."""
        self.obeyed: list[str] = []
        """Ids of the orders of which the centre said that the door obeyed."""
        self._over = threading.Event()
        self._threads = [threading.Thread(target=run, name="guard", daemon=True) for run in (self._look, self._order)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOKS_EVERY_S):
            asked_s = time.monotonic()
            if not self._cookie:
                self._sign_in()
            rows = self._ask("GET", "/doors") or ()
            if {row["door"] for row in rows if row["online"]} >= self._doors:
                self.all_there_s = asked_s

    def _order(self) -> None:
        while not self._over.wait(ORDERS_EVERY_S):
            if self._cookie:
                path = f"/doors/{SITE}/{self._random.choice(self._orders)}/commands"
                answer = self._ask("POST", path, {"command": "unlock", "why": "a parcel"})
                if answer is not None and answer["ok"]:
                    self.obeyed.append(answer["id"])

    def _sign_in(self) -> None:
        answer = self._ask("POST", "/session", {"account": GUARD, "password": PASSWORD})
        self._csrf = answer["csrf"] if answer is not None else ""

    def _ask(self, method: str, path: str, said: dict[str, str] | None = None) -> Any:
        """None when nobody answers: the centre is dead, or says that it cannot."""
        head = {"Content-Type": "application/json", "Cookie": self._cookie, "X-Doorward-CSRF": self._csrf}
        request = urllib.request.Request(self._url + path, msgspec.json.encode(said) if said else None, head, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN_S) as answer:  # noqa: S310 - our own, on loopback
                self._cookie = (answer.headers.get("Set-Cookie") or "").partition(";")[0] or self._cookie
                return msgspec.json.decode(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == http.client.UNAUTHORIZED:
                self._cookie = ""
        except (OSError, http.client.HTTPException, msgspec.DecodeError):
            pass  # dead
        return None
