"""Whose bundle it is: an Ed25519 key over manifest.json, used by openssl, which every controller has for looking."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tools.bundle.errors import BundleError
from tools.bundle.say import say

NEW_KEY = """   ! No BUNDLE_KEY was given, so a new signing key was made: {key}
     Doors that get a bundle signed by it will take updates from whoever has this file, and from nobody else. Keep a copy off this
     computer and show it to nobody: lost, such doors must be visited; stolen, the thief's programs run on them."""


def signing_key(named: str, own: Path) -> Path:
    """The key that was named, or our own, made at first use. Raises BundleError."""
    if named:
        return _looked_at(Path(named))
    if not own.exists():
        own.parent.mkdir(parents=True, exist_ok=True)
        part = own.with_suffix(".part")
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        part.write_bytes(_openssl("genpkey", "-algorithm", "ed25519"))
        part.replace(own)
        say(NEW_KEY.format(key=own))
    return _looked_at(own)


def _looked_at(key: Path) -> Path:
    if not key.is_file():
        raise BundleError(f"BUNDLE_KEY {key}: no such file; leave it out and a key is made under var/")
    if key.stat().st_mode & 0o077:
        raise BundleError(f"BUNDLE_KEY {key}: others may read it; chmod 600 {key}")
    told = _openssl("pkey", "-in", str(key), "-noout", "-text").decode("utf-8", "replace")
    if not told.startswith("ED25519"):
        raise BundleError(f"BUNDLE_KEY {key}: is no Ed25519 key; openssl genpkey -algorithm ed25519 makes one")
    return key


def public_half(key: Path) -> bytes:
    """As release.pub: PEM."""
    return _openssl("pkey", "-in", str(key), "-pubout")


def sign(key: Path, manifest: Path) -> bytes:
    """64 bytes, the same every time for the same manifest (RFC 8032)."""
    return _openssl("pkeyutl", "-sign", "-inkey", str(key), "-rawin", "-in", str(manifest))


def _openssl(*words: str) -> bytes:
    try:
        done = subprocess.run(["openssl", *words], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise BundleError("openssl is missing: sudo apt install openssl") from error
    if done.returncode:
        raise BundleError(f"openssl {words[0]}: {done.stderr.decode('utf-8', 'replace').strip()[-300:]}")
    return done.stdout
