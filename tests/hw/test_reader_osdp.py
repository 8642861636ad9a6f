"""OSDP over a pty, with a real Secure Channel: the far end is libosdp's own peripheral, and a hand is on the wire between."""

from __future__ import annotations

import contextlib
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.feedback import TABLE, Meaning, Signal
from agent.core.formats import FORMATS
from agent.core.messages import CredentialRead, KeyPressed, ReaderNews, ReaderStatus, ReadFault
from agent.errors import ConfigError
from hw.osdp_wire import Down, FromWire, Orders, Setup, _talk
from hw.reader_osdp import OsdpReader
from tests.contracts.conftest import eventually
from tests.hw.osdp_far_end import FarEnd, reply, without_security

pytestmark = pytest.mark.slow

osdp_sys = pytest.importorskip("osdp_sys")

KEY, OTHER = bytes(range(16)), bytes(range(1, 17))
ADDRESS = 5
CARD = "00000000100010100101000110"
FORGED = bytes.fromhex("5000011a00deadbec0")
SOON = (0.05, 0.2)


class Door:
    """A reader as the door has it, and what it told."""

    def __init__(self, far: FarEnd, load_key: Callable[[], bytes] = lambda: KEY) -> None:
        self.news: list[ReaderNews] = []
        self.reader = OsdpReader("front", far.path, load_key, (FORMATS["H10301"],), 9600, ADDRESS, SOON)
        self.reader.start(self.news.append)

    @property
    def status(self) -> ReaderStatus | None:
        return next((one for one in reversed(self.news) if isinstance(one, ReaderStatus)), None)

    @property
    def online(self) -> bool:
        return self.status is not None and self.status.online

    def of(self, kind: type) -> list[ReaderNews]:
        return [one for one in self.news if isinstance(one, kind)]

    def said(self, words: str) -> bool:
        return self.status is not None and words in self.status.detail


@pytest.fixture
def far(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[FarEnd]:
    made = FarEnd(tmp_path / "tty", **{"key": KEY, "address": ADDRESS, **getattr(request, "param", {})})
    yield made
    made.close()


@pytest.fixture
def door(far: FarEnd) -> Iterator[Door]:
    made = Door(far)
    yield made
    made.reader.close()


def test_a_card_comes_through_the_secure_channel(door, far):
    assert eventually(lambda: door.online)
    assert far.secure
    assert door.status.secure
    before_s = time.monotonic()
    far.card(CARD)
    assert eventually(lambda: door.of(CredentialRead))
    (read,) = door.of(CredentialRead)
    assert (read.reader, read.format, read.facility, read.card, read.bits) == ("front", "H10301", 1, 5283, CARD)
    assert before_s < read.read_s < time.monotonic()


def test_nothing_of_a_card_or_a_pin_can_be_read_on_the_wire(door, far):
    sent: list[bytes] = []
    far.on_way_up = lambda data: sent.append(data) or data
    assert eventually(lambda: door.online)
    far.card(CARD)
    far.keys(b"4711")
    assert eventually(lambda: len(door.of(KeyPressed)) == 4)
    wire = b"".join(sent)
    assert int(CARD.ljust(32, "0"), 2).to_bytes(4, "big") not in wire
    assert b"4711" not in wire


def test_keys_are_told_one_by_one_and_star_and_hash_have_their_codes(door, far):
    assert eventually(lambda: door.online)
    far.keys(b"12\x7f\x0d")
    assert eventually(lambda: len(door.of(KeyPressed)) == 4)
    assert [one.key for one in door.of(KeyPressed)] == ["1", "2", "*", "#"]


def test_a_frame_of_no_format_of_this_reader_is_a_fault_with_its_bits(door, far):
    assert eventually(lambda: door.online)
    far.card(CARD + "1")
    far.card(CARD[:-1] + "1")
    assert eventually(lambda: len(door.of(ReadFault)) == 2)
    assert [(one.fault, one.bits) for one in door.of(ReadFault)] == [("length", CARD + "1"), ("parity", CARD[:-1] + "1")]


def test_an_opened_case_is_told(door, far):
    """The case is asked for at the start as well; the binding's peripheral can only answer that it is closed."""
    assert eventually(lambda: door.status is not None and door.status.tamper is False)
    far.tamper(True)
    assert eventually(lambda: door.status.tamper is True)
    assert door.online
    far.tamper(False)
    assert eventually(lambda: door.status.tamper is False)


def test_light_sound_and_text_of_a_decision_are_seen_at_the_reader(door, far):
    assert eventually(lambda: door.online)
    door.reader.show(Signal(meaning=Meaning.GRANTED, colour="green", light_s=(1.0, 0.0), sound_s=(0.6, 0.0), text="Come in"))
    assert eventually(lambda: far.seen(osdp_sys.CMD_TEXT))
    (led,), (buzzer,), (text,) = (far.seen(kind) for kind in (osdp_sys.CMD_LED, osdp_sys.CMD_BUZZER, osdp_sys.CMD_TEXT))
    assert (led["on_color"], led["on_count"], led["off_count"], led["temporary"]) == (osdp_sys.LED_COLOR_GREEN, 10, 0, False)
    assert (buzzer["control_code"], buzzer["on_count"], buzzer["rep_count"]) == (2, 6, 1)
    assert text["data"] == "Come in"


def test_a_reader_that_comes_back_is_told_the_signal_that_stands(door, far):
    door.reader.show(TABLE[Meaning.GRANTED])
    assert eventually(lambda: far.seen(osdp_sys.CMD_LED))
    far.commands.clear()
    far.unplug()
    assert eventually(lambda: not door.online)
    far.plug_in()
    assert eventually(lambda: far.seen(osdp_sys.CMD_LED))


def test_a_storm_of_signals_keeps_no_card_waiting(door, far):
    """Each command makes libosdp wait before it asks for cards. The median, for a busy machine is slow to play the reader's part."""
    assert eventually(lambda: door.online)
    meanings = [TABLE[Meaning.GRANTED], TABLE[Meaning.DENIED]]
    until_s, sent, waits_s = time.monotonic() + 1.5, 0, []
    while time.monotonic() < until_s:
        far.card(CARD)
        sent += 1
        since_s = time.monotonic()
        while len(door.of(CredentialRead)) < sent and time.monotonic() < since_s + 10:
            door.reader.show(meanings[int(time.monotonic() * 1000) % 2])
            time.sleep(0.001)
        waits_s.append(time.monotonic() - since_s)
    assert len(door.of(CredentialRead)) == sent
    assert statistics.median(waits_s) < 0.25


@pytest.mark.parametrize("far", [{"without": (osdp_sys.CAP_READER_LED_CONTROL, osdp_sys.CAP_READER_TEXT_OUTPUT)}], indirect=True)
def test_a_reader_without_a_light_is_not_sent_what_it_would_refuse(door, far):
    assert eventually(lambda: door.online)
    door.reader.show(TABLE[Meaning.GRANTED])
    assert eventually(lambda: far.seen(osdp_sys.CMD_BUZZER))
    time.sleep(0.2)
    assert not far.seen(osdp_sys.CMD_LED)
    assert door.online


@pytest.mark.parametrize("far", [{"refuse": (osdp_sys.CMD_BUZZER, osdp_sys.CMD_STATUS)}], indirect=True)
def test_a_command_that_a_reader_refuses_is_not_sent_again_and_cards_come(door, far):
    """To libosdp a refusal is the end of the talk: it must not go on for ever."""
    assert eventually(lambda: len(far.seen(osdp_sys.CMD_STATUS)) == 1 and door.online)
    door.reader.show(TABLE[Meaning.GRANTED])
    assert eventually(lambda: far.seen(osdp_sys.CMD_BUZZER) and door.online)

    def card_is_read() -> bool:
        if door.online and far.secure:
            far.card(CARD)
            time.sleep(0.1)
        return bool(door.of(CredentialRead))

    assert eventually(card_is_read)
    assert len(far.seen(osdp_sys.CMD_STATUS)) == 1
    assert len(far.seen(osdp_sys.CMD_BUZZER)) == 1


def test_a_reader_that_lost_the_channel_while_it_was_told_something_is_told_it_again(door, far):
    """After a dip of its power it answers the next command with a plain NAK, whatever the command was."""
    assert eventually(lambda: door.online and far.seen(osdp_sys.CMD_STATUS))
    lost: list[bytes] = []

    def hand(data: bytes) -> bytes:
        asked, at = far.asked[-1], data.find(0x53)
        if lost or at < 0 or asked[asked.find(0x53) + 6] != 0x17:  # a command with data; questions have none
            return data
        lost.append(data)
        return reply(ADDRESS, data[at + 4] & 3, b"", b"\x41\x06")

    far.on_way_up = hand
    door.reader.show(TABLE[Meaning.GRANTED])
    assert eventually(lambda: lost)
    far.commands.clear()
    assert eventually(lambda: far.seen(osdp_sys.CMD_LED) and far.seen(osdp_sys.CMD_BUZZER))


# -- who is refused --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("far", [{"key": OTHER}], indirect=True)
def test_a_reader_with_another_key_is_refused(door, far):
    assert eventually(lambda: door.said("another key"))
    far.card(CARD)
    time.sleep(0.5)
    assert not door.online
    assert not door.of(CredentialRead)


def test_a_reader_that_talks_in_plain_text_is_refused(far):
    """Or one that a hand on the wire makes out to be such, so that it would be talked to in plain text."""
    far.on_way_up = without_security
    door = Door(far)
    try:
        assert eventually(lambda: door.said("no Secure Channel"))
        far.card(CARD)
        time.sleep(0.5)
        assert not door.online
        assert not door.of(CredentialRead)
    finally:
        door.reader.close()


@pytest.mark.parametrize("far", [{"key": None}], indirect=True)
def test_a_reader_in_install_mode_is_refused_and_gets_no_key_by_itself(door, far):
    """It would take any key, over a key that everybody knows: only the installer may say so."""
    assert eventually(lambda: door.status is not None and not door.online)
    far.card(CARD)
    time.sleep(0.5)
    assert not door.online
    assert not door.of(CredentialRead)
    assert not far.secure


def test_a_door_without_a_key_says_so_and_takes_it_as_soon_as_there_is_one(far):
    keys: list[bytes] = []

    def load() -> bytes:
        if not keys:
            raise ConfigError("osdp-front.key: reader 'front' has no key: set one with `doorward osdp set-key`")
        return keys[0]

    door = Door(far, load)
    try:
        assert eventually(lambda: door.said("set-key"))
        assert far.asked == []
        keys.append(KEY)
        assert eventually(lambda: door.online)
    finally:
        door.reader.close()


def test_a_controller_without_libosdp_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "osdp_sys", None)
    said: list[FromWire] = []
    assert _talk(Setup("/dev/none", 9600, 0, KEY), Orders(), said.append) == 1
    (down,) = said
    assert isinstance(down, Down)
    assert "pip install 'doorward[osdp]'" in down.detail


# -- a hand on the wire ----------------------------------------------------------------------------------------------------------


def replace_one_reply(far: FarEnd, block: bytes) -> list[bytes]:
    """The next reply becomes a card read in plain text with everything right but the proof."""
    done: list[bytes] = []

    def hand(data: bytes) -> bytes:
        at = data.find(0x53)
        if done or at < 0:
            return data
        done.append(data)
        return reply(ADDRESS, data[at + 4] & 3, block, FORGED + (bytes(4) if block[1:] >= b"\x15" else b""))

    far.on_way_up = hand
    return done


@pytest.mark.parametrize(
    "block", [b"", *(bytes([3, kind, 1]) for kind in range(0x11, 0x15)), *(bytes([2, kind]) for kind in range(0x12, 0x19))]
)
def test_a_card_forged_on_the_wire_of_a_secure_channel_is_never_read(door, far, block):
    assert eventually(lambda: door.online)
    done = replace_one_reply(far, block)
    assert eventually(lambda: done)
    far.on_way_up = lambda data: data
    time.sleep(0.15)
    assert eventually(lambda: door.online)
    assert not door.of(CredentialRead)
    assert not door.of(ReadFault)


@pytest.mark.parametrize("kind", [0x12, 0x14])
def test_libosdp_alone_takes_such_a_card_for_genuine(far, kind):
    """Why there is a gate (agent/core/osdp_gate.py). Should this fail one day, libosdp was mended."""
    import serial

    heard: list[dict[str, object]] = []
    with serial.Serial(far.path, 9600, timeout=0) as port:
        panel = osdp_sys.ControlPanel([{"name": "r", "address": ADDRESS, "flags": osdp_sys.FLAG_ENFORCE_SECURE, "scbk": KEY,
                                        "channel": _BareChannel(port)}])  # fmt: skip
        panel.set_event_callback(lambda _, event: heard.append(event) or 0)
        done: list[bytes] = []
        until_s = time.monotonic() + 10
        while not heard and time.monotonic() < until_s:
            panel.refresh()
            if panel.sc_status() and not done:
                done = replace_one_reply(far, bytes([2, kind]))
            time.sleep(0.001)
    assert [event["data"] for event in heard if event["event"] == osdp_sys.EVENT_CARDREAD] == [FORGED[-4:]]


class _BareChannel:
    id = 1

    def __init__(self, port: object) -> None:
        self._port = port

    def read(self, most: int) -> bytes:
        return self._port.read(most)

    def write(self, data: bytes) -> int:
        return self._port.write(data)

    def flush(self) -> None: ...


def challenge(far: FarEnd) -> bytes:
    """What the door asked the reader to prove: the eight bytes after osdp_CHLNG."""
    sent = b"".join(far.asked)
    at = sent.index(b"\x03\x11\x01\x76")
    return sent[at + 4 : at + 12]


def test_no_talk_begins_with_the_challenge_of_another(far):
    """Else a recorded talk could be played back, card reads included."""
    challenges = set()
    for _ in range(4):
        far.asked.clear()
        door = Door(far)
        assert eventually(lambda door=door: door.online)
        door.reader.close()
        challenges.add(challenge(far))
    assert len(challenges) == 4


def test_libosdp_alone_draws_its_challenge_from_a_generator_that_nobody_seeds():
    """Why the wire process seeds it: two processes of C draw the same numbers."""
    drawn = {
        subprocess.check_output([sys.executable, "-c", "import ctypes; print([ctypes.CDLL(None).rand() for _ in range(8)])"])
        for _ in range(2)
    }
    assert len(drawn) == 1


def test_what_the_kernel_gives_reaches_that_generator():
    program = (
        "import ctypes\nfrom hw.osdp_wire import seed_from_kernel\nrefill = seed_from_kernel()\nlibc = ctypes.CDLL(None)\n"
        "first = [libc.rand() for _ in range(8)]\nrefill()\nprint(first, [libc.rand() for _ in range(8)])"
    )
    drawn = {subprocess.check_output([sys.executable, "-c", program]) for _ in range(3)}
    assert len(drawn) == 3


# -- cut wires and what ends -----------------------------------------------------------------------------------------------------


def test_a_reader_that_loses_its_power_is_told_and_comes_back_by_itself(door, far):
    assert eventually(lambda: door.online)
    far.power = False
    assert eventually(lambda: not door.online)
    assert door.said("fell silent")
    far.power = True
    assert eventually(lambda: door.online)
    far.card(CARD)
    assert eventually(lambda: door.of(CredentialRead))


def test_an_unplugged_line_is_told_with_its_plug_and_comes_back_by_itself(door, far):
    assert eventually(lambda: door.online)
    far.unplug()
    assert eventually(lambda: door.said("USB plug"))
    far.plug_in()
    assert eventually(lambda: door.online)


def test_a_line_that_another_program_has_is_told(far):
    first, second = Door(far), None
    try:
        assert eventually(lambda: first.online)
        second = Door(far)
        assert eventually(lambda: second.said("another program has it"))
        assert first.online
    finally:
        first.reader.close()
        if second:
            second.reader.close()


def children(door: Door) -> list[int]:
    import psutil

    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it ends while it is looked at
            found += [child.pid] if "osdp_wire" in " ".join(child.cmdline()) else []
    return found


def test_a_process_that_dies_is_replaced_and_the_reader_is_back(door, far):
    import psutil

    assert eventually(lambda: door.online)
    (pid,) = children(door)
    psutil.Process(pid).kill()
    assert eventually(lambda: children(door) not in ([], [pid]))
    assert eventually(lambda: door.online and far.secure)


def test_a_process_that_hangs_is_told_and_replaced(door, far):
    import psutil

    assert eventually(lambda: door.online)
    (pid,) = children(door)
    psutil.Process(pid).suspend()
    assert eventually(lambda: not door.online)
    assert door.said("hung")
    assert eventually(lambda: door.online)
    assert pid not in children(door)


def test_a_door_that_is_closed_leaves_no_process_and_no_thread_behind(far):
    import threading

    door = Door(far)
    assert eventually(lambda: door.online)
    door.reader.close()
    door.reader.close()
    door.reader.show(TABLE[Meaning.READY])
    assert children(door) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "reader front"]


def test_the_process_ends_with_the_door_program(far, tmp_path):
    """A door program that is killed closes its end of the pipe."""
    import psutil

    program = (
        "import sys, time\nfrom agent.core.formats import FORMATS\nfrom hw.reader_osdp import open_osdp_reader\n"
        f"r = open_osdp_reader('front', {far.path!r}, lambda: bytes(range(16)), (FORMATS['H10301'],), 9600, {ADDRESS})\n"
        "r.start(lambda news: print(getattr(news, 'online', ''), flush=True))\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    while "True" not in parent.stdout.readline():
        pass
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    assert eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_the_door_program_itself_never_loads_libosdp():
    program = "import sys, hw.reader_osdp; print(sorted({'osdp_sys', 'osdp', 'serial', 'numpy'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


SET_BACK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>
int gettimeofday(struct timeval *tv, void *tz) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(tv, tz);
    if (access(getenv("SET_BACK"), F_OK) == 0) tv->tv_sec -= 3600;
    return result;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_clock_that_is_set_back_by_an_hour_costs_seconds_and_not_an_hour(far, tmp_path, monkeypatch):
    """libosdp tells time by the wall clock, and a controller without a battery learns the time some minutes after its start."""
    (tmp_path / "back.c").write_text(SET_BACK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "back.so", tmp_path / "back.c", "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(tmp_path / "back.so"))
    monkeypatch.setenv("SET_BACK", str(tmp_path / "now"))
    door = Door(far)
    try:
        assert eventually(lambda: door.online)
        time.sleep(0.5)
        (tmp_path / "now").touch()
        time.sleep(0.1)
        far.card(CARD)
        assert eventually(lambda: door.of(CredentialRead)) or eventually(lambda: door.of(CredentialRead))
    finally:
        door.reader.close()
