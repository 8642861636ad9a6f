"""The site's doors are files that anybody may read, one for each door."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

from agent.errors import ConfigError
from central.site.registry import DoorEntry, DoorRegistry

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)


def entry(door: str, name: str = "") -> DoorEntry:
    return DoorEntry(site="hq", door=door, name=name, public_key=bytes(range(32)))


def test_a_door_that_was_put_is_found_by_another_reader_of_the_same_folder(tmp_path: Path) -> None:
    DoorRegistry(tmp_path).put(entry("front", "Front door"), NOW)
    assert DoorRegistry(tmp_path).door("hq", "front") == entry("front", "Front door")


def test_a_door_without_a_name_is_called_by_its_place(tmp_path: Path) -> None:
    registry = DoorRegistry(tmp_path)
    registry.put(entry("front"), NOW)
    assert [door.name for door in registry.doors()] == ["hq/front"]


def test_doors_come_in_order_and_a_removed_one_is_gone(tmp_path: Path) -> None:
    registry = DoorRegistry(tmp_path)
    for door in ("side", "front", "back"):
        registry.put(entry(door), NOW)
    assert registry.remove("hq", "front")
    assert not registry.remove("hq", "front")
    assert [door.door for door in registry.doors()] == ["back", "side"]


def test_the_centre_reads_them_under_its_own_account_whoever_enrolled(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        DoorRegistry(tmp_path).put(entry("front"), NOW)
    finally:
        os.umask(before)
    assert [(tmp_path / path).stat().st_mode & 0o777 for path in ("doors", "doors/hq", "doors/hq/front.json")] == [
        0o755,
        0o755,
        0o644,
    ]


def test_a_site_without_doors_has_none(tmp_path: Path) -> None:
    assert DoorRegistry(tmp_path).doors() == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "Front", "x" * 41, "centre", "broker-check"])
def test_a_name_that_can_be_no_topic_level_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="door"):
        DoorRegistry(tmp_path).put(entry(name), NOW)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("text", ["", "{}", '{"site":"hq","door":"side","public_key":"00"}'])
def test_a_file_that_is_no_door_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "doors" / "hq").mkdir(parents=True)
    (tmp_path / "doors" / "hq" / "side.json").write_text(text)
    with pytest.raises(ConfigError, match=r"side\.json"):
        DoorRegistry(tmp_path).doors()


def test_a_file_of_another_door_is_not_believed(tmp_path: Path) -> None:
    registry = DoorRegistry(tmp_path)
    registry.put(entry("front"), NOW)
    (tmp_path / "doors/hq/front.json").rename(tmp_path / "doors/hq/back.json")
    with pytest.raises(ConfigError, match="hq/front"):
        registry.doors()
