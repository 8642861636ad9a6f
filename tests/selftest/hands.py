"""A script in an installer's place: reads what `doorward selftest --json` asks for and does it at the rig, as hands would."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hw.camera_sim import CameraFarEnd
from hw.rig import Rig

D0, D1, RELAY, CONTACT, REX, FIRE, TAMPER = 17, 27, 22, 23, 24, 25, 26
FOB = "00000000100010100101000110"
"""A physical card: H10301, 1:5283."""
SHUT, OPEN = False, True


def turned(bits: str) -> str:
    return bits.translate(str.maketrans("01", "10"))


class Door:
    """What is beyond the pins: a door that opens only when its lock lets it. Faults are set by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rig = Rig(str(folder / "rig.sock"), {D0: True, D1: True, CONTACT: SHUT, REX: True, FIRE: False, TAMPER: False})
        self.send: Callable[[], None] = lambda: self.frame(FOB)
        self.contact = CONTACT
        """Where the contact's wire really goes."""
        self.holds = True
        self.lets_go = True
        self.button_cuts_power = True
        self.fail_safe = False
        self.watches_rex = True
        self.first: Callable[[], None] = lambda: None
        """What is done before an input is tried, e.g. the door is shut."""

    def frame(self, bits: str, d0: int = D0, d1: int = D1) -> None:
        self.rig.wiegand(bits, d0, d1)

    def press(self, pin: int, active: bool) -> None:
        self.rig.set(pin, active)
        time.sleep(0.1)
        self.rig.set(pin, not active)
        time.sleep(0.1)

    def _coil(self) -> bool:
        return bool(self.rig.level(RELAY))

    def free(self) -> bool:
        """Whether the leaf gives way now."""
        released = not self._coil() if self.fail_safe else self._coil()
        return (released and self.lets_go) or not self.holds

    def pull(self) -> None:
        if self.free():
            self.rig.set(self.contact, OPEN)

    def pull_until_it_opens(self, patience_s: float) -> None:
        until_s = time.monotonic() + patience_s
        while time.monotonic() < until_s:
            if self.free():
                self.rig.set(self.contact, OPEN)
                return
            time.sleep(0.05)

    def leave(self) -> None:
        """The button's second pole cuts the lock's supply."""
        if self.watches_rex:
            self.rig.set(REX, False)
        if self.button_cuts_power:
            self.rig.set(self.contact, OPEN)
        time.sleep(0.2)
        self.rig.set(REX, True)

    def do(self, step: str, words: str) -> None:
        """What an installer does when these words are read."""
        time.sleep(0.05)
        if words.startswith("First:"):
            self.first()
        elif step == "reader":
            self.send()
        elif step in ("contact", "fire", "tamper"):
            self.press({"contact": self.contact, "fire": FIRE, "tamper": TAMPER}[step], True)
        elif step == "rex":
            self.press(REX, False)
        elif step == "egress":
            self.leave()
        elif step == "lock":
            self._at_the_lock(words)

    def _at_the_lock(self, words: str) -> None:
        if "NOW" in words:
            self.pull_until_it_opens(1.0)
        elif "ull at" in words:
            self.pull()
        else:
            self.rig.set(self.contact, SHUT)


class Film:
    """A camera's far end: a lively picture, or what the test puts there."""

    def __init__(self, path: Path, draw: Callable[[int], Any] | None = None) -> None:
        self._end = CameraFarEnd(path, 640, 480)
        noise = np.random.default_rng(1).integers(30, 220, (12, 480, 640, 3), dtype=np.uint8)
        self._draw = draw or (lambda number: noise[number % 12])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(1 / 15):
            self._end.write(self._draw(number), time.monotonic())
            number += 1

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._end.close()


class Walk:
    """One run of the real program, with a script's hands."""

    def __init__(self, door: Door, config: Path, *words: str, answers: str = "") -> None:
        command = [
            sys.executable,
            "-m",
            "agent.cli",
            "selftest",
            "--json",
            "--config",
            str(config),
            "--out",
            str(door.folder),
            *words,
        ]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(answers)
        process.stdin.close()
        self.records: list[dict[str, Any]] = []
        for line in process.stdout:
            self.records.append(json.loads(line))
            if self.records[-1]["event"] == "do":
                door.do(self.records[-1]["step"], self.records[-1]["do"])
        self.said = process.stderr.read()
        self.status = process.wait(60)
        process.stdout.close()
        process.stderr.close()

    def result(self, step: str) -> dict[str, Any]:
        return next(record for record in self.records if record["event"] == "result" and record["step"] == step)

    def fault(self, step: str) -> str:
        """All words of a step's fault."""
        return " | ".join(
            " ".join((fault["what"], fault.get("likely", ""), fault.get("mend", ""))) for fault in self.result(step)["faults"]
        )


def door_toml(folder: Path, *, lock: str = 'kind = "strike"', camera: str = "", port: int = 1, extra: str = "") -> Path:
    """The configuration of the door on the rig."""
    (folder / "run").mkdir(exist_ok=True)
    path = folder / "door.toml"
    path.write_text(
        f'site = "hq"\ndoor = "front"\nrun_folder = "{folder}/run"\n[board]\npins = "sim"\nrig = "{folder}/rig.sock"\n'
        f"[lock]\npulse_s = 1.5\n{lock}\n[inputs]\nfire_pin = {FIRE}\ntamper_pin = {TAMPER}\n"
        f'[records]\nfolder = "{folder}"\n[link]\nport = {port}\n[vision]\ncamera = "{camera or f"sim:{folder}/camera"}"\n{extra}'
    )
    return path
