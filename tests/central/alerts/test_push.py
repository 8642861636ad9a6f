"""Pushes to a real service on loopback that knows the centre's key and decrypts as a browser does."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ConfigError
from central.alerts import store
from central.alerts.push import HOSTS, PushClient, answer_of, fault_of_endpoint, fault_of_keys
from central.alerts.sender import by_apprise
from central.alerts.vapid import ensure_vapid, load_vapid
from central.alerts.wording import MOST_BYTES
from central.database.engine import reading
from central.settings import Alerts
from tests.central.alerts.house import Centre, event, risk
from tests.system.brokers import free_port, wait_until
from tools.push_service import PushService, b64


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService().running() as running:
        yield running


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path, people={"guard-1": "guard"})
    made.desk.sender.start()
    yield made
    made.desk.sender.stop()


def settled(centre: Centre, count: int) -> list[str]:
    """The states of what was to be sent, once nothing waits."""
    wait_until(
        lambda: len(centre.outbox()) >= count and all(row.attempts or row.state != "waiting" for row in centre.outbox()),
        15,
        "not sent",
    )
    return [row.state for row in centre.outbox()]


def test_a_push_arrives_as_it_was_written_and_under_the_centres_key(centre: Centre, service: PushService) -> None:
    centre.device("guard-1", "phone", service)
    centre.happens(
        event(
            "access.denied",
            reasons=["face_mismatch"],
            sentences=["the face is not the cardholder's"],
            zone="lobby",
            risk=risk("critical"),
        )
    )
    assert settled(centre, 1) == ["sent"]
    assert service.unfit == []
    (got,) = service.got
    assert got.told["title"] == "Another face than the fob's: hq/front"
    assert got.told["body"].splitlines()[0] == "Zone: lobby"
    assert [each["action"] for each in got.told["actions"]] == ["acknowledge", "open"]
    assert (got.headers["Urgency"], got.headers["Topic"], got.headers["Content-Encoding"]) == ("high", "alert-1", "aes128gcm")
    assert int(got.headers["TTL"]) >= 3600


def test_the_longest_push_fits_into_what_services_take(centre: Centre, service: PushService) -> None:
    client, told = PushClient(centre.desk.vapid), service.subscription()
    answer = client.send(told["endpoint"], **told["keys"], payload=b'"' + b"x" * (MOST_BYTES - 2) + b'"', severity="high")
    client.close()
    assert (answer.result, service.unfit) == ("sent", [])


@pytest.mark.parametrize("status", [404, 410])
def test_a_device_that_is_gone_is_dropped(centre: Centre, service: PushService, status: int) -> None:
    service.status_of = lambda path: status
    centre.device("guard-1", "phone", service)
    centre.happens(event("door.forced"))
    assert settled(centre, 1) == ["failed"]
    with reading(centre.engine) as db:
        assert store.devices(db) == []


def test_a_service_that_is_busy_is_asked_again(centre: Centre, service: PushService) -> None:
    answers = iter([503, 429, 201])
    service.status_of = lambda path: next(answers)
    centre.device("guard-1", "phone", service)
    centre.happens(event("door.forced"))

    def sent() -> bool:
        centre.clock.after(5)  # its pauses grow
        centre.desk.sender.wake()
        return [row.state for row in centre.outbox()] == ["sent"]

    wait_until(sent, 15, "not sent after two refusals")
    assert [row.attempts for row in centre.outbox()] == [3]


def test_what_could_not_be_sent_for_hours_is_given_up(centre: Centre, service: PushService) -> None:
    service.status_of = lambda path: 503
    centre.device("guard-1", "phone", service)
    centre.happens(event("camera.tamper", signs=["covered"]))
    settled(centre, 1)
    centre.clock.now += timedelta(hours=5)
    wait_until(lambda: [row.state for row in centre.outbox()] == ["failed"], 10, "still waiting")
    assert centre.outbox()[0].answer == "it could not be sent in time"


def test_a_service_that_hangs_holds_up_nobody_else(centre: Centre, service: PushService) -> None:
    release = threading.Event()
    with PushService().running() as hangs:
        hangs.status_of = lambda path: 200 + int(release.wait(30))
        for number in range(12):
            centre.device("guard-1", f"stuck-{number}", hangs)
        centre.device("guard-1", "phone", service)
        centre.happens(event("door.forced"))
        try:
            wait_until(lambda: len(service.got) == 1, 10, "the other service's push waits behind the one that hangs")
            assert hangs.got == []
        finally:
            release.set()


def test_what_was_acknowledged_before_it_was_sent_is_not_sent(tmp_path: Path, service: PushService) -> None:
    centre = Centre(tmp_path, people={"guard-1": "guard"})
    centre.device("guard-1", "phone", service)
    centre.happens(event("door.forced"))
    centre.desk.acknowledge(1, "guard-1")
    centre.desk.sender.start()
    wait_until(lambda: all(row.state != "waiting" for row in centre.outbox()), 10, "still waiting")
    centre.desk.sender.stop()
    assert service.got == []


def test_what_nobody_answered_goes_to_mail_and_messengers_too(tmp_path: Path) -> None:
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    centre = Centre(tmp_path, Alerts(apprise=(f"json://127.0.0.1:{server.server_port}/",)), people={})
    centre.desk.sender.start()
    centre.happens(event("door.forced"))
    wait_until(lambda: len(got) == 1, 15, "nothing came")
    centre.desk.sender.stop()
    server.shutdown()
    server.server_close()
    assert b"Door forced open: hq/front" in got[0]
    assert "127.0.0.1" not in str(centre.outbox()[0])  # addresses hold passwords and stay in the settings


def test_an_address_that_is_none_is_told_without_being_told() -> None:
    answer = by_apprise("nonsense://user:secret@x", "a", "b")
    assert answer.result == "refused"
    assert "secret" not in answer.sentence


@pytest.mark.parametrize(
    "endpoint",
    ["http://fcm.googleapis.com/x", "https://127.0.0.1/x", "https://evil.example/x", "https://fcm.googleapis.com.evil.example/x",
     "https://user@fcm.googleapis.com/x", "https://fcm.googleapis.com:8443/x", "https://notify.windows.com.evil/x", "file:///etc/passwd",
     "https://[::1/x", "", "https://fcm.googleapis.com/a b", "https://fcm.googleapis.com/" + "x" * 1000, "http://169.254.169.254/x",
     "https://xnotify.windows.com/x"],
)  # fmt: skip
def test_the_centre_calls_no_address_that_is_no_push_services(endpoint: str) -> None:
    assert fault_of_endpoint(endpoint).startswith("endpoint: ")


@pytest.mark.parametrize(
    "host", ["fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com", "wns2-par02p.notify.windows.com"]
)
def test_the_four_makers_services_are_known(host: str) -> None:
    assert fault_of_endpoint(f"https://{host}/wpush/v2/abc") == ""
    assert fault_of_endpoint(f"https://{host}/abc", hosts=()) != ""


def test_loopback_is_for_tests_only() -> None:
    assert fault_of_endpoint("http://127.0.0.1:9/x", HOSTS, loopback=True) == ""
    assert fault_of_endpoint("http://127.0.0.1:9/x", HOSTS) != ""
    assert fault_of_endpoint("http://10.0.0.1:9/x", HOSTS, loopback=True) != ""


def test_keys_that_are_none_are_refused() -> None:
    assert fault_of_keys(b64(b"\4" * 65), b64(b"x" * 16)) == ""
    for point, secret in ((b64(b"\4" * 64), b64(b"x" * 16)), (b64(b"\4" * 65), b64(b"x")), ("%", "%"), ("", "")):
        assert fault_of_keys(point, secret).startswith("keys: ")


def test_a_key_on_the_curve_that_is_no_point_ends_no_thread(centre: Centre, service: PushService) -> None:
    client = PushClient(centre.desk.vapid)
    answer = client.send(service.subscription()["endpoint"], b64(b"\4" + b"\1" * 64), b64(b"x" * 16), b"{}", "high")
    client.close()
    assert answer.result == "refused"


def test_nobody_answers_at_the_address(centre: Centre) -> None:
    client = PushClient(centre.desk.vapid)
    told = PushService().subscription()["keys"]
    assert client.send(f"http://127.0.0.1:{free_port()}/x", **told, payload=b"{}", severity="high").result == "again"
    client.close()


@pytest.mark.parametrize(
    ("status", "result"), [(201, "sent"), (410, "gone"), (403, "refused"), (429, "again"), (500, "again"), (302, "refused")]
)
def test_what_a_service_answers_is_understood(status: int, result: str) -> None:
    assert answer_of(status).result == result


def test_a_service_may_ask_for_patience() -> None:
    assert answer_of(429, "120").retry_after_s == 120
    assert answer_of(429, "Wed, 21 Oct 2026 07:28:00 GMT").retry_after_s == 0


def test_the_centres_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = ensure_vapid(tmp_path)
    key = load_vapid(path, "mailto:doors@example.org").public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_vapid(ensure_vapid(tmp_path), "mailto:doors@example.org").public == key
    path.write_text("no key")
    with pytest.raises(ConfigError, match=r"vapid\.key: cannot be read"):
        load_vapid(path, "mailto:doors@example.org")
