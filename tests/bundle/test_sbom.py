"""The list of what is in a bundle: it fits the published schema, and says each licence that a package says."""

from __future__ import annotations

import json
import zipfile
from email.message import Message

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from models_tflite.manifest import load_manifest
from tests.bundle.houses import pips_wheel, write_wheel
from tools.bundle.errors import BundleError
from tools.bundle.sbom import SAYS_NOTHING, component_of, licences_of, sbom_of

EPOCH_S = 1_700_000_000


@pytest.fixture
def wheels(tmp_path):
    own = write_wheel(tmp_path, "doorward", "0.1.0", {})
    carrier = write_wheel(
        tmp_path,
        "Av_Carrier",
        "18.1.0",
        {"av.libs/libx264-fd5179c6.so.165": "x264", "av.libs/libopus-4a9173fa.so.0.11.1": "opus"},
    )
    return [own, carrier, pips_wheel(tmp_path)]


def test_it_fits_the_schema_of_cyclonedx(wheels):
    document = sbom_of("0.1.0", wheels, load_manifest().models, EPOCH_S, "pi5").decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None


def test_it_names_every_package_every_network_with_its_card_and_when(wheels):
    document = json.loads(sbom_of("0.1.0", wheels, load_manifest().models, EPOCH_S, "pi5"))
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert document["metadata"]["component"]["name"] == "doorward"
    parts = {part["name"]: part for part in document["components"]}
    assert {"pip", "av-carrier", *(model.role for model in load_manifest().models)} == set(parts)
    assert parts["av-carrier"]["purl"] == "pkg:pypi/av-carrier@18.1.0"
    for model in load_manifest().models:
        part = parts[model.role]
        assert (part["type"], part["hashes"][0]["content"]) == ("machine-learning-model", model.sha256)
        assert part["externalReferences"][0]["url"].endswith(model.card)
        assert part["licenses"] == [{"expression": model.licence}]


def test_two_of_the_same_wheels_are_the_same_document(wheels):
    assert sbom_of("0.1.0", wheels, (), EPOCH_S, "pi5") == sbom_of("0.1.0", wheels[::-1], (), EPOCH_S, "pi5")


def test_a_library_of_others_inside_a_wheel_is_named_with_its_own_licence(wheels):
    inside = {part["name"]: part for part in component_of(wheels[1])["components"]}
    assert inside["libx264"]["licenses"] == [{"expression": "GPL-2.0-or-later"}]
    assert inside["libx264"]["version"] == "165"
    assert "licenses" not in inside["libopus"], "what is not known is not said"


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ({"License-Expression": "apache-2.0 or bsd-3-clause"}, {"expression": "Apache-2.0 OR BSD-3-Clause"}),
        ({"Classifier": "License :: OSI Approved :: MIT License", "License": "see file"}, {"expression": "MIT"}),
        ({"Classifier": "License :: OSI Approved :: BSD License", "License": "BSD-3-Clause"}, {"expression": "BSD-3-Clause"}),
        (
            {"Classifier": "License :: OSI Approved :: BSD License", "License": "Copyright (c)\nAll rights"},
            {"license": {"name": "BSD License"}},
        ),
        ({"License": "3-Clause BSD License"}, {"expression": "BSD-3-Clause"}),
        ({}, {"license": {"name": SAYS_NOTHING}}),
    ],
)
def test_a_licence_is_what_the_package_says_of_itself(said, licence):
    metadata = Message()
    for key, value in said.items():
        metadata[key] = value
    assert licences_of(metadata) == [licence]


def test_a_file_that_is_no_wheel_is_refused(tmp_path):
    broken = tmp_path / "bell-1.0-py3-none-any.whl"
    broken.write_bytes(b"no archive")
    with pytest.raises(BundleError, match="is no wheel"):
        component_of(broken)
    with zipfile.ZipFile(broken, "w") as wheel:
        wheel.writestr("bell.py", "")
    with pytest.raises(BundleError, match="is no wheel"):
        component_of(broken)
