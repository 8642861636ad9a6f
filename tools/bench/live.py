"""How soon somebody sees the door, and what it costs the controller while they do."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from nacl.signing import SigningKey

from agent.clock import SystemClock
from agent.core.live import FaceBox, Sight
from agent.core.messages import Observation
from agent.errors import DoorwardError
from agent.link.session import Address
from agent.media.picture import conceal, cut
from agent.media.veil import NOBODY, Veil
from agent.shared_view import ViewReader, ViewWriter
from central.database.engine import open_database, sqlite_url
from central.database.migrate import upgrade
from central.gateway.asking import Caller
from central.gateway.audit import AuditLog
from central.live.clips import ClipDesk
from central.live.desk import LiveDesk
from central.live.endpoints import endpoints
from central.settings import Live
from demo.stage import DOOR, SITE, Stage, StageOptions
from tools.bench.figures import Figure, Section, Setting, median, percentile
from tools.bench.footprint import _cpu_s, _pid, _status_mb
from tools.bench.live_page import Page
from tools.bench.site import cast, film_of_owner, site

SESSIONS = 40
COST_S = 12.0
COPIES = 400
FIRST_MS = 1000.0
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--use-fake-device-for-media-stream",
             "--use-fake-ui-for-media-stream"]  # fmt: skip
WATCH = f"""async () => {{
    const live = await watchDoor("{SITE}", "{DOOR}", "measuring", document.querySelector("video"));
    window.live = live;
    return [live.firstMs, live.session];
}}"""
LEAVE = """async () => { live.peer.close(); await fetch("/api/live/" + live.session, { method: "DELETE" }); }"""


def live(setting: Setting) -> Section:
    """Chromium watches a real door through a real Mosquitto; then a look at /proc while nobody, one and two watch."""
    people, options = cast(setting), StageOptions(mosquitto=True)
    with site(setting, "live", options, people) as stage:
        stage.show(film_of_owner(people, options, setting.seed))
        stage.start()
        stage.wait_until_guarding(30.0)
        vp8, firsts, memory = _watched(setting, stage, "vp8", setting.repeats(SESSIONS))
        h264, _, _ = _watched(setting, stage, "h264", 0)
    writing = [
        _writing_us(setting.folder / f"view-{size[0]}", size, setting.repeats(COPIES)) for size in ((640, 480), (1280, 720))
    ]
    return Section(
        name="live", title="Live view",
        how="`doorward media` beside door and vision, which sees the owner at 640x480, 15 frames a second; 12 a second are sent. "
            f"Chromium asks the centre's live room {len(firsts)} times, through Mosquitto on loopback; counted from the page's first "
            "line to the first picture on its screen (requestVideoFrameCallback). Core shares are read from /proc; Chromium decodes "
            "on the same cores.",
        figures=(
            Figure(what="first picture, median", value=median(firsts), unit="ms"),
            Figure(what="first picture, 95 of 100", value=percentile(firsts, 0.95), unit="ms", most=FIRST_MS),
            Figure(what="first picture, slowest", value=max(firsts), unit="ms"),
            *(Figure(what=what, value=value, unit="% of a core") for what, value in (*vp8, *_of_media(h264))),
            Figure(what="media: resident (VmRSS) with two viewers", value=memory, unit="MB"),
            Figure(what="vision: to hand on a frame of 640x480", value=writing[0][0], unit="us"),
            Figure(what="vision: to hand on a frame of 1280x720", value=writing[1][0], unit="us"),
            Figure(what="vision: to see that nobody wants it", value=writing[0][1], unit="us"),
            Figure(what="media: to hide two faces and cut a window, 640x480", value=_hiding_us(setting.repeats(COPIES)), unit="us"),
        ),
        samples={"first picture": tuple(firsts)},
    )  # fmt: skip


def _of_media(shares: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Vision does not care how media encodes."""
    return [(what, value) for what, value in shares if what.startswith("media")]


def _watched(setting: Setting, stage: Stage, codec: str, sessions: int) -> tuple[list[tuple[str, float]], list[float], float]:
    """Core shares by viewers, the times to a first picture, and media's memory."""
    from playwright.sync_api import sync_playwright

    with _media(stage, codec) as pid, _page(setting, stage, codec) as page, sync_playwright() as playwright:
        shares = (
            [(f"{name}, nobody watches", share) for name, share in _shares(stage, pid, setting).items()] if codec == "vp8" else []
        )
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        tab = chromium.new_page()
        firsts = [_one_look(tab, page.url) for _ in range(sessions)]
        tabs = []
        for words in ("one watches", "two watch"):
            tabs.append(chromium.new_page())
            tabs[-1].goto(page.url)
            tabs[-1].evaluate(WATCH)
            setting.say(f"  {codec}: {words}")
            shares += [(f"{name}, {codec}, {words}", share) for name, share in _shares(stage, pid, setting).items()]
        memory = _status_mb(pid, "VmRSS")
        for each in tabs:
            each.evaluate(LEAVE)
        chromium.close()
    return shares, firsts, memory


def _one_look(tab: Any, url: str) -> float:
    tab.goto(url)
    first_ms, _ = tab.evaluate(WATCH)
    tab.evaluate(LEAVE)
    return float(first_ms)


@contextlib.contextmanager
def _media(stage: Stage, codec: str) -> Iterator[int]:
    config = stage.folder / f"media-{codec}.toml"
    config.write_text(stage.config.read_text("utf-8") + f'\n[live]\ncodec = "{codec}"\n', "utf-8")
    log = stage.folder / f"media-{codec}.log"
    with log.open("wb") as file:
        program = subprocess.Popen(
            [sys.executable, "-m", "agent.cli", "media", "--config", str(config)], stdout=file, stderr=file
        )
    try:
        stage.wait(lambda: "link connected" in log.read_text("utf-8"), 20.0, "media does not start")
        yield program.pid
    finally:
        program.terminate()
        program.wait(10)


@contextlib.contextmanager
def _page(setting: Setting, stage: Stage, codec: str) -> Iterator[Page]:
    engine, clock = open_database(sqlite_url(setting.folder / f"live-{codec}.db")), SystemClock()
    upgrade(engine)
    audit, address = AuditLog(engine, clock), Address(port=stage.port)
    desk = LiveDesk(engine, Live(), address, clock, audit)
    page = Page(endpoints(desk, ClipDesk(engine, Live(), address, clock, audit, SigningKey.generate())), Caller("bench", "guard"))
    desk.start()
    try:
        stage.wait(lambda: desk.is_connected, 20.0, "the centre does not reach the broker")
        yield page
    finally:
        page.close()
        desk.stop()
        engine.dispose()


def _shares(stage: Stage, media: int, setting: Setting) -> dict[str, float]:
    """Percent of a core that media and vision take."""
    pids = {"media": media, "vision": _pid(stage, "vision")}
    before, began_s = {name: _cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(COST_S / (4 if setting.quick else 1))
    passed_s = time.monotonic() - began_s
    return {name: 100 * (_cpu_s(pid) - before[name]) / passed_s for name, pid in pids.items()}


def _writing_us(folder: Path, size_px: tuple[int, int], count: int) -> tuple[float, float]:
    """Microseconds for a frame that is wanted, and for one that is not; medians."""
    folder.mkdir()
    writer, reader = ViewWriter(folder), ViewReader(folder)
    pixels = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    seen = Observation(frame=0, taken_s=0.0, frame_px=size_px, faces=(), embedder_id="", engine="", chain_ms=0.0)

    def once() -> float:
        began = time.perf_counter()
        now_s = time.monotonic()
        writer.show(pixels, now_s, seen, None, now_s)
        return (time.perf_counter() - began) * 1e6

    unwanted = median([once() for _ in range(count)])
    reader.want(time.monotonic() + 9.0)
    wanted = median([once() for _ in range(count)])
    if reader.read() is None:
        raise DoorwardError("no frame was handed on")
    writer.close()
    reader.close()
    return wanted, unwanted


def _hiding_us(count: int) -> float:
    pixels = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    faces = (FaceBox(1, (100.0, 100.0, 90.0, 90.0)), FaceBox(2, (400.0, 100.0, 90.0, 90.0)))
    veil, times = Veil(), []
    for number in range(count):
        began = time.perf_counter()
        mine = pixels.copy()
        conceal(mine, veil.over(Sight(taken_s=number / 15, frame_px=(640, 480), faces=faces), NOBODY))
        cut(mine, (80, 60, 480, 360), (640, 480))
        times.append((time.perf_counter() - began) * 1e6)
    return median(times)
