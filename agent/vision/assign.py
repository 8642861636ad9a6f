"""Who goes with whom at the least cost in all, where a pair may also be left out. Pure; for a dozen at most.

Shortest augmenting paths with potentials, after Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse
linear assignment problems", Computing 38 (1987): rows are added one at a time, each by the cheapest chain of exchanges.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

FREE = -1


def assign(costs: Sequence[Sequence[float]], limit: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of the least total cost, every row and column in at most one, where to leave a row out costs `limit`.

    A cost of `limit` or more, infinity included, is therefore never paired. Rows in rising order.
    """
    if not costs or not costs[0]:
        return []
    columns = len(costs[0])
    # A column of its own for each row stands for 'left out'.
    padded = [[*(min(cost, limit) for cost in row), *([limit] * len(costs))] for row in costs]
    owner = _solve(padded)
    pairs = sorted((row, column) for column, row in enumerate(owner[:columns]) if row != FREE)
    return [(row, column) for row, column in pairs if costs[row][column] < limit]


def _solve(costs: list[list[float]]) -> list[int]:
    """The row of each column; there are at least as many columns as rows, and every row gets one."""
    width = len(costs[0])
    owner = [FREE] * width
    of_row, of_column = [0.0] * len(costs), [0.0] * width
    for row in range(len(costs)):
        _add(row, costs, owner, of_row, of_column)
    return owner


def _add(start: int, costs: list[list[float]], owner: list[int], of_row: list[float], of_column: list[float]) -> None:
    """Gives one more row its column, by the shortest path over reduced costs to a free one; Dijkstra's algorithm on a dense graph."""
    width = len(owner)
    far, via = [inf] * width, [FREE] * width  # the shortest path to each column, and the column before it on that path
    done: list[int] = []
    row, last, length = start, FREE, 0.0
    while True:
        for column in range(width):
            if column not in done:
                reached = length + costs[row][column] - of_row[row] - of_column[column]
                if reached < far[column] - 1e-12:
                    far[column], via[column] = reached, last
        last = min((column for column in range(width) if column not in done), key=lambda column: far[column])
        length = far[last]
        next_row = owner[last]
        if next_row == FREE:
            break
        done.append(last)
        row = next_row
    for column in done:
        of_column[column] += far[column] - length
        of_row[owner[column]] += length - far[column]
    of_row[start] += length
    while via[last] != FREE:
        owner[last] = owner[via[last]]
        last = via[last]
    owner[last] = start
