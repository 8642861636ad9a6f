"""The file of an access bundle: not one byte of it may be anybody's but the centre's, and nobody is to be found in it but by this door."""

from __future__ import annotations

import struct
from datetime import timedelta, timezone
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey, SealedBox
from nacl.signing import SigningKey

from agent.core.access import AccessProfile, AccessRules, DoorAccess
from agent.core.people import Cardholder, Credential, Issued, Known, Roll
from agent.errors import BundleError
from agent.records.bundle_file import FRAME, MAGIC, Head, Part, Unfinished, read_bundle, rules_to, version_of
from agent.records.bundle_parts import digest_of
from agent.records.people_file import Codec, Columns, Seal, part_of
from tests.records.bundles import (
    CENTRE,
    DOOR,
    FOB,
    HOLDER,
    KEYS,
    NOW,
    PEOPLE,
    SEAL,
    TAG,
    cosine,
    crowd,
    face,
    fob_of,
    read,
    rules,
    write,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A bundle of several parts."""
    path = tmp_path_factory.mktemp("whole") / "b"
    write(path, rules(), [*PEOPLE, *crowd(2000)])
    assert len(head_of(path.read_bytes()).parts) >= 4
    return path.read_bytes()


def head_of(raw: bytes) -> Head:
    length, _ = FRAME.unpack_from(raw, len(MAGIC))
    return msgspec.msgpack.decode(raw[len(MAGIC) + FRAME.size :][:length], type=Head)


def borders(raw: bytes) -> list[int]:
    """Where line, length, signature, head and each part end."""
    length, _ = FRAME.unpack_from(raw, len(MAGIC))
    return list(accumulate([len(MAGIC), 4, 64, length, *(part.length for part in head_of(raw).parts)]))


def signed(head: Head, *parts: bytes, centre: SigningKey = CENTRE, line: bytes = MAGIC) -> bytes:
    raw = msgspec.msgpack.encode(head)
    return line + FRAME.pack(len(raw), centre.sign(MAGIC + raw).signature) + raw + b"".join(parts)


def head_for(*parts: bytes, credentials: int, **changes: Any) -> Head:
    """What a centre with a fault in its program might sign."""
    plain = Head(
        made=NOW,
        rules=rules_to(rules()),
        credentials=credentials,
        profiles=("staff",),
        cardholder_fields=Columns.HERE.cardholder,
        credential_fields=Columns.HERE.credential,
        key=SealedBox(DOOR.public_key).encrypt(SEAL),
        parts=tuple(Part(len(part), digest_of(part)) for part in parts),
    )
    return msgspec.structs.replace(plain, **changes)


# -- what goes in comes out ----------------------------------------------------------------------------------------------------


def test_a_door_gets_exactly_the_rules_that_the_centre_wrote(tmp_path: Path) -> None:
    written = rules(entry=DoorAccess(passback="hard", interlock=True))
    write(tmp_path / "b", written)
    got = read(tmp_path / "b").rules
    assert msgspec.structs.replace(got, people=written.people) == written


def test_a_door_finds_everybody_and_nobody_else(tmp_path: Path) -> None:
    write(tmp_path / "b", rules())
    people = read(tmp_path / "b").rules.people
    assert len(people) == 3
    for key in (FOB, TAG, "H10301:9:1"):
        assert faceless(people.find(key)) == faceless(PEOPLE.find(key))
    for nobody in ("", "H10301:1:5285", "H10301:1:528", FOB + "\0", "\ud800"):
        assert people.find(nobody) is None


def faceless(known: Known | None) -> Known:
    assert known is not None
    return Known(known.credential, msgspec.structs.replace(known.cardholder, templates=()))


def test_faces_come_out_as_they_went_in_but_for_a_ten_thousandth(tmp_path: Path) -> None:
    write(tmp_path / "b", rules())
    known = read(tmp_path / "b").rules.people.find(FOB)
    assert known is not None
    assert len(known.cardholder.templates) == 2
    for got, given_one in zip(known.cardholder.templates, HOLDER.templates, strict=True):
        assert cosine(got, given_one) > 0.9999


def test_a_door_where_nobody_has_a_fob_is_a_bundle_too(tmp_path: Path) -> None:
    write(tmp_path / "b", rules(), [])
    people = read(tmp_path / "b").rules.people
    assert (len(people), people.find(FOB)) == (0, None)


moments = st.none() | st.datetimes(timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=5, minutes=30))]))
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
holders = st.builds(
    Cardholder, id=names, profiles=st.sampled_from([(), ("staff",)]), embedder_id=names, extended_opening=st.booleans(),
    suspended=st.booleans(), visitor=st.booleans(), valid_from=moments, valid_until=moments, passes_lockdown=st.booleans(),
    free_of_passback=st.booleans(), pin=names, duress_pin=names,
)  # fmt: skip
issues = st.lists(
    st.tuples(holders, st.lists(st.tuples(names, st.sampled_from(["active", "lost", "stolen", "revoked"]), moments, moments, st.booleans()))),
    max_size=5, unique_by=lambda pair: pair[0].id,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(issued=issues)
def test_whatever_a_cardholder_is_called_and_may_do_survives_the_way(
    tmp_path_factory: pytest.TempPathFactory, issued: Any
) -> None:
    taken: set[str] = set()
    people = []
    for holder, fobs in issued:
        fresh = [fob for n, fob in enumerate(fobs) if fob[0] not in taken and fob[0] not in {f[0] for f in fobs[:n]}]
        taken |= {fob[0] for fob in fresh}
        people.append(Issued(holder, tuple(
            Credential(key=key, cardholder=holder.id, state=state, valid_from=start, valid_until=end, duress=duress)
            for key, state, start, end, duress in fresh)))  # fmt: skip
    path = tmp_path_factory.getbasetemp() / "survives"
    write(path, rules(), people)
    found = read(path).rules.people
    assert len(found) == len(taken)
    for one in people:
        assert [found.find(credential.key) for credential in one.credentials] == [
            Known(credential, one.cardholder) for credential in one.credentials
        ]


def test_everybody_in_a_bundle_of_many_parts_is_found(tmp_path: Path) -> None:
    write(tmp_path / "b", rules(), crowd(3000))
    people = read(tmp_path / "b").rules.people
    assert len(people) == 3000
    assert all((known := people.find(fob_of(n))) is not None and known.cardholder.id == f"{n:032x}" for n in range(3000))


# -- nobody else can read it ---------------------------------------------------------------------------------------------------


def test_no_face_number_pin_or_name_can_be_found_in_the_file(tmp_path: Path) -> None:
    write(tmp_path / "b", rules())
    raw = (tmp_path / "b").read_bytes()
    for secret in (HOLDER.templates[0][:32], b"holder-one", b"13579", b"5283", b"H10301"):
        assert secret not in raw
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_people_sealed_for_another_doors_key_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "b", rules(), door=PrivateKey(b"e" * 32).public_key)
    with pytest.raises(BundleError, match="not sealed for this door"):
        read(tmp_path / "b")


def test_the_same_people_under_another_key_share_no_byte_of_a_record(tmp_path: Path) -> None:
    write(tmp_path / "one", rules())
    write(tmp_path / "other", rules(), key=b"x" * 32)
    one, other = (read(tmp_path / name).parts[0] for name in ("one", "other"))
    assert len(one) == len(other)
    assert one[-100:] != other[-100:]


def test_two_doors_cannot_tell_that_they_know_the_same_person(tmp_path: Path) -> None:
    """Without a key of its own for each door, hashes would be the same everywhere (ISO/IEC 24745: unlinkable)."""
    other_key = PrivateKey(b"e" * 32)
    write(tmp_path / "one", rules(), key=None)
    write(tmp_path / "named", rules(door="back"), key=None)
    write(tmp_path / "keyed", rules(), key=None, door=other_key.public_key)
    bundles = [read(tmp_path / "one"), read_bundle(tmp_path / "named", msgspec.structs.replace(KEYS, name="back")),
               read_bundle(tmp_path / "keyed", msgspec.structs.replace(KEYS, door=other_key))]  # fmt: skip
    hashes = {bundle.parts[0][4:28] for bundle in bundles}
    assert len(hashes) == 3


def test_a_fob_that_is_withdrawn_changes_one_part_and_no_other(tmp_path: Path) -> None:
    people = list(crowd(3000))
    write(tmp_path / "1", rules(), people, key=None)
    holder, (fob,) = people[7].cardholder, people[7].credentials
    people[7] = Issued(holder, (msgspec.structs.replace(fob, state="revoked"),))
    write(tmp_path / "2", rules(version=2), people, key=None)
    before, after = read(tmp_path / "1"), read(tmp_path / "2")
    assert len(before.parts) >= 4
    assert len(after.held.keys() - before.held.keys()) == 1
    known = after.rules.people.find(fob.key)
    assert known is not None
    assert known.credential.state == "revoked"


# -- nobody else can write it --------------------------------------------------------------------------------------------------


def refuses(path: Path, raw: bytes, match: str = ".") -> None:
    path.write_bytes(raw)
    with pytest.raises(BundleError, match=match) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_a_bundle_signed_by_another_key_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "b", rules(), centre=SigningKey(b"x" * 32))
    with pytest.raises(BundleError, match="not signed by this site's centre"):
        read(tmp_path / "b")
    assert version_of(tmp_path / "b", KEYS) is None


@pytest.mark.parametrize(("changes", "made_for"), [({"door": "back"}, "hq/back"), ({"site": "lab"}, "lab/front")])
def test_a_bundle_for_another_door_or_site_is_refused(tmp_path: Path, changes: Any, made_for: str) -> None:
    write(tmp_path / "b", rules(**changes))
    with pytest.raises(BundleError, match=f"made for {made_for}, this is hq/front"):
        read(tmp_path / "b")


def test_only_a_newer_version_replaces_the_one_in_force(tmp_path: Path) -> None:
    write(tmp_path / "b", rules(version=4))
    assert read(tmp_path / "b", newer_than=3).rules.version == version_of(tmp_path / "b", KEYS) == 4
    for in_force in (4, 5):
        with pytest.raises(BundleError, match="not newer"):
            read(tmp_path / "b", newer_than=in_force)


def test_a_bundle_cut_off_at_any_border_is_unfinished(whole: bytes, tmp_path: Path) -> None:
    for border in borders(whole):
        for end in {max(0, border - 1), border, border + 1} - {len(whole), len(whole) + 1}:
            (tmp_path / "b").write_bytes(whole[:end])
            with pytest.raises(Unfinished):
                read(tmp_path / "b")


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_no_changed_byte_gets_in(tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject) -> None:
    ends = borders(whole)
    section = data.draw(st.integers(0, len(ends) - 1))
    at = data.draw(st.integers(ends[section - 1] if section else 0, ends[section] - 1))
    change = data.draw(st.sampled_from([1 << bit for bit in range(8)]) | st.integers(1, 255))
    refuses(tmp_path_factory.getbasetemp() / "changed", whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :])


@settings(deadline=None)
@given(raw=st.binary(max_size=400) | st.binary(max_size=400).map(lambda raw: MAGIC + raw))
def test_random_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    refuses(tmp_path_factory.getbasetemp() / "random", raw)


def test_bytes_behind_the_last_part_are_refused(whole: bytes, tmp_path: Path) -> None:
    refuses(tmp_path / "b", whole + b"\0", "follow its last part")


def test_parts_in_another_order_are_refused(whole: bytes, tmp_path: Path) -> None:
    ends = borders(whole)[3:]
    parts = [whole[start:end] for start, end in pairwise(ends)]
    refuses(tmp_path / "b", whole[: ends[0]] + b"".join(parts[::-1]))


def test_a_known_part_does_not_hide_a_file_that_was_cut_off(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(whole)
    held = read(tmp_path / "b").held
    (tmp_path / "b").write_bytes(whole[:-1])
    with pytest.raises(Unfinished):
        read(tmp_path / "b", held=held)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (msgspec.msgpack.encode([b"body" * 100, b"s" * 64]), "of format 1; this program reads format 2"),
        (b"doorward access bundle 3\n" + b"x" * 200, "of format 3; this program reads format 2"),
        (b"PK\x03\x04" + b"x" * 200, "no access bundle"),
        (MAGIC + struct.pack("<I", 1 << 30) + b"x" * 200, "a head of 1073741824 bytes"),
    ],
)  # fmt: skip
def test_other_formats_are_refused_by_their_names(tmp_path: Path, raw: bytes, says: str) -> None:
    refuses(tmp_path / "b", raw, says)


def test_a_missing_file_is_a_refusal_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nothing-here"):
        read_bundle(tmp_path / "nothing-here", KEYS)


# -- a centre that is wrong ----------------------------------------------------------------------------------------------------


def records(*people: tuple[Cardholder, Credential], key: bytes = SEAL) -> list[tuple[int, bytes]]:
    seal, codec = Seal(key), Codec(Columns.HERE)
    made = [(hashed := seal.hash_of(fob.key), seal.close(hashed, codec.encode(holder, fob))) for holder, fob in people]
    return sorted(made)


ONE = (Cardholder(id="a"), Credential(key="1", cardholder="a"))
TWO = (Cardholder(id="b"), Credential(key="2", cardholder="b"))


def test_what_a_signed_head_may_not_say(tmp_path: Path) -> None:
    good = part_of(records(ONE, TWO))
    (tmp_path / "b").write_bytes(signed(head_for(good, credentials=2), good))
    assert len(read(tmp_path / "b").rules.people) == 2
    faults: list[tuple[tuple[bytes, ...], dict[str, Any], str]] = [
        ((good,), {"credentials": 3}, "has 2 credentials and announces 3"),
        ((good,), {"credentials": 2_000_000}, "at most"),
        ((good, good, good), {"credentials": 6}, "powers of two"),
        ((), {"credentials": 0}, "powers of two"),
        ((good,), {"credentials": 2, "profiles": ("directors",)}, "profile 'directors'"),
        ((good,), {"credentials": 2, "key": SealedBox(DOOR.public_key).encrypt(b"short")}, "5 bytes"),
        ((good,), {"credentials": 2, "key": SealedBox(DOOR.public_key).encrypt(b"y" * 32)}, "cannot be read with its key"),
        ((good,), {"credentials": 2, "cardholder_fields": ("profiles",)}, "fields"),
        ((good,), {"credentials": 2, "cardholder_fields": ("id", "id")}, "fields"),
        ((good,), {"credentials": 2, "parts": (Part(-1, digest_of(good)), Part(len(good) + 1, digest_of(good)))}, "bytes of"),
        ((good,), {"credentials": 2, "parts": (Part(len(good), b"short"),)}, "hash of a part"),
    ]
    for parts, changes, says in faults:
        refuses(tmp_path / "b", signed(head_for(*parts, **changes), *parts), says)


def test_parts_whose_tables_lie_are_refused(tmp_path: Path) -> None:
    ascending = records(ONE, TWO)
    twice = [ascending[0], ascending[0]]
    for records_made in (twice, ascending[::-1]):
        part = part_of(records_made)
        refuses(tmp_path / "b", signed(head_for(part, credentials=2), part), "not in order, or two credentials are the same")
    good = part_of(ascending)
    for part in (b"", good[:3], good[:20], good + b"x", struct.pack("<I", 0) + b"x", struct.pack("<I", 1 << 31) + good[4:]):
        refuses(tmp_path / "b", signed(head_for(part, credentials=2), part), "part 0")


def test_a_part_in_anothers_place_is_refused(tmp_path: Path) -> None:
    low, high = (part_of([record for record in records(*((Cardholder(id=str(n)), Credential(key=str(n), cardholder=str(n)))
                                                         for n in range(20))) if record[0] >> 63 == half]) for half in (0, 1))  # fmt: skip
    (tmp_path / "b").write_bytes(signed(head_for(low, high, credentials=20), low, high))
    assert len(read(tmp_path / "b").rules.people) == 20
    refuses(tmp_path / "b", signed(head_for(high, low, credentials=20), high, low), "part 0")


def test_parts_that_are_alike_are_kept_as_often_as_they_are_there(tmp_path: Path) -> None:
    """Two without anybody in them have the same hash."""
    empty = part_of([])
    (tmp_path / "b").write_bytes(signed(head_for(empty, empty, credentials=0), empty, empty))
    assert b"".join(read(tmp_path / "b").chunks()) == (tmp_path / "b").read_bytes()


def test_a_record_moved_to_another_fobs_place_opens_nothing(tmp_path: Path) -> None:
    (first, _), (second, sealed) = records(ONE, TWO)
    part = part_of([(first, sealed), (second, sealed)])
    refuses(tmp_path / "b", signed(head_for(part, credentials=2), part), "cannot be read with its key")


def test_a_rule_that_this_program_does_not_know_is_not_left_out_but_refused(tmp_path: Path) -> None:
    """A newer centre may ask for something that this door would silently not do."""
    good = part_of(records(ONE))
    plain = msgspec.msgpack.decode(rules_to(rules()))
    for changed, says in (
        ({"curfew": True}, "curfew"),
        ({"profiles": {"staff": {**plain["profiles"]["staff"], "escort": "yes"}}}, "escort"),
    ):
        newer = msgspec.Raw(msgspec.msgpack.encode({**plain, **changed}))
        refuses(tmp_path / "b", signed(head_for(good, credentials=1, rules=newer), good), says)
    del plain["schedules"]
    torn = msgspec.Raw(msgspec.msgpack.encode(plain))
    refuses(tmp_path / "b", signed(head_for(good, credentials=1, rules=torn), good), "schedules")


def test_only_the_people_who_have_what_this_program_does_not_know_stay_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seal = Seal(SEAL)
    short = {name: chr(ord("a") + at) for at, name in enumerate([*Columns.HERE.cardholder, "escort"])}
    first, second = sorted(("1", "2"), key=seal.hash_of)  # the first record of a part is opened when the file is read
    made = []
    for key, extra in ((first, {}), (second, {short["escort"]: "needed"})):
        raw = msgspec.msgpack.encode([{short["id"]: key, **extra}, {"a": key}])
        made.append((seal.hash_of(key), seal.close(seal.hash_of(key), raw)))
    part = part_of(made)
    head = head_for(part, credentials=2, cardholder_fields=(*Columns.HERE.cardholder, "escort"))
    (tmp_path / "b").write_bytes(signed(head, part))
    people = read(tmp_path / "b").rules.people
    assert people.find(first) is not None
    assert people.find(second) is None
    assert "update the program" in caplog.text


# -- what the centre refuses to write ------------------------------------------------------------------------------------------


def issue(holder: Cardholder, *keys: str) -> Issued:
    return Issued(holder, tuple(Credential(key=key, cardholder=holder.id) for key in keys))


@pytest.mark.parametrize(
    ("people", "says"),
    [
        ([issue(Cardholder(id="a"), "1"), issue(Cardholder(id="b"), "1")], "'1' is issued twice: to cardholder '[ab]' and to '[ab]'"),
        ([issue(Cardholder(id="a"), "1", "1")], "credential '1' is issued twice"),
        ([issue(Cardholder(id="a"), "1"), issue(Cardholder(id="a"), "2")], "cardholder 'a' is there twice"),
        ([Issued(Cardholder(id="a"), (Credential(key="1", cardholder="b"),))], "belongs to cardholder 'b' and came with 'a'"),
        ([issue(Cardholder(id="a", profiles=("directors",)), "1")], "cardholder 'a' has the profile 'directors'"),
        ([issue(Cardholder(id="a", templates=(b"no template",)), "1")], "cardholder 'a'.*no unit-length float32 vector"),
        ([issue(Cardholder(id="a", templates=(b"\0" * 768,)), "1")], "cardholder 'a'.*no unit-length float32 vector"),
        ([issue(Cardholder(id="a", templates=(face(),) * 100), "1")], "cardholder 'a'.*fewer templates"),
        ([issue(Cardholder(id="\ud800"), "1")], "surrogates"),
    ],
)  # fmt: skip
def test_people_who_contradict_each_other_are_not_written_and_named(tmp_path: Path, people: list[Issued], says: str) -> None:
    write(tmp_path / "b", rules())
    before = (tmp_path / "b").read_bytes()
    with pytest.raises(BundleError, match=says):
        write(tmp_path / "b", rules(), people)
    assert (tmp_path / "b").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_two_fobs_with_the_same_hash_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Seal, "hash_of", lambda self, key: 5)
    with pytest.raises(BundleError, match="with another key"):
        write(tmp_path / "b", rules(), [issue(Cardholder(id="a"), "1", "2")])


def test_rules_that_contradict_themselves_are_neither_made_nor_taken(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="office"):
        write(tmp_path / "b", rules(schedules={}))
    good = part_of(records(ONE))
    broken = rules_to(rules(schedules={}))
    refuses(tmp_path / "b", signed(head_for(good, credentials=1, rules=broken), good), "office")


def test_too_many_credentials_are_refused_before_they_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("central.access.bundles.MAX_CREDENTIALS", 10)
    with pytest.raises(BundleError, match="more than 10 credentials"):
        write(tmp_path / "b", rules(), crowd(1000))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be written"):
        write(tmp_path / "nowhere" / "b", rules())


def test_cardholders_without_a_fob_are_not_sent_to_doors(tmp_path: Path) -> None:
    """Least data: their faces would lie there for nothing."""
    write(tmp_path / "b", rules(), [issue(Cardholder(id="a", templates=(face(),)))])
    assert len(read(tmp_path / "b").parts) == 1
    assert (tmp_path / "b").stat().st_size < 2000


def test_whoever_waits_is_told_of_every_credential(tmp_path: Path) -> None:
    steps: list[int] = []
    write(tmp_path / "b", rules(), crowd(5), step=lambda: steps.append(1))
    assert len(steps) == 5


def test_rules_of_a_door_survive_whatever_their_strings_are_made_of(tmp_path: Path) -> None:
    """A value that equals a default without being the same object is left out when it is read, and meant all the same."""
    off = "".join(["o", "f", "f"])
    written: AccessRules = rules(entry=DoorAccess(passback=off), profiles={  # type: ignore[arg-type]
        "staff": AccessProfile(id="staff", doors=("front",), schedule="office", factors="".join(["cred", "ential"]))})  # type: ignore[arg-type]  # fmt: skip
    write(tmp_path / "b", written, Roll())
    assert read(tmp_path / "b").rules.entry == DoorAccess()
