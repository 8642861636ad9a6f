"""`python -m tools.attacks --out DIR`: sequences of pictures and a list for `doorward eval liveness`.

People are split into those on whom thresholds may be chosen (`--people tuning`) and those on whom figures are taken (`--people test`). With
`--film FILE=SUBJECT` the real person of a film stands beside the demo's: as they are, and as prints and replays of them.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from agent.vision.build import build_stages
from agent.vision.engine import open_engine
from agent.vision.still import StillFaces
from demo.people import CACHE, PeopleError, Portrait, fetch_people, find
from demo.view import View
from hw.interfaces import Pixels
from models_tflite.manifest import load_manifest
from tools.attacks import films, kinds, shown
from tools.attacks.films import Figure, Photograph, Reel, Setting
from tools.attacks.sensor import Sensor

PEOPLE: dict[str, tuple[str, ...]] = {"tuning": ("owner", "colleague"), "test": ("stranger", "visitor"), "none": ()}
HOLDER = {"tuning": "colleague", "test": "stranger", "none": "colleague"}
HEADING = ("pattern", "label", "subject", "session", "kind")
PAPERS = (shown.Paper(), shown.Paper(width_m=0.297, height_m=0.42, face_m=0.15), shown.Paper(cut_out=True))
EYES_CUT = shown.Paper(eyes_cut=True)
SCREENS = (shown.PHONE, shown.TABLET, shown.MONITOR)

Sequence = tuple[str, str, str, Iterator[Pixels]]
"""Kind, label, subject and the frames."""


class Studio:
    """Makes sequences; every number in them follows from the seed."""

    def __init__(self, options: argparse.Namespace, portraits: list[Portrait]) -> None:
        self._options, self._portraits = options, portraits
        engine = open_engine("auto", 1)
        self._stills = StillFaces(build_stages(engine, load_manifest(None)))
        self._chance = np.random.default_rng(options.seed)
        self._view = View()
        self._holder = Figure(find(portraits, HOLDER[options.people]), self._stills, self._view)

    def sequences(self) -> Iterator[Sequence]:
        for _ in range(self._options.rounds):
            for name in PEOPLE[self._options.people]:
                yield from self._of_portrait(name)
            for film in self._options.film:
                yield from self._of_film(*film)

    def _of_portrait(self, name: str) -> Iterator[Sequence]:
        portrait = find(self._portraits, name)
        figure = Figure(portrait, self._stills, self._view)
        for kind in kinds.LOOKS:
            yield kind, "live", name, films.live_figure(kind, figure, self._setting(0.8, 1.6))
        photograph = Photograph(portrait, self._stills)
        own = kinds.temper(self._chance, 1.0)
        yield from self._attacks(name, photograph, lambda t_s: photograph.picture(t_s, own))

    def _of_film(self, file: Path, subject: str) -> Iterator[Sequence]:
        length_s = self._options.frames / self._options.fps
        for _ in range(self._options.film_live):
            reel = self._reel(file, length_s)
            yield "live_film", "live", subject, films.live_reel(reel, float(self._chance.uniform(60, 170)), self._setting(1, 1))
        reel = self._reel(file, length_s)
        yield from self._attacks(subject, reel, reel.picture)

    def _reel(self, file: Path, length_s: float) -> Reel:
        film = cv2.VideoCapture(str(file))
        whole_s = film.get(cv2.CAP_PROP_FRAME_COUNT) / max(1.0, film.get(cv2.CAP_PROP_FPS))
        return Reel(
            file, float(self._chance.uniform(0, max(0.0, whole_s - length_s - 1))), length_s, self._options.fps, self._stills
        )

    def _attacks(self, subject: str, shows: films.Shows, moving: Callable[[float], Pixels]) -> Iterator[Sequence]:
        for kind in kinds.PRINT_MOTIONS:
            paper = PAPERS[int(self._chance.integers(2 if kind.startswith("bent") else len(PAPERS)))]
            setting = self._setting(0.65, 1.2, hand=bool(self._chance.random() < 0.6))
            yield kind, "attack", subject, films.held_print(kind, shows, paper, None, setting)
        for kind in ("print_turned", "print_still"):
            setting = self._setting(0.65, 1.1, hand=True)
            yield "eyes_cut_print", "attack", subject, films.held_print(kind, shows, EYES_CUT, self._holder, setting)
        for screen in SCREENS:
            near = 3.2 * screen.face_m
            setting = self._setting(max(0.3, near), 2.2 * near, hand=screen is not shown.MONITOR)
            yield f"screen_{screen.name}", "attack", subject, films.held_screen(screen, moving, shows.face_box_px, setting)

    def _setting(self, near_m: float, far_m: float, *, hand: bool = False) -> Setting:
        chance = self._chance
        sensor = Sensor(gain=float(chance.uniform(0.55, 1.1)), noise=float(chance.uniform(1.0, 4.5)), blur_px=float(chance.uniform(0.2, 0.9)),
                        jpeg=int(chance.integers(70, 96)))  # fmt: skip
        return Setting(view=self._view, sensor=sensor, own=kinds.temper(chance, float(chance.uniform(near_m, far_m))), fps=self._options.fps,
                       frames=self._options.frames, seed=int(chance.integers(1 << 31)), hand=hand)  # fmt: skip


def write(sequences: Iterator[Sequence], folder: Path) -> int:
    """Pictures by kind and number, and `list.csv`. Returns how many sequences there are."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(HEADING)
        for kind, label, subject, frames in sequences:
            place = folder / kind / f"{subject}_{count:04d}"
            place.mkdir(parents=True, exist_ok=True)
            for number, frame in enumerate(frames):
                cv2.imwrite(str(place / f"{number:03d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 95])
            rows.writerow((f"{kind}/{place.name}/*.jpg", label, subject, f"{count:04d}", kind))
            stream.flush()
            count += 1
            print(f"\r{count} sequences, {kind:24}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return count


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.attacks", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    parser.add_argument(
        "--people",
        choices=tuple(PEOPLE),
        default="test",
        help="which of the demo's people; none: only those of films (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=int, default=1, metavar="N", help="each kind so often for each person (default: %(default)s)"
    )
    parser.add_argument("--film", type=_film, action="append", default=[], metavar="FILE=SUBJECT", help="a film of a real person")
    parser.add_argument(
        "--film-live", type=int, default=4, metavar="N", help="live sequences of each film and round (default: %(default)s)"
    )
    parser.add_argument("--fps", type=float, default=15.0, help="frames a second (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=31, help="of a sequence (default: %(default)s, two seconds)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the demo's photographs (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.out.exists() and any(options.out.iterdir()):
        print(f"{options.out}: is not empty; name a new folder", file=sys.stderr)
        return 2
    try:
        portraits = fetch_people(options.cache, lambda line: print(line, file=sys.stderr))
        count = write(Studio(options, portraits).sequences(), options.out)
    except PeopleError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} sequences: {options.out / 'list.csv'}", file=sys.stderr)
    return 0


def _film(text: str) -> tuple[Path, str]:
    file, _, subject = text.rpartition("=")
    if not file or not subject:
        raise argparse.ArgumentTypeError(f"{text!r}: write FILE=SUBJECT, for instance talking.mp4=speaker1")
    return Path(file), subject


if __name__ == "__main__":
    sys.exit(main())
