"""The power fails while a door's files are written: wherever that is, and what the next start finds."""

from __future__ import annotations

import os
import shutil
import ssl
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.commission import pairing
from agent.identity.openssl import request_for
from agent.pairing.messages import Grant, Request
from central.site.folder import Site
from central.site.pairing import Issuer
from tests.central.site.sites import made

TOUCHES = frozenset(("os.rename", "os.mkdir", "os.chmod", "os.chown", "os.remove", "os.rmdir", "shutil.rmtree"))
LINK = ("ca.crt", "door.crt", "door.key", "media.crt", "media.key")
FILES = {"door.key", "door.pub", "centre.pub", "link.toml", *(f"link/{each}" for each in LINK)}


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    made(tmp_path)
    return Issuer(Site.open(tmp_path / "site"), SystemClock())


def granted(issuer: Issuer, place: Path) -> tuple[Grant, dict[str, bytes]]:
    """What a door has in memory before it writes the first byte."""
    own = pairing._Own(place)
    code = issuer._fresh("hq", "front", "Front door", "mary", set())
    asked = Request(
        link=request_for(own.files["link/door.key"]), media=request_for(own.files["link/media.key"]), public_key=own.public
    )
    return issuer._let_in(code, asked)[0], own.files


def fails_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that dies before its file operation number `step`; whether it got so far."""
    child = os.fork()
    if child == 0:
        left = [step]

        def cut(event: str, args: tuple[object, ...]) -> None:
            if event in TOUCHES or (event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

        sys.addaudithook(cut)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def there(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


def fits(place: Path) -> bool:
    for program in ("door", "media"):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(place / f"link/{program}.crt", place / f"link/{program}.key")
    return True


def write(place: Path, grant: Grant, own: dict[str, bytes]) -> None:
    pairing._make_room(place)
    pairing._put(place, grant, own)


def test_a_new_controller_has_all_of_its_files_or_none(issuer: Issuer, tmp_path: Path) -> None:
    grant, own = granted(issuer, tmp_path)
    found = set()
    for step in range(0, 400, 3):
        place = tmp_path / f"door-{step}"
        place.mkdir()
        failed = fails_at(step, partial(write, place, grant, own))
        pairing.settle(place)
        assert there(place) in (set(), FILES), f"cut at step {step}"
        assert not there(place) or fits(place)
        assert not [path for path in place.iterdir() if path.name.startswith(".paired")]
        found.add(bool(there(place)))
        if not failed:
            break
    else:
        pytest.fail("it never came to its end")
    assert found == {True, False}


def test_a_controller_that_is_paired_again_has_its_former_keys_or_its_new_ones(issuer: Issuer, tmp_path: Path) -> None:
    first, second = granted(issuer, tmp_path), None
    for step in range(0, 400, 9):
        place = tmp_path / f"door-{step}"
        place.mkdir()
        write(place, *first)
        kept = (place / "door.key").read_bytes()
        second = second or granted(issuer, place)
        failed = fails_at(step, partial(write, place, *second))
        pairing.settle(place)
        assert there(place) == FILES, f"cut at step {step}"
        assert fits(place)
        assert (place / "door.key").read_bytes() == kept, "what lies on this disk is sealed for it"
        if not failed:
            break


def test_a_cut_while_it_is_settled_is_settled_by_the_next_start(issuer: Issuer, tmp_path: Path) -> None:
    grant, own = granted(issuer, tmp_path)

    def cut_at(step: int) -> Path:
        place = tmp_path / f"try-{step}"
        place.mkdir()
        fails_at(step, partial(write, place, grant, own))
        return place

    whole = next(place for place in map(cut_at, range(200)) if (place / pairing.STAGED).is_dir())
    for step in range(0, 200, 2):
        place = Path(shutil.copytree(whole, tmp_path / f"door-{step}"))
        failed = fails_at(step, partial(pairing.settle, place))
        pairing.settle(place)
        assert there(place) == FILES, f"cut at step {step}"
        if not failed:
            break
    else:
        pytest.fail("it never came to its end")
