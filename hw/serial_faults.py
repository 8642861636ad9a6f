"""What an installer should look at when a serial device cannot be opened or goes away."""

from __future__ import annotations

import errno


def likely_cause(error: Exception) -> str:
    """A sentence for an OSError (pyserial's are) or a ValueError of opening, reading or writing a serial device."""
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return "there is no such device: is its USB plug in? `ls /dev/serial/by-id` shows what is there"
    if number == errno.EACCES:
        return "this user may not open it: add the user to the group dialout"
    if number in (errno.EBUSY, errno.EAGAIN):
        return "another program has it"
    return f"the line broke: {error}; is its USB plug in, and does the reader have power?"
