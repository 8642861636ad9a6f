"""The handover report as people get it: on a telephone, and printed on A4. In a real Chromium, without a network."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.commission.handover_page import head_of
from agent.commission.sealed_page import sealed
from agent.selftest.names import NAMES
from agent.selftest.result import Fault, Result
from tests.browser.house import chromium
from tests.commission.test_report import DOOR, told

pytestmark = pytest.mark.system

WORST = Fault(what="/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K5VXQ-if00-port0 does not answer: it says nothing at any of its baud rates",
              likely="A and B are swapped", mend="`ls -l /dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K5VXQ-if00-port0`")  # fmt: skip


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A door with everything, two faults with names that cannot be broken, and both pictures."""
    results = [
        Result(step=name, title=name.capitalize(), status="ok", said="as it should be", measured={"wire": "pin 23"})
        for name in NAMES
    ]
    results[0] = Result(step="reader", title="Reader 'gate'", status="fault", faults=(WORST, WORST))
    made = told(*results)
    pictures = {name: bytes(cv2.imencode(".jpg", np.full((720, 1280, 3), 90, np.uint8))[1]) for name in ("camera", "floor")}
    file = tmp_path / "report.html"
    file.write_bytes(sealed(head_of(made, pictures), made, DOOR))
    return file


def test_it_fits_a_telephone_prints_on_a_few_pages_and_asks_nobody_for_anything(page):
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 360, "height": 740})
        asked, complaints = [], []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.goto(page.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") == 360
        assert tab.evaluate("[...document.images].every(image => image.naturalWidth === 1280)")
        assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]
        assert complaints == []
        assert tab.locator("h1").inner_text() == "Front <b>door</b>"
        printed = tab.pdf(prefer_css_page_size=True, print_background=True)
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 6
