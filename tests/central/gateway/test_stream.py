"""What happens reaches whoever looks, once, in order, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from central.gateway.asking import Caller, Unfit
from central.gateway.door_rows import NOT_STORED, Facts
from central.gateway.hub import MOST_OF_ONE, MOST_WAITING, Hub, word
from tests.central.gateway.house import House, accounts_of, told

ADA = Caller("ada", "guard")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path).open() as house:
        yield house


class Reader:
    """An EventSource, as far as we need one."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def next(self) -> tuple[str, str, Any]:
        """The next message: its name, its id, its data."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in fields:
                return fields["event"], fields.get("id", ""), json.loads(fields["data"])
            name, _, value = line.partition(": ")
            if name in ("event", "id", "data"):
                fields[name] = value
        return "(end)", "", None

    def until(self, wanted: str) -> tuple[str, Any]:
        while True:
            name, number, data = self.next()
            if name in (wanted, "(end)"):
                assert name == wanted
                return number, data


def test_an_event_reaches_an_open_page_and_a_cut_page_loses_none(house: House) -> None:
    house.happen(told(1), told(2))
    with house.signed_in() as browser:
        with browser.stream("GET", "/api/stream") as answer:
            reader = Reader(answer)
            assert reader.next()[0] == "hello"
            house.happen(told(3, "door.opened"))
            assert reader.until("event")[0] == "3"
        house.happen(told(4), told(5))
        with browser.stream("GET", "/api/stream", headers={"last-event-id": "3"}) as answer:
            reader = Reader(answer)
            assert [reader.until("event")[0] for _ in range(2)] == ["4", "5"]
            house.happen(told(6))
            assert reader.until("event")[0] == "6"


def test_a_door_that_changes_is_told_as_in_the_list(house: House) -> None:
    with house.signed_in() as browser, browser.stream("GET", "/api/stream") as answer:
        reader = Reader(answer)
        reader.until("hello")
        house.hear("doorward/hq/front/state/lock", b'{"value": "jammed"}')
        with house.signed_in() as another:
            assert reader.until("door")[1] == another.get("/api/doors").json()[0]


def test_a_page_is_told_when_the_centre_can_store_no_more(house: House) -> None:
    disk = [True]
    house.gateway._stream._facts = Facts(stores=lambda: disk[0])
    house.hear("doorward/hq/front/online", b"true")
    with house.signed_in() as browser, browser.stream("GET", "/api/stream") as answer:
        reader = Reader(answer)
        reader.until("hello")
        disk[0] = False
        assert reader.until("door")[1]["health"]["faults"][-1] == NOT_STORED


def test_an_installers_page_is_not_told_who_came(house: House) -> None:
    house.happen(told(1, cardholder="holder-1"))
    with house.signed_in("ned", "installer") as browser, browser.stream("GET", "/api/stream") as answer:
        reader = Reader(answer)
        reader.until("hello")
        house.hear("doorward/hq/front/state/people", b'{"value": 2}')
        house.hear("doorward/hq/front/state/lock", b'{"value": "secured"}')
        row = reader.until("door")[1]
        assert (row["people"], row["last"]) == (None, None)


def test_alerts_go_to_the_roles_and_sites_that_they_concern(house: House) -> None:
    with house.signed_in("eva", "guard", ("lab",)) as browser, browser.stream("GET", "/api/stream") as answer:
        reader = Reader(answer)
        reader.until("hello")
        house.gateway.tell("alert", {"id": 1}, "hq")
        house.gateway.tell("alert", {"id": 2}, "lab", {"manager"})
        house.gateway.tell("alert", {"id": 3}, "lab", {"guard"})
        assert reader.until("alert")[1] == {"id": 3}


def test_a_stream_ends_with_its_session(house: House) -> None:
    with house.signed_in("eva", "guard") as browser, browser.stream("GET", "/api/stream") as answer:
        reader = Reader(answer)
        reader.until("hello")
        house.accounts.change("test", "eva", disabled=True)
        assert reader.next()[0] == "(end)"


def test_at_a_busy_door_a_stream_ends_too_when_another_program_has_ended_its_session(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central.gateway.stream.PING_S", 0.5)
    with house.signed_in("eva", "guard") as browser, browser.stream("GET", "/api/stream") as answer:
        reader = Reader(answer)
        reader.until("hello")
        accounts_of(house.engine, house.clock, house.audit).change("command line", "eva", disabled=True)
        for number in range(200):
            house.hear("doorward/hq/front/state/lock", b'{"value": %d}' % number)
            if reader.next()[0] == "(end)":
                return
    pytest.fail("a stolen laptop sees on, for as long as something happens")


def test_a_page_that_missed_very_much_is_told_to_load_anew(house: House) -> None:
    house.happen(*(told(number) for number in range(1, 2102)))
    with house.signed_in() as browser:
        wait = lambda: browser.get("/api/doors").json()[0]["last"]["n"] == 2101  # noqa: E731
        _wait(wait)
        with browser.stream("GET", "/api/stream", headers={"last-event-id": "1"}) as answer:
            assert Reader(answer).until("hello")[1]["missed"] is True


def test_garbage_for_a_number_is_refused(house: House) -> None:
    with house.signed_in() as browser:
        assert browser.get("/api/stream", headers={"last-event-id": "x"}).status_code == 400


def test_one_account_cannot_take_all_streams() -> None:
    hub = Hub()
    for _ in range(MOST_OF_ONE):
        hub.open(ADA, lambda: None)
    with pytest.raises(Unfit) as caught:
        hub.open(ADA, lambda: None)
    assert caught.value.status == 429
    hub.open(Caller("grace", "guard"), lambda: None)


def test_whoever_does_not_keep_up_is_let_go() -> None:
    hub = Hub()
    slow, other = hub.open(ADA, lambda: None), hub.open(ADA, lambda: None)
    for n in range(1, MOST_WAITING + 2):
        hub.tell(word("event", n, n), lambda caller: True)
        hub.take(other)
    assert (slow.ended, other.ended, hub.take(slow)) == ("slow", "", [])


def test_of_a_door_only_the_newest_state_waits() -> None:
    hub = Hub()
    listener = hub.open(ADA, lambda: None)
    for n in range(5000):
        hub.tell(word("door", n), lambda caller: True, ("hq", "front"))
    assert [each.text for each in hub.take(listener)] == [b"event: door\ndata: 4999\n\n"]


def test_a_page_is_woken_once_for_all_that_waits_and_again_for_what_comes_after_it_looked() -> None:
    hub = Hub()
    rings: list[int] = []
    listener = hub.open(ADA, lambda: rings.append(len(rings)))
    for n in range(1, 6):
        hub.tell(word("event", n, n), lambda caller: True)
        hub.tell(word("door", n), lambda caller: True, ("hq", "front"))
    assert len(rings) == 1
    assert len(hub.take(listener)) == 6
    hub.tell(word("event", 6, 6), lambda caller: True)
    assert len(rings) == 2


def test_a_page_that_is_let_go_hears_of_it_though_much_waits() -> None:
    hub = Hub()
    rings: list[str] = []
    listener = hub.open(ADA, lambda: rings.append(listener.ended))
    for n in range(1, MOST_WAITING + 2):
        hub.tell(word("event", n, n), lambda caller: True)
    assert rings[-1] == "slow"


def test_no_text_can_break_out_of_its_message() -> None:
    assert word("event", {"sentence": "a\n\nevent: alert\r\ndata: {}"}, 1).text.count(b"\n") == 4


def _wait(is_so: Any) -> None:
    from tests.system.brokers import wait_until

    wait_until(is_so, 20, "nothing was told")
