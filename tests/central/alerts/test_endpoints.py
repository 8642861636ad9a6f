"""What the dashboard, and a browser that wants pushes, ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from central.alerts.endpoints import WATCH, endpoints
from central.gateway.asking import Ask, Unfit
from tests.central.alerts.house import Centre, add_account, event, risk
from tools.push_service import PushService


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return Centre(tmp_path)


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService().running() as running:
        yield running


def work(centre: Centre, method: str, path: str) -> Callable[[Ask], Any]:
    (found,) = (each.work for each in endpoints(centre.desk) if (each.method, each.path) == (method, path))
    return found


def body(told: Any) -> dict[str, Any]:
    return {"body": msgspec.json.encode(told), "content_type": "application/json"}


def test_alerts_are_for_guards_and_managers() -> None:
    assert {"guard", "manager"} == WATCH


def test_the_list_shows_what_is_open_and_everything_when_asked(centre: Centre) -> None:
    centre.happens(event("door.forced"), event("door.held", door="side", n=2))
    alerts = work(centre, "GET", "/alerts")
    centre.desk.close(1, "guard-1")
    assert [row.id for row in alerts(centre.ask())] == [2]
    assert [row.id for row in alerts(centre.ask(query={"state": "all"}))] == [2, 1]
    assert [row.id for row in alerts(centre.ask(query={"state": "all", "before": "2"}))] == [1]
    with pytest.raises(Unfit, match="open or all"):
        alerts(centre.ask(query={"state": "some"}))


def test_a_row_says_everything_that_the_dashboard_shows(centre: Centre) -> None:
    held = event(
        "access.held",
        cardholder="holder-1",
        hold_s=20.0,
        zone="lobby",
        sentences=["the risk is high: a guard decides"],
        risk=risk("high"),
    )
    centre.happens(held)
    (row,) = msgspec.json.decode(msgspec.json.encode(work(centre, "GET", "/alerts")(centre.ask())))
    assert (row["state"], row["person"], row["zone"], row["band"], row["escalation"]) == ("open", "holder-1", "lobby", "high", 3)
    assert row["reasons"][0] == "the risk is high: a guard decides"
    assert row["decide_by"] == "2026-03-02T08:30:20Z"
    assert {"id", "at", "site", "door", "kind", "title", "sentence", "event_n", "by", "next_at", "notes", "folded"} <= row.keys()


def test_a_sentence_names_people_as_people_do(tmp_path: Path) -> None:
    centre = Centre(tmp_path, person={"holder-1": "Ada Lovelace"}.__getitem__)
    centre.happens(
        event("access.denied", cardholder="holder-1", reasons=["face_mismatch"], sentences=["another face"], risk=risk("high"))
    )
    (row,) = work(centre, "GET", "/alerts")(centre.ask())
    assert row.sentence == "whoever held the fob of Ada Lovelace was not let in"


def test_a_guard_of_another_site_neither_sees_nor_acknowledges(centre: Centre) -> None:
    centre.happens(event("door.forced"))
    assert work(centre, "GET", "/alerts")(centre.ask(sites=("depot",))) == []
    with pytest.raises(Unfit, match="there is no alert 1"):
        work(centre, "POST", "/alerts/{id}/acknowledge")(centre.ask(sites=("depot",), path={"id": "1"}))


@pytest.mark.parametrize(
    ("name", "told", "state"),
    [("acknowledge", {}, "acknowledged"), ("close", {"note": "a delivery"}, "closed"), ("escalate", {}, "open")],
)
def test_what_a_guard_does(centre: Centre, name: str, told: dict[str, str], state: str) -> None:
    centre.happens(event("door.forced"))
    row = work(centre, "POST", f"/alerts/{{id}}/{name}")(centre.ask(path={"id": "1"}, **body(told)))
    assert row.state == state
    assert centre.audit.rows()[0].what == f"alert.{name}"
    assert "delivery" not in str(
        centre.audit.rows()[0].details
    )  # what people write goes with the alert; the audit log stays for ever


def test_a_note_is_kept_with_who_wrote_it(centre: Centre) -> None:
    centre.happens(event("door.forced"))
    row = work(centre, "POST", "/alerts/{id}/note")(centre.ask(path={"id": "1"}, **body({"text": "on my way"})))
    assert [(note.by, note.text) for note in row.notes][-1] == ("guard-1", "on my way")


@pytest.mark.parametrize("number", ["", "x", "-1", "1" * 19, "99", "²"])
def test_an_alert_that_is_none_is_not_found(centre: Centre, number: str) -> None:
    with pytest.raises(Unfit) as found:
        work(centre, "POST", "/alerts/{id}/acknowledge")(centre.ask(path={"id": number}))
    assert found.value.status == 404


@pytest.mark.parametrize(
    "told", [b"{", b"[]", b'{"text": ""}', b'{"text": 1}', b'{"text": "a", "other": 1}', b'{"text": "' + b"a" * 501 + b'"}']
)
def test_a_note_that_is_none_is_refused(centre: Centre, told: bytes) -> None:
    centre.happens(event("door.forced"))
    with pytest.raises(Unfit) as found:
        work(centre, "POST", "/alerts/{id}/note")(centre.ask(path={"id": "1"}, body=told))
    assert found.value.status == 400


def test_a_browser_signs_up_tries_and_signs_off(centre: Centre, service: PushService) -> None:
    assert len(work(centre, "GET", "/push/key")(centre.ask())["key"]) == 87
    told = service.subscription() | {"device": "my phone"}
    for _ in range(2):
        assert work(centre, "POST", "/push/subscriptions")(centre.ask(**body(told))) == {"devices": 1}
    (tried,) = work(centre, "POST", "/push/test")(centre.ask())
    assert (tried.device, tried.ok, tried.status) == ("my phone", True, 201)
    assert service.got[0].told["title"] == "Doorward: a test"
    gone = work(centre, "DELETE", "/push/subscriptions")
    assert gone(centre.ask("guard-2", **body({"endpoint": told["endpoint"]}))) == {"dropped": False}
    assert gone(centre.ask(**body({"endpoint": told["endpoint"]}))) == {"dropped": True}
    with pytest.raises(Unfit, match="no device of yours"):
        work(centre, "POST", "/push/test")(centre.ask())


def test_a_test_says_of_each_device_what_its_service_answered(centre: Centre, service: PushService) -> None:
    for name in ("a", "b", "c"):
        centre.device("guard-1", name, service)
    service.status_of = lambda path: {"/a": 201, "/b": 410, "/c": 403}[path]
    tried = work(centre, "POST", "/push/test")(centre.ask())
    assert [(each.device, each.ok, each.status) for each in tried] == [("a", True, 201), ("b", False, 410), ("c", False, 403)]
    assert [each.device for each in work(centre, "POST", "/push/test")(centre.ask())] == ["a", "c"]


def test_an_account_has_at_most_twenty_devices(centre: Centre, service: PushService) -> None:
    for number in range(22):
        told = work(centre, "POST", "/push/subscriptions")(centre.ask(**body(service.subscription(f"d{number}"))))
    assert told == {"devices": 20}


def test_no_other_address_is_taken_for_a_push_service(centre: Centre) -> None:
    told = PushService().subscription() | {"endpoint": "https://intranet.example/admin"}
    with pytest.raises(Unfit, match="no push service known here"):
        work(centre, "POST", "/push/subscriptions")(centre.ask(**body(told)))


def test_a_guard_goes_on_and_off_duty_and_a_manager_makes_the_roster(centre: Centre) -> None:
    put, get = work(centre, "PUT", "/duty"), work(centre, "GET", "/duty")
    put(centre.ask(**body({"account": "guard-1", "switch": "on"})))
    assert get(centre.ask())["now"] == ["guard-1"]
    with pytest.raises(Unfit, match="you may change your own duty"):
        put(centre.ask(**body({"account": "guard-2", "switch": "off"})))
    hours = [{"days": [0], "begin": "06:00", "end": "14:00"}]
    put(
        centre.ask(
            "boss", "manager", **body({"account": "guard-2", "hours": hours, "quiet": [{"begin": "22:00", "end": "06:00"}]})
        )
    )
    assert get(centre.ask())["now"] == ["guard-1", "guard-2"]
    told = {row["duty"]["account"]: row for row in get(centre.ask())["people"]}
    assert told["guard-2"]["duty"]["hours"][0]["end"] == "14:00"
    assert not told["boss"]["on_now"]


@pytest.mark.parametrize(
    "told",
    [{"account": "guard-1", "timezone": "Mars/Olympus"}, {"account": "guard-1", "hours": [{"begin": "25:00", "end": "06:00"}]},
     {"account": "guard-1", "hours": [{"days": [7], "begin": "05:00", "end": "06:00"}]},
     {"account": "guard-1", "hours": [{"days": [], "begin": "05:00", "end": "06:00"}]},
     {"account": "guard-1", "nonsense": 1}, {"account": "guard-1", "switch": "maybe"},
     {"account": "guard-1", "shifts": [{"begin": "2026-03-02T09:00:00Z", "end": "2026-03-02T08:00:00Z"}]}],
)  # fmt: skip
def test_a_roster_that_would_not_work_is_refused(centre: Centre, told: dict[str, Any]) -> None:
    with pytest.raises(Unfit) as found:
        work(centre, "PUT", "/duty")(centre.ask(**body(told)))
    assert found.value.status in (400, 422)


def test_nobody_is_put_on_duty_who_is_not_there(centre: Centre) -> None:
    with pytest.raises(Unfit, match="is no guard or manager"):
        work(centre, "PUT", "/duty")(centre.ask("boss", "manager", **body({"account": "ghost", "switch": "on"})))


def test_a_manager_of_one_site_takes_nobody_off_duty_who_watches_over_another(centre: Centre) -> None:
    add_account(centre.engine, "guard-lab", "guard", ("lab",))
    put, off = work(centre, "PUT", "/duty"), {"switch": "off"}
    put(centre.ask("lab-boss", "manager", ("lab",), **body({"account": "guard-lab", **off})))
    with pytest.raises(Unfit, match="nobody of the sites"):
        put(centre.ask("lab-boss", "manager", ("lab",), **body({"account": "guard-2", **off})))
