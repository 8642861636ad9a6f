"""Root's helper believes nothing that the door program handed on: real signatures by openssl, and a real install.sh."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.signing import SigningKey

from agent.records.bundle_parts import digest_of
from agent.updates import handover
from agent.updates.order import Order, Package, signed_order
from agent.updates.package import Head, PackageFile, encode_head, parts_of
from agent.updates.root_helper import Places, install_all

pytestmark = pytest.mark.system

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
INSTALL = b"echo installed >> ../../../done\n"


class Controller:
    """Folders as on a door, a centre's key and a maker's key."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.centre, self.maker = folder, SigningKey.generate(), Ed25519PrivateKey.generate()
        self.key = folder / "release.pub"
        self.key.write_bytes(
            self.maker.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        self.key.chmod(0o644)
        (folder / "own").mkdir()
        self.places = Places(updates=folder / "updates", own=folder / "own", release_key=self.key, site="hq", door="front",
                             centre=self.centre.verify_key)  # fmt: skip

    def bundle(self, files: dict[str, bytes] | None = None, maker: Ed25519PrivateKey | None = None, **late: bytes) -> bytes:
        """As `make bundle` makes them; `late` are files that were changed after it was signed."""
        files = files or {"install.sh": INSTALL, "wheels/one.whl": b"wheel"}
        listed = {name: {"sha256": hashlib.sha256(raw).hexdigest(), "size_b": len(raw)} for name, raw in files.items()}
        manifest = json.dumps({"format": 1, "version": "1.4", "board": "pi5", "files": listed}).encode()
        signature = (maker or self.maker).sign(manifest)
        held = {
            **files,
            "manifest.json": manifest,
            "manifest.sig": signature,
            **{name.replace("_", "."): raw for name, raw in late.items()},
        }
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, raw in held.items():
                info = tarfile.TarInfo(f"./{name}")
                info.size = len(raw)
                tar.addfile(info, io.BytesIO(raw))
        return buffer.getvalue()

    def hand_on(
        self, raw: bytes, serial: int = 1, kind: Any = "program", key: SigningKey | None = None, told: bytes | None = None
    ) -> None:
        """As the door program does. `told`: what the centre ordered, where it is something else."""
        content = raw if told is None else told
        head = encode_head(Head(kind=kind, number=serial, version=f"1.{serial}", made=NOW, files=(PackageFile("bundle", len(content)),),
                                parts=parts_of(content)))  # fmt: skip
        package = Package(number=serial, version=f"1.{serial}", head=digest_of(head), head_length=len(head), size_b=len(content))
        order = Order(site="hq", door="front", kind=kind, serial=serial, made=NOW, package=package)
        files = {"content": raw, "head": head}
        for name, each in files.items():
            (self.folder / name).write_bytes(each)
        handover.hand_on(
            self.places.updates, kind, self.folder / "content", self.folder / "head", signed_order(order, key or self.centre)
        )

    @property
    def installed(self) -> int:
        done = self.folder / "own" / "done"
        return len(done.read_text().splitlines()) if done.exists() else 0

    def sentence(self) -> str:
        (result,) = install_all(self.places)
        told = handover.result_of(self.places.own / "results", result.kind)  # type: ignore[arg-type]
        assert told == result
        assert not (self.places.updates / "ready" / result.kind).exists()
        return ("" if result.ok else "refused: ") + result.sentence


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    return Controller(tmp_path)


def test_a_program_of_the_maker_that_the_centre_ordered_is_installed_once(controller: Controller):
    raw = controller.bundle()
    controller.hand_on(raw)
    assert controller.sentence() == "1.4 is installed"
    assert controller.installed == 1
    assert install_all(controller.places) == []
    controller.hand_on(raw)  # somebody puts it there again
    assert "carried out before" in controller.sentence()
    assert controller.installed == 1


@pytest.mark.parametrize("wrong", ["maker", "centre", "another", "file", "unsigned"])
def test_what_is_not_the_makers_or_not_ordered_is_never_run(controller: Controller, wrong: str):
    good = controller.bundle()
    if wrong == "maker":
        controller.hand_on(controller.bundle(maker=Ed25519PrivateKey.generate()))
    elif wrong == "centre":
        controller.hand_on(good, key=SigningKey.generate())
    elif wrong == "another":
        controller.hand_on(good, told=controller.bundle({"install.sh": b"exit 0\n"}))
    elif wrong == "file":
        controller.hand_on(controller.bundle(install_sh=b"echo evil > ../../../done\n"))
    else:
        controller.hand_on(controller.bundle(manifest_sig=b""))
    said = controller.sentence()
    assert said.startswith("refused: ")
    assert controller.installed == 0
    words = {"maker": "not signed by the key", "centre": "not signed by this site's centre", "another": "damaged"}
    words |= {"file": "install.sh is not", "unsigned": "not signed by the key"}
    assert words[wrong] in said


def test_a_link_in_the_place_of_a_bundle_is_not_followed(controller: Controller, tmp_path: Path):
    secret = tmp_path / "shadow"
    secret.write_text("root's own")
    controller.hand_on(controller.bundle())
    bundle = controller.places.updates / "ready" / "program" / "bundle"
    bundle.unlink()
    bundle.symlink_to(secret)
    assert controller.sentence().startswith("refused: ")
    assert secret.read_text() == "root's own"
    ready = controller.places.updates / "ready"
    (ready / "program").symlink_to(tmp_path)
    assert "no folder" in controller.sentence()
    assert secret.exists()


def test_a_key_that_others_may_write_is_no_key(controller: Controller):
    controller.key.chmod(0o666)
    controller.hand_on(controller.bundle())
    assert "must be a file that belongs to root" in controller.sentence()


def test_an_installation_that_fails_is_told_with_its_last_words(controller: Controller):
    controller.hand_on(controller.bundle({"install.sh": b"echo the door did not come up; exit 4\n"}))
    said = controller.sentence()
    assert "install.sh ended with 4, what ran before runs: the door did not come up" in said


def test_what_a_power_cut_ended_is_gone_on_with_once(controller: Controller):
    raw = controller.bundle()

    def cut(*told: Any) -> subprocess.CompletedProcess[str]:
        raise KeyboardInterrupt

    controller.hand_on(raw)
    with pytest.raises(KeyboardInterrupt):
        install_all(controller.places, cut)
    assert controller.sentence() == "1.4 is installed"
    controller.hand_on(raw, serial=2)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            install_all(controller.places, cut)
    assert "stopped in the middle of it twice" in controller.sentence()
    assert controller.installed == 1


def test_what_is_no_result_is_none(tmp_path: Path):
    (tmp_path / "program.json").write_bytes(msgspec.json.encode({"kind": 1}))
    assert handover.result_of(tmp_path, "program") is None
    assert handover.result_of(tmp_path, "system") is None
