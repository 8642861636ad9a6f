"""`doorward analyze VIDEO...`: what a door would have seen in films."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from math import nan
from pathlib import Path
from typing import Any

from agent.errors import ConfigError

ENGINES = ("auto", "litert", "tflite-runtime", "edgetpu")
PROFILES = ("workplace-eu", "standard")
ABOUT = (
    "Runs the door's own chain over films and tells what it sees. Nothing is decided, kept or sent. "
    "Exit status: 0 all films, 1 a film was broken or ended early, 2 wrong usage or configuration."
)


def add_parser(subparsers: Any) -> None:
    """Adds `analyze` to the program's subcommands."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "analyze", help="what a door would have seen in films", description=ABOUT
    )
    parser.add_argument("films", nargs="+", metavar="VIDEO", help="films of any kind that FFMPEG knows; or a camera until Ctrl-C: a number, "
                        "/dev/video…, rtsp:… or picamera2")  # fmt: skip
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="look at a camera for so long")
    parser.add_argument("--json", action="store_true", help="JSON lines on standard output: one `observation` for each frame that "
                        "was looked at, and for each film one `summary`, or one `error`")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="PATH", help="write what was seen into the pictures: a film (annotated.mp4; .webm for "
                        "browsers) or, without an ending, a folder of pictures")  # fmt: skip
    parser.add_argument(
        "--embeddings", action="store_true", help="with --json: each face's embedding too, base64 (biometric data)"
    )
    parser.add_argument(
        "--frames-per-s", type=_rate, metavar="N", help="look at no more frames a second (default: the door's, 15)"
    )
    parser.add_argument("--plot", type=Path, metavar="PATH", help="a figure of what people did: ways over the floor, dwell, looks and speed "
                        "over time (.png or .svg; without an ending a folder with one for each film)")  # fmt: skip
    _add_floor(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--config", type=Path, metavar="FILE", help="a door's configuration: its stages, threshold and profile")
    source.add_argument("--profile", choices=PROFILES, help="without --config: what the law lets run (default: workplace-eu)")
    parser.add_argument("--engine", choices=ENGINES, help="what runs the networks (default: the configuration's, or auto)")
    parser.add_argument(
        "--threads", type=_threads, metavar="N", help="CPU threads of a network (default: the configuration's, or 2)"
    )
    parser.set_defaults(func=_analyze)


def _add_floor(parser: argparse.ArgumentParser) -> None:
    """What is known of the camera, and of the time: where people walk follows from it."""
    floor = parser.add_argument_group(
        "what people do", "Metres need a floor: one that was marked, or else a camera described roughly."
    )
    floor.add_argument("--floor", type=Path, metavar="FILE", help="the floor as marked by `doorward floor mark` (docs/FLOOR.md)")
    floor.add_argument("--across-deg", type=_across, metavar="N", help="without a marked floor: how wide the lens sees, 20 to 140 degrees "
                       "(default 70)")  # fmt: skip
    floor.add_argument("--above-floor-m", type=_above, metavar="N", help="how high the camera hangs, 0.5 to 6 m (default 2)")
    floor.add_argument("--tilt-deg", type=_tilt, metavar="N", help="how far it looks down, -10 to 80 degrees (default 15)")
    floor.add_argument("--began", type=_moment, metavar="TIME", help='local time at which the film begins, as "2026-11-23 22:00", for zones '
                       "with hours (default: a Monday at noon)")  # fmt: skip
    floor.add_argument("--no-behaviour", action="store_true", help="measure nothing of what people do")


def _analyze(args: argparse.Namespace) -> int:
    from agent.analysis.films import analyse_films
    from agent.analysis.output import is_film_name
    from agent.analysis.plotted import require_plot

    if args.embeddings and not args.json:
        raise ConfigError("--embeddings: they are written as JSON only; add --json")
    if args.out is not None and is_film_name(args.out):
        if len(args.films) > 1:
            raise ConfigError(f"--out {args.out}: {len(args.films)} films do not fit into one; name a folder for their pictures")
        if args.out.exists() and Path(args.films[0]).exists() and args.out.samefile(args.films[0]):
            raise ConfigError(f"--out {args.out}: that is the film itself")
    if args.plot is not None:
        if args.no_behaviour:
            raise ConfigError("--plot: there is nothing to draw with --no-behaviour; leave one of them out")
        args.plot = require_plot(args.plot, len(args.films))
    return analyse_films(args, sys.stdout, sys.stderr)


def _across(text: str) -> float:
    return _number(text, 20, 140)


def _above(text: str) -> float:
    return _number(text, 0.5, 6)


def _tilt(text: str) -> float:
    return _number(text, -10, 80)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f'{text!r} is no date with a time, as "2026-11-23 22:00"') from None


def _rate(text: str) -> float:
    return _number(text, 0.1, 240)


def _seconds(text: str) -> float:
    return _number(text, 0.1, 86400)


def _number(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
    return number


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 64")
    return int(text)
