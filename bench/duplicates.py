"Copies among 10^4, 10^5 and 10^6 embeddings in a file; near-copies, and what they cost beside duplicates."

import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from artmint.judge.duplicates import (
    DctEncoder,
    LayoutEncoder,
    ThumbnailEncoder,
    nearest,
    nearest_near_copy,
    nearest_turned,
)
from artmint.train.drawings import draw, subjects

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


def near_copies(count: int, queries: int = 12) -> tuple[float, str]:
    "The share of drawings cropped by 8 % a side that are found among many, and seconds a query beside duplicate's."
    drawn = [draw(subject, i) for i, subject in enumerate(subjects()[:200])]
    thumbs, layouts, imprints = (
        np.resize(encoder.encode_images(drawn), (count, width))
        for encoder, width in ((ThumbnailEncoder(), 12288), (LayoutEncoder(), 1012), (DctEncoder(), 769))
    )
    cropped = [image.crop((10, 10, image.width - 10, image.height - 10)) for image in drawn[:queries]]
    asked, old = ThumbnailEncoder().encode_images(cropped), DctEncoder().encode_images(cropped)
    begun = time.perf_counter()
    hits = [nearest_near_copy(thumb, thumbs, layouts)[0] % len(drawn) == i for i, thumb in enumerate(asked)]
    middle = time.perf_counter()
    for imprint in old:
        nearest_turned(imprint[None], imprints)
    spent, before = (middle - begun) / queries, (time.perf_counter() - middle) / queries
    words = f"{count:,}: {spent:.2f} s a picture, {spent / before:.1f} times duplicate's"
    return float(np.mean(hits)), words


def measure(_: int) -> Iterator[dict]:
    "duplicates_recall_1e6 and near_copies_recall_1e4."
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        searches = [search(Path(folder), count, rng) for count in (10**4, 10**5, 10**6)]
    copies = "200 planted copies with noise (cosine about 0.91)"
    against = f"{copies} among random unit vectors of 512 numbers"
    how = "; ".join(words for _, words in searches)
    yield row("duplicates_recall_1e6", searches[-1][0], "share", against, "= 1.0", how)
    looks = [near_copies(count) for count in (10**3, 10**4)]
    against = "drawings cropped by 8 % a side, among 200 drawings repeated"
    how = "; ".join(words for _, words in looks)
    yield row("near_copies_recall_1e4", looks[-1][0], "share", against, ">= 0.95", how)
