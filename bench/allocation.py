"Ten thousand slots with exact traits: twelve shapes of real collections, and the integer program where it can."

import statistics
import tracemalloc
from collections.abc import Iterator

from artmint.core import allocation
from artmint.core.allocation import AllocationTask, allocated_rows
from tests.shapes import MANY, SHAPES, task_of

from .measure import row, seconds

AGAINST = "6 uneven traits of 7, forbidden pairs"  # 117,649 combinations, which the integer program can do


def allocated(task: AllocationTask, rounds: int) -> tuple[float, float]:
    "Median seconds, and the most megabytes that Python and numpy held at once."
    times = [seconds(lambda: allocated_rows(task, f"salt {i}")) for i in range(rounds)]
    tracemalloc.start()
    allocated_rows(task, "salt")
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return statistics.median(times), peak


def solved(task: AllocationTask) -> float:
    "Seconds of the integer program alone."
    bound = allocation.SOLVED
    allocation.SOLVED = allocation.COMBINATIONS
    try:
        return seconds(lambda: allocated_rows(task, "salt"))
    finally:
        allocation.SOLVED = bound


def ten_thousand(rounds: int) -> dict:
    "The slowest of the shapes."
    figures = {name: allocated(task, rounds) for name, task in SHAPES.items()}
    words = [f"{name} {spent:.2f} s, {peak:.0f} MB" for name, (spent, peak) in figures.items()]
    ours = figures[AGAINST][0]
    program = solved(SHAPES[AGAINST])
    against = f"the integer program of {AGAINST}: {program:.1f} s, {program / ours:.0f} times as long"
    slowest = max(spent for spent, _ in figures.values())
    how = f"10,000 slots, the slowest of {len(SHAPES)}, median of {rounds}; {'; '.join(words)}"
    return row("allocate_10k", round(slowest, 2), "s", against, "<= 2", how)


def hundred_thousand(rounds: int) -> dict:
    "Ten times as many slots, of 13 traits with 297 values."
    few, _ = allocated(SHAPES["13 traits of 297 values"], rounds)
    many, peak = allocated(task_of(MANY, supply=100_000, unique=True), 1)
    how = f"100,000 slots of 13 traits with 297 values, all different; {peak:.0f} MB"
    return row("allocate_100k", round(many, 2), "s", f"10,000 slots: {few:.2f} s", "<= 20", how)


def measure(rounds: int) -> Iterator[dict]:
    "allocate_10k, allocate_100k."
    yield ten_thousand(rounds)
    yield hundred_thousand(rounds)
