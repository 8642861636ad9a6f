"""The guided tour of `make demo`: somebody comes with a stolen fob, and a guard in a browser sees it, sees them, and decides."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.house import chromium, sign_in
from tests.system.brokers import wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


class Tour:
    """`doorward demo --dashboard` at a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "tour.log"
        self._keys, terminal = pty.openpty()
        command = [sys.executable, "-m", "agent.cli", "demo", "--dashboard", "--headless", "--out", str(folder / "out")]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=terminal, stdout=log, stderr=log)
        os.close(terminal)

    @property
    def said(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def press_enter(self) -> None:
        os.write(self._keys, b"\n")

    def end(self) -> int:
        """Ctrl-D where it asks: nobody wants it once more."""
        os.write(self._keys, b"\x04")
        return self._process.wait(60)

    def kill(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        os.close(self._keys)


@pytest.fixture
def tour(tmp_path: Path) -> Iterator[Tour]:
    begun = Tour(tmp_path)
    yield begun
    begun.kill()


def test_a_guard_sees_the_stolen_fob_and_who_holds_it_and_refuses(tour: Tour) -> None:
    wait_until(lambda: "Press Enter" in tour.said, 90, "the tour did not begin")
    (url,) = set(re.findall(r"http://127\.0\.0\.1:\d+", tour.said))
    password = re.findall(r"Password: (\S+)", tour.said)[0]
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        sign_in(page, url, "guard", password)
        tour.press_enter()
        page.goto(f"{url}/#/alerts")
        alert = page.get_by_role("region", name="Open alerts").get_by_role("link", name=re.compile("Another face")).first
        expect(alert).to_be_visible(timeout=90_000)
        alert.click()
        expect(page.get_by_text(re.compile("face is not the cardholder")).first).to_be_visible(timeout=30_000)
        expect(page.get_by_text("escalated")).to_have_count(0)
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_text(re.compile("acknowledged by guard|closed by guard"))).to_be_visible()
        assert "You refused" not in tour.said, "they stay for as long as the guard looks"
        page.get_by_role("button", name="Refuse").click()
        wait_until(lambda: "You refused: they go." in tour.said, 30, "they did not go")
        expect(page.get_by_role("list", name="Commands given here").get_by_text("done, says the door")).to_be_visible()
        page.close()
    wait_until(lambda: "once more" in tour.said, 90, "the stories did not end")
    assert tour.end() == 0, tour.said
