"""All numbers of a batch, and those of a small drop in it, from a catalog of 10^4, 10^5 and 10^6 rows.

Nine rows for each candidate, drawn at random. Against reading every record and adding up in loops, which gives the
same numbers to the last digit, and against adding up lines that lie in memory.
"""

import random
import statistics
import tempfile
from collections.abc import Iterator

import numpy as np

from artmint.core.collection import Collection
from artmint.metrics import KPIs, batch_columns, batch_history, kpis
from artmint.studio.catalog import Catalog
from artmint.studio.ledger import Money

from .measure import row, seconds
from .samples import demo

PART = 10_000
ROWS = (10**4, 10**5, 10**6)


def fill(catalog: Catalog, count: int) -> None:
    "Nine rows for each of so many candidates, three of them at a slot."
    rng = random.Random(0)
    for start in range(0, count, PART):
        fill_part(catalog, range(start, min(start + PART, count)), rng)
    catalog.close()


def fill_part(catalog: Catalog, numbers: range, rng: random.Random) -> None:
    "The rows of candidates with these numbers."
    dna = {number: f"{number:064x}" for number in numbers}
    catalog.append_all("attempt", [attempt(number, dna[number]) for number in numbers])
    for stage in ("generate", "curate"):
        costs = [cost(stage, dna[n], unit, rng) for n in numbers for unit in ("wall", "cpu", "bytes")]
        catalog.append_all("cost", costs)
    catalog.append_all("decision", [decision(dna[number], rng) for number in numbers])
    chosen = [number for number in numbers if number % 3 == 0]
    catalog.append_all("edition", [edition(number, dna[number]) for number in chosen])


def attempt(number: int, dna: str) -> tuple[str, dict]:
    "An attempt's key and body."
    recipe = {"prompt": "rings", "seed": number, "steps": 16}
    return f"demo/{number // 3 + 1}/{number % 3 + 1}", {"dna": dna, "recipe": recipe}


def cost(stage: str, dna: str, unit: str, rng: random.Random) -> tuple[str, dict]:
    "A ledger line's key and body."
    return f"{stage}/{dna}", {"stage": stage, "key": dna, "amount": rng.random(), "unit": unit}


def decision(dna: str, rng: random.Random) -> tuple[str, dict]:
    "A decision's key and body."
    verdict = rng.choice(("accept", "reject"))
    return dna, {"by": "machine", "decision": verdict, "reasons": [], "scores": {}}


def edition(number: int, dna: str) -> tuple[str, dict]:
    "An edition's key and body."
    slot = number // 3 + 1
    return f"demo/{slot}", {"slot": slot, "dna": dna}


def query(folder: str, collection: Collection, slots: int, rounds: int) -> tuple[float, KPIs]:
    "Median seconds for all numbers of so many slots, each time by a program that has just opened the catalog; the numbers."
    told = []

    def ask() -> None:
        told.append(kpis(batch_columns(Catalog(folder), collection, range(1, slots + 1)), Money(), 0.0))

    return statistics.median(seconds(ask) for _ in range(rounds)), told[-1]


def filled_and_asked(folder: str, rows: int, collection: Collection, rounds: int) -> tuple[float, KPIs, str]:
    "Seconds for all numbers of so many rows, the numbers, and this and more in words."
    written = seconds(lambda: fill(Catalog(folder), rows // 9))
    small, _ = query(folder, collection, 100, rounds)
    everything, numbers = query(folder, collection, rows // 27, rounds)
    drop = f"a drop of 100 slots among them {small:.2f} s (written in {written:.1f} s)"
    return everything, numbers, f"{rows:,}: {everything:.2f} s, {drop}"


def added_up(folder: str) -> float:
    "Seconds of the least that any way has to do: the amounts of all lines, in memory, added up for each candidate."
    rows = Catalog(folder).columns()["cost"].rows
    amounts, names = rows["amount"].copy(), np.unique(rows["of"], return_inverse=True)[1]
    return seconds(lambda: np.bincount(names, weights=amounts))


def measure(rounds: int) -> Iterator[dict]:
    "kpi_query_1e6, kpi_vs_records, kpi_vs_adding."
    collection, words = demo(), []
    for rows in ROWS:
        with tempfile.TemporaryDirectory() as folder:
            spent, numbers, told = filled_and_asked(folder, rows, collection, min(rounds, 3))
            words.append(told)
            if rows == ROWS[-1]:
                again = []

                def loops() -> None:
                    history = batch_history(Catalog(folder), collection, range(1, rows // 27 + 1))
                    again.append(kpis(history, Money(), 0.0))

                looped, least = seconds(loops), added_up(folder)
                if again != [numbers]:
                    raise RuntimeError("columns and records give different numbers")
    how = "all numbers of all candidates, SQLite; " + ", ".join(words)
    yield row("kpi_query_1e6", round(spent, 2), "s", "nothing", "<= 0.6", how)
    against = f"reading every record: {looped:.2f} s, the same numbers to the last digit"
    yield row("kpi_vs_records", round(looped / spent, 1), "times", against, ">= 10", how)
    against = f"adding up the same lines for each candidate in memory: {least * 1000:.1f} ms"
    yield row("kpi_vs_adding", round(spent / least, 1), "times", against, "", how)
