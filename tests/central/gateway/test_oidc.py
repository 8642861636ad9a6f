"""Single sign-on, with a provider of our own on a real socket: it may be wrong in every way that counts."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from playwright.sync_api import sync_playwright

from agent.errors import ConfigError
from central.gateway.oidc import SingleSignOn
from central.settings import Oidc
from tests.central.gateway.house import NOW, PASSWORD, HandClock, House

CLIENT = "doorward"


class Provider:
    """Knows one person, and signs that it is them."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "one"})
        self.signs_with: Any = self.key
        self.algorithm = "ES256"
        self.claims: dict[str, Any] = {}
        self.discovery: dict[str, Any] = {}
        self.asked: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/authorize"):
                    self._ask_the_person()
                    return
                self._say(provider.document() if "well-known" in self.path else {"keys": [provider.key.as_dict(private=False)]})

            def do_POST(self) -> None:
                form = {
                    key: values[0]
                    for key, values in parse_qs(self.rfile.read(int(self.headers["content-length"])).decode()).items()
                }
                self._say(provider.tokens(form))

            def _ask_the_person(self) -> None:
                brought = urlencode(provider.authorize(self.path))
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                back = provider.asked["the-code"]["redirect_uri"]
                self.wfile.write(f'<a href="{back}?{brought.replace("&", "&amp;")}">It is me</a>'.encode())

            def _say(self, told: dict[str, Any]) -> None:
                self.send_response(200 if told else 400)
                self.end_headers()
                self.wfile.write(json.dumps(told).encode())

            def log_message(self, *told: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def document(self) -> dict[str, Any]:
        return {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize", "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys", **self.discovery}  # fmt: skip

    def authorize(self, url: str) -> dict[str, str]:
        """The person says yes; returns what the browser brings back."""
        asked = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        self.asked["the-code"] = asked
        return {"code": "the-code", "state": asked["state"]}

    def tokens(self, form: dict[str, str]) -> dict[str, Any]:
        asked = self.asked.pop(form.get("code", ""), None)
        verifier = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != verifier or asked["redirect_uri"] != form["redirect_uri"]:
            return {}
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "4711", "exp": int(NOW.timestamp()) + 60, "nonce": asked["nonce"],
                  "preferred_username": "ada", **self.claims}  # fmt: skip
        header = {"alg": self.algorithm, "kid": "one"}
        return {"id_token": jwt.encode(header, claims, self.signs_with, algorithms=[self.algorithm])}


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def house(tmp_path: Path, provider: Provider) -> Iterator[House]:
    with House(tmp_path, oidc=Oidc(issuer=provider.issuer, client_id=CLIENT, shown="house account")).open() as house:
        house.accounts.add("test", "ada", "guard", PASSWORD)
        yield house


def come_back(provider: Provider, browser: httpx.Client, **other: str) -> httpx.Response:
    begun = browser.get("/api/session/oidc")
    assert begun.status_code == 303, begun.text
    return browser.get("/api/session/oidc/callback", params={**provider.authorize(begun.headers["location"]), **other},
                       headers={"sec-fetch-site": "cross-site"})  # fmt: skip


def test_whom_the_provider_vouches_for_is_signed_in_with_the_role_they_have_here(house: House, provider: Provider) -> None:
    with house.browser() as browser:
        assert browser.get("/api/session/ways").json() == {"password": True, "oidc": "house account"}
        answer = come_back(provider, browser)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert (browser.get("/api/session").json()["account"], browser.get("/api/session").json()["role"]) == ("ada", "guard")
    assert house.audit.rows(limit=1)[0].details["by"] == "oidc"


NOT_FOR_US_AND_NOW: tuple[dict[str, Any], ...] = (
    {"aud": "another"},
    {"iss": "http://elsewhere.example"},
    {"exp": int(NOW.timestamp()) - 3600},
    {"nonce": "of another sign-in"},
    {"exp": None},
    {"aud": ["another", CLIENT], "azp": "another"},
    {"aud": None},
    {"sub": None},
)


def test_a_word_that_is_not_for_us_and_now_is_not_believed(house: House, provider: Provider) -> None:
    with house.browser() as browser:
        for provider.claims in NOT_FOR_US_AND_NOW:
            answer = come_back(provider, browser)
            assert answer.status_code == 403, provider.claims
            assert "not believed" in answer.text or "for somebody else" in answer.text
            assert browser.get("/api/session").status_code == 401


@pytest.mark.filterwarnings("ignore:JWS algorithm")
def test_a_word_that_another_signed_is_not_believed(house: House, provider: Provider) -> None:
    another = ECKey.generate_key("P-256")
    public = OctKey.import_key(json.dumps(provider.key.as_dict(private=False)))
    with house.browser() as browser:
        for provider.algorithm, provider.signs_with in (("ES256", another), ("HS256", public), ("none", another)):
            assert come_back(provider, browser).status_code == 403, provider.algorithm
            assert browser.get("/api/session").status_code == 401


def test_no_account_is_made_and_a_disabled_one_stays_out(house: House, provider: Provider) -> None:
    house.accounts.add("test", "charles", "guard", PASSWORD)
    house.accounts.change("test", "charles", disabled=True)
    with house.browser() as browser:
        for name in ("grace", "", "charles", "Ada"):
            provider.claims = {"preferred_username": name}
            assert come_back(provider, browser).status_code == 403, name
            assert browser.get("/api/session").status_code == 401


def test_a_link_of_somebody_elses_signs_nobody_in(house: House, provider: Provider) -> None:
    with house.browser() as thief, house.browser() as browser:
        brought = provider.authorize(thief.get("/api/session/oidc").headers["location"])
        assert browser.get("/api/session/oidc/callback", params=brought).status_code == 403
        browser.get("/api/session/oidc")
        assert "another browser" in browser.get("/api/session/oidc/callback", params=brought).text


def test_a_sign_in_that_was_left_lying_has_to_be_begun_anew(house: House, provider: Provider) -> None:
    with house.browser() as browser:
        begun = browser.get("/api/session/oidc")
        brought = provider.authorize(begun.headers["location"])
        house.clock.turn(601)
        assert "too long" in browser.get("/api/session/oidc/callback", params=brought).text
        assert browser.get("/api/session/oidc/callback", params=brought).status_code == 403


def test_a_provider_that_is_away_or_says_something_else_is_told(house: House, provider: Provider) -> None:
    with house.browser() as browser:
        provider.discovery = {"issuer": "http://elsewhere.example"}
        assert browser.get("/api/session/oidc").status_code == 502
        provider.discovery = {"token_endpoint": "http://elsewhere.example/token"}
        assert "without TLS" in browser.get("/api/session/oidc").text
        provider.close()
        assert "cannot be reached" in browser.get("/api/session/oidc").text


def test_strangers_who_begin_to_sign_in_hold_up_no_guard(
    house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider does not answer, and somebody asks for it again and again."""
    monkeypatch.setattr("central.gateway.app.WAITING_THREADS", 3)
    monkeypatch.setattr("central.gateway.oidc.WAIT_S", 60.0)
    answers, asked, document = threading.Event(), threading.Semaphore(0), provider.document

    def slow() -> dict[str, Any]:
        asked.release()
        answers.wait(60)
        return document()

    monkeypatch.setattr(provider, "document", slow)
    house.hear("doorward/hq/front/online", b"true")
    with house.signed_in("ada", "guard") as guard, ThreadPoolExecutor(8) as strangers:
        stranger = lambda: httpx.get(f"{house.gateway.url}/api/session/oidc", timeout=60)  # noqa: E731
        begun = [strangers.submit(stranger) for _ in range(8)]
        try:
            assert all(asked.acquire(timeout=20) for _ in range(3))
            assert guard.post("/api/doors/hq/front/commands", json={"command": "lockdown"}).json()["error"] == "no_broker"
        finally:
            answers.set()
            assert all(each.result().status_code == 303 for each in begun)


def test_what_the_provider_says_cannot_write_into_our_page(house: House) -> None:
    with house.browser() as browser:
        answer = browser.get("/api/session/oidc/callback", params={"error": "<script>alert(1)</script>"})
    assert "<script>" not in answer.text


@pytest.mark.parametrize("settings", [Oidc(issuer="http://login.example", client_id="x"), Oidc(issuer="https://login.example"),
                                      Oidc(issuer="https://login.example", client_id="x", secret_file="/nowhere")])  # fmt: skip
def test_a_configuration_that_cannot_be_safe_does_not_start(settings: Oidc) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.oidc"):
        SingleSignOn(settings, "https://doors.example.org", HandClock())


def test_without_a_provider_there_is_no_such_way(tmp_path: Path) -> None:
    with House(tmp_path).open() as house, house.browser() as browser:
        assert browser.get("/api/session/ways").json()["oidc"] == ""
        assert browser.get("/api/session/oidc").status_code == 404


@pytest.mark.system
def test_a_real_browser_comes_back_signed_in_from_another_site(tmp_path: Path, provider: Provider) -> None:
    """Cookies that are Strict come with the page's own questions, though not with the way back itself."""
    provider.issuer = provider.issuer.replace("127.0.0.1", "localhost")
    dist = tmp_path / "dist"
    dist.mkdir()
    (dist / "index.html").write_text("<!doctype html><title>Doorward</title><p>Home</p>")
    house = House(tmp_path, oidc=Oidc(issuer=provider.issuer, client_id=CLIENT))
    house.accounts.add("test", "ada", "guard", PASSWORD)
    with house.open(), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = chromium.new_page()
        page.goto(f"{house.gateway.url}/api/session/oidc")
        page.get_by_text("It is me").click()
        page.get_by_text("Home").wait_for()
        assert page.evaluate("fetch('/api/session').then((answer) => answer.json()).then((told) => told.account)") == "ada"
        assert page.evaluate("document.cookie") == "", "no script sees a cookie"
        chromium.close()
