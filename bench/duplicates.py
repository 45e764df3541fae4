"200 queries against 10^4, 10^5 and 10^6 embeddings in a file: planted copies, seconds, and what numpy held."

import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from artmint.judge.duplicates import nearest

from .measure import row

NUMBERS, QUERIES, PART = 512, 200, 50_000


def unit(rows: np.ndarray) -> np.ndarray:
    "Rows of length one."
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def random_rows(folder: Path, count: int, rng: np.random.Generator) -> np.ndarray:
    "Random unit vectors, (count, NUMBERS) of float32, in a file."
    rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float32, (count, NUMBERS))
    for start in range(0, count, PART):
        part = rng.normal(size=(min(PART, count - start), NUMBERS)).astype(np.float32)
        rows[start : start + len(part)] = unit(part)
    return rows


def search(folder: Path, count: int, rng: np.random.Generator) -> tuple[float, str]:
    "The share of planted copies that come out, and time and memory in words."
    rows = random_rows(folder, count, rng)
    planted = rng.choice(count, QUERIES, replace=False)
    noise = rng.normal(size=(QUERIES, NUMBERS)).astype(np.float32) * 0.02
    queries = unit(rows[planted] + noise)
    tracemalloc.start()
    begun = time.perf_counter()
    index, _ = nearest(queries, rows)
    spent, peak = time.perf_counter() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    recall = float((index == planted).mean())
    return recall, f"{count:,}: {spent:.2f} s, {peak / 1e6:.0f} MB, recall {recall}"


def measure(_: int) -> Iterator[dict]:
    "duplicates_recall_1e6."
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        searches = [search(Path(folder), count, rng) for count in (10**4, 10**5, 10**6)]
    copies = "200 planted copies with noise (cosine about 0.91)"
    against = f"{copies} among random unit vectors of 512 numbers"
    how = "; ".join(words for _, words in searches)
    yield row("duplicates_recall_1e6", searches[-1][0], "share", against, "= 1.0", how)
