"The catalog: what leases, records and files add to rendering, and how fast jobs are claimed from long lists."

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artmint.make import engines
from artmint.make.base import Base, load_base
from artmint.make.engines import Diffusers
from artmint.run.executors import serial
from artmint.run.workers import Crew, order_of
from artmint.studio.catalog import Catalog, Leases

from .measure import row, seconds
from .samples import attempts

PICTURES, WARM_UP = 40, 8


class Stopwatch:
    "Seconds spent in a function, over all of its calls."

    def __init__(self, function: Any):
        self.function, self.spent = function, 0.0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        "What the function gives."
        start = time.perf_counter()
        try:
            return self.function(*args, **kwargs)
        finally:
            self.spent += time.perf_counter() - start


@contextmanager
def watched_rendering() -> Iterator[Stopwatch]:
    "A stopwatch around rendering, as the engine calls it."
    render = engines.render
    watch = Stopwatch(render)
    engines.render = watch
    try:
        yield watch
    finally:
        engines.render = render


def rendered(base: Base, seeds: range, watch: Stopwatch) -> tuple[float, float]:
    "Seconds of generating pictures, in all and of rendering alone: both from one run."
    watch.spent = 0.0
    with tempfile.TemporaryDirectory() as folder:

        def work() -> None:
            order = order_of(Catalog(folder), Diffusers(base), attempts(base, seeds), Crew())
            serial(order, Diffusers(base), lambda made, wanted: None)

        total = seconds(work)
    return total, watch.spent


def overhead(rounds: int) -> dict:
    "What the catalog adds: two runs of rendering differ by more than that, so both times come from one."
    base, ends = load_base(), range(WARM_UP + PICTURES, WARM_UP + (rounds + 1) * PICTURES, PICTURES)
    with watched_rendering() as watch:
        rendered(base, range(WARM_UP), watch)
        times = [rendered(base, range(end - PICTURES, end), watch) for end in ends]
    value = statistics.median(total / bare - 1 for total, bare in times)
    bare = statistics.median(bare for _, bare in times)
    against = f"rendering in the same run, canary included: {bare:.2f} s"
    pictures = f"{PICTURES} pictures of the bundled base, fast, 16 steps"
    how = f"{pictures}, leased, recorded and written, median of {rounds}"
    return row("catalog_overhead", round(value, 4), "share", against, "<= 0.03", how)


def claimed(count: int) -> tuple[float, str]:
    "Jobs claimed and finished a second from a list of so many, and the list in words."
    with tempfile.TemporaryDirectory() as folder:
        leases = Leases(folder)
        names = (f"{number:07}" for number in range(count))
        offered = seconds(lambda: leases.offer("bench", names))

        def thousand() -> None:
            for _ in range(1000):
                leases.done("bench", leases.claim("bench", "me", 60), "me")

        rate = 1000 / seconds(thousand)
        size = (Path(folder) / "catalog.sqlite").stat().st_size / count
        leases.close()
    return rate, f"{count:,}: {rate:.0f}/s, offered in {offered:.1f} s, {size:.0f} bytes a row"


def claims() -> dict:
    "Claimed and finished jobs a second, from lists of 10^4, 10^5 and 10^6."
    lists = [claimed(count) for count in (10**4, 10**5, 10**6)]
    against = "the same at 10^4 and 10^5 rows"
    how = "SQLite, one process, a thousand claimed and finished; " + "; ".join(words for _, words in lists)
    return row("catalog_claims", round(lists[-1][0]), "1/s", against, ">= 200", how)


def measure(rounds: int) -> Iterator[dict]:
    "catalog_overhead, catalog_claims."
    yield overhead(rounds)
    yield claims()
