"""NXP's PN532 on a high-speed UART (HSU): the UID of the ISO 14443 A card that lies on it.

A UID is a name and no secret: it is sent in the clear to whoever asks, and cards are sold that send any UID. So it tells which fob is
meant and proves nothing (docs/READERS.md). What the face adds is the proof.

Frames, commands and answers as in NXP's user manual UM0701-02: normal information frame 00 00 FF LEN LCS TFI data DCS 00 with
LEN + LCS = 0 and TFI + data + DCS = 0 modulo 256, TFI D4 towards the chip and D5 from it; extended frame with FF FF and a length of
two bytes; ACK, NACK and error frames; each command is acknowledged before it is answered.
"""

from __future__ import annotations

from msgspec import Struct

from agent.core.messages import CredentialRead
from agent.core.presence import Presence
from agent.core.serial_line import FaultLimit, Heard, bits_of
from agent.errors import WireError

START = b"\x00\xff"
ACK = b"\x00\x00\xff\x00\xff\x00"
NACK = b"\x00\x00\xff\xff\x00\x00"
TO_CHIP, FROM_CHIP, SYNTAX_ERROR = 0xD4, 0xD5, 0x7F

WAKE_UP = b"\x55\x55" + bytes(14)
"""Rising edges wake the chip's UART, and the zeros give it its 2 ms: at 115200 baud, 14 of them take 1.2 ms and the rest is ACK_S."""

GET_FIRMWARE_VERSION, SAM_CONFIGURATION, RF_CONFIGURATION, IN_LIST_PASSIVE_TARGET = 0x02, 0x14, 0x32, 0x4A
CHIP = 0x32
"""First byte of the answer to GetFirmwareVersion."""

NORMAL_MODE = bytes([SAM_CONFIGURATION, 0x01, 0x14, 0x01])
"""No SAM; without this command the chip sleeps again."""
FEW_RETRIES = bytes([RF_CONFIGURATION, 0x05, 0xFF, 0x01, 0x02])
"""An empty field is answered after two more tries; by default the chip would look for a card for ever and answer nothing else."""
FIELD_OFF = bytes([RF_CONFIGURATION, 0x01, 0x00])
"""A card that was selected answers no second selection: only losing its field makes it new. The next search turns the field on."""
SEARCH = bytes([IN_LIST_PASSIVE_TARGET, 0x01, 0x00])
"""One card of 106 kbit/s type A."""

ACK_S = 0.1
ANSWER_S = 1.0
TRIES = 3
SEARCH_EVERY_S = 0.05
LYING_S = 0.5
"""Several searches that find nothing: a fob at the edge of the field is missed now and then."""

UID_BYTES = (4, 7, 10)
RANDOM_UID = 0x08
"""ISO 14443-3: a UID of four bytes that begins so is made up anew each time (telephones, passports)."""
CARD_BYTES = 7
"""A card number has at most 64 bits: the first three bytes of a UID of ten become its facility."""


class Damaged(Struct, frozen=True):
    """Bytes that are no frame, or a frame whose checksum does not hold."""

    data: bytes
    was_frame: bool


Frame = bytes | Damaged
"""Data of a frame without its checks (empty: ACK), or what was there instead."""

ACKNOWLEDGED = b""
REFUSED = bytes([SYNTAX_ERROR])


def frame(data: bytes) -> bytes:
    """A command, its number first, in a normal information frame; at most 254 bytes."""
    body = bytes([TO_CHIP]) + data
    return b"\x00" + START + bytes([len(body), -len(body) & 0xFF]) + body + bytes([-sum(body) & 0xFF, 0])


class Pn532Frames:
    """Bytes from the chip -> frames. Finds its way back after noise; holds no more than one frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        self._buffer += data
        found: list[Frame] = []
        while (one := self._next()) is not None:
            found.append(one)
        return found

    def _next(self) -> Frame | None:
        """The next frame or noise; None when more bytes are needed."""
        buffer = self._buffer
        at = buffer.find(START)
        if at < 0:
            return self._drop(len(buffer) - buffer.endswith(b"\x00"))  # the last zero may be the first byte of a frame
        if noise := self._drop(at):
            return noise
        head = self._head()
        if head is None:
            return None
        begin, length = head
        if length == 0:
            del buffer[:begin]
            return ACKNOWLEDGED
        return self._checked(begin, length)

    def _drop(self, count: int) -> Damaged | None:
        """Forgets the first bytes; they are noise unless all of them are the zeros that stand before and after frames."""
        noise = bytes(self._buffer[:count]).strip(b"\x00")
        del self._buffer[:count]
        return Damaged(noise, was_frame=False) if noise else None

    def _head(self) -> tuple[int, int] | None:
        """Where the data begin and how many there are (0: an ACK, -1: the length's check fails); None when more bytes are needed."""
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        if buffer[2:4] == b"\x00\xff":
            return 4, 0
        if buffer[2:4] == b"\xff\xff":
            if len(buffer) < 7:
                return None
            length = buffer[4] << 8 | buffer[5]
            return 7, length if length and sum(buffer[4:7]) & 0xFF == 0 and length <= LONGEST_DATA else -1
        return 4, buffer[2] if buffer[2] and (buffer[2] + buffer[3]) & 0xFF == 0 else -1

    def _checked(self, begin: int, length: int) -> Frame | None:
        end = begin + length + 1
        if length > 0 and len(self._buffer) < end:
            return None
        body = bytes(self._buffer[begin:end])
        if length < 0 or sum(body) & 0xFF:
            del self._buffer[: len(START)]  # no more: what follows may hold a whole frame
            return Damaged(body, was_frame=True)
        del self._buffer[:end]
        return body[:-1]


LONGEST_DATA = 265
"""UM0701-02: 264 bytes after the TFI."""


def read_uid(answer: bytes) -> bytes | None:
    """The UID in an answer to InListPassiveTarget, from its number of targets on; None when no card was found.

    Raises WireError for an answer that is cut short or has a UID that is not 4, 7 or 10 bytes long.
    """
    if not answer or answer[0] == 0:
        return None
    if len(answer) < 6 or answer[5] not in UID_BYTES or len(answer) < 6 + answer[5]:
        raise WireError(f"PN532 answer {answer.hex()}: a card has a UID of 4, 7 or 10 bytes")
    return answer[6 : 6 + answer[5]]


def credential(reader: str, uid: bytes, now_s: float) -> CredentialRead:
    """The credential that a UID names; a UID of 4 or 7 bytes has facility 0."""
    return CredentialRead(reader=reader, format="iso14443a", facility=int.from_bytes(uid[:-CARD_BYTES], "big"),
                          card=int.from_bytes(uid[-CARD_BYTES:], "big"), bits=bits_of(uid), read_s=now_s)  # fmt: skip


class Pn532:
    """Wakes the chip, looks for a card some ten times a second and tells each once for as long as it lies there. Implements
    agent.core.serial_line.SerialProtocol.
    """

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._frames = Pn532Frames()
        self._presence = Presence(LYING_S)
        self._limit = FaultLimit(reader)
        self._todo = [NORMAL_MODE, bytes([GET_FIRMWARE_VERSION]), FEW_RETRIES]
        self._sent: bytes | None = None
        self._acknowledged = False
        self._tries = 0
        self._to_send = b""
        self.due_s = float("-inf")
        self.ready = False

    def tick(self, now_s: float) -> bytes:
        send, self._to_send = self._to_send, b""
        if send or now_s < self.due_s:
            return send
        if self._sent is not None:
            self._failed("does not answer")
        elif not self._todo:
            self._todo = [SEARCH]
        command = self._sent = self._todo[0]
        self._acknowledged, self.due_s = False, now_s + ACK_S
        return (WAKE_UP if command is NORMAL_MODE else b"") + frame(command)

    def feed(self, data: bytes, now_s: float) -> list[Heard]:
        heard: list[Heard] = []
        for one in self._frames.feed(data):
            heard += self._take(one, now_s)
        return heard

    def _failed(self, what: str) -> None:
        self._tries += 1
        if self._tries >= TRIES:
            raise WireError(f"PN532 {what} (tried {TRIES} times)")

    def _take(self, one: Frame, now_s: float) -> list[Heard]:
        if isinstance(one, Damaged):
            return self._damaged(one, now_s)
        if self._sent is None:
            return []
        if one == ACKNOWLEDGED:
            self._acknowledged, self.due_s = True, now_s + ANSWER_S
            return []
        if one == REFUSED:
            self._failed("refuses a command")
            self._sent, self.due_s = None, now_s  # so `tick` sends it again
            return []
        if not self._acknowledged or one[:2] != bytes([FROM_CHIP, self._sent[0] + 1]):
            return []  # the answer to an earlier try
        return self._answered(one[2:], now_s)

    def _damaged(self, one: Damaged, now_s: float) -> list[Heard]:
        """Asks for the last answer again, where it was one."""
        if one.was_frame and self._acknowledged:
            self._failed("sends damaged frames")
            self._to_send, self.due_s = NACK, now_s + ANSWER_S
        return self._limit.fault("checksum" if one.was_frame else "framing", one.data, now_s)

    def _answered(self, answer: bytes, now_s: float) -> list[Heard]:
        command = self._todo.pop(0)
        self._sent, self._tries = None, 0
        self.due_s = now_s if self._todo else now_s + SEARCH_EVERY_S
        if command[0] == GET_FIRMWARE_VERSION:
            if answer[:1] != bytes([CHIP]):
                raise WireError(f"something that is no PN532 answers: {answer.hex()}")
            self.ready = True
        return self._found(answer, now_s) if command is SEARCH else []

    def _found(self, answer: bytes, now_s: float) -> list[Heard]:
        try:
            uid = read_uid(answer)
        except WireError:
            return self._limit.fault("length", answer, now_s)
        if uid is None:
            return []
        self._todo, self.due_s = [FIELD_OFF], now_s
        if len(uid) == UID_BYTES[0] and uid[0] == RANDOM_UID:
            return self._limit.fault("random_uid", uid, now_s) if self._presence.arrives("random", now_s) else []
        read = credential(self._reader, uid, now_s)
        return [read] if self._presence.arrives(read.key, now_s) else []
