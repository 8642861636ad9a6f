"""The manifest: what is signed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bundle.errors import BundleError
from tools.bundle.manifest import File, Manifest, decode, describe, encode

PATHS = st.builds(
    "{}/{}".format, st.sampled_from(["wheels", "locks", "systemd"]), st.text("abXY09_+!@-", min_size=1, max_size=20)
)
FILES = st.builds(File, sha256=st.binary(min_size=32, max_size=32).map(bytes.hex), size_b=st.integers(0, 10**9))
MANIFESTS = st.builds(
    Manifest,
    format=st.just(1),
    version=st.sampled_from(["0.1.0", "12.0.3"]),
    build_source=st.sampled_from(["0" * 40, "0" * 40 + "-dirty"]),
    board=st.sampled_from(["pi5", "rehearsal"]),
    pythons=st.just(("3.11", "3.13")),
    files=st.dictionaries(PATHS, FILES, max_size=5),
)


@given(MANIFESTS)
def test_a_manifest_is_read_as_it_was_written_and_always_written_alike(manifest):
    data = encode(manifest)
    assert decode(data) == manifest
    assert encode(decode(data)) == data


@given(st.binary(max_size=400))
def test_whatever_lies_there_it_is_a_manifest_or_refused(data):
    with pytest.raises(BundleError, match=r"manifest\.json"):
        decode(data)


@pytest.mark.parametrize(
    "path", ["../etc/shadow", "/etc/passwd", "a/../../b", "./a", "a//b", "a/", "", "a b", "a\nb", "..", "a/.", "x" * 201]
)
def test_no_name_leads_out_of_the_bundle(path):
    manifest = Manifest(1, "0.1.0", "0" * 40, "pi5", ("3.11",), {path: File("0" * 64, 1)})
    with pytest.raises(BundleError):
        decode(encode(manifest))


def test_a_manifest_of_a_later_format_or_with_more_in_it_is_refused():
    manifest = Manifest(2, "0.1.0", "0" * 40, "pi5", ("3.11",), {})
    with pytest.raises(BundleError, match="format 2"):
        decode(encode(manifest))
    with pytest.raises(BundleError, match="later"):
        decode(encode(manifest).replace(b'"format"', b'"later": 1, "format"'))


def test_every_file_is_in_it_but_the_manifest_and_its_signature(tmp_path):
    for name in ("manifest.json", "manifest.sig", "install.sh", "locks/py311.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    made = describe(tmp_path, "0.1.0", "0" * 40, "pi5", ("3.11",))
    assert set(made.files) == {"install.sh", "locks/py311.txt"}
    assert made.files["install.sh"].size_b == len("install.sh")
