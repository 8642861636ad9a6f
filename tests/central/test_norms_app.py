"""The command of the centre that keeps norms: what it is told, and one day of it over a real broker."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.behaviour.sketch import Sketch
from agent.config import parse_config
from agent.core.norm_keys import norm_key
from agent.core.norms_word import DoorNorms, VisionWord
from agent.errors import ConfigError
from agent.link.mqtt import Link
from agent.norms_file import EXPORT, FOLDER, WORD
from agent.records.keys import centre_public, make_centre_keys
from agent.records.norms_post import NormsPost
from central.norms_app import Withdrawn, doors_alike
from central.norms_store import DoorKey, NormsStore
from tests.system.brokers import free_port


def test_doors_alike_are_named_by_kind() -> None:
    assert doors_alike(["office=hq/front,hq/side", "dock=hq/back"]) == {
        DoorKey("hq", "front"): "office", DoorKey("hq", "side"): "office", DoorKey("hq", "back"): "dock",
    }  # fmt: skip


@pytest.mark.parametrize(
    "told", ["office", "office=", "=hq/front", "office=front", "office=hq/", "office=hq/front,", "a=hq/front,hq/front"]
)
def test_what_names_no_doors_is_refused(told: str) -> None:
    with pytest.raises(ConfigError, match="allowed: KIND=SITE/DOOR"):
        doors_alike([told])


def test_who_has_withdrawn_is_read_anew_and_never_forgotten_for_want_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "withdrawn"
    path.write_text("a\n\n b \n")
    withdrawn = Withdrawn(path)
    assert withdrawn() == ("a", "b")
    path.write_text("a\nb\nc\n")
    assert withdrawn() == ("a", "b", "c")
    path.unlink()
    assert withdrawn() == ("a", "b", "c")
    assert Withdrawn(None)() == ()


class NoEvents:
    """A journal in which nothing happens."""

    def pending(self, after: int = 0, limit: int = 100) -> list[Any]:
        return []

    def acknowledge(self, ranges: Any, journal: str | None = None) -> None:
        """Nothing was sent."""

    def listen(self, listener: Callable[[], None]) -> None:
        """Nothing will ring."""


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.mark.system
def test_a_doors_counts_reach_the_centre_and_its_word_reaches_vision_over_a_real_broker(tmp_path: Path) -> None:
    port, (key, public) = free_port(), make_centre_keys(tmp_path)
    database, withdrawn = tmp_path / "norms.db", tmp_path / "withdrawn"
    withdrawn.write_text("")
    run = [sys.executable, "-m", "agent.cli", "central"]
    programs = [subprocess.Popen([*run, "broker", "--port", str(port)]),
                subprocess.Popen([*run, "norms", "--port", str(port), "--database", str(database), "--key", str(key),
                                  "--alike", "office=hq/front", "--withdrawn", str(withdrawn)])]  # fmt: skip
    counted = Sketch.of_unit("s")
    counted.add(7.0, 300.0)
    told = DoorNorms(
        made=datetime.now(timezone.utc),
        place="p",
        visits=300,
        kinds=msgspec.Raw(msgspec.json.encode({"dwell": counted.encode()})),
    )
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / EXPORT).write_bytes(msgspec.json.encode(told))
    refused: list[str] = []
    link = Link(parse_config({"site": "hq", "door": "front", "link": {"port": port}}), NoEvents(), lambda _: None)
    post = NormsPost(tmp_path, "hq", "front", centre_public(public), b"d" * 32, link.publish_state, refused.append)
    link.listen_for_norms(post.received)
    try:
        link.start()
        post.start()
        until(lambda: database.exists() and bool(NormsStore(database).doors()))
        withdrawn.write_text("cardholder-17\n")
        word = tmp_path / FOLDER / WORD
        until(lambda: word.exists() and msgspec.json.decode(word.read_bytes(), type=VisionWord).forget != ())
        got = msgspec.json.decode(word.read_bytes(), type=VisionWord)
        assert got.forget == (norm_key(b"d" * 32, "cardholder-17"),)
        assert b"dwell" in bytes(got.kinds)
        assert refused == []
    finally:
        post.stop()
        link.close()
        for program in reversed(programs):
            program.send_signal(signal.SIGTERM)
            program.wait(10)
