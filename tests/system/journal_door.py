"""A door program reduced to its journal and its link: appends events as fast as told, and says on standard output what it appended."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

from agent.clock import SystemClock
from agent.config import parse_config
from agent.link.mqtt import Link
from agent.records.journal import Journal


def main(folder: str, port: str, pause_s: str) -> None:
    clock = SystemClock()
    config = parse_config({"site": "hq", "door": "front", "link": {"port": int(port), "ack_timeout_s": 0.5}})
    journal = Journal(Path(folder), clock)
    link = Link(config, journal, lambda command: None)
    link.start()
    for number in itertools.count():
        event = journal.append("access.granted", {"number": number, "reasons": ["face_match"]}, clock.wall(), clock.mono_s())
        sys.stdout.write(f"{event.journal} {event.sequence} {event.id}\n")
        sys.stdout.flush()
        time.sleep(float(pause_s))


if __name__ == "__main__":
    main(*sys.argv[1:])
