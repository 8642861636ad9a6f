"""A second release at a door that runs: one that does not come up gives way to the one before, by the word of `doorward health`."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

from tests.bundle.houses import seal
from tests.field.conftest import Tell, bundle_of, unpack
from tests.field.machine import ROOT, Machine

KEY = ROOT / "var" / "bundle" / "release.key"


def broken(folder: Path) -> Path:
    """The same bundle as the next release, properly signed, whose door ends at once."""
    inside = folder / "bundle"
    with tarfile.open(bundle_of("rehearsal")) as bundle:
        bundle.extractall(inside)
    pythons = tuple(json.loads((inside / "manifest.json").read_text())["pythons"])
    unit = inside / "systemd" / "doorward-door.service"
    unit.write_text(unit.read_text().replace("ExecStart=/opt/doorward/bin/doorward door", "ExecStart=/bin/false"))
    seal(inside, KEY, "0.1.1", "rehearsal", pythons)
    with tarfile.open(folder / "next.tar", "w") as packed:
        packed.add(inside, arcname=".")
    shutil.rmtree(inside)
    return folder / "next.tar"


def test_a_release_that_does_not_come_up_gives_way_to_the_one_before(installed: Machine, tell: Tell, tmp_path: Path) -> None:
    before = installed.run("readlink /opt/doorward/current")
    unpack(installed, broken(tmp_path), "/root/next")
    done = installed.tried("sh /root/next/install.sh; ended=$?; rm -rf /root/next; exit $ended")
    current = installed.run("readlink /opt/doorward/current")
    took_s = installed.until(installed.healthy, "the former release does not come up", 600)
    said = next((line for line in done.stdout.splitlines() if line.startswith("✗")), done.stdout[-200:])
    tell("a signed release whose door ends at once", f"'{said}'; exit {done.returncode}, door and vision up {took_s:.0f} s later",
         "exit 4, the release before runs, by itself", done.returncode == 4 and current == before)  # fmt: skip
