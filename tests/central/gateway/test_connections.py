"""Somebody on the network who opens connections and says nothing keeps nobody from the dashboard."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from central.gateway import connections
from central.gateway.connections import group_of
from tests.central.gateway.house import House
from tests.system.brokers import wait_until


def is_answered(house: House) -> bool:
    try:
        with house.browser() as browser:
            return browser.get("/api/session").status_code == 401
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("begun", [b"", b"GET / HTT", b"GET /api/session/ways HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\nGET"])
def test_connections_on_which_no_request_comes_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(connections, "MOST", 8)
    monkeypatch.setattr(connections, "HEAD_WAIT_S", 0.5)
    with House(tmp_path).open() as house, ExitStack() as silent:
        for _ in range(12):
            silent.enter_context(socket.create_connection(("127.0.0.1", house.gateway.port), 10)).sendall(begun)
        wait_until(lambda: is_answered(house), 15, "somebody who says nothing shuts everybody out")


def test_one_address_has_a_share_of_the_connections_and_a_proxy_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_OF_AN_ADDRESS", 4)
    with House(tmp_path).open() as house, ExitStack() as open_ones:
        for _ in range(4):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", house.gateway.port), 10))
        wait_until(lambda: not is_answered(house), 15, "one address takes them all")
    (tmp_path / "other").mkdir()
    with (
        House(tmp_path / "other", behind_proxy=True, public_url="https://doors.example.org").open() as house,
        ExitStack() as open_ones,
    ):
        for _ in range(4):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", house.gateway.port), 10))
        with httpx.Client(base_url=f"http://127.0.0.1:{house.gateway.port}", headers={"host": "doors.example.org"}) as browser:
            assert browser.get("/api/session").status_code == 401


def test_whoever_has_a_network_of_addresses_counts_once() -> None:
    assert group_of(("2001:db8::1", 1)) == group_of(("2001:db8::ffff:2%eth0", 2)) != group_of(("2001:db8:0:1::1", 1))
    assert group_of(("192.0.2.1", 1)) != group_of(("192.0.2.2", 1))
    assert group_of(None) == ""
