"""The same day of alerts on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from central.alerts import store
from central.database.engine import open_database, writing
from central.database.migrate import upgrade
from central.database.tables_events import GAPS
from central.settings import Alerts
from tests.central.alerts.house import NOW, Centre, DoorNow, event, risk

pytestmark = pytest.mark.system


def test_a_day_of_alerts_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    engine = open_database(postgres_url)
    upgrade(engine)
    centre = Centre(tmp_path, Alerts(a_person=2, a_door=2), engine=engine)
    for account in ("guard-1", "boss"):
        centre.device(account, f"phone-of-{account}")
    centre.happens(event("door.forced"), event("vision.lost"), event("camera.tamper"), event("door.held"), event("door.closed"))
    assert [(a.subject, a.state) for a in centre.alerts] == [
        ("door.held", "closed"),
        ("camera.tamper", "open"),
        ("door.forced", "open"),
    ]
    for door in ("a", "b", "c"):
        centre.happens(event("access.denied", door=door, cardholder="holder-1", reasons=["face_mismatch"], risk=risk()))
    assert centre.rang("held_back")
    with writing(engine) as db:
        db.execute(insert(GAPS).values(site="hq", door="front", journal="aa", first=3, last=5, noticed=NOW))
    centre.doors.doors = [DoorNow("hq", "side", online=False, since=NOW)]
    for _ in range(20):
        centre.later(60)
    assert {"vision.lost", "door.offline", "journal.gap"} <= {alert.subject for alert in centre.alerts}
    assert "more" in {row.payload["tag"] for row in centre.outbox()}
    centre.desk.acknowledge(centre.alerts[-1].id, "guard-1")
    with writing(engine) as db:
        assert store.forget_person(db, "holder-1") == {"alerts": 3}
    engine.dispose()
