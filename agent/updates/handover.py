"""Programs and systems: what the door program hands on to root's helper, and what that says of it.

    updates/ready/KIND/bundle     the package's content: a bundle of `make bundle`, or of RAUC
    updates/ready/KIND/head       what the order names by its hash: the hashes of the bundle's parts
    updates/ready/KIND/order      the centre's signed order, as it came
    RESULTS/KIND.json             what became of it; written by root, read by the door program

The folder is moved there whole, so root's helper, which is woken by `order`, never finds half of it. It believes nothing of it: order,
signature and sums are looked at again (root_helper.py).
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.files import sync_folder, write_whole
from agent.updates.package import Kind

log = logging.getLogger(__name__)

RESULTS = Path("/var/lib/doorward-update/results")
READY, BUNDLE, HEAD, ORDER = "ready", "bundle", "head", "order"
MOST_BYTES = 16 << 10


class Result(Struct, frozen=True, kw_only=True):
    """What became of an order about a program or a system."""

    kind: Annotated[str, Meta(max_length=20)]
    serial: int
    number: int
    version: Annotated[str, Meta(max_length=60)]
    ok: bool
    sentence: Annotated[str, Meta(max_length=2000)]


_RESULT = msgspec.json.Decoder(Result)


def hand_on(folder: Path, kind: Kind, content: Path, head: Path, order: bytes) -> None:
    """`content` and `head` are moved. Raises OSError."""
    ready = folder / READY
    fresh = ready / f".{kind}.part"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700, parents=True)
    write_whole(fresh / ORDER, order)
    os.replace(content, fresh / BUNDLE)
    os.replace(head, fresh / HEAD)
    sync_folder(fresh)
    shutil.rmtree(ready / kind, ignore_errors=True)  # an older one that root's helper never came to
    os.replace(fresh, ready / kind)
    sync_folder(ready)


def result_of(results: Path, kind: Kind) -> Result | None:
    """What root's helper said last."""
    try:
        return _RESULT.decode((results / f"{kind}.json").read_bytes()[:MOST_BYTES])
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.error("update result kind=%s unreadable error=%s", kind, error)
        return None
