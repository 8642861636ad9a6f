"""`python -m tests.golden [NAME ...]`: records the episodes anew."""

from __future__ import annotations

import sys

from tests.golden.compare import report
from tests.golden.episodes import EPISODES
from tests.golden.replay import file_of, record, recorded


def main(names: list[str]) -> int:
    unknown = set(names) - {episode.name for episode in EPISODES}
    if unknown:
        print(
            f"no episode {', '.join(sorted(unknown))}; there are {', '.join(episode.name for episode in EPISODES)}",
            file=sys.stderr,
        )
        return 2
    for episode in EPISODES:
        if not names or episode.name in names:
            before = recorded(episode) if file_of(episode).exists() else None
            file = record(episode)
            print(f"{file.name}: {'new' if before is None else report(before, recorded(episode), True) or 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
