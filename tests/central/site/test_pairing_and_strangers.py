"""Somebody stands between a controller and its centre, or pretends to be one of them."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import msgspec
import pytest

from agent.commission.pairing import Paired, pair, take_time
from agent.pairing import messages
from agent.pairing.code import ALPHABET
from agent.pairing.messages import Granted, Hello, Met, PairingError, Proof, Refusal, bound_by, seal
from agent.pairing.spake2 import begin, finish
from tests.central.site.pairing_house import PairingHouse
from tests.central.site.sites import now

pytestmark = pytest.mark.system

Answers = Callable[[str, bytes], bytes | None]
"""What the stranger answers to a path and a body; None: nothing at all."""


@contextmanager
def stranger(answers: Answers) -> Iterator[str]:
    """A web server of somebody else's; its address."""

    class Visit(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = answers(self.path, self.rfile.read(int(self.headers["content-length"])))
            if answer is None:
                self.connection.close()
                return
            self.send_response(200 if answer.startswith(b"{") else 403)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nobody wants to know."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Visit) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def centre(house: PairingHouse, path: str, body: bytes) -> bytes:
    """Pass it on."""
    answer = httpx.post(house.url + path, content=body)
    return answer.content if answer.status_code == 200 else b"refused"


def joins(house: PairingHouse, url: str, code: str) -> Paired:
    return pair(url, code, house.controller(), clock=house.clock)


def nothing_at(house: PairingHouse) -> bool:
    return not list(house.controller().iterdir())


def test_whoever_only_passes_messages_on_changes_nothing_and_reads_nothing(house: PairingHouse) -> None:
    seen: list[bytes] = []

    def relays(path: str, body: bytes) -> bytes:
        seen.extend((body, centre(house, path, body)))
        return seen[-1]

    with stranger(relays) as url:
        assert joins(house, url, house.code().code).door == "front"
    travelled = b"".join(value if isinstance(value, bytes) else str(value).encode() for each in seen for value in opened(each))
    for word in (b"hq/front", b"Front door", b"CERTIFICATE", bytes.fromhex((house.controller() / "door.pub").read_text())):
        assert word not in travelled


def opened(raw: bytes) -> list[object]:
    """The values of a message, Base64 taken off."""
    told = msgspec.json.decode(raw)
    return [base64.b64decode(value) if key in ("share", "confirms", "sealed") else value for key, value in told.items()]


def test_whoever_puts_shares_of_their_own_between_needs_the_code(house: PairingHouse) -> None:
    """A guess costs them a try at the centre, and the door tells that the other side does not know the code."""
    made = house.code()
    guess = made.code[:3] + "".join(ALPHABET[(ALPHABET.index(each) + 1) % 24] for each in made.code[3:])
    towards_centre, towards_door = begin("door", guess), begin("centre", guess)

    def between(path: str, body: bytes) -> bytes:
        if path == messages.HELLO:
            told = msgspec.json.decode(body, type=Hello)
            met = msgspec.json.decode(
                centre(house, path, msgspec.json.encode(msgspec.structs.replace(told, share=towards_centre.share))), type=Met
            )
            met_at.append(met)
            return msgspec.json.encode(msgspec.structs.replace(met, share=towards_door.share))
        agreed = finish(towards_centre, met_at[0].share, bound_by(made.code[:3], met_at[0].session))
        proof = Proof(
            session=met_at[0].session,
            confirms=agreed.door_confirms,
            sealed=seal(agreed.door_seals, Refusal(sentence="let me in")),
        )
        return centre(house, path, msgspec.json.encode(proof))

    met_at: list[Met] = []
    with stranger(between) as url, pytest.raises(PairingError, match="does not take this code"):
        joins(house, url, made.code)
    assert [row.tries for row in house.client.rows()] == [1]
    assert house.site.doors.doors() == []
    assert nothing_at(house)


def test_a_false_centre_that_does_not_know_the_code_gives_a_door_nothing(house: PairingHouse) -> None:
    false = begin("centre", "KKKKKKKK")

    def pretends(path: str, body: bytes) -> bytes:
        if path == messages.HELLO:
            return msgspec.json.encode(Met(session="0" * 32, share=false.share))
        return msgspec.json.encode(Granted(confirms=bytes(32), sealed=bytes(100)))

    with stranger(pretends) as url, pytest.raises(PairingError, match="does not know the code, so it is not your centre"):
        joins(house, url, "KKKKKKKA")
    assert nothing_at(house)


@pytest.mark.parametrize("answer", [b"{}", b'{"session":1}', b"{" * 9000, b"{" + b" " * 40_000 + b"}", b'{"share":"AAAA"}'])
def test_an_answer_that_is_none_is_said(house: PairingHouse, answer: bytes) -> None:
    with stranger(lambda path, body: answer) as url, pytest.raises(PairingError, match="no centre"):
        joins(house, url, "KKKKKKKK")
    assert nothing_at(house)


@pytest.mark.parametrize("share", [bytes(32), (1).to_bytes(32, "little")])
def test_a_share_that_forces_a_key_is_taken_by_neither_side(house: PairingHouse, share: bytes) -> None:
    made, met = house.code(), msgspec.json.encode(Met(session="0" * 32, share=share))
    with stranger(lambda path, body: met) as url, pytest.raises(PairingError, match="no centre"):
        joins(house, url, made.code)
    hello = httpx.post(f"{house.url}/api/pair/hello", content=msgspec.json.encode(Hello(label=made.code[:3], share=share))).json()
    proof = Proof(session=hello["session"], confirms=bytes(32), sealed=bytes(100))
    assert httpx.post(f"{house.url}/api/pair/proof", content=msgspec.json.encode(proof)).status_code == 403
    assert [row.state for row in house.client.rows()] == ["waiting"]


def test_whoever_changes_what_is_sealed_is_noticed_and_the_code_still_counts(house: PairingHouse) -> None:
    made = house.code()

    def changes(path: str, body: bytes) -> bytes:
        if path == messages.PROOF:
            told = msgspec.json.decode(body, type=Proof)
            body = msgspec.json.encode(msgspec.structs.replace(told, sealed=told.sealed[:-1] + bytes([told.sealed[-1] ^ 1])))
        return centre(house, path, body)

    with stranger(changes) as url, pytest.raises(PairingError, match="not sealed with the key"):
        joins(house, url, made.code)
    assert nothing_at(house)
    assert house.pair(made.code).door == "front"


def test_an_answer_that_was_lost_is_asked_for_again_and_is_the_same(house: PairingHouse) -> None:
    lost: list[bytes] = []

    def loses(path: str, body: bytes) -> bytes | None:
        answer = centre(house, path, body)
        if path == messages.PROOF:
            lost.append(answer)
            return None if len(lost) < 3 else answer
        return answer

    with stranger(loses) as url:
        assert joins(house, url, house.code().code).door == "front"
    assert (len(lost), len(set(lost))) == (3, 1)
    assert len([line for line in house.site.authority.issued() if line.name == "hq/front" and line.revoked is None]) == 1


def test_an_answer_that_never_comes_leaves_the_door_as_it_was_and_a_new_code_brings_it_in(house: PairingHouse) -> None:
    with stranger(
        lambda path, body: centre(house, path, body) if path == messages.HELLO else (centre(house, path, body), None)[1]
    ) as url:
        with pytest.raises(PairingError, match="does not answer"):
            joins(house, url, house.code().code)
        assert nothing_at(house)
    made = house.code(name="")
    assert made.replaces, "the centre let it in, and it did not come"
    assert house.pair(made.code).name == "Front door"


def test_what_was_said_once_is_good_for_nothing_later(house: PairingHouse) -> None:
    """Everything a door sent is sent again, to another code: nothing comes of it."""
    sent: list[tuple[str, bytes]] = []

    def records(path: str, body: bytes) -> bytes:
        sent.append((path, body))
        return centre(house, path, body)

    with stranger(records) as url:
        joins(house, url, house.code().code)
    house.clock.turn(121)
    house.code("back", "")
    before = house.site.authority.issued()
    assert [centre(house, path, body) == b"refused" for path, body in sent] == [False, True]
    assert house.site.authority.issued() == before


def test_a_clock_that_stands_in_1970_hinders_nothing_and_gets_a_hint(house: PairingHouse) -> None:
    class Stopped:
        def mono_s(self) -> float:
            return 0.0

        def wall(self) -> object:
            return now().replace(year=1970)

    got = pair(house.url, house.code().code, house.controller(), clock=Stopped())  # type: ignore[arg-type]
    assert got.centre_at == house.clock.wall()
    assert got.clock_off_s > 50 * 365 * 86400
    put: list[float] = []
    assert "stood at 1970" in take_time(got, None, put.append)
    assert put == [got.clock_off_s]


@pytest.mark.parametrize(("off_s", "synchronised", "says"), [
    (59, False, ""), (-59, None, ""), (3600, True, "one of them is wrong"), (-3600, False, "one of them is wrong"),
])  # fmt: skip
def test_a_clock_is_never_put_back_and_one_that_a_time_server_keeps_is_left_alone(
    off_s: float, synchronised: bool | None, says: str
) -> None:
    told = Paired(
        site="hq", door="front", name="", files=(), valid_until=now(), replaces=False, centre_at=now(), clock_off_s=off_s
    )
    assert says in take_time(told, synchronised, pytest.fail)


def test_a_clock_that_may_not_be_put_forward_is_said() -> None:
    def refuses(forward_s: float) -> None:
        raise PermissionError(1, "Operation not permitted")

    told = Paired(site="hq", door="front", name="", files=(), valid_until=now(), replaces=False, centre_at=now(), clock_off_s=9e8)
    assert "date -s" in take_time(told, False, refuses)
