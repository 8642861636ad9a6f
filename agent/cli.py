"""`doorward …`: one entry point. Only the chosen command's code is loaded, so a door carries nothing of the rest."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import select
import sys
from typing import Any, Protocol, cast

from agent import __version__
from agent.errors import ConfigError, DoorwardError

COMMANDS = {
    "door": ("agent.programs_cli", "the door program: reader, lock, decision, journal, MQTT"),
    "vision": ("agent.programs_cli", "the vision program: camera, models, tracks"),
    "media": ("agent.programs_cli", "the media program: live view and intercom for browsers"),
    "central": ("central.cli", "the site's server: historian, keys, commands"),
    "explain": ("central.explain_cli", "why a door did what it did: rule, evidence, norms, versions, in words"),
    "demo": ("demo.cli", "people walk up to a simulated door; see and read what it decides"),
    "analyze": ("agent.analyze_cli", "what a door would have seen in films, or sees now"),
    "decode": ("agent.decode_cli", "what a reader's bits mean"),
    "eval": ("agent.evaluation.cli", "measure the networks on lists of pictures: verification, identification, detection"),
    "commission": ("agent.commission.cli", "hand over a door: pair, aim, mark, test, learn, and a signed report"),
    "selftest": ("agent.selftest_cli", "walk through reader, inputs, lock, camera, broker: what is wrong, and which wire"),
    "doctor": ("agent.doctor_cli", "what is missing in software and how to mend it"),
    "health": ("agent.health_cli", "whether door and vision are up, by their own words"),
    "calibrate": ("agent.calibrate_cli", "the threshold for the door's own camera, from the faces that passed"),
    "floor": ("agent.floor_cli", "mark the floor before the camera, so that behaviour is told in metres and zones"),
    "models": ("agent.models_cli", "list, verify, lint, time and rebuild the neural networks"),
    "identity": ("agent.identity_cli", "how this door's keys are kept; seal them to the board's TPM"),
    "osdp": ("agent.osdp_cli", "keys of OSDP readers: set-key, check"),
    "update": ("agent.updates.cli", "updates of this controller: what runs, back to what ran before"),
    "check-config": ("agent.programs_cli", "read a configuration as the programs would, and say what is wrong"),
    "safe-state": ("agent.programs_cli", "take the power off the lock's coil (run by systemd when the door program ended)"),
}
"""Command -> module that adds its parser, and its line in the overview."""

ABOUT = "The fob says who it belongs to. Doorward looks whether that is who is holding it."
AFTERWORD = "`doorward COMMAND --help` tells more. Exit status: 0 done, 1 a finding or a refusal, 2 wrong usage or configuration."

OK, FINDING, USAGE = 0, 1, 2
STDOUT = 1


class _CommandModule(Protocol):
    def add_parser(self, subparsers: Any) -> None: ...


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 done, 1 finding or refusal, 2 usage or configuration."""
    words = sys.argv[1:] if argv is None else argv
    try:
        args = _parser(words).parse_args(words)
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
        status = int(args.func(args))
        sys.stdout.flush()
    except ConfigError as error:
        print(f"doorward: {error}", file=sys.stderr)
        return USAGE
    except DoorwardError as error:
        print(f"doorward: {error}", file=sys.stderr)
        return FINDING
    except KeyboardInterrupt:
        return FINDING
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        return FINDING
    return status


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose reader has gone (`… | head -1`), which is no fault; then nothing more is written to it."""
    poll = select.poll()
    poll.register(STDOUT, 0)
    gone = any(state & select.POLLERR for _, state in poll.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)  # the interpreter flushes once more when it ends
    return gone


def _parser(words: list[str]) -> argparse.ArgumentParser:
    """A parser that knows all commands by name and the chosen one in full."""
    parser = argparse.ArgumentParser(prog="doorward", description=ABOUT, epilog=AFTERWORD)
    parser.add_argument("--version", action="version", version=f"doorward {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    chosen = next((word for word in words if not word.startswith("-")), "")
    loaded: set[str] = set()
    for name, (module, line) in COMMANDS.items():
        if name != chosen and module != COMMANDS.get(chosen, ("", ""))[0]:
            subparsers.add_parser(name, help=line)
        elif module not in loaded:
            loaded.add(module)
            cast(_CommandModule, importlib.import_module(module)).add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
