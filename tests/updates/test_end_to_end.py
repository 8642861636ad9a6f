"""Updates from the centre's folder into a door, over a real broker, with cuts, kills and lies in the middle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest
from nacl.signing import SigningKey

from agent.records.keys import centre_private
from agent.updates import fetch
from agent.updates.in_force import Chosen, read_chosen, write_chosen
from agent.updates.order import Order, signed_order
from central.updates.packages import Unfit
from tests.system.brokers import Broker, running, wait_until
from tests.updates.a_site import CLOCK, Door, Site, hurry
from tests.updates.models import models

pytestmark = pytest.mark.system

STRICTER = '[policy]\nface_wait_s = 3.0\nliveness = "deny_attack"\n'
LATER = "[policy]\nface_wait_s = 4.0\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    hurry(monkeypatch)
    broker = Broker("mosquitto", tmp_path)
    with running(broker):
        site = Site(tmp_path, broker.port)
        try:
            yield site
        finally:
            site.close()


@contextmanager
def mallory(site: Site) -> Iterator[mqtt.Client]:
    """Somebody else at the broker."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", site.address.port)
    client.loop_start()
    yield client
    client.loop_stop()


def say(client: mqtt.Client, order: Order, key: SigningKey) -> None:
    client.publish(f"doorward/hq/front/update/order/{order.kind}", signed_order(order, key), qos=1).wait_for_publish(5)


def order_for(site: Site, number: int, **changes: object) -> Order:
    known = site.rollouts.orders()[0].serial
    fields = {"site": "hq", "door": "front", "kind": "rules", "serial": known + 1, "made": CLOCK.wall(),
              "package": site.packages.ordered(number)}  # fmt: skip
    return msgspec.convert(fields | changes, Order)


def test_rules_go_from_the_centre_into_force_and_back(site: Site) -> None:
    site.desk()
    door = site.door()
    number = site.rules(STRICTER, "2026.1")
    id = site.roll_out(number)
    door.wait_for("rules", number)
    site.wait_for(id, "done")
    assert (door.config.policy.face_wait_s, door.config.policy.liveness) == (3.0, "deny_attack")
    assert door.config.behaviour.enabled is False  # what the door's own file says and the update does not stays
    site.rollouts.take_back("ada", id, "the queue is too long")
    door.wait_for("rules", 0)
    wait_until(lambda: site.rollouts.one(id).members[0].state == "back", 10, "the centre does not hear of it")
    assert door.config.policy.face_wait_s == 2.0
    assert [each for each in door.kinds() if each != "update.good"] == ["update.in_force", "update.in_force"]


def test_rules_that_do_not_fit_this_door_are_refused_as_a_whole_and_the_last_good_ones_stay(site: Site) -> None:
    site.desk()
    door = site.door()
    good = site.rules(STRICTER, "2026.1")
    site.wait_for(site.roll_out(good), "done")
    wrong = site.rules("[timing]\npropped_s = 40.0\n[policy]\nmin_quality = 0.9\n", "2026.2")  # this door may stand open for 50 s
    stopped = site.wait_for(site.roll_out(wrong), "stopped")
    assert "`$.timing.propped_s` is 40.0: at least timing.held_open_s (50.0)" in stopped.rollout.why
    assert door.state().refused in stopped.rollout.why
    assert (door.state().number, door.config.policy.face_wait_s, door.config.policy.min_quality) == (good, 3.0, 0.2)
    door.stop()
    again = site.door()
    assert again.config.policy.face_wait_s == 3.0  # after a restart too


def test_what_no_door_would_take_is_not_even_taken_in(site: Site) -> None:
    with pytest.raises(Unfit, match=r"`lock` may not be changed from afar"):
        site.rules("[lock]\nfail = 'safe'\n", "1")
    with pytest.raises(Unfit, match=r"to be 0 or more|>= 0"):
        site.rules("[policy]\nface_wait_s = -1.0\n", "2")
    with pytest.raises(Unfit, match=r"`risk.automatic_lock_down` may be set to False from afar"):
        site.rules("[risk]\nautomatic_lock_down = true\n", "3")


def test_an_order_that_is_forged_old_or_for_another_door_changes_nothing(site: Site) -> None:
    site.desk()
    door = site.door()
    first, second = site.rules(STRICTER, "2026.1"), site.rules(LATER, "2026.2")
    site.wait_for(site.roll_out(first), "done")
    early = order_for(site, first, serial=site.rollouts.orders()[0].serial)
    site.wait_for(site.roll_out(second), "done")
    centre = centre_private(site.keys / "centre.key")
    with mallory(site) as client:
        say(client, early, centre)  # a true one, that somebody kept
        say(client, order_for(site, first), SigningKey.generate())
        say(client, order_for(site, first, door="vault"), centre)
        client.publish("doorward/hq/front/update/order/rules", b"{}", qos=1).wait_for_publish(5)
        wait_until(lambda: door.kinds().count("update.refused") == 3, 10, f"told: {door.kinds()}")
    assert (door.state().number, door.config.policy.face_wait_s) == (second, 4.0)


def test_an_older_version_comes_back_only_where_the_centre_says_that_it_goes_back(site: Site) -> None:
    site.desk()
    door = site.door()
    first, second = site.rules(STRICTER, "2026.1"), site.rules(LATER, "2026.2")
    site.wait_for(site.roll_out(second), "done")
    centre = centre_private(site.keys / "centre.key")
    with mallory(site) as client:
        say(client, order_for(site, first), centre)
        wait_until(lambda: "is older than 2026.2" in door.state().refused, 10, f"{door.state()}")
        assert door.config.policy.face_wait_s == 4.0
        say(client, order_for(site, first, serial=door.state().serial + 1, back=True), centre)
        door.wait_for("rules", first)
    assert door.config.policy.face_wait_s == 3.0


def test_a_part_that_was_tampered_with_is_never_written_and_the_true_one_is_asked_for_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.records.bundle_pieces.ASK_AGAIN_S", 0.2)
    desk, door = site.desk(), site.door()
    number = site.rules(STRICTER, "2026.1")
    served, lies = desk.packages.piece, []

    def lying(digest: bytes, at: int) -> bytes | None:
        piece = served(digest, at)
        if piece is not None and len(lies) < 3:
            lies.append(piece)
            return bytes(len(piece))
        return piece

    monkeypatch.setattr(desk.packages, "piece", lying)
    site.roll_out(number)
    door.wait_for("rules", number)
    assert len(lies) == 3
    assert door.config.policy.face_wait_s == 3.0


def test_a_door_that_ends_in_the_middle_of_its_models_goes_on_where_it_was(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, door = site.desk(), site.door()
    number = site.packages.add("ada", "models", models(site.folder / "new", "face_detector", "face_iris"), "2026.1").number
    served, sent = desk.packages.piece, list[tuple[bytes, int]]()

    def few(digest: bytes, at: int) -> bytes | None:
        if len(sent) >= 45:
            return None
        sent.append((digest, at))
        return served(digest, at)

    monkeypatch.setattr(desk.packages, "piece", few)
    site.roll_out(number)
    wait_until(lambda: len(sent) >= 45, 20, "nothing comes")
    parts = door.state("models").parts
    door.stop()
    here = set(sent)
    sent.clear()
    monkeypatch.setattr(desk.packages, "piece", lambda digest, at: sent.append((digest, at)) or served(digest, at))
    again = site.door()
    again.wait_for("models", number, 30)
    assert parts >= 8
    assert again.config.vision.models == str(again.folder / "updates" / "models" / str(number))
    assert len(here & set(sent)) < 12  # the part that was not whole is fetched again, the others are not
    assert not (again.folder / "updates" / "incoming" / "models").exists()


def test_a_door_that_ends_between_two_versions_runs_one_of_them_and_then_the_new_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.desk()
    door = site.door()
    number = site.rules(STRICTER, "2026.1")

    def cut(folder: Path, chosen: Chosen) -> None:
        if chosen.rules.number:
            raise OSError("the power went")
        write_chosen(folder, chosen)

    monkeypatch.setattr("agent.updates.post.write_chosen", cut)
    site.roll_out(number)
    wait_until(lambda: door.config.policy.face_wait_s == 3.0, 10, "nothing came")
    assert read_chosen(door.folder / "updates").rules.number == 0
    door.stop()
    monkeypatch.undo()
    hurry(monkeypatch)
    again = site.door()
    assert again.config.policy.face_wait_s == 2.0  # it was not in force for good
    again.wait_for("rules", number)
    wait_until(lambda: site.rollouts.all()[0].rollout.state == "done", 15, f"{site.rollouts.all()}")


def test_a_disk_that_is_too_full_says_so_and_the_update_comes_when_there_is_room(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "RESERVE_B", 1 << 60)
    monkeypatch.setattr("agent.updates.post.TRY_DISK_AGAIN_S", 0.3)
    site.desk()
    door = site.door()
    number = site.rules(STRICTER, "2026.1")
    site.roll_out(number)
    wait_until(lambda: "MB free; this update needs" in door.state().hindered, 10, f"{door.state()}")
    assert door.state().number == 0
    monkeypatch.setattr(fetch, "RESERVE_B", 1 << 20)
    door.wait_for("rules", number)
    assert door.state().hindered == ""


def test_models_with_which_vision_does_not_come_up_are_rolled_back_and_the_roll_out_stops(site: Site) -> None:
    site.desk()
    front, vault = site.door("front"), site.door("vault")
    number = site.packages.add("ada", "models", models(site.folder / "new", "face_detector"), "2026.1").number
    front.dies_with = vault.dies_with = number
    stopped = site.wait_for(site.roll_out(number, "front", "vault"), "stopped")
    assert "vision did not come up with it" in stopped.rollout.why
    assert front.state("models").number == 0
    assert front.config.vision.models == ""
    assert [member.state for member in stopped.members] == ["failed", "waiting"]
    assert vault.told == []


def test_models_that_give_vision_a_new_fault_are_rolled_back(site: Site) -> None:
    site.desk()
    door = site.door()
    door.vision_faults = ("camera: dusty",)
    number = site.packages.add("ada", "models", models(site.folder / "new", "face_detector"), "2026.1").number
    wait_until(lambda: door.post._vision is not None and bool(door.post._vision.faults), 5, "no fault yet")
    id = site.roll_out(number)
    wait_until(lambda: door.state("models").number == number, 15, "not in force")
    door.vision_faults = ("camera: dusty", "liveness: ValueError")
    assert "liveness: ValueError" in site.wait_for(id, "stopped").rollout.why
    assert door.state("models").number == 0


def test_another_embedder_is_refused_where_people_are_enrolled(site: Site) -> None:
    site.desk()
    door = site.door()
    number = site.packages.add("ada", "models", models(site.folder / "new", "face_embedder"), "2026.1").number
    id = site.roll_out(number)
    site.wait_for(id, "done")  # nobody is enrolled at this centre: the order says so
    centre = centre_private(site.keys / "centre.key")
    older = site.packages.add(
        "ada", "models", models(site.folder / "newer", "face_embedder", typical_length=1.0), "2026.2"
    ).number
    assert site.packages.embedder_of(older) == site.packages.embedder_of(number)
    with mallory(site) as client:
        third = models(site.folder / "third", "face_embedder")
        (third / "face_embedder.tflite").write_bytes((third / "face_embedder.tflite").read_bytes() + bytes(16))
        _resum(third, "face_embedder")
        other = site.packages.add("ada", "models", third, "2026.3").number
        say(client, order_for(site, other, kind="models", new_embedder=False), centre)
        wait_until(
            lambda: "templates of two networks cannot be compared" in door.state("models").refused, 15, f"{door.state('models')}"
        )
    assert door.state("models").number == number


def _resum(folder: Path, role: str) -> None:
    import hashlib
    import json

    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["models"]:
        if entry["role"] == role:
            entry["sha256"] = hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_centre_refuses_another_embedder_while_people_are_enrolled_with_this_one(site: Site) -> None:
    from sqlalchemy import insert

    from central.database.engine import writing
    from central.database.tables_people import TEMPLATES

    with site.engine.begin() as db:
        db.exec_driver_sql("PRAGMA foreign_keys=OFF")
    number = site.packages.add("ada", "models", models(site.folder / "new", "face_embedder"), "2026.1").number
    row = {column.name: _some(column) for column in TEMPLATES.columns if not column.nullable or column.primary_key}
    with writing(site.engine) as db:
        db.exec_driver_sql("PRAGMA defer_foreign_keys=1")
        db.exec_driver_sql("PRAGMA foreign_keys=OFF")
        _cardholder(db)
        db.execute(insert(TEMPLATES).values(row | {"cardholder": "holder-1", "embedder_id": "0123456789ab"}))
    with pytest.raises(Unfit, match="1 people are enrolled with another network"):
        site.roll_out(number)


def _some(column: object) -> object:
    kind = column.type.python_type if hasattr(column.type, "python_type") else int  # type: ignore[attr-defined]
    return {int: 1, str: "x", bytes: b"x", float: 1.0, bool: False}.get(kind, CLOCK.wall())


def _cardholder(db: object) -> None:
    from sqlalchemy import insert

    from central.database.tables_people import CARDHOLDERS

    row = {column.name: _some(column) for column in CARDHOLDERS.columns if not column.nullable}
    db.execute(insert(CARDHOLDERS).values(row | {"id": "holder-1"}))  # type: ignore[attr-defined]


def test_models_beside_those_in_force_change_nothing_until_a_person_says_so(site: Site) -> None:
    site.desk()
    door = site.door()
    number = site.packages.add("ada", "models", models(site.folder / "new", "face_detector"), "2026.1").number
    site.wait_for(site.roll_out(number, shadow=True), "done")
    assert (door.state("models").shadow, door.state("models").number, door.config.vision.models) == (number, 0, "")
    counts = door.state("models").compared
    assert counts is not None
    assert counts.number == number
    site.wait_for(site.roll_out(number), "done")  # promoted: nothing is fetched again
    assert (door.state("models").shadow, door.state("models").number) == (0, number)
    assert door.state("models").compared is None


def test_somebody_at_the_door_goes_back_at_once_and_the_same_order_does_not_undo_it(site: Site) -> None:
    site.desk()
    door = site.door()
    number = site.rules(STRICTER, "2026.1")
    site.wait_for(site.roll_out(number), "done")
    assert os.system(f"{os.sys.executable} -m agent.cli update roll-back rules --config {door.file} 2>/dev/null") == 0  # type: ignore[attr-defined]
    assert (door.state().number, door.config.policy.face_wait_s) == (0, 2.0)
    assert "asked for at the door itself" in door.state().refused
    door.stop()
    again = site.door()
    wait_until(lambda: again.link.is_connected and "rules" in again.post._orders, 10, "the order was not heard again")
    assert again.state().number == 0


def test_a_killed_centre_goes_on_with_its_roll_out(site: Site) -> None:
    desk = site.desk()
    doors: list[Door] = [site.door(name) for name in ("front", "vault", "cellar")]
    number = site.rules(STRICTER, "2026.1")
    id = site.roll_out(number, "front", "vault", "cellar")
    doors[0].wait_for("rules", number)
    site.end(desk)
    site.desk()
    site.wait_for(id, "done", 30)
    for door in doors:
        door.wait_for("rules", number)
