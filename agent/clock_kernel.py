"""What the kernel says of a controller's clock: whether somebody keeps it right, and which start of the machine this is."""

from __future__ import annotations

import ctypes
from pathlib import Path

TIME_ERROR, MAX_ERROR_AT, TIMEX_BYTES = 5, 24, 256
"""adjtimex(2): what it returns while the clock is not synchronised; where `maxerror` (microseconds) lies in its struct on 64-bit Linux."""
TIMESYNCD_MARK = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd(8) makes it when it has set the clock for the first time since the machine started."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def kernel_clock() -> tuple[bool | None, float | None]:
    """Whether the kernel's clock is synchronised, and its largest error in seconds; None where the kernel does not say.

    It says so to everybody; a unit with ProtectClock=yes is kept from asking.
    """
    timex = ctypes.create_string_buffer(TIMEX_BYTES)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    except (OSError, AttributeError):
        return None, None
    if state < 0:
        return None, None
    error_us = int.from_bytes(timex.raw[MAX_ERROR_AT : MAX_ERROR_AT + 8], "little")
    return state != TIME_ERROR, error_us / 1e6


def is_synchronised() -> bool | None:
    """As `kernel_clock`; who may not ask it goes by what systemd-timesyncd has left behind. None: nobody says."""
    synchronised, _ = kernel_clock()
    if synchronised is None and TIMESYNCD_MARK.parent.is_dir():
        return TIMESYNCD_MARK.exists()
    return synchronised


def boot_id() -> str:
    """32 hexadecimal digits, as `journalctl --list-boots` shows them; '' where the kernel does not say."""
    try:
        return BOOT_ID.read_text("ascii").strip().replace("-", "")
    except OSError:
        return ""
