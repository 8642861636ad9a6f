"""`python -m tools.kills`: kill -9 for broker, centre and doors of a house at random, and what it came to. Only loopback is used."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from agent.errors import DoorwardError
from tools.kills.report import words
from tools.kills.run import Options, run_kills

MOST_KILLS, MOST_DOORS = 10_000, 50


def main(arguments: list[str] | None = None) -> int:
    """0; 1 when something was lost or did not come back; 2 when the run could not be made."""
    args = _parser().parse_args(arguments)
    try:
        _look_at(args)
        with tempfile.TemporaryDirectory(prefix="doorward-kills-") as folder:
            options = Options(kills=args.kills, doors=args.doors, talkers=args.talkers, database=args.database, seed=args.seed)
            report = run_kills(options, args.keep or Path(folder))
    except DoorwardError as error:
        print(f"kills: {error}", file=sys.stderr)
        return 2
    print(msgspec.json.format(msgspec.json.encode(report)).decode() if args.json else words(report))
    return 1 if report.faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="default %(default)s")
    parser.add_argument("--doors", type=int, default=3, help="with a lock, a reader and people (default %(default)s)")
    parser.add_argument("--talkers", type=int, default=2, help="doors that say 100 events a second (default %(default)s)")
    parser.add_argument(
        "--database", default="", metavar="URL", help="postgresql://…, empty so far (default: SQLite in a temporary folder)"
    )
    parser.add_argument("--seed", type=int, default=1, help="which is killed when (default %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave database, journals and logs here; an empty folder")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    return parser


def _look_at(args: argparse.Namespace) -> None:
    """Raises DoorwardError for what cannot be run here."""
    allowed = (
        ("--kills", args.kills, 0, MOST_KILLS),
        ("--doors", args.doors, 1, MOST_DOORS),
        ("--talkers", args.talkers, 0, MOST_DOORS),
    )
    for name, value, least, most in allowed:
        if not least <= value <= most:
            raise DoorwardError(f"{name} {value}: {least} to {most} are allowed")
    if args.keep is not None and args.keep.exists() and any(args.keep.iterdir()):
        raise DoorwardError(f"--keep {args.keep}: is not empty")


if __name__ == "__main__":
    sys.exit(main())
