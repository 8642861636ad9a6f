"""A door that was away: its own journal with many events, and its link. Called by tools.bench.catch_up only.

`python -m tools.bench.catch_up_child FOLDER SITE DOOR PORT EVENTS` says `ready` when they are in the journal. A line on standard input starts
the link, and the answer is how many seconds it took until the centre had acknowledged all of them and the journal was empty.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from agent.clock import SystemClock
from agent.config import parse_config
from agent.link.mqtt import Link
from agent.records.journal import Journal
from tools.bench.recording import DECISION

AT_ONCE, PATIENCE_S = 5_000, 600.0


def main(folder: str, site: str, door: str, port: str, events: str) -> int:
    clock = SystemClock()
    journal = Journal(Path(folder), clock)
    for number in range(int(events)):
        journal.append("access.granted", DECISION, clock.wall(), clock.mono_s())
        if number % AT_ONCE == 0:
            journal.flush(PATIENCE_S)
    journal.flush(PATIENCE_S)
    link = Link(parse_config({"site": site, "door": door, "link": {"port": int(port)}}), journal, lambda command: None)
    _say("ready")
    sys.stdin.readline()
    began_s = time.monotonic()
    link.start()
    while link.health()["acknowledged"] < int(events) and time.monotonic() - began_s < PATIENCE_S:
        time.sleep(0.01)
    journal.flush(PATIENCE_S)
    _say(f"{time.monotonic() - began_s:.3f} {len(journal.pending(limit=1))}")
    link.close()
    journal.close()
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
