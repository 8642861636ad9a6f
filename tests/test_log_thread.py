"""The log: whoever reads it, or does not, a door goes on."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from agent.log_thread import MAX_WAITING, LogThread


@pytest.fixture
def pipe() -> Iterator[tuple[int, logging.Logger]]:
    """A pipe that is read only by the test, and a logger that writes into it."""
    read_end, write_end = os.pipe()
    stream = os.fdopen(write_end, "w")
    logger = logging.Logger("door")
    logger.addHandler(LogThread(stream))
    yield read_end, logger
    os.close(read_end)


def read_until(read_end: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        seen += os.read(read_end, 65536)
    return seen


@pytest.mark.timeout(20)
def test_a_log_that_nobody_reads_holds_up_nobody_and_tells_later_what_was_lost(pipe):
    read_end, logger = pipe
    for number in range(5 * MAX_WAITING):
        logger.warning("door vision-socket unreadable number=%d %s", number, "x" * 200)
    read_until(read_end, b"number=1 ")
    seen = b""
    while b"log lines lost" not in seen:
        logger.warning("again")
        seen += os.read(read_end, 65536)


@pytest.mark.timeout(20)
def test_lines_come_in_their_order_and_the_last_ones_are_written_before_the_end(pipe):
    read_end, logger = pipe
    for number in range(50):
        logger.info("line %d.", number)
    logger.handlers[0].flush()
    assert os.read(read_end, 65536).decode().split("\n")[:-1] == [f"line {number}." for number in range(50)]


@pytest.mark.timeout(20)
def test_a_log_whose_reader_has_gone_raises_nowhere():
    read_end, write_end = os.pipe()
    os.close(read_end)
    handler = LogThread(os.fdopen(write_end, "w"))
    logger = logging.Logger("door")
    logger.addHandler(handler)
    logger.warning("one")
    handler.flush()
    logger.warning("two")
    handler.flush()
