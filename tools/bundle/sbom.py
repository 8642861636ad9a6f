"""sbom.cdx.json: every package and every network in the bundle, as CycloneDX 1.6 (ECMA-424), for whoever must know what runs at a door.

Licences are what each wheel says of itself: License-Expression, else its classifiers, else its short License line (core metadata 2.4).
"""

from __future__ import annotations

import email.parser
import hashlib
import re
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from email.message import Message
from pathlib import Path
from typing import Any

import msgspec
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from models_tflite.manifest import ModelEntry
from tools.bundle.errors import BundleError
from tools.bundle.fetch import sha256_of

SAYS_NOTHING = "not said in the package's metadata"
NAMES = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "unlicense.org": "Unlicense",
    "Apache License 2.0": "Apache-2.0",
    "BSD License": "",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
}
"""What packages say -> SPDX; an empty one names no single licence, and the License line may say more."""
NATIVE = {
    "x264": "GPL-2.0-or-later",
    "x265": "GPL-2.0-or-later",
    "av": "LGPL-3.0-or-later",
    "sw": "LGPL-3.0-or-later",
    "gnutls": "LGPL-2.1-or-later",
    "gmp": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "nettle": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "hogweed": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "unistring": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "mp3lame": "LGPL-2.0-or-later",
    "asound": "LGPL-2.1-or-later",
    "gfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "quadmath": "LGPL-2.1-or-later",
}
"""Libraries that wheels carry and whose licences ask for more than a notice: by the beginning of their name, as their own projects say.
PyAV's and OpenCV's FFmpeg both call themselves LGPL (the string in libavutil); PyAV's lies beside x264 and x265."""


def sbom_of(version: str, wheels: Sequence[Path], models: Iterable[ModelEntry], epoch_s: int, board: str) -> bytes:
    """The document. `wheels` holds doorward's own; the models lie inside it. Raises BundleError."""
    components = {path: component_of(path) for path in sorted(wheels)}
    own = next((path for path, component in components.items() if component["name"] == "doorward"), None)
    if own is None:
        raise BundleError("the SBOM misses doorward's own wheel")
    main = components.pop(own)
    networks = [_network(model, version) for model in models]
    parts = sorted([*components.values(), *networks], key=lambda part: str(part["bom-ref"]))
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, board + sha256_of(own))}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {**main, "type": "application"},
            "properties": [{"name": "doorward:board", "value": board}],
        },
        "components": parts,
        "dependencies": [{"ref": main["bom-ref"], "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def component_of(wheel: Path) -> dict[str, Any]:
    """A wheel as a component. Raises BundleError."""
    metadata = metadata_of(wheel)
    name, version = str(metadata["Name"]), str(metadata["Version"])
    normal = re.sub(r"[-_.]+", "-", name).lower()
    purl = f"pkg:pypi/{normal}@{version}"
    return {
        "type": "library",
        "bom-ref": f"{purl}?file_name={wheel.name}",
        "name": normal,
        "version": version,
        "description": str(metadata["Summary"] or ""),
        "purl": purl,
        "licenses": licences_of(metadata),
        "hashes": [{"alg": "SHA-256", "content": sha256_of(wheel)}],
        "properties": [{"name": "doorward:file", "value": f"wheels/{wheel.name}"}],
        "components": list(native_libraries(wheel)),
    }


def native_libraries(wheel: Path) -> Iterator[dict[str, Any]]:
    """Libraries of others that auditwheel put beside the package's own code (`NAME.libs/`): the wheel's licence is not theirs."""
    with zipfile.ZipFile(wheel) as archive:
        for path in sorted(archive.namelist()):
            found = re.fullmatch(
                r"[^/]+\.libs/lib(?P<name>[A-Za-z0-9_+-]+?)(-[0-9a-f]{8})?[.0-9]*\.so(?P<version>[.0-9a-z]*)", path
            )
            if found:
                licence = next((NATIVE[start] for start in NATIVE if found["name"].startswith(start)), "")
                yield {
                    "type": "library",
                    "bom-ref": f"{wheel.name}:{path}",
                    "name": f"lib{found['name']}",
                    "version": found["version"].lstrip("."),
                    **({"licenses": [{"expression": licence}]} if licence else {}),
                    "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(archive.read(path)).hexdigest()}],
                    "properties": [{"name": "doorward:file", "value": path}],
                }


def metadata_of(wheel: Path) -> Message:
    """A wheel's METADATA. Raises BundleError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
            return email.parser.Parser().parsestr(archive.read(names[0]).decode("utf-8"))
    except (OSError, zipfile.BadZipFile, IndexError, UnicodeDecodeError) as error:
        raise BundleError(f"{wheel.name}: is no wheel: {error}") from error


def licences_of(metadata: Message) -> list[dict[str, Any]]:
    """As CycloneDX wants it: one SPDX expression, or names."""
    said = (
        str(metadata["License-Expression"] or "").strip()
        or _by_classifiers(metadata)
        or _short(metadata)
        or " / ".join(_classifiers(metadata))
    )
    try:
        return [{"expression": canonicalize_license_expression(said)}]
    except InvalidLicenseExpression:
        return [{"license": {"name": said or SAYS_NOTHING}}]


def _classifiers(metadata: Message) -> list[str]:
    return [str(line).rsplit(" :: ", 1)[-1] for line in metadata.get_all("Classifier", []) if str(line).startswith("License :: ")]


def _by_classifiers(metadata: Message) -> str:
    known = [NAMES.get(name, name) for name in _classifiers(metadata)]
    return " OR ".join(known) if all(known) else ""


def _short(metadata: Message) -> str:
    """The License line, where it is one, and not a whole text."""
    line = str(metadata["License"] or "").strip()
    return NAMES.get(line, line) if len(line) <= 60 and "\n" not in line else ""


def _network(model: ModelEntry, version: str) -> dict[str, Any]:
    sources = ", ".join(
        f"{source.registry} {source.package} {source.version}" for source in model.sources if source.use == "network"
    )
    return {
        "type": "machine-learning-model",
        "bom-ref": f"doorward-model:{model.role}@{version}",
        "name": model.role,
        "version": version,
        "description": f"converted from {sources}" if sources else "made here",
        "licenses": [{"expression": model.licence}],
        "hashes": [{"alg": "SHA-256", "content": model.sha256}],
        "externalReferences": [{"type": "model-card", "url": f"models_tflite/{model.card}"}],
        "properties": [
            {"name": "doorward:file", "value": f"models_tflite/{model.file}"},
            {"name": "doorward:licence-file", "value": f"models_tflite/{model.licence_file}"},
        ],
    }


def without_licence(document: Mapping[str, Any]) -> list[str]:
    """Components whose package does not say its licence."""
    return [part["name"] for part in document["components"] if part["licenses"] == [{"license": {"name": SAYS_NOTHING}}]]
