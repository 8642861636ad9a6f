"""The same commit and the same key are the same bytes, whoever builds it, where and when."""

from __future__ import annotations

import os
import subprocess
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.bundle.houses import make_key, small_bundle
from tools.bundle.errors import BundleError
from tools.bundle.fetch import sha256_of
from tools.bundle.own_wheel import build_own_wheel
from tools.bundle.pack import pack
from tools.bundle.signing import sign, signing_key
from tools.bundle.source import read_source

ROOT = Path(__file__).parents[2]
EPOCH_S = 1_700_000_000


def setuptools_wheel(folder: Path) -> Path:
    """The setuptools of this environment, as the wheel that it came from."""
    path = folder / "setuptools.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in distribution("setuptools").files or ():
            if file.suffix != ".pyc" and not str(file).startswith(".."):
                wheel.write(str(file.locate()), str(file))
    return path


def clone(into: Path, umask: int) -> Path:
    before = os.umask(umask)
    try:
        subprocess.run(["git", "clone", "-q", "--shared", ROOT, into], check=True)
    finally:
        os.umask(before)
    return into


@pytest.mark.system
def test_doorwards_own_wheel_goes_by_the_commit_and_not_by_who_builds_it(tmp_path):
    tools = setuptools_wheel(tmp_path)
    one, two = clone(tmp_path / "one", 0o022), clone(tmp_path / "elsewhere" / "two", 0o077)
    for path in two.rglob("*.py"):
        os.utime(path, (EPOCH_S, EPOCH_S))
    (two / "agent" / "left_over.py").write_text("# never added to git")
    (two / "central" / "web" / "dist").mkdir(parents=True, exist_ok=True)
    (two / "central" / "web" / "dist" / "index.html").write_text("built here")
    sources = [read_source(folder) for folder in (one, two)]
    built = [build_own_wheel(source, tools, tmp_path / f"out{n}") for n, source in enumerate(sources)]
    assert sha256_of(built[0]) == sha256_of(built[1])
    names = zipfile.ZipFile(built[0]).namelist()
    assert "models_tflite/face_embedder.tflite" in names, "the models travel inside it"
    assert not [name for name in names if "left_over" in name or "web/dist" in name]


def test_a_file_that_is_not_as_it_was_committed_is_said(tmp_path):
    folder = clone(tmp_path / "one", 0o022)
    assert not read_source(folder).build_source.endswith("-dirty")
    (folder / "agent" / "__init__.py").write_text("# changed")
    assert read_source(folder).build_source.endswith("-dirty")


def test_a_bundle_is_packed_alike_whatever_the_dates_rights_and_order_of_its_files(tmp_path, key):
    packed = []
    for n in (1, 2):
        folder = small_bundle(tmp_path / str(n) / "bundle", key, "0.1.0")
        for place, path in enumerate(sorted(folder.rglob("*"), reverse=n == 2)):
            path.chmod(0o700 if n == 2 or path.is_dir() else 0o644)
            os.utime(path, (EPOCH_S + place, EPOCH_S + n))
        # what is compared is packing: the wheels of the small bundle carry the dates of their making
        for wheel in folder.glob("wheels/*.whl"):
            wheel.write_bytes(b"a wheel")
        for made in ("manifest.json", "manifest.sig"):
            (folder / made).write_bytes(b"as signed")
        for lock in folder.glob("locks/*.txt"):
            lock.write_text("as locked")
        packed.append(pack(folder, tmp_path / f"{n}.tar", EPOCH_S).read_bytes())
    assert packed[0] == packed[1]


def test_a_signature_is_the_same_every_time(tmp_path, key):
    (tmp_path / "manifest.json").write_text("{}")
    assert sign(key, tmp_path / "manifest.json") == sign(key, tmp_path / "manifest.json")
    assert len(sign(key, tmp_path / "manifest.json")) == 64


def test_a_key_is_made_once_for_its_owner_alone_and_it_is_said_what_that_means(tmp_path, capsys):
    own = tmp_path / "var" / "release.key"
    assert signing_key("", own) == own
    assert own.stat().st_mode & 0o777 == 0o600
    assert "show it to nobody" in capsys.readouterr().err
    before = own.read_bytes()
    signing_key("", own)
    assert (own.read_bytes(), capsys.readouterr().err) == (before, "")


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path):
    key = make_key(tmp_path / "release.key")
    key.chmod(0o640)
    with pytest.raises(BundleError, match="chmod 600"):
        signing_key(str(key), tmp_path / "own")
    with pytest.raises(BundleError, match="no such file"):
        signing_key(str(tmp_path / "gone"), tmp_path / "own")
    other = tmp_path / "rsa.key"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", other],
        check=True,
        capture_output=True,
    )
    other.chmod(0o600)
    with pytest.raises(BundleError, match="is no Ed25519 key"):
        signing_key(str(other), tmp_path / "own")
