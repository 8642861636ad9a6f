"""`doorward demo --camera N` and `--video FILE`: the same site before a real camera or a film.

Whoever is seen first becomes the cardholder (with a camera: after pressing Enter, so that nobody is enrolled unasked). The template lives
in this run's folder only.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import cv2
import msgspec

from agent.config import Vision
from agent.errors import DoorwardError
from agent.vision.enrol import Template, TemplateRefused
from demo.ending import ends_in_order, own_folder
from demo.play import await_decision
from demo.stage import OWNER_FOB, UNKNOWN_FOB, Stage, StageOptions, open_enroller
from demo.teller import Teller
from hw.cameras import open_camera
from hw.interfaces import Pixels

READY_WITHIN_S = 30.0
DRAINED_WITHIN_S = 30.0
ANSWER_WITHIN_S = 10.0
FOB_EVERY_S = 3.0
UNATTENDED_S = 30.0
LOOK_FOR_S = 60.0
FILM_LOOKS_PER_S = 5.0
ADVICE_EVERY_S = 2.0


def run_live(args: argparse.Namespace) -> int:
    """0 when the historian holds exactly what the door put on record; 1 otherwise."""
    folder = own_folder(args.out, datetime.now())
    camera = f"file:{args.video.resolve()}" if args.video else str(args.camera)
    say = _say(args.json)
    template = _first_face(_film_frames(args.video), say) if args.video else _from_camera(camera, say)
    stage = Stage(folder, StageOptions(camera=camera, liveness="alert"))
    stage.write_access((template,) if template else ())
    teller = Teller(stage.evidence, quiet=args.json, show_pictures=not args.headless)
    with ends_in_order(stage.close):
        stage.start()
        stage.wait_until_guarding(READY_WITHIN_S)
        teller.tell("The door is guarded.")
        for bits in _fobs(args, _film_s(args.video) if args.video else UNATTENDED_S):
            known = {event["id"] for event in stage.events()}
            stage.present(bits)
            teller.event(await_decision(stage, known, ANSWER_WITHIN_S))
        faults, events = stage.audit(DRAINED_WITHIN_S), stage.events()
    if args.json:
        for event in events:
            print(msgspec.json.encode(event).decode())
    teller.tell(f"{len(events)} events. Pictures of the decisions: {stage.evidence}")
    for fault in faults:
        print(f"doorward demo: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _say(quiet: bool) -> Callable[[str], None]:
    return (lambda text: None) if quiet else (lambda text: print(f"  {text}", file=sys.stderr, flush=True))


def _from_camera(name: str, say: Callable[[str], None]) -> Template | None:
    if not sys.stdin.isatty():
        say("Nobody sits at the terminal: nobody is enrolled.")
        return None
    input("  Press Enter to be enrolled as this door's cardholder, then look at the camera. (Ctrl-C ends the demo.) ")
    return _first_face(_camera_frames(name), say)


def _camera_frames(name: str) -> Iterator[Pixels]:
    settings = Vision(camera=name)
    camera = open_camera(settings)
    until_s = time.monotonic() + LOOK_FOR_S
    try:
        while time.monotonic() < until_s:
            if (frame := camera.read(1.0)) is not None:
                yield frame.pixels
    finally:
        camera.close()


def _film_frames(path: Path) -> Iterator[Pixels]:
    """Some frames of a film, as fast as they can be read."""
    film = _open_film(path)
    step = max(1, round(film.get(cv2.CAP_PROP_FPS) / FILM_LOOKS_PER_S))
    number = 0
    while film.grab():
        if number % step == 0:
            good, pixels = film.retrieve()
            if good:
                yield pixels.astype("uint8", copy=False)
        number += 1
    film.release()


def _film_s(path: Path) -> float:
    film = _open_film(path)
    frames, rate = film.get(cv2.CAP_PROP_FRAME_COUNT), film.get(cv2.CAP_PROP_FPS)
    film.release()
    return frames / rate if frames > 0 and rate > 0 else UNATTENDED_S


def _open_film(path: Path) -> cv2.VideoCapture:
    film = cv2.VideoCapture(str(path))
    if not film.isOpened():
        raise DoorwardError(f"--video: {path} is no film that OpenCV can read")
    return film


def _first_face(frames: Iterator[Pixels], say: Callable[[str], None]) -> Template | None:
    """The template of the first face that is good enough; says what to do better meanwhile."""
    enroller, told_s = open_enroller(), 0.0
    for pixels in frames:
        made = enroller.template_from_picture(pixels)
        if not isinstance(made, TemplateRefused):
            say(f"Enrolled: a face {made.face_px:.0f} px wide, quality {made.quality:.2f}.")
            return made
        if time.monotonic() > told_s + ADVICE_EVERY_S:
            told_s = time.monotonic()
            say(f"Not yet: {made.advice}.")
    say("Nobody could be enrolled: the fob will be refused for want of a template.")
    return None


def _fobs(args: argparse.Namespace, seconds: float) -> Iterator[str]:
    """Which fob is held out next: as somebody at the keyboard says, or the cardholder's again and again."""
    if args.camera and sys.stdin.isatty() and not args.headless:
        yield from _typed_fobs()
        return
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        time.sleep(FOB_EVERY_S)
        yield OWNER_FOB


def _typed_fobs() -> Iterator[str]:
    while True:
        word = input("  Enter: hold out your fob   u: an unknown fob   q: end > ").strip().lower()
        if word == "q":
            return
        yield UNKNOWN_FOB if word == "u" else OWNER_FOB
