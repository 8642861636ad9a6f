"""The manifest says what the files are, and says so when they are not."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from agent.errors import ModelError
from models_tflite.manifest import HERE, ModelEntry, load_manifest, verify

MANIFEST = load_manifest()
ROLES = [
    "face_detector", "face_landmarks", "face_embedder", "face_iris", "face_expression", "face_expression_grey", "face_expression_mini",
    "person_pose",
]  # fmt: skip


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in ["manifest.json", *(entry.file for entry in MANIFEST.models)]:
        shutil.copyfile(HERE / name, tmp_path / name)
    return tmp_path


def test_every_shipped_file_is_the_one_the_manifest_names() -> None:
    assert [entry.role for entry in MANIFEST.models] == ROLES
    assert verify(MANIFEST) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_single_flipped_bit_is_found_and_named(copied: Path, role: str) -> None:
    entry = load_manifest(copied).model(role)
    data = bytearray(entry.path.read_bytes())
    data[len(data) // 2] ^= 1
    entry.path.write_bytes(data)

    (finding,) = verify(load_manifest(copied))

    assert (finding.role, finding.expected) == (role, entry.sha256)
    assert finding.found != entry.sha256
    with pytest.raises(
        ModelError, match=rf"{entry.file}: expected sha256 {entry.sha256}, found {finding.found}.*doorward models build"
    ):
        entry.require_intact()


def test_a_missing_file_is_found_and_named(copied: Path) -> None:
    entry = load_manifest(copied).model("face_embedder")
    entry.path.unlink()
    assert [(finding.role, finding.found) for finding in verify(load_manifest(copied))] == [("face_embedder", "missing")]
    with pytest.raises(ModelError, match="found missing"):
        entry.require_intact()


def test_an_intact_file_is_let_through() -> None:
    entry = MANIFEST.model("face_detector")
    assert entry.require_intact() is entry


def test_an_unknown_role_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"'nose'.*face_detector, face_landmarks, face_embedder"):
        MANIFEST.model("nose")


@pytest.mark.parametrize("text", [b"", b"{}", b'{"models": [], "extra": 1}', b'{"models": [{"role": 1}]}', b"\xff\xfe"])
def test_a_damaged_manifest_stops_with_its_name(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(text)
    with pytest.raises(ModelError, match=r"manifest\.json: not a manifest"):
        load_manifest(tmp_path)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"manifest\.json: cannot be read"):
        load_manifest(tmp_path)


@pytest.mark.parametrize("fmr", [1e-3, 1e-4])
def test_a_stated_false_match_rate_has_its_threshold(fmr: float) -> None:
    assert 0.2 < MANIFEST.threshold_at_fmr(fmr) < 0.8


def test_a_rarer_false_match_asks_for_a_higher_threshold() -> None:
    assert MANIFEST.threshold_at_fmr(1e-4) > MANIFEST.threshold_at_fmr(1e-3)


def test_a_rate_that_was_not_measured_is_refused_with_those_that_were() -> None:
    with pytest.raises(ModelError, match=r"rate of 0\.002; stated are: 0\.001, 0\.0001"):
        MANIFEST.threshold_at_fmr(0.002)


def test_every_interval_holds_its_rate() -> None:
    for point in MANIFEST.model("face_embedder").operating_points:
        low, high = point.fmr_interval_95
        assert low <= point.fmr <= high
        assert point.impostor_pairs * point.fmr >= 10


def test_the_embedder_says_how_long_its_answer_to_a_usual_portrait_is() -> None:
    embedder = MANIFEST.model("face_embedder")
    assert (embedder.typical_length or 0) > (embedder.length_deviation or 0) > 0
    assert embedder.impostor_shape is not None


def test_the_embedders_name_is_the_beginning_of_its_hash() -> None:
    assert MANIFEST.model("face_embedder").sha256.startswith(MANIFEST.embedder_id)
    assert len(MANIFEST.embedder_id) == 12


def test_another_embedder_has_another_name() -> None:
    changed = msgspec.structs.replace(MANIFEST.model("face_embedder"), sha256="0" * 64)
    other = msgspec.structs.replace(MANIFEST, models=(changed,))
    assert other.embedder_id != MANIFEST.embedder_id


@pytest.mark.parametrize("entry", MANIFEST.models, ids=lambda entry: entry.role)
def test_every_network_has_its_card_and_its_licence_text(entry: ModelEntry) -> None:
    assert len((HERE / entry.licence_file).read_text()) > 500
    card = (HERE / entry.card).read_text()
    assert entry.licence in card
    assert entry.file in card


@pytest.mark.parametrize("role", ["face_expression", "face_expression_grey", "face_expression_mini"])
def test_the_card_of_an_expression_network_says_where_it_is_never_opened(role: str) -> None:
    card = (HERE / MANIFEST.model(role).card).read_text()
    assert "Never opened in the deployment profile `workplace-eu`" in card
    assert "Must not be used for" in card
