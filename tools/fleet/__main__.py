"""`python -m tools.fleet`: a fleet of doors on this machine, against a real broker and the real centre. Only loopback is used."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path

import msgspec

from agent.errors import DoorwardError
from tools.fleet.plot import day_plot
from tools.fleet.report import words
from tools.fleet.run import Options, run_fleet
from tools.fleet.site import PROGRAMS

MOST_DOORS, MOST_MINUTES = 20_000, 60.0
SPARE_FILES = 200


def main(arguments: list[str] | None = None) -> int:
    """0; 1 when something was lost or is wrong; 2 when the run could not be made."""
    args = _parser().parse_args(arguments)
    try:
        _look_at(args)
        with tempfile.TemporaryDirectory(prefix="doorward-fleet-") as folder:
            report = run_fleet(_options(args), Path(folder))
        if args.plot:
            args.plot.write_text(day_plot(report), "utf-8")
    except (DoorwardError, OSError) as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 2
    print(msgspec.json.format(msgspec.json.encode(report)).decode() if args.json else words(report))
    return 0 if report.is_good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.fleet", description=__doc__)
    parser.add_argument("--doors", type=int, default=1000, help="default %(default)s")
    parser.add_argument("--minutes", type=float, default=2.0, help="how long the day lasts here (default %(default)s)")
    parser.add_argument("--reads", type=int, default=6, help="fobs at each door on that day (default %(default)s)")
    parser.add_argument("--storm", type=int, default=0, metavar="N", help="cut all connections at once, N times")
    parser.add_argument("--kill", action="append", choices=PROGRAMS, default=[], help="kill -9, may be given more than once")
    parser.add_argument(
        "--saturate", type=int, default=20, metavar="N", help="at the end: N events of each door at once (default %(default)s)"
    )
    parser.add_argument("--orders", type=int, default=60, help="a guard opens so many doors in the day (default %(default)s)")
    parser.add_argument("--screens", type=int, default=2, help="dashboards that are open (default %(default)s)")
    parser.add_argument("--historian", action="store_true", help="the historian alone instead of the whole centre")
    parser.add_argument(
        "--database",
        default="",
        metavar="URL",
        help="postgresql://…, empty of this fleet (default: SQLite in a temporary folder)",
    )
    parser.add_argument("--seed", type=int, default=1, help="default %(default)s")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="the day as a picture (SVG)")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    return parser


def _options(args: argparse.Namespace) -> Options:
    return Options(doors=args.doors, day_s=60 * args.minutes, reads=args.reads, storms=args.storm, kill=tuple(args.kill),
                   saturate=args.saturate, orders=args.orders, screens=args.screens, historian_alone=args.historian,
                   database=args.database, seed=args.seed)  # fmt: skip


def _look_at(args: argparse.Namespace) -> None:
    """Raises DoorwardError for what cannot be run here."""
    allowed = (("--doors", args.doors, 1, MOST_DOORS), ("--minutes", args.minutes, 0.05, MOST_MINUTES), ("--reads", args.reads, 0, 10_000),
               ("--storm", args.storm, 0, 100), ("--saturate", args.saturate, 0, 1000),
               ("--orders", args.orders, 0, 10_000), ("--screens", args.screens, 0, 8))  # fmt: skip
    for name, value, least, most in allowed:
        if not least <= value <= most:
            raise DoorwardError(f"{name} {value}: {least} to {most} are allowed")
    if args.plot and not args.plot.absolute().parent.is_dir():
        raise DoorwardError(f"--plot {args.plot}: there is no folder {args.plot.parent}")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < args.doors + SPARE_FILES:
        raise DoorwardError(f"{args.doors} doors need {args.doors + SPARE_FILES} open files, and {files} are allowed: ulimit -n")


if __name__ == "__main__":
    sys.exit(main())
