"""Two one-thread worker processes against one, on lists of equal length.

And the same of bare forward passes: what the machine has to give.
"""

import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count

from artmint.make.base import load_base
from artmint.make.engines import Diffusers
from artmint.run.workers import Crew, Order, order_of
from artmint.studio.catalog import Catalog

from .measure import row
from .samples import ROOT, attempts

BATCHES = 2
PICTURES = 8 * BATCHES


def started() -> subprocess.Popen:
    "A worker that waits for orders."
    return subprocess.Popen(
        [sys.executable, "-m", "bench.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=ROOT,
    )


def heard(child: subprocess.Popen, word: str) -> None:
    "Wait for a worker's word. Raises RuntimeError when it says something else, or has died."
    line = child.stdout.readline().decode().strip()
    if line != word:
        raise RuntimeError(f"a worker was to say {word!r} and said {line!r}; its own words stand above")


def work(order: Order, crew: list[subprocess.Popen], bare: bool) -> float:
    "Seconds that a crew takes for an order, or for bare forward passes as many; from when all are loaded and warm."
    batches = BATCHES // len(crew) if bare else 0
    for number, child in enumerate(crew):
        pickle.dump((order, str(number), batches), child.stdin)
        child.stdin.flush()
    for child in crew:
        heard(child, "ready")
    start = time.perf_counter()
    for child in crew:
        child.stdin.write(b"\n")
        child.stdin.flush()
    for child in crew:
        heard(child, "done")
    return time.perf_counter() - start


def measure(rounds: int) -> Iterator[dict]:
    "workers_2_vs_1."
    base, seeds = load_base(), count(step=PICTURES)
    crew = [started() for _ in range(2)]

    def spent(workers: int, bare: bool) -> float:
        first = next(seeds)
        with tempfile.TemporaryDirectory() as folder:
            pictures = attempts(base, range(first, first + PICTURES))
            order = order_of(Catalog(folder), Diffusers(base), pictures, Crew(workers=2))
            return work(order, crew[:workers], bare)

    speedups, bare_speedups = [], []
    rounds = min(rounds, 2)  # of four lists each
    try:
        for _ in range(rounds):
            speedups.append(spent(1, False) / spent(2, False))
            bare_speedups.append(spent(1, True) / spent(2, True))
    finally:
        for child in crew:
            child.communicate()  # which ends its input
    against = f"bare forward passes on both cores: {statistics.median(bare_speedups):.2f} times one"
    pictures = f"{PICTURES} pictures, fast, one thread each, loaded and warm, catalog and files included"
    how = f"{pictures}, median of {rounds}; {os.cpu_count()} cores"
    yield row("workers_2_vs_1", round(statistics.median(speedups), 3), "times", against, ">= 1.8", how)
