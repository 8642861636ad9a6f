"""The devices of a door, opened as its configuration says. Each is safe from the moment it is opened, and again once it is closed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpiozero import OutputDevice

from agent.config import AnyReader, Config, OsdpReader, SerialReader, WiegandReader
from agent.core.door import DoorState
from agent.core.formats import formats_named
from agent.core.supervision import Loop
from agent.door_items import Edge, EdgesLost, Fault, InputEdge, InputFault, Item
from agent.inbox import Inbox
from agent.records.osdp_key import OsdpKey, key_path
from hw.board import open_pins
from hw.inputs_gpio import GpioInputs
from hw.lock_gpio import RelayLock
from hw.lock_second import BothLocks, FollowingRelay, OpenerLock, open_relay
from hw.reader_wiegand import GpioWiegandLines
from hw.signals import open_parts

if TYPE_CHECKING:
    from hw.interfaces import DoorInputs, Lock, Reader, Signaller, WiegandLines

log = logging.getLogger(__name__)

Put = Callable[[Item], None]
Follow = Callable[[DoorState, float], None]


@contextmanager
def opened_relays(config: Config) -> Iterator[tuple[Any, dict[str, OutputDevice]]]:
    """The board's pins, and the relays "first" and "second": no power on a coil before and after. Raises HardwareError."""
    pins = open_pins(config.board.pins, config.board.rig, config.board.model)
    relays: dict[str, OutputDevice] = {}
    try:
        relays.update(open_relays(config, pins))
        yield pins, relays
    finally:
        for relay in relays.values():
            if not relay.closed:
                relay.off()
                relay.close()
        pins.close()
        log.info("door stopped lock=unpowered")


def open_relays(config: Config, pins: Any) -> Iterator[tuple[str, OutputDevice]]:
    """Each relay's pin, one after the other, as it is opened: without power on its coil."""
    lock = config.lock
    yield "first", open_relay("lock.relay_pin", lock.relay_pin, lock.relay_active_high, pins)
    if lock.second_pin != "none":
        yield "second", open_relay("lock.second_pin", lock.second_pin, lock.second_active_high, pins)


def fit_lock(config: Config, relays: dict[str, OutputDevice], inbox: Inbox[Item]) -> tuple[Lock, Follow, Callable[[], None]]:
    """The lock, what shows the door's state on a second relay, and what closes that relay."""

    def on_fault(text: str) -> None:
        inbox.put(Fault("lock.fault", text))

    def fit(relay: OutputDevice) -> RelayLock:
        return RelayLock(relay, config.lock.fail, on_fault, one_shot=config.lock.one_shot_s > 0)

    first, second, role = fit(relays["first"]), relays.get("second"), config.lock.second_role
    if second is None:
        return first, _follow_nothing, lambda: None
    if role == "lock":
        return BothLocks(first, fit(second), on_fault), _follow_nothing, lambda: None
    if role == "opener":
        fire = _FireWatch()
        opener = OpenerLock(
            first, second, config.lock.opener_delay_s, config.lock.opener_pulse_s, lambda: not fire.burns, on_fault
        )
        return opener, fire.follow, lambda: None
    relay = FollowingRelay(second, role, on_fault)
    wanted = _alarmed if role == "alarm" else _legitimate
    return first, lambda state, now_s: relay.show(wanted(state, now_s)), relay.close


class _FireWatch:
    """Whether the fire input stands: then no operator pushes a door open."""

    burns = False

    def follow(self, state: DoorState, now_s: float) -> None:
        self.burns = state.fire


def _follow_nothing(state: DoorState, now_s: float) -> None:
    """There is no second relay that shows anything."""


def _alarmed(state: DoorState, now_s: float) -> bool:
    return state.alarm != "none"


def _legitimate(state: DoorState, now_s: float) -> bool:
    """While this lasts, a burglar alarm's own contact is bridged."""
    if state.open:
        return state.alarm == "none"
    return state.renew_s is not None or now_s <= state.may_open_until_s


def open_inputs(config: Config, pins: Any, put: Put) -> DoorInputs:
    """Every input that is wired, on a pin or on the converter."""
    inverted = ("bolt",) if config.inputs.bolt_closed_when == "released" else ()
    on_pins = GpioInputs(config.inputs.wired(), pins, [name for name in inverted if name in config.inputs.wired()])
    channels = config.supervision.wired()
    if not channels:
        return on_pins
    from hw.inputs_adc import AdcInputs, JoinedInputs, open_adc

    section = config.supervision
    loop = Loop(pull_up_ohm=section.pull_up_ohm, series_ohm=section.series_ohm, parallel_ohm=section.parallel_ohm)
    adc = open_adc(channels, pins, section.spi_port, section.spi_device)
    on_loops = AdcInputs(adc, loop, section.poll_s, lambda name, what, at_s: put(InputFault(name, what, at_s)))
    return JoinedInputs(on_pins, on_loops)


def listen_to_inputs(config: Config, inputs: DoorInputs, put: Put) -> None:
    """Edges go into the inbox. A monitor contact on the converter that closes the other way round is turned here."""
    turned = {"bolt"} & config.supervision.wired().keys() if config.inputs.bolt_closed_when == "released" else set()
    inputs.start(lambda name, active, at_s: put(InputEdge(name, active != (name in turned), at_s)))


def open_wiegand(config: Config, pins: Any, put: Put) -> dict[str, WiegandLines]:
    """The data lines of each Wiegand reader. With the kernel's own interface lost edges are noticed."""
    return {reader.name: _lines(config, f"readers[{number}]", reader, pins, put)
            for number, reader in enumerate(config.readers) if isinstance(reader, WiegandReader)}  # fmt: skip


def _lines(config: Config, key: str, reader: WiegandReader, pins: Any, put: Put) -> WiegandLines:
    if config.board.pins != "gpiod":
        return GpioWiegandLines(reader.d0_pin, reader.d1_pin, pins, key)
    from hw.pins_gpiod import line_of
    from hw.reader_gpiod import GpiodWiegandLines

    d0, d1 = (line_of(pin, config.board.model) for pin in (reader.d0_pin, reader.d1_pin))
    return GpiodWiegandLines(d0, d1, key, lambda text: put(Fault("reader.broken", text)))


def listen_to_wiegand(name: str, lines: WiegandLines, put: Put) -> None:
    lines.start(lambda bit, at_s: put(Edge(name, bit, at_s)), lambda at_s: put(EdgesLost(name, at_s)))


def open_other_readers(config: Config) -> dict[str, Reader]:
    """Readers that frame for themselves; nothing of them is touched before they are started."""
    opened = {reader.name: _reader(config, reader) for reader in config.readers}
    return {name: reader for name, reader in opened.items() if reader is not None}


def _reader(config: Config, reader: AnyReader) -> Reader | None:
    if isinstance(reader, SerialReader):
        from hw.reader_serial import open_serial_reader

        return open_serial_reader(reader.name, reader.device, reader.protocol, reader.baud)
    if isinstance(reader, OsdpReader):
        from hw.reader_osdp import open_osdp_reader

        key = OsdpKey(key_path(reader.key_file, reader.name), reader.name, Path(config.records.door_key))
        return open_osdp_reader(reader.name, reader.device, key,
                                formats_named(reader.formats, reader.raw_lengths), reader.baud, reader.address)  # fmt: skip
    return None


def open_signallers(config: Config, pins: Any, readers: dict[str, Reader]) -> dict[str, Signaller]:
    """Lamps, buzzer, display, and the readers' own lights."""
    lines = {reader.name: reader for reader in config.readers if isinstance(reader, WiegandReader)}
    return {**open_parts(config.feedback, lines, pins), **readers}
