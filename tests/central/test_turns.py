"""Who wants to write waits for those who asked before, and for nobody else."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import text

from central.database.engine import open_database, sqlite_url, turns_of, writing
from central.database.turns import Turns

LONG_S = 60.0


def test_who_wants_to_write_while_another_does_stands_in_line_and_does_not_ask_the_database(tmp_path: Path) -> None:
    engine = open_database(sqlite_url(tmp_path / "central.db"))
    said: list[str] = []

    def alerts() -> None:
        with writing(engine) as db:
            db.execute(text("CREATE TABLE said (who TEXT)"))
            said.append("alerts")

    thread = threading.Thread(target=alerts)
    with writing(engine):
        thread.start()
        while turns_of(engine).waiting == 0:
            assert thread.is_alive()
        said.append("historian")
    thread.join(LONG_S)
    engine.dispose()
    assert said == ["historian", "alerts"]


def test_writers_come_in_the_order_in_which_they_asked() -> None:
    turns, came, standing = Turns(), [], []

    def writer(number: int) -> None:
        with turns.turn(LONG_S):
            came.append(number)

    with turns.turn(LONG_S):
        for number in range(5):
            thread = threading.Thread(target=writer, args=(number,))
            thread.start()
            standing.append(thread)
            while turns.waiting < number + 1:
                pass
    for thread in standing:
        thread.join(LONG_S)
    assert came == [0, 1, 2, 3, 4]


def test_a_writer_that_never_ends_holds_nobody_up_for_ever() -> None:
    turns = Turns()
    with turns.turn(LONG_S), turns.turn(0.01):
        assert turns.waiting == 1
    with turns.turn(LONG_S):
        assert turns.waiting == 0
