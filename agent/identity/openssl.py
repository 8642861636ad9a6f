"""Keys, certificate requests and signatures by the `openssl` program, which every controller has: it checked the bundle that brought us here.

Private keys go through pipes or lie in files that only this user can read, never among a command's words.
"""

from __future__ import annotations

import subprocess
import tempfile

from agent.errors import WireError
from agent.pairing.messages import SUBJECT


def new_key() -> bytes:
    """EC P-256, PEM. Raises WireError."""
    return _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def request_for(key: bytes) -> str:
    """A certificate request (PKCS #10, PEM) for a private key. Raises WireError."""
    with tempfile.NamedTemporaryFile("w", prefix="doorward-", suffix=".cnf") as config:
        config.write(f"[req]\nprompt = no\ndistinguished_name = own\n[own]\nCN = {SUBJECT}\n")
        config.flush()
        made = _openssl("req", "-new", "-sha256", "-config", config.name, "-key", "/dev/stdin", told=key)
    return made.decode("ascii")


def signature_by(key_file: str, told: bytes) -> bytes:
    """ECDSA with SHA-256, DER, by the key in a file. Raises WireError."""
    return _openssl("dgst", "-sha256", "-sign", key_file, told=told)


def _openssl(*words: str, told: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["openssl", *words], input=told, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WireError(f"openssl cannot be run: {error}; install it: apt-get install openssl") from error
    if done.returncode != 0:
        raise WireError(f"openssl {words[0]}: {done.stderr.decode('utf-8', 'replace').strip()[:300]}")
    return done.stdout
