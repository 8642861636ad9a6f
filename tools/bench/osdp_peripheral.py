"""An OSDP reader in a process of its own, for measurements: libosdp's peripheral at a pty, which is handed over as a descriptor.

Standard output, a line a card: its number and when (CLOCK_MONOTONIC, seconds) it was handed to libosdp.
"""

from __future__ import annotations

import os
import random
import sys
import time
from typing import Any

TURN_S = 0.001
FIRST_S = 1.0
"""Between the channel and the first card."""
BETWEEN_S = (0.08, 0.2)


def wiegand_26(card: int) -> str:
    """Facility 1 and this number, with the parity of H10301."""
    body = f"{1:08b}{card:016b}"
    even, odd = body[:12].count("1") % 2, 1 - body[12:].count("1") % 2
    return f"{even}{body}{odd}"


class _Channel:
    id = 1

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def read(self, most: int) -> bytes:
        try:
            return os.read(self._descriptor, most)
        except OSError:  # nothing there, or nobody at the other end
            return b""

    def write(self, data: bytes) -> int:
        return os.write(self._descriptor, data)

    def flush(self) -> None: ...


def main() -> int:
    """Arguments: descriptor, key (hex), how many cards, seed."""
    import osdp_sys

    descriptor, key, cards, seed = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
    codes = ("READERS", "CARD_DATA_FORMAT", "CHECK_CHARACTER_SUPPORT", "COMMUNICATION_SECURITY")
    offers = [{"function_code": getattr(osdp_sys, f"CAP_{code}"), "compliance_level": 1, "num_items": 1} for code in codes]
    about: dict[str, Any] = {
        "name": "pd", "address": 0, "flags": osdp_sys.FLAG_ENFORCE_SECURE, "scbk": key, "channel": _Channel(descriptor),
        "version": 1, "model": 1, "vendor_code": 1, "serial_number": 1, "firmware_version": 1,
    }  # fmt: skip
    device = osdp_sys.PeripheralDevice(about, capabilities=offers)
    device.set_command_callback(lambda _: (0, None))
    chance, due_s, card = random.Random(seed), float("inf"), 0  # noqa: S311 - when cards are held out, no secrets
    while card < cards or time.monotonic() < due_s:
        device.refresh()
        now_s = time.monotonic()
        if due_s == float("inf") and device.is_sc_active():
            due_s = now_s + FIRST_S
        if now_s >= due_s:
            card, due_s = card + 1, now_s + chance.uniform(*BETWEEN_S)
            data = int(wiegand_26(card).ljust(32, "0"), 2).to_bytes(4, "big")
            print(card, time.monotonic(), flush=True)
            device.submit_event({"event": osdp_sys.EVENT_CARDREAD, "reader_no": 0, "direction": 0, "length": 26,
                                 "format": osdp_sys.CARD_FMT_RAW_WIEGAND, "data": data})  # fmt: skip
        time.sleep(TURN_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
