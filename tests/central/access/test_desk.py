"""What the desk offers to whom, without a broker: withdrawals since each door's bundle, bundles only where something changed."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from nacl.public import PrivateKey
from sqlalchemy import select

from agent.clock import SystemClock
from agent.core.people import Directory
from agent.core.withdrawn import Withdrawal, since_bundle
from agent.errors import WireError
from agent.link.session import Address
from agent.records.access_offer import checked_offer, opened
from agent.records.bundle_file import Head, Keys, read_bundle, start_in
from agent.records.bundle_parts import parts_beside
from agent.records.keys import centre_public, make_centre_keys
from agent.records.people_file import Seal
from central.access.bundles import key_for
from central.access.confirmed import parse_state
from central.access.desk import BundleDesk
from central.access.serving import MOST_A_DOOR, Wanted, parse_want
from central.access.withdrawals import FILE, Ledger, Since, withdrawn_now
from central.database.engine import reading
from central.database.tables_people import PEOPLE_CHANGES
from central.people import changes
from central.people.importing import bring_in
from central.people.records import Held
from central.people.sheet import sheet_of
from central.people.trouble import PeopleError
from tests.central.people.a_centre import FOB, NOW, Centre

OTHER = "H10301:1:5284"
PLACE = ("hq", "front")


class Desk:
    """A desk whose threads do not run: the test takes its steps."""

    def __init__(self, folder: Path) -> None:
        self.centre = Centre(folder)
        self.private = PrivateKey.generate()
        self.people = self.centre.people
        self.people.put_door("ada", *PLACE, "Front", bytes(self.private.public_key))
        self.people.put_door("ada", "hq", "vault", "Vault", bytes(PrivateKey.generate().public_key))
        make_centre_keys(folder / "keys")
        self.public = centre_public(folder / "keys" / "centre.pub")
        self.folder = folder
        self.desk = self.opened()

    def opened(self) -> BundleDesk:
        return BundleDesk(self.people, Address(), self.folder / "keys", self.folder / "bundles", SystemClock())

    def make(self) -> None:
        self.desk._rest_until_s.clear()
        self.desk._make_stale()
        self.desk._offer_all()

    def version(self) -> int:
        return self.desk.offered()[PLACE].version

    def withdrawn(self) -> tuple[Withdrawal, ...]:
        raw = self.desk._told[PLACE].raw
        return opened(checked_offer(raw, self.public, *PLACE).withdrawn, self.private)

    def hashed(self, fob: str) -> int:
        return Seal(key_for(*PLACE, self.desk._centre, self.private.public_key)).hash_of(fob)


@pytest.fixture
def site(tmp_path: Path) -> Desk:
    site = Desk(tmp_path)
    site.centre.holder("holder-1", FOB, OTHER)
    site.make()
    return site


def test_a_withdrawal_is_offered_before_the_bundle_that_knows_of_it_and_not_after(site: Desk) -> None:
    before = site.version()
    site.people.mark("ada", FOB, "stolen")
    site.desk._offer_all()
    assert site.version() == before
    assert site.withdrawn() == (Withdrawal(site.hashed(FOB), "stolen", site.people.revision),)
    site.make()
    assert site.version() == site.people.revision
    assert site.withdrawn() == ()


def test_whoever_is_suspended_is_withdrawn_with_every_fob_and_comes_back_at_once(site: Desk) -> None:
    site.people.change("ada", "holder-1", {"suspended": True})
    site.desk._offer_all()
    assert {each.hashed for each in site.withdrawn()} == {site.hashed(FOB), site.hashed(OTHER)}
    assert {each.state for each in site.withdrawn()} == {"suspended"}
    site.people.change("ada", "holder-1", {"suspended": False})
    site.desk._offer_all()
    assert site.withdrawn() == ()


def test_after_the_database_was_put_back_from_a_copy_a_revoked_fob_is_newer_than_all_that_the_door_knows(site: Desk) -> None:
    hear(site, 1000)
    site.desk._offer_all()
    site.people.mark("ada", FOB, "revoked")
    site.desk._offer_all()
    (withdrawal,) = site.withdrawn()
    assert withdrawal.since > 1000
    assert site.desk.offered()[PLACE].revision > 1000
    site.make()
    assert site.version() > 1000
    assert ("people.renumbered", "") in site.centre.on_record()


def test_a_lying_door_cannot_push_the_numbers_out_of_reach(site: Desk) -> None:
    before = site.people.revision
    for claim in (1 << 62, (1 << 62) + 1, 1 << 70):
        hear(site, claim)
        site.desk._offer_all()
    assert site.people.revision == before


def test_who_is_deleted_after_an_import_that_concerns_everybody_is_refused_while_the_bundles_are_made_anew(site: Desk) -> None:
    with site.people.changing("ada") as change:
        change.for_doors = True
    site.people.delete("ada", "holder-1")
    assert {*states(site).values()} == {"unknown"}


def test_what_a_door_that_is_away_must_refuse_is_not_forgotten(site: Desk) -> None:
    hear(site, site.version())
    site.people.delete("ada", "holder-1")
    for _ in range(2):
        site.make()
        site.desk._settle()
        assert {*states(site).values()} == {"unknown"}
    hear(site, site.version())
    site.desk._settle()
    site.people.put_schedule("ada", replace(site.people.book().schedules["always"], id="spare"))
    assert since_bundle(site.withdrawn(), site.version()) == {}


def states(site: Desk) -> dict[int, str]:
    site.desk._offer_all()
    return {each.hashed: each.state for each in site.withdrawn()}


def test_whoever_is_deleted_and_a_fob_that_is_taken_back_are_unknown_before_the_bundle_says_so(site: Desk) -> None:
    site.centre.holder("holder-2", "H10301:2:2")
    site.make()
    site.people.give_back("ada", "H10301:2:2")
    site.people.mark("ada", OTHER, "lost")
    site.people.delete("ada", "holder-1")
    assert states(site) == {site.hashed("H10301:2:2"): "unknown", site.hashed(FOB): "unknown", site.hashed(OTHER): "lost"}
    site.make()
    assert site.withdrawn() == ()


def test_whose_time_is_made_to_end_or_to_begin_later_is_refused_before_the_bundle_says_so(site: Desk) -> None:
    site.centre.holder("holder-2", "H10301:2:2")
    site.make()
    site.people.change("ada", "holder-1", {"valid_until": site.centre.clock.now})
    site.people.change("ada", "holder-2", {"valid_from": NOW + timedelta(days=1)})
    assert states(site) == {site.hashed(FOB): "over", site.hashed(OTHER): "over", site.hashed("H10301:2:2"): "not_begun"}
    site.people.change("ada", "holder-1", {"valid_until": NOW + timedelta(days=1)})
    assert {*states(site).values()} == {"not_begun"}


def test_whoever_may_pass_elsewhere_only_from_now_on_is_unknown_here(site: Desk) -> None:
    site.people.change("ada", "holder-1", {"profiles": ("keepers",)})
    assert {*states(site).values()} == {"unknown"}
    vault = site.desk._told["hq", "vault"].withdrawn
    assert vault == ()


def test_a_stolen_fob_stays_refused_until_the_bundle_that_knows_of_it_is_in_force_at_the_door(site: Desk) -> None:
    hear(site, site.version())
    site.people.mark("ada", FOB, "stolen")
    site.make()
    assert states(site) == {site.hashed(FOB): "stolen"}  # the bundle is offered, and still on its way
    said = site.desk._told[PLACE]
    hear(site, site.version())
    site.desk._offer_all()
    assert site.desk._told[PLACE] == said  # that it needs to hear that no more is no news
    site.people.mark("ada", FOB, "active")
    site.desk._offer_all()
    assert since_bundle(site.withdrawn(), site.version()) == {}
    assert site.version() < site.people.revision  # it passes as soon as the bundle holds it


def test_one_fob_added_makes_one_part_anew_and_reads_nobody_else(site: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"holder-x{n},Ada Lovelace {n},staff,W34,0,{n}\n" for n in range(2000))
    assert bring_in(site.people, "ada", sheet_of(f"id,name,profiles,format,facility,card\n{rows}".encode())).applied
    site.make()
    before = head_of(site)
    monkeypatch.setattr(site.people, "issued_for", None)
    site.centre.holder("holder-new", "H10301:9:9")
    site.make()
    after = head_of(site)
    assert len(before.parts) >= 2
    assert len({*after.parts} - {*before.parts}) == 1
    assert (after.credentials, site.version()) == (before.credentials + 1, site.people.revision)
    assert people_of(site).find("H10301:9:9")


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("mark"), st.integers(0, 3), st.sampled_from(["active", "lost", "stolen", "revoked"])),
        st.tuples(st.just("suspended"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("profiles"), st.integers(0, 3), st.sampled_from([(), ("staff",), ("keepers",), ("keepers", "staff")])),
        st.tuples(st.just("until"), st.integers(0, 3), st.sampled_from([None, -1, 1])),
        st.tuples(st.just("delete"), st.integers(0, 3), st.none()),
        st.tuples(st.just("give back"), st.integers(0, 3), st.none()),
        st.tuples(st.just("issue"), st.integers(0, 3), st.none()),
        st.tuples(st.just("rules"), st.integers(0, 3), st.sampled_from([("hq/front",), ("hq/vault",), ("hq/*",)])),
        st.tuples(st.just("make"), st.just(0), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deeds=CHANGES)
def test_whatever_is_changed_a_patched_bundle_is_the_one_that_would_be_made_anew(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[str, int, Any]]
) -> None:
    site = Desk(tmp_path_factory.mktemp("site"))
    for number in range(4):
        site.centre.holder(f"holder-{number}", f"H10301:{number}:1", pin="1234")
    site.make()
    for deed, number, told in deeds:
        with suppress(PeopleError):
            do(site, deed, number, told)
    site.make()
    patched, rules = head_of(site), people_of(site)
    (site.folder / "bundles" / "hq" / "front" / "access.bundle").unlink()
    site.desk = site.opened()
    site.make()
    assert head_of(site).parts == patched.parts
    assert len(people_of(site)) == len(rules)


def do(site: Desk, deed: str, number: int, told: Any) -> None:
    people, id, key = site.people, f"holder-{number}", f"H10301:{number}:1"
    if deed == "mark":
        people.mark("ada", key, told)
    elif deed == "until":
        people.change("ada", id, {"valid_until": None if told is None else NOW + timedelta(days=told)})
    elif deed in ("suspended", "profiles"):
        people.change("ada", id, {deed: told})
    elif deed == "delete":
        people.delete("ada", id)
    elif deed == "give back":
        people.give_back("ada", key)
    elif deed == "issue":
        people.issue("ada", id, Held(key=key if number else "H10301:77:7"))
    elif deed == "rules":
        people.put_profile("ada", replace(people.book().profiles["keepers"], doors=told))
    else:
        site.make()


def head_of(site: Desk) -> Head:
    with site.desk._shelf.path(PLACE).open("rb") as file:
        return start_in(file, site.public)[1]


def people_of(site: Desk) -> Directory:
    return read_bundle(site.desk._shelf.path(PLACE), Keys(site.public, site.private, *PLACE)).rules.people


def test_a_part_that_is_damaged_at_the_centre_is_not_given_out_and_its_bundle_is_made_anew(site: Desk) -> None:
    (part,) = parts_beside(site.desk._shelf.path(PLACE)).iterdir()
    part.write_bytes(b"rubbish" * 99)
    assert site.desk._shelf.piece(PLACE, bytes.fromhex(part.name), 0) is None
    site.make()
    site.desk._shelf.forget(PLACE)
    assert people_of(site).find(FOB)


def test_what_changed_is_forgotten_when_every_bundle_has_it_and_a_restart_finds_nothing_to_do(site: Desk) -> None:
    site.people.delete("ada", "holder-1")
    site.make()
    site.desk._settle()
    with reading(site.people.engine) as connection:
        assert connection.execute(select(PEOPLE_CHANGES)).all() == []
        assert changes.since(connection, site.people.revision - 1) is None
        assert changes.since(connection, site.people.revision) == {}
    site.desk = site.opened()
    assert site.desk._stale(site.people.revision) == []


def test_whoever_is_added_elsewhere_is_no_news_for_a_door_even_before_bundles_are_made(site: Desk) -> None:
    said = site.desk._told[PLACE]
    site.centre.holder("holder-2", "H10301:7:7", profiles=("keepers",))
    assert states(site) == {}
    assert site.desk._told[PLACE] == said


def test_a_door_that_a_change_does_not_concern_keeps_its_bundle_and_hears_nothing(site: Desk) -> None:
    before = dict(site.desk._told)
    site.centre.holder("holder-2", "H10301:7:7", profiles=("keepers",))
    site.make()
    assert site.desk._told[PLACE] == before[PLACE]
    assert site.desk.offered()["hq", "vault"].version == site.people.revision
    assert site.desk._on_shelf(PLACE).card.as_of == site.people.revision  # type: ignore[union-attr]


def test_doors_with_the_same_profiles_are_read_for_once(site: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    people, read = site.people, []
    for number in range(5):
        people.put_door("ada", "hq", f"side-{number}", "Side", bytes(PrivateKey.generate().public_key))
    staff = people.book().profiles["staff"]
    people.put_profile("ada", replace(staff, doors=("hq/front", *(f"hq/side-{number}" for number in range(5)))))
    issued_for = people.issued_for
    monkeypatch.setattr(people, "issued_for", lambda *place: read.append(place) or issued_for(*place))
    site.make()
    offered = {door: offer.version for (_, door), offer in site.desk.offered().items()}
    assert len(offered) == 7
    assert all(offered.values())
    assert len(read) == 2  # the vault's, and one for all others


def test_too_many_people_to_keep_in_memory_are_read_for_each_door(site: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("central.access.readings.MOST_SHARED", 1)
    before = site.version()
    site.centre.holder("holder-2", "H10301:2:2")
    site.make()
    assert site.version() == site.people.revision > before
    people = read_bundle(site.desk._shelf.path(PLACE), Keys(site.public, site.private, *PLACE)).rules.people
    assert people.find("H10301:2:2")
    assert people.find(FOB)
    as_of = site.people.revision
    site.people.put_schedule("ada", replace(site.people.book().schedules["always"], id="spare"))
    site.make()
    assert (site.version(), site.people.revision) == (as_of, as_of + 1)


def test_a_restarted_desk_offers_the_same_and_makes_nothing_anew(site: Desk) -> None:
    site.people.mark("ada", OTHER, "lost")
    site.desk._offer_all()
    before = site.desk.offered()[PLACE]
    site.desk = site.opened()
    site.desk._offer_all()
    assert site.desk.offered()[PLACE].bundle == before.bundle
    assert site.withdrawn() == (Withdrawal(site.hashed(OTHER), "lost", site.people.revision),)


def test_a_ledger_that_was_lost_withdraws_nobody_too_early(site: Desk) -> None:
    site.people.mark("ada", OTHER, "lost")
    site.make()
    (site.folder / "bundles" / FILE).write_bytes(b"rubbish")
    site.centre.holder("holder-3", "H10301:3:3")
    site.desk = site.opened()
    site.desk._offer_all()
    (withdrawal,) = site.withdrawn()
    assert withdrawal.since == site.people.revision  # its bundle says so too, which does no harm


def test_a_fob_that_was_in_use_again_while_a_bundle_was_made_is_withdrawn_after_it(site: Desk) -> None:
    """Stolen, found, stolen again, faster than the desk looks: the bundle from the middle must not end the withdrawal."""
    site.people.mark("ada", FOB, "stolen")
    site.desk._offer_all()
    site.people.mark("ada", FOB, "active")
    site.desk._rest_until_s.clear()
    site.desk._make_stale()
    site.people.mark("ada", FOB, "stolen")
    site.desk._offer_all()
    (withdrawal,) = site.withdrawn()
    assert withdrawal.since > site.version()


def test_a_door_with_a_new_key_gets_a_bundle_that_it_can_open(site: Desk) -> None:
    site.people.mark("ada", FOB, "stolen")
    site.private = PrivateKey.generate()
    site.people.put_door("ada", *PLACE, "Front", bytes(site.private.public_key))
    site.desk._offer_all()
    assert site.version() == 0
    assert len(site.withdrawn()) == 1
    site.make()
    assert site.version() == site.people.revision


def test_a_door_whose_key_is_none_keeps_no_other_door_waiting(site: Desk) -> None:
    site.people.put_door("ada", "hq", "alley", "Alley", bytes(32))
    site.people.put_door("ada", "hq", "zoo", "Zoo", bytes(32))
    site.people.mark("ada", FOB, "stolen")
    site.make()
    assert site.version() == site.people.revision
    assert "alley" not in {door for (_, door), offer in site.desk.offered().items() if offer.version}


def test_a_door_that_is_none_any_more_is_offered_nothing(site: Desk) -> None:
    site.people.drop_door("ada", *PLACE)
    site.make()
    assert PLACE not in site.desk.offered()
    assert (PLACE, b"") in site.desk._unsaid
    assert not (site.folder / "bundles" / "hq" / "front" / "access.bundle").exists()


def test_a_door_is_behind_until_it_says_otherwise(site: Desk) -> None:
    assert site.desk.behind(*PLACE) is None
    hear(site, 1)
    assert site.desk.behind(*PLACE) == site.version() - 1
    hear(site, site.version())
    assert site.desk.behind(*PLACE) == 0


def hear(site: Desk, version: int) -> None:
    said = {"value": {"version": version, "revision": version, "credentials": 2}, "at": "2026-03-02T08:30:02Z"}
    site.desk.message("doorward/hq/front/state/access", json.dumps(said).encode(), True)


def test_a_door_that_did_not_hear_is_told_again_and_one_that_did_is_not(site: Desk) -> None:
    for version, again in ((1, 1), (site.version(), 0)):
        hear(site, version)
        site.desk._unsaid.clear()
        site.desk._said_s[PLACE] -= 60.0
        site.desk._offer_all()
        assert [place for place, _ in site.desk._unsaid].count(PLACE) == again


def test_everybody_who_lets_nobody_in_is_found(site: Desk) -> None:
    site.centre.holder("holder-2", "H10301:2:2", suspended=True)
    site.people.mark("ada", FOB, "revoked")
    assert withdrawn_now(site.people) == {FOB: "revoked", "H10301:2:2": "suspended"}
    site.people.delete("ada", "holder-1")
    assert withdrawn_now(site.people)[FOB] == "revoked"


def test_since_when_somebody_is_withdrawn_is_kept_and_ends_with_the_withdrawal(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.take({FOB: "lost"}, 5)
    assert ledger.take({FOB: "lost", OTHER: "stolen"}, 7) == {FOB: Since("lost", 5), OTHER: Since("stolen", 7)}
    assert Ledger(tmp_path).take({OTHER: "stolen"}, 8) == {OTHER: Since("stolen", 7)}
    assert FOB.encode() not in (tmp_path / FILE).read_bytes()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


# -- what doors say -------------------------------------------------------------------------------------------------------------


@given(raw=st.binary(max_size=200))
def test_rubbish_from_a_door_is_refused_as_such(raw: bytes) -> None:
    for parse in (parse_want, lambda each: parse_state(each, NOW)):
        with pytest.raises(WireError):
            parse(raw)


@pytest.mark.parametrize(
    "name", ["", "0", "../x/0", "AA" * 32 + "/0", "aa" * 32 + "/9999", "aa" * 32 + "/-1", "aa" * 32 + "/0\n"]
)
def test_only_names_of_pieces_can_be_asked_for(name: str) -> None:
    with pytest.raises(WireError):
        parse_want(b'{"pieces": ["%s"]}' % name.encode().replace(b"\n", b"\\n"))


def test_doors_take_turns_and_none_asks_for_more_than_its_share() -> None:
    wanted = Wanted()
    for letter in "abc":
        names = ", ".join(f'"{letter * 64}/{number}"' for number in range(80))
        wanted.add(("hq", letter), f'{{"pieces": [{names}]}}'.encode())
        wanted.add(("hq", letter), f'{{"pieces": [{names.replace(letter * 64, "d" * 64)}]}}'.encode())
    assert len(wanted) == 3 * MOST_A_DOOR
    turns = [wanted.next() for _ in range(4)]
    assert [turn[0][1] for turn in turns if turn] == ["a", "b", "c", "a"]
    while wanted:
        wanted.next()
    assert wanted.next() is None
