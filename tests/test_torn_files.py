"""A file that a power cut or a tired card left with foreign bytes is told as unreadable; no program ends for it in any other way."""

from __future__ import annotations

import pytest

from agent.calibration import load_calibration
from agent.commission.session_file import SessionFile
from agent.config import parse_config
from agent.errors import ConfigError
from agent.updates.in_force import CHOSEN, Chosen, read_chosen
from agent.vision.tally_file import load_tally

TORN = (b'{"embedder_id": "\xe1(\xa1", "models": {"number": "\xff"}, "site": "\xfe"}', b'{"\xff": 1}', b"\x80" * 64, b"")


@pytest.mark.parametrize("torn", TORN)
def test_what_cannot_be_guessed_is_refused_with_the_mend(tmp_path, torn):
    for load in (load_calibration, load_tally):
        (tmp_path / "file").write_bytes(torn)
        with pytest.raises(ConfigError, match="cannot be read"):
            load(tmp_path / "file")


@pytest.mark.parametrize("torn", TORN)
def test_a_door_whose_list_of_updates_is_torn_runs_what_came_with_its_program(tmp_path, torn):
    (tmp_path / CHOSEN).write_bytes(torn)
    assert read_chosen(tmp_path) == Chosen()


@pytest.mark.parametrize("torn", TORN)
def test_a_commissioning_session_that_is_torn_says_how_to_begin_anew(tmp_path, torn):
    file = SessionFile(parse_config({"site": "hq", "door": "front", "records": {"folder": str(tmp_path)}}))
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(torn)
    with pytest.raises(ConfigError, match="cannot be read"):
        file.load()
