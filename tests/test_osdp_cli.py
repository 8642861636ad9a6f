"""`doorward osdp`: the installer gives a reader its key, and the door keeps it. The far end is libosdp's own peripheral on a pty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import main
from agent.records.keys import make_door_keys
from agent.records.osdp_key import key_path, load_osdp_key, pending_path, save_osdp_key
from tests.hw.osdp_far_end import FarEnd

pytestmark = pytest.mark.slow

OLD, OTHER = bytes(range(16)), bytes(range(16, 32))
CONSENT = "--yes-the-reader-is-in-install-mode"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A controller's configuration with one OSDP reader, and its door key."""
    make_door_keys(tmp_path)
    (tmp_path / "door.toml").write_text(
        'site = "hq"\ndoor = "front"\n'
        f'[[readers]]\nkind = "osdp"\nname = "front"\ndevice = "/dev/../{tmp_path}/tty"\nbaud = 9600\naddress = 5\n'
        f'key_file = "{tmp_path}/osdp-front.key"\n'
        f'[records]\nfolder = "{tmp_path}"\ndoor_key = "{tmp_path}/door.key"\n'
    )
    return tmp_path


@pytest.fixture
def reader(site: Path, request: pytest.FixtureRequest) -> Iterator[FarEnd]:
    far = FarEnd(site / "tty", getattr(request, "param", None), address=5)
    yield far
    far.close()


def doorward(site: Path, *words: str) -> int:
    return main(["osdp", *words, "front", "--config", str(site / "door.toml")])


def kept(site: Path) -> bytes:
    return load_osdp_key(site / "osdp-front.key", "front", site / "door.key")


def keep(site: Path, key: bytes, pending: bool = False) -> None:
    path = site / "osdp-front.key"
    save_osdp_key(pending_path(path) if pending else path, "front", key, site / "door.key")


@pytest.mark.parametrize("reader", [None], indirect=True)
def test_a_new_reader_gets_a_random_key_that_only_this_door_can_read(site, reader, capsys):
    assert doorward(site, "set-key", CONSENT) == 0
    file = site / "osdp-front.key"
    assert file.stat().st_mode & 0o777 == 0o600
    key = kept(site)
    assert len(set(key)) > 8
    assert key not in file.read_bytes()
    assert key.hex() not in file.read_text()
    assert not pending_path(file).exists()
    assert doorward(site, "check", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"reader": "front", "secure": True, "about": "vendor a1b2c3 model 7 serial 42", "can": ["led", "buzzer", "text"],
                    "tamper": False, "detail": ""}  # fmt: skip


@pytest.mark.parametrize("reader", [None], indirect=True)
def test_no_key_is_sent_under_the_key_that_everybody_knows_without_the_installers_word(site, reader, capsys):
    assert doorward(site, "set-key") == 1
    assert "install mode" in capsys.readouterr().err
    assert not list(site.glob("osdp-*"))
    assert reader.asked == []


@pytest.mark.parametrize("reader", [OLD], indirect=True)
def test_a_reader_that_has_our_key_is_given_a_new_one_over_the_channel_in_force(site, reader):
    keep(site, OLD)
    assert doorward(site, "set-key") == 0
    assert kept(site) != OLD
    assert doorward(site, "check") == 0
    keep(site, OLD)
    assert doorward(site, "check") == 1


@pytest.mark.parametrize("reader", [OTHER], indirect=True)
def test_a_reader_with_another_key_is_refused_even_with_the_installers_word(site, reader, capsys):
    keep(site, OLD)
    assert doorward(site, "check") == 1
    assert "another key" in capsys.readouterr().err
    assert doorward(site, "set-key", CONSENT) == 1
    assert kept(site) == OLD


@pytest.mark.parametrize("reader", [OTHER], indirect=True)
def test_a_plug_pulled_while_the_key_changed_loses_no_reader(site, reader):
    """The reader took the new key, and the controller lost power before it knew."""
    keep(site, OLD)
    keep(site, OTHER, pending=True)
    assert doorward(site, "set-key") == 0
    assert kept(site) not in (OLD, OTHER)
    assert doorward(site, "check") == 0


def test_a_reader_that_is_not_in_the_configuration_is_named_with_those_that_are(site, capsys):
    assert main(["osdp", "check", "back", "--config", str(site / "door.toml")]) == 2
    assert "'osdp' are: front" in capsys.readouterr().err


def test_each_reader_has_its_usual_place():
    assert key_path("", "front") == Path("/etc/doorward/osdp-front.key")
    assert key_path("/srv/k", "front") == Path("/srv/k")
