"""Who wants to write waits for those who asked before, and for nobody else."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import text

from central.database.engine import open_database, sqlite_url, writing
from central.database.turns import Turns

LONG_S = 60.0


def test_an_alert_is_not_kept_waiting_by_a_historian_that_commits_without_a_pause(tmp_path: Path) -> None:
    engine = open_database(sqlite_url(tmp_path / "central.db"))
    with writing(engine) as db:
        db.execute(text("CREATE TABLE said (who TEXT)"))
    asked, done, between = threading.Event(), threading.Event(), [0]

    def historian() -> None:
        while not done.is_set():
            with writing(engine) as db:
                db.execute(text("INSERT INTO said VALUES ('historian')"))
                between[0] += asked.is_set() and not done.is_set()

    thread = threading.Thread(target=historian)
    thread.start()
    try:
        for _ in range(20):
            between[0] = 0
            asked.set()
            with writing(engine) as db:
                before_us = between[0]
                db.execute(text("INSERT INTO said VALUES ('alerts')"))
            asked.clear()
            assert before_us <= 10, "transactions that were asked for later came first"
    finally:
        done.set()
        thread.join(LONG_S)
        engine.dispose()


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
