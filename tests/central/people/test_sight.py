"""An account of one site sees the people who may pass there, and nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from agent.core.access import AccessProfile
from central.gateway.asking import Ask, Caller, Reply, Unfit
from central.people.endpoints import endpoints
from central.people.sight import profiles_at
from tests.central.people.a_centre import NOW, Centre

PROFILES = {
    "everywhere": ("*",),
    "labs": ("lab/*",),
    "lab-door": ("lab/bench",),
    "any-front": ("front",),
    "hq-only": ("hq/front",),
}


@pytest.fixture
def centre(tmp_path: Path, engine: Engine) -> Centre:
    made = Centre(tmp_path, engine)
    for door in ("front", "bench"):
        made.people.put_door("ada", "lab", door, door.title(), bytes(32))
    for number, (id, doors) in enumerate(PROFILES.items(), 1):
        made.people.put_profile("ada", AccessProfile(id=id, doors=doors, schedule="always"))
        made.holder(f"of-{id}", f"H10301:1:{number}", profiles=(id,))
    made.holder("of-nothing", "H10301:1:90", profiles=())
    made.holder("of-two", "H10301:1:91", profiles=("hq-only", "lab-door"))
    return made


def asked(centre: Centre, what: str, *sites: str, **more: Any) -> Any:
    (work,) = [each.work for each in endpoints(centre.people) if (each.method, each.path) == ("GET", what)]
    answer = work(Ask(caller=Caller("mary", "manager", sites=sites), now=NOW, **more))
    return answer if isinstance(answer, Reply) else msgspec.json.decode(msgspec.json.encode(answer))


def listed(centre: Centre, *sites: str, **query: str) -> set[str]:
    return {row["id"] for row in asked(centre, "/people", *sites, query=query)}


def test_the_list_holds_who_may_pass_at_the_accounts_sites(centre: Centre) -> None:
    assert listed(centre, "lab") == {"of-everywhere", "of-labs", "of-lab-door", "of-any-front", "of-two"}
    assert listed(centre, "hq") == {"of-everywhere", "of-any-front", "of-hq-only", "of-two"}
    assert listed(centre, "hq", "lab") == listed(centre) - {"of-nothing"}
    assert listed(centre, "elsewhere") == {"of-everywhere"}


def test_neither_a_search_nor_a_fob_finds_somebody_of_another_site(centre: Centre) -> None:
    assert listed(centre, "lab", text="of-hq") == set()
    assert listed(centre, "lab", text="H10301:1:5") == set()
    assert listed(centre, "hq", text="H10301:1:5") == {"of-hq-only"}


def test_somebody_of_another_site_is_to_this_account_nobody(centre: Centre) -> None:
    for id in ("of-hq-only", "of-nothing", "who"):
        with pytest.raises(Unfit) as found:
            asked(centre, "/people/{id}", "lab", path={"id": id})
        assert (found.value.status, found.value.sentence) == (404, f"there is no cardholder '{id}'")
    assert asked(centre, "/people/{id}", "lab", path={"id": "of-two"})["name"] == "Ada Lovelace"


def test_the_file_holds_the_same_people_as_the_list(centre: Centre) -> None:
    lines = asked(centre, "/people/export", "lab").body.decode().splitlines()
    assert {line.split(",")[0] for line in lines[1:]} == listed(centre, "lab")


def test_who_loses_the_profile_is_out_of_sight_at_once(centre: Centre) -> None:
    centre.people.change("ada", "of-two", {"profiles": ("hq-only",)})
    assert "of-two" not in listed(centre, "lab")
    assert profiles_at(centre.people.book(), ["hq"]) == ["any-front", "everywhere", "hq-only", "keepers", "staff"]
