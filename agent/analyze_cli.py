"""`doorward analyze VIDEO...`: what a door would have seen in films."""

from __future__ import annotations

import argparse
import sys
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
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--config", type=Path, metavar="FILE", help="a door's configuration: its stages, threshold and profile")
    source.add_argument("--profile", choices=PROFILES, help="without --config: what the law lets run (default: workplace-eu)")
    parser.add_argument("--engine", choices=ENGINES, help="what runs the networks (default: the configuration's, or auto)")
    parser.add_argument(
        "--threads", type=_threads, metavar="N", help="CPU threads of a network (default: the configuration's, or 2)"
    )
    parser.set_defaults(func=_analyze)


def _analyze(args: argparse.Namespace) -> int:
    from agent.analysis.films import analyse_films
    from agent.analysis.output import is_film_name

    if args.embeddings and not args.json:
        raise ConfigError("--embeddings: they are written as JSON only; add --json")
    if args.out is not None and is_film_name(args.out):
        if len(args.films) > 1:
            raise ConfigError(f"--out {args.out}: {len(args.films)} films do not fit into one; name a folder for their pictures")
        if args.out.exists() and Path(args.films[0]).exists() and args.out.samefile(args.films[0]):
            raise ConfigError(f"--out {args.out}: that is the film itself")
    return analyse_films(args, sys.stdout, sys.stderr)


def _rate(text: str) -> float:
    return _number(text, 0.1, 240)


def _seconds(text: str) -> float:
    return _number(text, 0.1, 86400)


def _number(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
    return number


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 64")
    return int(text)
