"""The steps of a self-test, in the order in which an installer walks. A new step is a function and a line in `steps_for`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from gpiozero import OutputDevice
from msgspec import Struct

from agent.config import Config, OsdpReader, WiegandReader
from agent.selftest.bench import Bench
from agent.selftest.hands import Hands
from agent.selftest.installer import Installer
from agent.selftest.judge_inputs import words_for
from agent.selftest.judge_second import ROLES
from agent.selftest.names import INPUT_NAMES
from agent.selftest.result import Judged, Result
from agent.selftest.step_machine import try_accelerator, try_broker, try_camera, try_clock, try_signals
from agent.selftest.step_second import try_second
from agent.selftest.step_wires import try_egress, try_input, try_lock, try_reader
from hw.lock_gpio import RelayLock
from hw.lock_second import open_relay

NOT_WIRED = "this door has none, says the configuration"


class Options(Struct, frozen=True, kw_only=True):
    """How a self-test is run."""

    only: frozenset[str]
    """Empty: everything."""
    timeout_s: float
    hold_s: float
    picture: bool


class Step(Struct, frozen=True):
    """One step. `absent` says why this door has no such thing; then it is not run."""

    name: str
    title: str
    run: Callable[[], Judged | None]
    absent: str = ""


class SelfTest:
    """Runs the steps of one door; `picture` holds the camera's picture when it was wanted."""

    def __init__(self, config: Config, bench: Bench, installer: Installer, options: Options) -> None:
        self._config, self._bench, self._installer, self._options = config, bench, installer, options
        self._hands = Hands(bench=bench, installer=installer, timeout_s=options.timeout_s, hold_s=options.hold_s)
        self.picture = b""

    def steps(self) -> list[Step]:
        """Those that were asked for."""
        return [step for step in self._all() if not self._options.only or step.name in self._options.only]

    def run(self) -> tuple[Result, ...]:
        steps = self.steps()
        return tuple(self._run(step, number, len(steps)) for number, step in enumerate(steps, 1))

    def _run(self, step: Step, number: int, of: int) -> Result:
        self._installer.step(number, of, step.name, step.title)
        began_s = time.monotonic()
        result = _timed(_without(step) if step.absent else self._judge(step), time.monotonic() - began_s)
        self._installer.result(result)
        return result

    def _judge(self, step: Step) -> Result:
        judged = step.run()
        if judged is None or judged.status != "ok":
            self._bench.doubtful.add(step.name)
        if judged is None:
            return Result(step=step.name, title=step.title, status="skipped", said="not allowed; nothing was moved")
        return Result(step=step.name, title=step.title, status=judged.status, said=judged.said if not judged.faults else "",
                      faults=judged.faults, measured=judged.measured)  # fmt: skip

    def _all(self) -> list[Step]:
        config, hands = self._config, self._hands
        return [
            *(Step("reader", f"Reader '{reader.name}'", partial(try_reader, hands, reader)) for reader in config.readers),
            *self._inputs(),
            Step("lock", "Lock and relay", lambda: try_lock(hands, self._open_lock)),
            Step(
                "second",
                _title_of_second(config),
                lambda: try_second(hands, self._open_first, self._open_second),
                _no_second(config),
            ),
            Step("egress", "Way out by wire", lambda: try_egress(hands, self._open_lock), _no_egress(config)),
            Step("signals", "Lights, buzzer, display", lambda: try_signals(hands), _no_signals(config)),
            Step("camera", "Camera", self._camera),
            Step("accelerator", "Accelerator and networks", lambda: try_accelerator(config)),
            Step("broker", "Broker", lambda: try_broker(config)),
            Step("clock", "Clock", try_clock),
        ]

    def _inputs(self) -> list[Step]:
        return [
            Step(
                name,
                words_for(name).title,
                partial(try_input, self._hands, name),
                "" if name in self._config.wired else NOT_WIRED,
            )
            for name in INPUT_NAMES
        ]

    def _open_lock(self) -> RelayLock:
        return RelayLock(self._open_first(), self._config.lock.fail, lambda text: None)

    def _open_first(self) -> OutputDevice:
        lock = self._config.lock
        return open_relay("lock.relay_pin", lock.relay_pin, lock.relay_active_high, self._bench.pins)

    def _open_second(self) -> OutputDevice:
        lock = self._config.lock
        return open_relay("lock.second_pin", lock.second_pin, lock.second_active_high, self._bench.pins)

    def _camera(self) -> Judged:
        judged, jpeg = try_camera(self._hands)
        self.picture = jpeg if self._options.picture else b""
        return judged


def _without(step: Step) -> Result:
    return Result(step=step.name, title=step.title, status="absent", said=step.absent)


def _timed(result: Result, took_s: float) -> Result:
    return Result(step=result.step, title=result.title, status=result.status, said=result.said, faults=result.faults,
                  measured=result.measured, took_s=round(took_s, 1))  # fmt: skip


def _title_of_second(config: Config) -> str:
    return "Second relay" if config.lock.second_pin == "none" else ROLES[config.lock.second_role].title


def _no_second(config: Config) -> str:
    return NOT_WIRED if config.lock.second_pin == "none" else ""


def _no_egress(config: Config) -> str:
    return "" if config.lock.fail == "safe" else "a fail-secure lock is left by its handle: try that by hand"


def _no_signals(config: Config) -> str:
    feedback = config.feedback
    named = [feedback.display, *(getattr(feedback, f"{name}_pin") for name in ("red", "green", "amber", "blue", "buzzer"))]
    wiegand = [reader for reader in config.readers if isinstance(reader, WiegandReader)]
    named += [pin for reader in wiegand for pin in (reader.led_pin, reader.red_led_pin, reader.beeper_pin)]
    if any(isinstance(reader, OsdpReader) for reader in config.readers):
        return ""
    return "" if any(name != "none" for name in named) else "no lamp, buzzer or display in the configuration"
