"""Readers that frame for themselves: how long a card takes through an OSDP Secure Channel, and what serial frames cost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.core.formats import formats_named
from agent.core.messages import CredentialRead, ReaderNews, ReaderStatus
from agent.core.pn532 import Pn532Frames
from agent.core.rdm6300 import Rdm6300Stream
from agent.errors import DoorwardError
from hw.reader_osdp import open_osdp_reader
from tools.bench.figures import Figure, Section, Setting, distribution, median

CARDS = 300
MOST_MS = 60.0
PATIENCE_S = 30.0
FRAMES = 20_000


def readers(setting: Setting) -> Section:
    """OSDP beside libosdp's own thread; RDM6300 and PN532 frames beside a script of a few lines."""
    cards = setting.repeats(CARDS)
    setting.say(f"{cards} cards through an OSDP Secure Channel, twice")
    ours_ms, cpu_percent, start_ms = _osdp(setting, cards, _our_panel)
    usual_ms, _, _ = _osdp(setting, cards, _usual_panel)
    wire, tags = _damaged_tags(setting)
    ours_found, usual_found = _tags_by_us(wire), _tags_as_usual(wire)
    return Section(
        name="readers", title="OSDP and serial readers",
        how=f"OSDP: {cards} cards at random moments; the reader is libosdp's own peripheral in a process of its own at a pty, with a real "
            "Secure Channel, turned every millisecond. Timed from handing the card to that peripheral to the call of our `tell`; 'as libosdp "
            "comes' is its Python ControlPanel with its own thread (20 ms). A pty has no baud rate: a question and its answer of 45 bytes "
            f"take 4 ms more at 115200 baud and 47 ms at 9600. Serial: {FRAMES} frames of an RDM6300, one in ten with a byte lost or added "
            "or a wrong bit, beside the usual script, which reads up to the end mark and takes the ten digits behind the start mark.",
        figures=(
            *distribution("OSDP, card at the reader to credential", ours_ms, MOST_MS),
            *distribution("the same as libosdp comes", usual_ms, None),
            Figure(what="OSDP, from start to secure channel", value=start_ms, unit="ms"),
            Figure(what="OSDP, processor time of the process at the line", value=cpu_percent, unit="% of a core"),
            Figure(what="RDM6300 frames, ours", value=_rate(lambda: _tags_by_us(wire)) * FRAMES, unit="a second", least=1000.0),
            Figure(what="RDM6300 frames, the usual script", value=_rate(lambda: _tags_as_usual(wire)) * FRAMES, unit="a second"),
            Figure(what="whole tags that were read, ours", value=100.0 * len(ours_found & tags) / len(tags), unit="%", least=99.0),
            Figure(what="whole tags that were read, the usual script", value=100.0 * len(usual_found & tags) / len(tags), unit="%"),
            Figure(what="tags read that were never sent, ours", value=float(len(ours_found - tags)), unit="", most=0.0),
            Figure(what="tags read that were never sent, the usual script", value=float(len(usual_found - tags)), unit=""),
            Figure(what="PN532 answers with a UID, ours", value=_pn532_rate(setting), unit="a second", least=1000.0),
        ),
        samples={"OSDP card": tuple(ours_ms), "OSDP card as libosdp comes": tuple(usual_ms)},
    )  # fmt: skip


# -- OSDP ------------------------------------------------------------------------------------------------------------------------

Panel = Callable[[str, bytes, Callable[[int], None]], tuple[Callable[[], None], Callable[[], bool], Callable[[], float]]]
"""Device, key, what to call with a card's number -> end it, whether it is up, processor seconds of its own process."""


def _osdp(setting: Setting, cards: int, panel: Panel) -> tuple[list[float], float, float]:
    """Milliseconds of each card, percent of a core, milliseconds to the channel. Raises DoorwardError when cards are missing."""
    mine, theirs = os.openpty()
    tty.setraw(theirs)
    key, seen_s = os.urandom(16), dict[int, float]()
    began_s = time.monotonic()
    far = subprocess.Popen(
        [sys.executable, "-m", "tools.bench.osdp_peripheral", str(mine), key.hex(), str(cards), str(setting.seed)],
        stdout=subprocess.PIPE, pass_fds=(mine,), text=True, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    end, is_up, cpu_s = panel(os.ttyname(theirs), key, lambda card: seen_s.update({card: time.monotonic()}))
    try:
        while not is_up() and time.monotonic() < began_s + PATIENCE_S:
            time.sleep(0.001)
        up_s, cpu_before_s = time.monotonic(), cpu_s()
        sent_s = {
            int(card): float(at_s)
            for card, at_s in (line.split() for line in far.communicate(timeout=10 * PATIENCE_S)[0].splitlines())
        }
        share = 100 * (cpu_s() - cpu_before_s) / (time.monotonic() - up_s)
    finally:
        end()
        far.kill()
        far.wait()
        os.close(mine)
        os.close(theirs)
    if missing := sent_s.keys() - seen_s.keys() or len(sent_s) < cards:
        raise DoorwardError(f"OSDP: of {cards} cards {missing} did not arrive")
    return [1000 * (seen_s[card] - at_s) for card, at_s in sent_s.items()], share, 1000 * (up_s - began_s)


def _our_panel(
    device: str, key: bytes, seen: Callable[[int], None]
) -> tuple[Callable[[], None], Callable[[], bool], Callable[[], float]]:
    up = threading.Event()
    reader = open_osdp_reader("front", device, lambda: key, formats_named(["H10301"]))

    def tell(news: ReaderNews) -> None:
        if isinstance(news, CredentialRead):
            seen(news.card)
        elif isinstance(news, ReaderStatus) and news.online:
            up.set()

    reader.start(tell)
    return reader.close, up.is_set, _children_cpu_s


def _children_cpu_s() -> float:
    """Processor time of the process at the line, which any of our threads may have started."""
    ticks = 0
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in children.read_text().split():
            if b"osdp_wire" in Path(f"/proc/{pid}/cmdline").read_bytes():
                user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
                ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


def _usual_panel(
    device: str, key: bytes, seen: Callable[[int], None]
) -> tuple[Callable[[], None], Callable[[], bool], Callable[[], float]]:
    import osdp
    import serial

    class Channel(osdp.Channel):  # type: ignore[misc]
        def __init__(self) -> None:
            self.id = 1
            self.port = serial.Serial(device, 115200, timeout=0)

        def read(self, max_bytes: int) -> bytes:
            data: bytes = self.port.read(max_bytes)
            return data

        def write(self, buf: bytes) -> int:
            count: int = self.port.write(buf)
            return count

        def flush(self) -> None:
            self.port.flush()

    def event(_: int, what: dict[str, Any]) -> int:
        if what["event"] == osdp.Event.CardRead:
            seen(int.from_bytes(what["data"], "big") >> 7 & 0xFFFF)
        return 0

    channel = Channel()
    panel = osdp.ControlPanel(
        [osdp.PDInfo(0, channel, scbk=key, flags=[osdp.LibFlag.EnforceSecure])], log_level=osdp.LogLevel.Emergency
    )
    panel.set_event_handler(event)
    panel.start()

    def end() -> None:
        panel.teardown()
        channel.port.close()

    return end, lambda: bool(panel.is_sc_active(0)), lambda: 0.0


# -- serial frames ---------------------------------------------------------------------------------------------------------------


def _damaged_tags(setting: Setting) -> tuple[bytes, set[int]]:
    """What a wire brings, and the tags of which whole frames are in it."""
    chance = random.Random(setting.seed)  # noqa: S311 - tag numbers, no secrets
    wire, tags = bytearray(), set[int]()
    for _ in range(FRAMES):
        tag = chance.randbytes(5)
        frame = bytearray(_rdm6300(tag))
        if chance.random() < 0.1:
            at = chance.randrange(len(frame))
            chance.choice((_lose, _insert, _flip))(frame, at)
        else:
            tags.add(int.from_bytes(tag, "big"))
        wire += frame
    return bytes(wire), tags


def _lose(frame: bytearray, at: int) -> None:
    del frame[at]


def _insert(frame: bytearray, at: int) -> None:
    frame.insert(max(1, at), 0x55)  # before the first byte it would leave the frame whole


def _flip(frame: bytearray, at: int) -> None:
    frame[at] ^= 0x01


def _rdm6300(tag: bytes) -> bytes:
    check = 0
    for byte in tag:
        check ^= byte
    return b"\x02" + (tag + bytes([check])).hex().upper().encode() + b"\x03"


def _tags_by_us(wire: bytes) -> set[int]:
    """In chunks, as a driver reads them."""
    stream, found = Rdm6300Stream("front"), set[int]()
    for at in range(0, len(wire), 64):
        found.update(
            read.facility << 32 | read.card
            for read in stream.feed(wire[at : at + 64], at / 960)
            if isinstance(read, CredentialRead)
        )
    return found


def _tags_as_usual(wire: bytes) -> set[int]:
    """`read_until(ETX)` and the ten digits after the STX."""
    found = set[int]()
    for frame in wire.split(b"\x03"):
        try:
            found.add(int(frame[1:11], 16))
        except ValueError:
            continue
    return found


def _rate(work: Callable[[], object], times: int = 5) -> float:
    """How often a second, by the median."""
    took_s = []
    for _ in range(times):
        began_s = time.perf_counter()
        work()
        took_s.append(time.perf_counter() - began_s)
    return 1.0 / median(took_s)


def _pn532_rate(setting: Setting) -> float:
    body = bytes([0xD5, 0x4B, 1, 1, 0x00, 0x44, 0x00, 7]) + bytes.fromhex("04a1b2c3d4e5f6")
    answer = bytes([0, 0, 0xFF, len(body), -len(body) & 0xFF]) + body + bytes([-sum(body) & 0xFF, 0])
    count = setting.repeats(2000)

    def work() -> None:
        frames = Pn532Frames()
        if sum(len(frames.feed(answer)) for _ in range(count)) != count:
            raise DoorwardError("PN532: answers were lost")

    return _rate(work) * count
