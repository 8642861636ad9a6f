"""Inside the virtual machine: each change of a kernel line, as `SECONDS LEVEL` of CLOCK_MONOTONIC, at a look each millisecond."""

import sys
import time
from pathlib import Path

line, into = Path(f"/run/pins/sim_gpio{sys.argv[1]}/value"), Path(sys.argv[2])
before = ""
with into.open("a") as file:
    while True:
        now = line.read_text().strip()
        if now != before:
            print(f"{time.monotonic():.4f} {now}", file=file, flush=True)
            before = now
        time.sleep(0.001)
