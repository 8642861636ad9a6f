"""What does not go together in a configuration, each with the rule that says so. Refused at start-up; agent.advice only warns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from agent.core.supervision import Loop
from agent.errors import ConfigError
from agent.local_socket import MAX_PATH_BYTES, VISION_SOCKET
from agent.risk_settings import risk_policy
from agent.sections import AnyReader, Config, Deployment, Pin, SerialReader, WiegandReader


def check(config: Config) -> None:
    """Raises ConfigError for the first thing that does not fit, naming the key and what is allowed."""
    for each in CHECKS:
        each(config)


def _refuse(key: str, found: object, allowed: str) -> None:
    raise ConfigError(f"`$.{key}` is {found!r}: {allowed}")


def _check_lock(config: Config) -> None:
    lock = config.lock
    if lock.kind == "maglock" and lock.fail == "secure":
        _refuse("lock.fail", lock.fail, "a maglock lets go without power, it is 'safe' by nature")
    if lock.kind == "maglock" and not lock.hardware_release:
        _refuse("lock.hardware_release", False, "a maglock must be cut in hardware by REX and fire loop (NFPA 101 7.2.1.6.2)")
    if lock.fire_door and lock.kind == "strike" and lock.fail == "safe":
        _refuse("lock.fail", lock.fail, "the latch of a fire door must hold without power, use 'secure' (NFPA 80 6.4.4)")
    if lock.fire_door and lock.kind == "maglock" and not lock.own_latch:
        _refuse("lock.own_latch", False, "a magnet is no latch: a fire door needs one of its own (NFPA 80 6.4.4)")
    if lock.one_shot_s and lock.fail == "safe":
        _refuse("lock.one_shot_s", lock.one_shot_s, "0: power holds this lock, and a one-shot would let it go after that time")
    if lock.one_shot_s and lock.one_shot_s <= lock.extended_pulse_s:
        _refuse("lock.one_shot_s", lock.one_shot_s, f"more than lock.extended_pulse_s ({lock.extended_pulse_s}), or 0 for none")
    if lock.extended_pulse_s < lock.pulse_s:
        _refuse("lock.extended_pulse_s", lock.extended_pulse_s, f"at least lock.pulse_s ({lock.pulse_s})")


def _check_second_relay(config: Config) -> None:
    lock = config.lock
    if lock.second_pin == "none":
        if lock.second_role != "lock":
            _refuse("lock.second_role", lock.second_role, "given with lock.second_pin, and only then")
        return
    if lock.second_role in ("alarm", "shunt") and "contact" not in config.wired:
        _refuse(
            "lock.second_role",
            lock.second_role,
            "follows the door contact: wire inputs.contact_pin or supervision.contact_channel",
        )
    if lock.second_role == "opener" and lock.fire_door and "fire" not in config.wired:
        allowed = (
            "the operator of a fire door must stand still in a fire (NFPA 80): wire the fire input, and its power in wire too"
        )
        _refuse("lock.second_role", lock.second_role, allowed)


def _check_supervision(config: Config) -> None:
    channels = config.supervision.wired()
    taken: dict[int, str] = {}
    for name, channel in channels.items():
        if name in config.inputs.wired():
            _refuse(f"supervision.{name}_channel", channel, f"this input is already inputs.{name}_pin; one of the two is 'none'")
        if channel in taken:
            _refuse(f"supervision.{name}_channel", channel, f"this channel is already supervision.{taken[channel]}_channel")
        taken[channel] = name
    loop = config.supervision
    try:
        Loop(pull_up_ohm=loop.pull_up_ohm, series_ohm=loop.series_ohm, parallel_ohm=loop.parallel_ohm)
    except ValueError as error:
        raise ConfigError(f"`$.supervision`: {error}") from error


SPI_PINS = {0: (8, 9, 10, 11), 1: (7, 9, 10, 11)}
"""BCM numbers that SPI port 0 of a Raspberry Pi takes, by device."""


def _check_sockets(config: Config) -> None:
    most = MAX_PATH_BYTES - len(f"/{VISION_SOCKET}")
    if len(os.fsencode(config.run_folder)) > most:
        _refuse("run_folder", config.run_folder, f"at most {most} bytes, which leaves room for the name of a Unix socket")


def _named_pins(config: Config) -> Iterator[tuple[str, Pin]]:
    """Every pin that is in use, with its key."""
    for number, reader in enumerate(config.readers):
        if isinstance(reader, WiegandReader):
            for name in ("d0_pin", "d1_pin", "led_pin", "red_led_pin", "beeper_pin"):
                yield f"readers[{number}].{name}", getattr(reader, name)
    yield "lock.relay_pin", config.lock.relay_pin
    yield "lock.second_pin", config.lock.second_pin
    for name, pin in config.inputs.wired().items():
        yield f"inputs.{name}_pin", pin
    for name in ("red_pin", "green_pin", "amber_pin", "blue_pin", "buzzer_pin"):
        yield f"feedback.{name}", getattr(config.feedback, name)
    if config.supervision.wired() and config.supervision.spi_port == 0:
        for pin in SPI_PINS[config.supervision.spi_device]:
            yield "supervision.spi_port", pin


def _check_readers(config: Config) -> None:
    names: set[str] = set()
    lines: dict[str, str] = {}
    for number, reader in enumerate(config.readers):
        if reader.name in names:
            _refuse(f"readers[{number}].name", reader.name, "each reader has a name of its own")
        names.add(reader.name)
        _check_formats(f"readers[{number}]", reader)
        if isinstance(reader, WiegandReader):
            continue
        if reader.device in lines:
            _refuse(
                f"readers[{number}].device",
                reader.device,
                f"each reader has a line of its own; this one is {lines[reader.device]}'s",
            )
        lines[reader.device] = reader.name


def _check_formats(key: str, reader: AnyReader) -> None:
    if isinstance(reader, SerialReader):
        return
    if len(set(reader.formats)) < len(reader.formats):
        _refuse(f"{key}.formats", list(reader.formats), "each format once")
    if ("raw" in reader.formats) != bool(reader.raw_lengths):
        _refuse(f"{key}.raw_lengths", list(reader.raw_lengths), "given with 'raw' among the formats, and only then")
    if len(set(reader.raw_lengths)) < len(reader.raw_lengths):
        _refuse(f"{key}.raw_lengths", list(reader.raw_lengths), "each length once")


def _check_feedback(config: Config) -> None:
    feedback = config.feedback
    if bool(feedback.quiet_from) != bool(feedback.quiet_until):
        _refuse("feedback.quiet_until", feedback.quiet_until, "quiet hours have a beginning and an end: give both or neither")
    if feedback.display.startswith("sim:") and config.board.pins != "sim":
        _refuse("feedback.display", feedback.display, "a simulated display goes with board.pins = 'sim' alone")


def _check_live(config: Config) -> None:
    for key in ("microphone", "speaker"):
        name = getattr(config.live, key)
        if name.startswith("sim:") and config.board.pins != "sim":
            _refuse(f"live.{key}", name, "a simulated one goes with board.pins = 'sim' alone")


def _check_pins(config: Config) -> None:
    taken: dict[Pin, str] = {}
    for key, spelt in _named_pins(config):
        pin = int(spelt[4:]) if isinstance(spelt, str) and spelt.startswith("GPIO") else spelt
        if pin == "none":
            continue
        if pin in taken:
            _refuse(key, spelt, f"this pin is already {taken[pin]}")
        taken[pin] = key
    if (config.board.pins == "sim") != bool(config.board.rig):
        _refuse("board.rig", config.board.rig, "given with board.pins = 'sim', and only then")


def expression_allowed(deployment: Deployment) -> bool:
    """Whether expression networks may be loaded: asked for, and in a profile that allows it, however the object came about."""
    return deployment.expression and deployment.profile == "standard"


def stress_signs_allowed(config: Config) -> bool:
    """Whether stress signs may be measured: asked for, and in a profile that allows it, however the object came about."""
    return config.behaviour.stress_signs and config.deployment.profile == "standard"


def micro_expressions_allowed(config: Config) -> bool:
    """As `stress_signs_allowed`, for micro-expressions."""
    return config.behaviour.micro_expressions and config.deployment.profile == "standard"


def _check_behaviour(config: Config) -> None:
    for key, asked, allowed in (
        ("stress_signs", config.behaviour.stress_signs, stress_signs_allowed(config)),
        ("micro_expressions", config.behaviour.micro_expressions, micro_expressions_allowed(config)),
    ):
        if asked and not allowed:
            _refuse(f"behaviour.{key}", True, "profile 'workplace-eu' measures nothing emotional of people, for inferring emotions of"
                    " people at work is prohibited in the EU (AI Act, Art. 5(1)(f)); set it to false, or deployment.profile ="
                    " 'standard' where the law of the place allows it")  # fmt: skip


def _check_deployment(config: Config) -> None:
    if config.deployment.expression and not expression_allowed(config.deployment):
        _refuse("deployment.expression", True, "profile 'workplace-eu' opens no expression network, for inferring emotions of people at work"
                " is prohibited in the EU (AI Act, Art. 5(1)(f)); set it to false, or profile = 'standard' where the law of the place"
                " allows it")  # fmt: skip


def _check_policy(config: Config) -> None:
    policy = config.policy
    if policy.mismatch_wait_s > policy.face_wait_s:
        _refuse("policy.mismatch_wait_s", policy.mismatch_wait_s, f"at most policy.face_wait_s ({policy.face_wait_s})")


def _check_timing(config: Config) -> None:
    timing = config.timing
    for key in ("extended_held_open_s", "propped_s"):
        if (value := getattr(timing, key)) < timing.held_open_s:
            _refuse(f"timing.{key}", value, f"at least timing.held_open_s ({timing.held_open_s})")
    if timing.warn_before_s >= timing.held_open_s:
        _refuse("timing.warn_before_s", timing.warn_before_s, f"less than timing.held_open_s ({timing.held_open_s})")


LEAST_WAIT_FOR_LIFE_S = 1.0
"""No face is found alive in less."""


def _check_liveness(config: Config) -> None:
    if config.policy.liveness in ("deny_attack", "require_live") and "liveness" not in config.vision.stages:
        _refuse(
            "policy.liveness", config.policy.liveness, "`vision.stages` must include 'liveness', or nobody is ever found alive"
        )
    if config.policy.liveness in ("deny_attack", "require_live") and config.policy.face_wait_s < LEAST_WAIT_FOR_LIFE_S:
        _refuse(
            "policy.face_wait_s",
            config.policy.face_wait_s,
            f"at least {LEAST_WAIT_FOR_LIFE_S} with liveness = {config.policy.liveness!r}",
        )


def _check_risk(config: Config) -> None:
    try:
        risk_policy(config.risk)
    except ValueError as error:
        raise ConfigError(f"`$.risk.{str(error).replace(': ', '`: ', 1)}") from error


CHECKS: tuple[Callable[[Config], None], ...] = (
    _check_readers, _check_timing, _check_liveness, _check_lock, _check_second_relay, _check_supervision, _check_feedback, _check_sockets,
    _check_live, _check_pins, _check_deployment, _check_behaviour, _check_policy, _check_risk,
)  # fmt: skip
