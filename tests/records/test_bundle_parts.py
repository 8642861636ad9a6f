"""Parts that lie beside a bundle's start: a small change writes little, and what is spoilt, old or nobody's lets nobody in."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import BundleError
from agent.records.bundle import keep, last_good, take_bundle
from agent.records.bundle_fetch import BundleFetch
from agent.records.bundle_file import Bundle, Unfinished, read_bundle
from agent.records.bundle_parts import MOST_SINGLY, PartsFolder, digest_of, parts_beside
from tests.records.bundles import KEYS, NOW, crowd, fob_of, read, rules, write
from tests.records.test_bundle_fetch import MANY, Sender, fetched


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A door's bundle that came in parts."""
    path = tmp_path / "access.bundle"
    come(path, 7, MANY)
    return path


def come(path: Path, version: int, number: int, held: Bundle | None = None) -> Bundle:
    """A bundle of so many people comes to this door, which keeps its copy. Only what `held` does not have is sent."""
    made = path.parent.parent / f"{path.parent.name}-centre"
    write(made, rules(version=version), crowd(number, faces=1))
    sender, fetch = Sender(made), BundleFetch(path, KEYS)
    fetch.aim(sender.bulk, version - 1, held.held if held is not None else {})
    fetched(fetch, sender, version - 1, held.held if held is not None else {})
    got = read_bundle(path, KEYS, before=held)
    keep(got, last_good(path))
    fetch.done("", got.held)
    return got


def written(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(file.relative_to(folder)): (file.stat().st_ino, file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_one_more_fob_writes_a_start_and_a_part_and_their_copies_and_nothing_else(path: Path) -> None:
    before, held = written(path.parent), read(path)
    come(path, 8, MANY + 1, held)
    after = written(path.parent)
    fresh = {name for name, when in after.items() if before.get(name) != when}
    assert len(held.parts) >= 4
    assert sorted(Path(name).parent.name for name in fresh if "parts" in name) == [
        "access.bundle.good.parts",
        "access.bundle.parts",
    ]
    assert {name for name in fresh if "parts" not in name} == {"access.bundle", "access.bundle.good"}
    assert len(before) == len(after)  # nothing of the old one is left
    assert read(path).rules.people.find(fob_of(MANY)) is not None


def test_a_part_that_is_spoilt_or_lost_is_made_up_for_by_the_copy(path: Path) -> None:
    for spoil in (lambda file: file.write_bytes(bytes(file.stat().st_size)), lambda file: file.unlink()):
        spoil(next(parts_beside(path).iterdir()))
        with pytest.raises(Unfinished, match="does not lie in"):
            read(path)
        taken = take_bundle(path, KEYS, NOW)
        assert taken.bundle is not None
        assert "or is damaged" in taken.refused
        assert taken.bundle.rules.people.find(fob_of(3)) is not None
        come(path, taken.bundle.rules.version + 1, MANY, taken.bundle)  # and the next one mends it
        assert read(path).rules.people.find(fob_of(3)) is not None


def test_a_copy_whose_part_was_spoilt_is_written_anew(path: Path) -> None:
    part = next(parts_beside(last_good(path)).iterdir())
    part.write_bytes(b"rubbish")
    keep(read(path), last_good(path))
    assert read(last_good(path)).rules.version == 7


def test_a_start_alone_is_no_bundle(path: Path, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere"
    alone.write_bytes(path.read_bytes())
    with pytest.raises(Unfinished, match=r"elsewhere\.parts"):
        read(alone)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match="within its head"):
        read(path)


def test_a_bundle_that_somebody_carries_here_leaves_no_parts_of_the_one_before(path: Path) -> None:
    write(path, rules(version=9), crowd(3))
    held = read(path)
    keep(held, last_good(path))
    BundleFetch(path, KEYS).tidy(held.held)
    assert [*parts_beside(path).iterdir()] == []
    assert len([*parts_beside(last_good(path)).iterdir()]) == 1
    assert read(last_good(path)).rules.version == 9


def test_only_whole_parts_count_and_many_are_brought_to_the_disk_at_once(tmp_path: Path) -> None:
    folder = PartsFolder(tmp_path / "b")
    parts = [bytes([n]) * 100 for n in range(MOST_SINGLY + 1)]
    for part in parts:
        folder.put(digest_of(part), part)
    folder.sync()
    assert {folder.read(digest_of(part), 100) for part in parts} == {*parts}
    assert folder.read(digest_of(parts[0]), 99) is None
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.path.iterdir())
    folder.keep_only([])
    assert not folder.path.exists()
