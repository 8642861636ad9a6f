"""How soon a guard or a manager sees doors: the real dashboard in a real browser, over a million events and 500 doors."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.clock import SystemClock
from agent.errors import DoorwardError
from agent.records.keys import make_centre_keys
from central.accounts_cli import ANCHOR
from central.centre import Centre
from central.database.opening import open_to_write
from central.gateway.accounts import Accounts
from central.gateway.audit import AuditLog
from central.gateway.passwords import seal_in
from central.history.events import EventStore
from central.settings import Broker, CentralConfig, Database, Gateway, Keys
from demo.stage import StageOptions
from tools.bench.figures import Figure, Section, Setting, median
from tools.bench.history import BATCH, BATCHES, DOORS, _events
from tools.bench.live import CHROMIUM
from tools.bench.site import site

LOADS = 15
USEFUL_MS = 1000.0
WAIT_S, BUILD_S = 120.0, 300.0
ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--no-first-run"]
STILL = {"lock": "secured", "contact": "closed", "alarm": "none", "mode": "Locked", "health": {}}
WATCH = """() => {
    const seen = (window.seen = { first: 0, all: 0, largest: 0 });
    new PerformanceObserver((list) => list.getEntries().forEach((each) => (seen.largest = each.startTime)))
        .observe({ type: "largest-contentful-paint", buffered: true });
    const look = () => {
        const now = document.querySelectorAll(".doorcard").length;
        if (now && !seen.first) seen.first = performance.now();
        if (now >= COUNT && !seen.all) seen.all = performance.now();
        if (!seen.all) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""
TOLD = """() => new Promise((done) => {
    const told = () => seen.all && seen.largest
        ? done([performance.getEntriesByName("first-contentful-paint")[0].startTime, seen.first, seen.all, seen.largest])
        : requestAnimationFrame(told);
    told();
})"""
READ = ("first contentful paint", "first doors drawn", f"all {DOORS} doors drawn", "largest contentful paint")


def paint(setting: Setting) -> Section:
    """Fill a database, start the whole centre over it, and open the dashboard again and again with nothing in the cache."""
    batches = setting.repeats(BATCHES)
    subprocess.run([str(ROOT / "tools" / "build_web.sh")], check=True, timeout=BUILD_S)
    folder = setting.folder / "paint"
    folder.mkdir()
    with site(setting, "paint-site", StageOptions(mosquitto=True)) as stage:
        stage.start("broker")
        password = _furnish(folder, setting.seed, batches)
        with _centre(folder, stage.port) as url, _doors(stage.port):
            samples = _loads(url, password, setting.repeats(LOADS))
    columns = dict(zip(READ, zip(*samples, strict=True), strict=True))
    return Section(
        name="paint", title="The dashboard's first picture",
        how=f"The whole centre over a database of {batches * BATCH} events and {DOORS} doors, each with its retained states at a real "
            f"Mosquitto; a manager who is signed in opens the address in Chromium on loopback, {len(samples)} times, each time with an "
            "empty cache and no service worker. Counted by the browser's own clock from the start of the navigation; doors as drawn are "
            "seen in the first animation frame that has them, one frame before they are on the glass. What matters is the first of them: "
            "what wants a look comes first.",
        figures=tuple(
            Figure(what=f"{what}, {word}", value=of(list(values)), unit="ms", most=USEFUL_MS if what == READ[1] else None)
            for what, values in columns.items() for word, of in _SUMS
        ),
        samples={"first doors drawn": tuple(columns[READ[1]])},
    )  # fmt: skip


_SUMS: tuple[tuple[str, Callable[[list[float]], float]], ...] = (("median", median), ("slowest", max))


def _furnish(folder: Path, seed: int, batches: int) -> str:
    """Events, keys and one manager, whose password comes back."""
    keys, password = folder / "keys", secrets.token_urlsafe(15)
    keys.mkdir(mode=0o700)
    make_centre_keys(keys)
    engine = open_to_write(folder / "central.db")
    try:
        store, events = EventStore(engine), _events(seed)
        for _ in range(batches):
            batch = list(islice(events, BATCH))
            store.commit(batch, [], batch[-1].event.at)
        audit = AuditLog(engine, SystemClock(), keys / ANCHOR)
        Accounts(engine, SystemClock(), audit, seal_in(keys)).add("bench", "manager", "manager", password)
    finally:
        engine.dispose()
    return password


@contextlib.contextmanager
def _centre(folder: Path, port: int) -> Iterator[str]:
    state = folder / "state"
    state.mkdir(mode=0o700)
    config = CentralConfig(site="site-0", broker=Broker(port=port), database=Database(url=f"sqlite:///{folder / 'central.db'}"),
                           gateway=Gateway(port=0), keys=Keys(folder=str(folder / "keys")))  # fmt: skip
    centre = Centre(config, state, SystemClock())
    centre.start()
    try:
        yield centre.url
    finally:
        centre.stop()


@contextlib.contextmanager
def _doors(port: int) -> Iterator[None]:
    """What each door has said of itself, retained; they stay connected."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        for number in range(DOORS):
            base = f"doorward/site-{number // 100}/door-{number}"
            client.publish(f"{base}/online", b"true", qos=1, retain=True)
            for state, value in STILL.items():
                told = {"value": value, "at": "2026-03-02T08:30:00Z"}
                last = client.publish(f"{base}/state/{state}", msgspec.json.encode(told), qos=1, retain=True)
        last.wait_for_publish(WAIT_S)
        yield
    finally:
        client.disconnect()
        client.loop_stop()


def _loads(url: str, password: str, count: int) -> list[tuple[float, ...]]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            cookies = _signed_in(chromium, url, password)
            _load(chromium, url, cookies)  # the first start of Chromium itself is not the dashboard's
            return [_load(chromium, url, cookies) for _ in range(count)]
        finally:
            chromium.close()


def _signed_in(chromium: Any, url: str, password: str) -> Any:
    """Once all doors are there."""
    context = chromium.new_context()
    told = {"account": "manager", "password": password}
    if not context.request.post(f"{url}/api/session", data=told, headers={"origin": url}).ok:
        raise DoorwardError("paint: nobody could sign in")
    until_s = time.monotonic() + WAIT_S
    while sum(each["online"] for each in context.request.get(f"{url}/api/doors").json()) < DOORS:
        if time.monotonic() > until_s:
            raise DoorwardError(f"paint: not all doors were heard within {WAIT_S:g} s")
        time.sleep(0.2)
    cookies = context.storage_state()
    context.close()
    return cookies


def _load(chromium: Any, url: str, cookies: Any) -> tuple[float, ...]:
    """A browser's profile of its own: nothing is in its cache."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860}, storage_state=cookies, service_workers="block")
    try:
        page = context.new_page()
        page.add_init_script(f"({WATCH.replace('COUNT', str(DOORS))})()")
        page.goto(f"{url}/#/doors", wait_until="commit")
        return tuple(float(each) for each in page.evaluate(TOLD))
    finally:
        context.close()
