"""A door's own journal and link without its pins: says as much as it is told to, and writes down what it has put on record.

`python -m tools.kills.talker FOLDER SITE DOOR PORT PAUSE_S`. It falls silent when there is a file FOLDER/hush, and its link goes on. Each
line of FOLDER/said was written when the journal had taken the event: what stands there must be in the database, however this program ended.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

from agent.clock import SystemClock
from agent.config import parse_config
from agent.link.mqtt import Link
from agent.records.journal import Journal

SAID, HUSH = "said", "hush"


def main(folder: str, site: str, door: str, port: str, pause_s: str) -> None:
    clock = SystemClock()
    config = parse_config({"site": site, "door": door, "link": {"port": int(port)}})
    journal = Journal(Path(folder), clock)
    link = Link(config, journal, lambda command: None)
    link.start()
    hush = Path(folder) / HUSH
    with (Path(folder) / SAID).open("ab", buffering=0) as said:
        for number in itertools.count():
            while hush.exists():
                time.sleep(0.1)
            data = {"number": number, "reasons": ["unknown_credential"], "read": {"key": f"H10301:7:{number % 65536}"}}
            event = journal.append("access.denied", data, clock.wall(), clock.mono_s())
            said.write(f"{event.journal} {event.sequence} {event.id}\n".encode())
            time.sleep(float(pause_s))


if __name__ == "__main__":
    main(*sys.argv[1:])
