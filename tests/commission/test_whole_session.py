"""A door is handed over: the real program, hands that do what they are told, a camera with a real face before it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.behaviour.floor import parse_floor, read_floor
from agent.commission.sealed_page import verify
from agent.commission.session import STEPS, Done, ended, with_result
from agent.commission.session_file import SessionFile
from agent.config import load_config
from agent.floor_file import camera_view
from agent.records.keys import door_public, make_door_keys
from agent.records.osdp_key import load_osdp_key
from agent.run_lock import only_one
from agent.selftest.names import NAMES
from agent.selftest.result import Result
from agent.vision.scene_file import VIEW_FILE, load_view
from agent.vision.scene_watch import KeptView, SceneWatch
from hw.interfaces import Pixels
from tests.behaviour.floors import HIGH, NEAR_PLACES, marked, toml_of
from tests.commission.stage import Installer, Session, Stage, room
from tests.contracts.conftest import eventually
from tests.hw.osdp_far_end import FarEnd
from tests.selftest.hands import RELAY, Door, door_toml

pytestmark = pytest.mark.system

WHO = {"place": "Front door", "customer": "Ada Lovelace & Co", "installer": "Charles Babbage", "company": ""}
QUICK = ("--yes", "--timeout", "8", "--hold", "0.3", "--scene", "15")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    yield made
    made.rig.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "camera")
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A door that has its keys, and its records in a folder of their own."""
    make_door_keys(tmp_path)
    (tmp_path / "records").mkdir()
    path = door_toml(tmp_path, extra=f'[behaviour]\nfloor = "{tmp_path}/floor.toml"\n')
    text = path.read_text().replace(f'folder = "{tmp_path}"', f'folder = "{tmp_path}/records"\ndoor_key = "{tmp_path}/door.key"')
    path.write_text(text)
    return path


def already(config: Path, *steps: str, tests: tuple[str, ...] = ()) -> None:
    """An earlier hour's work: these steps, and these steps of the self-test, were done and well."""
    store, now = SessionFile(load_config(config)), datetime.now(timezone.utc)
    session = store.begin(now)
    for step in steps:
        session = ended(session, step, Done(status="ok", at=now, facts=WHO if step == "who" else {}))
    for name in tests:
        session = with_result(session, Result(step=name, title=name, status="ok"))
    store.save(session)


def test_a_door_is_handed_over_from_its_name_to_a_signed_report(door, stage, config):
    already(config, "doctor", tests=tuple(name for name in NAMES if name not in ("reader", "rex", "lock")))
    installer = Installer(door, stage)
    walked = Session(installer, config, *QUICK)
    assert walked.steps == ["who", "pair", "osdp", "aim", "floor", "test", "scene", "report"], walked.said
    # whoever only follows the words turns the camera until it says good
    assert "left" in installer.words
    assert walked.done("aim")["status"] == "ok", walked.said
    # the floor was marked by the sheets that lie there
    assert walked.done("floor")["status"] == "ok", walked.said
    assert len(read_floor((door.folder / "floor.toml").read_text(), "floor.toml").points) == 16
    # the page is this door's, and holds neither the fob's number nor a key
    file = Path(walked.records[-1]["files"][-1].removeprefix("report: "))
    page = verify(file.read_bytes())
    assert page.public == bytes(door_public(door.folder / "door.pub"))
    assert page.data["customer"] == "Ada Lovelace & Co"
    assert {"Lock and relay", "Exit button (REX)", "Marking the floor"} <= {line["title"] for line in page.data["lines"]}
    assert set(page.data["pictures"]) == {"camera", "floor"}
    text = re.sub(r"base64,[^\"]*", "", file.read_text("utf-8"))
    assert "5283" not in text
    assert (door.folder / "door.key").read_text().strip() not in text
    # the lock was left without power
    assert [output.high for output in door.rig.outputs if output.pin == RELAY][-2:] == [False, None]
    # what was learned of the view is the vision program's own, and it notices a camera that is turned
    assert walked.done("scene")["status"] == "ok", walked.said
    view = load_view(door.folder / "records" / VIEW_FILE, camera_view(load_config(config)))
    assert signs_of(view, room()) == ()
    assert signs_of(view, np.roll(room(), 60, axis=1)) == ("moved",)


def signs_of(view: KeptView | None, picture: Pixels) -> tuple[str, ...]:
    """What the vision program says when it sees this for a while."""
    watch, chance = SceneWatch(view), np.random.default_rng(5)
    for second in range(25):
        watch.see(np.asarray(cv2.add(picture, chance.integers(0, 4, picture.shape, dtype=np.uint8)), np.uint8), float(second))
    return watch.signs


def test_a_session_that_is_killed_goes_on_where_it_was(door, config):
    already(
        config, *(step for step in STEPS if step not in ("test", "report")), tests=("camera", "accelerator", "broker", "clock")
    )
    installer = Installer(door, None)
    killed = Session(installer, config, *QUICK, stop=lambda record: record["event"] == "do" and "NOW" in record.get("do", ""))
    assert killed.status == -9
    assert eventually(lambda: [output.high for output in door.rig.outputs if output.pin == RELAY][-1] is None), "the lock is safe"
    left = SessionFile(load_config(config)).load()
    assert left is not None
    assert left.running == "test"
    assert "lock" not in {result.step for result in left.tests}
    walked = Session(installer, config, *QUICK, "--answers", _answers(door.folder))
    assert "cut off in 'test'" in walked.said
    assert walked.steps == ["test", "report"], walked.said
    tried = [record["step"] for record in walked.records if record["event"] == "result"]
    assert tried == ["lock", "second", "egress", "signals"], "nothing is tried again that was done"
    assert walked.status == 0, walked.said
    status = subprocess.run([sys.executable, "-m", "agent.cli", "commission", "--config", config, "status"], capture_output=True, text=True,
                            check=False)  # fmt: skip
    assert "All is done" in status.stderr


def _answers(folder: Path) -> str:
    path = folder / "answers.toml"
    path.write_text('accepted = "Ada Lovelace"\nnote = "The closer was set anew."\n')
    return str(path)


def test_a_pairing_that_the_power_ended_is_finished_and_the_configuration_knows_the_centre(door, config):
    staged = door.folder / ".paired"
    (staged / "link").mkdir(parents=True)
    link = f'site = "hq"\ndoor = "front"\n[link]\nhost = "broker.example"\nport = 8883\nca_file = "{door.folder}/link/ca.crt"\n'
    link += f'cert_file = "{door.folder}/link/door.crt"\nkey_file = "{door.folder}/link/door.key"\n'
    link += f'[records]\ncentre_key = "{door.folder}/centre.pub"\n'
    (staged / "link.toml").write_text(link)
    for name in ("centre.pub", "link/ca.crt", "link/door.crt", "link/door.key"):
        (staged / name).write_text("as the centre sent it")
    walked = Session(Installer(door, None), config, *QUICK, "--only", "pair")
    assert walked.done("pair")["status"] == "ok", walked.said
    made = load_config(config)
    assert (made.link.host, made.link.port) == ("broker.example", 8883)
    assert made.records.folder == f"{door.folder}/records", "what the centre did not tell stays"
    other = Installer(door, None)
    other.confirms = "n"
    assert Session(other, config, *QUICK, "--only", "pair").done("pair")["said"] == "the centre's keys are there already"
    # the power went behind the pairing, before the configuration was written
    config.write_bytes((door.folder / "door.toml.before-pairing").read_bytes())
    assert Session(other, config, *QUICK, "--only", "pair").done("pair")["status"] == "ok"
    assert load_config(config).link.host == "broker.example"


def test_a_centre_that_does_not_answer_costs_no_more_than_the_step(door, config):
    installer = Installer(door, None, {"url": "http://127.0.0.1:1", "code": "ACDE 7GHK"})
    walked = Session(installer, config, *QUICK, "--only", "pair")
    assert "does not answer" in walked.done("pair")["faults"][0]["what"]
    assert "7GHK" not in walked.said
    assert "7GHK" not in SessionFile(load_config(config)).path.read_text()


def test_whoever_is_in_the_picture_and_does_not_agree_is_not_kept(door, stage, config):
    installer = Installer(door, stage, {"floor": "no"})
    installer.confirms = "n"
    walked = Session(installer, config, *QUICK, "--only", "floor")
    assert walked.done("floor")["status"] == "skipped"
    assert not list((door.folder / "records" / "commission").glob("*.jpg"))


def test_a_camera_that_gives_no_picture_costs_its_own_steps_alone(door, config):
    walked = Session(Installer(door, None), config, *QUICK, "--only", "aim,scene")
    assert [walked.done(step)["status"] for step in ("aim", "scene")] == ["fault", "fault"]
    assert "no simulated camera there" in walked.done("aim")["faults"][0]["what"]
    assert walked.steps == ["aim", "scene"]


def test_a_floor_is_not_kept_that_was_marked_before_the_camera_was_moved(door, config):
    text = toml_of(marked(HIGH, NEAR_PLACES))
    (door.folder / "floor.toml").write_text(text)
    (door.folder / "records" / "floor.moved").write_text(parse_floor(text, "floor.toml").marking + "\n")
    installer = Installer(door, None, {"floor": "keep"})
    installer.confirms = "n"
    walked = Session(installer, config, *QUICK, "--only", "floor")
    assert "camera was moved" in walked.done("floor")["faults"][0]["what"], walked.said
    (door.folder / "records" / "floor.moved").unlink()
    assert Session(installer, config, *QUICK, "--only", "floor").done("floor")["status"] == "ok"


def test_an_osdp_reader_gets_a_key_of_this_door_and_is_met_with_it_the_next_time(door, config):
    reader = f'[[readers]]\nkind = "osdp"\nname = "gate"\ndevice = "/dev/../{door.folder}/tty"\naddress = 5\n'
    config.write_text(config.read_text() + reader + f'key_file = "{door.folder}/osdp-gate.key"\n')
    far = FarEnd(door.folder / "tty", None, address=5)
    try:
        first, second = (Session(Installer(door, None), config, *QUICK, "--only", "osdp") for _ in range(2))
    finally:
        far.close()
    assert first.done("osdp")["said"] == "1 reader; new keys: gate", first.said
    assert second.done("osdp")["said"] == "1 reader; each was met with its key", second.said
    key = load_osdp_key(door.folder / "osdp-gate.key", "gate", door.folder / "door.key")
    assert key.hex() not in first.said
    assert key.hex() not in SessionFile(load_config(config)).path.read_text()


@pytest.mark.parametrize("columns", [80, 48])
def test_on_a_terminal_the_picture_is_drawn_in_place_and_no_line_is_too_long(door, stage, config, columns):
    stage.face = (0.5, 0.4, 100.0)
    shown = on_a_terminal([sys.executable, "-m", "agent.cli", "commission", "--only", "aim", "--config", str(config)], columns)
    assert "quality" in shown
    assert "Good: stay like this." in shown
    assert "\x1b[38;5;" in shown, "a picture in grey"
    assert re.search(r"\x1b\[\d\dA", shown), "and over the last one"
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", shown)
    assert max(len(line.rpartition("\r")[2]) for line in plain.replace("\r\n", "\n").split("\n")) <= columns


def on_a_terminal(command: list[str], columns: int) -> str:
    """What a program writes to a terminal so wide, until it ends."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    raw = bytearray()
    with contextlib.suppress(OSError):  # the other end is closed when the program ends
        while some := os.read(ours, 65536):
            raw += some
    os.close(ours)
    process.wait(30)
    return raw.decode("utf-8", "replace")


def test_it_does_not_begin_while_the_door_runs(door, config):
    with only_one(door.folder / "run"):
        walked = Session(Installer(door, None), config, *QUICK)
    assert walked.status == 2
    assert "sudo systemctl stop doorward.target" in walked.said
    assert not walked.records


@pytest.mark.parametrize(
    ("words", "why"),
    [(("--only", "locks"), "steps are who, pair"), (("--out", "/nowhere"), "there is no such folder"), (("--scene", "3"), "15 to 600"),
     (("--answers", "/nowhere"), "cannot be read")],
)  # fmt: skip
def test_words_that_are_wrong_say_what_is_allowed(door, config, words, why):
    walked = Session(Installer(door, None), config, *words)
    assert walked.status == 2
    assert why in walked.said
