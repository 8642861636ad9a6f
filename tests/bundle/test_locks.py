"""Locks: what a controller without a network gets, to the byte."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name, parse_wheel_filename

from tools.bundle.boards import BOARDS, GLIBC, TARGETS, Target
from tools.bundle.errors import BundleError
from tools.bundle.locks import BUILD, HERE, Locked, format_lock, lock_path, parse_lock, read_lock
from tools.bundle.relock import missing, packages_of, tags_of

WORDS = st.text("abcxyz0189", min_size=1, max_size=8)
PACKAGES = st.builds(
    Locked,
    name=st.lists(WORDS, min_size=1, max_size=3).map("-".join),
    version=st.lists(st.integers(0, 9999).map(str), min_size=1, max_size=4).map(".".join),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    file=WORDS.map("{}-1.0-py3-none-any.whl".format),
    size_b=st.integers(1, 10**9),
)


@given(st.lists(PACKAGES, min_size=1, max_size=5, unique_by=lambda package: package.name))
def test_a_lock_that_was_written_is_read_as_it_was(packages):
    assert sorted(parse_lock(format_lock(packages, "doorward[pi]"))) == sorted(packages)


@given(st.text(max_size=300))
def test_whatever_stands_in_a_file_it_is_no_lock_and_that_is_said_shortly(text):
    with pytest.raises(BundleError, match=r"^py311\.txt") as refused:
        parse_lock(text, "py311.txt")
    assert len(str(refused.value)) < 600


GOOD = "cffi==2.1.1 --hash=sha256:" + "3" * 64 + "  # cffi-2.1.1-py3-none-any.whl 218716"


@pytest.mark.parametrize(
    "line",
    [
        "cffi==2.1.1",
        "cffi>=2.1 --hash=sha256:" + "3" * 64 + "  # cffi-2.1.1-py3-none-any.whl 218716",
        GOOD.replace("33333333", "3333333", 1),
        GOOD.replace("cffi-2.1.1", "../cffi-2.1.1"),
        GOOD.replace(".whl", ".tar.gz"),
        GOOD.replace("218716", "0"),
        "--index-url https://example.org/",
        "-r other.txt",
        GOOD + "\nCFFI==2.1.1",
        GOOD + "\n" + GOOD,
    ],
)
def test_a_line_that_would_let_in_another_file_is_refused(line):
    with pytest.raises(BundleError, match="lock, line"):
        parse_lock(f"# title\n{line}\n")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_wheel_of_a_lock_runs_on_its_python_and_on_the_oldest_system(target):
    allowed = set(tags_of(target))
    for package in read_lock(lock_path(target)):
        name, version, _, tags = parse_wheel_filename(package.file)
        assert tags & allowed, f"{package.file} does not run on {target.name}"
        assert (name, str(version)) == (canonicalize_name(package.name), package.version)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_lock_misses_what_a_door_program_is_made_of(target):
    names = {package.name for package in read_lock(lock_path(target))}
    assert {
        "msgspec",
        "paho-mqtt",
        "gpiozero",
        "gpiod",
        "pynacl",
        "numpy",
        "opencv-python-headless",
        "ai-edge-litert",
        "libosdp",
    } <= names
    assert ("tomli" in names) == (target.python == "3.10"), "3.11 and later read TOML by themselves"


def test_a_raspberry_pi_of_bookworm_keeps_the_numpy_that_its_picamera2_was_compiled_for():
    lock = {
        package.name: package.version for package in read_lock(lock_path(next(t for t in TARGETS if t.name == "aarch64-py311")))
    }
    assert lock["numpy"].startswith("1.")


def test_every_door_sees_with_the_same_opencv_and_the_same_runtime():
    for name in ("opencv-python-headless", "ai-edge-litert"):
        assert (
            len({package.version for target in TARGETS for package in read_lock(lock_path(target)) if package.name == name}) == 1
        )


def test_every_board_has_a_lock_for_each_of_its_pythons():
    for board in BOARDS:
        assert tuple(target.python for target in board.targets) == board.pythons
    assert {package.name for package in read_lock(HERE / f"{BUILD}.txt")} == {"pip", "setuptools"}


def pylock(*files: str) -> dict:
    wheels = [{"url": f"https://example.org/{file}", "size": 9, "hashes": {"sha256": "a" * 64}} for file in files]
    return {"packages": [{"name": "bell", "version": "1.0", "wheels": wheels}]}


TRIXIE = Target("aarch64", "3.13", ("pi",))


def test_of_wheels_for_several_pythons_the_one_for_most_is_taken_so_that_a_bundle_carries_it_once():
    (package,) = packages_of(
        pylock("bell-1.0-cp311-abi3-manylinux_2_28_aarch64.whl", "bell-1.0-cp39-abi3-manylinux_2_28_aarch64.whl"), tags_of(TRIXIE)
    )
    assert "cp39-abi3" in package.file


def test_a_wheel_for_this_python_goes_before_one_for_all():
    (package,) = packages_of(
        pylock("bell-1.0-py3-none-any.whl", "bell-1.0-cp313-cp313-manylinux_2_28_aarch64.whl"), tags_of(TRIXIE)
    )
    assert "cp313" in package.file


@pytest.mark.parametrize(
    "file", ["bell-1.0-cp313-cp313-manylinux_2_36_aarch64.whl", "bell-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"]
)
def test_a_wheel_that_asks_for_a_newer_system_or_another_machine_is_never_locked(file):
    assert GLIBC < (2, 36)
    with pytest.raises(BundleError, match="no wheel fits"):
        packages_of(pylock(file), tags_of(TRIXIE))


def test_what_a_package_asks_for_on_this_python_alone_is_missed():
    asks = [("bell[loud]", ['tomli; python_version < "3.11"', 'horn; extra == "loud"', 'colour; extra == "blue"']), ("horn", [])]
    assert missing(Target("aarch64", "3.10", ()), asks) == ["tomli (of bell[loud])"]
    assert missing(TRIXIE, asks) == []
    assert missing(TRIXIE, asks[:1]) == ["horn (of bell[loud])"]


def test_install_sh_knows_every_board_that_there_are_bundles_for():
    said = (HERE.parent / "install.sh").read_text()
    assert set(re.findall(r"^    ([a-z0-9-]+)\) words=", said, re.MULTILINE)) == {board.name for board in BOARDS}
