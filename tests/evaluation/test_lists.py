"""A list that is none is refused with its file, its line and what is allowed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.evaluation.lists import ListError, Pair, people_named, person_of, pictures_of, read_boxes, read_pairs, read_searches


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "list.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_pairs_are_read_with_or_without_the_marks_that_spreadsheets_leave(written):
    expected = [Pair("a/1.jpg", "a/2.jpg", True), Pair("a/1.jpg", "b, c/1.jpg", False)]
    assert read_pairs(written('path_a,path_b,same\na/1.jpg,a/2.jpg,1\na/1.jpg,"b, c/1.jpg",0\n')) == expected
    assert read_pairs(written('\ufeffpath_a,path_b,same\r\na/1.jpg, a/2.jpg ,1\r\n\r\na/1.jpg,"b, c/1.jpg",0')) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"list\.csv, line 1: the heading is ''; needed is 'path_a,path_b,same'"),
        ("a,b,same\n", r"line 1: the heading is 'a,b,same'"),
        ("path_a,path_b,same\na,b,1\na,b,yes\n", r"line 3: same is 'yes'; allowed are 1 .* and 0"),
        ("path_a,path_b,same\na,b\n", r"line 2: 2 fields; needed are 3"),
        ("path_a,path_b,same\na,,1\n", r"line 2: path_b is empty"),
        ("path_a,path_b,same\na,b,1\n", r"no pair of two people \(same = 0\)"),
        ("path_a,path_b,same\na,b,0\n", r"no pair of one person \(same = 1\)"),
        (b"path_a,path_b,same\n\xff,b,0\n", r"not UTF-8"),
        ('path_a,path_b,same\n"a,b,0\n', r"not CSV"),
    ],
)
def test_a_wrong_list_of_pairs_is_refused_where_it_is_wrong(written, text, words):
    with pytest.raises(ListError, match=words):
        read_pairs(written(text))


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(ListError, match=r"absent\.csv: cannot be read"):
        read_pairs(tmp_path / "absent.csv")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_whatever_stands_in_a_file_it_is_read_or_refused(written, content):
    for read in (read_pairs, read_searches, read_boxes):
        with pytest.raises(ListError):
            read(written(content))


def test_a_gallery_needs_probes(written):
    with pytest.raises(ListError, match="no picture with the use 'probe'"):
        read_searches(written("path,person,use\na,ann,gallery\n"))
    with pytest.raises(ListError, match="line 2: use is 'door'; allowed are gallery and probe"):
        read_searches(written("path,person,use\na,ann,door\n"))


def test_a_picture_may_have_several_faces_or_none(written):
    assert read_boxes(written("path,x,y,w,h\na,1,2,3,4\na,5,6,7.5,8\nb,,,,\n")) == {"a": [(1, 2, 3, 4), (5, 6, 7.5, 8)], "b": []}


@pytest.mark.parametrize("box", ["1,2,3,x", "1,2,0,4", "1,2,3,-4", "nan,2,3,4", "1,2,inf,4", "1,2,3,"])
def test_a_box_without_size_is_refused(written, box):
    with pytest.raises(ListError, match=r"line 2: x,y,w,h are .* four numbers in pixels"):
        read_boxes(written(f"path,x,y,w,h\na,{box}\n"))


def test_the_folder_names_the_person():
    assert [person_of(path) for path in ("faces/Ann_B/1.jpg", "Ann_B/1.jpg", "1.jpg")] == ["Ann_B", "Ann_B", ""]


def test_folders_that_contradict_the_list_name_nobody():
    agreeing = [Pair("x/ann/1", "x/ann/2", True), Pair("x/ann/1", "x/bea/1", False)]
    assert people_named(agreeing)
    assert not people_named([*agreeing, Pair("x/ann/1", "x/bea/2", True)])
    assert not people_named([Pair("1", "2", False)])
    assert pictures_of(agreeing) == ["x/ann/1", "x/ann/2", "x/bea/1"]
