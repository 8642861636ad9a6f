"""Packages of models made of those that came with the program."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from models_tflite.manifest import HERE


def models(folder: Path, *changed: str, **fields: Any) -> Path:
    """A folder of models in which the networks of these roles are other files. `fields` of the first of them are changed in the manifest."""
    folder.mkdir()
    manifest = json.loads((HERE / "manifest.json").read_text())
    for entry in manifest["models"]:
        for name in ("file", "licence_file", "card"):
            (folder / entry[name]).parent.mkdir(exist_ok=True)
            shutil.copy(HERE / entry[name], folder / entry[name])
        if entry["role"] in changed:
            path = folder / entry["file"]
            path.write_bytes(path.read_bytes() + bytes(16))  # behind the end of a FlatBuffer nobody looks
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            entry.update(fields if entry["role"] == changed[0] else {})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
