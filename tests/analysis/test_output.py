"""Annotated frames come onto the disk as a film that runs as long as its model, or as pictures; half a film never has its name."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from agent.analysis.film import Film
from agent.analysis.output import FilmFile, Pictures, is_film_name, output_for
from agent.errors import ConfigError, FilmError
from tests.analysis.films import number_of, numbered


def numbers_in(path: Path) -> list[int]:
    with Film(path, 100) as film:
        return [number_of(frame.pixels) for frame in film.frames()]


@pytest.mark.parametrize("name", ["a.mp4", "a.MKV", "a.avi", "a.webm", "new/folder/a.mov"])
def test_a_film_of_each_kind_has_every_frame(tmp_path, name):
    output = FilmFile(tmp_path / name, 10)
    for n, pixels in enumerate(numbered(12)):
        output.put(pixels, n / 10)
    assert not (tmp_path / name).exists()
    output.close()
    assert numbers_in(tmp_path / name) == list(range(12))


def test_a_gap_in_a_film_is_filled_with_its_last_picture_so_that_it_runs_as_long(tmp_path):
    output = FilmFile(tmp_path / "a.mp4", 10)
    for at_s, pixels in zip((0.0, 0.1, 0.5, 0.6), numbered(4), strict=True):
        output.put(pixels, at_s)
    output.close()
    assert numbers_in(tmp_path / "a.mp4") == [0, 1, 2, 2, 2, 2, 3]


def test_odd_sizes_and_a_size_that_changes_fit_into_the_film(tmp_path):
    output = FilmFile(tmp_path / "a.mp4", 10)
    for n, size in enumerate([(97, 63), (97, 63), (192, 128)]):
        output.put(numbered(3, size)[n], n / 10)
    output.close()
    assert numbers_in(tmp_path / "a.mp4") == [0, 1, 2]


def test_a_film_without_a_frame_is_no_file(tmp_path):
    FilmFile(tmp_path / "a.mp4", 10).close()
    assert list(tmp_path.iterdir()) == []


def test_half_a_film_leaves_nothing_behind(tmp_path):
    output = FilmFile(tmp_path / "a.mp4", 10)
    output.put(numbered(1)[0], 0.0)
    output.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_the_disk_did_not_take_is_no_film(tmp_path):
    output = FilmFile(tmp_path / "a.mp4", 10)
    for n, pixels in enumerate(numbered(12)):
        output.put(pixels, n / 10)
    assert output._writer is not None
    output._writer.release()
    [part] = tmp_path.iterdir()
    part.write_bytes(part.read_bytes()[:600])  # as a full disk leaves it
    with pytest.raises(FilmError, match="disk full"):
        output.close()
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_numbered(tmp_path):
    output = Pictures(tmp_path / "new" / "folder", "film")
    for n, pixels in enumerate(numbered(3)):
        output.put(pixels, n / 10)
    output.close()
    files = sorted((tmp_path / "new" / "folder").iterdir())
    assert [file.name for file in files] == ["film-000001.jpg", "film-000002.jpg", "film-000003.jpg"]
    assert [number_of(cv2.imread(str(file))) for file in files] == [0, 1, 2]


@pytest.mark.parametrize("out", ["file/a.mp4", "file/folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, out):
    (tmp_path / "file").touch()
    with pytest.raises(FilmError, match="file"):
        output_for(tmp_path / out, "film", 10).put(numbered(1)[0], 0.0)


def test_a_name_says_what_is_to_be_written(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    assert is_film_name(tmp_path / "a.mp4")
    assert not is_film_name(tmp_path / "pictures")
    assert not is_film_name(tmp_path / "folder.mp4")


@pytest.mark.parametrize("name", ["a.gif", "a.jpg", "plain"])
def test_a_name_that_is_neither_film_nor_folder_is_refused(tmp_path, name):
    (tmp_path / "plain").touch()
    with pytest.raises(ConfigError, match="--out"):
        is_film_name(tmp_path / name)
