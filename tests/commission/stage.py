"""A door, its camera and an installer for `doorward commission`: hands that do what they are told, and a picture with a real face in it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.floor_board import Layout
from hw.camera_sim import CameraFarEnd
from hw.interfaces import Pixels
from tests.behaviour.floors import HIGH
from tests.selftest.hands import Door
from tools.floor_figure import photographed

PORTRAIT = Path(__file__).parents[1] / "pictures" / "astronaut.jpg"
FACE_SHARE = 0.42
"""Of the portrait's width."""
FACE_AT = (0.45, 0.4)


@lru_cache(maxsize=1)
def room() -> Pixels:
    """A corridor with four sheets on its floor."""
    return photographed(HIGH, Layout())


@lru_cache(maxsize=1)
def _portrait() -> tuple[Pixels, Any]:
    picture = np.asarray(cv2.imread(str(PORTRAIT)), np.uint8)
    mask = np.zeros(picture.shape[:2], np.float32)
    centre = (round(FACE_AT[0] * mask.shape[1]), round(FACE_AT[1] * mask.shape[0]))
    cv2.ellipse(mask, centre, (78, 96), 0, 0, 360, 1.0, cv2.FILLED)
    return picture, cv2.GaussianBlur(mask, (0, 0), 5)


def with_face(picture: Pixels, x: float, y: float, face_px: float, light: float = 1.0) -> Pixels:
    """The picture with a face at shares (x, y) of it, so wide; `light` dims the face alone."""
    portrait, mask = _portrait()
    side = round(face_px / FACE_SHARE)
    face = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) * light
    share = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)[..., None]
    left = round(x * picture.shape[1] - FACE_AT[0] * side)
    top = round(y * picture.shape[0] - FACE_AT[1] * side)
    out = picture.astype(np.float32)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(picture.shape[1], left + side), min(picture.shape[0], top + side)
    if x1 > x0 and y1 > y0:
        part, share = face[y0 - top : y1 - top, x0 - left : x1 - left], share[y0 - top : y1 - top, x0 - left : x1 - left]
        out[y0:y1, x0:x1] = out[y0:y1, x0:x1] * (1 - share) + part * share
    return np.asarray(out, np.uint8)


class Stage:
    """The camera's far end. `face`: where somebody is (x, y, px), or None; `speed`: the camera's seconds in one of ours."""

    def __init__(self, path: Path, empty: Pixels | None = None, speed: float = 8.0) -> None:
        self.empty = room() if empty is None else empty
        self.face: tuple[float, float, float] | None = None
        self.noisy = True
        self._end = CameraFarEnd(path, self.empty.shape[1], self.empty.shape[0])
        self._speed, self._stop = speed, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        chance, began_s = np.random.default_rng(2), time.monotonic()
        while not self._stop.wait(0.04):
            picture = self.empty if self.face is None else with_face(self.empty, *self.face)
            if self.noisy:
                picture = cv2.add(picture, chance.integers(0, 4, picture.shape, dtype=np.uint8))
            self._end.write(np.asarray(picture, np.uint8), began_s + (time.monotonic() - began_s) * self._speed)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._end.close()


class Installer:
    """Does what it is told, answers what it is asked, and turns the camera as the words say."""

    def __init__(self, door: Door, stage: Stage | None, answers: dict[str, str] | None = None) -> None:
        self.door, self.stage = door, stage
        self.answers = {"place": "Front door", "customer": "Ada Lovelace & Co", "installer": "Charles Babbage", "company": "", "url": "",
                        "floor": "sheets", "rectangle": "", "accepted": "Ada Lovelace", "note": ""} | (answers or {})  # fmt: skip
        self.confirms = "y"
        self.stands_at = (0.12, 0.5, 100.0)
        """Where the face is before the camera is turned."""
        self.words: list[str] = []

    def hear(self, record: dict[str, Any]) -> str | None:
        """What is typed, if anything."""
        event = record["event"]
        if event == "do":
            self._do(record["step"], record["do"])
        elif event == "aim":
            self._turn(record["word"])
        elif event == "ask":
            return self.answers.get(record["key"], "") if "key" in record else self.confirms
        return None

    def _do(self, step: str, words: str) -> None:
        if step == "aim" and self.stage is not None:
            self.stage.face = self.stands_at if words.startswith("Stand where") else (0.5, 0.8, 100.0)
        elif step in ("scene", "floor") and self.stage is not None:
            self.stage.face = None
        else:
            self.door.do(step, words)

    def _turn(self, word: str) -> None:
        self.words.append(word)
        if self.stage is None or self.stage.face is None:
            return
        x, y, size = self.stage.face
        moves = {"left": (0.15, 0, 0), "right": (-0.15, 0, 0), "high": (0, 0.1, 0), "low": (0, -0.1, 0), "small": (0, 0, 30),
                 "near": (0, 0, -40)}  # fmt: skip
        dx, dy, bigger = moves.get(word, (0, 0, 0))
        self.stage.face = (x + dx, y + dy, size + bigger)


class Session:
    """One run of the real program with such an installer. `stop`: what is heard, and then the program is killed."""

    def __init__(
        self, installer: Installer, config: Path, *words: str, stop: Callable[[dict[str, Any]], bool] | None = None
    ) -> None:
        command: Sequence[str] = [sys.executable, "-m", "agent.cli", "commission", "--json", "--config", str(config), "--out",
                                  str(installer.door.folder), *words]  # fmt: skip
        self.records: list[dict[str, Any]] = []
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        listener = threading.Thread(target=lambda: said.extend(process.stderr or ()))
        listener.start()
        for line in process.stdout:
            self.records.append(json.loads(line))
            if stop is not None and stop(self.records[-1]):
                process.kill()
                break
            answer = installer.hear(self.records[-1])
            if answer is not None:
                process.stdin.write(f"{answer}\n")
                process.stdin.flush()
        self.status = process.wait(120)
        listener.join()
        self.said = "".join(said)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def done(self, step: str) -> dict[str, Any]:
        return next(record for record in reversed(self.records) if record["event"] == "done" and record["step"] == step)

    @property
    def steps(self) -> list[str]:
        """Our steps, in the order in which they were done."""
        return [record["step"] for record in self.records if record["event"] == "done"]
