"""Tells the demo's story to people, on standard error: plain words, milliseconds, and the picture of each decision."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import cv2

from demo.answer import Answer
from demo.terminal import picture_lines, shows_colour

MAX_COLUMNS = 72
PICTURE_WITHIN_S = 2.0
LEAST_POINTS = 0.01
"""Of a risk: evidence that adds less is not told."""


class Teller:
    """Times are counted from its making. `quiet` says nothing (programs read standard output)."""

    def __init__(self, pictures: Path, quiet: bool, show_pictures: bool) -> None:
        self._pictures = pictures
        self._quiet = quiet
        self._colour = shows_colour(sys.stderr)
        self._show_pictures = show_pictures and (self._colour or sys.stderr.isatty())
        self._since_s = time.monotonic()

    def title(self, text: str, story: str) -> None:
        self._say(f"\n{self._bold(text)}\n  {story}")

    def tell(self, text: str) -> None:
        self._say(f"  {time.monotonic() - self._since_s:6.1f} s  {text}")

    def answer(self, answer: Answer) -> None:
        """What the door did, why, and how long it took."""
        if answer.relay_ms is not None:
            self.tell(self._paint(32, f"The lock lets go {answer.relay_ms:.1f} ms after the fob's last bit."))
        if answer.event is not None:
            self.event(answer.event)

    def event(self, event: dict[str, Any]) -> None:
        """A decision as the historian has it: verdict, reasons, numbers, picture."""
        data = event["data"]
        if not data["granted"]:
            self.tell(self._paint(31, f"The door stays shut (decided after {data['decided_ms']:.0f} ms)."))
        else:
            self.tell(f"Granted, decided {data['decided_ms']:.1f} ms after the fob's last bit.")
        for sentence, code in zip(data["sentences"], data["reasons"], strict=True):
            self.tell(f"  because {sentence} [{code}]")
        if (match := data.get("match")) is not None:
            self.tell(
                f"  likeness {match['score']:.2f}, needed {match['threshold']:.2f} (at most {match['fmr']:g} of strangers reach it),"
                f" from {match['pictures']} pictures of a face {match['face_px']:.0f} px wide"
            )
        self._evidence(data.get("risk") or {})
        self._picture(event)

    def risk(self, event: dict[str, Any]) -> None:
        """A risk that was seen without a fob: how high, why, picture."""
        risk = event["data"]["risk"]
        self.tell(self._paint(33, f"Risk {risk['band']} ({risk['score']:.2f}){', guards are told' if risk['alert'] else ''}."))
        self._evidence(risk)
        self._picture(event)

    def _evidence(self, risk: dict[str, Any]) -> None:
        for item in risk.get("items", ()):
            if item["points"] >= LEAST_POINTS:
                self.tell(f"  evidence: {item['sentence']} [{item['kind']}, {item['points']:.2f} of the risk]")

    def _picture(self, event: dict[str, Any]) -> None:
        path = self._pictures / f"{event['id']}.jpg"
        until_s = time.monotonic() + PICTURE_WITHIN_S
        while not path.exists() and time.monotonic() < until_s:
            time.sleep(0.02)
        pixels = cv2.imread(str(path)) if path.exists() else None
        if pixels is None:
            self.tell("  (no picture was kept)")
            return
        self.tell(f"  picture: {path}")
        if self._show_pictures and not self._quiet:
            columns = min(MAX_COLUMNS, shutil.get_terminal_size().columns - 4)
            for line in picture_lines(pixels.astype("uint8"), columns, self._colour):
                print("    " + line, file=sys.stderr)

    def _say(self, text: str) -> None:
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._colour else text

    def _paint(self, code: int, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text
