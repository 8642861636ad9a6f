"""Many threads that decode the same things at the same moment: in a program of its own, because a fault there ends the program."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
from msgspec import Struct, json
from agent.first_use import ready
sys.setswitchinterval(1e-6)
class Inner(Struct):
    a: int
    b: str
class Outer(Struct):
    i: Inner
    rest: list["Inner"]
assert ready() >= 2
together, got = threading.Barrier(8), []
def work():
    together.wait()
    got.append(json.decode(b'{"i": {"a": 1, "b": "x"}, "rest": []}', type=Outer).i.a)
threads = [threading.Thread(target=work) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
assert got == [1] * 8
"""


def test_types_that_were_made_ready_are_decoded_by_many_threads_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_all_of_the_doors_own_types_can_be_made_ready() -> None:
    import agent.door_app  # noqa: F401 - its types are meant
    from agent.first_use import ready

    assert ready() > 100
