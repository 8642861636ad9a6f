"""People at the centre: what changes, what is refused, and what a door is told of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from agent.core.access import AccessProfile, AccessRules, DoorAccess, may_pass
from agent.core.people import Issued, Roll
from agent.core.reasons import Reason
from agent.core.schedules import Calendar, Schedule, SpecialDays
from agent.errors import ConfigError
from central.database.engine import writing
from central.database.tables_people import TEMPLATES
from central.people.people import People
from central.people.records import DoorEntry, Held, Person, Pins
from central.people.trouble import PeopleError
from central.people.vault import Vault
from tests.central.people.a_centre import ALWAYS, FOB, KEY, NOW, Centre, template
from tests.system.brokers import wait_until


def issued(centre: Centre, door: str = "front") -> dict[str, Issued]:
    return {each.cardholder.id: each for each in centre.people.issued_for("hq", door)}


def answer(centre: Centre, key: str = FOB, door: str = "front") -> Reason | None:
    """What that door says to a fob, with the rules and people that the centre gives it."""
    rules = centre.people.rules_for("hq", door, 1)
    people = [*centre.people.issued_for("hq", door)]
    roll = Roll([each.cardholder for each in people], [fob for each in people for fob in each.credentials])
    whole = AccessRules(version=1, site="hq", door=door, people=roll, profiles=rules.profiles, schedules=rules.schedules,
                        calendars=rules.calendars, entry=rules.entry)  # fmt: skip
    return may_pass(whole, key, centre.clock.wall()).refused


def enrol(centre: Centre, id: str, count: int, embedder: str = "net-1") -> list[bytes]:
    made = [template(seed) for seed in range(count)]
    with writing(centre.engine) as connection:
        for each in made:
            sealed = centre.people.vault.seal("template", id, each)
            connection.execute(insert(TEMPLATES).values(cardholder=id, sealed=sealed, embedder_id=embedder, quality=0.9, pose="front",
                                                        made=NOW))  # fmt: skip
    return made


def test_whoever_has_a_profile_for_the_door_passes(centre: Centre) -> None:
    centre.holder()
    assert answer(centre) is None


def test_a_door_is_told_only_of_those_who_may_pass_it(centre: Centre) -> None:
    centre.holder("holder-1", "H10301:1:1", profiles=("staff",))
    centre.holder("holder-2", "H10301:1:2", profiles=("keepers",))
    assert (set(issued(centre, "front")), set(issued(centre, "vault"))) == ({"holder-1"}, {"holder-1", "holder-2"})


def test_a_door_is_not_told_of_profiles_for_other_doors(centre: Centre) -> None:
    centre.holder(profiles=("keepers", "staff"))
    assert issued(centre, "front")["holder-1"].cardholder.profiles == ("staff",)
    assert set(centre.people.rules_for("hq", "front", 1).profiles) == {"staff"}


@pytest.mark.parametrize(("state", "reason"), [("lost", Reason.CREDENTIAL_LOST), ("stolen", Reason.CREDENTIAL_STOLEN),
                                               ("revoked", Reason.CREDENTIAL_REVOKED)])  # fmt: skip
def test_a_fob_reported_missing_is_refused_by_name_at_every_door(centre: Centre, state: str, reason: Reason) -> None:
    centre.holder(profiles=("keepers",), pin="1234")
    enrol(centre, "holder-1", 1)
    centre.people.mark("ada", FOB, state)
    assert (answer(centre, door="vault"), answer(centre, door="front")) == (reason, reason)
    bare = issued(centre, "front")["holder-1"].cardholder
    assert (bare.templates, bare.pin, bare.profiles) == ((), "", ())


def test_a_fob_that_is_found_again_opens_again(centre: Centre) -> None:
    centre.holder()
    centre.people.mark("ada", FOB, "lost")
    centre.people.mark("ada", FOB, "active")
    assert answer(centre) is None


def test_a_fob_that_came_back_can_be_issued_to_somebody_else(centre: Centre) -> None:
    centre.holder()
    centre.holder("holder-2", "H10301:1:2")
    with pytest.raises(PeopleError, match="belongs to cardholder 'holder-1'"):
        centre.people.issue("ada", "holder-2", Held(key=FOB))
    centre.people.give_back("ada", FOB)
    centre.people.issue("ada", "holder-2", Held(key=FOB))
    assert FOB in {fob.key for fob in issued(centre)["holder-2"].credentials}


def test_deleting_somebody_removes_everything_but_what_is_known_of_stolen_fobs(centre: Centre) -> None:
    centre.holder("holder-1", FOB, "H10301:1:2")
    enrol(centre, "holder-1", 2)
    centre.people.mark("ada", FOB, "stolen")
    removed = centre.people.delete("ada", "holder-1")
    assert (removed["credentials"], removed["templates"], removed["credentials_kept_barred"]) == (1, 2, 1)
    assert issued(centre) == {}
    centre.holder("holder-2", "H10301:1:2")
    with pytest.raises(PeopleError, match="reported stolen") as refusal:
        centre.people.issue("ada", "holder-2", Held(key=FOB))
    assert refusal.value.code == "blocked"


def test_templates_and_pins_reach_the_door_as_they_were_and_lie_in_no_file_in_the_clear(centre: Centre, tmp_path: Path) -> None:
    centre.holder(pin="73915528", duress_pin="91735582")
    made = enrol(centre, "holder-1", 3)
    told = issued(centre)["holder-1"].cardholder
    assert (told.templates, told.embedder_id, told.pin, told.duress_pin) == (tuple(made), "net-1", "73915528", "91735582")
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [secret for secret in (*made, b"73915528", b"91735582") if secret in stored]


def test_templates_of_an_older_network_stay_at_the_centre(centre: Centre) -> None:
    centre.holder()
    enrol(centre, "holder-1", 2, "net-1")
    enrol(centre, "holder-1", 1, "net-2")
    assert len(issued(centre)["holder-1"].cardholder.templates) == 1


def test_of_somebody_whose_time_is_over_no_template_goes_to_a_door(centre: Centre) -> None:
    centre.holder(valid_until=NOW + timedelta(days=1), pin="1234")
    enrol(centre, "holder-1", 1)
    assert issued(centre)["holder-1"].cardholder.templates
    centre.clock.pass_by(days=1)
    told = issued(centre)["holder-1"].cardholder
    assert (told.templates, told.pin) == ((), "")
    assert answer(centre) == Reason.CARDHOLDER_EXPIRED


def test_a_template_moved_to_somebody_else_in_the_database_does_not_open(centre: Centre) -> None:
    centre.holder("holder-1", "H10301:1:1")
    centre.holder("holder-2", "H10301:1:2")
    with writing(centre.engine) as connection:
        sealed = centre.people.vault.seal("template", "holder-1", template(1))
        connection.execute(
            insert(TEMPLATES).values(cardholder="holder-2", sealed=sealed, embedder_id="n", quality=1, pose="front", made=NOW)
        )
    with pytest.raises(ValueError, match="holder-2"):
        issued(centre)


def test_a_wrong_key_is_noticed_before_anything_runs(centre: Centre) -> None:
    with pytest.raises(ConfigError, match=r"people\.key"):
        People(centre.engine, centre.clock, centre.audit, Vault(bytes(32)))
    People(centre.engine, centre.clock, centre.audit, Vault(KEY))


# -- the revision ------------------------------------------------------------------------------------------------------------------


def test_the_revision_grows_with_what_doors_must_know_and_only_then(centre: Centre) -> None:
    rung: list[int] = []
    centre.people.on_change(lambda: rung.append(centre.people.revision))
    before = centre.people.revision
    centre.holder()
    centre.people.change("ada", "holder-1", {"name": "Augusta Ada King", "notes": "prefers stairs"})
    centre.people.change("ada", "holder-1", {"suspended": False})
    assert centre.people.revision == before + 2
    centre.people.change("ada", "holder-1", {"suspended": True})
    assert rung == [before + 1, before + 2, before + 3]
    assert answer(centre) == Reason.CARDHOLDER_SUSPENDED


def test_a_change_that_is_refused_changes_nothing_and_rings_nobody(centre: Centre) -> None:
    centre.holder()
    rung: list[None] = []
    centre.people.on_change(lambda: rung.append(None))
    before, records = centre.people.revision, centre.on_record()
    with pytest.raises(PeopleError):
        centre.people.change("ada", "holder-1", {"suspended": True, "profiles": ("nobody-knows",)})
    assert (centre.people.revision, centre.on_record(), rung) == (before, records, [])
    assert not centre.people.person("holder-1").person.suspended


def test_whoever_listens_hears_what_another_program_changed(centre: Centre) -> None:
    rung: list[None] = []
    centre.people.on_change(lambda: rung.append(None))
    centre.people.start()
    try:
        People(centre.engine, centre.clock, centre.audit, Vault(KEY)).put_calendar("ada", Calendar(id="public", days=frozenset()))
        wait_until(lambda: len(rung) == 1, 20.0, "the bell")
    finally:
        centre.people.stop()


def test_doors_are_those_of_the_sites_registry_and_keep_their_rules(centre: Centre) -> None:
    centre.people.put_entry("ada", "hq", "front", DoorAccess(passback="soft"))
    front, side = (DoorEntry(site="hq", door=door, name="", public_key=bytes([7] * 32)) for door in ("front", "side"))
    before = centre.people.revision
    for _ in range(2):
        centre.people.sync_doors("centre", [front, side])
    assert [(each.door, each.public_key[0], each.entry.passback) for each in centre.people.doors()] == [
        ("front", 7, "soft"),
        ("side", 7, "off"),
    ]
    assert centre.people.revision == before + 1


def test_every_change_is_on_record_without_names_or_secrets(centre: Centre) -> None:
    centre.holder(pin="73915528")
    centre.people.change("ada", "holder-1", {"name": "Augusta Ada King"})
    centre.people.mark("ada", FOB, "stolen")
    centre.people.delete("ada", "holder-1")
    assert centre.on_record() == [("people.added", "holder-1"), ("credential.issued", "holder-1"), ("people.changed", "holder-1"),
                                  ("credential.stolen", "holder-1"), ("people.deleted", "holder-1")]  # fmt: skip
    details = repr([row.details for row in centre.audit.rows(limit=1000)])
    assert "Ada" not in details
    assert "73915528" not in details


# -- what is not allowed -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fields", "sentence"), [
    ({"id": "../etc"}, "1 to 64 of"),
    ({"name": ""}, "1 to 200"),
    ({"name": "Ada\x00Lovelace"}, "control character"),
    ({"notes": "x" * 2001}, "0 to 2000"),
    ({"profiles": ("nobody-knows",)}, "known: keepers, staff"),
    ({"valid_from": NOW, "valid_until": NOW}, "not after"),
])  # fmt: skip
def test_somebody_who_cannot_be_so_is_refused_with_a_sentence(centre: Centre, fields: dict, sentence: str) -> None:
    with pytest.raises(PeopleError, match=sentence):
        centre.people.add("ada", Person(**{"id": "holder-1", "name": "Ada Lovelace", **fields}))


@pytest.mark.parametrize("pins", [Pins(pin="12a4"), Pins(pin="123"), Pins(pin="1234", duress_pin="1234")])
def test_a_pin_that_no_keypad_can_enter_or_that_always_calls_for_help_is_refused_without_being_told(
    centre: Centre, pins: Pins
) -> None:
    with pytest.raises(PeopleError) as refusal:
        centre.people.add("ada", Person(id="holder-1", name="Ada Lovelace"), pins)
    assert pins.pin not in str(refusal.value)


@pytest.mark.parametrize(("key", "sentence"), [
    ("5283", "such as H10301:1:5283"), ("H10301:256:1", "0 to 255"), ("H10301:1:65536", "0 to 65535"), ("H10302:1:1", "0 to 0"),
    ("H1031:1:1", "not known"), ("raw-8:0:1", "not known"), ("H10301:01:1", "plain numbers"), ("EM4100:300:1", "0 to 255"),
])  # fmt: skip
def test_a_credential_that_no_reader_can_say_is_refused(centre: Centre, key: str, sentence: str) -> None:
    centre.holder()
    with pytest.raises(PeopleError, match=sentence):
        centre.people.issue("ada", "holder-1", Held(key=key))


@pytest.mark.parametrize("key", ["raw-40:0:5", "EM4100:12:4000000000", "iso14443a:0:1153", "line:0:77", "C1000-35:4095:1"])
def test_credentials_of_every_kind_of_reader_can_be_issued(centre: Centre, key: str) -> None:
    centre.holder("holder-1", key)
    assert answer(centre, key) is None


def test_rules_that_a_door_would_refuse_are_refused_here(centre: Centre) -> None:
    with pytest.raises(PeopleError, match="follows schedule 'never'"):
        centre.people.put_profile("ada", AccessProfile(id="staff", doors=("front",), schedule="never"))
    with pytest.raises(PeopleError, match="calendar 'public' there is not"):
        centre.people.put_schedule(
            "ada", Schedule(id="always", zone="UTC", intervals=(), special_days=(SpecialDays(calendar="public"),))
        )
    with pytest.raises(PeopleError, match="unlock_schedule"):
        centre.people.put_entry("ada", "hq", "front", DoorAccess(first_card=True))
    with pytest.raises(PeopleError, match="no IANA time zone"):
        centre.people.put_schedule("ada", Schedule(id="always", zone="Europe/Nowhere", intervals=()))
    assert centre.people.book().schedules["always"] == ALWAYS


def test_what_somebody_or_something_still_follows_cannot_be_deleted(centre: Centre) -> None:
    centre.holder()
    with pytest.raises(PeopleError, match="still of cardholder 'holder-1'"):
        centre.people.drop_rule("ada", "profile", "staff")
    with pytest.raises(PeopleError, match="follows schedule 'always'"):
        centre.people.drop_rule("ada", "schedule", "always")
    centre.people.put_entry("ada", "hq", "front", DoorAccess(unlock_schedule="always"))
    assert centre.people.rules_for("hq", "front", 7).entry.unlock_schedule == "always"
    assert centre.people.rules_for("hq", "vault", 7).entry == DoorAccess()
