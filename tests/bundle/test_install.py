"""install.sh on a folder that it takes for a controller: what it installs, what it refuses, and what a power cut leaves."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.bundle.houses import Controller, make_key, small_bundle

pytestmark = pytest.mark.system


def refused(done: subprocess.CompletedProcess[str], what: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert what in done.stderr
    assert "mend:" in done.stderr, "whoever reads it stands at a door"


# ---- what is refused before anything is done ----


def tamper_wheel(bundle: Path) -> None:
    wheel = next(bundle.glob("wheels/doorward-*.whl"))
    data = wheel.read_bytes()
    wheel.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])


def tamper_manifest(bundle: Path) -> None:
    (bundle / "manifest.json").write_bytes((bundle / "manifest.json").read_bytes().replace(b'"0.1.0"', b'"0.1.9"'))


def tamper_signature(bundle: Path) -> None:
    said = (bundle / "manifest.sig").read_bytes()
    (bundle / "manifest.sig").write_bytes(bytes([said[0] ^ 1]) + said[1:])


def add_file(bundle: Path) -> None:
    (bundle / "wheels" / "numpy-9.9-py3-none-any.whl").write_bytes(b"not ours")


def leave_out(bundle: Path) -> None:
    next(bundle.glob("locks/*.txt")).unlink()


def put_link(bundle: Path) -> None:
    unit = bundle / "systemd" / "doorward-door.service"
    shutil.move(unit, bundle.parent / "elsewhere")
    unit.symlink_to(bundle.parent / "elsewhere")


@pytest.mark.parametrize(
    ("tamper", "what"),
    [
        (tamper_wheel, "is not what the manifest says"),
        (tamper_manifest, "signature is not by"),
        (tamper_signature, "signature is not by"),
        (add_file, "is in the folder and not in the manifest"),
        (leave_out, "is missing"),
        (put_link, "is no plain file"),
    ],
)
def test_a_bundle_that_is_not_what_was_signed_changes_nothing(bundles, controller, tmp_path, tamper, what):
    bundle = Path(shutil.copytree(bundles("0.1.0"), tmp_path / "bundle"))
    tamper(bundle)
    refused(controller.run(bundle), what)
    assert not controller.opt.exists()


def test_a_bundle_that_somebody_else_signed_is_refused_by_a_door_that_knows_whom_to_believe(controller, bundles, tmp_path):
    assert controller.run(bundles("0.1.0")).returncode == 0
    strangers = small_bundle(tmp_path / "bundle", make_key(tmp_path / "other.key"), "0.2.0")
    refused(controller.run(strangers), "signature is not by")
    assert controller.runs() == "0.1.0"


def test_the_first_installation_says_that_the_bundles_own_key_proves_nothing_and_believes_it_from_then_on(bundles, controller):
    said = controller.run(bundles("0.1.0")).stdout
    assert "shows that nothing broke, and not who made it" in said
    assert (controller.etc / "release.pub").read_bytes() == (bundles("0.1.0") / "release.pub").read_bytes()
    assert "shows that nothing broke" not in controller.run(bundles("0.2.0")).stdout


def test_whoever_only_looks_changes_nothing_and_may_name_a_key(bundles, controller, tmp_path):
    other = make_key(tmp_path / "other.key")
    bundle = bundles("0.1.0")
    assert controller.run(bundle, "--verify", "--key", str(bundle / "release.pub")).returncode == 0
    subprocess.run(["openssl", "pkey", "-in", other, "-pubout", "-out", tmp_path / "other.pub"], check=True)
    refused(controller.run(bundle, "--verify", "--key", str(tmp_path / "other.pub")), "signature is not by")
    assert not controller.opt.exists()


@pytest.mark.parametrize(
    ("board", "pythons", "words", "what"),
    [
        ("jetson-orin-nano", (), b"raspberrypi,5-model-b\0brcm,bcm2712\0", "the bundle is for jetson-orin-nano"),
        ("pi4", (), b"raspberrypi,5-model-b\0brcm,bcm2712\0", "the bundle is for pi4"),
        ("doorbell", (), b"", "which this install.sh does not know"),
        ("", ("2.7", "3.0"), b"", "the bundle is for 2.7 and 3.0"),
    ],
)
def test_a_bundle_of_another_board_or_another_system_is_refused(key, controller, tmp_path, board, pythons, words, what):
    bundle = small_bundle(tmp_path / "bundle", key, "0.1.0", board=board, pythons=pythons)
    tree = controller.root / "proc" / "device-tree" / "compatible"
    tree.parent.mkdir(parents=True)
    tree.write_bytes(words)
    refused(controller.run(bundle), what)
    assert not controller.opt.exists()


# ---- what is installed ----


def test_a_new_release_runs_with_its_own_units_and_the_one_before_is_kept(bundles, controller):
    configuration = controller.commissioned()
    centre = controller.root / "etc/systemd/system/doorward-central.service"
    centre.parent.mkdir(parents=True)
    centre.write_text("a centre on the same machine")
    for version in ("0.1.0", "0.2.0", "0.3.0"):
        done = controller.run(bundles(version))
        assert done.returncode == 0, done.stderr
        assert (controller.runs(), controller.units()) == (version, version)
    assert controller.releases() == {"0.2.0", "0.3.0"}
    assert not controller.trial
    assert (controller.etc / "door.toml").read_text() == configuration
    assert centre.exists()
    kept = {path.name for path in (controller.root / "etc/systemd/system").glob("doorward-of-*")}
    assert kept == {"doorward-of-0-3-0.service"}, "units of releases that are gone would be started with each boot"


def test_doing_it_again_changes_nothing(bundles, controller):
    controller.commissioned()
    controller.run(bundles("0.1.0"))
    before = {
        path: path.lstat().st_mtime_ns
        for path in controller.root.rglob("*")
        if "__pycache__" not in str(path) and path.name != ".lock"
    }
    done = controller.run(bundles("0.1.0"))
    assert done.returncode == 0
    assert "is what runs here already" in done.stdout
    after = {
        path: path.lstat().st_mtime_ns
        for path in controller.root.rglob("*")
        if "__pycache__" not in str(path) and path.name != ".lock"
    }
    assert after == before


def test_a_release_whose_door_does_not_come_up_gives_way_to_the_former_one(bundles, controller):
    controller.commissioned()
    controller.run(bundles("0.1.0"))
    done = controller.run(bundles("0.2.13"))
    assert done.returncode == 4
    assert "0.1.0" in done.stdout
    assert (controller.runs(), controller.units(), controller.trial) == ("0.1.0", "0.1.0", False)


def test_without_a_former_release_it_stays_and_says_so(bundles, controller):
    controller.commissioned()
    done = controller.run(bundles("0.2.13"))
    assert done.returncode == 5
    assert "nothing to go back to" in done.stdout
    assert not controller.trial


def test_before_it_is_commissioned_nothing_is_started(bundles, controller):
    done = controller.run(bundles("0.2.13"))
    assert done.returncode == 0
    assert "commission" in done.stdout


def test_back_by_hand_and_forth_again(bundles, controller):
    controller.commissioned()
    controller.run(bundles("0.1.0"))
    controller.run(bundles("0.2.0"))
    for version in ("0.1.0", "0.2.0"):
        assert controller.run(controller.opt / "current", "--back").returncode == 0
        assert (controller.runs(), controller.units()) == (version, version)


def test_two_installations_at_once_are_one(bundles, controller):
    controller.run(bundles("0.1.0"))
    with (controller.opt / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(controller.run(bundles("0.2.0")), "another installation is running")


# ---- power cuts ----


def cut_at(command: list[str], mark: str, count: int) -> bool:
    """Run it, and cut the power (SIGKILL to all of it) when its trace shows `mark` for the count-th time. Whether it came to that."""
    process = subprocess.Popen(
        ["sh", "-x", *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        count -= mark in line
        if count == 0:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.communicate()
    return count == 0


BUILDING = [("pip install", 1), ("+ mv -T", 1)]
SWITCHING = [
    ("trial.part", 1),
    ("trial.part", 2),
    ("doorward-door.service.part", 2),
    ("+ link previous", 1),
    (".current.new", 3),
    ("health --wait", 1),
    ("+ end_trial", 1),
]


@pytest.fixture(scope="module")
def at_work(bundles, tmp_path_factory) -> Path:
    """A controller with 0.1.0, commissioned, that has 0.2.0 lying ready; copied for each cut."""
    controller = Controller(tmp_path_factory.mktemp("at_work") / "controller")
    controller.commissioned()
    controller.run(bundles("0.1.0"))
    controller.run(bundles("0.2.0"))
    controller.run(controller.opt / "current", "--back")
    return controller.root


@pytest.mark.parametrize(("mark", "count"), [*BUILDING, *SWITCHING])
def test_power_that_fails_at_any_moment_leaves_a_release_that_works_and_its_own_units(bundles, at_work, tmp_path, mark, count):
    controller = Controller(Path(shutil.copytree(at_work, tmp_path / "controller", symlinks=True)))
    if (mark, count) in BUILDING:
        (controller.opt / "previous").unlink()
        shutil.rmtree(next(controller.opt.glob("releases/0.2.0+*")))
    assert cut_at(controller.command(bundles("0.2.0")), mark, count), f"{mark!r} is no moment of an installation"
    controller.boots("boot-2")
    assert controller.settles().returncode == 0
    assert controller.runs() == controller.units()
    assert controller.runs() == "0.1.0" or mark == "+ end_trial", "nobody asked the new one whether it is up"
    assert not controller.trial
    again = controller.run(bundles("0.2.0"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert (controller.runs(), controller.units()) == ("0.2.0", "0.2.0")
    assert not list(controller.opt.glob("releases/.making.*"))


def test_an_installation_that_goes_on_is_not_undone_from_beside(bundles, at_work, tmp_path):
    controller = Controller(Path(shutil.copytree(at_work, tmp_path / "controller", symlinks=True)))
    assert cut_at(controller.command(bundles("0.2.0")), "health --wait", 1)
    assert controller.settles().returncode == 0
    assert controller.runs() == "0.2.0", "the controller has not been started again since"
