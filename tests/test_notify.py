"""Words to the supervisor: heard when it listens, never in the way when it does not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.notify import notify


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield listening


def test_the_supervisor_hears_the_words(supervisor):
    notify("READY=1")
    notify("WATCHDOG=1")
    assert [supervisor.recv(100), supervisor.recv(100)] == [b"READY=1", b"WATCHDOG=1"]


def test_an_abstract_socket_serves_too(monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # the kernel picks an abstract name
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + listening.getsockname()[1:].decode())
        notify("STOPPING=1")
        listening.settimeout(5)
        assert listening.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("words", [None, ""])
def test_without_a_supervisor_the_words_go_nowhere(monkeypatch, caplog, words):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if words is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", words)
    notify("READY=1")
    assert caplog.text == ""


@pytest.mark.parametrize("path", ["/nowhere/notify", "/" + "x" * 200])
def test_an_unreachable_supervisor_is_logged_and_stops_nothing(monkeypatch, caplog, path):
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    notify("READY=1")
    assert "supervisor unreachable" in caplog.text


@pytest.mark.timeout(20)
def test_a_supervisor_that_does_not_read_never_holds_the_door(supervisor, caplog):
    for _ in range(2000):
        notify("WATCHDOG=1")
    assert "supervisor unreachable" in caplog.text
    assert supervisor.recv(100) == b"WATCHDOG=1"
