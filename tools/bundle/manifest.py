"""manifest.json: what a bundle holds. It is what is signed, so it is read strictly."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from msgspec import Struct

from tools.bundle.errors import BundleError
from tools.bundle.fetch import sha256_of

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
OF_ITSELF = {MANIFEST, SIGNATURE}
MANIFEST_MAX_B = 1_000_000
_PATH = re.compile(r"(?!.*//)(?!(?:.*/)?\.\.?(?:/|$))[A-Za-z0-9_.@+!-][A-Za-z0-9_.@+!/-]{0,199}(?<!/)")


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the bundle."""

    sha256: str
    size_b: int


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """All of them, and what they are for."""

    format: int
    version: str
    build_source: str
    """The git commit; `-dirty` behind it when files were not as committed."""
    board: str
    pythons: tuple[str, ...]
    files: dict[str, File]
    """Path in the bundle -> what lies there; all but the manifest and its signature."""


def describe(folder: Path, version: str, build_source: str, board: str, pythons: tuple[str, ...]) -> Manifest:
    """The manifest of what lies in a folder. Raises BundleError for a name that a manifest may not hold."""
    paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    files = {_fit(path): _described(folder / path) for path in paths if path not in OF_ITSELF}
    return Manifest(1, version, build_source, board, pythons, files)


def _described(path: Path) -> File:
    return File(sha256_of(path), path.stat().st_size)


def _fit(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise BundleError(f"{path!r}: no name for a file in a bundle: letters, figures and . _ @ + ! - /, at most 200 of them")
    return path


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1) + b"\n"


def decode(data: bytes) -> Manifest:
    """Raises BundleError that says what is wrong."""
    if len(data) > MANIFEST_MAX_B:
        raise BundleError(f"manifest.json: {len(data)} bytes; at most {MANIFEST_MAX_B}")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BundleError(f"manifest.json: {error}") from error
    if manifest.format != 1:
        raise BundleError(f"manifest.json: format {manifest.format} is not known here; 1 is")
    for path, file in manifest.files.items():
        _fit(path)
        if not re.fullmatch("[0-9a-f]{64}", file.sha256) or file.size_b < 0:
            raise BundleError(f"manifest.json: {path}: no SHA-256 and size")
    return manifest
