"""Who may watch a door, what is on record of it, and what becomes of a door that does not answer. The door's own part: tests/media."""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from aiortc import RTCSessionDescription
from nacl.signing import SigningKey
from paho.mqtt import publish
from sqlalchemy import insert, select, update

from agent.clock import SystemClock
from agent.errors import ConfigError
from agent.link.session import Address
from central.database.engine import open_database, reading, sqlite_url, writing
from central.database.migrate import upgrade
from central.database.tables_accounts import ACCOUNTS
from central.database.tables_events import EVENTS
from central.database.tables_live import CLIPS
from central.gateway.asking import Ask, Caller, Unfit
from central.gateway.audit import AuditLog
from central.gateway.door_book import DoorBook
from central.history.forgetting import forget_person as forget_events
from central.live.clips import ClipDesk
from central.live.clips import forget_person as forget_clips
from central.live.desk import WATCH, LiveDesk, Opened
from central.live.endpoints import endpoints
from central.live.sessions import Asked, Sessions
from central.live.turn import IceServers, credentials
from central.settings import Live
from tests.media.media_house import Browser, MediaHouse
from tests.system.brokers import Broker, wait_until

GUARD, MANAGER, AUDITOR = Caller("ada", "guard"), Caller("grace", "manager"), Caller("katherine", "auditor")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)
SDP = "v=0 m=video and so on"
ADA = {"name": "ada", "shown": "Ada", "role": "guard", "sites": [], "password": "", "totp": "", "totp_step": 0, "disabled": False,
       "made": NOW, "changed": NOW}  # fmt: skip


class Centre:
    """The live room of a centre, asked as the gateway asks it."""

    def __init__(self, folder: Path, port: int, **settings: object) -> None:
        self.book = DoorBook(Address(port=port), SystemClock())
        self.engine = open_database(sqlite_url(folder / "central.db"))
        upgrade(self.engine)
        self.audit = AuditLog(self.engine, SystemClock())
        self.desk = LiveDesk(self.engine, Live(**settings), Address(port=port), SystemClock(), self.audit,
                             why_away=self.book.why_away)  # fmt: skip
        self.key = SigningKey.generate()
        self.clips = ClipDesk(self.engine, Live(**settings), Address(port=port), SystemClock(), self.audit, self.key,
                              why_away=self.book.why_away)  # fmt: skip
        self.endpoints = endpoints(self.desk, self.clips)
        self._work = {(each.method, each.path): each for each in self.endpoints}

    def start(self) -> None:
        self.desk.start()
        self.clips.start()
        wait_until(lambda: self.desk.is_connected and self.clips.is_connected, 40, "the desk does not reach the broker")

    def stop(self) -> None:
        self.desk.stop()
        self.clips.stop()

    def ask(self, method: str, path: str, caller: Caller, body: object = None, **words: str) -> object:
        endpoint = self._work[method, path]
        assert caller.role in endpoint.allowed
        return endpoint.work(Ask(caller=caller, now=SystemClock().wall(), path=words, body=msgspec.json.encode(body)))

    def watch(self, caller: Caller = GUARD, **changes: object) -> Opened:
        body = {"site": "hq", "door": "front", "why": "alert 17", "sdp": SDP} | changes
        answer = self.ask("POST", "/live", caller, body)
        assert isinstance(answer, Opened)
        return answer

    def record(self) -> list[tuple[str, str, str]]:
        return [(row.who, row.what, row.about) for row in reversed(self.audit.rows())]


def refused(work, status: int, code: str) -> str:
    with pytest.raises(Unfit) as caught:
        work()
    assert (caught.value.status, caught.value.code) == (status, code)
    return caught.value.sentence


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[Centre]:
    """A centre whose broker is away."""
    centre = Centre(tmp_path, port=9)
    yield centre
    centre.stop()


@pytest.mark.parametrize("changes", [{"why": ""}, {"why": "x" * 201}, {"sdp": "x" * 70_000}, {"site": "HQ/+"}, {"door": "#"}, {"sdp": 7},
                                     {"more": 1}])  # fmt: skip
def test_what_cannot_be_asked_is_refused_and_leaves_no_session(deaf, changes):
    refused(lambda: deaf.watch(**changes), 400, "malformed")
    assert deaf.record() == []


def test_a_guard_may_not_see_bystanders_unless_the_site_says_so(deaf):
    refused(lambda: deaf.watch(unmask=True), 403, "may_not_unmask")
    refused(lambda: deaf.watch(MANAGER, unmask=True), 503, "no_broker")
    state = deaf.ask("GET", "/live/{site}/{door}/state", GUARD, site="hq", door="front")
    assert state["may_unmask"] is False
    assert deaf.ask("GET", "/live/{site}/{door}/state", MANAGER, site="hq", door="front")["may_unmask"] is True


def test_an_account_of_another_site_does_not_even_learn_that_the_door_is_there(deaf):
    refused(lambda: deaf.watch(Caller("mary", "guard", sites=("lab",))), 404, "unknown_site")


def test_without_a_connection_to_the_broker_nobody_is_asked(deaf):
    refused(deaf.watch, 503, "no_broker")
    assert deaf.record() == []


def test_turn_passwords_are_those_of_the_formula_and_hold_for_a_while(tmp_path):
    """coturn's documentation gives the formula as this command line."""
    secret = tmp_path / "turn.secret"
    secret.write_text("north-south-east-west\n")
    secret.chmod(0o600)
    settings = Live(turn=("turn:127.0.0.1:3478",), stun=("stun:127.0.0.1:3478",), turn_secret_file=str(secret), turn_valid_min=10)
    stun, turn = IceServers(settings).given_to("ada", NOW)
    expires = int((NOW + timedelta(minutes=10)).timestamp())
    assert turn.username == f"{expires}:ada"
    script = 'printf %s "$0" | openssl dgst -binary -sha1 -hmac north-south-east-west | openssl base64'
    assert turn.credential == subprocess.check_output(["sh", "-c", script, turn.username], text=True).strip()
    assert (stun.urls, stun.credential) == (("stun:127.0.0.1:3478",), "")
    assert credentials(turn.urls, b"another secret", "ada", NOW).credential != turn.credential


@pytest.mark.parametrize(
    ("text", "mode", "complaint"), [("", 0o600, "at least 16"), ("long enough as a secret", 0o644, "chmod 600")]
)
def test_a_turn_secret_that_is_weak_or_open_stops_the_start(tmp_path, text, mode, complaint):
    secret = tmp_path / "turn.secret"
    secret.write_text(text)
    secret.chmod(mode)
    with pytest.raises(ConfigError, match=complaint):
        IceServers(Live(turn=("turn:127.0.0.1",), turn_secret_file=str(secret)))
    with pytest.raises(ConfigError, match="turn_secret_file"):
        IceServers(Live(turn=("turn:127.0.0.1",)))


@pytest.mark.system
def test_a_door_that_does_not_answer_is_no_open_session_and_is_on_record(tmp_path):
    broker = Broker("mosquitto", tmp_path)
    broker.start()
    centre = Centre(tmp_path, broker.port, answer_s=1.0)
    centre.start()
    try:
        assert "did not answer within 1 s" in refused(centre.watch, 504, "no_answer")
        assert centre.record() == [("ada", "live.asked", "hq/front"), ("ada", "live.ended", "hq/front")]
        assert centre.desk.watching("hq", "front") == []
    finally:
        centre.stop()
        broker.kill()


@pytest.mark.system
def test_a_door_that_is_offline_is_not_waited_for_and_the_guard_reads_since_when(tmp_path):
    broker = Broker("mosquitto", tmp_path)
    broker.start()
    centre = Centre(tmp_path, broker.port, answer_s=30.0, clip_answer_s=60.0)
    row = {"n": 7, "site": "hq", "door": "front", "journal": "j", "sequence": 7, "id": "id-7", "kind": "door.forced", "at": NOW,
           "received": NOW, "mono_s": 1.0, "data": {}, "person": "", "alert": True}  # fmt: skip
    with writing(centre.engine) as connection:
        connection.execute(insert(EVENTS).values(row))
    centre.start()
    centre.book.start()
    try:
        wait_until(lambda: centre.book.is_connected, 40, "the book does not reach the broker")
        for word in (b"true", b"false"):  # it was there, and went
            publish.single("doorward/hq/front/online", word, 1, False, "127.0.0.1", broker.port)
            wait_until(lambda word=word: _is_online(centre) == (word == b"true"), 40, "the book does not hear the door")
        sentence = refused(centre.watch, 409, "offline")
        assert re.fullmatch(r"the door is offline since 20\d\d-\d\d-\d\d \d\d:\d\d UTC: it decides by itself .*", sentence)
        assert centre.record() == [], "nobody was asked for a picture"
        wanted = {"site": "hq", "door": "front", "event_n": 7}
        assert refused(lambda: centre.ask("POST", "/clips", GUARD, wanted), 409, "offline") == sentence
    finally:
        centre.book.stop()
        centre.stop()
        broker.kill()


def _is_online(centre: Centre) -> bool | None:
    now = centre.book.now("hq", "front")
    return now.online if now else None


@pytest.mark.system
def test_a_guard_watches_through_the_centre_and_every_step_is_on_record(tmp_path):
    house = MediaHouse(tmp_path)
    house.open()
    centre = Centre(tmp_path, house.broker.port)
    centre.start()

    async def play() -> None:
        browser = Browser(house)
        await browser.peer.setLocalDescription(await browser.peer.createOffer())
        sdp = browser.peer.localDescription.sdp
        opened = await asyncio.to_thread(centre.watch, sdp=sdp)
        await browser.peer.setRemoteDescription(RTCSessionDescription(opened.sdp, "answer"))
        await browser.sees(lambda picture: True, "no picture")
        (watching,) = centre.ask("GET", "/live/{site}/{door}/state", AUDITOR, site="hq", door="front")["watching"]
        assert (watching.who, watching.why, watching.unmasked) == ("ada", "alert 17", False)
        refused(
            lambda: centre.ask("DELETE", "/live/{session}", Caller("mary", "guard"), session=opened.session), 403, "not_yours"
        )
        centre.ask("DELETE", "/live/{session}", GUARD, session=opened.session)
        wait_until(lambda: bool(house.told("live.ended")), 40, "the door goes on showing")
        second = Browser(house)
        await second.peer.setLocalDescription(await second.peer.createOffer())
        await asyncio.to_thread(centre.watch, MANAGER, sdp=second.peer.localDescription.sdp, unmask=True)
        house.media.terminate()  # the door ends it: the centre hears
        wait_until(lambda: not centre.desk.watching("hq", "front"), 40, "the centre believes that somebody watches still")
        await browser.close()
        await second.close()

    try:
        asyncio.run(play())
        assert centre.record()[:4] == [("ada", "live.asked", "hq/front"), ("ada", "live.ended", "hq/front"),
                                       ("grace", "live.asked", "hq/front"), ("door", "live.ended", "hq/front")]  # fmt: skip
    finally:
        centre.stop()
        house.close()


@pytest.mark.parametrize(
    "changes",
    [{"disabled": True}, {"role": "installer"}, {"sites": ["lab"]}, {"password": "new", "changed": NOW + timedelta(seconds=1)}],
)
def test_whose_account_may_no_longer_watch_is_found(deaf, changes):
    with writing(deaf.engine) as connection:
        connection.execute(insert(ACCOUNTS).values(ADA))
    sessions = Sessions(deaf.engine, deaf.audit)
    sessions.asked(Asked(session="session-1", site="hq", door="front", who="ada", why="alert", unmasked=False), NOW)
    assert sessions.open_of_others_than(WATCH) == []
    with writing(deaf.engine) as connection:
        connection.execute(update(ACCOUNTS).values(changes))
    assert [each.session for each in sessions.open_of_others_than(WATCH)] == ["session-1"]


def test_no_door_ends_the_record_of_who_watches_another(deaf):
    sessions = Sessions(deaf.engine, deaf.audit)
    for door in ("front", "back"):
        sessions.asked(Asked(session=f"session-{door}", site="hq", door=door, who="ada", why="alert", unmasked=False), NOW)
        sessions.answered(f"session-{door}", NOW)
    for session in ("session-front", "session-back"):
        deaf.desk.message(f"doorward/hq/back/rtc/{session}/bye", b'{"by": "door"}', False)
    deaf.desk.turn(None, 0.0)
    assert [each.session for each in deaf.desk.watching("hq", "front")] == ["session-front"]
    assert deaf.desk.watching("hq", "back") == []


def test_a_film_whose_time_is_over_is_gone_though_nobody_fetched_another_since(deaf):
    with writing(deaf.engine) as connection:
        old = SystemClock().wall() - timedelta(days=31)
        connection.execute(
            insert(CLIPS).values(event_n=1, site="hq", door="front", event="id-1", who="ada", fetched=old, sealed=b"")
        )
    refused(lambda: deaf.clips.film(GUARD, 1), 404, "no_clip")
    deaf.clips.turn(None, 0.0)
    with reading(deaf.engine) as connection:
        assert connection.execute(select(CLIPS)).all() == []


def test_a_film_of_somebody_who_is_erased_goes_with_them_and_no_door_is_asked_for_another(deaf):
    event = {"site": "hq", "door": "front", "journal": "aa", "kind": "access.denied", "at": NOW, "received": NOW, "mono_s": 0.0,
             "alert": True}  # fmt: skip
    with writing(deaf.engine) as connection:
        for n, person in ((1, "holder-1"), (2, "holder-2")):
            connection.execute(
                insert(EVENTS).values(n=n, sequence=n, id=f"id-{n}", person=person, data={"cardholder": person}, **event)
            )
            connection.execute(
                insert(CLIPS).values(event_n=n, site="hq", door="front", event=f"id-{n}", who="ada", fetched=NOW, sealed=b"")
            )
        assert forget_clips(connection, "holder-1") == {"clips": 1}
        forget_events(connection, "holder-1")
        assert connection.execute(select(CLIPS.c.event_n)).scalars().all() == [2]
    refused(lambda: deaf.clips.fetch(GUARD, "hq", "front", 1, "curious"), 410, "forgotten")
    refused(lambda: deaf.clips.film(GUARD, 1), 404, "no_clip")


@pytest.mark.system
def test_an_account_that_is_disabled_while_it_watches_sees_no_more(tmp_path):
    house = MediaHouse(tmp_path)
    house.open()
    centre = Centre(tmp_path, house.broker.port)
    with writing(centre.engine) as connection:
        connection.execute(insert(ACCOUNTS).values(ADA))
    centre.start()

    async def play() -> None:
        browser = Browser(house)
        await browser.peer.setLocalDescription(await browser.peer.createOffer())
        await asyncio.to_thread(centre.watch, sdp=browser.peer.localDescription.sdp)
        with writing(centre.engine) as connection:
            connection.execute(update(ACCOUNTS).values(disabled=True))
        wait_until(lambda: bool(house.told("live.ended")), 40, "a disabled account still watches")
        assert house.told("live.ended")[0]["reason"] == "the account may no longer watch"
        assert centre.desk.watching("hq", "front") == []
        await browser.close()

    try:
        asyncio.run(play())
    finally:
        centre.stop()
        house.close()


@pytest.mark.system
def test_another_door_cannot_answer_for_this_one(tmp_path):
    broker = Broker("mosquitto", tmp_path)
    broker.start()
    centre = Centre(tmp_path, broker.port, answer_s=2.0)
    centre.start()
    other = Liar(broker.port)
    try:
        refused(centre.watch, 504, "no_answer")
        assert other.lied.is_set()
    finally:
        other.close()
        centre.stop()
        broker.kill()


class Liar:
    """A door that answers every offer under its own name."""

    def __init__(self, port: int) -> None:
        import paho.mqtt.client as mqtt

        self.lied, ready = threading.Event(), threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda client, data, message: self._lie(message.topic)
        self.client.on_connect = lambda client, *_: client.subscribe("doorward/+/+/rtc/+/offer", 1)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert ready.wait(10)

    def _lie(self, topic: str) -> None:
        session = topic.split("/")[4]
        self.client.publish(f"doorward/hq/back/rtc/{session}/answer", b'{"ok": true, "sdp": "v=0"}', qos=1)
        self.lied.set()

    def close(self) -> None:
        self.client.loop_stop()
        self.client.disconnect()
