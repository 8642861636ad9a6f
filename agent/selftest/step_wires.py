"""The steps that need hands: readers, inputs, lock, way out."""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.config import AnyReader, WiegandReader
from agent.core.credentials import FRAME_GAP_S
from agent.core.formats import Decoded, WiegandFormat, decode, formats_named
from agent.selftest.bench import Bit, InputEdge, frames_of
from agent.selftest.hands import Hands
from agent.selftest.judge_inputs import InputSeen, judge_input, words_for
from agent.selftest.judge_lock import EgressSeen, LockSeen, judge_egress, judge_lock
from agent.selftest.judge_wiegand import KEY_LENGTHS, WiegandSeen, judge_wiegand
from agent.selftest.result import Fault, Judged
from agent.selftest.step_news import try_news
from hw.lock_gpio import RelayLock

ENOUGH_BAD_FRAMES = 3
"""So many spoilt frames without a good one: waiting longer would tell nothing new."""

LONGEST_PULSE_S = 5.0

PATIENCE_WITH_DAMAGED_S = 12.0
"""A loop whose resistors say already that its wire is damaged is waited for no longer than it takes to work its switch once."""


# -- readers -------------------------------------------------------------------------------------------------------------------


def try_reader(hands: Hands, reader: AnyReader) -> Judged:
    """A fob is held to it."""
    if (why := hands.bench.why.get(reader.name)) is not None:
        return _cannot_be_opened(why)
    if isinstance(reader, WiegandReader):
        return _try_wiegand(hands, reader)
    return try_news(hands, reader)


def _cannot_be_opened(why: str) -> Judged:
    return Judged(faults=(Fault(what=why, likely="the pin's number, or another program that holds it", mend="doorward doctor"),))


def _try_wiegand(hands: Hands, reader: WiegandReader) -> Judged:
    lines = hands.bench.lines[reader.name]
    formats = formats_named(reader.formats, getattr(reader, "raw_lengths", ()))
    mark = lines.bits.mark
    hands.installer.do("reader", f"Hold a fob to reader '{reader.name}'.")
    lines.bits.wait(mark, lambda bits: _is_settled(bits, formats), hands.timeout_s, hands.installer.waiting)
    seen = WiegandSeen(
        reader=reader.name, d0_pin=str(reader.d0_pin), d1_pin=str(reader.d1_pin), frames=frames_of(lines.bits.since(mark), FRAME_GAP_S),
        d0_rests_high=lines.rests_high[0], d1_rests_high=lines.rests_high[1], has_keypad=reader.keypad != "none",
    )  # fmt: skip
    return judge_wiegand(seen, formats)


def _is_settled(bits: list[Bit], formats: tuple[WiegandFormat, ...]) -> bool:
    """A good frame, or enough bad ones, with silence behind it."""
    if not bits or time.monotonic() - bits[-1].at_s < 2 * FRAME_GAP_S:
        return False
    frames = [frame for frame in frames_of(bits, FRAME_GAP_S) if len(frame) not in KEY_LENGTHS]
    return any(isinstance(decode(frame, formats), Decoded) for frame in frames) or len(frames) >= ENOUGH_BAD_FRAMES


# -- inputs --------------------------------------------------------------------------------------------------------------------


def try_input(hands: Hands, name: str) -> Judged:
    """Its switch is worked and undone."""
    bench, words = hands.bench, words_for(name)
    if (why := bench.why.get(name)) is not None:
        return _cannot_be_opened(why)
    if name not in bench.levels:
        return _converter_hangs(bench.place(name))
    if bench.levels[name]:  # a door that stands open is no fault: it is shut first
        hands.installer.do(name, f"First: {words.rest}.")
        bench.edges.wait(0, lambda _: not bench.levels[name], hands.hold_s, hands.installer.waiting)
    mark, rest_active, told = bench.edges.mark, bench.levels[name], bench.loop_news.mark
    patience_s = min(hands.timeout_s, PATIENCE_WITH_DAMAGED_S) if bench.loops.get(name) else hands.timeout_s
    hands.installer.do(name, _sentence(words.act))
    bench.edges.wait(mark, lambda edges: _worked(edges, name, rest_active), patience_s, hands.installer.waiting)
    edges = bench.edges.since(mark)
    return judge_input(InputSeen(
        name=name, place=bench.place(name), loop=bench.loops.get(name, ""), rest_active=rest_active,
        loop_said=bench.loop_said(name, told), on_all_loops=bool(bench.same_on_all_loops),
        edges=tuple(edge.active for edge in edges if edge.name == name),
        moved=tuple(dict.fromkeys(edge.name for edge in edges if edge.name != name and edge.active)),
    ))  # fmt: skip


def _converter_hangs(place: str) -> Judged:
    return Judged(faults=(Fault(
        what=f"{place} does not answer in time",
        likely="the SPI bus hangs, or another program holds the converter",
        mend="doorward doctor; then the converter's CLK, DOUT, DIN and CS",
    ),))  # fmt: skip


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _worked(edges: list[InputEdge], name: str, rest_active: bool) -> bool:
    """Its own switch went there and back; or another one did, which tells as much."""
    mine = [edge.active for edge in edges if edge.name == name]
    others = [edge.active for edge in edges if edge.name != name]
    return mine[-2:] == [not rest_active, rest_active] or (not mine and others[-2:] == [True, False])


# -- lock ----------------------------------------------------------------------------------------------------------------------


def try_lock(hands: Hands, open_lock: Callable[[], RelayLock]) -> Judged | None:
    """It is pulled at, let go, and pulled at again. None when the installer does not want it."""
    lock, tell = hands.config.lock, hands.installer
    pulse_s = min(lock.pulse_s, LONGEST_PULSE_S)
    if not tell.consent(
        "lock",
        f"The relay at pin {lock.relay_pin} will be switched for {pulse_s:g} s, and the door will be free meanwhile. May it?",
    ):
        return None
    device = open_lock()
    try:
        return judge_lock(
            _with_contact(hands, device, pulse_s) if hands.bench.has_witness else _with_words(hands, device, pulse_s)
        )
    finally:
        device.close()


def _lock_seen(hands: Hands, **seen: object) -> LockSeen:
    lock = hands.config.lock
    return LockSeen(kind=lock.kind, fail=lock.fail, relay_pin=str(lock.relay_pin), **seen)  # type: ignore[arg-type]


def _with_contact(hands: Hands, lock: RelayLock, pulse_s: float) -> LockSeen:
    """The door's contact is the witness."""
    shut = _shut(hands, "Shut the door.")
    held_before = _holds(hands, "Now pull at the door: it must hold.") if shut else None
    if held_before is False:
        _shut(hands, "Shut the door again.")
    edges, mark = hands.bench.edges, hands.bench.edges.mark
    hands.installer.do("lock", f"Open the door NOW: it is free for {pulse_s:g} s.")
    began_s = time.monotonic()
    lock.pulse(pulse_s)
    opened = edges.wait(mark, _opened, pulse_s + 0.5, hands.installer.waiting)
    after_s = time.monotonic() - began_s if opened else None
    if not opened:
        return _lock_seen(hands, held_before=held_before, opened=False)
    edges.wait(0, lambda _: not lock.released, pulse_s + 1.0, hands.installer.waiting)
    shut = _shut(hands, "Let the door fall shut.")
    held_after = _holds(hands, "Pull at it once more: it must hold again.") if shut else None
    return _lock_seen(hands, held_before=held_before, opened=True, opened_after_s=after_s, shut=shut, held_after=held_after)


def _opened(edges: list[InputEdge]) -> bool:
    return any(edge.name == "contact" and edge.active for edge in edges)


def _shut(hands: Hands, words: str) -> bool:
    bench = hands.bench
    if bench.levels["contact"]:
        hands.installer.do("lock", words)
    return bench.edges.wait(0, lambda _: not bench.levels["contact"], hands.timeout_s, hands.installer.waiting)


def _holds(hands: Hands, words: str) -> bool:
    mark = hands.bench.edges.mark
    hands.installer.do("lock", words)
    return not hands.bench.edges.wait(mark, _opened, hands.hold_s, hands.installer.waiting)


def _with_words(hands: Hands, lock: RelayLock, pulse_s: float) -> LockSeen:
    """No contact: the installer is the witness."""
    tell = hands.installer
    held_before = tell.confirm("lock", "Pull at the shut door. Does it hold?")
    tell.do("lock", f"Open the door NOW: it is free for {pulse_s:g} s.")
    lock.pulse(pulse_s)
    time.sleep(pulse_s)
    opened = tell.confirm("lock", "Did it open?")
    held_after = tell.confirm("lock", "Shut it and pull again. Does it hold again?")
    return _lock_seen(hands, held_before=held_before, opened=opened, held_after=held_after)


# -- the way out ---------------------------------------------------------------------------------------------------------------


def try_egress(hands: Hands, open_lock: Callable[[], RelayLock]) -> Judged | None:
    """A held door, no program that listens, and the exit button: it must cut the lock's power by itself."""
    tell, edges = hands.installer, hands.bench.edges
    if not tell.consent(
        "egress", "The lock will be held by its relay, and nothing will listen to the exit button. Is somebody at the door?"
    ):
        return None
    lock = open_lock()
    try:
        mark = edges.mark
        tell.do("egress", "Press the exit button and hold it, and open the door: the button must free it by wire alone.")
        if hands.bench.has_witness:
            freed: bool | None = edges.wait(mark, _opened, hands.timeout_s, tell.waiting)
        else:
            freed = tell.confirm("egress", "Did the lock let go while the button was pressed?")
        pressed = any(edge.name == "rex" and edge.active for edge in edges.since(mark))
        return judge_egress(EgressSeen(pressed=pressed, freed=freed if freed or pressed else None))
    finally:
        lock.close()
