"The service's queue: runs claimed from a long queue, against bare leases from a list as long."

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from artmint.service.queue import RUNS, Queue
from artmint.studio.catalog import JOB_TABLE, Catalog

from .measure import row

RUNS_QUEUED, CLAIMS, COLLECTIONS = 10_000, 500, 7


def fill(catalog: Catalog) -> None:
    "A list of bare jobs and a queue of runs, equally long."
    catalog.offer("bench", (f"{number:05}" for number in range(RUNS_QUEUED)))
    place = {"stage": RUNS, "worker": "", "until": 0.0, "done": False}
    jobs = []
    with catalog.together() as writing:
        for number in range(RUNS_QUEUED):
            lane = f"collection-{number % COLLECTIONS}"
            request = {"request": {"batch": "demo"}, "collection": lane, "batch": "demo"}
            catalog.add(writing, "run", f"r{number}", request)
            catalog.add(writing, "run-state", f"r{number}", {"state": "queued"})
            jobs.append({**place, "key": f"r{number}", "lane": lane, "priority": number % 3})
        writing.execute(sa.insert(JOB_TABLE), jobs)


def spent_claiming(claim: Callable[[], str], finish: Callable[[str], None]) -> float:
    "Seconds spent in claims; what is claimed is finished between them."
    spent = 0.0
    for _ in range(CLAIMS):
        start = time.perf_counter()
        key = claim()
        spent += time.perf_counter() - start
        finish(key)
    return spent


def measure(rounds: int) -> Iterator[dict]:
    "queue_claims."
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(folder)
        fill(catalog)
        queue = Queue(catalog, Path(folder))
        bare = spent_claiming(
            lambda: catalog.claim("bench", "me", 60), lambda key: catalog.done("bench", key, "me")
        )
        runs = spent_claiming(lambda: queue.claim("me", 60), lambda id: queue.settle(id, "me", "done"))
        catalog.close()
    rates = f"{CLAIMS / runs:.0f}/s against {CLAIMS / bare:.0f}/s"
    how = f"{RUNS_QUEUED:,} queued runs of {COLLECTIONS} collections, {CLAIMS} claimed with their records: {rates}"
    yield row(
        "queue_claims", round(bare / runs, 3), "ratio", "bare leases from a list as long", ">= 0.8", how
    )
