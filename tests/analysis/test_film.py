"""A film's frames come at their own times, no more often than a door looks; what is no whole film is said to be none, and why."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from agent.analysis.film import Film
from agent.errors import FilmError
from tests.analysis.films import number_of, numbered, sound_alone, turned_clockwise, with_times, write_film

DOORS_RATE = 15.0


def seen_in(path, most_per_s=DOORS_RATE):
    """Number and time of each frame, and what the film says it lacks."""
    with Film(path, most_per_s) as film:
        return [(number_of(frame.pixels), round(frame.taken_s, 3)) for frame in film.frames()], film.lacking()


def refusal(path) -> str:
    with pytest.raises(FilmError) as caught, Film(path, DOORS_RATE) as film:
        list(film.frames())
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_slow_film_is_seen_frame_by_frame_at_its_own_times(tmp_path):
    seen, lacking = seen_in(write_film(tmp_path / "a.mp4", numbered(20), 10))
    assert seen == [(n, n / 10) for n in range(20)]
    assert lacking == ""


def test_of_a_fast_film_as_many_frames_are_seen_as_a_door_looks_at(tmp_path):
    seen, _ = seen_in(write_film(tmp_path / "a.mp4", numbered(28), 30))
    assert [number for number, _ in seen] == list(range(0, 28, 2))


@pytest.mark.parametrize("rate", [16, 20, 24, 25, 29.97, 50, 60])
def test_whatever_a_films_rate_a_second_of_it_gives_a_doors_rate_of_frames(tmp_path, rate):
    count = 3 * round(rate)
    path = write_film(tmp_path / "a.mp4", [np.zeros((64, 96, 3), np.uint8)] * count, rate)
    with Film(path, DOORS_RATE) as film:
        times = [frame.taken_s for frame in film.frames()]
    assert len(times) == pytest.approx(3 * DOORS_RATE, abs=1)
    assert len(times) == pytest.approx(film.expected, abs=1)


def test_frames_that_last_unequally_keep_their_own_times(tmp_path):
    path = with_times(write_film(tmp_path / "a.mp4", numbered(20), 10), [(10, 512), (5, 1024), (5, 2048)])
    seen, lacking = seen_in(path, 60)
    wanted = [n * 0.05 for n in range(10)] + [0.5 + n * 0.1 for n in range(5)] + [1.0 + n * 0.2 for n in range(5)]
    assert [number for number, _ in seen] == list(range(20))
    assert [at_s for _, at_s in seen] == pytest.approx(wanted, abs=1e-3)
    assert lacking == ""


def test_a_film_that_a_telephone_took_upright_is_seen_upright(tmp_path):
    left_half_white = np.zeros((64, 96, 3), np.uint8)
    left_half_white[:, :48] = 255
    path = turned_clockwise(write_film(tmp_path / "a.mp4", [left_half_white] * 5))
    with Film(path, DOORS_RATE) as film:
        pixels = next(iter(film.frames())).pixels
    assert pixels.shape == (96, 64, 3)
    assert pixels[:40].mean() > 240, "what was left is above when a picture is turned clockwise"
    assert pixels[56:].mean() < 15


def test_a_picture_of_odd_size_is_seen_whole(tmp_path):
    path = tmp_path / "a.mjpeg"
    path.write_bytes(b"".join(cv2.imencode(".jpg", pixels)[1].tobytes() for pixels in numbered(10, (97, 63))))
    with Film(path, DOORS_RATE) as film:
        assert {frame.pixels.shape for frame in film.frames()} == {(63, 97, 3)}


def test_a_picture_larger_than_any_doors_is_reduced_to_the_largest_of_a_door(tmp_path):
    path = write_film(tmp_path / "a.avi", [np.zeros((1200, 2400, 3), np.uint8)], codec="MJPG")
    with Film(path, DOORS_RATE) as film:
        assert next(iter(film.frames())).pixels.shape == (960, 1920, 3)


def test_a_picture_too_small_to_show_anybody_is_refused(tmp_path):
    assert "16 x 16 px; at least 32" in refusal(write_film(tmp_path / "a.avi", numbered(3, (16, 16)), codec="MJPG"))


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.webm", "VP80")])
def test_a_film_that_was_cut_off_is_seen_up_to_there_and_says_so(tmp_path, name, codec):
    noisy = [np.random.default_rng(n).integers(0, 255, (64, 96, 3), np.uint8) for n in range(40)]
    path = write_film(tmp_path / name, noisy, codec=codec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seen, lacking = seen_in(path)
    assert 10 < len(seen) < 30
    assert "of 4.0 s: it was cut off" in lacking


def test_a_recording_that_was_never_finished_is_named_as_such(tmp_path):
    path = write_film(tmp_path / "a.mp4", numbered(20))
    path.write_bytes(path.read_bytes()[:-200])
    assert "damaged" in refusal(path)
    path.write_bytes(path.read_bytes()[:600])
    assert "no index" in refusal(path)
    assert "cut off" in refusal(path)


def test_an_empty_file_is_called_empty(tmp_path):
    (tmp_path / "a.mp4").touch()
    assert "empty (0 bytes)" in refusal(tmp_path / "a.mp4")


def test_sound_alone_is_called_sound(tmp_path):
    assert "sound alone (WAV)" in refusal(sound_alone(tmp_path / "a.wav"))


@pytest.mark.parametrize("content", [b"hello\n" * 99, bytes(5000), os.urandom(5000), b"\0\0\0\x08ftyp", b"\0\0\0\0ftyp\xff\xff"])
def test_what_is_no_film_is_refused_in_words(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    assert "cannot be read as a film" in refusal(tmp_path / "a.mp4")


def test_what_is_not_there_or_is_a_folder_is_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "absent.mp4")
    assert "a folder" in refusal(tmp_path)
