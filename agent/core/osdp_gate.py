"""What an OSDP reader may say, before libosdp hears it: a gate between the RS-485 line and the library, which is written in C.

The line hangs outside the door. Two things make the gate necessary with libosdp 3.2.9 as control panel, both shown by a test:

- a card read in plain text, in a security block of the handshake (types 11 to 14), is taken for genuine in the middle of a Secure Channel:
  only types 15 to 18 have their MAC checked;
- a reply that arrives unasked waits in a buffer and is taken for the answer to the next command.

So, by the state of the channel, only these replies pass, and only one for each command:

    no channel yet     identification, capabilities, the two steps of the handshake, NAK, busy
    channel in force   replies with a MAC (block types 16 and 18), NAK, busy; a plain ACK while a key is being set

Frames: IEC 60839-11-5 and SIA OSDP 2.2: mark FF (optional), SOM 53, address (with bit 7 set in replies), length, control (sequence in
bits 0-1, CRC bit 2, security block bit 3), block, reply, data, check.
"""

from __future__ import annotations

from msgspec import Struct

SOM = 0x53
REPLY_BIT = 0x80
WITH_CRC, WITH_BLOCK = 0x04, 0x08
HEADER_BYTES = 5
LONGEST = 255
"""libosdp's buffer is 256 bytes, of which a mark may take one."""

ACK, NAK, PDID, PDCAP, BUSY, CCRYPT, RMAC_I = 0x40, 0x41, 0x45, 0x46, 0x79, 0x76, 0x78
STEP_1, STEP_2 = 0x12, 0x14
WITH_MAC = (0x16, 0x18)
MAC_BYTES = 4

CAPABILITY_SECURITY = 9
NAK_UNKNOWN_COMMAND, NAK_NO_SECURITY, NAK_SECURITY_CONDITIONS = 3, 5, 6


class Heard(Struct, kw_only=True):
    """What was noticed of the far end, for the sentence to the installer."""

    data_bytes: int = 0
    frames: int = 0
    """That passed."""
    refused: int = 0
    """Whole frames that may not pass now."""
    addresses: set[int] = {}  # type: ignore[assignment]
    """Of others that answered."""
    identified: bool = False
    has_security: bool | None = None
    """Whether it says that it knows Secure Channel; None before it said."""
    first_step: bool = False
    """It answered the challenge, with whatever key."""
    second_step: bool = False
    nak: int | None = None
    """The code of the last NAK."""


class OsdpGate:
    """One reader's line. Feed it what arrives; it returns what libosdp may see."""

    def __init__(self, address: int) -> None:
        self._address = address
        self._buffer = bytearray()
        self._answered = True
        self.heard = Heard(addresses=set())
        self.key_is_being_set = False
        self.refusal = False
        """Whether the last reply was a NAK with a MAC: the reader itself will not do that. A plain one only says that it lost the channel."""

    def asked(self) -> None:
        """A command goes out: one reply may come, and what came before was no reply to it."""
        self._buffer.clear()
        self._answered = False

    def feed(self, data: bytes, secure: bool) -> bytes:
        """`secure`: whether the Secure Channel is in force. Holds back incomplete frames, drops noise and what may not pass."""
        self.heard.data_bytes += len(data)
        self._buffer += data
        passed = b""
        while frame := self._next():
            if frame[1] != self._address | REPLY_BIT:
                self.heard.addresses.add(frame[1] & ~REPLY_BIT)
            elif self._answered or not self._allowed(frame, secure):
                self.heard.refused += 1
            else:
                self._answered, passed = True, frame
                self._notice(frame, secure)
        return passed

    def _next(self) -> bytes:
        """The next whole frame with a check that holds; empty when more bytes are needed."""
        buffer = self._buffer
        while True:
            at = buffer.find(SOM)
            del buffer[: at if at >= 0 else len(buffer)]
            if len(buffer) < HEADER_BYTES:
                return b""
            length = buffer[2] | buffer[3] << 8
            least = HEADER_BYTES + 2 + (buffer[4] & WITH_CRC > 0) + (2 if buffer[4] & WITH_BLOCK else 0)
            if buffer[1] & REPLY_BIT and least <= length <= LONGEST:
                if len(buffer) < length:
                    return b""
                frame = bytes(buffer[:length])
                if _check_holds(frame):
                    del buffer[:length]
                    return frame
            del buffer[0]  # no frame begins here: look on behind this byte

    def _allowed(self, frame: bytes, secure: bool) -> bool:
        if not frame[4] & WITH_BLOCK:
            plain = frame[HEADER_BYTES]
            if plain == ACK:
                return self.key_is_being_set
            return plain in (NAK, BUSY) or (not secure and plain in (PDID, PDCAP))
        size, kind = frame[HEADER_BYTES], frame[HEADER_BYTES + 1]
        check_bytes = 2 if frame[4] & WITH_CRC else 1
        if secure:
            return kind in WITH_MAC and size == 2 and len(frame) >= HEADER_BYTES + size + 1 + MAC_BYTES + check_bytes
        if kind not in (STEP_1, STEP_2) or size != 3 or len(frame) < HEADER_BYTES + size + 1 + check_bytes:
            return False
        return frame[HEADER_BYTES + size] in (NAK, CCRYPT if kind == STEP_1 else RMAC_I)

    def _notice(self, frame: bytes, secure: bool) -> None:
        heard = self.heard
        heard.frames += 1
        self.refusal = secure and bool(frame[4] & WITH_BLOCK) and frame[HEADER_BYTES + 2] == NAK
        if secure and frame[4] & WITH_BLOCK:
            return
        at = HEADER_BYTES + (frame[HEADER_BYTES] if frame[4] & WITH_BLOCK else 0)
        reply, data = frame[at], frame[at + 1 : len(frame) - (2 if frame[4] & WITH_CRC else 1)]
        heard.identified |= reply == PDID
        heard.first_step |= reply == CCRYPT
        heard.second_step |= reply == RMAC_I
        if reply == NAK:
            heard.nak = data[0] if data else 0
        if reply == PDCAP:
            known = {data[n]: data[n + 1] for n in range(0, len(data) - 2, 3)}
            heard.has_security = bool(known.get(CAPABILITY_SECURITY, 0) & 1)


def explain(heard: Heard, address: int, baud: int) -> str:
    """Why no secure channel came about, with the likely wire or setting, for whoever stands there with a screwdriver."""
    others = ", ".join(str(other) for other in sorted(heard.addresses))
    causes = (
        (heard.has_security is False, "it has no Secure Channel: anybody on the wire could send a card. It is refused; use another reader"),
        (heard.second_step, f"the channel broke off{_nak(heard)}: a loose wire, a power cut at the reader, or somebody on the line"),
        (heard.first_step, "it has another key than ours, or is another reader: switch its install mode on, run `doorward osdp set-key`"),
        (heard.nak in (NAK_NO_SECURITY, NAK_SECURITY_CONDITIONS),
         "it knows no key of ours: it is new or was reset. Switch its install mode on and run `doorward osdp set-key`"),
        (heard.identified, f"it answers but does not go on{_nak(heard)}: switch its power off and on"),
        (bool(heard.addresses), f"a reader answers as address {others}, none as {address}: set `address`"),
        (heard.frames + heard.refused > 0, f"its replies may not be taken{_nak(heard)}: somebody talks in plain text"),
        (heard.data_bytes > 0, f"what comes is no OSDP at {baud} baud: set `baud` (9600 from most factories), else swap A and B"),
    )  # fmt: skip
    nothing = (
        "nothing answers: power at the reader? A and B swapped? 120 ohms at both ends? `address` and `baud` as in the reader?"
    )
    return next((text for holds, text in causes if holds), nothing)


def _nak(heard: Heard) -> str:
    return f" (NAK {heard.nak})" if heard.nak is not None else ""


def _check_holds(frame: bytes) -> bool:
    if frame[4] & WITH_CRC:
        return crc16(frame[:-2]) == frame[-2] | frame[-1] << 8
    return sum(frame) & 0xFF == 0


def crc16(data: bytes) -> int:
    """CRC-16 of polynomial 0x1021 that begins with 0x1D0F (SIA OSDP 2.2, annex C)."""
    value = 0x1D0F
    for byte in data:
        value = (value << 8 & 0xFF00) ^ _CRC[(value >> 8) ^ byte]
    return value


def _crc_of(byte: int) -> int:
    value = byte << 8
    for _ in range(8):
        value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


_CRC = [_crc_of(byte) for byte in range(256)]
