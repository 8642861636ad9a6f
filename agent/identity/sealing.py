"""Sealing the door's keys to the board's TPM, by systemd's own tool: `systemd-creds`, and a few lines beside each unit.

Done as root by `doorward identity seal`. In this order, so that a power cut at any moment leaves a door that runs: sealed copies, units that
read them, files put aside, a start that proves it, and only then the files go. A file that is there counts before a sealed copy: whoever
pairs the door anew has new keys at once, as files, until they are sealed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from agent.errors import ConfigError
from agent.files import write_whole
from agent.identity.credentials import KeyPlace

Kept = Literal["file", "tpm", "host", "host and tpm", "sealed", "missing", "hidden"]

TOOL = "systemd-creds"
UNITS = Path("/etc/systemd/system")
DROP_IN = "20-identity.conf"
SEALED = "sealed"
"""The folder of sealed copies, beside the keys; nothing in it is a secret to anybody but this board's TPM."""
HEALTHY_S = 60
BY = {
    bytes.fromhex("5a1c6a86df9d4096b1d5a65e0862f19a"): "host",
    bytes.fromhex("0c7cc07b117645919c4b0bea08bc20fe"): "tpm",
    bytes.fromhex("faf7eb9341e3412ca1a436f95a29362f"): "tpm",
    bytes.fromhex("93a894094874449090caf2fc93cab553"): "host and tpm",
    bytes.fromhex("af4950a849134eb1a73846304ff30c05"): "host and tpm",
}
"""How a sealed copy begins (systemd, src/shared/creds-util.h)."""
PCR = "16"
"""The key is bound to the TPM and to nothing that a start measures: a new firmware, kernel or system may not cost a door its identity.
Nothing extends this register, which is for debugging (TCG PC Client Platform, 4.4); with none systemd 252 seals what it cannot open."""
ASIDE = ".before-sealing"
HEAD = """# Made by `doorward identity seal`: the keys of this door come opened from systemd, which asks the board's TPM.
# `doorward identity unseal` brings back files, on this board only.
[Service]
"""


class Seen(Struct, frozen=True, kw_only=True):
    """A key and how it is kept."""

    key: KeyPlace
    kept: Kept
    beside: str = ""
    """A file with a key that lies beside the sealed copy: what counts, or what was put aside."""


class Tools(Struct, frozen=True, kw_only=True):
    """What of the machine is used."""

    units: Path = UNITS
    run: Callable[[Sequence[str]], subprocess.CompletedProcess[bytes]] = lambda words: subprocess.run(
        words, capture_output=True, timeout=120, check=False
    )


def sealed_copy(key: KeyPlace) -> Path:
    """Where the sealed copy of a key lies: /etc/doorward/link/door.key -> /etc/doorward/link/sealed/doorward.link_key."""
    return key.file.parent / SEALED / key.credential


def how_kept(key: KeyPlace) -> Seen:
    """By looking at files only."""
    try:
        return _looked_at(key)
    except PermissionError:
        return Seen(key=key, kept="hidden")


def _looked_at(key: KeyPlace) -> Seen:
    if key.file.exists():
        return Seen(key=key, kept="file", beside=str(sealed_copy(key)) if sealed_copy(key).exists() else "")
    beside = str(_aside(key)) if _aside(key).exists() else ""
    try:
        return Seen(key=key, kept=sealed_by(sealed_copy(key).read_bytes()), beside=beside)
    except FileNotFoundError:
        return Seen(key=key, kept="missing", beside=beside)


def _aside(key: KeyPlace) -> Path:
    return key.file.with_name(key.file.name + ASIDE)


def sealed_by(raw: bytes) -> Kept:
    """What a sealed copy is bound to; 'sealed' where its beginning is not known."""
    try:
        begins = base64.b64decode(raw[:64].replace(b"\n", b"")[:24])[:16]
    except (binascii.Error, ValueError):
        return "sealed"
    return BY.get(begins, "sealed")  # type: ignore[return-value]


def sentence(seen: Seen) -> str:
    """For people, and without comfort that is not there."""
    words = {
        "tpm": "sealed to this board's TPM: whoever takes the card has nothing of it",
        "host and tpm": "sealed to this board's TPM and to this installation: whoever takes the card has nothing of it",
        "host": "encrypted with a file of this same disk: whoever takes the card has it",
        "sealed": "sealed by systemd, in a way that only root can tell",
        "file": "a file that only root and doorward can read: whoever takes the card has it",
        "missing": "not there",
        "hidden": "only root may look at it: sudo doorward identity show",
    }
    if seen.kept == "file" and seen.beside:
        return f"{seen.key.file}: {words['file']}. {seen.beside} is older and does not count: sudo doorward identity seal"
    beside = f"; but it still lies in {seen.beside} as well: sudo doorward identity seal" if seen.beside else ""
    return f"{seen.key.file}: {words[seen.kept]}{beside}"


# -- sealing -------------------------------------------------------------------------------------------------------------------


def why_not(tools: Tools) -> str:
    """Why keys cannot be sealed here; '' where they can."""
    if os.geteuid() != 0:
        return "only root may ask the TPM; run this with sudo"
    if shutil.which(TOOL) is None:
        return (
            "this system has no systemd-creds: it came with systemd 250 (JetPack 6 has 249). The keys stay files that only root and doorward "
            "can read"
        )
    if not {b"+driver", b"+system"} <= set(tools.run([TOOL, "has-tpm2"]).stdout.split()):
        return (
            "there is no TPM 2.0 here, so nothing could be bound to this board: the keys stay files that only root and doorward can read. A "
            "Raspberry Pi has none of its own; docs/IDENTITY.md says which to add"
        )
    return ""


def seal(keys: Sequence[KeyPlace], tools: Tools, is_healthy: Callable[[], bool], say: Callable[[str], None]) -> None:
    """Raises ConfigError, with the door running as before."""
    if reason := why_not(tools):
        raise ConfigError(reason)
    for key in keys:
        _make_copy(key, tools)
        say(f"{key.file}: sealed to {sealed_copy(key)}, and opened again to compare")
    _write_drop_ins(keys, tools)
    _put_aside(keys)
    _restart(keys, tools)
    if not is_healthy():
        _take_back(keys)
        _remove_drop_ins(keys, tools)
        _restart(keys, tools)
        raise ConfigError(
            "door and vision did not come up with the sealed keys: they run with the files again, and nothing was removed"
        )
    for key in keys:
        _aside(key).unlink(missing_ok=True)
    say(
        "The programs run with keys that systemd opened, and the files are deleted. What a card keeps of deleted files can still be found by"
    )
    say("whoever takes it apart: where that matters, seal a door before it is paired for the last time (docs/IDENTITY.md).")


def _put_aside(keys: Sequence[KeyPlace]) -> None:
    for key in keys:
        if key.file.exists():
            key.file.replace(_aside(key))


def _take_back(keys: Sequence[KeyPlace]) -> None:
    for key in keys:
        if _aside(key).exists():
            _aside(key).replace(key.file)


def _make_copy(key: KeyPlace, tools: Tools) -> None:
    """Replaces one that is there only by one that opens to the same key."""
    copy = sealed_copy(key)
    if not key.file.exists():
        if copy.exists():
            return
        raise ConfigError(f"{key.file}: is not there, so there is nothing to seal")
    copy.parent.mkdir(mode=0o700, exist_ok=True)
    part = copy.with_name(copy.name + ".part")
    part.unlink(missing_ok=True)
    _did(
        tools.run(
            [TOOL, "encrypt", "--with-key=tpm2", f"--tpm2-pcrs={PCR}", f"--name={key.credential}", str(key.file), str(part)]
        )
    )
    opened = _did(tools.run([TOOL, "decrypt", f"--name={key.credential}", str(part), "-"]))
    if not hmac.compare_digest(opened, key.file.read_bytes()):
        raise ConfigError(f"{copy}: does not open to what was sealed; nothing was changed")
    write_whole(copy, part.read_bytes())
    part.unlink()


def unseal(keys: Sequence[KeyPlace], tools: Tools, owner: tuple[int, int], say: Callable[[str], None]) -> None:
    """Files again, on this board only: before a TPM is replaced, or for a backup. Raises ConfigError."""
    for key in keys:
        copy = sealed_copy(key)
        if copy.exists() and not key.file.exists():
            raw = _did(tools.run([TOOL, "decrypt", f"--name={key.credential}", str(copy), "-"]))
            write_whole(key.file, raw)
            os.chown(key.file, *owner)
            say(f"{key.file}: a file again, that only root and doorward can read")
    _remove_drop_ins(keys, tools)
    _restart(keys, tools)
    for key in keys:
        sealed_copy(key).unlink(missing_ok=True)


def drop_in(unit: str, keys: Sequence[KeyPlace]) -> str:
    """The lines beside a unit."""
    lines = [f"LoadCredentialEncrypted={key.credential}:{sealed_copy(key)}\n" for key in keys if unit in key.units]
    return HEAD + "".join(lines)


def _units(keys: Sequence[KeyPlace]) -> list[str]:
    return sorted({unit for key in keys for unit in key.units})


def _write_drop_ins(keys: Sequence[KeyPlace], tools: Tools) -> None:
    for unit in _units(keys):
        folder = tools.units / f"{unit}.service.d"
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / DROP_IN, drop_in(unit, keys).encode())
        (folder / DROP_IN).chmod(0o644)


def _remove_drop_ins(keys: Sequence[KeyPlace], tools: Tools) -> None:
    for unit in _units(keys):
        (tools.units / f"{unit}.service.d" / DROP_IN).unlink(missing_ok=True)


def _restart(keys: Sequence[KeyPlace], tools: Tools) -> None:
    """Those that run; a program that nobody has started is not started here."""
    _did(tools.run(["systemctl", "daemon-reload"]))
    _did(tools.run(["systemctl", "try-restart", *(f"{unit}.service" for unit in _units(keys))]))


def _did(done: subprocess.CompletedProcess[bytes]) -> bytes:
    if done.returncode != 0:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ConfigError(f"{' '.join(map(str, done.args[:2]))}: {told[-1][:300] if told else f'ended with {done.returncode}'}")
    return done.stdout


def wait_for_health(run: Callable[[Sequence[str]], subprocess.CompletedProcess[bytes]], doorward: str) -> bool:
    """`doorward health` asks door and vision themselves."""
    begun_s = time.monotonic()
    done = run([doorward, "health", "--wait", str(HEALTHY_S)])
    return done.returncode == 0 and time.monotonic() - begun_s < 2 * HEALTHY_S
