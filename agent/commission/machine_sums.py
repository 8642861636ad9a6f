"""What runs on this controller, by version and by sum, so that anybody can tell later whether it is still the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agent.clock_kernel import kernel_clock
from agent.commission.handover import Machine, Model
from agent.config import Config
from agent.selftest_cli import versions
from models_tflite.manifest import load_manifest

PACKAGES = ("agent", "hw", "models_tflite")
"""Of which a door is made."""
RELEASES = Path("/opt/doorward/current")


def machine_of(config: Config, config_sum: str) -> Machine:
    """Raises ModelError for a manifest that cannot be read."""
    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    release = {"release": RELEASES.resolve().name} if RELEASES.exists() else {}
    told = {**versions(config), **release, "sum of the program": program_sum(Path(__file__).parents[2])}
    models = tuple(Model(entry.role, entry.file, entry.sha256) for entry in manifest.models)
    return Machine(versions=told, models=models, clock=clock_words(), config=config_sum)


def clock_words() -> str:
    """Whether the times in the report can be believed."""
    synchronised, error_s = kernel_clock()
    if not synchronised:
        return "NOT synchronised with a time server: dates in this report may be wrong"
    return "synchronised" + (f", within {error_s:.1f} s" if error_s is not None else "")


def program_sum(root: Path) -> str:
    """SHA-256 over names and sums of all Python files of the door's packages below `root`, in the order of their names; 32 digits of it."""
    total = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            total.update(f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()[:32]
