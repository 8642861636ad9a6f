"""`doorward demo`: arguments, and the order of a performance."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from demo.scenarios import SCENARIOS


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "demo", help="people walk up to a simulated door; see and read what it decides",
        description="People walk up to a simulated door; see and read what it decides.\n"
                    "All but the far ends of camera and pins is real. Ctrl-C ends everything.",
        epilog="scenarios:\n" + "\n".join(f"  {s.name:16}{s.story}" for s in SCENARIOS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), metavar="NAME",
                        help="play only this one (may be given several times): " + ", ".join(SCENARIOS))  # fmt: skip
    parser.add_argument("--headless", action="store_true", help="no pictures in the terminal")
    parser.add_argument(
        "--json", action="store_true", help="print the historian's events as CloudEvents, one a line, and nothing else"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="new or empty folder for this run's files; default: demo-out/ and the time"
    )
    parser.add_argument("--dashboard", action="store_true",
                        help="with the whole centre: watch the stolen fob in a browser, as a guard would")  # fmt: skip
    look = parser.add_mutually_exclusive_group()
    look.add_argument("--camera", metavar="N", help="look through a real camera instead: a number, /dev/video… or rtsp:…")
    look.add_argument("--video", type=Path, metavar="FILE", help="look at a film instead")
    parser.set_defaults(func=_demo)


def _demo(args: argparse.Namespace) -> int:
    if (args.camera or args.video) and args.scenario:
        print("doorward demo: --scenario plays before the simulated camera; leave out --camera and --video", file=sys.stderr)
        return 2
    if args.video and not args.video.is_file():
        print(f"doorward demo: --video: no such file: {args.video}", file=sys.stderr)
        return 2
    if args.dashboard and (args.camera or args.video):
        print("doorward demo: --dashboard plays before the simulated camera; leave out --camera and --video", file=sys.stderr)
        return 2
    if args.dashboard:
        from demo.tour import run_tour as run
    elif args.camera or args.video:
        from demo.live import run_live as run
    else:
        from demo.run import run_demo as run
    try:
        return run(args)
    except KeyboardInterrupt:
        print("\ndoorward demo: stopped; its programs have ended", file=sys.stderr)
        return 1
