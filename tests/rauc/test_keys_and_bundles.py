"""Who may sign a system for a door, and what becomes of a bundle that somebody changed. With the real rauc and the real openssl.

`rauc extract` and not `rauc info`: RAUC 1.8 reads the manifest and the signature for `info`, and the images only when they are used.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
KEYS = Path(__file__).parents[2] / "tools/rauc/keys.sh"
IMAGE_B = 3 << 20
MANIFEST = """\
[update]
compatible=doorward-pi5
version=1

[bundle]
format=verity

[image.rootfs]
filename=rootfs.ext4
"""


def keys(folder: Path, *words: str) -> Path:
    for word in words or ("make",):
        subprocess.run([KEYS, word, folder], check=True, capture_output=True)
    return folder


def bundle(folder: Path, signed_by: Path, content: bytes = b"", name: str = "signer", keyring: Path | None = None) -> Path:
    """A bundle in the way of system_bundle.sh, around an image of noise."""
    inside = folder / "inside"
    inside.mkdir(parents=True, exist_ok=True)
    (inside / "manifest.raucm").write_text(MANIFEST)
    (inside / "rootfs.ext4").write_bytes(content or random.Random(7).randbytes(IMAGE_B))
    made = folder / f"{name}.raucb"
    words: list[str | Path] = ["rauc", "bundle", "--cert", signed_by / f"{name}.pem", "--key", signed_by / f"{name}.key"]
    subprocess.run(
        [*words, "--signing-keyring", keyring or signed_by / "keyring.pem", inside, made], check=True, capture_output=True
    )
    return made


def extracts(made: Path, keyring: Path) -> bool:
    """Whether a door takes it: every block is looked at."""
    into = made.with_suffix(f".out{random.random()}")
    done = subprocess.run(["rauc", "--keyring", keyring, "extract", made, into], capture_output=True, text=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keys(tmp_path_factory.mktemp("own") / "keys")


@pytest.fixture(scope="module")
def good(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(tmp_path_factory.mktemp("good"), own)


def test_a_bundle_comes_out_as_it_went_in(own: Path, good: Path, folder: Path) -> None:
    subprocess.run(["rauc", "--keyring", own / "keyring.pem", "extract", good, folder / "out"], check=True, capture_output=True)
    assert (folder / "out/rootfs.ext4").read_bytes() == (good.parent / "inside/rootfs.ext4").read_bytes()


@pytest.mark.parametrize("part", [0.0, 0.01, 0.2, 0.5, 0.8, 0.97, 0.985])
def test_one_foreign_byte_anywhere_and_no_door_takes_it(own: Path, good: Path, folder: Path, part: float) -> None:
    data = bytearray(good.read_bytes())
    data[int(len(data) * part) + 40] ^= 1
    forged = folder / "forged.raucb"
    forged.write_bytes(data)
    assert not extracts(forged, own / "keyring.pem")


@pytest.mark.parametrize("from_end", [1, 8, 9, 200, 600])
def test_one_foreign_byte_in_the_signature_or_its_length_and_no_door_takes_it(
    own: Path, good: Path, folder: Path, from_end: int
) -> None:
    data = bytearray(good.read_bytes())
    data[-from_end] ^= 1
    forged = folder / "forged.raucb"
    forged.write_bytes(data)
    assert not extracts(forged, own / "keyring.pem")


@pytest.mark.parametrize("cut_b", [1, 4096, IMAGE_B // 2])
def test_a_download_that_was_cut_off_is_not_taken(own: Path, good: Path, folder: Path, cut_b: int) -> None:
    short = folder / "short.raucb"
    short.write_bytes(good.read_bytes()[:-cut_b])
    assert not extracts(short, own / "keyring.pem")


def test_a_stranger_s_bundle_is_not_taken(own: Path, folder: Path) -> None:
    strangers = keys(folder / "keys")
    theirs = bundle(folder, strangers)
    assert extracts(theirs, strangers / "keyring.pem")
    assert not extracts(theirs, own / "keyring.pem")


def test_a_certificate_that_was_made_for_something_else_signs_no_system(own: Path, folder: Path) -> None:
    (folder / "ext").write_text("extendedKeyUsage=critical,serverAuth\n")
    for line in (
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=broker -keyout server.key -out server.csr",
        f"x509 -req -in server.csr -CA {own}/ca.pem -CAkey {own}/ca.key -days 9 -extfile ext -out server.pem",
    ):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        bundle(folder, folder, name="server", keyring=own / "keyring.pem")
    assert b"unsuitable certificate purpose" in refused.value.stderr


def test_private_keys_are_for_their_owner_alone(own: Path) -> None:
    for name in ("ca.key", "signer.key"):
        assert (own / name).stat().st_mode & 0o777 == 0o600
    assert own.stat().st_mode & 0o777 == 0o700
    assert "PRIVATE" not in (own / "keyring.pem").read_text()


def test_a_second_signer_signs_for_the_same_doors(folder: Path) -> None:
    folder = keys(folder / "keys")
    before = (folder / "keyring.pem").read_bytes()
    keys(folder, "signer")
    assert (folder / "keyring.pem").read_bytes() == before
    assert extracts(bundle(folder, folder), folder / "keyring.pem")
    assert (folder / "signer-1.key").exists()


def test_an_authority_is_changed_without_a_door_that_believes_nobody(folder: Path) -> None:
    folder = keys(folder / "keys")
    old_ring = folder / "old.pem"
    old_ring.write_bytes((folder / "keyring.pem").read_bytes())

    keys(folder, "rotate")
    carrier = bundle(folder / "carrier", folder)
    assert extracts(carrier, old_ring), "the bundle that brings the new keyring is taken by doors that have the old one"
    both = folder / "both.pem"
    both.write_bytes((folder / "keyring.pem").read_bytes())
    assert extracts(carrier, both), "and afterwards still, for a door that goes back"

    keys(folder, "retire")
    new = bundle(folder / "new", folder)
    assert extracts(new, both)
    assert extracts(new, folder / "keyring.pem")
    assert not extracts(carrier, folder / "keyring.pem"), "what the former authority signed is over"


@pytest.mark.parametrize("words", [("make",), ("retire",)])
def test_keys_are_not_overwritten_nor_retired_by_mistake(folder: Path, words: tuple[str, ...]) -> None:
    folder = keys(folder / "keys")
    before = (folder / "ca.key").read_bytes()
    with pytest.raises(subprocess.CalledProcessError) as refused:
        keys(folder, *words)
    assert b"keys.sh: " in refused.value.stderr
    assert (folder / "ca.key").read_bytes() == before
