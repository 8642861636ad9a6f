"""`doorward door`, `vision`, `media`, `check-config`, `safe-state`: the programs of a controller."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from agent.config import Config, load_config, load_relay
from agent.errors import ConfigError, ModelError
from agent.updates.in_force import config_in_force

DEFAULT_CONFIG = Path("/etc/doorward/door.toml")


def add_parser(subparsers: Any) -> None:
    """Add the commands that take a controller's configuration and nothing else."""
    for name, run, line in (
        ("door", _door, "the door program: reader, lock, decision, journal, MQTT"),
        ("vision", _vision, "the vision program: camera, models, tracks"),
        ("media", _media, "the media program: live view and intercom for browsers"),
        ("check-config", _check, "read a configuration as the programs would, and say what is wrong"),
        ("safe-state", _safe_state, "take the power off the lock's coil (run by systemd when the door program ended)"),
    ):
        parser = subparsers.add_parser(name, help=line, description=line)
        parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")
        parser.set_defaults(func=run)


def _door(args: argparse.Namespace) -> int:
    from agent.door_app import run_door

    config, source = config_in_force(args.config)
    return run_door(config, _until_told().is_set, source)


def _vision(args: argparse.Namespace) -> int:
    from agent.vision_app import ANEW, run_vision

    config, source = config_in_force(args.config)
    status = run_vision(config, _until_told(), source)
    if status == ANEW:  # the same process again, so that whoever supervises it need not know: everything that was open is closed
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - our own command line
    return status


def _media(args: argparse.Namespace) -> int:
    try:
        from agent.media.media_app import run_media
    except ModuleNotFoundError as error:
        raise ConfigError(f"live view needs {error.name}: pip install 'doorward[live]'") from error

    return run_media(_load(args), _until_told())


def _check(args: argparse.Namespace) -> int:
    from agent.advice import advice

    config = _load(args)
    demand_threshold(args.config, config)
    for text in advice(config):
        print(f"{args.config}: allowed, but is it meant? {text}", file=sys.stderr)
    print(f"{args.config}: fine, door {config.site}/{config.door}", file=sys.stderr)
    return 0


def demand_threshold(path: Path, config: Config) -> None:
    """The door translates policy.fmr by the models' manifest when it starts; raises ConfigError when that states no such rate."""
    from models_tflite.manifest import load_manifest

    try:
        load_manifest(Path(config.vision.models) if config.vision.models else None).threshold_at_fmr(config.policy.fmr)
    except ModelError as error:
        raise ConfigError(f"{path}: `$.policy.fmr`, `$.vision.models`: {error}") from error


def _safe_state(args: argparse.Namespace) -> int:
    from agent.safe_state import make_safe

    make_safe(load_relay(args.config))
    return 0


def _load(args: argparse.Namespace) -> Config:
    path: Path = args.config
    return load_config(path)


def _until_told() -> threading.Event:
    """Set by SIGTERM or SIGINT; the programs look at it every turn."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
