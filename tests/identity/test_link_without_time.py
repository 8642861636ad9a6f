"""TLS at a door that does not know what time it is, at a real Mosquitto: what proves something, and what does not."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.link.session import Address, Say, Session
from central.site.authority import Authority
from tests.central.site.sites import GeneratedBroker, now
from tests.system.brokers import running, wait_until

pytestmark = pytest.mark.system
DAY = timedelta(days=1)


class Quiet:
    """Comes, and says nothing."""

    def connected(self, say: Say) -> None: ...
    def turn(self, say: Say, now_s: float) -> float:
        return 1.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None: ...
    def leaving(self, say: Say) -> None: ...


class Clock:
    """What a door knows of the time, beside its certificate."""

    def __init__(self, address: Address, *, sure: bool, earliest: datetime) -> None:
        self._address, self._sure, self._earliest = address, sure, earliest

    def files(self) -> tuple[str, str]:
        return self._address.cert_file, self._address.key_file

    def is_sure(self) -> bool:
        return self._sure

    def not_before(self) -> datetime:
        return self._earliest


def why_out(broker: GeneratedBroker, address: Address, *, sure: bool, earliest: datetime) -> str:
    """'' where a door with this clock is let in, else the reason that it tells."""
    session = Session(address, "x", Quiet(), own=Clock(address, sure=sure, earliest=earliest))
    session.start()
    try:
        wait_until(lambda: session.is_connected or bool(session.last_error), 15, "neither in nor out")
        return "" if session.is_connected else session.last_error
    finally:
        session.stop()


@contextmanager
def broker_with(folder: Path, begins: datetime, lasts: timedelta) -> Iterator[GeneratedBroker]:
    """Its certificate is good from then on for so long: as if the clock here were wrong by the rest."""
    broker = GeneratedBroker(folder)
    with running(broker):
        pair = broker.site.authority.issue("broker", "127.0.0.1", begins, broker.site.hosts(), life=lasts)
        broker.site.put_server(pair)
        broker.hang_up()
        at = ("127.0.0.1", broker.site.settings.listeners.doors_port)
        wait_until(lambda: ssl.get_server_certificate(at).strip() == pair.certificate.decode().strip(), 10, "not read again")
        yield broker


@pytest.fixture
def young(tmp_path: Path) -> Iterator[GeneratedBroker]:
    """By the clock here its certificate begins in ten days: the clock stands too early."""
    with broker_with(tmp_path, now() + 10 * DAY, 100 * DAY) as broker:
        yield broker


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[GeneratedBroker]:
    """It ended yesterday."""
    with broker_with(tmp_path, now() - 10 * DAY, 9 * DAY) as broker:
        yield broker


def test_a_door_whose_clock_is_behind_comes_in_all_the_same(young: GeneratedBroker) -> None:
    """Its own authority's certificate that is not valid yet proves that the clock is wrong."""
    address = young.enrol("front")
    assert why_out(young, address, sure=False, earliest=now()) == ""
    assert "not valid yet" in why_out(young, address, sure=True, earliest=now())


def test_a_certificate_that_ended_before_what_the_time_is_at_least_is_refused(ended: GeneratedBroker) -> None:
    address = ended.enrol("front")
    assert "ended on" in why_out(ended, address, sure=False, earliest=now())
    assert why_out(ended, address, sure=False, earliest=now() - 5 * DAY) == "", "for all that this door knows it is still good"


def test_the_authority_is_looked_at_whatever_the_clock_says(young: GeneratedBroker, tmp_path: Path) -> None:
    address = young.enrol("front")
    other = Authority(tmp_path / "other")
    other.make("other", now())
    stranger = Address(
        port=address.port, ca_file=str(other.certificate_file), cert_file=address.cert_file, key_file=address.key_file
    )
    assert "another authority" in why_out(young, stranger, sure=False, earliest=now())
