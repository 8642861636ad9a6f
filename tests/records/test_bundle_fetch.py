"""A bundle that comes in pieces: whatever is lost, repeated, spoilt or cut off on the way, a door ends with the bundle, or with none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import BundleError
from agent.records.access_offer import Bulk
from agent.records.bundle_fetch import BundleFetch
from agent.records.bundle_file import Bundle, head_of, read_bundle
from agent.records.bundle_parts import digest_of
from agent.records.bundle_pieces import ASK_AGAIN_S, PIECE_BYTES, WINDOW, Pieces, name_of, pieces_in
from tests.records.bundles import KEYS, crowd, read, rules, write

MANY = 1200
"""Cardholders with a face each: some 400 kB, so several parts."""


class Sender:
    """The centre's end: every piece of a bundle by its name."""

    def __init__(self, path: Path) -> None:
        self.bundle: Bundle = read(path)
        self.items = {digest_of(whole): whole for whole in self.bundle.chunks()}
        start = self.bundle.start
        self.bulk = Bulk(version=self.bundle.rules.version, start_digest=digest_of(start), start_length=len(start),
                         parts=len(self.bundle.parts), size=sum(map(len, self.items.values())))  # fmt: skip

    def piece(self, name: str) -> bytes:
        digest, number = name.split("/")
        at = int(number) * PIECE_BYTES
        return self.items[bytes.fromhex(digest)][at : at + PIECE_BYTES]


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Sender:
    path = tmp_path_factory.mktemp("centre") / "b"
    write(path, rules(version=7), crowd(MANY, faces=1))
    return Sender(path)


def fetched(fetch: BundleFetch, sender: Sender, in_force: int = 0, held: dict[bytes, bytes] | None = None) -> list[str]:
    """Answer whatever is asked until nothing is; returns what was asked for."""
    asked: list[str] = []
    while names := fetch.wanted(0.0):
        asked += names
        for name in names:
            fetch.took(name, sender.piece(name), 0.0, in_force, held or {})
    return asked


def test_a_bundle_is_fetched_whole_and_lies_where_the_door_looks_for_it(tmp_path: Path, sender: Sender) -> None:
    fetch = BundleFetch(tmp_path / "access.bundle", KEYS)
    assert not fetch.aim(sender.bulk, 0, {})
    asked = fetched(fetch, sender)
    assert len(asked) == len(set(asked)) == len(sender.items)
    bundle = read(tmp_path / "access.bundle")
    assert [*bundle.chunks()] == [*sender.bundle.chunks()]
    fetch.done("", bundle.held)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["access.bundle", "access.bundle.parts"]


def test_parts_that_the_door_has_are_not_asked_for(tmp_path: Path, sender: Sender) -> None:
    """One fob among many was withdrawn: the head and one part."""
    write(tmp_path / "old", rules(version=6), [*crowd(MANY - 1, faces=1)])
    held = read(tmp_path / "old").held
    fetch = BundleFetch(tmp_path / "access.bundle", KEYS)
    fetch.aim(sender.bulk, 6, held)
    assert len(fetched(fetch, sender, 6, held)) == 2
    assert read(tmp_path / "access.bundle").rules.version == 7


def test_a_bundle_that_is_not_newer_is_not_fetched(tmp_path: Path, sender: Sender) -> None:
    fetch = BundleFetch(tmp_path / "access.bundle", KEYS)
    for in_force in (7, 8):
        assert not fetch.aim(sender.bulk, in_force, {})
        assert fetch.wanted(0.0) == []


def test_a_head_that_somebody_else_signed_is_refused_before_a_part_is_asked_for(tmp_path: Path, sender: Sender) -> None:
    start = bytearray(sender.bundle.start)
    start[40] ^= 1
    bulk = Bulk(
        version=7,
        start_digest=digest_of(bytes(start)),
        start_length=len(start),
        parts=len(sender.bundle.parts),
        size=sender.bulk.size,
    )
    fetch = BundleFetch(tmp_path / "access.bundle", KEYS)
    fetch.aim(bulk, 0, {})
    (name,) = fetch.wanted(0.0)
    assert not fetch.took(name, bytes(start), 0.0, 0, {})
    assert "not signed by this site's centre" in fetch.refused
    assert fetch.wanted(1000.0) == []
    assert list(tmp_path.iterdir()) == []
    fetch.aim(bulk, 0, {})
    assert fetch.wanted(2000.0) == []  # nor again, until another one is offered
    fetch.aim(sender.bulk, 0, {})
    assert fetch.refused == ""
    assert fetched(fetch, sender)


@pytest.mark.parametrize("change", [{"version": 8}, {"parts": 1}, {"size": 5}])
def test_a_head_that_is_not_the_one_offered_is_refused(tmp_path: Path, sender: Sender, change: dict[str, int]) -> None:
    bulk = Bulk(**{**{field: getattr(sender.bulk, field) for field in Bulk.__struct_fields__}, **change})
    fetch = BundleFetch(tmp_path / "access.bundle", KEYS)
    fetch.aim(bulk, 0, {})
    fetched(fetch, sender)
    assert "offered were" in fetch.refused
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_told_and_what_is_offered_next_begins_anew(tmp_path: Path, sender: Sender) -> None:
    (tmp_path / ".access.bundle.coming").write_bytes(b"")  # a file where the folder is to be
    fetch = BundleFetch(tmp_path / "access.bundle", KEYS)
    fetch.aim(sender.bulk, 0, {})
    (name,) = fetch.wanted(0.0)
    with pytest.raises(OSError, match="coming"):
        fetch.took(name, sender.piece(name), 0.0, 0, {})
    fetch.drop()
    (tmp_path / ".access.bundle.coming").unlink()
    fetch.aim(sender.bulk, 0, {})
    fetched(fetch, sender)
    assert read(tmp_path / "access.bundle").rules.version == 7


def test_a_bundle_that_is_all_here_and_cannot_be_written_waits_for_the_disk(tmp_path: Path, sender: Sender) -> None:
    hindrance = tmp_path / ".access.bundle.part"
    hindrance.mkdir()
    fetch = BundleFetch(tmp_path / "access.bundle", KEYS)
    fetch.aim(sender.bulk, 0, {})
    with pytest.raises(OSError, match="part"):
        fetched(fetch, sender)
    fetch.drop()
    hindrance.rmdir()
    assert fetch.aim(sender.bulk, 0, {})  # nothing is asked for twice
    assert read(tmp_path / "access.bundle").rules.version == 7


FATES = st.sampled_from(["comes", "comes", "comes", "lost", "twice", "spoilt", "short", "late", "restart", "cut disk", "newer"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fates=st.lists(FATES, max_size=60))
def test_whatever_happens_on_the_way_the_door_ends_with_exactly_the_bundle(
    tmp_path_factory: pytest.TempPathFactory, sender: Sender, newer: Sender, fates: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("door")
    path, now_s, target = folder / "access.bundle", 0.0, sender
    fetch = BundleFetch(path, KEYS)
    fetch.aim(target.bulk, 0, {})
    late: list[tuple[str, bytes]] = []
    queue = iter(fates)
    for _ in range(2000):
        if path.exists() and read_bundle(path, KEYS).rules.version == target.bulk.version:
            break
        assert fetch.in_memory <= (WINDOW + 1) * PIECE_BYTES * 2
        now_s += 2 * ASK_AGAIN_S
        for name in fetch.wanted(now_s):
            fate = next(queue, "comes")
            piece = target.piece(name)
            if fate == "newer" and target is sender:
                target = newer
                fetch.aim(target.bulk, 0, {})
                break
            if fate in ("restart", "cut disk"):
                if fate == "cut disk":
                    spoil(path.with_name(".access.bundle.coming"))
                fetch = BundleFetch(path, KEYS)
                fetch.aim(target.bulk, 0, {})
                break
            if fate == "late":
                late.append((name, piece))
            for way in {"comes": [piece], "twice": [piece, piece], "spoilt": [b"x" * len(piece)], "short": [piece[:-1]]}.get(
                fate, []
            ):
                fetch.took(name, way, now_s, 0, {})
        for name, piece in late:
            fetch.took(name, piece, now_s, 0, {})
        late = []
    assert [*read(path).chunks()] == [*target.bundle.chunks()]


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Sender:
    path = tmp_path_factory.mktemp("centre") / "b"
    write(path, rules(version=8), crowd(MANY + 1, faces=1))
    return Sender(path)


def spoil(folder: Path) -> None:
    """As a power cut leaves files that were not on the disk yet."""
    for number, file in enumerate(sorted(folder.iterdir()) if folder.exists() else []):
        if number % 2:
            file.write_bytes(bytes(file.stat().st_size))


def test_a_newer_bundle_in_the_middle_costs_only_what_is_new_in_it(tmp_path: Path, sender: Sender, newer: Sender) -> None:
    fetch = BundleFetch(tmp_path / "access.bundle", KEYS)
    fetch.aim(sender.bulk, 0, {})
    for most in (1, 3):
        for name in fetch.wanted(0.0)[:most]:
            fetch.took(name, sender.piece(name), 0.0, 0, {})
    here = {name.name for name in (tmp_path / ".access.bundle.coming").iterdir()} & {digest.hex() for digest in newer.items}
    assert here
    fetch.aim(newer.bulk, 0, {})
    asked = fetched(fetch, newer)
    assert not here & {name.split("/")[0] for name in asked}
    assert read(tmp_path / "access.bundle").rules.version == 8


# -- pieces ---------------------------------------------------------------------------------------------------------------------


def test_an_item_longer_than_a_piece_is_put_together_whatever_the_order() -> None:
    whole = bytes(range(256)) * 1000
    digest = digest_of(whole)
    pieces = Pieces({digest: len(whole)})
    names = pieces.wanted(0.0)
    assert names == [name_of(digest, number) for number in range(pieces_in(len(whole)))]
    came = [pieces.took(name, whole[int(name[65:]) * PIECE_BYTES :][:PIECE_BYTES], 0.0) for name in reversed(names)]
    assert came == [*[None] * (len(names) - 1), (digest, whole)]


def test_what_was_not_asked_for_is_left() -> None:
    pieces = Pieces({digest_of(b"a"): 1})
    assert pieces.took(name_of(digest_of(b"a"), 0), b"a", 0.0) is None
    for name in ("", "x", "../../etc/passwd/0", "00" * 32 + "/0", "zz" * 32 + "/x"):
        assert pieces.took(name, b"a", 0.0) is None


def test_no_more_is_under_way_than_a_window_and_nothing_is_left_out() -> None:
    items = {digest_of(bytes([n])): 1 for n in range(20)}
    pieces = Pieces(items)
    asked: list[str] = []
    while names := pieces.wanted(0.0):
        assert len(names) <= WINDOW
        asked += names
        pieces.took(names[0], whole_of(names[0]), 0.0)
        for name in names[1:]:
            pieces.took(name, whole_of(name), 0.0)
    assert sorted(asked) == sorted(name_of(digest, 0) for digest in items)
    assert len(pieces) == 0


def whole_of(name: str) -> bytes:
    return next(bytes([n]) for n in range(256) if digest_of(bytes([n])).hex() == name[:64])


def test_a_question_that_nobody_answers_is_asked_ever_more_rarely() -> None:
    pieces = Pieces({digest_of(b"a"): 1})
    now_s, pauses = 0.0, []
    pieces.wanted(now_s)
    for _ in range(7):
        due_s = pieces.due_s()
        assert pieces.wanted(due_s - 0.1) == []
        assert len(pieces.wanted(due_s)) == 1
        pauses.append(due_s - now_s)
        now_s = due_s
    assert pauses == [4.0, 8.0, 16.0, 32.0, 64.0, 64.0, 64.0]
    pieces.again()
    assert len(pieces.wanted(now_s)) == 1


def test_a_head_with_something_behind_it_is_no_head(sender: Sender) -> None:
    assert head_of(sender.bundle.start, KEYS)[1] == 7
    with pytest.raises(BundleError, match="follow its head"):
        head_of(sender.bundle.start + b"x", KEYS)
    with pytest.raises(BundleError, match="not newer"):
        head_of(sender.bundle.start, KEYS, 7)
