"""The program that kills a house: that nothing is lost, and that it would be seen."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import delete, func, select, update

from central.database.engine import writing
from central.database.opening import open_to_write
from central.database.tables_accounts import AUDIT
from central.database.tables_alerts import ALERTS
from central.database.tables_events import EVENTS
from tools.kills.audit import audit
from tools.kills.house import House
from tools.kills.run import Options, Run, plan


def test_as_often_the_broker_as_the_centre_as_a_door_and_the_same_for_the_same_seed():
    blows = plan(Options(kills=99), ["door-1", "door-2"])
    assert Counter(blow.victim.partition("-")[0] for blow in blows) == {"broker": 33, "central": 33, "door": 33}
    assert blows == plan(Options(kills=99), ["door-1", "door-2"]) != plan(Options(kills=99, seed=2), ["door-1", "door-2"])
    assert any(blow.waits for blow in blows)
    assert not all(blow.waits for blow in blows)


@pytest.mark.system
@pytest.mark.timeout(120)
def test_a_house_of_which_every_program_is_killed_loses_nothing_and_it_would_be_seen(tmp_path):
    house = House(tmp_path, doors=1, talkers=1)
    with Run(house, Options(kills=4)) as run:
        run.come_up()
        for victim in ("broker", "talker-1", "central", "door-1"):
            run.kill(victim)
        found = run.come_to_rest()
    assert run.stuck == []
    assert found.faults == []
    assert found.events > 100
    assert found.openings > 0
    whole = audit(house, [], 0.0)  # doors that ended have said so since then, and perhaps nobody heard it
    _spoil(house)
    spoilt = audit(house, ["no-such-order"], 0.0)
    assert (spoilt.lost - whole.lost, spoilt.strange, spoilt.orders_off_record, spoilt.alerts_wrong) == (1, 0, 1, 1)
    assert "row 1 " in spoilt.audit_broken


def _spoil(house: House) -> None:
    """One event less, another word in the audit log, an alert that tells of an event too many."""
    engine = open_to_write(house.database)
    with writing(engine) as db:
        one = db.scalar(select(func.min(EVENTS.c.n)).where(EVENTS.c.kind == "access.denied"))
        db.execute(delete(EVENTS).where(EVENTS.c.n == one))
        db.execute(update(AUDIT).where(AUDIT.c.n == 1).values(who="somebody else"))
        first = db.execute(select(ALERTS.c.id, ALERTS.c.rest).where(ALERTS.c.subject == "door.forced")).first()
        assert first is not None, "no door was forced: the test proves nothing"
        db.execute(update(ALERTS).where(ALERTS.c.id == first.id).values(rest={**first.rest, "folded": first.rest["folded"] + 1}))
    engine.dispose()
