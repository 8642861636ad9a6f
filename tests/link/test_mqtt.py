"""What a door says and when it says it again: the link's turns, with time passed in and no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.config import parse_config
from agent.core.commands import Command, Refusal
from agent.core.messages import Event
from agent.link.acks import Ack, encode_ack
from agent.link.flight import MAX_PATIENCE
from agent.link.mqtt import Link
from agent.records.journal import Pending

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)


class FixedClock:
    def mono_s(self) -> float:
        return 0.0

    def wall(self) -> datetime:
        return NOW


class Waiting:
    """The link's view of a journal, in memory."""

    def __init__(self, count: int) -> None:
        self.events = {number: _event(number) for number in range(1, count + 1)}
        self.acknowledged: list[tuple[str | None, list[tuple[int, int]]]] = []
        self.rings: Callable[[], None] = lambda: None

    def pending(self, after: int = 0, limit: int = 100) -> list[Pending]:
        return [Pending(number, event) for number, event in sorted(self.events.items()) if number > after][:limit]

    def acknowledge(self, ranges: Sequence[tuple[int, int]], journal: str | None = None) -> None:
        self.acknowledged.append((journal, list(ranges)))
        for first, last in ranges:
            self.events = {number: event for number, event in self.events.items() if not first <= number <= last}

    def listen(self, listener: Callable[[], None]) -> None:
        self.rings = listener


def _event(number: int) -> Event:
    return Event(sequence=number, journal="aa", id=f"id-{number}", kind="access.granted", at=NOW, mono_s=1.0, data={})


class Wire:
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes, bool]] = []
        self.topics: list[str] = []

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        self.said.append((topic, payload, retain))

    def subscribe(self, *topics: str, qos: int = 1) -> None:
        self.topics += topics

    def sequences(self) -> list[int]:
        found = [int(json.loads(payload)["sequence"]) for topic, payload, _ in self.said if topic.endswith("/evt")]
        self.said.clear()
        return found


def linked(count: int, **settings: Any) -> tuple[Link, Waiting, Any, list[Command | Refusal]]:
    journal = Waiting(count)
    taken: list[Command | Refusal] = []
    config = parse_config({"site": "hq", "door": "front", "link": {"window": 10, "ack_timeout_s": 5.0, **settings}})
    link = Link(config, journal, taken.append, clock=FixedClock())
    wire = Wire()
    link.connected(wire)  # type: ignore[arg-type]
    wire.said.clear()
    return link, journal, wire, taken


def ack(link: Link, *ranges: tuple[int, int], journal: str = "aa", resend: bool = False) -> None:
    link.message("doorward/hq/front/ack", encode_ack(Ack(journal, list(ranges), resend)), False)


def test_a_window_of_events_is_sent_and_no_more() -> None:
    link, _, wire, _ = linked(25)
    link.turn(wire, 0.0)
    assert wire.sequences() == list(range(1, 11))
    link.turn(wire, 1.0)
    assert wire.sequences() == []


def test_an_acknowledgement_makes_room_for_the_next() -> None:
    link, journal, wire, _ = linked(25)
    link.turn(wire, 0.0)
    wire.sequences()
    ack(link, (1, 3), (5, 5))
    link.turn(wire, 0.1)
    assert wire.sequences() == [11, 12, 13, 14]
    assert journal.acknowledged == [("aa", [(1, 3), (5, 5)])]


def test_an_event_that_is_committed_while_the_link_counts_what_it_found_is_not_overlooked() -> None:
    link, journal, wire, _ = linked(0)

    class Found(list[Pending]):
        def __len__(self) -> int:
            if not journal.events:
                journal.events[1] = _event(1)
                journal.rings()
            return super().__len__()

    pending = journal.pending
    journal.pending = lambda after=0, limit=100: Found(pending(after, limit))  # type: ignore[method-assign]
    link.turn(wire, 0.0)
    assert wire.sequences() == [1]


def test_a_journal_that_could_not_be_read_for_a_moment_is_read_again_without_a_new_event() -> None:
    link, journal, wire, _ = linked(2, ack_timeout_s=5.0)
    pending, journal.pending = journal.pending, lambda after=0, limit=100: []  # type: ignore[method-assign]
    link.turn(wire, 100.0)
    wait_s = link.turn(wire, 101.0)
    journal.pending = pending  # type: ignore[method-assign]
    assert wire.sequences() == []
    link.turn(wire, 101.0 + wait_s)
    link.turn(wire, 102.0 + wait_s)
    assert wire.sequences() == [1, 2]
    assert wait_s <= 5.0


def test_a_broker_that_took_an_event_proves_nothing_and_the_event_is_sent_again() -> None:
    link, journal, wire, _ = linked(2)
    assert link.turn(wire, 0.0) == 5.0
    wire.sequences()
    link.turn(wire, 4.9)
    assert wire.sequences() == []
    link.turn(wire, 5.0)
    assert wire.sequences() == [1, 2]
    assert journal.acknowledged == []


def test_repetitions_become_rarer_while_nobody_answers() -> None:
    link, _, wire, _ = linked(1)
    sent_s = []
    for second in range(400):
        link.turn(wire, float(second))
        sent_s += [second] * len(wire.sequences())
    gaps = [after - before for before, after in pairwise(sent_s)]
    assert gaps[0] == 5
    assert gaps[-1] == 5 * MAX_PATIENCE


def test_a_historian_that_starts_gets_everything_at_once() -> None:
    link, _, wire, _ = linked(3)
    link.turn(wire, 0.0)
    wire.sequences()
    ack(link, journal="", resend=True)
    link.turn(wire, 0.5)
    assert wire.sequences() == [1, 2, 3]


def test_a_new_connection_repeats_what_is_not_acknowledged_and_all_states() -> None:
    link, _, wire, _ = linked(3)
    link.publish_state("mode", "Locked")
    link.turn(wire, 0.0)
    ack(link, (2, 2))
    wire.said.clear()
    link.connected(wire)
    link.turn(wire, 0.5)
    topics = [topic for topic, _, _ in wire.said]
    assert "doorward/hq/front/online" in topics
    assert "doorward/hq/front/state/mode" in topics
    assert wire.sequences() == [1, 3]


def test_an_acknowledgement_of_what_was_never_sent_deletes_nothing() -> None:
    link, journal, wire, _ = linked(25)
    link.turn(wire, 0.0)
    ack(link, (0, (1 << 40) - 1), journal="bb")
    ack(link, (11, 25))
    assert journal.acknowledged == []
    ack(link, (0, (1 << 40) - 1))
    assert journal.acknowledged == [("aa", [(1, 10)])]


def test_a_retained_acknowledgement_is_ignored() -> None:
    link, journal, wire, _ = linked(1)
    link.turn(wire, 0.0)
    link.message("doorward/hq/front/ack", encode_ack(Ack("aa", [(1, 1)])), True)
    assert journal.acknowledged == []


def test_an_event_that_is_committed_later_is_sent_at_the_next_turn() -> None:
    link, journal, wire, _ = linked(1)
    link.turn(wire, 0.0)
    wire.sequences()
    journal.events[2] = _event(2)
    journal.rings()
    link.turn(wire, 0.001)
    assert wire.sequences() == [2]


def test_a_state_is_said_when_it_changes_and_only_then() -> None:
    link, _, wire, _ = linked(0)
    for value in ("Locked", "Locked", "Accessed"):
        link.publish_state("mode", value)
        link.turn(wire, 0.0)
    assert [(topic, json.loads(payload)["value"], retain) for topic, payload, retain in wire.said] == [
        ("doorward/hq/front/state/mode", "Locked", True),
        ("doorward/hq/front/state/mode", "Accessed", True),
    ]


def test_a_result_goes_to_the_command_it_answers_and_one_without_an_id_nowhere() -> None:
    link, _, wire, _ = linked(0)
    link.result("4f9e1c2a", False, "stale", "guard-1")
    link.result(None, False, "malformed", None)
    link.turn(wire, 0.0)
    assert [(topic, retain) for topic, _, retain in wire.said] == [("doorward/hq/front/result/4f9e1c2a", False)]


def test_a_door_that_hears_that_it_is_gone_says_that_it_is_there() -> None:
    link, _, wire, _ = linked(0)
    link.message("doorward/hq/front/online", b"false", True)  # what was retained before it came, and is over
    link.message("doorward/hq/front/online", b"true", False)  # its own word
    link.turn(wire, 0.0)
    assert wire.said == []
    link.message("doorward/hq/front/online", b"false", False)
    link.turn(wire, 0.0)
    link.turn(wire, 0.0)
    assert wire.said == [("doorward/hq/front/online", b"true", True)]


def test_the_last_words_of_a_door_say_that_it_is_gone() -> None:
    link, _, wire, _ = linked(0)
    link.leaving(wire)
    assert wire.said[-1] == ("doorward/hq/front/online", b"false", True)


def test_commands_are_judged_before_the_door_hears_of_them() -> None:
    link, _, _, taken = linked(0)
    order = {"id": "4f9e1c2a", "issued": "2026-03-02T08:30:00Z", "expires": "2026-03-02T08:30:10Z"}
    link.message("doorward/hq/front/cmd/guard-1/unlock", json.dumps(order).encode(), False)
    link.message("doorward/hq/front/cmd/guard-1/unlock", json.dumps(order).encode(), False)
    link.message("doorward/hq/front/cmd/guard-1/unlock", b"\xff", False)
    assert isinstance(taken[0], Command)
    assert [refusal.reason for refusal in taken[1:] if isinstance(refusal, Refusal)] == ["repeated", "malformed"]


@given(st.text(max_size=60), st.binary(max_size=200), st.booleans())
def test_random_messages_on_random_topics_never_raise(topic: str, payload: bytes, retained: bool) -> None:
    link, journal, wire, _ = linked(1)
    link.turn(wire, 0.0)
    for target in (topic, "doorward/hq/front/ack", "doorward/hq/front/cmd/guard-1/lock", "doorward/hq/front/cmd/" + topic):
        link.message(target, payload, retained)
    assert journal.acknowledged == []


# -- norms ---------------------------------------------------------------------------------------------------------------------


def test_a_door_that_learns_norms_hears_the_centres_word_also_a_retained_one() -> None:
    link, _, wire, _ = linked(0)
    heard: list[bytes] = []
    link.listen_for_norms(heard.append)
    link.connected(wire)
    assert "doorward/hq/front/norms/prior" in wire.topics
    for retained in (True, False):
        link.message("doorward/hq/front/norms/prior", b"word", retained)
    assert heard == [b"word", b"word"]


def test_a_door_that_learns_none_does_not_ask_for_it() -> None:
    link, _, wire, _ = linked(0)
    link.connected(wire)
    link.message("doorward/hq/front/norms/prior", b"word", False)
    assert wire.topics
    assert not any("norms" in topic for topic in wire.topics)
