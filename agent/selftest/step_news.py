"""Readers that frame for themselves, serial and OSDP: opened, heard, and their lights shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import msgspec

from agent.config import Config, OsdpReader, SerialReader
from agent.core.messages import CredentialRead, ReaderNews
from agent.door_hardware import open_other_readers
from agent.errors import DoorwardError
from agent.selftest.bench import Watch
from agent.selftest.hands import Hands
from agent.selftest.judge_news import is_online, judge_news
from agent.selftest.result import Fault, Judged

if TYPE_CHECKING:
    from hw.interfaces import Reader

CHANNEL_S = 15.0
"""So long an OSDP reader may take until it is met: hw.osdp_wire gives up an attempt after 12 s."""


def try_news(hands: Hands, reader: SerialReader | OsdpReader) -> Judged:
    """A fob is held to it, once it is there."""
    osdp = isinstance(reader, OsdpReader)
    try:
        with opened(hands.config, reader) as (_, news):
            if not osdp or _is_met(hands, news):
                _hear_a_fob(hands, reader.name, news)
    except DoorwardError as error:
        return Judged(faults=(Fault(what=str(error)),))
    return judge_news(reader.name, reader.device, news.since(0), osdp=osdp)


@contextmanager
def opened(config: Config, reader: SerialReader | OsdpReader) -> Iterator[tuple[Reader, Watch[ReaderNews]]]:
    """As the door opens it, with what it says. Raises DoorwardError."""
    news: Watch[ReaderNews] = Watch()
    device = open_other_readers(msgspec.structs.replace(config, readers=(reader,)))[reader.name]
    try:
        device.start(news.put)
        yield device, news
    finally:
        device.close()


@contextmanager
def opened_signallers(hands: Hands) -> Iterator[tuple[dict[str, Reader], tuple[str, ...]]]:
    """OSDP readers that can be told what to show, and the names of those that cannot be reached."""
    met: dict[str, Reader] = {}
    away: list[str] = []
    with ExitStack() as stack:
        for reader in hands.config.readers:
            if isinstance(reader, OsdpReader):
                device, news = stack.enter_context(opened(hands.config, reader))
                if _is_met(hands, news):
                    met[f"reader {reader.name}"] = device
                else:
                    away.append(reader.name)
        yield met, tuple(away)


def _is_met(hands: Hands, news: Watch[ReaderNews]) -> bool:
    return news.wait(0, is_online, min(CHANNEL_S, hands.timeout_s), hands.installer.waiting)


def _hear_a_fob(hands: Hands, name: str, news: Watch[ReaderNews]) -> None:
    hands.installer.do("reader", f"Hold a fob to reader '{name}'.")
    news.wait(0, lambda seen: any(isinstance(each, CredentialRead) for each in seen), hands.timeout_s, hands.installer.waiting)
