"""The bundle of a Raspberry Pi on 64-bit ARM, without a network: Debian for arm64, run by QEMU's user mode."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.field.conftest import FIELD, SUITE, Tell, bundle_of
from tests.field.machine import ROOT

pytestmark = [pytest.mark.field, pytest.mark.timeout(3600)]

TOOLS = ROOT / "tools" / "field"
ARM64 = FIELD / "arm64" / SUITE


def offline(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / "offline.sh", root, *words], capture_output=True, text=True, timeout=3000, check=False)


@pytest.fixture(scope="module")
def root() -> Path:
    """Debian as it is delivered: what a former rehearsal left is gone."""
    subprocess.run([TOOLS / "arm64.sh", SUITE, ARM64], check=True)
    root = ARM64 / "root"
    for left in ("opt/doorward", "etc/doorward", "root/bundle"):
        shutil.rmtree(root / left, ignore_errors=True)
    return root


@pytest.fixture(scope="module")
def installed(root: Path) -> subprocess.CompletedProcess[str]:
    folder = root / "root" / "bundle"
    folder.mkdir()
    with tarfile.open(bundle_of("pi5")) as bundle:
        bundle.extractall(folder)
    return offline(root, "sh", "/root/bundle/install.sh", "--no-start")


def test_the_bundle_installs_on_arm64_without_a_network(installed: subprocess.CompletedProcess[str], tell: Tell) -> None:
    said = (installed.stdout + installed.stderr).strip().splitlines()
    done = installed.returncode == 0 and said[-1].startswith("Done")
    tell("bundle of the pi5 into arm64 Debian, no network", said[-1], "it installs from its own wheels alone", done)


def _sums(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_the_networks_give_the_same_sums_as_on_x86(root: Path, installed: subprocess.CompletedProcess[str], tell: Tell) -> None:
    assert installed.returncode == 0
    there = _sums(offline(root, "/opt/doorward/bin/doorward", "models", "sums", "--json").stdout)
    words = [sys.executable, "-m", "agent.cli", "models", "sums", "--json"]
    here = _sums(subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ).stdout)
    same = [row["sha256"] for row in there] == [row["sha256"] for row in here]
    far = max((row["fast_differs_most"] for row in there), default=0)
    seen = f"{len(there)} networks, {'the same' if same else 'OTHER'} bytes; fast kernels there up to {far} of 256 from the plain ones"
    tell("int8 networks on arm64 and x86, one fixed picture", seen, "plain kernels give the same bytes", bool(there) and same)
