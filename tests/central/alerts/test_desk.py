"""What rings, whom, how often, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from central.alerts import desk, store
from central.alerts.routing import Duty, Hours
from central.certificates import Ending
from central.database.engine import reading, writing
from central.database.tables_events import GAPS
from central.gateway.asking import Unfit
from central.settings import AlertRoute, Alerts, Messenger
from tests.central.alerts.house import NOW, Centre, DoorNow, commit, database, event, risk
from tests.system.brokers import wait_until


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    made = Centre(tmp_path)
    for account in ("guard-1", "guard-2", "boss"):
        made.device(account, f"phone-of-{account}")
    return made


def on_duty(centre: Centre, account: str, **told: object) -> None:
    with writing(centre.engine) as db:
        store.save_duty(db, Duty(account=account, **{"switch": "on", **told}), "boss", NOW)  # type: ignore[arg-type]


def test_a_forced_door_rings_who_is_on_duty_then_all_guards_then_managers_until_somebody_answers(centre: Centre) -> None:
    on_duty(centre, "guard-1")
    centre.happens(event("door.forced"))
    assert centre.rang() == ["guard-1"]
    centre.later(30)
    assert centre.rang() == ["guard-1", "guard-1", "guard-2"]
    centre.later(30)
    assert sorted(centre.rang()[3:]) == ["boss", "guard-1", "guard-2"]
    centre.desk.acknowledge(centre.alerts[0].id, "guard-2")
    before = len(centre.outbox())
    centre.later(3600)
    assert len(centre.outbox()) == before


def test_when_nobody_is_on_duty_all_guards_are_rung_at_once(centre: Centre) -> None:
    centre.happens(event("door.forced"))
    assert centre.rang() == ["guard-1", "guard-2"]
    assert centre.alerts[0].step == 1


def test_an_alert_that_nobody_can_be_told_of_goes_to_the_managers_at_once(tmp_path: Path) -> None:
    centre = Centre(tmp_path)
    centre.device("boss", "phone")
    centre.happens(event("door.forced"))
    assert (centre.rang(), centre.alerts[0].step) == (["boss"], 2)


def test_a_critical_alert_rings_again_and_again_until_somebody_answers(centre: Centre) -> None:
    centre.happens(event("door.forced"))
    for _ in range(6):
        centre.later(300)
    assert centre.rang().count("guard-1") >= 6


def test_a_push_service_that_was_away_rings_once_and_not_for_every_step(centre: Centre) -> None:
    centre.happens(event("door.forced"))
    for _ in range(4):
        centre.later(300)
    assert len([row for row in centre.outbox() if row.account == "guard-1" and row.state == "waiting"]) == 1


def test_a_door_that_is_closed_again_ends_a_mild_alert_quietly(centre: Centre) -> None:
    centre.happens(event("door.held", after_s=30.0))
    centre.happens(event("door.closed", n=2))
    assert [alert.state for alert in centre.alerts] == ["closed"]
    assert [row.quiet for row in centre.outbox()][-1]
    centre.later(3600)
    assert centre.rang() == []  # what was not sent yet is called off


def test_a_door_that_is_opened_and_closed_all_the_time_rings_once(centre: Centre) -> None:
    on_duty(centre, "guard-1")
    for _ in range(10):
        centre.happens(event("door.held", after_s=30.0), event("door.closed"))
        centre.clock.after(10)
    assert len(centre.alerts) == 1
    assert centre.alerts[0].folded == 9
    assert len([row for row in centre.outbox() if not row.quiet]) == 1


def test_a_door_held_that_becomes_propped_is_the_same_alert_and_rings_again(centre: Centre) -> None:
    on_duty(centre, "guard-1")
    centre.happens(event("door.held", after_s=30.0), event("door.propped", after_s=300.0))
    assert [(a.severity, a.title, a.folded) for a in centre.alerts] == [("high", "Door propped open", 1)]
    assert centre.rang() == ["guard-1", "guard-1"]


def test_a_severe_alert_stays_on_the_list_when_it_is_over_until_somebody_has_looked(centre: Centre) -> None:
    centre.happens(event("camera.tamper", signs=["covered"]), event("camera.clear"))
    (alert,) = centre.alerts
    assert (alert.state, alert.over_at) == ("open", NOW)
    assert centre.desk.acknowledge(alert.id, "guard-1").state == "closed"


def test_vision_that_is_back_soon_was_no_alert(centre: Centre) -> None:
    centre.happens(event("vision.lost", status="stale"))
    assert centre.alerts == []
    centre.clock.after(10)
    centre.happens(event("vision.back"))
    centre.later(3600)
    assert (centre.alerts, centre.rang()) == ([], [])


def test_vision_that_stays_away_is_one(centre: Centre) -> None:
    centre.happens(event("vision.lost", status="stale"))
    centre.later(61)
    assert [alert.title for alert in centre.alerts] == ["Camera or vision gone"]
    assert centre.rang()


def test_somebody_who_waits_is_told_with_the_time_that_is_left_and_a_guards_answer_ends_it(centre: Centre) -> None:
    held = {"cardholder": "holder-1", "read": {"key": "H10301:1:5283"}, "hold_s": 20.0, "reasons": ["held_for_guard"]}
    centre.happens(event("access.held", **held, risk=risk("critical")))
    assert centre.alerts[0].decide_by == NOW + timedelta(seconds=20)
    answered = held | {"reasons": ["guard_let_in"]}
    centre.happens(event("access.granted", n=2, **answered, risk=risk("critical", guard="guard-2")))
    assert [(a.state, a.by) for a in centre.alerts] == [("closed", "guard-2")]


def test_somebody_who_waited_and_got_no_answer_is_still_to_be_looked_after(centre: Centre) -> None:
    held = {"cardholder": "holder-1", "read": {"key": "H10301:1:5283"}, "hold_s": 20.0, "reasons": ["held_for_guard"]}
    centre.happens(event("access.held", **held, risk=risk("high")))
    centre.clock.after(20)
    centre.happens(event("access.denied", n=2, **(held | {"reasons": ["no_guard_answered"]}), risk=risk("high")))
    (alert,) = centre.alerts
    assert (alert.state, alert.notes[0].text) == ("open", "nobody answered in time, and the door refused")
    centre.later(60)
    assert "boss" in centre.rang()


def test_two_people_who_wait_ring_twice(centre: Centre) -> None:
    on_duty(centre, "guard-1")
    for key in ("a", "b"):
        centre.happens(event("access.held", read={"key": key}, hold_s=20.0, risk=risk()))
    assert centre.rang() == ["guard-1", "guard-1"]
    centre.happens(event("access.denied", read={"key": "a"}, reasons=["guard_denied"], risk=risk(guard="guard-1")))
    assert [a.state for a in centre.alerts] == ["open"]  # the other one still waits


def test_duress_is_loud_to_guards_and_an_open_alert_of_another_kind_does_not_swallow_it(centre: Centre) -> None:
    centre.happens(event("access.denied", read={"key": "a"}, reasons=["face_mismatch"], risk=risk("ordinary")))
    centre.happens(
        event("access.granted", read={"key": "b"}, reasons=["face_match", "duress"], duress=True, risk={"alert": False})
    )
    assert centre.alerts[0].severity == "critical"
    assert "give no sign" in centre.alerts[0].title


def test_an_acknowledged_alert_of_one_person_does_not_hide_another(centre: Centre) -> None:
    for key in ("a", "b"):
        centre.happens(event("access.denied", read={"key": key}, reasons=["face_mismatch"], risk=risk("high")))
        centre.desk.acknowledge(centre.alerts[0].id, "guard-1")
        centre.clock.after(61)
    assert len(centre.alerts) == 2


def test_what_nobody_acknowledged_yesterday_does_not_swallow_what_happens_today(centre: Centre) -> None:
    on_duty(centre, "guard-1")
    centre.happens(event("access.denied", read={"key": "a"}, reasons=["face_mismatch"], risk=risk("ordinary")))
    centre.clock.after(20 * 3600)
    before = len(centre.rang())
    centre.happens(event("access.denied", read={"key": "b"}, reasons=["face_mismatch"], risk=risk("ordinary")))
    assert len(centre.rang()) > before


def test_quiet_hours_are_kept_but_for_what_is_critical(centre: Centre) -> None:
    for guard in ("guard-1", "guard-2"):
        on_duty(centre, guard, quiet=(Hours(begin="08:00", end="09:00"),))
    centre.happens(event("camera.tamper", signs=["covered"]))
    assert set(centre.rang()) == {"boss"}
    centre.happens(event("door.forced"))
    assert "guard-1" in centre.rang()


def test_a_route_of_the_site_sends_elsewhere_at_night_and_turns_off_what_nobody_wants(tmp_path: Path) -> None:
    night = AlertRoute(kinds=("door.held",), begin="20:00", end="06:00", to=("boss",), severity="high")
    centre = Centre(tmp_path, Alerts(routes=(night, AlertRoute(kinds=("camera.*",), off=True))))
    for account in ("guard-1", "boss"):
        centre.device(account, account)
    centre.happens(event("camera.tamper", signs=["covered"]), event("door.held", door="day"))
    assert centre.rang() == ["guard-1"]
    centre.clock.after(13 * 3600)
    centre.happens(event("door.held", door="night"))
    assert centre.rang()[-1] == "boss"
    assert centre.alerts[0].severity == "high"


def test_trouble_in_another_room_holds_up_no_alert(centre: Centre) -> None:
    def in_trouble(alerts: object) -> None:
        raise OSError("the web server is away")

    centre.desk.on_change(in_trouble)
    centre.areas = None  # type: ignore[assignment]
    centre.happens(event("door.forced"))
    assert centre.rang() == ["guard-1", "guard-2"]


def test_who_has_duty_in_a_part_of_the_building_is_rung_for_its_doors(centre: Centre) -> None:
    centre.areas = {"dock": "Goods in", "front": "Lobby"}
    on_duty(centre, "guard-1", zones=("Goods in",))
    on_duty(centre, "guard-2", zones=("Lobby",))
    centre.happens(event("camera.tamper", door="dock"))
    centre.happens(event("camera.tamper", door="front"))
    assert centre.rang() == ["guard-1", "guard-2"]
    assert centre.outbox()[0].payload["body"].startswith("Zone: Goods in")


def test_guards_are_rung_for_their_own_sites_only(tmp_path: Path) -> None:
    from tests.central.alerts.house import add_account

    centre = Centre(tmp_path, people={})
    for name, sites in (("here", ("hq",)), ("there", ("depot",)), ("everywhere", ())):
        add_account(centre.engine, name, "guard", sites)
        centre.device(name, name)
    centre.happens(event("door.forced"))
    assert sorted(centre.rang()) == ["everywhere", "here"]


def test_a_telephone_that_would_never_rest_gets_the_rest_in_one_line(tmp_path: Path) -> None:
    centre = Centre(tmp_path, Alerts(a_person=6, a_door=3), people={"guard-1": "guard"})
    centre.device("guard-1", "phone")
    for number in range(20):
        centre.happens(event("camera.tamper", door=f"door-{number}", signs=["covered"]))
    assert len(centre.rang()) == 6
    assert len(centre.rang("held_back")) == 14
    centre.happens(event("door.forced", door="vault"))
    assert len(centre.rang()) == 7
    centre.clock.after(301)
    for _ in range(2):
        centre.later(60)
    summaries = [row.payload["title"] for row in centre.outbox() if row.payload["tag"] == "more"]
    assert summaries
    assert summaries[0].startswith("14 more at hq/door-")


def test_a_door_that_is_away_for_long_is_told_once_and_is_over_when_it_is_back_for_good(centre: Centre) -> None:
    door = DoorNow("hq", "front", online=False, since=NOW)
    centre.doors.doors = [door]
    centre.later(59)
    assert centre.alerts == []
    centre.later(3)
    assert [alert.title for alert in centre.alerts] == ["Door offline"]
    door.online, door.since = True, centre.clock.now
    centre.later(5)
    assert centre.alerts[0].state == "open"
    centre.later(30)
    assert centre.alerts[0].state == "closed"


def test_doors_are_not_called_away_while_the_centre_itself_hears_nothing(centre: Centre) -> None:
    centre.doors.doors = [DoorNow("hq", "front", online=False, since=NOW)]
    centre.doors.is_connected = False
    centre.later(3600)
    assert centre.alerts == []


def test_events_that_never_came_are_an_alert_for_managers_until_they_come(centre: Centre) -> None:
    gap = {"site": "hq", "door": "front", "journal": "aa", "first": 3, "last": 5, "noticed": NOW}
    with writing(centre.engine) as db:
        db.execute(insert(GAPS).values(**gap))
    centre.later(901)
    assert [alert.sentence for alert in centre.alerts] == ["3 events that hq/front has counted have not come"]
    assert set(centre.rang()) == {"boss"}
    with writing(centre.engine) as db:
        db.execute(GAPS.update().values(closed=centre.clock.now))
    centre.later(61)
    assert centre.alerts[0].state == "closed"


def test_every_act_is_on_record(centre: Centre) -> None:
    centre.happens(event("door.forced"))
    number = centre.alerts[0].id
    centre.desk.note(number, "guard-1", "on my way")
    centre.desk.escalate(number, "guard-1")
    centre.desk.acknowledge(number, "guard-1")
    centre.desk.close(number, "guard-1", "a delivery")
    assert [row.what for row in centre.audit.rows()] == ["alert.close", "alert.acknowledge", "alert.escalate", "alert.note"]
    with pytest.raises(Unfit, match="was closed by guard-1"):
        centre.desk.acknowledge(number, "guard-2")


def test_whoever_escalates_tells_the_managers_at_once(centre: Centre) -> None:
    centre.happens(event("door.forced"))
    assert "boss" not in centre.rang()
    centre.desk.escalate(centre.alerts[0].id, "guard-1")
    assert "boss" in centre.rang()


def test_who_was_rung_is_told_quietly_that_somebody_deals_with_it(centre: Centre) -> None:
    centre.happens(event("door.forced"))
    centre.desk.acknowledge(centre.alerts[0].id, "guard-1")
    quiet = [(row.account, row.payload["quiet"]) for row in centre.outbox() if row.quiet]
    assert quiet == [("guard-2", True)]


def test_whoever_is_erased_is_in_no_alert_any_more(centre: Centre) -> None:
    centre.happens(event("access.denied", reasons=["face_mismatch"], cardholder="holder-1", risk=risk()))
    centre.happens(event("access.denied", door="side", reasons=["face_mismatch"], cardholder="holder-2", risk=risk()))
    with writing(centre.engine) as db:
        assert store.forget_person(db, "holder-1") == {"alerts": 1}
    assert "holder-1" not in str(centre.alerts)
    assert [alert.person for alert in centre.alerts] == ["holder-2", ""]


def test_a_desk_that_begins_does_not_ring_for_what_was_before_it(tmp_path: Path) -> None:
    engine = database(tmp_path)
    commit(engine, event("door.forced"))
    centre = Centre(tmp_path, engine=engine)
    centre.desk.turn()
    assert centre.alerts == []


def test_what_a_new_centre_hears_first_rings_although_its_desk_starts_after_its_historian(centre: Centre) -> None:
    commit(centre.engine, event("door.forced"))
    centre.desk.start()
    wait_until(lambda: bool(centre.alerts), 10, "nobody was told")
    centre.desk.stop()


def test_an_event_is_taken_once_however_often_the_desk_begins(centre: Centre) -> None:
    centre.happens(event("door.forced"))
    for _ in range(3):
        centre.desk.turn()
    assert (len(centre.alerts), centre.alerts[0].folded) == (1, 0)
    with reading(centre.engine) as db:
        assert db.scalar(select(store.ALERT_CURSORS.c.n)) == centre.alerts[0].event_n


def test_a_door_whose_clock_has_run_mad_holds_up_no_alert(centre: Centre) -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
    centre.happens(event("access.held", door="side", at=last, hold_s=20.0, risk=risk("high")), event("door.forced", n=2))
    assert {each.kind for each in centre.alerts} == {"access.held", "door.forced"}


def test_an_event_that_nobody_foresaw_is_passed_over_alone(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    known = desk.found_in
    monkeypatch.setattr(desk, "found_in", lambda told: 1 / 0 if told.door == "odd" else known(told))
    centre.happens(event("door.forced"), event("door.forced", door="odd", n=2), event("door.forced", door="side", n=3))
    assert sorted(each.door for each in centre.alerts) == ["front", "side"]


def test_who_is_on_duty_before_an_open_dashboard_is_told_by_it_and_others_when_they_do_not_answer(tmp_path: Path) -> None:
    centre = Centre(tmp_path, watching=lambda: frozenset({"guard-1"}))
    on_duty(centre, "guard-1")
    centre.device("guard-2", "phone")
    centre.happens(event("door.forced"))
    assert (centre.alerts[0].step, centre.rang()) == (0, [])
    centre.later(30)
    assert (centre.alerts[0].step, centre.rang()) == (1, ["guard-2"])


def test_a_dashboard_left_open_by_somebody_who_is_off_duty_tells_nobody(tmp_path: Path) -> None:
    centre = Centre(tmp_path, watching=lambda: frozenset({"auditor-1"}))
    centre.device("guard-2", "phone")
    centre.happens(event("door.forced"))
    assert centre.rang() == ["guard-2"]


def test_after_a_clock_that_was_ahead_alerts_are_escalated_sent_and_ring_anew(centre: Centre) -> None:
    """A centre that began in 2099 and was set right a minute later."""
    on_duty(centre, "guard-1")
    centre.clock.after(70 * 365 * 86400)
    centre.happens(event("door.forced"), event("door.held", door="back"))
    before = len(centre.rang())
    centre.clock.now = NOW
    centre.desk._tidy_due_s = centre.desk._doors_due_s = 0.0
    centre.later(0)
    assert len(centre.rang()) > before
    with reading(centre.engine) as db:
        assert store.waiting(db, NOW, 100, set())
        assert not [each for each in centre.alerts if each.quiet_until and each.quiet_until > NOW + timedelta(days=2)]
    before = len(centre.rang())
    centre.later(30)
    assert len(centre.rang()) > before


def test_a_door_that_went_under_a_clock_that_was_ahead_is_offline_all_the_same(centre: Centre) -> None:
    centre.doors.doors = [DoorNow("hq", "front", online=False, since=NOW + timedelta(days=9000))]
    centre.later(5)
    centre.later(65)
    assert [each.kind for each in centre.alerts] == ["door.offline"]
    centre.doors.doors = [DoorNow("hq", "front", since=NOW + timedelta(days=9000))]
    centre.later(5)
    assert not centre.alerts[0].parts


def certificate(until: datetime) -> dict[str, Any]:
    return {"health": {"link": {"certificate_until": until.isoformat()}}}


def test_a_certificate_that_ends_is_told_to_managers_ever_more_urgently_and_is_over_when_it_was_renewed(centre: Centre) -> None:
    door = DoorNow("hq", "front", states=certificate(NOW + timedelta(days=31)))
    centre.doors.doors = [door]
    centre.later(60)
    assert centre.alerts == []
    door.states = certificate(NOW + timedelta(days=20))
    for _ in range(3):
        centre.later(60)
    (mild,) = centre.alerts
    assert (mild.severity, mild.folded, mild.tells, centre.rang()) == ("notice", 0, ("managers",), [])
    assert "ends on 2026-03-22, in 19 days; renew it: doorward central renew FOLDER --door hq/front" in mild.sentence
    centre.desk.close(mild.id, "boss")
    centre.later(60)
    assert len(centre.alerts) == 1, "whoever has closed it has read it"
    door.states = certificate(NOW + timedelta(days=6))
    centre.later(60)
    assert (centre.alerts[0].severity, centre.rang()) == ("warning", ["boss"])
    door.states = certificate(NOW + timedelta(hours=5))
    centre.later(60)
    assert (len(centre.alerts), centre.alerts[0].severity) == (2, "high")
    door.states = certificate(NOW + timedelta(days=5 * 365))
    centre.later(60)
    assert centre.alerts[0].over_at is not None


def test_the_brokers_own_certificate_is_told_too(tmp_path: Path) -> None:
    ending = Ending(what="the broker's certificate", until=NOW + timedelta(days=3), mend="doorward central renew FOLDER --broker")
    centre = Centre(tmp_path, own_certificates=lambda: [ending])
    centre.device("boss", "phone")
    centre.later(60)
    assert (centre.alerts[0].door, centre.rang()) == ("centre", ["boss"])
    assert "the broker's certificate ends on 2026-03-05" in centre.alerts[0].sentence


NIGHTS = Messenger(apprise=("json://night",), sites=("hq",), severity="high", steps=(0, 2))
MAIL = Messenger(apprise=("json://mail",), kinds=("door.*",), quiet_begin="20:00", quiet_end="10:00")
"""Quiet at nine in the morning, when these alerts happen."""


def messengers_of(centre: Centre) -> list[str]:
    return [centre.desk.options.addresses[row.target].removeprefix("json://") for row in centre.outbox() if row.target]


def test_messengers_are_told_by_site_severity_and_step_beside_people_and_hold_up_nobodys_turn(tmp_path: Path) -> None:
    centre = Centre(tmp_path, Alerts(push_loopback=True, messengers=(NIGHTS, MAIL)))
    centre.device("guard-1", "phone")
    on_duty(centre, "guard-1")
    centre.happens(event("door.held"))
    assert messengers_of(centre) == [], "a warning is too mild for one, and comes in the quiet hours of the other"
    centre.happens(event("door.forced", 2, door="back"))
    assert messengers_of(centre) == ["night", "mail"], "what is critical is let through"
    centre.later(30)
    assert messengers_of(centre) == ["night", "mail"], "at the second step neither is told"
    centre.later(30)
    assert messengers_of(centre) == ["night", "mail", "night"]
    centre.happens(event("door.forced", 3, site="lab"))
    assert messengers_of(centre)[3:] == ["mail"]


def test_where_nobody_is_on_duty_a_messenger_does_not_stand_for_the_guards(tmp_path: Path) -> None:
    centre = Centre(tmp_path, Alerts(push_loopback=True, messengers=(NIGHTS,)))
    centre.device("guard-1", "phone")
    centre.happens(event("door.forced"))
    assert (centre.alerts[0].step, centre.rang()[-1]) == (1, "guard-1")
