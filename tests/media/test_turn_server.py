"""The names and passwords that the centre makes for a TURN server, at a real coturn; and a picture that comes through it."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import aioice
import pytest
from aiortc import RTCIceServer, RTCSessionDescription

from central.live.turn import IceServer, credentials
from tests.media.media_house import Browser, MediaHouse
from tests.system.brokers import Process, free_port, wait_until

SECRET = "north-south-east-west"
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("turnserver") is None, reason="needs a real coturn: apt-get install coturn"),
]


class Coturn(Process):
    """As docs/LIVE.md says, on loopback alone."""

    kind = "coturn"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        said = ("-n --listening-ip 127.0.0.1 --relay-ip 127.0.0.1 --use-auth-secret --realm doorward --no-tls --no-dtls --no-cli"
                " --allow-loopback-peers --log-file stdout --simple-log")  # fmt: skip
        own = [f"--listening-port={self.port}", f"--static-auth-secret={SECRET}", f"--pidfile={folder / 'turn.pid'}"]
        super().__init__(["turnserver", *said.split(), *own], folder / "coturn.log", folder)

    def server(self, expires: datetime, secret: str = SECRET) -> IceServer:
        return credentials([f"turn:127.0.0.1:{self.port}?transport=udp"], secret.encode(), "ada", expires)


@pytest.fixture
def coturn(tmp_path: Path) -> Iterator[Coturn]:
    started = Coturn(tmp_path)
    started.start()
    wait_until(lambda: "Total General servers" in started.log.read_text("utf-8", "replace"), 20, "coturn does not start")
    yield started
    started.kill()


def now() -> datetime:
    return datetime.now(timezone.utc)


async def is_let_in(coturn: Coturn, server: IceServer) -> bool:
    try:
        transport, _ = await aioice.turn.create_turn_endpoint(
            asyncio.DatagramProtocol, ("127.0.0.1", coturn.port), server.username, server.credential
        )
    except aioice.stun.TransactionFailed:
        return False
    transport.close()
    return True


def test_a_name_that_holds_for_a_while_is_taken_and_one_that_has_ended_or_is_forged_is_not(coturn: Coturn) -> None:
    hour = timedelta(hours=1)
    assert asyncio.run(is_let_in(coturn, coturn.server(now() + hour)))
    assert not asyncio.run(is_let_in(coturn, coturn.server(now() - hour)))
    assert not asyncio.run(is_let_in(coturn, coturn.server(now() + hour, "another secret of ours")))


def relayed(sdp: str) -> str:
    """Without the ways that lead past the TURN server."""
    return re.sub(r"a=candidate:(?!.* typ relay).*\r\n", "", sdp)


def test_a_picture_comes_through_the_turn_server_where_nobody_reaches_the_other(tmp_path: Path, coturn: Coturn) -> None:
    house, server = MediaHouse(tmp_path), coturn.server(now() + timedelta(hours=1))
    house.open()

    async def play() -> None:
        browser = Browser(house, servers=[RTCIceServer(list(server.urls), server.username, server.credential)])
        await browser.peer.setLocalDescription(await browser.peer.createOffer())
        offered = relayed(browser.peer.localDescription.sdp)
        assert "typ relay" in offered
        ice = [{"urls": list(server.urls), "username": server.username, "credential": server.credential}]
        browser.session = house.offer(offered, ice=ice)
        answer = await house.answer(browser.session)
        assert "typ relay" in answer["sdp"]
        await browser.peer.setRemoteDescription(RTCSessionDescription(relayed(answer["sdp"]), "answer"))
        await browser.sees(lambda picture: True, "no picture comes through the relay")
        assert browser.peer.sctp is not None
        pair = browser.peer.sctp.transport.transport._connection._nominated[1]
        assert "relay" in (pair.local_candidate.type, pair.remote_candidate.type)
        await browser.close()

    try:
        asyncio.run(play())
    finally:
        house.close()
