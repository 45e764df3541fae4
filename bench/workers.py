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

BATCHES, STEPS = 2, 8
PICTURES = 8 * BATCHES


def started(order: Order, name: str, bare: int) -> subprocess.Popen:
    "A worker that has its order; `bare`: how many batches of forward passes it makes instead (0: it works)."
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=ROOT,
    )
    pickle.dump((order, name, bare), child.stdin)
    child.stdin.flush()
    return child


def work(order: Order, workers: int, bare: bool) -> float:
    "Seconds that so many workers take for an order, from when all are loaded and warm."
    batches = BATCHES // workers if bare else 0
    crew = [started(order, str(number), batches) for number in range(workers)]
    for child in crew:
        child.stdout.readline()
    start = time.perf_counter()
    for child in crew:
        child.stdin.close()
    for child in crew:
        child.stdout.readline()
        child.wait()
        child.stdout.close()
    return time.perf_counter() - start


def measure(rounds: int) -> Iterator[dict]:
    "workers_2_vs_1."
    base, seeds = load_base(), count(step=PICTURES)

    def spent(workers: int, bare: bool) -> float:
        first = next(seeds)
        with tempfile.TemporaryDirectory() as folder:
            pictures = attempts(base, range(first, first + PICTURES), STEPS)
            return work(order_of(Catalog(folder), Diffusers(base), pictures, Crew(workers=2)), workers, bare)

    speedups, bare_speedups = [], []
    rounds = min(rounds, 2)  # of four lists each
    for _ in range(rounds):
        speedups.append(spent(1, False) / spent(2, False))
        bare_speedups.append(spent(1, True) / spent(2, True))
    against = f"bare forward passes on both cores: {statistics.median(bare_speedups):.2f} times one"
    pictures = f"{PICTURES} pictures, {STEPS} steps, fast, one thread each, loaded and warm, catalog and files included"
    how = f"{pictures}, median of {rounds}; {os.cpu_count()} cores"
    yield row("workers_2_vs_1", round(statistics.median(speedups), 3), "times", against, ">= 1.8", how)
