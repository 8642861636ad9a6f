"""What every microphone and loudspeaker promises: 20 ms at a time, errors of one kind, and an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import HardwareError
from hw.audio import open_microphone, open_speaker
from hw.sound import PIECE_BYTES, SILENCE

KINDS = ["sim", "alsa"]
"""ALSA's own device `null` hears silence and plays into nothing: the library and its configuration are real."""


def microphone_word(kind: str, folder: Path) -> str:
    (folder / "sound.raw").write_bytes(bytes(range(256)) * 20)
    return f"sim:{folder}/sound.raw" if kind == "sim" else "alsa:null"


def speaker_word(kind: str, folder: Path) -> str:
    return f"sim:{folder}/played.raw" if kind == "sim" else "alsa:null"


@pytest.fixture(params=KINDS)
def kind(request):
    if request.param == "alsa" and not Path("/usr/share/alsa/alsa.conf").exists():
        pytest.skip("no ALSA on this machine: apt-get install libasound2-data")
    return request.param


def test_a_microphone_gives_pieces_of_20_ms(kind, tmp_path):
    microphone = open_microphone(microphone_word(kind, tmp_path))
    assert [len(microphone.read()) for _ in range(5)] == [PIECE_BYTES] * 5
    microphone.close()


def test_a_loudspeaker_takes_pieces_of_20_ms(kind, tmp_path):
    speaker = open_speaker(speaker_word(kind, tmp_path))
    for _ in range(5):
        speaker.write(SILENCE)
    speaker.close()
    if kind == "sim":
        assert (tmp_path / "played.raw").stat().st_size == 5 * PIECE_BYTES


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_that_is_not_there_is_said_by_name(kind, tmp_path):
    name = f"sim:{tmp_path}/none/at-all" if kind == "sim" else "alsa:hw:CARD=NoSuchCard"
    for opened in (open_microphone, open_speaker):
        with pytest.raises(HardwareError, match=r"none/at-all|NoSuchCard"):
            opened(name)


@pytest.mark.parametrize("name", ["", "none", "pulse:default", "/dev/dsp"])
def test_another_word_is_no_device(name):
    for opened in (open_microphone, open_speaker):
        with pytest.raises(HardwareError, match="alsa:DEVICE"):
            opened(name)


def test_a_simulated_microphone_that_is_too_short_says_how_long_it_must_be(tmp_path):
    (tmp_path / "short.raw").write_bytes(b"\0" * 10)
    with pytest.raises(HardwareError, match=str(PIECE_BYTES)):
        open_microphone(f"sim:{tmp_path}/short.raw")
