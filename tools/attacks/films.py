"""Sequences: who, what kind of attempt, before which camera; drawn frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from msgspec import Struct

from agent.core.messages import Box
from agent.vision.still import StillFaces
from demo.corridor import draw_corridor
from demo.cutout import prepare, read_picture
from demo.people import PeopleError, Portrait
from demo.view import FACE_WIDTH_M, View
from hw.interfaces import Pixels
from tools.attacks import kinds, shown
from tools.attacks.kinds import Temper
from tools.attacks.living import Living, Look
from tools.attacks.sensor import Sensor, sensed
from tools.attacks.sheet import Hold, Sheet, lay

LIFE_FACE_M = FACE_WIDTH_M
LARGEST_FACE_PX = 260.0


class Shows(Protocol):
    """What a print or a screen shows: a picture at a time, with its face's box."""

    face_box_px: Box

    def picture(self, t_s: float) -> Pixels: ...


class Photograph:
    """One portrait; alive (looking about, blinking, talking) where a screen shows it."""

    def __init__(self, portrait: Portrait, stills: StillFaces) -> None:
        pixels = read_picture(portrait)
        scale = min(1.0, LARGEST_FACE_PX / portrait.face_box_px[2])
        self._living = Living(
            np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8), stills
        )
        self.face_box_px = self._living.face_box_px

    def picture(self, t_s: float, own: Temper | None = None) -> Pixels:
        return self._living.at(kinds.talking(own, t_s) if own else Look())


class Reel:
    """A stretch of a film of a real person."""

    def __init__(self, file: Path, start_s: float, length_s: float, fps: float, stills: StillFaces) -> None:
        """Raises PeopleError where the film cannot be read or its first frame shows no face."""
        self.frames = list(_frames(file, start_s, length_s, fps))
        self._fps = fps
        faces = stills.faces(self.frames[0]) if self.frames else []
        if not faces:
            raise PeopleError(f"{file}: no face at {start_s:.1f} s (or no film); choose another file or another time")
        self.face_box_px = faces[0].box_px

    def picture(self, t_s: float) -> Pixels:
        return self.frames[min(len(self.frames) - 1, max(0, round(t_s * self._fps)))]


class Figure:
    """A person cut out of a photograph who stands before the camera."""

    def __init__(self, portrait: Portrait, stills: StillFaces, view: View) -> None:
        sprite = prepare(portrait, view)[1]  # a step smaller than the nearest: a third of the work
        keep = min(sprite.pixels.shape[0], round(sprite.face_centre_px[1] + 0.75 * sprite.px_per_m))
        alpha = 255 - sprite.pixels[:keep, :, 3:]
        colour = np.clip(sprite.pixels[:keep, :, :3] * (255.0 / np.maximum(alpha, 1)), 0, 255).astype(np.uint8)
        self._living = Living(np.dstack([colour, alpha]), stills)
        self._px_per_m, self._face_px = sprite.px_per_m, sprite.face_centre_px

    def lay(self, picture: Pixels, look: Look, face: Hold, view: View) -> None:
        """Draw the person with the face's middle at `face`."""
        pixels = self._living.at(look)
        middle_y, middle_x = pixels.shape[0] / 2, pixels.shape[1] / 2
        x = face.x_m + (middle_x - self._face_px[0]) / self._px_per_m
        y = face.y_m + (middle_y - self._face_px[1]) / self._px_per_m
        lay(picture, Sheet(pixels, pixels.shape[1] / self._px_per_m), Hold(x_m=x, y_m=y, z_m=face.z_m), view)


class Setting(Struct, frozen=True, kw_only=True):
    """Where and with which camera a sequence is taken."""

    view: View
    sensor: Sensor
    own: Temper
    fps: float
    frames: int
    seed: int
    hand: bool = False
    """Whether a hand is seen that holds what is shown."""


def live_figure(kind: str, figure: Figure, setting: Setting) -> Iterator[Pixels]:
    """Somebody before the door."""
    own, look = setting.own, kinds.LOOKS[kind]
    walking = kind == "live_walking"

    def draw(picture: Pixels, t_s: float) -> None:
        sway_x, sway_y = kinds.tremble(own, t_s, 0.006)
        nearer = 0.5 * t_s if walking else 0.0
        bob = 0.02 * abs(np.sin(5.6 * t_s)) if walking else 0.0
        place = Hold(x_m=own.side_m + sway_x, y_m=sway_y - bob, z_m=own.distance_m + (0.9 if walking else 0.0) - nearer)
        figure.lay(picture, look(own, t_s), place, setting.view)

    return _taken(draw, setting)


def held_print(kind: str, shows: Shows, paper: shown.Paper, behind: Figure | None, setting: Setting) -> Iterator[Pixels]:
    """A photograph on paper, moved as `kind` says; through a print with the eyes cut out `behind` looks."""
    own, motion = setting.own, kinds.PRINT_MOTIONS[kind]
    sheet = shown.onto_paper(shows.picture(0.0), shows.face_box_px, paper)
    if setting.hand and not paper.cut_out:
        sheet = shown.with_hand(sheet)

    def draw(picture: Pixels, t_s: float) -> None:
        hold = motion(own, t_s)
        if behind is not None:
            place = Hold(x_m=own.side_m, y_m=-0.013, z_m=hold.z_m + 0.03)
            behind.lay(picture, Look(closed=kinds.standing(own, t_s).closed), place, setting.view)
        lay(picture, sheet, hold, setting.view)

    return _taken(draw, setting)


def held_screen(screen: shown.Screen, shows: Callable[[float], Pixels], box: Box, setting: Setting) -> Iterator[Pixels]:
    """A display that plays a film; on a stand where no hand holds it."""
    motion = kinds.still if setting.hand else kinds.fixed

    def draw(picture: Pixels, t_s: float) -> None:
        sheet = shown.onto_screen(shows(t_s), box, screen, t_s)
        lay(picture, shown.with_hand(sheet) if setting.hand else sheet, motion(setting.own, t_s), setting.view)

    return _taken(draw, setting)


def live_reel(reel: Reel, face_px: float, setting: Setting) -> Iterator[Pixels]:
    """A film as it is, scaled so that the face is so wide, through another camera's noise."""
    chance = np.random.default_rng(setting.seed)
    share = face_px / reel.face_box_px[2]
    for number in range(setting.frames):
        t_s = number / setting.fps
        method = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
        frame = np.asarray(cv2.resize(reel.picture(t_s), None, fx=share, fy=share, interpolation=method), np.uint8)
        yield sensed(frame, setting.sensor, t_s, chance)


def _taken(draw: Callable[[Pixels, float], None], setting: Setting) -> Iterator[Pixels]:
    chance = np.random.default_rng(setting.seed)
    empty = _corridor(setting.view)
    for number in range(setting.frames):
        picture, t_s = empty.copy(), number / setting.fps
        draw(picture, t_s)
        yield sensed(picture, setting.sensor, t_s, chance)


_CORRIDORS: dict[tuple[int, int], Pixels] = {}


def _corridor(view: View) -> Pixels:
    key = (view.width_px, view.height_px)
    if key not in _CORRIDORS:
        _CORRIDORS[key] = draw_corridor(view, 7)
    return _CORRIDORS[key]


def _frames(file: Path, start_s: float, length_s: float, fps: float) -> Iterator[Pixels]:
    """Frames at `fps`, the nearest of the film's own."""
    film = cv2.VideoCapture(str(file))
    own_fps = film.get(cv2.CAP_PROP_FPS) or 25.0
    first = round(start_s * own_fps)
    wanted = [round(number * own_fps / fps) for number in range(round(length_s * fps) + 1)]
    film.set(cv2.CAP_PROP_POS_FRAMES, first)
    frame: Pixels | None = None
    at = -1
    for number in wanted:
        while at < number:
            good, read = film.read()
            if not good:
                return
            frame, at = np.asarray(read, np.uint8), at + 1
        if frame is not None:
            yield frame
    film.release()
