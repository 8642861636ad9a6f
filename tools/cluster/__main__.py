"""`python -m tools.cluster`: three nats-servers, two centres, real doors; kills them one after the other and counts. Loopback only."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from agent.errors import DoorwardError
from tools.cluster.run import Options, run_cluster, words


def main(arguments: list[str] | None = None) -> int:
    """0; 1 when something was lost; 2 when the run could not be made."""
    args = _parser().parse_args(arguments)
    options = Options(doors=args.doors, every_s=args.every, nodes=args.nodes, centres=args.centres, seed=args.seed)
    try:
        with tempfile.TemporaryDirectory(prefix="doorward-cluster-") as folder:
            report = run_cluster(options, Path(folder), args.database, lambda told: print(told, file=sys.stderr, flush=True))
    except (DoorwardError, OSError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 2
    print(msgspec.json.format(msgspec.json.encode(report)).decode() if args.json else words(report))
    return 0 if report.is_good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.cluster", description=__doc__)
    parser.add_argument("--database", required=True, metavar="URL", help="postgresql+psycopg://…, empty")
    parser.add_argument("--doors", type=int, default=6, help="default %(default)s")
    parser.add_argument(
        "--every", type=float, default=0.05, metavar="SECONDS", help="between two events of a door (default %(default)s)"
    )
    parser.add_argument("--nodes", type=int, default=15, metavar="N", help="kill a node so often (default %(default)s)")
    parser.add_argument("--centres", type=int, default=5, metavar="N", help="… and the active centre (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="default %(default)s")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
