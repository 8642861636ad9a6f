"""People over HTTP: what a manager, a guard and a browser get, and that whatever is sent has a clear answer."""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from central.gateway.asking import Ask, Caller, Endpoint, Reply, Role, Unfit
from central.people.endpoints import endpoints
from central.people.people import People
from central.people.vault import Vault
from tests.central.gateway.house import House
from tests.central.people.a_centre import ALWAYS, FOB, KEY, NOW, Centre


def the(centre: Centre, method: str, path: str) -> Endpoint:
    (found,) = [each for each in endpoints(centre.people) if (each.method, each.path) == (method, path)]
    return found


def ask(
    centre: Centre, method: str, path: str, body: Any = None, *, role: Role = "manager", query: dict | None = None, **words: str
) -> Any:
    raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    found = the(centre, method, path)
    assert role in found.allowed
    answer = found.work(Ask(caller=Caller("mary", role), now=NOW, path=words, query=query or {}, body=raw))
    return answer if isinstance(answer, Reply) else msgspec.json.decode(msgspec.json.encode(answer))


def test_a_new_person_gets_an_id_that_says_nothing(centre: Centre) -> None:
    told = ask(centre, "POST", "/people", {"name": "Ada Lovelace", "profiles": ["staff"], "pin": "739155"})
    assert told["id"].startswith("c-")
    assert "pin" not in told
    assert ask(centre, "GET", "/people/{id}", id=told["id"]) == {**told, "has_pin": True}


def test_people_are_listed_by_name_page_after_page(centre: Centre) -> None:
    for number, name in enumerate(["Émilie du Châtelet", "ada Lovelace", "Mary Somerville", "Ada Lovelace"]):
        centre.holder(f"holder-{number}", f"H10301:1:{number}", name=name)
    first = ask(centre, "GET", "/people", query={"limit": "2"})
    rest = ask(centre, "GET", "/people", query={"limit": "9", "after": first[-1]["id"]})
    assert [row["id"] for row in [*first, *rest]] == ["holder-1", "holder-3", "holder-2", "holder-0"]
    assert first[0] == {"id": "holder-1", "name": "ada Lovelace", "visitor": False, "suspended": False, "profiles": ["staff"],
                        "credentials": 1, "enrolled": False, "valid_until": None}  # fmt: skip


@pytest.mark.parametrize(("text", "found"), [("LOVE", ["holder-1"]), ("holder-2", ["holder-2"]), ("H10301:1:2", ["holder-2"]), ("100%", []),
                                             ("\x00", ["holder-1", "holder-2"])])  # fmt: skip
def test_people_are_found_by_name_id_or_fob(centre: Centre, text: str, found: list[str]) -> None:
    centre.holder("holder-1", "H10301:1:1", name="Ada Lovelace")
    centre.holder("holder-2", "H10301:1:2", name="Mary Somerville")
    assert [row["id"] for row in ask(centre, "GET", "/people", query={"text": text}, role="guard")] == found


def test_whom_somebody_searched_for_is_not_written_down_for_ever(centre: Centre) -> None:
    ask(centre, "GET", "/people", query={"text": "Lovelace"})
    (row,) = centre.audit.rows(limit=1)
    assert (row.who, row.what, row.details) == ("mary", "people.listed", {"searched": True})


def test_a_change_changes_what_it_names_and_nothing_else(centre: Centre) -> None:
    centre.holder(valid_until=NOW + timedelta(days=1), notes="prefers stairs", pin="1234")
    told = ask(centre, "PATCH", "/people/{id}", {"valid_until": None, "pin": "", "suspended": True}, id="holder-1")
    assert (told["valid_until"], told["has_pin"], told["suspended"], told["notes"]) == (None, False, True, "prefers stairs")


def test_a_fob_is_issued_reported_and_taken_back(centre: Centre) -> None:
    centre.holder("holder-1", "H10301:1:9")
    issued = ask(
        centre, "POST", "/people/{id}/credentials", {"key": FOB, "valid_until": "2026-12-31T18:00:00+01:00"}, id="holder-1"
    )
    assert issued["credentials"][0]["valid_until"] == "2026-12-31T17:00:00Z"
    ask(centre, "PATCH", "/credentials/{key}", {"state": "stolen"}, key=FOB)
    assert ask(centre, "GET", "/people/{id}", id="holder-1")["credentials"][0]["state"] == "stolen"
    ask(centre, "DELETE", "/credentials/{key}", key=FOB)
    assert len(ask(centre, "GET", "/people/{id}", id="holder-1")["credentials"]) == 1


def test_rules_are_put_under_the_id_of_their_path(centre: Centre) -> None:
    ask(centre, "PUT", "/calendars/{id}", {"days": ["2026-12-25"]}, id="public")
    ask(
        centre,
        "PUT",
        "/schedules/{id}",
        {**msgspec.to_builtins(ALWAYS), "id": "opening", "special_days": [{"calendar": "public"}]},
        id="opening",
    )
    ask(centre, "PUT", "/profiles/{id}", {"doors": ["front"], "schedule": "opening"}, id="cleaners")
    ask(centre, "PUT", "/doors/{site}/{door}/rules", {"passback": "soft"}, site="hq", door="front")
    assert [each["id"] for each in ask(centre, "GET", "/profiles")] == ["cleaners", "keepers", "staff"]
    assert ask(centre, "GET", "/calendars") == [{"id": "public", "days": ["2026-12-25"]}]
    assert ask(centre, "GET", "/doors/{site}/{door}/rules", site="hq", door="front") == {"passback": "soft"}


OPENING: dict[str, Any] = {"zone": "Europe/Berlin", "intervals": [{"days": [0], "from_min": 480, "until_min": 1020}]}
WRONG_WAY = {"days": [0], "from_min": 1020, "until_min": 480}


@pytest.mark.parametrize(("path", "body", "field"), [
    ("/schedules/{id}", {**OPENING, "zone": "Berlin"}, "zone"),
    ("/schedules/{id}", {**OPENING, "zone": 1}, "zone"),
    ("/schedules/{id}", {**OPENING, "intervals": [WRONG_WAY]}, "intervals"),
    ("/schedules/{id}", {**OPENING, "special_days": [{"calendar": "moon"}]}, "special_days"),
    ("/schedules/{id}", {**OPENING, "special_days": [{"calendar": "moon", "hours": [{"from_min": 5, "until_min": 4}]}]}, "special_days"),
    ("/schedules/{id}", {**OPENING, "first_day": "2026-02-01", "last_day": "2026-01-01"}, "last_day"),
    ("/schedules/{id}", {**OPENING, "first_day": "soon"}, "first_day"),
    ("/calendars/{id}", {"days": ["2026-02-30"]}, "days"),
    ("/profiles/{id}", {"doors": ["front"], "schedule": "moon"}, "schedule"),
    ("/profiles/{id}", {"doors": ["the front"], "schedule": "always"}, "doors"),
])  # fmt: skip
def test_a_rule_that_cannot_be_says_which_field_is_wrong(centre: Centre, path: str, body: Any, field: str) -> None:
    with pytest.raises(Unfit) as refusal:
        ask(centre, "PUT", path, body, id="office")
    assert (refusal.value.status, refusal.value.field) == (422, field)


def test_a_new_rule_takes_the_place_of_none_and_its_id_is_checked(centre: Centre) -> None:
    ask(centre, "PUT", "/schedules/{id}", OPENING, query={"new": "1"}, id="office")
    for id, status in (("office", 409), ("the office", 422)):
        with pytest.raises(Unfit) as refusal:
            ask(centre, "PUT", "/schedules/{id}", {**OPENING, "zone": "UTC"}, query={"new": "1"}, id=id)
        assert (refusal.value.status, refusal.value.field) == (status, "id")
    assert {each["id"]: each["zone"] for each in ask(centre, "GET", "/schedules")}["office"] == "Europe/Berlin"


@pytest.mark.parametrize(("method", "path", "body", "status", "words"), [
    ("GET", "/people/{id}", None, 404, {"id": "nobody"}),
    ("PATCH", "/people/{id}", {"id": "other"}, 400, {"id": "holder-1"}),
    ("PATCH", "/people/{id}", {"norms_consent": True}, 400, {"id": "holder-1"}),
    ("POST", "/people", {"id": "holder-1", "name": "Zoe"}, 409, {}),
    ("POST", "/people", {"name": "Zoe", "profiles": ["pilots"]}, 422, {}),
    ("POST", "/people/{id}/credentials", {"key": FOB}, 409, {"id": "holder-1"}),
    ("PATCH", "/credentials/{key}", {"state": "eaten"}, 400, {"key": FOB}),
    ("PUT", "/profiles/{id}", {"doors": ["front"], "schedule": "never"}, 422, {"id": "staff"}),
    ("PUT", "/profiles/{id}", {"doors": ["front"], "schedule": "always", "shedule": 1}, 422, {"id": "staff"}),
    ("PUT", "/profiles/{id}", {"id": "other", "doors": ["front"], "schedule": "always"}, 422, {"id": "staff"}),
    ("DELETE", "/profiles/{id}", None, 409, {"id": "staff"}),
    ("POST", "/people/import", b"nmae\n", 422, {}),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_a_sentence(
    centre: Centre, method: str, path: str, body: Any, status: int, words: dict
) -> None:
    centre.holder()
    with pytest.raises(Unfit) as refusal:
        ask(centre, method, path, body, **words)
    assert refusal.value.status == status
    assert " " in refusal.value.sentence


def test_a_file_is_tried_before_it_is_brought_in(centre: Centre) -> None:
    raw = "\ufeffid;name;profiles\nholder-1;Ada Lovelace;staff\nholder-2;Mary;pilots\n".encode()
    tried = ask(centre, "POST", "/people/import", raw, query={"dry_run": "1"})
    assert (tried["rows"], tried["new"], tried["applied"]) == (2, 1, False)
    sentence = "there is no profile 'pilots'; allowed: keepers, staff"
    assert tried["faults"] == [{"row": 3, "column": "profiles", "value": "pilots", "sentence": sentence}]
    assert ask(centre, "POST", "/people/import", raw, query={"skip_bad": "1"})["applied"]
    assert (
        ask(centre, "GET", "/people/export", role="privacy")
        .body.decode()
        .splitlines()[1]
        .startswith("holder-1,Ada Lovelace,staff,")
    )


BODIES = (b"", b"null", b"[]", b"{}", b'{"name": "\\u0000"}', b'{"name": "\\ud800"}', b'{"id": 1}', b"\xff", b'{"state": "lost"}',
          b"id,name\n\xff,b")  # fmt: skip
WORDS = ("", "holder-1", FOB, "\x00", "x" * 5000, "../..", "é", "*", "staff", "'; --")


def test_whatever_is_asked_has_a_clear_answer(centre: Centre) -> None:
    chance = random.Random(7)
    centre.holder()
    for each in endpoints(centre.people):
        for _ in range(40):
            path = {word: chance.choice(WORDS) for word in ("id", "key", "site", "door")}
            query = {word: chance.choice(WORDS) for word in ("text", "after", "limit")}
            asked = Ask(caller=Caller("mary", "manager"), now=NOW, path=path, query=query, body=chance.choice(BODIES))
            with contextlib.suppress(Unfit):  # anything else is a fault of ours
                each.work(asked)


@pytest.mark.system
def test_a_manager_at_a_browser_changes_people_and_a_guard_only_looks(tmp_path: Path) -> None:
    house = House(tmp_path)
    people = People(house.engine, house.clock, house.audit, Vault(KEY))
    people.put_schedule("ada", ALWAYS)
    house.gateway.add(endpoints(people))
    with house.open(), house.signed_in("ada", "manager") as manager, house.signed_in("bob", "guard") as guard:
        assert manager.put("/api/profiles/staff", json={"doors": ["hq/front"], "schedule": "always"}).status_code == 200
        made = manager.post("/api/people", json={"name": "Ada Lovelace", "profiles": ["staff"]})
        issued = manager.post(f"/api/people/{made.json()['id']}/credentials", json={"key": FOB})
        assert (made.status_code, issued.json()["credentials"][0]["key"]) == (200, FOB)
        assert manager.patch(f"/api/credentials/{FOB}", json={"state": "stolen"}).json() == {"key": FOB, "state": "stolen"}
        assert guard.get("/api/people").json()[0]["name"] == "Ada Lovelace"
        assert guard.post("/api/people", json={"name": "Eve"}).status_code == 403
        sheet = manager.get("/api/people/export")
        assert "attachment" in sheet.headers["content-disposition"]
        again = manager.post("/api/people/import", content=sheet.content, headers={"content-type": "text/csv"}).json()
        assert (again["unchanged"], again["bad"]) == (1, 0)


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/people"), ("PATCH", "/people/{id}"), ("POST", "/people/import"),
    ("POST", "/people/{id}/credentials"), ("DELETE", "/credentials/{key}"), ("PUT", "/profiles/{id}"), ("DELETE", "/profiles/{id}"),
    ("PUT", "/schedules/{id}"), ("PUT", "/calendars/{id}"),
])  # fmt: skip
def test_a_manager_of_one_site_changes_nothing_that_opens_doors_of_another(centre: Centre, method: str, path: str) -> None:
    words = {"id": "staff", "key": FOB}
    with pytest.raises(Unfit) as found:
        the(centre, method, path).work(Ask(caller=Caller("mary", "manager", sites=("lab",)), now=NOW, path=words, body=b"{}"))
    assert (found.value.status, found.value.code) == (403, "not_allowed")


def test_a_manager_of_one_site_bars_a_lost_fob_and_puts_none_in_use_again(centre: Centre) -> None:
    centre.holder()
    mark, mary = the(centre, "PATCH", "/credentials/{key}").work, Caller("mary", "manager", sites=("lab",))
    assert mark(Ask(caller=mary, now=NOW, path={"key": FOB}, body=b'{"state": "lost"}'))["state"] == "lost"
    with pytest.raises(Unfit, match="every site"):
        mark(Ask(caller=mary, now=NOW, path={"key": FOB}, body=b'{"state": "active"}'))
