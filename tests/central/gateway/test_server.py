"""The web server as a browser meets it: real sockets, real requests."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pyotp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import ConfigError
from central.gateway.app import MOST_AT_ONCE
from central.gateway.asking import EVERYBODY, Ask, Endpoint
from central.gateway.server import WebServer
from central.settings import Gateway as Settings
from tests.central.gateway.house import PASSWORD, House, told

OWN = {"own_password": PASSWORD}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>Doorward</title>" + "<!-- -->" * 100)
    (dist / "sw.js").write_text("self.x = 1")
    (dist / "assets" / "index-abc123.js").write_text("let doors = 1;" * 100)
    (dist / "manifest.webmanifest").write_text("{}")
    (tmp_path / "secret.txt").write_text("not for browsers")
    with House(tmp_path).open() as house:
        yield house


def test_nobody_sees_a_door_without_signing_in(house: House) -> None:
    with house.browser() as browser:
        answer = browser.get("/api/doors")
    assert answer.status_code == 401
    assert answer.json()["error"] == "signed_out"


def test_whoever_signs_in_sees_doors_and_what_happened_there(house: House) -> None:
    house.hear("doorward/hq/front/online", b"true")
    house.hear("doorward/hq/front/state/mode", b'{"value": "Locked"}')
    house.happen(told(1, "door.opened"))
    with house.signed_in(role="guard") as browser:
        doors = browser.get("/api/doors").json()
        events = browser.get("/api/events").json()
        assert [(door["door"], door["mode"]) for door in doors] == [("front", "Locked")]
        assert [(each["n"], each["sentence"]) for each in events["events"]] == [(1, "The door opened")]
        assert browser.get("/api/session").json() == {"account": "ada", "name": "Ada", "role": "guard", "sites": [],
                                                      "csrf": browser.headers["x-doorward-csrf"]}  # fmt: skip


def test_a_long_list_comes_packed(house: House) -> None:
    for number in range(100):
        house.hear(f"doorward/hq/door-{number}/online", b"true")
    with house.signed_in() as browser:
        answer = browser.get("/api/doors")
    assert (answer.headers["content-encoding"], len(answer.json())) == ("gzip", 100)
    assert int(answer.headers["content-length"]) * 5 < len(answer.content)


def test_the_cookie_is_not_for_scripts_nor_for_other_pages(house: House) -> None:
    house.accounts.add("test", "ada", "guard", PASSWORD)
    with house.browser() as browser:
        cookie = browser.post("/api/session", json={"account": "ada", "password": PASSWORD}).headers["set-cookie"]
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()


def test_a_change_needs_the_csrf_word_and_our_own_page(house: House) -> None:
    with house.signed_in() as browser:
        new = {"account": "grace", "role": "guard", "password": PASSWORD, "own_password": PASSWORD}
        assert browser.post("/api/accounts", json=new, headers={"x-doorward-csrf": "guessed"}).json()["error"] == "no_csrf"
        assert (
            browser.post("/api/accounts", json=new, headers={"origin": "https://elsewhere.example"}).json()["error"]
            == "other_origin"
        )
        assert browser.post("/api/accounts", json=new, headers={"sec-fetch-site": "cross-site"}).json()["error"] == "other_origin"
        assert browser.post("/api/accounts", json=new, headers={"origin": house.gateway.url}).status_code == 201


def test_a_page_of_somebody_elses_cannot_sign_a_browser_in(house: House) -> None:
    house.accounts.add("test", "ada", "guard", PASSWORD)
    with house.browser() as browser:
        answer = browser.post(
            "/api/session", json={"account": "ada", "password": PASSWORD}, headers={"origin": "https://elsewhere.example"}
        )
    assert answer.json()["error"] == "other_origin"


def test_a_name_that_somebody_points_at_this_machine_is_not_answered(house: House) -> None:
    with house.browser() as browser:
        assert browser.get("/", headers={"host": "rebound.example"}).status_code == 421
        assert browser.get("/", headers={"host": f"localhost:{house.gateway.url.rpartition(':')[2]}"}).status_code == 200


def test_every_answer_tells_browsers_what_to_refuse(house: House) -> None:
    with house.browser() as browser:
        for path in ("/", "/api/doors", "/api/nothing", "/assets/index-abc123.js", "/nothing.js"):
            headers = browser.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"], path
            assert headers["x-content-type-options"] == "nosniff"
            assert "server" not in headers
            assert "strict-transport-security" not in headers, "this is plain http on loopback"


def test_the_dashboards_files_come_with_their_types_and_only_they(house: House) -> None:
    with house.browser() as browser:
        script = browser.get("/assets/index-abc123.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        assert script.headers["content-encoding"] == "gzip"
        worker = browser.get("/sw.js")
        assert (worker.headers["cache-control"], worker.headers["service-worker-allowed"]) == ("no-cache", "/")
        assert browser.get("/manifest.webmanifest").headers["content-type"] == "application/manifest+json"
        assert browser.get("/doors/hq/front").text == browser.get("/").text
        assert browser.get("/", headers={"if-none-match": browser.get("/").headers["etag"]}).status_code == 304
        for path in (
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/assets/..%2f..%2fsecret.txt",
            "/.hidden.txt",
            "/nothing.js",
            "/a%00.js",
        ):
            assert browser.get(path).status_code == 404, path


def test_a_dashboard_that_was_not_built_says_so(tmp_path: Path) -> None:
    with House(tmp_path).open() as house, house.browser() as browser:
        answer = browser.get("/")
    assert answer.status_code == 503
    assert "make web" in answer.text


def test_a_body_that_is_too_long_is_not_read(house: House) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    with house.signed_in() as browser:
        assert browser.post("/api/accounts", content=b"x" * 20_000).status_code == 413
        assert browser.post("/api/accounts", content=endless()).status_code == 413


def test_a_body_that_is_nested_without_end_is_malformed(house: House) -> None:
    with house.signed_in() as browser:
        answer = browser.post("/api/accounts", content=b'{"account": ' + b'{"a":' * 3000)
    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")


def test_an_unknown_address_and_a_wrong_method_are_told_in_json(house: House) -> None:
    with house.signed_in() as browser:
        assert browser.get("/api/nothing/here").json()["error"] == "not_found"
        assert browser.patch("/api/doors").json()["error"] in ("not_found", "wrong_method")


def test_who_asks_for_very_much_at_once_holds_up_nobody_else(tmp_path: Path) -> None:
    """As somebody who has every report made again and again, while another has to lock a door down."""
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(ask: Ask) -> None:
        begun.release()
        go_on.wait(60)

    house = House(tmp_path)
    house.gateway.add([Endpoint(method="GET", path="/slow", allowed=EVERYBODY, work=slow)])
    house.hear("doorward/hq/front/online", b"true")
    with house.open(), house.signed_in("eva", "guard") as greedy, house.signed_in("ada", "guard") as guard:
        with ThreadPoolExecutor(40) as many:
            asked = [many.submit(greedy.get, "/api/slow") for _ in range(40)]
            try:
                assert all(begun.acquire(timeout=20) for _ in range(MOST_AT_ONCE))
                assert guard.post("/api/doors/hq/front/commands", json={"command": "lockdown"}).json()["error"] == "no_broker"
            finally:
                go_on.set()
            statuses = [each.result().status_code for each in asked]
        assert statuses.count(200) >= MOST_AT_ONCE
        assert set(statuses) == {200, 429}
        assert greedy.get("/api/doors").status_code == 200


def test_signing_out_ends_the_session_and_its_cookie(house: House) -> None:
    with house.signed_in() as browser:
        token = browser.cookies["doorward_session"]
        assert browser.delete("/api/session").status_code == 200
        browser.cookies.set("doorward_session", token)
        assert browser.get("/api/doors").status_code == 401


def test_who_may_not_is_refused_and_that_is_on_record(house: House) -> None:
    with house.signed_in("charles", "guard") as browser:
        assert browser.get("/api/audit").json()["error"] == "not_allowed"
    assert (house.audit.rows(limit=1)[0].who, house.audit.rows(limit=1)[0].what) == ("charles", "GET /audit")


def test_a_manager_of_one_site_cannot_make_themselves_one_of_all(house: House) -> None:
    house.accounts.add("test", "grace", "manager", PASSWORD)
    with house.signed_in("charles", "manager", ("lab",)) as browser:
        assert browser.patch("/api/accounts/charles", json={"sites": []}).status_code == 403
        assert browser.post("/api/accounts", json={"account": "eva", "role": "guard", "password": PASSWORD}).status_code == 403
        assert browser.get("/api/accounts").status_code == 403
    with house.signed_in("grace") as browser:
        told = {"sites": ["lab", "hq"], "own_password": PASSWORD}
        assert browser.patch("/api/accounts/charles", json=told).json()["account"]["sites"] == ["lab", "hq"]


def test_a_manager_adds_changes_and_locks_out_an_account(house: House) -> None:
    with house.signed_in() as browser:
        told = {"account": "charles", "role": "guard", "password": PASSWORD, "name": "Charles Babbage", "sites": ["hq"], **OWN}
        assert browser.post("/api/accounts", json=told).status_code == 201
        assert browser.post("/api/accounts", json=told).json()["error"] == "unfit"
        assert browser.patch("/api/accounts/charles", json={"totp": True, **OWN}).json()["totp_uri"].startswith("otpauth://")
        assert browser.patch("/api/accounts/charles", json={"disabled": True}).json()["account"]["disabled"] is True
        assert browser.patch("/api/accounts/nobody", json={}).status_code == 404
        rows = {row["account"]: row for row in browser.get("/api/accounts").json()}
        assert (rows["charles"]["name"], rows["charles"]["totp"], rows["charles"]["disabled"]) == ("Charles Babbage", True, True)


def test_what_lets_somebody_do_more_asks_for_ones_own_password_and_locking_out_does_not(house: House) -> None:
    house.accounts.add("test", "charles", "guard", PASSWORD)
    with house.signed_in() as browser:
        for more in ({"role": "manager"}, {"password": "another warm roof"}, {"totp": False}, {"sites": []}, {"disabled": False}):
            refused = browser.patch("/api/accounts/charles", json=more)
            assert (refused.status_code, refused.json()["field"]) == (403, "own_password"), more
            house.clock.turn(120)
        assert browser.patch("/api/accounts/charles", json={"disabled": True}).status_code == 200
        answer = browser.post("/api/accounts", json={"account": "Grace!", "role": "guard", "password": PASSWORD, **OWN})
        assert (answer.status_code, answer.json()["field"]) == (422, "account")


def test_a_second_factor_of_ones_own_counts_when_its_first_code_was_right(house: House) -> None:
    with house.signed_in(role="guard") as browser:
        assert browser.get("/api/session/totp").json() == {"on": False}
        assert browser.post("/api/session/totp", json={"password": "guessed by somebody"}).status_code == 403
        begun = browser.post("/api/session/totp", json={"password": PASSWORD}).json()
        assert begun["secret"] in begun["uri"]
        told = {"pending": begun["pending"], "code": _other_code(_code(house, begun["secret"]))}
        assert browser.put("/api/session/totp", json=told).json()["field"] == "code"
        assert browser.get("/api/session/totp").json() == {"on": False}
        assert browser.put("/api/session/totp", json=told | {"code": _code(house, begun["secret"])}).status_code == 200
        assert browser.get("/api/session").status_code == 401, "it ends every session"
        assert browser.post("/api/session", json={"account": "ada", "password": PASSWORD}).json()["error"] == "code_needed"
        sign_in = {"account": "ada", "password": PASSWORD, "code": _code(house, begun["secret"])}
        browser.headers["x-doorward-csrf"] = browser.post("/api/session", json=sign_in).json()["csrf"]
        assert browser.request("DELETE", "/api/session/totp", json={"password": PASSWORD}).json()["field"] == "code"
        house.clock.turn(30)
        own = {"password": PASSWORD, "code": _code(house, begun["secret"])}
        assert browser.request("DELETE", "/api/session/totp", json=own).status_code == 200
    assert {"account.totp_begun", "account.totp_on", "account.totp_off"} <= {row.what for row in house.audit.rows(limit=50)}


def test_a_second_factor_that_was_begun_is_for_nobody_else_and_not_for_ever(house: House) -> None:
    with house.signed_in(role="guard") as browser, house.signed_in("charles", "guard") as other:
        begun = browser.post("/api/session/totp", json={"password": PASSWORD}).json()
        told = {"pending": begun["pending"], "code": _code(house, begun["secret"])}
        assert other.put("/api/session/totp", json=told).json()["error"] == "begin_again"
        assert browser.put("/api/session/totp", json=told | {"pending": "ab" * 40}).json()["error"] == "begin_again"
        house.clock.turn(601)
        told["code"] = _code(house, begun["secret"])
        assert browser.put("/api/session/totp", json=told).json()["error"] == "begin_again"


def test_codes_of_a_new_second_factor_are_not_guessed(house: House) -> None:
    with house.signed_in(role="guard") as browser:
        begun = browser.post("/api/session/totp", json={"password": PASSWORD}).json()
        told = {"pending": begun["pending"], "code": _other_code(_code(house, begun["secret"]))}
        answers = [browser.put("/api/session/totp", json=told).status_code for _ in range(7)]
    assert answers[-1] == 429


def _code(house: House, secret: str) -> str:
    return pyotp.TOTP(secret).at(house.clock.wall())


def _other_code(code: str) -> str:
    """Another one than that and its neighbours, all but surely."""
    return f"{(int(code) + 500_001) % 1_000_000:06}"


def test_ones_own_password_is_changed_with_the_old_one(house: House) -> None:
    with house.signed_in(role="guard") as browser:
        assert browser.post("/api/session/password", json={"old": "wrong", "new": "another warm roof"}).status_code == 403
        assert browser.post("/api/session/password", json={"old": PASSWORD, "new": "short"}).status_code == 422
        assert browser.post("/api/session/password", json={"old": PASSWORD, "new": "another warm roof"}).status_code == 200
        assert browser.get("/api/session").status_code == 401, "it ends every session"
        assert browser.post("/api/session", json={"account": "ada", "password": "another warm roof"}).status_code == 200


def test_the_audit_log_is_read_newest_first_and_the_reading_is_on_record(house: House) -> None:
    with house.signed_in(role="auditor") as browser:
        page = browser.get("/api/audit", params={"limit": 2}).json()
    assert [row["what"] for row in page["records"]] == ["GET /audit", "session.begun"]
    assert (page["more"], page["head"]["n"]) == (True, 3)


def test_a_wrong_password_five_times_makes_the_sixth_wait(house: House) -> None:
    house.accounts.add("test", "ada", "guard", PASSWORD)
    with house.browser() as browser:
        answers = [browser.post("/api/session", json={"account": "ada", "password": "wrong"}) for _ in range(6)]
    assert [each.status_code for each in answers] == [401] * 5 + [429]
    assert int(answers[5].headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("settings", "mend"),
    [
        (Settings(host="0.0.0.0"), "gateway.cert_file"),
        (Settings(host="192.0.2.1"), "gateway.cert_file"),
        (Settings(cert_file="a.pem"), "key_file"),
        (Settings(behind_proxy=True), "gateway.public_url"),
        (Settings(public_url="https://doors.example.org/path"), "scheme, name and port"),
        (Settings(public_url="javascript:alert(1)"), "scheme, name and port"),
        (Settings(cert_file="missing.pem", key_file="missing.key"), "missing.pem"),
    ],
)
def test_what_would_be_unsafe_does_not_start_and_says_the_mend(settings: Settings, mend: str) -> None:
    with pytest.raises(ConfigError, match=mend):
        WebServer(settings)


def test_a_port_that_is_taken_is_told(house: House) -> None:
    with pytest.raises(ConfigError, match="cannot listen"):
        WebServer(Settings(port=int(house.gateway.url.rpartition(":")[2])))


def test_behind_a_proxy_cookies_are_for_https_and_browsers_remember_it(tmp_path: Path) -> None:
    house = House(tmp_path, behind_proxy=True, public_url="https://doors.example.org")
    house.accounts.add("test", "ada", "guard", PASSWORD)
    with house.open(), httpx.Client(base_url=f"http://127.0.0.1:{house.gateway.port}") as proxy:
        answer = proxy.post("/api/session", json={"account": "ada", "password": PASSWORD},
                            headers={"host": "doors.example.org", "origin": "https://doors.example.org"})  # fmt: skip
    assert answer.status_code == 200
    assert "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"].startswith("max-age=")


def test_with_a_certificate_of_its_own_it_speaks_tls_alone(tmp_path: Path) -> None:
    cert_file, key_file = self_signed(tmp_path)
    house = House(tmp_path, cert_file=str(cert_file), key_file=str(key_file))
    house.accounts.add("test", "ada", "guard", PASSWORD)
    with house.open():
        assert house.gateway.url.startswith("https://127.0.0.1:")
        trusts = ssl.create_default_context(cafile=str(cert_file))
        with httpx.Client(base_url=house.gateway.url, verify=trusts) as browser:
            answer = browser.post(
                "/api/session", json={"account": "ada", "password": PASSWORD}, headers={"origin": house.gateway.url}
            )
            assert browser.get("/api/doors").status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(house.gateway.url.replace("https", "http"))
    assert "; secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
    certificate = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"
