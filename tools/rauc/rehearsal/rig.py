"""The far end of a rehearsed door's wires. `rig.py press`: somebody inside presses the exit button; 0 when the door opens."""

import os
import socket
import sys
from functools import partial

from hw.rig import Rig
from hw.wiring import Level

RELAY, CONTACT, REX = 22, 23, 24
WIRES, HAND = "/run/rig/rig.sock", "/run/rig/hand.sock"
OPENS_WITHIN_S = 20.0


def play() -> None:
    """Wires at rest, and one listener for a hand on the button."""
    rig = Rig(WIRES, {CONTACT: False, REX: True})
    if os.path.exists(HAND):
        os.unlink(HAND)
    hand = socket.socket(socket.AF_UNIX)
    hand.bind(HAND)
    hand.listen(1)
    while True:
        wire, _ = hand.accept()
        with wire:
            before = len(rig.outputs)
            rig.set(REX, False)
            opened = rig.wait_for(partial(_moved_since, before), OPENS_WITHIN_S)
            rig.set(REX, True)
            wire.sendall(b"open" if opened else b"shut")


def _moved_since(before: int, seen: list[Level]) -> bool:
    return any(level.pin == RELAY and level.high for level in seen[before:])


def press() -> int:
    """0 when the relay moved."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(HAND)
        said = wire.recv(16)
    print(said.decode())
    return 0 if said == b"open" else 1


if __name__ == "__main__":
    if "press" in sys.argv:
        sys.exit(press())
    play()
