"""The far end of an OSDP line, for tests and measurements: libosdp's own peripheral behind a pty, and a hand on the wire between.

The peripheral runs in this process, in a thread of its own. The wire can be cut, and what passes on it looked at or replaced.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

import osdp_sys

from agent.core.osdp_gate import crc16

TURN_S = 0.001

CAPABILITIES = {
    osdp_sys.CAP_READERS: (1, 1),
    osdp_sys.CAP_CARD_DATA_FORMAT: (1, 1),
    osdp_sys.CAP_READER_LED_CONTROL: (1, 1),
    osdp_sys.CAP_READER_AUDIBLE_OUTPUT: (1, 1),
    osdp_sys.CAP_READER_TEXT_OUTPUT: (1, 1),
    osdp_sys.CAP_CHECK_CHARACTER_SUPPORT: (1, 0),
    osdp_sys.CAP_COMMUNICATION_SECURITY: (1, 1),
}

Tamper = Callable[[bytes], bytes]


class FarEnd:
    """A reader on a wire. `key` None: in install mode. `path` is the door's end of the wire."""

    def __init__(
        self, link: Path, key: bytes | None, address: int = 0, without: tuple[int, ...] = (), secure: bool = True,
        refuse: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        self.path = str(link)
        self._link = link
        self._mine = self._theirs = -1
        self._wire_lock = threading.Lock()
        self.plug_in()
        self.power = True
        self.commands: list[dict[str, Any]] = []
        self.asked: list[bytes] = []
        """What the door sent, as written."""
        self.on_way_up: Tamper = lambda data: data
        """A hand on the wire: changes what the reader sends."""
        self._refuse = refuse
        flags = osdp_sys.FLAG_ENFORCE_SECURE if secure and key else 0
        offers = [
            {"function_code": code, "compliance_level": level, "num_items": items}
            for code, (level, items) in CAPABILITIES.items() if code not in without
        ]  # fmt: skip
        about = {"name": "pd", "address": address, "flags": flags | (0 if key else osdp_sys.FLAG_INSTALL_MODE), "scbk": key,
                 "channel": self, "version": 1, "model": 7, "vendor_code": 0xA1B2C3, "serial_number": 42, "firmware_version": 1}  # fmt: skip
        self.id = 2
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
        self._device = osdp_sys.PeripheralDevice(about, capabilities=offers)
        self._device.set_command_callback(self._command)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # -- the wire

    def plug_in(self) -> None:
        """A new serial device under the same name, as udev gives."""
        with self._wire_lock:
            self._mine, self._theirs = os.openpty()
            tty.setraw(self._theirs)
            os.set_blocking(self._mine, False)
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(os.ttyname(self._theirs))

    def unplug(self) -> None:
        with self._wire_lock:
            self._link.unlink(missing_ok=True)
            if self._mine >= 0:
                os.close(self._mine)
                os.close(self._theirs)
            self._mine = -1

    def put(self, data: bytes) -> None:
        """Somebody else writes on the wire."""
        with self._wire_lock:
            if self._mine >= 0:
                os.write(self._mine, data)

    # -- libosdp's channel

    def read(self, most: int) -> bytes:
        with self._wire_lock:
            try:
                data = os.read(self._mine, most) if self._mine >= 0 else b""
            except OSError:
                return b""
        if data:
            self.asked.append(data)
        return data if self.power else b""

    def write(self, data: bytes) -> int:
        with self._wire_lock, contextlib.suppress(BlockingIOError):  # nobody reads at the other end
            if self._mine >= 0 and self.power and (changed := self.on_way_up(data)):
                os.write(self._mine, changed)
        return len(data)

    def flush(self) -> None: ...

    # -- the reader

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                self._device.refresh()
            time.sleep(TURN_S)

    def _command(self, command: dict[str, Any]) -> tuple[int, None]:
        """What a command is answered with cannot be given back: a status that is asked for is always 'closed, with power'.

        Nothing but None may stand there: the binding loses the tuple and lets go of what is in it all the same.
        """
        self.commands.append(command)
        return -1 if command["command"] in self._refuse else 0, None

    def card(self, bits: str) -> None:
        data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
        self._submit({"event": osdp_sys.EVENT_CARDREAD, "reader_no": 0, "direction": 0, "format": osdp_sys.CARD_FMT_RAW_WIEGAND,
                      "length": len(bits), "data": data})  # fmt: skip

    def keys(self, data: bytes) -> None:
        self._submit({"event": osdp_sys.EVENT_KEYPRESS, "reader_no": 0, "data": data})

    def tamper(self, tampered: bool) -> None:
        self._submit({"event": osdp_sys.EVENT_STATUS, "type": osdp_sys.STATUS_REPORT_LOCAL, "report": bytes([tampered, 0])})

    def _submit(self, event: dict[str, Any]) -> None:
        with self._lock:
            self._device.submit_event(event)

    @property
    def secure(self) -> bool:
        return bool(self._device.is_sc_active())

    def seen(self, command: int) -> list[dict[str, Any]]:
        return [one for one in self.commands if one["command"] == command]

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        with self._wire_lock:
            if self._mine >= 0:
                os.close(self._mine)
                os.close(self._theirs)


def without_security(data: bytes) -> bytes:
    """A hand on the wire that makes a reader out to know no Secure Channel: in its capabilities, 09 01 xx becomes 09 00 xx."""
    at = data.find(0x53)
    if at < 0 or data[at + 5 : at + 6] != b"\x46":
        return data
    frame = data[at:-2].replace(b"\x09\x01", b"\x09\x00")
    return data[:at] + frame + crc16(frame).to_bytes(2, "little")


def reply(address: int, control: int, block: bytes, body: bytes) -> bytes:
    """A frame as a reader on the wire would send it, with a CRC that holds."""
    control |= 0x04 | (0x08 if block else 0)
    length = 5 + len(block) + len(body) + 2
    frame = bytes([0x53, address | 0x80, length & 0xFF, length >> 8, control]) + block + body
    return b"\xff" + frame + crc16(frame).to_bytes(2, "little")
