"""Whether alerts arrive at somebody's devices: a push to each, now, and what its service says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import urlsplit

from msgspec import Struct
from sqlalchemy import Engine

from central.alerts import store
from central.alerts.push import Answer
from central.alerts.sender import Sender, settle
from central.alerts.store import Device
from central.alerts.wording import trial
from central.database.engine import reading, writing


class Tried(Struct, frozen=True, kw_only=True):
    """What a push service answered to a test."""

    device: str
    service: str
    ok: bool
    status: int
    sentence: str


def try_devices(engine: Engine, sender: Sender, account: str, now: datetime) -> list[Tried]:
    """A push to each device of an account, and what its service answered. One that has gone is dropped."""
    with reading(engine) as db:
        devices = store.devices(db, [account])
    if not devices:
        return []
    with ThreadPoolExecutor(min(8, len(devices))) as pool:
        answers = list(pool.map(lambda device: sender.push(device, trial(now), "high"), devices))
    with writing(engine) as db:
        for device, answer in zip(devices, answers, strict=True):
            settle(db, device, answer, now)
    return [_tried(device, answer) for device, answer in zip(devices, answers, strict=True)]


def _tried(device: Device, answer: Answer) -> Tried:
    return Tried(device=device.device or f"device {device.id}", service=urlsplit(device.endpoint).hostname or "", ok=answer.result == "sent",
                 status=answer.status, sentence=answer.sentence)  # fmt: skip
