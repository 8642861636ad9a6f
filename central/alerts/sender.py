"""The outbox at work: what is to be sent goes out, again and again until a service has taken it or it is of no use any more.

At least once: a kill between sending and writing that down sends again, and the browser shows the second under the same tag. One service that
hangs holds up nobody else: each has a few places of its own among the threads.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Connection, Engine

from agent.clock import Clock
from central.alerts import store
from central.alerts.options import Options
from central.alerts.push import TTL_S, Answer, PushClient, fault_of_endpoint
from central.alerts.severity import Severity
from central.alerts.store import Delivery, Device
from central.alerts.vapid import Vapid
from central.alerts.wording import Push, encoded, plain
from central.database.engine import StoreError, reading, writing

log = logging.getLogger(__name__)

THREADS, LANE = 8, 3
"""So many are sent at once, of them so many by one service."""
LONGEST_PAUSE_S = 300.0
PAGE = 500


class Sender:
    """`start`, `wake`, `stop`."""

    def __init__(self, engine: Engine, clock: Clock, vapid: Vapid, options: Options, base_url: str = "") -> None:
        self._engine, self._clock, self._vapid, self._options, self._base_url = engine, clock, vapid, options, base_url
        self._bell, self._lock, self._local = threading.Event(), threading.Lock(), threading.local()
        self._busy: dict[int, str] = {}
        """Deliveries under way, and by which service."""
        self._stopping = False
        self._pool: Executor = ThreadPoolExecutor(THREADS, thread_name_prefix="alert-sender")
        self._thread = threading.Thread(target=self._run, name="alert-outbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._bell.set()

    def stop(self, timeout_s: float = 5.0) -> None:
        """What is under way may end; what is not sent by then is sent after the next start."""
        self._stopping = True
        self._bell.set()
        self._thread.join(timeout_s)
        self._pool.shutdown(wait=False, cancel_futures=True)

    # -- the outbox's thread -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping:
            self._bell.wait(wait_s)
            self._bell.clear()
            try:
                wait_s = self._hand_out()
            except Exception:
                log.exception("alerts outbox")
                wait_s = 5.0

    def _hand_out(self) -> float:
        """Returns how long there is nothing to do."""
        if self._stopping:
            return 0.0
        now = self._clock.wall()
        with self._lock:
            busy = set(self._busy)
        with reading(self._engine) as db:
            rows = store.waiting(db, now, PAGE, busy)
            devices = {each.id: each for each in store.devices(db)} if rows else {}
            later = store.next_delivery(db)
        for delivery in rows:
            self._hand_to_pool(delivery, devices.get(delivery.subscription or 0))
        return 1.0 if later is None else min(1.0, max(0.05, (later - now).total_seconds()))

    def _hand_to_pool(self, delivery: Delivery, device: Device | None) -> None:
        service = delivery.target or (urlsplit(device.endpoint).netloc if device else "gone")
        with self._lock:
            if list(self._busy.values()).count(service) >= LANE:
                return
            self._busy[delivery.id] = service
        self._pool.submit(self._deliver, delivery, device)

    # -- threads of the pool -----------------------------------------------------------------------------------------------------

    def _deliver(self, delivery: Delivery, device: Device | None) -> None:
        try:
            self._finish(delivery, device, self._answer(delivery, device))
        except StoreError as error:
            log.error("alerts delivery=%d not written down, it is sent again: %s", delivery.id, error)
        except Exception:
            log.exception("alerts delivery=%d", delivery.id)
            self._finish(delivery, device, Answer(result="again", sentence="a fault of the centre; see its log"))
        finally:
            with self._lock:
                self._busy.pop(delivery.id, None)
            self._bell.set()

    def _answer(self, delivery: Delivery, device: Device | None) -> Answer:
        if self._clock.wall() - delivery.made > timedelta(seconds=TTL_S.get(delivery.severity, 600)):
            return Answer(result="refused", sentence="it could not be sent in time")
        if delivery.target:
            return self._by_apprise(delivery)
        if device is None:
            return Answer(result="refused", sentence="the device is no longer on the list")
        return self.push(device, msgspec.convert(delivery.payload, Push), msgspec.convert(delivery.severity, Severity))

    def push(self, device: Device, push: Push, severity: Severity) -> Answer:
        """To one device, now. Of any thread."""
        if fault := fault_of_endpoint(device.endpoint, self._options.hosts, self._options.loopback):
            return Answer(result="refused", sentence=fault)
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = PushClient(self._vapid)
        answer: Answer = client.send(device.endpoint, device.p256dh, device.auth, encoded(push), severity, push.tag)
        return answer

    def _by_apprise(self, delivery: Delivery) -> Answer:
        url = self._options.addresses.get(delivery.target)
        if url is None:
            return Answer(result="refused", sentence="this address is no longer in the settings")
        return by_apprise(url, *plain(delivery.payload, self._base_url))

    def _finish(self, delivery: Delivery, device: Device | None, answer: Answer) -> None:
        now, attempts = self._clock.wall(), delivery.attempts + 1
        again = now + _pause(attempts, answer) if answer.result == "again" else None
        state = "sent" if answer.result == "sent" else "waiting" if again else "failed"
        with writing(self._engine) as db:
            store.finish(db, delivery.id, state, answer.sentence, attempts, now, again)
            if device is not None:
                settle(db, device, answer, now)
        if answer.result != "sent":
            log.warning("alerts delivery=%d account=%s attempt=%d: %s", delivery.id, delivery.account, attempts, answer.sentence)


def settle(db: Connection, device: Device, answer: Answer, now: datetime) -> None:
    """What a service said is kept with the device; one that is gone is dropped."""
    if answer.result == "gone":
        store.drop_devices(db, [device.id])
    else:
        store.device_answered(db, device.id, answer.sentence, now)


def by_apprise(url: str, title: str, body: str) -> Answer:
    """Mail, messengers and the like. The address is never told: it may hold a password."""
    from apprise import Apprise  # a hundred services' modules: only where one is used

    told = Apprise()
    if not told.add(url):
        return Answer(result="refused", sentence="is no address that apprise knows")
    done = told.notify(title=title, body=body)
    return Answer(
        result="sent" if done else "again", sentence="the service has taken it" if done else "the service did not take it"
    )


def _pause(attempts: int, answer: Answer) -> timedelta:
    return timedelta(seconds=max(answer.retry_after_s, min(LONGEST_PAUSE_S, 2.0 ** min(attempts, 12))))
